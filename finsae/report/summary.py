"""Scores as a reader meets them: written with their intervals, levels and paired differences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from finsae.methods import in_order
from finsae.metrics import has_interval


def separated(row: Mapping[str, Any]) -> bool:
    """Whether a score's interval is there and leaves out 0; an end at 0 covers it."""
    return has_interval(row) and (row["low"] > 0 or row["high"] < 0)


def levels(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Take the rows of one metric, one per method in the order shown, without differences."""
    rows = scores[(scores["metric"] == metric) & ~_paired(scores)]
    rows = rows.drop_duplicates("method").set_index("method", drop=False)
    return rows.loc[in_order(rows["method"])]


def differences(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Take one metric's paired differences, `method` minus `versus`, each pair once.

    Where both directions were computed, the one whose first name is shown earlier is kept; where
    several resamplings were made, the first, which is the headline.
    """
    rows = scores[(scores["metric"] == metric) & _paired(scores)]
    kinds = rows["interval"].fillna("")
    rows = rows[kinds == kinds.iloc[0]] if len(rows) else rows
    order = {method: i for i, method in enumerate(in_order([*rows["method"], *rows["versus"]]))}
    rows = rows.sort_values(["method", "versus"], key=lambda names: names.map(order), kind="stable")
    pairs = [frozenset(pair) for pair in zip(rows["method"], rows["versus"], strict=True)]
    return rows[~pd.Series(pairs, index=rows.index, dtype=object).duplicated()]


def with_p(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Take a metric's paired differences with their p-values, read all at once; NaN where none."""
    paired = differences(scores, metric)
    rows = records(scores[scores["metric"] == f"{metric}_adjusted_p"])
    p = {frozenset((row["method"], row["versus"])): float(row["value"]) for row in rows}
    pairs = zip(paired["method"], paired["versus"], strict=True)
    return paired.assign(p=[p.get(frozenset(pair), math.nan) for pair in pairs])


def leading(paired: pd.DataFrame) -> pd.DataFrame:
    """Take the differences of the first method to all others: what a reader asks first."""
    return paired[paired["method"] == paired["method"].iloc[0]] if len(paired) else paired


def turned(row: Mapping[str, Any]) -> dict[str, Any]:
    """Read a difference the other way round."""
    ends = {"value": -row["value"], "low": -row["high"], "high": -row["low"]}
    return {**row, **ends, "method": row["versus"], "versus": row["method"]}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn a table into one mapping per row."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _paired(scores: pd.DataFrame) -> pd.Series[bool]:
    return scores["versus"].fillna("").astype(str) != ""
