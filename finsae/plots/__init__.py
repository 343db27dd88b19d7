"""Numbers to figures: each function takes a table and returns a plotly figure, usable alone.

Every figure carries its own words in ``layout.meta``: ``reading`` (what to see, with the n) and
``alt`` (the same for who cannot see it). Colours are Okabe and Ito's; a second channel (dash,
symbol, filling) repeats what they say.
"""

from finsae.plots.companies import company_map, contributions, heat_map
from finsae.plots.money import equity
from finsae.plots.scores import by_year, leaderboard, paired_differences
from finsae.plots.spread import spread

__all__ = [
    "by_year",
    "company_map",
    "contributions",
    "equity",
    "heat_map",
    "leaderboard",
    "paired_differences",
    "spread",
]
