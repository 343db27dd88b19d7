"""Bring your own files: companies, prices, events, labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from finsae.checks import DataError, nearest
from finsae.filings import keyed, known_by, of_companies, to_companies
from finsae.sources.companies import LAG, clean_companies
from finsae.sources.events import apply_events, check_events
from finsae.sources.hygiene import repair as repair_prices
from finsae.sources.prices import clean_prices
from finsae.sources.tables import (
    as_numbers,
    as_text,
    known_names,
    no_column,
    problem,
    read_table,
)
from finsae.store import hash_file
from finsae.universe import REPAIR_COLUMNS, Mender, Universe

Cleaner = Callable[[pd.DataFrame, str], tuple[pd.DataFrame, list[str]]]
LABEL_COLUMNS = ("ticker", "company", "symbol")
CLUSTER_COLUMNS = ("label", "cluster")


def read_universe(
    companies: str | Path,
    prices: str | Path | None = None,
    *,
    events: str | Path | None = None,
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
        CSV or parquet: ``ticker, description``, optionally ``name, sic, cik, date`` (the day from
        which the description counts) or ``filed, accepted`` (it counts `lag` days after); other
        columns are kept.
    prices : path, optional
        CSV or parquet of daily closes, wide (dates x tickers) or long (``date, ticker, close``).
        Companies without prices are dropped and listed in ``provenance["dropped"]``.
    events : path, optional
        CSV or parquet ``ticker, date, kind, factor``: what closes alone cannot settle.
    repair : bool
        Whether price hygiene mends what the vendor got wrong; events are applied either way.
    lag : int
        Days after its acceptance from which a filing counts. The default is the next day: EDGAR
        accepts until ten in the evening, hours after the day's last close.

    Raises
    ------
    DataError
        With one line per problem.
    """
    problems: list[str] = []
    table = _clean(companies, partial(clean_companies, lag=lag), problems)
    closes = None if prices is None else _clean(prices, clean_prices, problems)
    happened = _events(events, problems)
    if problems or table is None:
        raise DataError(problems)
    facts: dict[str, object] = {"source": "files", "companies": hash_file(companies)}
    filings = None
    if not table.index.is_unique:
        filings = keyed(table.reset_index())
        table = known_by(filings)
        facts["lag"] = lag
    if closes is None:
        return Universe.build(table, filings=filings, provenance=facts)
    assert prices is not None
    if filings is not None:
        closes = to_companies(closes, filings)
        happened = None if happened is None else of_companies(happened, filings)
    table, dropped = with_prices(table, closes, Path(prices).name)
    facts |= {"prices": hash_file(prices), "repaired": repair, "dropped": dropped}
    if events is not None:
        facts["events"] = hash_file(events)
    mender = _mender(happened, repair=repair)
    return Universe.build(
        table, closes[table.index], mender=mender, filings=filings, provenance=facts
    )


def read_prices(
    path: str | Path, *, events: str | Path | None = None, repair: bool = True
) -> tuple[pd.DataFrame, Mender | None]:
    """Read closes, and the hygiene that they still need.

    Parameters
    ----------
    path, events, repair
        As `read_universe`.

    Returns
    -------
    DataFrame
        Raw closes, dates x tickers.
    callable or None
        For ``Universe.build(..., mender=)``; None where nothing is to be done.

    Raises
    ------
    DataError
        With one line per problem.
    """
    problems: list[str] = []
    closes = _clean(path, clean_prices, problems)
    happened = _events(events, problems)
    if problems or closes is None:
        raise DataError(problems)
    return closes, _mender(happened, repair=repair)


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


def _clean(path: str | Path, cleaner: Cleaner, problems: list[str]) -> pd.DataFrame | None:
    try:
        table = read_table(path)
    except DataError as error:
        problems += error.problems
        return None
    cleaned, found = cleaner(table, Path(path).name)
    problems += found
    return cleaned


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


def _mender(events: pd.DataFrame | None, *, repair: bool) -> Mender | None:
    if not repair and events is None:
        return None
    return partial(_mend, events=events, repair=repair)


def _mend(
    closes: pd.DataFrame, *, events: pd.DataFrame | None, repair: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    if closes.empty:
        return closes, pd.DataFrame(columns=list(REPAIR_COLUMNS))
    if repair:
        return repair_prices(closes, events)
    assert events is not None
    return apply_events(closes, events)
