"""What the pairs earned: equity, Sharpe ratios, trades, false discoveries."""

from __future__ import annotations

import pandas as pd

from finsae import plots
from finsae.markup import Cell
from finsae.methods import label
from finsae.metrics import MONEY, interval
from finsae.report.findings import difference_table, scored
from finsae.report.parts import Part, Section, Words, figure, table
from finsae.report.summary import differences, levels, records
from finsae.result import SUSPICIOUS, Result

TITLE = "What trading the pairs earned"
EARNED = {
    name: MONEY[name]
    for name in (
        "sharpe_net",
        "sharpe_gross",
        "return_annual",
        "max_drawdown",
        "placebo_percentile",
        "alpha",
        "beta",
    )
}
TRADED = {name: metric for name, metric in MONEY.items() if name not in EARNED}
"""The rest: all in one table would be wider than a page."""


def backtest(result: Result) -> Section:
    """Show equity curves, and beside them what is needed to judge them."""
    scores, returns = result.scores, result.tables.get("returns")
    sharpe = records(levels(scores, "sharpe_net"))
    if not sharpe and (returns is None or returns.empty):
        return Section("backtest", TITLE, [Words(["No pairs backtest was part of this run."])])
    parts: list[Part] = []
    suspect = [row["method"] for row in sharpe if abs(row["value"]) > SUSPICIOUS]
    if suspect:
        parts.append(Words([_warning(suspect)]))
    if returns is None or returns.empty:
        parts.append(Words(["No daily returns were kept, so there are no curves."]))
    else:
        notes = {row["method"]: interval(row, digits=2) for row in sharpe}
        drawn = [plots.equity(returns, column=kind, notes=notes) for kind in ("net", "gross")]
        parts.append(figure("equity", *drawn, choices=["after costs", "before costs"]))
    parts += scored("money", scores, EARNED, "What the pairs of each method earned")
    parts += scored(
        "trading", scores, TRADED, "How they were traded, and how much of it may be luck"
    )
    paired = differences(scores, "sharpe_net")
    if len(paired):
        caption = "Paired differences of net Sharpe ratios"
        parts.append(table("money-paired", difference_table(paired), caption, data=paired))
    return Section("backtest", TITLE, parts)


def walk(result: Result) -> Section:
    """Show what each defect of the published protocol was worth."""
    steps, title = result.tables.get("steps"), "From the published protocol to an honest one"
    if steps is None or steps.empty:
        missing = "The published rules were not re-enacted in this run."
        return Section("walk", title, [Words([missing])])
    return Section("walk", title, _walk(steps))


def _walk(steps: pd.DataFrame) -> list[Part]:
    """Show what each defect of the published protocol was worth."""
    rows = [
        {
            "Mended in this row": str(row["step"]),
            "Net Sharpe": Cell(interval(row, digits=2), number=True),
            "Worth": None if pd.isna(row["worth"]) else f"{row['worth']:+z.2f}",
            "Pairs": int(row["pairs"]),
            "Trades": int(row["trades"]),
        }
        for row in records(steps.assign(value=steps["sharpe_net"]))
    ]
    words = (
        "The published rules re-enacted on this method's clusters, and mended one defect after the "
        "other; what a defect is worth depends on the order. The first rows are no result."
    )
    caption = "What each defect was worth"
    drawn = [figure("walk", plots.walk(steps))] if steps["sharpe_net"].notna().any() else []
    return [
        Words([words]),
        *drawn,
        table("walk", pd.DataFrame(rows, dtype=object), caption, data=steps),
    ]


def _warning(suspect: list[str]) -> str:
    return (
        f"Warning: {', '.join(map(label, suspect))} beyond {SUSPICIOUS:.0f}. A Sharpe ratio like "
        "that is more likely an error in data or rules than a finding."
    )
