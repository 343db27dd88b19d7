"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from rich.table import Table

from finsae.methods import in_order, label
from finsae.report.summary import interval

HEADINGS = {
    "peer_correlation": "peer correlation",
    "sharpe_net": "Sharpe, net",
    "sharpe_gross": "Sharpe, gross",
    "mc": "MC",
    "pair_weighted": "pair-weighted",
    "coverage": "coverage",
    "max_drawdown": "max. drawdown",
    "return_annual": "return p.a.",
    "trades": "trades",
    "break_even_bps": "break-even bps",
    "fdr": "false discoveries",
}
DIGITS = {"sharpe_net": 2, "sharpe_gross": 2, "coverage": 2, "trades": 0, "break_even_bps": 1}


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
    table = text_table(None, "method", *(HEADINGS.get(metric, metric) for metric in shown))
    for method in in_order(plain["method"]):
        mine = plain[plain["method"] == method].drop_duplicates("metric")
        found = {
            str(row["metric"]): interval(
                {str(name): item for name, item in row.items()},
                digits=DIGITS.get(str(row["metric"]), 3),
            )
            for row in mine.to_dict("records")
        }
        cells = [found.get(metric, "") for metric in shown]
        if any(cells):
            table.add_row(escape(label(method)), *(escape(cell) for cell in cells))
    return table


def text_table(title: str | None, *columns: str) -> Table:
    """Make an empty table with the given headings."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    return table


def escape(text: str) -> str:
    """Show square brackets as they are: a description must not be read as markup."""
    return text.replace("[", r"\[")
