"""Numbers to figures: each function takes a table and returns a figure, usable alone.

A figure (`Figure`) is a small specification: data, axes with units, a title that says what to see,
how to read it (with the n), and the same for who cannot see it. ``figure.plotly()`` draws it for
the screen and ``figure.matplotlib()`` for paper, from the same numbers; a notebook shows it by
itself. Colours are Okabe and Ito's; a second channel (dash, symbol, filling) repeats what they say.
"""

from finsae.plots.companies import company_map, contributions, heat_map
from finsae.plots.health import density, layer_distances, layers
from finsae.plots.money import (
    cost_levels,
    equity,
    exposure,
    monthly_returns,
    rolling_sharpe,
    trades,
)
from finsae.plots.scores import by_year, leaderboard, paired_differences, walk
from finsae.plots.spec import Figure
from finsae.plots.spread import spread

__all__ = [
    "Figure",
    "by_year",
    "company_map",
    "contributions",
    "cost_levels",
    "density",
    "equity",
    "exposure",
    "heat_map",
    "layer_distances",
    "layers",
    "leaderboard",
    "monthly_returns",
    "paired_differences",
    "rolling_sharpe",
    "spread",
    "trades",
    "walk",
]
