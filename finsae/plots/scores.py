"""Scores with their intervals: leaderboard, paired differences, hedging, years, the walk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from finsae.methods import in_order, label
from finsae.metrics import METRICS, interval
from finsae.plots.spec import Axis, Figure, Line, Panel, Points, Rule
from finsae.plots.style import DASHES, colour, counted

TWO_LINES = 54  # letters of a name that surely fit into two lines at an axis
INTERVALS = "Points are estimates, bars their 95 % intervals."


def leaderboard(
    scores: pd.DataFrame,
    *,
    axis: str,
    title: str = "Score",
    digits: int = 3,
) -> Figure:
    """Draw one metric of every method as a point with its interval.

    Parameters
    ----------
    scores : DataFrame
        One row per method: method, value, low, high, n.
    axis : str
        Title of the value axis: the metric and its unit.
    title : str
        What is scored; the figure's title adds who has the highest estimate.
    digits : int
        After the point, where a value is written.
    """
    rows = scores.set_index("method").loc[in_order(scores["method"])[::-1]]
    names = [label(str(method)) for method in rows.index]
    whiskers = _whiskers(rows, names, methods=rows.index, form=f".{digits}f")
    return _listed(
        [whiskers],
        names,
        axis=axis,
        title=f"{title}: highest is {_highest(names, rows, digits)}",
        reading=(
            f"{INTERVALS} Bars that overlap do not settle whether two methods differ: the paired "
            f"differences do. {counted(rows['n'], _counted(scores))}"
        ),
        alt="; ".join(_spoken(name, row) for name, (_, row) in _zip(names, rows)),
    )


def paired_differences(scores: pd.DataFrame, *, axis: str, digits: int = 3) -> Figure:
    """Draw paired differences between methods, filled where the interval leaves out 0.

    Parameters
    ----------
    scores : DataFrame
        Rows of paired differences: method, versus, value, low, high, n.
    axis : str
        Title of the value axis.
    digits : int
        After the point, where a value is written.
    """
    rows = scores[::-1].set_index("method")
    names = [f"{label(str(a))} minus {label(str(b))}" for a, b in rows["versus"].items()]
    apart = (rows["low"] > 0) | (rows["high"] < 0)
    symbols = ["circle" if yes else "circle-open" for yes in apart]
    whiskers = _whiskers(rows, names, methods=rows["versus"], form=f"+.{digits}f", symbols=symbols)
    firsts = scores["method"].unique()
    whose = (
        f"{label(str(firsts[0]))} against the others" if len(firsts) == 1 else "Pairs of methods"
    )
    return _listed(
        [whiskers, Rule(0.0)],
        names,
        axis=axis,
        title=f"{whose}: {sum(apart)} of {len(rows)} differences leave out 0",
        reading=(
            "The same firms and months on both sides. Filled: the interval leaves out 0, the "
            "methods are separated. Hollow: it covers 0, they are not. "
            f"{counted(rows['n'], _counted(scores))}"
        ),
        alt="; ".join(_spoken(name, row) for name, (_, row) in _zip(names, rows)),
    )


def walk(steps: pd.DataFrame) -> Figure:
    """Draw what is left of a published Sharpe ratio as its defects are mended one after the other.

    Parameters
    ----------
    steps : DataFrame
        Columns step, sharpe_net, low, high, days, as from `finsae.pairs.published.steps`.
    """
    known = steps[steps["sharpe_net"].notna()]
    rows = known[::-1].rename(columns={"sharpe_net": "value", "days": "n"})
    names = [f"{number}. {step}" for number, step in
             zip(known.index[::-1] + 1, rows["step"], strict=True)]  # fmt: skip
    methods = ["random"] * (len(rows) - 1) + ["past-correlation"]
    if len(rows):
        methods[0] = "sae"
    first, last = known["sharpe_net"].iloc[0], known["sharpe_net"].iloc[-1]
    return _listed(
        [_whiskers(rows, names, methods=methods, form=".2f"), Rule(0.0)],
        names,
        axis="net Sharpe ratio (a year)",
        title=f"From a Sharpe ratio of {first:.1f} as published to {last:.1f} done honestly",
        reading=(
            f"{INTERVALS} From the top down one more defect of the published rules is mended in "
            f"each row; only the last row is a result. {counted(rows['n'], 'trading days')}"
        ),
        alt="; ".join(_spoken(name, row) for name, (_, row) in _zip(names[::-1], rows[::-1])),
    )


def by_year(years: pd.DataFrame) -> Figure:
    """Draw every method's peer correlation in each calendar year.

    Parameters
    ----------
    years : DataFrame
        Columns method, year, value, months.
    """
    table = years.pivot_table(index="year", columns="method", values="value")
    names = [str(year) for year in table.index]
    lines = [
        Line(
            names,
            table[method].to_numpy(),
            name=label(method),
            colour=colour(method),
            dash=DASHES.get(method, "solid"),
            width=2.4 if method == "sae" else 1.5,
            digits=3,
            marked=True,
        )
        for method in in_order(table.columns)
    ]
    ends = (f"{label(m)} {table[m].min():.2f} to {table[m].max():.2f}" for m in table.columns)
    title = "Peer correlation year by year"
    return Figure(
        title=title,
        reading=(
            "Twelve months make a noisy correlation, and there are no intervals here: for the eye "
            f"only. Population is the mean over all pairs. n = {len(table)} years."
        ),
        alt=f"{title}. {'; '.join(ends)}.",
        panels=[
            Panel(Axis("year", "names", names=names), Axis("peer correlation (no unit)"), lines)
        ],
        height=360,
        legend=True,
    )


def _listed(
    layers: Sequence[Points | Rule], names: Sequence[str], *, axis: str, title: str,
    reading: str, alt: str,
) -> Figure:  # fmt: skip
    """One row per name, values along x."""
    panel = Panel(Axis(axis), Axis("", "names", names=names), layers)
    return Figure(
        title=title,
        reading=reading.strip(),
        alt=f"{title}. {alt}.",
        panels=[panel],
        height=90 + (34 if max(map(len, names), default=0) < TWO_LINES else 50) * len(names),
    )


def _whiskers(
    rows: pd.DataFrame, names: Sequence[str], *, methods: Any, form: str,  # noqa: ANN401
    symbols: str | Sequence[str] = "circle",
) -> Points:  # fmt: skip
    hover = [
        f"{name}: {value:{form}} [{low:{form}}, {high:{form}}], n = {n:.0f}"
        for name, value, low, high, n in zip(
            names, rows["value"], rows["low"], rows["high"], rows["n"], strict=True
        )
    ]
    return Points(
        rows["value"].to_numpy(float),
        names,
        colours=[colour(str(method)) for method in methods],
        symbols=symbols,
        size=11,
        low=rows["low"].to_numpy(float),
        high=rows["high"].to_numpy(float),
        hover=hover,
    )


def _highest(names: Sequence[str], rows: pd.DataFrame, digits: int) -> str:
    values = rows["value"].to_numpy(float)
    if not np.isfinite(values).any():
        return "not known"
    best = int(np.nanargmax(values))
    return f"{names[best]}, {interval(_ends(rows.iloc[best]), digits=digits)}"


def _ends(row: pd.Series[Any]) -> dict[str, Any]:
    return {end: row[end] for end in ("value", "low", "high")}


def _zip(names: Sequence[str], rows: pd.DataFrame) -> Any:  # noqa: ANN401 - pairs of name and row
    return zip(names, rows.iterrows(), strict=True)


def _counted(scores: pd.DataFrame) -> str:
    """Say what the scores' n are, by their metric where it is told."""
    told = len(scores) and "metric" in scores
    metric = METRICS.get(str(scores["metric"].iloc[0])) if told else None
    return metric.counted if metric else "companies"


def _spoken(name: str, row: pd.Series[Any]) -> str:
    return f"{name} {row['value']:z.3f}, interval {row['low']:z.3f} to {row['high']:z.3f}"
