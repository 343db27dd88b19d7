"""Bring your own files: companies, prices, events, labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from finsae.checks import DataError, nearest
from finsae.filings import keyed, known_by, of_companies, to_companies
from finsae.sources.companies import LAG, clean_companies
from finsae.sources.crsp import as_permno
from finsae.sources.edgar import is_edgar_corpus, read_edgar_corpus
from finsae.sources.events import apply_events, check_events
from finsae.sources.hygiene import repair as repair_prices
from finsae.sources.jumps import Limits
from finsae.sources.prices import Market, PriceFile, clean_prices, price_file
from finsae.sources.sic import codes_as_of, read_codes
from finsae.sources.tables import (
    as_numbers,
    as_text,
    known_names,
    no_column,
    problem,
    read_table,
)
from finsae.store import hash_file, hash_frame
from finsae.universe import REPAIR_COLUMNS, Mender, Universe

Cleaner = Callable[[pd.DataFrame, str], tuple[pd.DataFrame, list[str]]]
LABEL_COLUMNS = ("ticker", "company", "symbol")
CLUSTER_COLUMNS = ("label", "cluster")


def read_universe(
    companies: str | Path,
    prices: str | Path | PriceFile | None = None,
    *,
    events: str | Path | None = None,
    codes: str | Path | None = None,
    repair: bool = True,
    lag: int = LAG,
) -> Universe:
    """Read a universe from files; all their problems are said at once.

    A file with several dated rows per ticker is one of filings: a company is its CIK, closes and
    events come to it by the tickers it had, and the universe tells what was known at a date
    (`Universe.as_of`, `Universe.described`).

    Parameters
    ----------
    companies : path
        CSV or parquet: ``ticker, description``, optionally ``name, sic, sic_date, cik, date`` (the
        day from which the description counts) or ``filed, accepted`` (it counts `lag` days after),
        and ``permno``; other columns are kept. A company may have several rows, of filings or of
        codes, see `finsae.sources.companies.clean_companies`. Or filings as `read_edgar_corpus`
        reads them: the last of each company counts.
    prices : path or PriceFile, optional
        CSV or parquet of daily closes, wide (dates x tickers) or long (``date, ticker, close``), a
        CRSP file, or returns, see `finsae.sources.prices.clean_prices`; with the currency to take
        or the market's time zone, ``PriceFile("prices.csv", currency="USD")``. Companies without
        prices are dropped and listed in ``provenance["dropped"]``. A file of months gives a
        universe with monthly returns and no daily closes: enough for a benchmark, not for a
        backtest.
    events : path, optional
        CSV or parquet ``ticker, date, kind, factor``: what closes alone cannot settle.
    codes : path, optional
        CSV or parquet ``ticker, date, sic``: each company gets the code in force on its
        description's date.
    repair : bool
        Whether price hygiene mends what the vendor got wrong; events are applied either way, and
        what is built from returns is left as it is.
    lag : int
        Days after its acceptance from which a filing counts. The default is the next day: EDGAR
        accepts until ten in the evening, hours after the day's last close.

    Raises
    ------
    DataError
        With one line per problem.
    """
    problems: list[str] = []
    table = _clean(companies, partial(clean_companies, lag=lag), problems, _read_companies)
    file = None if prices is None else price_file(prices)
    market = None if file is None else _market(file, problems)
    happened = _events(events, problems)
    dated = _codes(codes, problems)
    if problems or table is None:
        raise DataError(problems)
    notes = list(table.attrs.pop("notes", []))
    if dated is not None:
        table["sic"] = _sic_of_the_day(dated, table)
    facts: dict[str, object] = {"source": "files", "companies": _hash(companies, table)}
    facts |= {
        name: hash_file(path) for name, path in (("events", events), ("codes", codes)) if path
    }
    filings = None
    if not table.index.is_unique:
        filings = keyed(table.reset_index())
        table = known_by(filings)
        facts["lag"] = lag
    if market is None or file is None:
        said = {"notes": notes} if notes else {}
        return Universe.build(table, filings=filings, provenance=facts | said)
    if filings is not None and happened is not None:
        happened = of_companies(happened, filings)
    repair = repair and not market.returns
    priced = Priced(market, _mender(happened, repair=repair), Path(file.path).name)
    facts |= {"prices": hash_file(file.path), "repaired": repair}
    return priced.universe(table, facts, filings=filings, notes=notes)


class Priced(NamedTuple):
    """Prices of a file, the hygiene that they still need, and the file's name."""

    market: Market
    mender: Mender | None
    where: str

    def universe(
        self,
        companies: pd.DataFrame,
        facts: Mapping[str, object],
        *,
        filings: pd.DataFrame | None = None,
        notes: Sequence[str] = (),
    ) -> Universe:
        """Join companies and prices; those without a price are dropped and listed.

        A company with several filings has the closes of the tickers it had.

        Raises
        ------
        DataError
            If no company has a price, or a ticker stands for several securities.
        """
        closes, monthly = _by_company(self.market, companies, self.where)
        daily = monthly is None
        if filings is not None:
            closes = to_companies(closes, filings)
            monthly = None if monthly is None else to_companies(monthly, filings)
        table, dropped = with_prices(companies, closes if monthly is None else monthly, self.where)
        made: dict[str, object] = {**facts, "dropped": dropped, "layout": self.market.layout}
        if self.market.currency:
            made["currency"] = self.market.currency
        said = [*notes, *self.market.notes]
        return Universe.build(
            table,
            closes[table.index],
            monthly=None if monthly is None else monthly[table.index],
            mender=self.mender if daily else None,
            filings=filings,
            provenance=made | ({"notes": said} if said else {}),
        )


def open_prices(
    prices: str | Path | PriceFile,
    *,
    events: str | Path | None = None,
    repair: bool = True,
    limits: Limits | None = None,
) -> Priced:
    """Read prices of any layout, and the hygiene that they still need.

    Parameters
    ----------
    prices, events, repair
        As `read_universe`.
    limits : Limits, optional
        What hygiene looks for, and what counts as evidence.

    Raises
    ------
    DataError
        With one line per problem.
    """
    problems: list[str] = []
    file = price_file(prices)
    market = _market(file, problems)
    happened = _events(events, problems)
    if problems or market is None:
        raise DataError(problems)
    mender = _mender(happened, repair=repair and not market.returns, limits=limits)
    return Priced(market, mender, Path(file.path).name)


def _hash(path: str | Path, table: pd.DataFrame) -> str:
    return hash_file(path) if Path(path).is_file() else hash_frame(table.astype(str))


def read_prices(
    prices: str | Path | PriceFile,
    *,
    events: str | Path | None = None,
    repair: bool = True,
    limits: Limits | None = None,
) -> tuple[pd.DataFrame, Mender | None]:
    """Read daily closes, and the hygiene that they still need.

    Parameters
    ----------
    prices, events, repair, limits
        As `open_prices`.

    Returns
    -------
    DataFrame
        Raw closes, dates x tickers.
    callable or None
        For ``Universe.build(..., mender=)``; None where nothing is to be done.

    Raises
    ------
    DataError
        With one line per problem, and if the file has months only.
    """
    found = open_prices(prices, events=events, repair=repair, limits=limits)
    if found.market.monthly is not None:
        raise DataError(f"{found.where} has monthly returns, no daily closes, which this needs")
    return found.market.closes, found.mender


def mend_prices(
    prices: str | Path | PriceFile,
    *,
    events: str | Path | None = None,
    limits: Limits | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read daily closes and apply the price hygiene to all of them.

    Parameters
    ----------
    prices, events, limits
        As `open_prices`.

    Returns
    -------
    prices : DataFrame
        Mended closes, dates x tickers.
    repairs : DataFrame
        What was done and found: ``ticker, date, kind, factor, action``.

    Raises
    ------
    DataError
        As `read_prices`, and if the file has returns and there are no events.
    """
    closes, mender = read_prices(prices, events=events, limits=limits)
    if mender is None:
        where = Path(price_file(prices).path).name
        raise DataError(
            f"{where} has returns, which are adjusted already: nothing is to be mended (finsae "
            f"fetch prices --source files --file {where} writes the closes built from them)"
        )
    return mender(closes)


def read_labels(path: str | Path, *, year: int | None = None) -> pd.Series[str]:
    """Read a clustering.

    Parameters
    ----------
    path : path
        CSV or parquet with a column of companies (``ticker`` or ``company``) and one of labels
        (``label`` or ``cluster``); a column ``year`` may tell clusterings of several years apart.
    year : int, optional
        With a column ``year``: take the latest clustering of this year or before; default the last.

    Returns
    -------
    Series
        Labels as text, index ``ticker``; companies with an empty label are left out.

    Raises
    ------
    DataError
        If columns are missing, a company has two labels, or no clustering is old enough.
    """
    table, where = read_table(path), Path(path).name
    table = known_names(table, (*LABEL_COLUMNS, *CLUSTER_COLUMNS, "year"))
    ticker = next((name for name in LABEL_COLUMNS if name in table), None)
    label = next((name for name in CLUSTER_COLUMNS if name in table), None)
    if ticker is None or label is None:
        wanted = [n for n, found in (("ticker", ticker), ("label", label)) if found is None]
        raise DataError([no_column(where, name, table) for name in wanted])
    if "year" in table:
        table = _of_year(table, where, year)
    labels = pd.Series(
        as_text(table[label]).to_numpy(),
        index=pd.Index(as_text(table[ticker]), name="ticker"),
        name="label",
        dtype=str,
    )
    labels = labels[(labels != "") & (labels.index != "")]
    twice = labels.index[labels.index.duplicated()].unique()
    if len(twice):
        raise DataError(problem(where, "companies with two labels", twice))
    if not len(labels):
        raise DataError(f"{where}: no company has a label")
    return labels


def _of_year(table: pd.DataFrame, where: str, year: int | None) -> pd.DataFrame:
    years, wrong = as_numbers(table["year"])
    if wrong.any() or years.isna().any():
        raise DataError(f"{where}: column year holds something that is no year")
    known = years if year is None else years[years <= year]
    if not len(known):
        raise DataError(
            f"{where}: no clustering of {year} or before; the first is {years.min():.0f}"
        )
    latest: pd.DataFrame = table[years == known.max()]
    return latest


def _read_companies(path: str | Path) -> pd.DataFrame:
    return read_edgar_corpus(path, latest=True) if is_edgar_corpus(path) else read_table(path)


def _clean(
    path: str | Path,
    cleaner: Cleaner,
    problems: list[str],
    read: Callable[[str | Path], pd.DataFrame] = read_table,
) -> pd.DataFrame | None:
    try:
        table = read(path)
    except DataError as error:
        problems += error.problems
        return None
    cleaned, found = cleaner(table, Path(path).name)
    problems += found
    return cleaned


def _market(file: PriceFile, problems: list[str]) -> Market | None:
    path, currency, zone = file
    try:
        found = clean_prices(read_table(path), Path(path).name, currency=currency, zone=zone)
    except DataError as error:
        problems += error.problems
        return None
    problems += found.problems
    return found


def _codes(path: str | Path | None, problems: list[str]) -> pd.DataFrame | None:
    try:
        return None if path is None else read_codes(path)
    except DataError as error:
        problems += error.problems
        return None


def _sic_of_the_day(codes: pd.DataFrame, table: pd.DataFrame) -> pd.Series[Any]:
    """Codes in force on the descriptions' dates; by permno where the codes are of permnos."""
    days = table["date"] if "date" in table else pd.Series(pd.NaT, index=table.index)
    if "permno" in table and not set(table.index) & set(codes["ticker"]):
        days = days.set_axis(as_permno(table["permno"]))
    return codes_as_of(codes, days).set_axis(table.index)


def _by_company(
    market: Market, companies: pd.DataFrame, where: str
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Name a CRSP file's columns by the companies' tickers; other files' are already."""
    closes, monthly, permnos = market.closes, market.monthly, market.permnos
    if permnos is None or set(companies.index) & set(closes.columns):
        return closes, monthly
    if "permno" in companies:
        named = as_permno(companies["permno"])
    else:
        several = [t for t in companies.index if len(permnos.get(t, ())) > 1]
        if several:
            what = "tickers of several permnos (give the companies a column permno)"
            raise DataError(problem(where, what, several))
        named = pd.Series({t: permnos[t][0] for t in companies.index if t in permnos}, dtype=object)
    named = named[named.isin(closes.columns)]

    def renamed(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[named.tolist()].set_axis(named.index, axis=1).rename_axis(columns=None)

    return renamed(closes), None if monthly is None else renamed(monthly)


def _events(path: str | Path | None, problems: list[str]) -> pd.DataFrame | None:
    if path is None:
        return None
    try:
        table = known_names(read_table(path), ("ticker", "date", "kind", "factor"))
        return check_events(table)
    except DataError as error:
        problems += error.problems
        return None


def with_prices(
    table: pd.DataFrame, closes: pd.DataFrame, where: str
) -> tuple[pd.DataFrame, list[str]]:
    """Keep the companies that have a close; second, the others.

    Raises
    ------
    DataError
        If no company has one.
    """
    priced = set(closes.columns[closes.notna().any()])
    dropped = [ticker for ticker in table.index if ticker not in priced]
    if len(dropped) == len(table):
        first = table.index[0]
        raise DataError(f'{where}: no prices of any company, "{first}"{nearest(first, closes)}')
    return table.drop(index=dropped), dropped


def _mender(
    events: pd.DataFrame | None, *, repair: bool, limits: Limits | None = None
) -> Mender | None:
    if not repair and events is None:
        return None
    return partial(_mend, events=events, repair=repair, limits=limits)


def _mend(
    closes: pd.DataFrame, *, events: pd.DataFrame | None, repair: bool, limits: Limits | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    if closes.empty:
        return closes, pd.DataFrame(columns=list(REPAIR_COLUMNS))
    if repair:
        return repair_prices(closes, events, limits=limits)
    assert events is not None
    return apply_events(closes, events)
