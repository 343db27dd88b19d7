"""What the benchmark found: the summary in words, the leaderboard, the paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from finsae import plots
from finsae.markup import Cell
from finsae.methods import in_order, label
from finsae.metrics import CLUSTERS, PEERS, Metric, interval
from finsae.report.parts import Part, Row, Section, Words, figure, table
from finsae.report.summary import (
    differences,
    leading,
    levels,
    records,
    separated,
    summary_lines,
)
from finsae.result import Result


def summary(result: Result) -> Section:
    """Say in plain words what the run found."""
    lines = summary_lines(result.scores, result.provenance)
    rule = (
        "Two methods are said to differ only where the interval of their paired difference leaves "
        "out 0. Brackets are 95 % intervals."
    )
    return Section("summary", "Summary", [Words(lines, listed=True), Words([rule])])


def leaderboard(result: Result) -> Section:
    """Show every method's scores on later returns, with intervals."""
    scores, title = result.scores, "Which peers move together later"
    rows = levels(scores, "peer_correlation")
    if rows.empty:
        missing = Words(["No peer correlations were computed in this run."])
        return Section("leaderboard", title, [missing])
    paired = differences(scores, "peer_correlation")
    drawn = [figure("levels", plots.leaderboard(rows, axis="peer correlation (no unit)"))]
    if len(paired):
        shown = plots.paired_differences(leading(paired), axis="difference (no unit)")
        drawn.append(figure("differences", shown))
    parts: list[Part] = [Row(drawn), *scored("scores", scores, PEERS, "Peers on later returns")]
    if len(paired):
        parts.append(
            table("paired", difference_table(paired), "All paired differences", data=paired)
        )
    years = result.tables.get("by_year")
    if years is not None and len(years):
        parts.append(figure("years", plots.by_year(years)))
    parts += scored("grouped", scores, CLUSTERS, "Clusters on later returns")
    return Section("leaderboard", title, parts)


def scored(
    name: str, scores: pd.DataFrame, metrics: Mapping[str, Metric], caption: str
) -> list[Part]:
    """Tabulate the metrics that were computed, and say what they mean; nothing without any."""
    found = scores[scores["metric"].isin(metrics)]
    if found.empty:
        return []
    return [
        table(name, score_table(scores, metrics), caption, data=found),
        Words([f"{metric.name}: {metric.meaning}." for metric in _found(scores, metrics)], True),
    ]


def score_table(scores: pd.DataFrame, metrics: Mapping[str, Metric]) -> pd.DataFrame:
    """One row per method, one column per metric that was computed, each with its interval."""
    columns = {key: levels(scores, key) for key in metrics if key in set(scores["metric"])}
    methods = in_order(method for rows in columns.values() for method in rows["method"])
    shown = {
        metrics[key].name: [_score(rows, method, metrics[key]) for method in methods]
        for key, rows in columns.items()
    }
    sizes = next(iter(columns.values()))["n"] if columns else pd.Series()
    n = [_whole(sizes.get(method)) for method in methods]
    return pd.DataFrame({"Method": [label(m) for m in methods], **shown, "n": n}, dtype=object)


def difference_table(paired: pd.DataFrame, *, digits: int = 3) -> pd.DataFrame:
    """Paired differences with their intervals and what follows."""
    rows = records(paired)
    return pd.DataFrame(
        {
            "Method": [label(row["method"]) for row in rows],
            "Minus": [label(row["versus"]) for row in rows],
            "Difference": [_shown(row, digits, signed=True) for row in rows],
            "Separated": [bool(separated(row)) for row in rows],
            "Resampling": [row["interval"] for row in rows],
            "n": [_whole(row["n"]) for row in rows],
        }
    )


def _score(rows: pd.DataFrame, method: str, metric: Metric) -> Cell | None:
    if method not in rows.index:
        return None
    row = records(rows.loc[[method]])[0]
    scaled = {end: row[end] * metric.scale for end in ("value", "low", "high")}
    return _shown(scaled, metric.digits)


def _shown(row: Mapping[str, Any], digits: int, *, signed: bool = False) -> Cell:
    return Cell(interval(row, signed=signed, digits=digits), number=True)


def _whole(size: Any) -> int | None:  # noqa: ANN401 - a number, None or NaN
    return None if size is None or pd.isna(size) else int(size)


def _found(scores: pd.DataFrame, metrics: Mapping[str, Metric]) -> list[Metric]:
    return [metric for key, metric in metrics.items() if key in set(scores["metric"])]
