"""The same peers over other stretches of time: calendar years, and horizons after the cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from finsae.benchmark.clusters import Clusters, cluster_correlation
from finsae.benchmark.draws import Draws
from finsae.benchmark.leaderboard import Sample, check
from finsae.benchmark.panel import MIN_OBS, Panel
from finsae.benchmark.peers import Peers, peer_correlation
from finsae.benchmark.prediction import PeerReturns, peer_r2
from finsae.config import Benchmark
from finsae.result import SCORE_COLUMNS

YEAR_OBS = 6  # months of a calendar year that a pair must share
HORIZONS = (12, 36, 60)
"""Months after the cut: one, three and five years."""


def by_year(
    methods: Mapping[str, pd.DataFrame],
    returns: pd.DataFrame,
    *,
    settings: Benchmark | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Peer correlation of every method in each calendar year, for the eye.

    A year's twelve months make a noisy correlation, and all methods share its noise: differences
    between methods can be read off, levels hardly.

    Parameters
    ----------
    methods, returns, settings, seed
        As in `finsae.benchmark.score`, whose peers these are.

    Returns
    -------
    DataFrame
        ``method, year, value, months``, and method ``population``. A pair needs six common months;
        a year with fewer is left out.
    """
    settings = settings or Benchmark()
    check(methods, {}, returns, k=settings.k)
    tickers = returns.columns
    tables = {name: table.loc[tickers, tickers] for name, table in methods.items()}
    peers = Peers.of(tables, settings.k, draws=settings.draws, seed=seed)
    everyone = Clusters.of({}, len(tickers))
    years = []
    for year, months in returns.groupby(pd.DatetimeIndex(returns.index).year):
        if len(months) < YEAR_OBS:
            continue
        itself = Draws.none(*months.shape)
        panel = Panel.of(months, min_obs=YEAR_OBS)
        (found,) = peer_correlation(peers, panel, itself, worst=False)
        (population,) = cluster_correlation(everyone, panel, itself)
        values = [*found.values[:, 0], population.values[0, 0]]
        table = pd.DataFrame({"method": [*peers.methods, "population"], "value": values})
        years.append(table.assign(year=year, months=len(months)))
    columns = ["method", "year", "value", "months"]
    return pd.concat(years, ignore_index=True)[columns] if years else pd.DataFrame(columns=columns)


def horizons(
    methods: Mapping[str, pd.DataFrame],
    returns: pd.DataFrame,
    *,
    months: Sequence[int] = HORIZONS,
    settings: Benchmark | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Score every method on the first year after the cut, the first three and the first five.

    Parameters
    ----------
    methods, returns, settings, seed
        As in `finsae.benchmark.score`.
    months : sequence of int
        Horizons; the last may be longer than the data, of which all are then used.

    Returns
    -------
    DataFrame
        Rows of scores (``peer_r2``, ``peer_correlation``, levels and paired differences) with a
        column ``months``: how many the horizon has. Horizons of fewer than twelve are left out.
    """
    settings = settings or Benchmark()
    check(methods, {}, returns, k=settings.k)
    tickers = returns.columns
    tables = {name: table.loc[tickers, tickers] for name, table in methods.items()}
    peers = Peers.of(tables, settings.k, draws=settings.draws, seed=seed)
    parts = []
    for length in sorted({min(horizon, len(returns)) for horizon in months}):
        if length < MIN_OBS:
            continue
        first = returns.iloc[:length]
        parts.append(main_scores(peers, first, settings=settings, seed=seed).assign(months=length))
    columns = [*SCORE_COLUMNS, "months"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def main_scores(
    peers: Peers, returns: pd.DataFrame, *, settings: Benchmark, seed: int
) -> pd.DataFrame:
    """Score R-squared and correlation with peers alone, levels and paired differences."""
    least = np.minimum(MIN_OBS, max(len(returns) // 2, 2))
    measures = [
        partial(peer_r2, peers, PeerReturns.of(returns, peers)),
        partial(peer_correlation, peers, Panel.of(returns, min_obs=int(least)), worst=False),
    ]
    sample = Sample.of(measures, returns, settings.resamples, seed=seed)
    return pd.concat([sample.rows(), sample.paired_rows()], ignore_index=True)
