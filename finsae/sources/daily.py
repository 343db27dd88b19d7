"""Daily tables of a user's own beside the prices: shares traded, and returns of factors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from finsae.checks import DataError
from finsae.sources.prices import DATES, NO_DAY
from finsae.sources.tables import (
    as_days,
    as_numbers,
    as_text,
    known_names,
    no_column,
    problem,
    read_table,
)


def read_volume(path: str | Path) -> pd.DataFrame:
    """Read the shares traded a day.

    Parameters
    ----------
    path : str or Path
        CSV or parquet, long (``date, ticker, volume`` and whatever else, as many price files) or
        wide (a column of dates, then one per ticker).

    Returns
    -------
    DataFrame, dates x tickers
        NaN where nothing is said.

    Raises
    ------
    DataError
        All problems at once.
    """
    where = Path(path).name
    table = read_table(path)
    long = known_names(table, ("date", "ticker", "volume"))
    if {"date", "ticker", "volume"} <= set(long.columns):
        long = long.assign(ticker=as_text(long["ticker"]), date=as_text(long["date"]))
        cells = long["ticker"] + " on " + long["date"]
        twice = problem(where, "volumes given twice", cells[long.duplicated(["date", "ticker"])])
        if twice:
            raise DataError(twice)
        # pivot_table would aggregate and drop what is empty; here each cell occurs once
        wide = long.pivot(index="date", columns="ticker", values="volume")  # noqa: PD010
        table = wide.rename_axis(columns=None).reset_index()
    return _laid_out(table, where, what="volumes", least=0.0, most=np.inf)


def read_factors(path: str | Path) -> pd.DataFrame:
    """Read daily returns of factors.

    Parameters
    ----------
    path : str or Path
        CSV or parquet: a column of dates, then one per factor, with 1 % as 0.01.

    Returns
    -------
    DataFrame, dates x factors
        NaN where nothing is said.

    Raises
    ------
    DataError
        All problems at once; also if returns are written as per cent.
    """
    where = Path(path).name
    what = "factor returns"
    table = _laid_out(read_table(path), where, what=what, least=-1.0, most=1.0)
    if "alpha" in table:
        raise DataError(f'{where}: "alpha" is what no factor explains: name that column otherwise')
    return table


def _laid_out(
    table: pd.DataFrame, where: str, *, what: str, least: float, most: float
) -> pd.DataFrame:
    """Check a table with a column of dates and one of numbers for everything else."""
    dates = [name for name in table.columns if name.lower() in DATES]
    if not dates:
        raise DataError(no_column(where, "date", table))
    days, written = as_days(table[dates[0]])[0], as_text(table[dates[0]])
    names = [name for name in table.columns if name != dates[0]]
    if not names:
        raise DataError(f"{where}: no column of {what} beside the dates")
    read = {name: as_numbers(table[name]) for name in names}
    values = pd.DataFrame({name: numbers for name, (numbers, _) in read.items()})
    no_number = pd.DataFrame({name: wrong for name, (_, wrong) in read.items()}).any(axis=1)
    beyond = ((values < least) | (values > most) | np.isinf(values)).any(axis=1)
    out = "below zero" if most == np.inf else "beyond 100 % (write 1 % as 0.01)"
    problems = [
        *problem(where, NO_DAY, written[days.isna()]),
        *problem(where, "dates that occur twice", written[days.duplicated() & days.notna()]),
        *problem(where, f"{what} that are not numbers, on", written[no_number]),
        *problem(where, f"{what} {out}, on", written[beyond]),
    ]
    if problems:
        raise DataError(problems)
    return values.set_axis(pd.DatetimeIndex(days, name="date"), axis=0).sort_index()
