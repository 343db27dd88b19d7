"""The companies of a user's file, checked and cleaned."""

from __future__ import annotations

import pandas as pd

from finsae.checks import nearest
from finsae.sources.tables import as_days, as_text

REQUIRED = ("ticker", "description")
KNOWN = (*REQUIRED, "name", "sic", "cik", "date")
NO_CODE = ("", "nan", "na", "n/a", "none", "null", "-")


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
        All that is wrong, each with the rows (counted from 1 after the header).
    """
    table = known_names(table, KNOWN)
    absent = [name for name in REQUIRED if name not in table]
    if absent:
        return table, [no_column(where, name, table) for name in absent]
    table = table.assign(ticker=as_text(table["ticker"]), description=as_text(table["description"]))
    blank = (table["ticker"] == "") & (table["description"] == "")
    table = table[~blank]  # trailing empty rows of a spreadsheet
    twice = table["ticker"].duplicated(keep=False) & (table["ticker"] != "")
    problems = [
        *_problem(where, "without a ticker", table["ticker"] == ""),
        *_problem(
            where, f"with a ticker that occurs twice ({_few(table['ticker'][twice])})", twice
        ),
        *_problem(where, "with an empty description", table["description"] == ""),
    ]
    for name in ("name", "sic", "cik"):
        if name in table:
            text = as_text(table[name])
            table[name] = text.where(~text.str.lower().isin(NO_CODE)).astype(object)
            table[name] = table[name].where(table[name].notna(), None)
    if "sic" in table:
        wrong = table["sic"].notna() & ~table["sic"].astype(str).str.fullmatch(r"\d{1,4}")
        why = f"with a sic that is not a code of up to four digits ({_few(table['sic'][wrong])})"
        problems += _problem(where, why, wrong)
        table["sic"] = table["sic"].map(lambda code: code.zfill(4), na_action="ignore")
    if "date" in table:
        days, wrong = as_days(table["date"])
        why = f"with a date that is not written as 2013-06-30 ({_few(table['date'][wrong])})"
        problems += _problem(where, why, wrong)
        table["date"] = days
    return table.set_index("ticker"), problems


def known_names(table: pd.DataFrame, known: tuple[str, ...]) -> pd.DataFrame:
    """Spell column names as finsae does where they differ in case only."""
    spelt = {
        column: column.lower()
        for column in table.columns
        if column.lower() in known and column.lower() not in table.columns
    }
    renamed = table.rename(columns=spelt)
    return renamed.loc[:, ~renamed.columns.duplicated()].copy()


def no_column(where: str, name: str, table: pd.DataFrame) -> str:
    """Say which column is missing, with the nearest one there is."""
    there = ", ".join(map(str, table.columns[:8])) + (", ..." if len(table.columns) > 8 else "")
    return f'{where}: no column "{name}" among {there}{nearest(name, table.columns)}'


def _problem(where: str, why: str, wrong: pd.Series) -> list[str]:
    """One sentence on the rows concerned, or none."""
    rows = [int(row) + 1 for row in wrong.index[wrong]]
    if not rows:
        return []
    return [f"{where}: {_count(len(rows), 'row')} {why}: {_few(rows)}"]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _few(values: object) -> str:
    found = list(dict.fromkeys(map(str, values)))
    return ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
