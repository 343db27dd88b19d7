"""What the benchmark found: the summary in words, the leaderboard, the paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from finsae import plots
from finsae.methods import in_order, label
from finsae.report.parts import Cell, Part, Row, Section, Words, figure, table
from finsae.report.summary import differences, interval, levels, records, separated, summary_lines
from finsae.result import Result


class Metric(NamedTuple):
    """A metric's name in print, what it means, and how many digits are shown."""

    name: str
    meaning: str
    digits: int = 3


METRICS = {
    "peer_correlation": Metric(
        "Peer correlation",
        "mean correlation of a company's monthly log returns after the cut with those of its "
        "nearest peers, averaged over companies",
    ),
    "mc": Metric(
        "Mean correlation (MC)",
        "mean correlation inside each cluster, averaged over clusters, large or small: the "
        "measure of Molinari et al.; many tiny clusters flatter it",
    ),
    "pair_weighted": Metric(
        "Pair-weighted", "mean correlation over all pairs that share a cluster"
    ),
    "coverage": Metric("Coverage", "share of companies in a cluster of two or more", 2),
}


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
    scores = result.scores
    rows = levels(scores, "peer_correlation")
    if rows.empty:
        missing = Words(["No peer correlations were computed in this run."])
        return Section("leaderboard", "Which peers move together later", [missing])
    paired = differences(scores, "peer_correlation")
    drawn = [figure("levels", plots.leaderboard(rows, axis="peer correlation (no unit)"))]
    if len(paired):
        axis = "difference (no unit)"
        drawn.append(figure("differences", plots.paired_differences(paired, axis=axis)))
    found = scores[scores["metric"].isin(METRICS)]
    parts: list[Part] = [
        Row(drawn),
        table("scores", score_table(scores), "Scores by method, with 95 % intervals", data=found),
        Words([f"{metric.name}: {metric.meaning}." for metric in _present(scores)], listed=True),
    ]
    if len(paired):
        shown = difference_table(paired)
        parts.append(table("paired", shown, "Paired differences", data=paired))
    return Section("leaderboard", "Which peers move together later", parts)


def score_table(scores: pd.DataFrame) -> pd.DataFrame:
    """One row per method, one column per metric of the benchmark, each with its interval."""
    columns = {key: levels(scores, key) for key in METRICS if key in set(scores["metric"])}
    methods = in_order(method for rows in columns.values() for method in rows["method"])
    shown = {
        METRICS[key].name: [_score(rows, method, METRICS[key].digits) for method in methods]
        for key, rows in columns.items()
    }
    sizes = [levels(scores, "peer_correlation")["n"].get(method) for method in methods]
    return pd.DataFrame(
        {"Method": [label(m) for m in methods], **shown, "n": [_whole(size) for size in sizes]}
    )


def difference_table(paired: pd.DataFrame) -> pd.DataFrame:
    """Paired differences with their intervals and what follows."""
    rows = records(paired)
    return pd.DataFrame(
        {
            "Method": [label(row["method"]) for row in rows],
            "Minus": [label(row["versus"]) for row in rows],
            "Difference": [_shown(row, 3, signed=True) for row in rows],
            "Separated": [bool(separated(row)) for row in rows],
            "Resampling": [row["interval"] for row in rows],
            "n": [_whole(row["n"]) for row in rows],
        }
    )


def _score(rows: pd.DataFrame, method: str, digits: int) -> Cell | None:
    return _shown(records(rows.loc[[method]])[0], digits) if method in rows.index else None


def _shown(row: Mapping[str, Any], digits: int, *, signed: bool = False) -> Cell:
    return Cell(interval(row, signed=signed, digits=digits), number=True)


def _whole(size: Any) -> int | None:  # noqa: ANN401 - a number, None or NaN
    return None if size is None or pd.isna(size) else int(size)


def _present(scores: pd.DataFrame) -> list[Metric]:
    found = set(scores["metric"])
    return [metric for key, metric in METRICS.items() if key in found]
