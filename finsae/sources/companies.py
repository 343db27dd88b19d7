"""The companies of a user's file, checked and cleaned."""

from __future__ import annotations

from typing import Any

import pandas as pd

from finsae.sources.sic import NOTHING, as_sic, codes_as_of, said_restored
from finsae.sources.tables import as_days, as_text, few, known_names, no_column, problem

REQUIRED = ("ticker", "description")
KNOWN = (*REQUIRED, "name", "sic", "sic_date", "cik", "date")
BEFORE_ALL = pd.Timestamp("1900-01-01")  # a code without a date holds from the beginning


def clean_companies(table: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Check and clean a table of companies.

    Parameters
    ----------
    table : DataFrame
        Columns ``ticker, description`` (any case), optionally ``name, sic, cik, date``; others are
        kept as they are. With a column ``sic_date``, the day from which a code holds, a company may
        have several rows that differ in nothing but the code and its day: it gets the code in force
        on its description's date.
    where : str
        The file's name, for the messages.

    Returns
    -------
    companies : DataFrame
        Index ``ticker``; ``sic`` of four digits or None, ``date`` as days. Only to be used if there
        are no problems. ``attrs["notes"]`` says what was restored or not known yet.
    problems : list of str
        All that is wrong, each with its rows (counted from 1 after the header).
    """
    table = known_names(table, KNOWN)
    absent = [name for name in REQUIRED if name not in table]
    if absent:
        return table, [no_column(where, name, table) for name in absent]
    table = table.assign(ticker=as_text(table["ticker"]), description=as_text(table["description"]))
    table = table[(table["ticker"] != "") | (table["description"] != "")]
    table, problems, notes = _read_columns(table, where)
    if {"sic", "sic_date"} <= set(table.columns):
        table, contradicting, late = _codes_of_the_day(table)
        problems += problem(where, "companies with two codes on the same sic_date", contradicting)
        if late:
            later = "companies whose codes are all of a later day than their description have none"
            notes.append(f"{later} ({len(late):,}): {few(late)}")
    named = table["ticker"] != ""
    twice = table["ticker"].duplicated(keep=False) & named
    problems = [
        *_rows(where, "without a ticker", ~named),
        *_rows(where, "whose ticker occurs more than once", twice, table["ticker"]),
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
        text = text if name == "name" else text.str.removesuffix(".0")
        table[name] = text.astype(object).where(~text.str.lower().isin(NOTHING), None)
    for name in {"date", "sic_date"} & set(table.columns):
        days, wrong = as_days(table[name])
        why = f"whose {name} is not written as 2013-06-30"
        problems += _rows(where, why, wrong, table[name])
        table[name] = days
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
    folded = table[~table.duplicated(others)].drop(columns="sic_date")
    days = folded["date"] if "date" in folded else pd.Series(pd.NaT, index=folded.index)
    sic = codes_as_of(codes, days.set_axis(folded["ticker"]))
    coded = set(codes.loc[codes["sic"].notna(), "ticker"])
    late = [str(ticker) for ticker in sic.index[sic.isna()] if ticker in coded]
    folded["sic"] = sic.set_axis(folded.index)
    return folded, contradicting, late


def _rows(
    where: str, why: str, wrong: pd.Series[bool], values: pd.Series[Any] | None = None
) -> list[str]:
    rows = [int(row) + 1 for row in wrong.index[wrong]]
    shown = "" if values is None else f" ({few(values[wrong])})"
    return problem(where, f"rows {why}{shown}", rows)
