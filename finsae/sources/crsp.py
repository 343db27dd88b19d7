"""CRSP stock files: the CIZ format (2.0) and the legacy one, daily and monthly.

Wealth is built from CRSP's own returns, since they hold dividends, splits and what holders got at
the delisting; the prices beside them do not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from finsae.checks import nearest
from finsae.sources.returns import Returns, once_a_month
from finsae.sources.tables import as_days, as_numbers, as_text, few, problem

# Columns of each format: its date, its return, and what is used where it is there.
CIZ_DAILY = ("dlycaldt", "dlyret", "dlyprc", "dlycumfacpr")
CIZ_MONTHLY = ("mthcaldt", "mthret", "mthprc", "mthcumfacpr")
LEGACY = ("date", "ret", "prc", "cfacpr")
ALSO = ("permno", "ticker", "dlret", "dlstdt", "siccd", "dlyprcflg", "mthprcflg")
COLUMNS = (*CIZ_DAILY, *CIZ_MONTHLY, *LEGACY, *ALSO)
# Why a return or delisting return is missing, as letters or as the numbers behind them.
MISSING = frozenset("ABCDEPST")
MISSING_FROM = -44.0
QUOTED = "ba"  # CIZ's flag of a price that is the midpoint of bid and ask


def is_crsp(columns: pd.Index) -> bool:
    """Whether these are the columns of a CRSP stock file."""
    lower = {str(name).lower() for name in columns}
    return "permno" in lower and bool({"dlyret", "mthret", "ret"} & lower)


def read_crsp(table: pd.DataFrame, where: str) -> Returns:
    """Read a CRSP stock file.

    CIZ (``permno, dlycaldt, dlyret`` or ``permno, mthcaldt, mthret``): the return of the day after
    the last trade is already the delisting return. Legacy (``permno, date, ret, prc, dlret,
    siccd``): the delisting return is compounded with the return of its day or month,
    ``(1 + ret)(1 + dlret) - 1``, and stands alone where that is missing (CRSP, "Data descriptions
    guide", returns); letters and the numbers from -44 down are missing returns; negative prices are
    midpoints of bid and ask, quotes of a day without a trade. Rows that a merge repeated are read
    once.

    Parameters
    ----------
    table : DataFrame
        The file, columns in any case.
    where : str
        The file's name, for the messages.
    """
    table = table.rename(columns={name: str(name).lower() for name in table.columns})
    table = table.loc[:, ~table.columns.duplicated()]
    format_, names = _format(table.columns)
    date, ret, price, factor = names
    absent = [name for name in (date, ret) if name not in table]
    if absent:
        problems = [f'{where}: no column "{n}"{nearest(n, table.columns)}' for n in absent]
        return Returns(table, False, format_, [], problems)
    key, written = as_permno(table["permno"]), as_text(table[date])
    days, _ = as_days(table[date])
    cell = key + " on " + written
    read = pd.DataFrame({"key": key, "day": days})
    read["ret"], no_return = _returns(table[ret])
    for name, source in (("price", price), ("factor", factor)):
        if source in table:
            read[name] = as_numbers(table[source])[0].abs().replace(0, np.nan)
    problems = [
        *problem(where, "rows without a permno, on", written[key == ""]),
        *problem(where, "dates that are not written as 2013-06-30", cell[days.isna()]),
        *problem(where, "returns that are neither numbers nor CRSP's letters", cell[no_return]),
        *problem(where, "returns below -100 %", cell[read["ret"] < -1]),
        *problem(where, "returns without end", cell[np.isinf(read["ret"])]),
    ]
    notes = _quotes(table, price)
    if "dlret" in table:
        if format_ == "legacy":
            wrong, lost = _delist(read, table, where)
            problems, notes = problems + wrong, notes + lost
        else:
            notes.append("the column dlret is left aside: CIZ returns hold it already")
    read = read.drop_duplicates()
    problems += problem(
        where, "days with two returns", cell[read.index[read.duplicated(["key", "day"])]]
    )
    read = read.sort_values(["key", "day"], ignore_index=True)
    monthly = format_ == "CIZ monthly" or (format_ == "legacy" and once_a_month(read))
    layout = f"CRSP legacy {'monthly' if monthly else 'daily'}" if format_ == "legacy" else format_
    return Returns(read, monthly, layout, notes, problems)


def as_permno(column: pd.Series[Any]) -> pd.Series[str]:
    """Read permnos as text; a merge that lost some has made the others 10107.0."""
    return as_text(column).str.removesuffix(".0")


def _format(columns: pd.Index) -> tuple[str, tuple[str, str, str, str]]:
    if "dlyret" in columns or "dlycaldt" in columns:
        return "CIZ daily", CIZ_DAILY
    if "mthret" in columns or "mthcaldt" in columns:
        return "CIZ monthly", CIZ_MONTHLY
    return "legacy", LEGACY


def _returns(column: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
    """Read returns; second, which cells hold something that is neither number nor code."""
    numbers, wrong = as_numbers(column)
    if not wrong.any():
        return numbers.where(numbers > MISSING_FROM), wrong
    letter = as_text(column).str.upper().str.lstrip(".").isin(MISSING)
    return numbers.where(numbers > MISSING_FROM), wrong & ~letter


def _delist(read: pd.DataFrame, table: pd.DataFrame, where: str) -> tuple[list[str], list[str]]:
    """Compound delisting returns into `read`, in place; give problems and notes."""
    delisting, wrong = _returns(table["dlret"])
    lost = read["key"][:0]
    if "dlstdt" in table:
        # some merges write the delisting's return beside every day of the company
        until, _ = as_days(table["dlstdt"])
        month = read["day"].dt.to_period("M") == until.dt.to_period("M")
        on_day = read["day"] == until
        # where none is of its day (a month's row, or a Saturday), the month's last row has it
        last = read["day"].where(month).groupby(read["key"]).transform("max") == read["day"]
        its = on_day | (last & ~on_day.groupby(read["key"]).transform("any"))
        none = ~its.groupby(read["key"]).transform("any") & (until <= read["day"].max())
        lost = read["key"][none & delisting.notna()]
        delisting = delisting.where(its)
    given = pd.DataFrame({"key": read["key"], "day": read["day"]})[delisting.notna()]
    days = given.drop_duplicates().groupby("key").size()
    both = (1 + read["ret"].fillna(0.0)) * (1 + delisting) - 1
    read["ret"] = read["ret"].where(delisting.isna(), both)
    cell = read["key"] + " on " + as_text(table["date"])
    way = "delisting returns on several days of a permno (keep the column dlstdt)"
    problems = [
        *problem(where, "delisting returns that are no numbers", cell[wrong]),
        *problem(where, "delisting returns below -100 %", cell[delisting < -1]),
        *problem(where, way, days.index[days > 1]),
    ]
    aside = "delisting returns left aside, of permnos without a row in that month"
    return problems, [f"{aside}: {few(lost)}"] if len(lost) else []


def _quotes(table: pd.DataFrame, price: str) -> list[str]:
    flag = price + "flg"
    if flag in table:
        quoted = as_text(table[flag]).str.lower() == QUOTED
    elif price in table:
        quoted = as_numbers(table[price])[0] < 0
    else:
        return []
    count = int(quoted.sum())
    return [f"prices that are quotes, midpoints of bid and ask: {count:,}"] if count else []
