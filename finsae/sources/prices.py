"""The closes of a user's file, checked and brought into dates x tickers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from finsae.sources.companies import known_names, no_column
from finsae.sources.tables import as_days, as_numbers, as_text

LONG = ("date", "ticker", "close")
DATE_NAMES = ("date", "", "unnamed: 0", "index", "timestamp", "datetime", "day")


def clean_prices(table: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Check closes and lay them out as dates x tickers.

    Parameters
    ----------
    table : DataFrame
        Long (``date, ticker, close``) or wide (a column of dates, then one per ticker).
    where : str
        The file's name, for the messages.

    Returns
    -------
    prices : DataFrame
        Closes, dates (increasing) x tickers, NaN where there is none. Only to be used if there are
        no problems.
    problems : list of str
        All that is wrong.
    """
    long = known_names(table, LONG)
    if "ticker" in long and not {"date", "ticker", "close"} - set(long) or _looks_long(long):
        return _clean_long(long, where)
    return _clean_wide(table, where)


def _looks_long(table: pd.DataFrame) -> bool:
    """Few columns, one of them called ticker or close: a long table that lacks something."""
    return len(table.columns) <= 12 and bool({"ticker", "close"} & set(table.columns))


def _clean_long(table: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    absent = [name for name in LONG if name not in table]
    if absent:
        return table, [no_column(where, name, table) for name in absent]
    ticker = as_text(table["ticker"])
    days, unread = as_days(table["date"])
    closes, no_number = as_numbers(table["close"])
    blank = (ticker == "") & days.isna() & closes.isna()
    cell = ticker + " on " + as_text(table["date"])
    problems = [
        *_problem(
            where, "dates are not written as 2013-06-30", table["date"][_no_day(days, blank)]
        ),
        *_problem(where, "rows have no ticker; dates", table["date"][(ticker == "") & ~blank]),
        *_problem(where, "closes are not numbers", cell[no_number]),
        *_problem(where, "closes are not positive", cell[_unusable(closes)]),
    ]
    key = pd.DataFrame({"date": days, "ticker": ticker})[~blank]
    twice = key.duplicated() & key["date"].notna()
    problems += _problem(where, "closes are given twice", cell[twice[twice].index])
    if problems:
        return table, problems
    frame = key.assign(close=closes).pivot_table(
        index="date", columns="ticker", values="close", dropna=False, sort=True
    )
    order = list(dict.fromkeys(key["ticker"]))
    return frame[order].rename_axis(columns=None).astype(float), []


def _clean_wide(table: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    dates = [name for name in table.columns if name.lower() in DATE_NAMES]
    exact = [name for name in dates if name == "date"] or dates
    if not exact:
        return table, [no_column(where, "date", table)]
    column = exact[0]
    days, _ = as_days(table[column])
    cells = {name: as_numbers(table[name]) for name in table.columns if name != column}
    closes = pd.DataFrame({name: number for name, (number, _) in cells.items()}, index=table.index)
    no_number = pd.DataFrame({name: wrong for name, (_, wrong) in cells.items()}, index=table.index)
    blank = (as_text(table[column]) == "") & closes.isna().all(axis=1)
    problems = [
        *_problem(
            where, "dates are not written as 2013-06-30", table[column][_no_day(days, blank)]
        ),
        *_problem(where, "dates occur twice", table[column][days.duplicated() & days.notna()]),
        *_problem(where, "closes are not numbers", _cells(no_number, table[column])),
        *_problem(where, "closes are not positive", _cells(_unusable(closes), table[column])),
    ]
    if not len(closes.columns):
        problems.append(f"{where}: no column of closes beside the dates")
    if problems:
        return table, problems
    frame = closes[~blank].set_axis(pd.DatetimeIndex(days[~blank], name="date"), axis=0)
    return frame.sort_index(), []


def _no_day(days: pd.Series, blank: pd.Series) -> pd.Series:
    return days.isna() & ~blank


def _unusable(closes: pd.DataFrame) -> pd.DataFrame:
    """Zero, negative or infinite."""
    return (closes <= 0) | np.isinf(closes)


def _cells(wrong: pd.DataFrame, dates: pd.Series) -> list[str]:
    rows, columns = np.nonzero(wrong.to_numpy())
    names = dates.astype(str).tolist()
    return [f"{wrong.columns[c]} on {names[r]}" for r, c in zip(rows, columns, strict=True)]


def _problem(where: str, what: str, found: object) -> list[str]:
    cells = list(map(str, found))
    if not cells:
        return []
    few = ", ".join(cells[:5]) + (", ..." if len(cells) > 5 else "")
    return (
        [f"{where}: {len(cells):,} {what} (or are empty): {few}"]
        if "dates are not" in what
        else [f"{where}: {len(cells):,} {what}: {few}"]
    )
