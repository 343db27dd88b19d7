"""How a backtest's exposure to the market and to factors is shown."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from rich.table import Table

from finsae.result import Result

EXPOSED = ("alpha", "beta", "capacity")


def exposed(result: Result) -> Iterator[Table]:
    """Show alpha and beta against the market, capacity where it is known, and factors."""
    from finsae.console import score_table

    if not result.scores["metric"].isin(EXPOSED).any():
        return
    yield score_table(result.scores, EXPOSED)
    found = result.tables.get("exposures")
    if found is not None and (found["model"] == "factors").any():
        yield factors(found[found["model"] == "factors"])


def factors(found: pd.DataFrame) -> Table:
    """One row per method, one column per factor, each with its robust standard error."""
    from finsae.console import escape, text_table
    from finsae.methods import in_order, label

    names = list(dict.fromkeys(found["factor"]))
    shown = ["alpha a year, %" if name == "alpha" else escape(name) for name in names]
    title = "Exposure to the factors (Newey-West standard errors)"
    table = text_table(title, "method", *shown, "R²")
    for method in in_order(found["method"]):
        mine = found[found["method"] == method].to_dict("records")
        scaled = [(row, 100.0 if row["factor"] == "alpha" else 1.0) for row in mine]
        cells = [f"{row['beta'] * scale:.2f} ({row['error'] * scale:.2f})" for row, scale in scaled]
        table.add_row(escape(label(method)), *cells, f"{mine[0]['r2']:.3f}")
    return table
