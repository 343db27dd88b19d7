"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
from rich.table import Table

from finsae.explain.scores import METRICS as EXPLANATIONS
from finsae.methods import BASELINES, CENTRED, CONTROLS, SCHEMES, in_order, label
from finsae.metrics import METRICS, interval


def score_table(scores: pd.DataFrame, metrics: Sequence[str]) -> Table:
    """One row per method, one column per metric, each value with its interval.

    Parameters
    ----------
    scores : DataFrame
        The standard frame of scores; rows of paired differences are left out.
    metrics : sequence of str
        Metrics to show; those without a row are skipped.
    """
    plain = scores[scores["versus"].fillna("") == ""]
    shown = [metric for metric in metrics if metric in set(plain["metric"])]
    table = text_table(None, "method", *(METRICS[metric].name for metric in shown))
    for method in in_order(plain["method"]):
        mine = plain[plain["method"] == method].drop_duplicates("metric").to_dict("records")
        found = {str(row["metric"]): _cell(row) for row in mine if row["metric"] in shown}
        if found:
            cells = [found.get(metric, "") for metric in shown]
            table.add_row(escape(label(method)), *(escape(cell) for cell in cells))
    return table


def paired_table(scores: pd.DataFrame, metrics: Sequence[str]) -> Table:
    """One row per paired difference of the user's own features, with its adjusted p-value.

    Where none of them is among the methods, all differences are shown.

    Parameters
    ----------
    scores : DataFrame
        The standard frame of scores.
    metrics : sequence of str
        Metrics whose differences are shown.
    """
    paired = scores[scores["versus"].fillna("") != ""]
    own = ~paired["method"].isin((*BASELINES, *CENTRED, *CONTROLS, *SCHEMES))
    paired = paired[own] if own.any() else paired
    table = text_table("Paired differences", "method", "minus", *(METRICS[m].name for m in metrics))
    for method in in_order(paired["method"]):
        mine = paired[paired["method"] == method]
        for versus in in_order(mine["versus"]):
            rows = mine[mine["versus"] == versus].drop_duplicates("metric").set_index("metric")
            cells = [_difference(rows, metric) for metric in metrics]
            table.add_row(label(method), label(versus), *(escape(cell) for cell in cells))
    return table


def _difference(rows: pd.DataFrame, metric: str) -> str:
    """Write a difference with its interval, and with its p-value where there is one."""
    if metric not in rows.index:
        return ""
    ends = {end: float(rows[end][metric]) for end in ("value", "low", "high")}
    p = f"{metric}_adjusted_p"
    known = f" p {float(rows['value'][p]):.3f}" if p in rows.index else ""
    return interval(ends, digits=4, signed=True) + known


def explanation_table(scores: pd.DataFrame) -> Table:
    """One row per score of explanations, one column per method; then the paired differences.

    Parameters
    ----------
    scores : DataFrame
        From `finsae.explain.scores.assess`.
    """
    methods = list(dict.fromkeys(scores["method"]))
    table = text_table(None, "score", *methods)
    versus = scores["versus"].fillna("")
    for metric, name in EXPLANATIONS.items():
        for paired in (False, True):
            mine = scores[(scores["metric"] == metric) & ((versus != "") == paired)]
            column = "versus" if paired else "method"
            cells = {
                str(row[column]): interval({str(name): value for name, value in row.items()})
                for row in mine.to_dict("records")
            }
            if cells:
                first = "  difference" if paired else name
                table.add_row(first, *(escape(cells.get(method, "")) for method in methods))
    return table


def _cell(row: Mapping[Hashable, Any]) -> str:
    metric = METRICS[str(row["metric"])]
    scaled = {name: row[name] * metric.scale for name in ("value", "low", "high")}
    return interval(scaled, digits=metric.digits)


def text_table(title: str | None, *columns: str) -> Table:
    """Make an empty table with the given headings."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    return table


def escape(text: str) -> str:
    """Show square brackets as they are: a description must not be read as markup."""
    return text.replace("[", r"\[")
