"""The prices of a user's file, whatever its layout, brought into dates x tickers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from finsae.sources.calendar import spacing, trading_days
from finsae.sources.crsp import as_permno, is_crsp, read_crsp
from finsae.sources.returns import Returns, monthly_log_returns, once_a_month, wealth
from finsae.sources.stamps import as_stamps, shifted
from finsae.sources.tables import as_numbers, as_text, known_names, no_column, problem
from finsae.universe import monthly_returns

LONG = ("date", "ticker", "close")
RETURNS = ("ret", "return")
ADJUSTED = ("adj close", "adj_close", "adjclose", "adjusted_close")
DATES = ("date", "", "unnamed: 0", "index", "timestamp", "datetime", "day", "month")
MOST_LONG_COLUMNS = 12  # date, ticker, open, high, low, close, volume, ...
NO_DAY = "dates that are empty or not written as 2013-06-30"
MINOR = {"GBp": "GBP", "GBX": "GBP", "GBx": "GBP", "ZAc": "ZAR", "ZAC": "ZAR", "ILA": "ILS"}
"""Hundredths in which some exchanges quote, and the currency that they are of."""
UNKNOWN = "unknown"
BUILT = "returns"
OLDEST = pd.Timestamp(1700, 1, 1)  # no exchange has a close of before
AHEAD = pd.Timedelta(days=31)  # a month may be stamped with its last day before that has come


class PriceFile(NamedTuple):
    """A file of prices with what has to be said of it; a path alone says nothing.

    Attributes
    ----------
    path : path
        The file, of any layout that `clean_prices` reads.
    currency : str, optional
        Which currency's closes to take from a file that has several.
    zone : str, optional
        The market's time zone, for stamps in UTC: "Asia/Tokyo".
    """

    path: str | Path
    currency: str | None = None
    zone: str | None = None


def price_file(prices: str | Path | PriceFile) -> PriceFile:
    """Give a path as a file of which nothing has to be said."""
    return prices if isinstance(prices, PriceFile) else PriceFile(prices)


@dataclass(frozen=True)
class Market:
    """Prices of a file.

    Attributes
    ----------
    closes : DataFrame
        Daily closes (an index of wealth where the file has returns), dates x tickers, NaN where
        there is none; no rows where the file has months only.
    monthly : DataFrame or None
        Log returns, month ends x tickers, where the file has months only.
    layout : str
        What the file is: "long", "wide", "CRSP legacy daily", ...
    currency : str or None
        What the closes are in, where the file says so.
    returns : bool
        Whether it was built from returns. These are adjusted already, and price hygiene is not for
        them: a delisting at exactly a half would look like a split.
    permnos : dict or None
        With CRSP files, whose columns are permnos: the permnos of each ticker, where it has any.
    notes, problems : list of str
        What was left out or looks odd; all that is wrong. With problems nothing else is to be used.
    """

    closes: pd.DataFrame
    monthly: pd.DataFrame | None = None
    layout: str = ""
    currency: str | None = None
    returns: bool = False
    permnos: dict[str, list[str]] | None = None
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def long(self) -> pd.DataFrame:
        """Lay out long: ``date, ticker, close`` (and ``currency``), or ``month, ticker, ret``.

        A column ``built_from`` says of closes that they are an index of wealth built from returns,
        so that who reads them again knows.
        """
        if self.monthly is not None:
            simple = pd.DataFrame(np.expm1(self.monthly)).rename_axis("month")
            return _melted(simple, "ret")
        table = _melted(self.closes.rename_axis("date"), "close")
        if self.returns:
            table = table.assign(built_from=BUILT)
        return table if self.currency is None else table.assign(currency=self.currency)


def _melted(wide: pd.DataFrame, value: str) -> pd.DataFrame:
    return wide.melt(var_name="ticker", value_name=value, ignore_index=False).dropna().reset_index()


def clean_prices(
    table: pd.DataFrame, where: str, *, currency: str | None = None, zone: str | None = None
) -> Market:
    """Check prices, lay them out as dates x tickers, and keep the days on which the market trades.

    Parameters
    ----------
    table : DataFrame
        Closes, long (``date, ticker, close``, optionally ``currency``; ``adj close`` counts where
        it is there) or wide (a column of dates, then one per ticker, or what yfinance saves);
        returns, long (``date, ticker, ret``) or, of months, wide; or a CRSP
        file (`finsae.sources.crsp`). Returns are simple ones, as fractions.
    where : str
        The file's name, for the messages.
    currency : str, optional
        Which currency's closes to take from a file that has several.
    zone : str, optional
        The market's time zone, for stamps in UTC: "Asia/Tokyo". Without it a day is the one
        written.
    """
    long = known_names(table, (*LONG, *RETURNS, *ADJUSTED, "currency", "month", "built_from"))
    either = {"ticker", "close"} & set(long.columns)
    if is_crsp(table.columns):
        found = _crsp(table, where)
    elif len(either) == 2 or (either and len(long.columns) <= MOST_LONG_COLUMNS):
        found = _long(long, where, currency=currency, zone=zone)
    else:
        found = _wide(table, where, zone)
    problems = found.problems or _wrong_century(found, where)
    if problems or found.monthly is not None:
        return replace(found, problems=problems)
    return _on_trading_days(found, where)


def _wrong_century(found: Market, where: str) -> list[str]:
    days = pd.DatetimeIndex((found.closes if found.monthly is None else found.monthly).index)
    wrong = days[(days < OLDEST) | (days > pd.Timestamp.now() + AHEAD)]
    return problem(where, "dates in the future, or before 1700", wrong.strftime("%Y-%m-%d"))


def _on_trading_days(found: Market, where: str) -> Market:
    """Keep trading days; closes of months become returns of months."""
    rows = spacing(found.closes.index)
    if rows == "monthly":
        return replace(found, closes=found.closes.iloc[:0], monthly=monthly_returns(found.closes))
    closes, notes = trading_days(found.closes)
    if rows == "weekly":
        notes.insert(0, "rows are a week apart: what counts days counts weeks here")
    return replace(found, closes=closes, notes=[*found.notes, *(f"{where}: {n}" for n in notes)])


def _crsp(table: pd.DataFrame, where: str) -> Market:
    read = read_crsp(table, where)
    if read.problems:
        return Market(pd.DataFrame(), problems=read.problems)
    names = known_names(table, ("permno", "ticker"))
    permnos: dict[str, list[str]] = {}
    if "ticker" in names:
        pairs = pd.DataFrame({"t": as_text(names["ticker"]), "p": as_permno(names["permno"])})
        pairs = pairs[pairs["t"] != ""].drop_duplicates()
        permnos = {str(ticker): list(mine) for ticker, mine in pairs.groupby("t")["p"]}
    return _from_returns(read, where, permnos)


def _from_returns(read: Returns, where: str, permnos: dict[str, list[str]] | None = None) -> Market:
    said = [f"{where}: {note}" for note in read.notes]
    if read.monthly:
        monthly = monthly_log_returns(read)
        nothing = pd.DataFrame(
            index=pd.DatetimeIndex([], name="date"), columns=monthly.columns, dtype=float
        )
        return Market(nothing, monthly, read.layout, returns=True, permnos=permnos, notes=said)
    closes, notes = wealth(read)
    said += [f"{where}: {note}" for note in notes]
    return Market(closes, None, read.layout, returns=True, permnos=permnos, notes=said)


def _long(table: pd.DataFrame, where: str, *, currency: str | None, zone: str | None) -> Market:
    for name in ADJUSTED:
        if name in table:
            table = table.assign(close=table[name])
    value = next((name for name in ("close", *RETURNS) if name in table), "close")
    date = "month" if "month" in table and "date" not in table else "date"
    absent = [name for name in (date, "ticker", value) if name not in table]
    if absent:
        return Market(table, problems=[no_column(where, name, table) for name in absent])
    ticker, written = as_text(table["ticker"]), as_text(table[date])
    days = as_stamps(table[date], zone)
    values, no_number = as_numbers(table[value])
    units = _units(table)
    filled = (ticker != "") | (written != "") | values.notna()
    cell = ticker + " on " + written
    wrong, what = _impossible(values, value)
    read = pd.DataFrame(
        {"day": days, "key": ticker, "value": values * units["scale"], "currency": units["name"]}
    )[filled]
    chosen, mixed = _one_currency(read, where, currency)
    twice = chosen[chosen["day"].notna()].duplicated(["day", "key"])
    problems = [
        *problem(where, NO_DAY, written[days.isna() & filled]),
        *problem(where, "rows without a ticker, on", written[(ticker == "") & filled]),
        *problem(where, f"{value}s that are not numbers", cell[no_number]),
        *problem(where, what, cell[wrong]),
        *mixed,
        *problem(where, f"{value}s that are given twice", cell[twice.index[twice]]),
        *shifted(table[date], days, zone=zone, where=where),
    ]
    if problems:
        return Market(table, problems=problems)
    found = _from_cells(chosen, where, value=value, months=date == "month")
    built = "built_from" in table and bool((as_text(table["built_from"]) == BUILT).all())
    return replace(found, returns=found.returns or built)


def _from_cells(cells: pd.DataFrame, where: str, *, value: str, months: bool) -> Market:
    """Lay out ``day, key, value, currency``, each day and key once."""
    if value != "close":
        returns = cells.rename(columns={"value": "ret"}).drop(columns="currency")
        returns = returns.sort_values(["key", "day"], ignore_index=True)
        months = months or once_a_month(returns)
        kind = f"{'monthly' if months else 'daily'} returns, long"
        return _from_returns(Returns(returns, months, kind, [], []), where)
    named = cells["currency"].iloc[0] if len(cells) else UNKNOWN
    # pivot_table would aggregate and drop what is empty; here each cell occurs once
    frame = cells.pivot(index="day", columns="key", values="value")  # noqa: PD010
    order = cells["key"].drop_duplicates().tolist()
    closes = frame.sort_index()[order].rename_axis("date").rename_axis(columns=None)
    return Market(closes, None, "long", None if named == UNKNOWN else str(named))


def _impossible(values: pd.Series[Any], name: str) -> tuple[pd.Series[bool], str]:
    if name == "close":
        return (values <= 0) | np.isinf(values), "closes that are not positive"
    return (values < -1) | np.isinf(values), f"{name}s below -100 % (write 1 % as 0.01)"


def main_unit(currency: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[float]]:
    """Currency of each row; second, what turns its close into the currency's main unit.

    London quotes pence (GBp), Johannesburg cents, Tel Aviv agorot; "" becomes "unknown".
    """
    text = as_text(currency)
    text = text.where(text != "", UNKNOWN)
    scale = text.isin(list(MINOR)).map({True: 0.01, False: 1.0})
    return text.replace(MINOR), scale.astype(float)


def _units(table: pd.DataFrame) -> pd.DataFrame:
    if "currency" not in table:
        return pd.DataFrame({"name": UNKNOWN, "scale": 1.0}, index=table.index)
    name, scale = main_unit(table["currency"])
    return pd.DataFrame({"name": name, "scale": scale})


def _one_currency(
    read: pd.DataFrame, where: str, currency: str | None
) -> tuple[pd.DataFrame, list[str]]:
    """Take the rows of one currency; second, why this cannot be done."""
    there = read.groupby("currency")["key"].nunique()
    if currency is not None and (len(there) > 1 or there.index.tolist() != [UNKNOWN]):
        wanted = MINOR.get(currency, currency)
        if wanted in there.index:
            return read[read["currency"] == wanted], []
        return read, [f"{where}: no closes in {wanted}, but in {', '.join(there.index)}"]
    if len(there) <= 1:
        return read, []
    listed = ", ".join(f"{name} ({count:,} tickers)" for name, count in there.items())
    return read, [
        f"{where}: closes in {listed}: returns in different currencies are not comparable; choose "
        f"one: finsae fetch prices --source files --file {where} --currency {there.idxmax()}, "
        "or currency in a --config file's [data]"
    ]


def _wide(table: pd.DataFrame, where: str, zone: str | None) -> Market:
    dates = [name for name in table.columns if name.lower() in DATES]
    if not dates:
        return Market(table, problems=[no_column(where, "date", table)])
    column = "date" if "date" in dates else dates[0]
    written = as_text(table[column])
    days = as_stamps(table[column], zone)
    read = {name: as_numbers(table[name]) for name in table.columns if name != column}
    if not read:
        return Market(table, problems=[f"{where}: no column of closes beside the dates"])
    values = pd.DataFrame({name: numbers for name, (numbers, _) in read.items()})
    no_number = pd.DataFrame({name: wrong for name, (_, wrong) in read.items()})
    filled = (written != "") | values.notna().any(axis=1)
    months = spacing(pd.Index(days.dropna().sort_values())) == "monthly"
    # closes are positive, and those of a whole market are not all below one
    small = values.notna().any(axis=None) and not (values >= 1).any(axis=None)
    returns = months and bool(small or (values <= 0).any(axis=None))
    what = "returns below -100 % (write 1 % as 0.01)" if returns else "closes that are not positive"
    wrong = ((values < -1) if returns else (values <= 0)) | np.isinf(values)
    problems = [
        *problem(where, NO_DAY, written[days.isna() & filled]),
        *problem(where, "dates that occur twice", written[days.duplicated() & days.notna()]),
        *problem(
            where,
            f"{'returns' if returns else 'closes'} that are not numbers",
            _cells(no_number, written),
        ),
        *problem(where, what, _cells(wrong, written)),
        *shifted(table[column], days, zone=zone, where=where),
    ]
    if problems:
        return Market(table, problems=problems)
    frame = values[filled].set_axis(pd.DatetimeIndex(days[filled], name="date"), axis=0)
    frame = frame.sort_index()
    return _wide_returns(frame, where) if returns else Market(frame, None, "wide")


def _wide_returns(frame: pd.DataFrame, where: str) -> Market:
    """Lay out simple returns of months, months x tickers."""
    long = frame.melt(ignore_index=False, var_name="key", value_name="ret").dropna()
    long = long.rename_axis("day").reset_index().sort_values(["key", "day"], ignore_index=True)
    found = _from_returns(Returns(long, True, "monthly returns, wide", [], []), where)
    order = [name for name in frame.columns if name in found.closes.columns]
    assert found.monthly is not None
    return replace(found, closes=found.closes[order], monthly=found.monthly[order])


def _cells(wrong: pd.DataFrame, dates: pd.Series[Any]) -> list[str]:
    rows, columns = np.nonzero(wrong.to_numpy())
    names, tickers = dates.tolist(), wrong.columns.tolist()
    return [f"{tickers[c]} on {names[r]}" for r, c in zip(rows, columns, strict=True)]
