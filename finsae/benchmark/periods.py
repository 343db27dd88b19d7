"""The same peers over other stretches of time: calendar years, and horizons after the cut."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pandas as pd

from finsae.benchmark.clusters import Clusters, cluster_correlation
from finsae.benchmark.draws import Draws
from finsae.benchmark.leaderboard import HEADLINE, Sample
from finsae.benchmark.pairing import pairs_of
from finsae.benchmark.panel import MIN_OBS, Panel
from finsae.benchmark.peers import Peers, peer_correlation
from finsae.benchmark.prediction import PeerReturns, monthly_series, newey_west, peer_r2
from finsae.checks import DataError
from finsae.config import Benchmark
from finsae.result import SCORE_COLUMNS

YEAR_OBS = 6  # months of a calendar year that a pair must share
HORIZONS = (12, 36, 60)
"""Months after the cut: one, three and five years."""
CONTEMPORANEOUS = 12


def by_year(
    peers: Peers,
    returns: pd.DataFrame,
) -> pd.DataFrame:
    """Peer correlation of every method in each calendar year, for the eye.

    A year's twelve months make a noisy correlation, and all methods share its noise: differences
    between methods can be read off, levels hardly.

    Parameters
    ----------
    peers : Peers
        See `finsae.benchmark.find_peers`.
    returns : DataFrame
        Monthly log returns of the same companies.

    Returns
    -------
    DataFrame
        ``method, year, value, months``, and method ``population``. A pair needs six common months;
        a year with fewer is left out.
    """
    everyone = Clusters.of({}, returns.shape[1])
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


def stretches(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Name the stretches of time over which methods are scored beside the whole future.

    Parameters
    ----------
    before, after : DataFrame
        Monthly log returns up to the cut and after it.

    Returns
    -------
    dict of str to DataFrame
        The first one, three and five years after the cut, as far as there are months; and the year
        up to the cut, which is contemporaneous with the descriptions, as published work scores
        them: it is no forecast, and methods that read past returns have seen it.
    """
    found = {}
    for length in HORIZONS:
        if len(after) > length or length == min(h for h in HORIZONS if h >= len(after)):
            found[f"first {min(length, len(after))} months"] = after.iloc[:length]
    if len(before) >= CONTEMPORANEOUS:
        name = f"contemporaneous: {CONTEMPORANEOUS} months up to the cut"
        found[name] = before.iloc[-CONTEMPORANEOUS:]
    return found


def periods(
    peers: Peers,
    returns: Mapping[str, pd.DataFrame],
    *,
    settings: Benchmark | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Score every method's peers over several stretches of time.

    Parameters
    ----------
    peers : Peers
        See `finsae.benchmark.find_peers`.
    returns : mapping of str to DataFrame
        Monthly log returns by the name of the stretch, all of the same companies.
    settings, seed
        As in `finsae.benchmark.score`.

    Returns
    -------
    DataFrame
        Rows of scores (``peer_r2``, ``peer_correlation``, levels and paired differences) with the
        columns ``period`` and ``months``. A pair needs 12 months, or half of a shorter stretch.
        Stretches of fewer than twelve months are left out.
    """
    settings = settings or Benchmark()
    parts = []
    for name, months in returns.items():
        if len(months) < MIN_OBS:
            continue
        least = min(MIN_OBS, len(months) // 2)
        measures = [
            partial(peer_r2, peers, PeerReturns.of(months, peers)),
            partial(peer_correlation, peers, Panel.of(months, min_obs=least), worst=False),
        ]
        sample = Sample.of(measures, months, settings.resamples, seed=seed)
        parts += [
            rows.assign(period=name, months=len(months))
            for rows in (sample.rows(), sample.paired_rows())
            if len(rows)
        ]
    columns = [*SCORE_COLUMNS, "period", "months"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def monthly(peers: Peers, returns: pd.DataFrame) -> pd.DataFrame:
    """Compute every method's adjusted R-squared of each month, months x methods."""
    series = monthly_series(peers, PeerReturns.of(returns, peers))
    return pd.DataFrame(series.T, index=returns.index, columns=list(peers.methods))


def over_months(series: pd.DataFrame) -> pd.DataFrame:
    """Score methods on months that may belong to different cuts.

    Parameters
    ----------
    series : DataFrame
        From `monthly`, one cut below the other, no month twice.

    Returns
    -------
    DataFrame
        Rows of scores: ``peer_r2``, levels and paired differences, with Newey and West's intervals.

    Raises
    ------
    DataError
        If two cuts score the same month.
    """
    if series.index.has_duplicates:
        twice = series.index[series.index.duplicated()][0]
        raise DataError(f"two cuts score {twice:%Y-%m}: leave a year between cuts")
    names = list(series.columns)
    wanted = [(name, "", series[name]) for name in names]
    wanted += [
        (names[a], names[b], series[names[a]] - series[names[b]]) for a, b in pairs_of(names)
    ]
    rows = [
        (method, HEADLINE, *newey_west(values.to_numpy()), "newey-west", versus)
        for method, versus, values in wanted
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
