"""The companies of a user's file, checked and cleaned."""

from __future__ import annotations

from typing import Any

import pandas as pd

from finsae.checks import DataError
from finsae.filings import is_fit
from finsae.sources.sic import NOTHING, as_sic, codes_as_of, said_restored
from finsae.sources.tables import as_days, as_text, few, known_names, no_column, problem

REQUIRED = ("ticker", "description")
KNOWN = (*REQUIRED, "name", "sic", "sic_date", "cik", "date", "filed", "accepted")
BEFORE_ALL = pd.Timestamp("1900-01-01")  # a code without a date holds from the beginning
STAMPS = ("filed", "accepted")
"""Columns of filings: when the text was filed, and when it was accepted."""
LAG = 1
"""Days from a filing's acceptance to the day from which it counts: EDGAR accepts until ten in the
evening in New York, hours after the last close of the day."""
MANY = "whose ticker occurs more than once"
UNDATED = "; if they are filings, date each of them (column accepted, filed or date)"


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
        filings, ``filed, accepted``; others are kept as they are. With a column ``sic_date``, the
        day from which a code holds, a company may have several rows that differ in nothing but the
        code and its day: it gets the code in force on its description's date.
    where : str
        The file's name, for the messages.
    lag : int
        Days added to the latest of the three dates, where there is one of filings.

    Returns
    -------
    companies : DataFrame
        Index ``ticker``; ``sic`` of four digits or None, ``date`` the day from which a description
        counts. Only to be used if there are no problems. ``attrs["notes"]`` says what was restored
        or not known yet.
    problems : list of str
        All that is wrong, each with its rows (counted from 1 after the header).
    """
    if lag < 0:
        raise DataError(f"lag {lag}: a filing cannot count before it is accepted; choose 0 or more")
    table = known_names(table, KNOWN)
    absent = [name for name in REQUIRED if name not in table]
    if absent:
        return table, [no_column(where, name, table) for name in absent]
    table = table.assign(ticker=as_text(table["ticker"]), description=as_text(table["description"]))
    table = table[(table["ticker"] != "") | (table["description"] != "")]
    table = _with_text(table)
    table, dating = _dated(table, where, lag)
    table, problems, notes = _read_columns(table, where)
    problems = [*dating, *problems]
    if {"sic", "sic_date"} <= set(table.columns):
        table, contradicting, late = _codes_of_the_day(table)
        problems += problem(where, "companies with two codes on the same sic_date", contradicting)
        if late:
            later = "companies whose codes are all of a later day than their description have none"
            notes.append(f"{later} ({len(late):,}): {few(late)}")
    named = table["ticker"] != ""
    twice = table["ticker"].duplicated(keep=False) & named
    if "date" in table:
        twice &= table.groupby("ticker")["date"].transform(lambda days: days.isna().any())
    problems = [
        *_rows(where, "without a ticker", ~named),
        *(p + UNDATED for p in _rows(where, MANY, twice, table["ticker"])),
        *_rows(where, "with an empty description", table["description"] == ""),
        *problems,
    ]
    table = table.set_index("ticker")
    table.attrs["notes"] = [f"{where}: {note}" for note in notes]
    return table, problems


def _read_columns(table: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Read the columns that finsae knows; second, problems; third, notes."""
    problems: list[str] = []
    notes: list[str] = []
    for name in {"name", "cik"} & set(table.columns):
        text = as_text(table[name])
        none = text.str.lower().isin(NOTHING)
        if name == "cik":
            text = text.str.removesuffix(".0").str.upper().str.removeprefix("CIK")
            none |= text.str.fullmatch("0+")
            wrong = ~none & ~text.str.fullmatch("[0-9]{1,10}")
            why = "whose cik is no number of up to ten digits (leave it empty where there is none)"
            problems += _rows(where, why, wrong, table["cik"])
        table[name] = text.astype(object).where(~none, None)
    if "sic_date" in table:
        days, wrong = as_days(table["sic_date"])
        why = "whose sic_date is not written as 2013-06-30"
        problems += _rows(where, why, wrong, table["sic_date"])
        table["sic_date"] = days
    if "sic" in table:
        found = as_sic(table["sic"])
        why = "whose sic is not a code of up to four digits"
        problems += _rows(where, why, found.wrong, table["sic"])
        notes += said_restored(found, table["ticker"])
        table["sic"] = found.sic
    return table, problems, notes


def _codes_of_the_day(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Fold rows that differ in their dated code only.

    Second, companies with two codes of the same day; third, those whose codes are all of a later
    day than their description.
    """
    codes = table[["ticker", "sic_date", "sic"]].rename(columns={"sic_date": "date"})
    codes = codes.assign(date=codes["date"].fillna(BEFORE_ALL)).drop_duplicates()
    contradicting = codes.loc[codes.duplicated(["ticker", "date"]), "ticker"].tolist()
    others = [name for name in table.columns if name not in ("sic", "sic_date")]
    same = table[others].astype(str).duplicated()  # a cell of another column may be a list
    folded = table[~same].drop(columns="sic_date")
    days = folded["date"] if "date" in folded else pd.Series(pd.NaT, index=folded.index)
    sic = codes_as_of(codes, days.set_axis(folded["ticker"]))
    coded = set(codes.loc[codes["sic"].notna(), "ticker"])
    late = [str(ticker) for ticker in sic.index[sic.isna()] if ticker in coded]
    folded["sic"] = sic.set_axis(folded.index)
    return folded, contradicting, late


def _with_text(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out filings of which no text was found; a company without one is a mistake.

    A company that is not listed any more has no ticker at the source: its CIK names it.
    """
    if not set(STAMPS) & set(table.columns):
        return table
    if "cik" in table:
        number = as_text(table["cik"]).str.removesuffix(".0").str.removeprefix("CIK")
        number = number.mask(number.str.fullmatch("0+"), "")
        named = "CIK" + number.str.zfill(10)
        ticker = table["ticker"].where((table["ticker"] != "") | (number == ""), named)
        table = table.assign(ticker=ticker)
    fit = table["description"] != ""
    if "flags" in table:
        fit &= as_text(table["flags"]).map(is_fit)
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
