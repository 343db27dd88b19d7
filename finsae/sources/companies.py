"""The companies of a user's file, checked and cleaned."""

from __future__ import annotations

from typing import Any

import pandas as pd

from finsae.sources.tables import as_days, as_text, few, known_names, no_column, problem

REQUIRED = ("ticker", "description")
KNOWN = (*REQUIRED, "name", "sic", "cik", "date")
NOTHING = ("", "nan", "na", "n/a", "none", "null", "-")


def clean_companies(table: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Check and clean a table of companies.

    Parameters
    ----------
    table : DataFrame
        Columns ``ticker, description`` (any case), optionally ``name, sic, cik, date``; others are
        kept as they are.
    where : str
        The file's name, for the messages.

    Returns
    -------
    companies : DataFrame
        Index ``ticker``; ``sic`` of four digits or None, ``date`` as days. Only to be used if there
        are no problems.
    problems : list of str
        All that is wrong, each with its rows (counted from 1 after the header).
    """
    table = known_names(table, KNOWN)
    absent = [name for name in REQUIRED if name not in table]
    if absent:
        return table, [no_column(where, name, table) for name in absent]
    table = table.assign(ticker=as_text(table["ticker"]), description=as_text(table["description"]))
    table = table[(table["ticker"] != "") | (table["description"] != "")]
    named = table["ticker"] != ""
    twice = table["ticker"].duplicated(keep=False) & named
    problems = [
        *_rows(where, "without a ticker", ~named),
        *_rows(where, "whose ticker occurs more than once", twice, table["ticker"]),
        *_rows(where, "with an empty description", table["description"] == ""),
    ]
    for name in {"name", "sic", "cik"} & set(table.columns):
        text = as_text(table[name])
        text = text if name == "name" else text.str.removesuffix(".0")
        table[name] = text.astype(object).where(~text.str.lower().isin(NOTHING), None)
    if "sic" in table:
        wrong = table["sic"].notna() & ~table["sic"].astype(str).str.fullmatch(r"\d{1,4}")
        why = "whose sic is not a code of up to four digits"
        problems += _rows(where, why, wrong, table["sic"])
        codes = [None if code is None else code.zfill(4) for code in table["sic"]]
        table["sic"] = pd.Series(codes, index=table.index, dtype=object)
    if "date" in table:
        days, wrong = as_days(table["date"])
        problems += _rows(where, "whose date is not written as 2013-06-30", wrong, table["date"])
        table["date"] = days
    return table.set_index("ticker"), problems


def _rows(
    where: str, why: str, wrong: pd.Series[bool], values: pd.Series[Any] | None = None
) -> list[str]:
    rows = [int(row) + 1 for row in wrong.index[wrong]]
    shown = "" if values is None else f" ({few(values[wrong])})"
    return problem(where, f"rows {why}{shown}", rows)
