"""The companies of a user's file, checked and cleaned."""

from __future__ import annotations

from typing import Any

import pandas as pd

from finsae.sources.tables import as_days, as_text, few, known_names, no_column, problem

REQUIRED = ("ticker", "description")
KNOWN = (*REQUIRED, "name", "sic", "cik", "date", "filed", "accepted")
STAMPS = ("filed", "accepted")
"""Columns of filings: when the text was filed, and when it was accepted."""
LAG = 1
"""Days from a filing's acceptance to the day from which it counts: EDGAR accepts until ten in the
evening in New York, hours after the last close of the day."""
UNFIT = frozenset({"no_item", "by_reference", "short", "contents", "missing"})
"""Flags of filings whose text does not describe a business."""
MANY = "whose ticker occurs more than once"
UNDATED = "; if they are filings, date each of them (column accepted, filed or date)"
NOTHING = ("", "nan", "na", "n/a", "none", "null", "-")


def clean_companies(
    table: pd.DataFrame, where: str, *, lag: int = LAG
) -> tuple[pd.DataFrame, list[str]]:
    """Check and clean a table of companies, or of their filings.

    A ticker may occur more than once if every row is dated: each is a filing then. Filings without
    a text, or with one that a flag calls no description of a business, are left out.

    Parameters
    ----------
    table : DataFrame
        Columns ``ticker, description`` (any case), optionally ``name, sic, cik, date`` and, of
        filings, ``filed, accepted``; others are kept as they are.
    where : str
        The file's name, for the messages.
    lag : int
        Days added to the latest of the three dates, where there is one of filings.

    Returns
    -------
    companies : DataFrame
        Index ``ticker``; ``sic`` of four digits or None, ``date`` the day from which a description
        counts. Only to be used if there are no problems.
    problems : list of str
        All that is wrong, each with its rows (counted from 1 after the header).
    """
    table = known_names(table, KNOWN)
    absent = [name for name in REQUIRED if name not in table]
    if absent:
        return table, [no_column(where, name, table) for name in absent]
    table = table.assign(ticker=as_text(table["ticker"]), description=as_text(table["description"]))
    table = table[(table["ticker"] != "") | (table["description"] != "")]
    table = _with_text(table)
    named = table["ticker"] != ""
    table, problems = _dated(table, where, lag)
    twice = table["ticker"].duplicated(keep=False) & named
    if "date" in table:
        twice &= table.groupby("ticker")["date"].transform(lambda days: days.isna().any())
    problems = [
        *_rows(where, "without a ticker", ~named),
        *(p + UNDATED for p in _rows(where, MANY, twice, table["ticker"])),
        *_rows(where, "with an empty description", table["description"] == ""),
        *problems,
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
    return table.set_index("ticker"), problems


def _with_text(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out filings of which no text was found; a company without one is a mistake.

    A company that is not listed any more has no ticker at the source: its CIK names it.
    """
    if not set(STAMPS) & set(table.columns):
        return table
    if "cik" in table:
        number = as_text(table["cik"]).str.removesuffix(".0")
        named = "CIK" + number.str.zfill(10)
        ticker = table["ticker"].where((table["ticker"] != "") | (number == ""), named)
        table = table.assign(ticker=ticker)
    fit = table["description"] != ""
    if "flags" in table:
        flags = as_text(table["flags"]).str.split(",")
        fit &= flags.map(UNFIT.isdisjoint)
    return table[fit]


def _dated(table: pd.DataFrame, where: str, lag: int) -> tuple[pd.DataFrame, list[str]]:
    """Read the dates; the day from which a filing counts is the latest of them and the lag."""
    problems, days = list[str](), {}
    for name in (n for n in ("date", *STAMPS) if n in table):
        days[name], wrong = as_days(table[name])
        why = f"whose {name} is not written as 2013-06-30"
        problems += _rows(where, why, wrong, table[name])
    if not days:
        return table, problems
    last = pd.DataFrame(days).max(axis=1)
    late = pd.Series(False, index=table.index)
    for name in set(STAMPS) & set(days):
        late |= days[name].notna()
    return table.assign(date=last.where(~late, last + pd.Timedelta(days=lag))), problems


def _rows(
    where: str, why: str, wrong: pd.Series[bool], values: pd.Series[Any] | None = None
) -> list[str]:
    rows = [int(row) + 1 for row in wrong.index[wrong]]
    shown = "" if values is None else f" ({few(values[wrong])})"
    return problem(where, f"rows {why}{shown}", rows)
