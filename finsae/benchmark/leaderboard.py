"""Every method on the same companies, months, number of peers and resamples: the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from finsae.benchmark.interval import MIN_OBS, Panel, bounds, two_way
from finsae.benchmark.metrics import (
    WORST,
    Clusters,
    Peers,
    population,
    weighted_mean,
    weighted_quantile,
)
from finsae.benchmark.placebo import placebo
from finsae.checks import DataError
from finsae.result import SCORE_COLUMNS

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]

CLIP = 0.5
"""Monthly log returns are clipped at this size, so that no single month makes a correlation."""
BASELINES = ("sic", "major-group", "tfidf", "embedding", "past-correlation", "random")
"""Methods that every other one is compared with, in pairs."""
YEAR_OBS = 6  # months of a calendar year that a pair must share


def score(
    methods: Mapping[str, pd.DataFrame],
    clusters: Mapping[str, pd.Series],
    returns: pd.DataFrame,
    *,
    k: int = 5,
    draws: int = 20,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Score methods and clusterings on returns that came after they were made.

    ``peer_correlation``
        Mean over companies of the mean correlation with their `k` nearest peers; n counts the
        companies. Rows with `versus` are paired differences, `method` minus `versus`.
    ``peer_correlation_worst_decile``
        The 10th percentile over companies of the same: how bad the bad ones are. It is a
        percentile of measured correlations, and lies lower than that of the true ones.
    ``peer_correlation_placebo_p``
        Share of random renamings of the companies whose peers would do at least as well.
    ``mean_correlation`` (method ``population``)
        Mean over all pairs: what companies have in common without any choice; n counts the pairs.
    ``mc``, ``pair_weighted``, ``coverage``
        Of each clustering, see `finsae.benchmark.metrics.Clusters.metrics`; n counts the clusters
        of two or more, their observed pairs, and all companies. Without such a cluster the first
        two are NaN with n = 0.

    The same companies, months, `k` and resamples serve every method; peers and clusters stay fixed
    under resampling. A method that ties is averaged over the same random draws in the estimate and
    in every resample. Intervals (95 %) are those of `finsae.benchmark.interval.bounds`.

    Parameters
    ----------
    methods : mapping of str to DataFrame
        Similarities, square, by ticker; they must hold every company of `returns`.
    clusters : mapping of str to Series
        Labels by ticker; a company without a label is on its own.
    returns : DataFrame
        Monthly log returns after the cut, months x companies, NaN where missing. Clipped here at
        +-0.5; a pair needs 12 common months.
    k : int
        Peers per company.
    draws : int
        Random tie-breakings of a method that ties.
    resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    DataFrame
        ``method, metric, value, low, high, n, interval, versus``.

    Raises
    ------
    DataError
        If there are too few companies for `k` peers or too few months, or a method lacks companies.
    """
    _check(methods, clusters, returns, k=k)
    tickers = returns.columns
    panel = Panel.of(returns.clip(-CLIP, CLIP))
    tables = {name: table.loc[tickers, tickers] for name, table in methods.items()}
    peers = Peers.of(tables, k, draws=draws, seed=seed)
    groups = {name: Clusters.of(labels.reindex(tickers)) for name, labels in clusters.items()}

    def statistic(correlation: FloatArray, weights: FloatArray) -> FloatArray:
        return _all_metrics(peers, groups, correlation, weights)

    plain = _plain_rows(peers, groups, panel)
    paired, left, right = _paired_rows(plain, peers.methods)
    values = statistic(panel.correlation, np.ones(len(tickers)))
    resampled = two_way(panel, statistic, resamples=resamples, seed=seed)
    low, high = bounds(
        np.concatenate([values, values[left] - values[right]]),
        np.hstack([resampled, resampled[:, left] - resampled[:, right]]),
        months=len(returns),
    )
    scores = pd.concat([plain, paired], ignore_index=True)
    scores["value"] = np.concatenate([values, values[left] - values[right]])
    scores["low"], scores["high"] = low, high
    scores = pd.concat([scores, placebo(peers, panel.correlation, seed=seed)], ignore_index=True)
    return scores[list(SCORE_COLUMNS)]


def by_year(
    methods: Mapping[str, pd.DataFrame],
    returns: pd.DataFrame,
    *,
    k: int = 5,
    draws: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Peer correlation of every method in each calendar year, for the eye.

    A year's twelve months make a noisy correlation, and all methods share its noise: differences
    between methods can be read off, levels hardly.

    Parameters
    ----------
    methods, returns, k, draws, seed
        As in `score`, whose peers these are.

    Returns
    -------
    DataFrame
        ``method, year, value, months``, and method ``population``. A pair needs six common months;
        a year with fewer is left out.
    """
    _check(methods, {}, returns, k=k)
    tickers = returns.columns
    tables = {name: table.loc[tickers, tickers] for name, table in methods.items()}
    peers = Peers.of(tables, k, draws=draws, seed=seed)
    one = np.ones(len(tickers))
    years = []
    for year, months in returns.clip(-CLIP, CLIP).groupby(pd.DatetimeIndex(returns.index).year):
        if len(months) < YEAR_OBS:
            continue
        correlation = Panel.of(months, min_obs=YEAR_OBS).correlation
        values = peers.average(weighted_mean(peers.company_means(correlation), one))
        everyone = population(correlation, one)
        table = pd.DataFrame(
            {"method": [*peers.methods, "population"], "value": [*values, everyone]}
        )
        years.append(table.assign(year=year, months=len(months)))
    columns = ["method", "year", "value", "months"]
    return pd.concat(years, ignore_index=True)[columns] if years else pd.DataFrame(columns=columns)


def _all_metrics(
    peers: Peers, groups: Mapping[str, Clusters], correlation: FloatArray, weights: FloatArray
) -> FloatArray:
    """Everything that has a two-way interval, in the order of `_plain_rows`."""
    means = peers.company_means(correlation)
    return np.concatenate(
        [
            peers.average(weighted_mean(means, weights)),
            peers.average(weighted_quantile(means, weights, WORST)),
            [population(correlation, weights)],
            *(group.metrics(correlation, weights) for group in groups.values()),
        ]
    )


def _plain_rows(peers: Peers, groups: Mapping[str, Clusters], panel: Panel) -> pd.DataFrame:
    """Name what `_all_metrics` computes, with the number of companies, pairs or clusters."""
    observed = ~np.isnan(panel.correlation)
    counted = peers.average((~np.isnan(peers.company_means(panel.correlation))).sum(axis=1))
    rows: list[tuple[str, str, int, str]] = []
    for metric in ("peer_correlation", "peer_correlation_worst_decile"):
        rows += [
            (method, metric, int(n), "two-way")
            for method, n in zip(peers.methods, counted, strict=True)
        ]
    rows.append(("population", "mean_correlation", int(observed.sum() // 2), "two-way"))
    for name, group in groups.items():
        _, pairs = group.sums(panel.correlation, np.ones(len(observed)))
        rows.append((name, "mc", int((pairs > 0).sum()), "two-way"))
        rows.append((name, "pair_weighted", int(pairs.sum()), "two-way"))
        rows.append((name, "coverage", len(observed), "firm"))
    return pd.DataFrame(rows, columns=["method", "metric", "n", "interval"]).assign(versus="")


def _paired_rows(
    plain: pd.DataFrame, methods: Sequence[str]
) -> tuple[pd.DataFrame, IntArray, IntArray]:
    """Name the paired differences, with the positions of what is subtracted from what."""
    place = {method: number for number, method in enumerate(methods)}
    pairs = [(a, b) for a in methods for b in BASELINES if b in place and a != b]
    left = np.array([place[a] for a, _ in pairs], dtype=np.int64)
    right = np.array([place[b] for _, b in pairs], dtype=np.int64)
    counted = plain["n"].to_numpy()
    rows = plain.iloc[left].assign(
        n=np.minimum(counted[left], counted[right]), versus=[b for _, b in pairs]
    )
    return rows, left, right


def _check(
    methods: Mapping[str, pd.DataFrame],
    clusters: Mapping[str, pd.Series],
    returns: pd.DataFrame,
    *,
    k: int,
) -> None:
    months, n = returns.shape
    problems = []
    if not methods:
        problems.append("there is no method to score: give at least one similarity table")
    if n < k + 2:
        problems.append(
            f"{n} companies are too few for {k} peers each: at least {k + 2} are needed; "
            "lower k or add companies"
        )
    if months < MIN_OBS:
        problems.append(
            f"{months} months after the cut are too few: {MIN_OBS} are needed; "
            "choose an earlier cut"
        )
    for name, table in methods.items():
        lacking = returns.columns.difference(table.index.intersection(table.columns))
        if len(lacking):
            problems.append(
                f'method "{name}" has no similarities for {len(lacking)} of {n} companies '
                f"({', '.join(lacking[:3])}): compare only companies that every method covers"
            )
    for name, labels in clusters.items():
        if labels.reindex(returns.columns).isna().all():
            problems.append(
                f'clustering "{name}" labels none of the {n} companies: its tickers are '
                f"{', '.join(str(t) for t in labels.index[:3])}, theirs "
                f"{', '.join(str(t) for t in returns.columns[:3])}"
            )
    if problems:
        raise DataError(problems)
