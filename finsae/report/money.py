"""What the pairs earned: equity, Sharpe ratios, trades, false discoveries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from finsae import plots
from finsae.methods import in_order, label
from finsae.report.parts import Cell, Part, Section, Words, figure, table
from finsae.report.summary import SUSPECT_SHARPE, differences, interval, levels, records
from finsae.result import Result

TITLE = "What trading the pairs earned"
METRICS = {
    "sharpe": ("Net Sharpe ratio", 2),
    "gross_sharpe": ("Gross Sharpe ratio", 2),
    "annual_return": ("Net return per year", 4),
    "max_drawdown": ("Deepest drawdown", 4),
    "false_discovery": ("False discoveries, estimated share", 2),
}


def backtest(result: Result) -> Section:
    """Show equity curves and what is needed to judge them."""
    scores, returns = result.scores, result.tables.get("returns")
    rows = levels(scores, "sharpe")
    if rows.empty and (returns is None or returns.empty):
        return Section("backtest", TITLE, [Words(["No pairs backtest was part of this run."])])
    parts: list[Part] = []
    if returns is None or returns.empty:
        parts.append(Words(["No daily returns were kept, so there are no curves."]))
    else:
        notes = {str(m): interval(row, digits=2) for m, row in _by_method(rows).items()}
        drawn = [plots.equity(returns, column=kind, notes=notes) for kind in ("net", "gross")]
        parts.append(figure("equity", *drawn, choices=["after costs", "before costs"]))
    parts.append(table("pairs", pair_table(result), "Pairs by method", data=_pair_scores(scores)))
    parts.append(Words(_remarks(rows)))
    return Section("backtest", TITLE, parts)


def pair_table(result: Result) -> pd.DataFrame:
    """One row per method: Sharpe ratios with intervals, trades, false discoveries."""
    scores = result.scores
    columns = {key: levels(scores, key) for key in METRICS if key in set(scores["metric"])}
    counts = _trades_per_draw(result)
    methods = in_order([*(m for rows in columns.values() for m in rows["method"]), *counts])
    shown = {
        METRICS[key][0]: [_score(_by_method(rows).get(m), METRICS[key][1]) for m in methods]
        for key, rows in columns.items()
    }
    trades = [Cell(f"{counts[m]:,.0f}", number=True) if m in counts else None for m in methods]
    return pd.DataFrame({"Method": [label(m) for m in methods], **shown, "Trades": trades})


def _score(row: Mapping[str, Any] | None, digits: int) -> Cell | None:
    return None if row is None else Cell(interval(row, digits=digits), number=True)


def _trades_per_draw(result: Result) -> dict[str, float]:
    """Count the trades of every method that has returns, averaged over its draws."""
    trades, returns = result.tables.get("trades"), result.tables.get("returns")
    if trades is None:
        return {}
    counts = trades["method"].value_counts()
    source = trades if returns is None else returns
    draws = source.groupby("method")["draw"].nunique()
    return {str(m): float(counts.get(m, 0) / draws[m]) for m in draws.index}


def _remarks(rows: pd.DataFrame) -> list[str]:
    remarks = [
        "Sharpe ratios are of daily returns after costs, a year taken as 252 days, with idle days "
        "counted. A method without trades has none.",
    ]
    suspect = [str(m) for m, row in _by_method(rows).items() if abs(row["value"]) > SUSPECT_SHARPE]
    if suspect:
        names = ", ".join(label(method) for method in suspect)
        remarks.append(
            f"Warning: {names} beyond {SUSPECT_SHARPE:.0f}. A Sharpe ratio like that is more "
            "likely an error in data or rules than a finding."
        )
    return remarks


def _by_method(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {str(row["method"]): row for row in records(rows)}


def _pair_scores(scores: pd.DataFrame) -> pd.DataFrame:
    paired = differences(scores, "sharpe")
    return pd.concat([*(levels(scores, key) for key in METRICS), paired], ignore_index=True)
