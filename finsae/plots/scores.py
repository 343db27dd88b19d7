"""Scores with their intervals: the leaderboard and the paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from finsae.methods import in_order, label
from finsae.plots.style import COLOURS, DASHES, GREY, styled


def leaderboard(scores: pd.DataFrame, *, axis: str) -> go.Figure:
    """Draw one metric of every method as a point with its interval.

    Parameters
    ----------
    scores : DataFrame
        One row per method: method, value, low, high, n.
    axis : str
        Title of the value axis: the metric and its unit.
    """
    rows = scores.set_index("method").loc[in_order(scores["method"])[::-1]]
    figure = go.Figure(_whiskers(rows, [label(str(method)) for method in rows.index]))
    return styled(
        figure,
        title="Later co-movement of each method's peers",
        x=axis,
        height=90 + 34 * len(rows),
        reading=(
            "Points are means, bars their 95 % intervals. Bars that overlap do not settle whether "
            f"two methods differ: the paired differences do. {_n(rows)}"
        ),
        alt="; ".join(_spoken(label(str(m)), row) for m, row in rows[::-1].iterrows()),
    )


def paired_differences(scores: pd.DataFrame, *, axis: str) -> go.Figure:
    """Draw paired differences between methods, filled where the interval leaves out 0.

    Parameters
    ----------
    scores : DataFrame
        Rows of paired differences: method, versus, value, low, high, n.
    axis : str
        Title of the value axis.
    """
    rows = scores[::-1].set_index("method")
    names = [f"{label(str(a))} minus {label(str(b))}" for a, b in rows["versus"].items()]
    figure = go.Figure(_whiskers(rows, names, by="versus"))
    apart = (rows["low"] > 0) | (rows["high"] < 0)
    figure.data[0].marker.symbol = ["circle" if yes else "circle-open" for yes in apart]
    figure.add_vline(x=0, line={"color": GREY, "width": 1.5, "dash": "dot"})
    return styled(
        figure,
        title="Paired differences, the same firms and months on both sides",
        x=axis,
        height=90 + 34 * len(rows),
        reading=(
            "Filled: the interval leaves out 0, the methods are separated. Hollow: it covers 0, "
            f"they are not. {_n(rows)}"
        ),
        alt="; ".join(_spoken(n, row) for n, (_, row) in zip(names, rows.iterrows(), strict=True)),
    )


def by_year(years: pd.DataFrame) -> go.Figure:
    """Draw every method's peer correlation in each calendar year.

    Parameters
    ----------
    years : DataFrame
        Columns method, year, value, months.
    """
    table = years.pivot_table(index="year", columns="method", values="value")
    figure = go.Figure(
        [
            go.Scatter(
                x=table.index.astype(str),
                y=table[method],
                name=label(method),
                mode="lines+markers",
                line={
                    "color": COLOURS.get(method, GREY),
                    "dash": DASHES.get(method, "solid"),
                    "width": 2.4 if method == "sae" else 1.5,
                },
                hovertemplate=f"{escape(label(method))} %{{x}}: %{{y:.3f}}<extra></extra>",
            )
            for method in in_order(table.columns)
        ]
    )
    ends = (f"{label(m)} {table[m].min():.2f} to {table[m].max():.2f}" for m in table.columns)
    return styled(
        figure,
        title="The same year by year: the market moves all methods together",
        x="year",
        height=360,
        reading=(
            "Twelve months make a noisy correlation, and there are no intervals here: for the eye "
            f"only. Population is the mean over all pairs. n = {len(table)} years."
        ),
        alt="; ".join(ends),
    ).update_layout(
        showlegend=True, yaxis_title="peer correlation (no unit)", xaxis_type="category"
    )


def _whiskers(rows: pd.DataFrame, names: Sequence[str], *, by: str | None = None) -> go.Scatter:
    methods = rows.index if by is None else rows[by]
    colours = [COLOURS.get(str(method), GREY) for method in methods]
    digits = "+.3f" if by else ".3f"
    return go.Scatter(
        x=rows["value"],
        y=list(names),
        mode="markers",
        marker={"color": colours, "size": 11, "line": {"width": 2, "color": colours}},
        error_x={
            "type": "data",
            "array": rows["high"] - rows["value"],
            "arrayminus": rows["value"] - rows["low"],
            "color": GREY,
            "thickness": 2,
            "width": 5,
        },
        customdata=rows[["low", "high", "n"]].to_numpy(dtype=float),
        hovertemplate=(
            f"%{{y}}: %{{x:{digits}}} [%{{customdata[0]:{digits}}}, %{{customdata[1]:{digits}}}], "
            "n = %{customdata[2]:.0f}<extra></extra>"
        ),
    )


def _spoken(name: str, row: pd.Series[Any]) -> str:
    return f"{name} {row['value']:.3f}, interval {row['low']:.3f} to {row['high']:.3f}"


def _n(rows: pd.DataFrame) -> str:
    sizes = sorted({int(n) for n in rows["n"].dropna()})
    if not sizes:
        return ""
    return f"n = {sizes[0]}{f' to {sizes[-1]}' if len(sizes) > 1 else ''} companies."
