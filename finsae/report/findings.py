"""What the benchmark found: the summary in words, the leaderboard, the paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from finsae import plots
from finsae.markup import Cell
from finsae.methods import in_order, label
from finsae.metrics import CLUSTERS, PEERS, Metric, interval
from finsae.plots.style import counted
from finsae.report.parts import Figure, Part, Row, Section, Words, figure, table
from finsae.report.summary import (
    differences,
    leading,
    levels,
    records,
    separated,
    with_p,
)
from finsae.report.verdict import QUESTIONS, standings, summary_lines
from finsae.result import Result

RULE = (
    "Two methods are said to differ only where the interval of their paired difference leaves out "
    "0, and the best is said to lead only where p is at most 0.05 too. Brackets are 95 % "
    "intervals, each for itself; p is adjusted for reading all differences at once (Romano and "
    "Wolf)."
)


def summary(result: Result) -> Section:
    """Say in plain words what the run found, the headline first."""
    lines = summary_lines(result.scores, result.provenance)
    first = [metric for metric in QUESTIONS if len(levels(result.scores, metric))][:1]
    ranked = [part for metric in first for part in _standings(result.scores, metric)]
    parts = [Words(lines[:2]), *ranked, Words(lines[2:], listed=True), Words([RULE])]
    return Section("summary", "Summary", parts)


def _standings(scores: pd.DataFrame, metric: str) -> list[Part]:
    """Tabulate who is best and who is not separated from the best; nothing without differences."""
    found = standings(levels(scores, metric), with_p(scores, metric))
    if found.empty:
        return []
    digits, best = PEERS[metric].digits, label(found["method"].iloc[0])
    shown = pd.DataFrame(
        {
            "Method": [label(name) for name in found["method"]],
            PEERS[metric].name: [_shown(row, digits) for row in found["score"]],
            f"Minus {best}": [
                _shown(row, digits, signed=True) if row else None for row in found["behind"]
            ],
            "p, adjusted": found["p"].astype(float),
            "Standing": found["standing"],
        }
    )
    ends = ["value", "low", "high"]
    data = pd.DataFrame(
        {
            "method": found["method"],
            **{end: [row[end] for row in found["score"]] for end in ends},
            **{f"minus_best_{end}": [row[end] if row else None for row in found["behind"]]
               for end in ends},
            "p_adjusted": found["p"],
            "standing": found["standing"],
        }
    )  # fmt: skip
    return [table("standings", shown, f"All methods by {PEERS[metric].name}", data=data)]


def leaderboard(result: Result) -> Section:
    """Show every method's scores on later returns, with intervals."""
    scores, title = result.scores, "Which peers move together later"
    asked = [metric for metric in QUESTIONS if len(levels(scores, metric))]
    if not asked:
        missing = Words(["No scores of peers were computed in this run."])
        return Section("leaderboard", title, [missing])
    parts: list[Part] = [Row(_compared(scores, metric)) for metric in asked]
    parts += scored("scores", scores, PEERS, "Peers on later returns")
    for metric in asked:
        paired = differences(scores, metric)
        if len(paired):
            caption = f"All paired differences of {PEERS[metric].name}"
            parts.append(table(f"paired-{metric}", difference_table(paired), caption, data=paired))
    years = result.tables.get("by_year")
    if years is not None and len(years):
        parts.append(figure("years", plots.by_year(years)))
    parts += scored("grouped", scores, CLUSTERS, "Clusters on later returns")
    return Section("leaderboard", title, parts)


def _compared(scores: pd.DataFrame, metric: str) -> list[Figure]:
    """Draw a metric's levels, and beside them the differences of the first method."""
    name = PEERS[metric].name
    paired = leading(differences(scores, metric))
    shown = plots.leaderboard(levels(scores, metric), axis=f"{name} (no unit)", title=name)
    drawn = [figure(f"levels-{metric}", shown)]
    if len(paired):
        shown = plots.paired_differences(paired, axis=f"difference of {name} (no unit)")
        drawn.append(figure(f"differences-{metric}", shown))
    return drawn


def scored(
    name: str, scores: pd.DataFrame, metrics: Mapping[str, Metric], caption: str
) -> list[Part]:
    """Tabulate the metrics that were computed, and say what they mean; nothing without any."""
    found = scores[scores["metric"].isin(metrics)]
    if found.empty:
        return []
    return [
        table(name, score_table(scores, metrics), caption, data=found),
        Words([_meaning(scores, key, metric) for key, metric in _found(scores, metrics)], True),
    ]


def score_table(scores: pd.DataFrame, metrics: Mapping[str, Metric]) -> pd.DataFrame:
    """One row per method, one column per metric that was computed, each with its interval."""
    columns = {key: levels(scores, key) for key in metrics if key in set(scores["metric"])}
    methods = in_order(method for rows in columns.values() for method in rows["method"])
    shown = {
        metrics[key].name: [_score(rows, method, metrics[key]) for method in methods]
        for key, rows in columns.items()
    }
    kinds = ("companies", "days")
    found = [rows["n"] for key, rows in columns.items() if metrics[key].counted in kinds]
    sizes = found[0] if found else pd.Series()
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


def _found(scores: pd.DataFrame, metrics: Mapping[str, Metric]) -> list[tuple[str, Metric]]:
    return [(key, metric) for key, metric in metrics.items() if key in set(scores["metric"])]


def _meaning(scores: pd.DataFrame, key: str, metric: Metric) -> str:
    """Say what a metric means, and its n where that is not the table's column of companies."""
    said = f"{metric.name}: {metric.meaning}."
    if metric.counted in {"companies", "days"}:
        return said
    return f"{said} {counted(levels(scores, key)['n'], metric.counted)}".strip()
