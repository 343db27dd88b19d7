"""What a backtest has in common with the market, with factors, and how much it could carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from finsae import pairs
from finsae.checks import DataError
from finsae.result import SCORE_COLUMNS
from finsae.universe import Universe

MARKET = "market"
Z = 1.959964  # two-sided 95 % of the normal distribution, for robust standard errors
COLUMNS = ("model", "method", "factor", "beta", "error", "t", "r2", "n")


def market(prices: pd.DataFrame) -> pd.Series:
    """Take the equal-weighted mean of all companies' daily simple returns."""
    mean: pd.Series = prices.pct_change(fill_method=None).mean(axis=1)
    return mean.rename(MARKET)


def traded_value(universe: Universe, volume: pd.DataFrame | None) -> pd.DataFrame | None:
    """Value traded a day, dates x tickers: shares traded times the vendor's own closes.

    Raises
    ------
    DataError
        If the volumes are of other companies or of other days.
    """
    if volume is None:
        return None
    closes = universe.prices if universe.raw is None else universe.raw
    value = closes * volume.reindex(index=closes.index, columns=closes.columns)
    if not value.notna().any(axis=None):
        raise DataError(
            "the volumes share no company and day with the prices: compare tickers and dates"
        )
    return value


def exposures(
    books: Mapping[str, Sequence[pairs.Backtest]],
    prices: pd.DataFrame,
    factors: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Regress every method's net returns on the market, and on factors where there are any.

    Parameters
    ----------
    books : mapping of str to list of Backtest
    prices : DataFrame, dates x tickers
        Closes of the companies that may be traded, which are the market.
    factors : DataFrame, dates x factors, optional

    Returns
    -------
    DataFrame
        ``model`` ("market" or "factors"), and the columns of `pairs.exposures`. Of fewer than 30
        days, or a market that does not move, nothing is said.
    """
    days = next(iter(books.values()))[0].returns.index
    mean = market(prices).reindex(days).dropna()
    parts = []
    if len(mean) >= pairs.stats.FACTOR_DAYS and np.ptp(mean.to_numpy()) > 0.0:
        parts.append(pairs.exposures(books, mean.to_frame()).assign(model=MARKET))
    if factors is not None:
        parts.append(pairs.exposures(books, factors).assign(model="factors"))
    found = [part for part in parts if len(part)]
    return pd.concat(found)[list(COLUMNS)] if found else pd.DataFrame(columns=list(COLUMNS))


def scores(
    books: Mapping[str, Sequence[pairs.Backtest]],
    exposed: pd.DataFrame,
    value: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Score alpha and beta against the market and, where volumes are known, capacity.

    Parameters
    ----------
    books : mapping of str to list of Backtest
    exposed : DataFrame
        From `exposures`.
    value : DataFrame, dates x tickers, optional
        Value traded a day.

    Returns
    -------
    DataFrame
        In the columns of all scores: ``alpha`` (a year) and ``beta``, with 95 % intervals of
        Newey-West standard errors, and ``capacity``, mean over draws.
    """
    rows: list[tuple[object, ...]] = []
    for row in exposed[exposed["model"] == MARKET].to_dict("records"):
        metric = "alpha" if row["factor"] == "alpha" else "beta"
        low, high = (row["beta"] + side * Z * row["error"] for side in (-1.0, 1.0))
        rows.append((row["method"], metric, row["beta"], low, high, row["n"], "Newey-West", ""))
    if value is not None:
        for method, drawn in books.items():
            carried = np.array([pairs.stats.capacity(book, value) for book in drawn])
            known = carried[np.isfinite(carried)]
            mean = float(known.mean()) if len(known) else np.nan
            n = len(drawn[0].returns)
            rows.append((method, "capacity", mean, np.nan, np.nan, n, "", ""))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
