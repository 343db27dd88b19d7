"""The closes of a user's file, checked and brought into dates x tickers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from finsae.sources.tables import as_days, as_numbers, as_text, known_names, no_column, problem

LONG = ("date", "ticker", "close")
DATES = ("date", "", "unnamed: 0", "index", "timestamp", "datetime", "day")
MOST_LONG_COLUMNS = 12  # date, ticker, open, high, low, close, volume, ...
NO_DAY = "dates that are empty or not written as 2013-06-30"


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
    if len(long.columns) <= MOST_LONG_COLUMNS and {"ticker", "close"} & set(long.columns):
        return _clean_long(long, where)
    return _clean_wide(table, where)


def _clean_long(table: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    absent = [name for name in LONG if name not in table]
    if absent:
        return table, [no_column(where, name, table) for name in absent]
    ticker, written = as_text(table["ticker"]), as_text(table["date"])
    days, _ = as_days(table["date"])
    closes, no_number = as_numbers(table["close"])
    filled = (ticker != "") | (written != "") | closes.notna()
    cell = ticker + " on " + written
    twice = pd.DataFrame({"day": days, "ticker": ticker})[filled & days.notna()].duplicated()
    problems = [
        *problem(where, NO_DAY, written[days.isna() & filled]),
        *problem(where, "rows without a ticker, on", written[(ticker == "") & filled]),
        *problem(where, "closes that are not numbers", cell[no_number]),
        *problem(where, "closes that are not positive", cell[(closes <= 0) | np.isinf(closes)]),
        *problem(where, "closes that are given twice", cell[twice.index[twice]]),
    ]
    if problems:
        return table, problems
    long = pd.DataFrame({"date": days, "ticker": ticker, "close": closes})[filled]
    # pivot_table would aggregate and drop what is empty; here each cell occurs once
    frame = long.pivot(index="date", columns="ticker", values="close")  # noqa: PD010
    order = list(dict.fromkeys(ticker[filled]))
    return frame.sort_index()[order].rename_axis(columns=None), []


def _clean_wide(table: pd.DataFrame, where: str) -> tuple[pd.DataFrame, list[str]]:
    dates = [name for name in table.columns if name.lower() in DATES]
    if not dates:
        return table, [no_column(where, "date", table)]
    column = "date" if "date" in dates else dates[0]
    written = as_text(table[column])
    days, _ = as_days(table[column])
    read = {name: as_numbers(table[name]) for name in table.columns if name != column}
    if not read:
        return table, [f"{where}: no column of closes beside the dates"]
    closes = pd.DataFrame({name: numbers for name, (numbers, _) in read.items()})
    no_number = pd.DataFrame({name: wrong for name, (_, wrong) in read.items()})
    filled = (written != "") | closes.notna().any(axis=1)
    problems = [
        *problem(where, NO_DAY, written[days.isna() & filled]),
        *problem(where, "dates that occur twice", written[days.duplicated() & days.notna()]),
        *problem(where, "closes that are not numbers", _cells(no_number, written)),
        *problem(
            where, "closes that are not positive", _cells((closes <= 0) | np.isinf(closes), written)
        ),
    ]
    if problems:
        return table, problems
    index = pd.DatetimeIndex(days[filled], name="date")
    return closes[filled].set_axis(index, axis=0).sort_index(), []


def _cells(wrong: pd.DataFrame, dates: pd.Series[Any]) -> list[str]:
    rows, columns = np.nonzero(wrong.to_numpy())
    names, tickers = dates.tolist(), wrong.columns.tolist()
    return [f"{tickers[c]} on {names[r]}" for r, c in zip(rows, columns, strict=True)]
