"""Companies, what is known of them, their prices - and the one place where time is cut."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from finsae.checks import DataError
from finsae.filings import by_year, known_by
from finsae.markup import Grid, Shown, View

COMPANY_COLUMNS = ("name", "sic", "cik", "date", "description")
REPAIR_COLUMNS = ("ticker", "date", "kind", "factor", "action")


Mender = Callable[[pd.DataFrame], tuple[pd.DataFrame, pd.DataFrame]]
"""Price hygiene: raw closes to mended ones and the log of what was done."""
RESCALED_BY = 5  # closes up to the cut whose ratio carries later closes to the past's scale
EXAMPLES = 3  # companies that a notebook shows


class Cut(NamedTuple):
    """A universe cut at a date: what was known by then, what came after; nothing on both sides."""

    past: Universe
    future: Universe


@dataclass(frozen=True)
class Universe(Shown):
    """Companies with descriptions and prices.

    Attributes
    ----------
    companies : DataFrame
        Index ``ticker``; columns ``name, sic, cik, date, description`` and any others. ``sic`` is
        text of four digits or missing; ``date`` is when the description was public (NaT: unknown).
    prices : DataFrame
        Daily closes, mended, dates x tickers, NaN where there is none.
    monthly : DataFrame
        Monthly log returns of whole months, month ends x tickers.
    repairs : DataFrame
        What price hygiene did: ``ticker, date, kind, factor, action``.
    provenance : mapping
        Where the tables came from.
    filings : DataFrame, optional
        Several descriptions per company, each with the date from which it counts (see
        `finsae.filings.keyed`); `companies` has the last of each, and a cut those known by then.
    raw, mender : DataFrame and callable, optional
        The vendor's closes and the hygiene that `prices` went through. Where they are given, a cut
        mends its past again from the closes up to the cut alone: whether a jump is a wrong close
        or a split shows in what follows it, and nobody knew that at the cut.
    """

    companies: pd.DataFrame
    prices: pd.DataFrame
    monthly: pd.DataFrame
    repairs: pd.DataFrame
    provenance: Mapping[str, Any] = field(default_factory=dict)
    filings: pd.DataFrame | None = field(default=None, repr=False)
    raw: pd.DataFrame | None = field(default=None, repr=False)
    mender: Mender | None = field(default=None, repr=False)
    _mended: dict[pd.Timestamp, tuple[pd.DataFrame, pd.DataFrame]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def build(
        cls,
        companies: pd.DataFrame,
        prices: pd.DataFrame | None = None,
        *,
        monthly: pd.DataFrame | None = None,
        mender: Mender | None = None,
        repairs: pd.DataFrame | None = None,
        filings: pd.DataFrame | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> Universe:
        """Assemble a universe from clean tables; optional columns that are missing are added empty.

        Parameters
        ----------
        companies : DataFrame
            Index ``ticker`` (unique), column ``description``.
        prices : DataFrame, optional
            Daily closes, dates (increasing) x tickers; columns of unknown companies are left out.
        monthly : DataFrame, optional
            Monthly log returns, where there is nothing finer: then `prices` has no rows, and its
            columns are the companies of `monthly`.
        mender : callable, optional
            Hygiene that the closes still need; its log is `repairs`.
        repairs, filings, provenance : optional
            As the attributes.
        """
        table = _complete(companies)
        if prices is None:
            prices = pd.DataFrame(index=pd.DatetimeIndex([], name="date"), columns=[], dtype=float)
        priced = set(prices.columns)
        known = [ticker for ticker in table.index if ticker in priced]
        closes = prices[known].astype(float).rename_axis("date").rename_axis(columns=None)
        raw = closes if mender else None
        if mender:
            closes, repairs = mender(closes)
        if repairs is None:
            repairs = pd.DataFrame(columns=list(REPAIR_COLUMNS))
        facts = dict(provenance or {})
        months = monthly_returns(closes) if monthly is None else monthly[known]
        return cls(table, closes, months, repairs, facts, filings, raw, mender)

    def _view(self) -> View:
        days, many = self.companies["date"].dropna(), len(self.companies)
        known = f", the last of {days.max():%Y-%m-%d}" if len(days) else ""
        told = self.filings is not None and f"; {len(self.filings):,} filings in all"
        lines = [f"{many:,} companies with descriptions{known}{told or ''}"]
        for kind, table in (("Daily closes", self.prices), ("Monthly returns", self.monthly)):
            if len(table):
                ends = f"{table.index[0]:%Y-%m-%d} to {table.index[-1]:%Y-%m-%d}"
                lines.append(f"{kind} of {table.shape[1]:,} companies, {ends}.")
        if len(self.repairs):
            lines.append(f"Price hygiene logged {len(self.repairs):,} rows: see repairs.")
        columns = ["name", "sic", "date", "description"]
        first = self.companies.head(EXAMPLES)[columns].itertuples()
        grid = Grid(f"The first of {many:,}", ["company", *columns], list(first))
        return View(lines, [grid] if many else [])

    def described(self, date: str | pd.Timestamp) -> Universe:
        """Give the companies as they were described at a date; prices are not touched.

        Of a company with several filings, the last one that counted by the date, with the name and
        the industry code it gave; column ``symbol`` is its ticker then. Companies that were
        delisted stay. Later filings are forgotten, so that what is built on the result cannot read
        them.

        Parameters
        ----------
        date : str or Timestamp

        Raises
        ------
        DataError
            If the date cannot be read, or no company was described by then.
        """
        day = as_day(date)
        if self.filings is None:  # an undated description counts: the user vouches for it
            known = self.companies[~(self.companies["date"] > day)]
            first = self.companies["date"].min()
        else:
            known = _complete(known_by(self.filings, day))
            known = known[known.index.isin(self.companies.index)]
            first = self.filings["date"].min()
        if not len(known):
            raise DataError(
                f"no company has a description dated by the cut {day:%Y-%m-%d}; "
                f"the first is of {first:%Y-%m-%d}: choose a later cut"
            )
        chosen = self.select(known.index)
        return replace(chosen, companies=known, filings=None)

    def as_of(self, date: str | pd.Timestamp) -> Universe:
        """Give what was known at a date, and nothing later: the past of `cut`.

        Raises
        ------
        DataError
            As `described`.
        """
        return self.cut(date).past

    def yearly(self) -> Universe:
        """Give one row per company and year, without prices: what a panel of features is read from.

        Returns
        -------
        Universe
            Index such as "AAPL 2013", columns ``company, year`` and ``symbol`` beside the others:
            the last filing that came to count in the year.

        Raises
        ------
        DataError
            If there are no filings.
        """
        if self.filings is None:
            raise DataError(
                "every company has one description only: a panel of years needs a companies file "
                "with a row per filing (ticker, cik, accepted or date, sic, description)"
            )
        facts = {**self.provenance, "panel": "company and year"}
        return Universe.build(by_year(self.filings), provenance=facts)

    def cut(self, date: str | pd.Timestamp) -> Cut:
        """Cut time at a date: the only place in finsae where this is done.

        The past holds companies as they were described at the date (see `described`), closes up to
        and including it, and months that ended by then. The future holds the same companies with
        later closes and the months that began after it. A month that straddles the date is in
        neither. The past's closes are mended from themselves alone; later ones are carried to their
        scale (see `raw`).

        Parameters
        ----------
        date : str or Timestamp
            The last day of the past.

        Raises
        ------
        DataError
            As `described`.
        """
        day = as_day(date)
        both = self.described(day)
        known = both.companies.index
        began = month_starts(both.monthly)
        closes, log = self._past(day)
        closes = closes[both.prices.columns]
        months = monthly_returns(closes) if self.mender else both.monthly
        past = replace(
            both,
            raw=None if both.raw is None else both.raw.loc[:day],
            _mended={},
            prices=closes,
            monthly=months[months.index <= day],
            repairs=log[log["ticker"].isin(set(known))],
        )
        future = replace(
            both,
            raw=None if both.raw is None else both.raw[both.raw.index > day],
            _mended={},
            prices=both.prices[both.prices.index > day] * _to_scale_of(closes, both.prices),
            monthly=both.monthly[began > day],
            repairs=both.repairs[pd.to_datetime(both.repairs["date"]) > day],
        )
        return Cut(past, future)

    def _past(self, day: pd.Timestamp) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Give the closes up to a day, mended from themselves alone, and the log."""
        if self.mender is None or self.raw is None:
            return self.prices.loc[:day], self.repairs[pd.to_datetime(self.repairs["date"]) <= day]
        if day not in self._mended:
            self._mended[day] = self.mender(self.raw.loc[:day])
        return self._mended[day]

    def select(self, tickers: Iterable[str]) -> Universe:
        """Keep the given companies, in the given order.

        Raises
        ------
        DataError
            If a ticker is unknown.
        """
        wanted = list(tickers)
        unknown = [ticker for ticker in wanted if ticker not in self.companies.index]
        if unknown:
            raise DataError(f"unknown tickers: {', '.join(unknown[:5])}")
        priced = [ticker for ticker in wanted if ticker in self.prices.columns]
        return replace(
            self,
            companies=self.companies.loc[wanted],
            filings=None if self.filings is None else _of(self.filings, wanted),
            prices=self.prices[priced],
            monthly=self.monthly[priced],
            repairs=self.repairs[self.repairs["ticker"].isin(set(wanted))],
        )

    def between(self, start: str | pd.Timestamp, end: str | pd.Timestamp) -> Universe:
        """Keep closes and whole months from `start` to `end`, both included."""
        first, last = as_day(start), as_day(end)
        began = month_starts(self.monthly)
        return replace(
            self,
            raw=None if self.raw is None else self.raw.loc[first:last],
            _mended={},
            prices=self.prices.loc[first:last],
            monthly=self.monthly[(began >= first) & (self.monthly.index <= last)],
        )

    def daily(self) -> pd.DataFrame:
        """Daily log returns, dates x tickers; NaN where one of the two closes is missing.

        A missing close so costs two returns: the one into it and the one out of it. The move over
        the gap is not given to the day after it, since it is no return of one day; `monthly` has
        it.
        """
        return log_returns(self.prices)


def _complete(companies: pd.DataFrame) -> pd.DataFrame:
    """Add the columns that are missing, empty."""
    table = companies.rename_axis("ticker").copy()
    for column in COMPANY_COLUMNS:
        if column not in table:
            table[column] = None
    return table.assign(date=pd.to_datetime(table["date"]))


def _of(filings: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return filings[filings["key"].isin(set(keys))].reset_index(drop=True)


def _to_scale_of(past: pd.DataFrame, whole: pd.DataFrame) -> pd.Series:
    """Ratio of the past's closes to those of the whole series, per ticker, just before the cut.

    It is 1 but for companies with a split that was found only after the cut, where all earlier
    closes of the whole series are divided by it. A median, since a single close may be mended in
    the one and not in the other.
    """
    ratio: pd.Series = (past / whole.reindex(past.index)).tail(RESCALED_BY).median()
    return ratio.fillna(1.0)


def as_day(date: str | pd.Timestamp) -> pd.Timestamp:
    """Read a date, without time and zone.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        day: pd.Timestamp | None = pd.Timestamp(
            datetime.date.fromisoformat(date) if isinstance(date, str) else date
        )
    except (ValueError, TypeError):
        day = None
    if day is None or pd.isna(day):
        raise DataError(f'cannot read the date "{date}": write it as 2013-06-30')
    return day.tz_localize(None).normalize()


def month_starts(monthly: pd.DataFrame) -> pd.DatetimeIndex:
    """First day of each month of a monthly table."""
    return pd.DatetimeIndex(monthly.index).to_period("M").start_time


def log_returns(prices: pd.DataFrame) -> pd.DataFrame:
    """Differences of log closes from row to row; the first row is left out."""
    return pd.DataFrame(np.log(prices)).diff().iloc[1:]


def monthly_returns(prices: pd.DataFrame) -> pd.DataFrame:
    """Monthly log returns from daily closes, whole months only.

    A month's close is a company's last close in that calendar month. The panel's first month only
    supplies the first base; its last month counts when the panel reaches the month's last three
    business days. A company without a close in the month, or in the one before, has NaN.

    Parameters
    ----------
    prices : DataFrame
        Daily closes, dates x tickers.

    Returns
    -------
    DataFrame
        Log returns, index ``month`` (calendar month ends) x tickers.
    """
    if prices.empty:
        return pd.DataFrame(index=pd.DatetimeIndex([], name="month"), columns=prices.columns)
    month_ends = prices.resample("ME").last().rename_axis("month")
    last_day = prices.index[-1]
    if last_day < month_ends.index[-1] - pd.offsets.BDay(3):
        month_ends = month_ends.iloc[:-1]
    return log_returns(month_ends)
