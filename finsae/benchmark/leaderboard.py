"""Every method on the same companies, months, number of peers and resamples: the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from finsae.benchmark.clusters import Clusters, cluster_correlation
from finsae.benchmark.draws import Draws
from finsae.benchmark.industry import agreement, industry_lift, peers_inside
from finsae.benchmark.interval import adjusted_p, bounds
from finsae.benchmark.measured import Measure, Measured
from finsae.benchmark.pairing import pairs_of
from finsae.benchmark.panel import CLIP, MIN_OBS, Panel
from finsae.benchmark.peers import Peers, peer_correlation
from finsae.benchmark.placebo import placebo
from finsae.benchmark.prediction import (
    HEDGE_MONTHS,
    PeerReturns,
    hedged_variance,
    monthly_series,
    newey_west,
    peer_r2,
)
from finsae.checks import DataError
from finsae.config import Benchmark
from finsae.result import SCORE_COLUMNS
from finsae.similarity import pairwise_correlation
from finsae.store import progress

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]

HEADLINE = "peer_r2"
"""The field's standard test of peer groups; its paired differences have a second interval."""
REFERENCE = "major-group"
"""The clustering that the others are compared with, and the industries of `industry_lift`."""
PAIRED = (
    HEADLINE,
    "peer_correlation",
    "peer_correlation_worst_decile",
    "peer_residual_correlation",
    "hedged_variance",
    "industry_lift",
)


def score(
    methods: Mapping[str, pd.DataFrame],
    clusters: Mapping[str, pd.Series],
    returns: pd.DataFrame,
    *,
    past: pd.DataFrame | None = None,
    settings: Benchmark | None = None,
    peers: Peers | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Score methods and clusterings on returns that came after they were made.

    ``peer_r2``
        The headline: see `finsae.benchmark.prediction.peer_r2`. Its paired differences also come
        with the interval of Newey and West on the paired monthly series, ``newey-west``.
    ``peer_correlation``, ``peer_correlation_worst_decile``
        See `finsae.benchmark.peers.peer_correlation`; n counts the companies.
    ``peer_residual_correlation``
        The same of market residuals: what is left of each company's returns after a regression on
        the mean return of all companies compared, over the same months.
    ``hedged_variance``
        See `finsae.benchmark.prediction.hedged_variance`; only with `past`. Lower is better.
    ``industry_lift``
        See `finsae.benchmark.industry.industry_lift`; only with a clustering ``major-group``.
    ``peer_correlation_placebo_p``
        Share of random renamings of the companies whose peers would do at least as well.
    ``<metric>_adjusted_p``
        Of every paired difference of the two main metrics: how probable it is among as many if
        there were none, see `finsae.benchmark.interval.adjusted_p`. The family are all differences
        from that baseline and all others of the leaderboard.
    ``mean_correlation`` (method ``population``), ``mc``, ``pair_weighted``, ``coverage``, \
``coverage_adjusted``
        See `finsae.benchmark.clusters.cluster_correlation`.
    ``ari``, ``ami``
        See `finsae.benchmark.industry.agreement`, with the major groups.

    The same companies, months, number of peers and resamples serve every method; peers and clusters
    stay fixed under resampling. A method that ties is averaged over the same random draws in the
    estimate and in every resample. Rows with `versus` are paired differences, `method` minus
    `versus`. Intervals (95 %) are those of `finsae.benchmark.interval.bounds`.

    Parameters
    ----------
    methods : mapping of str to DataFrame
        Similarities, square, by ticker; they must hold every company of `returns`.
    clusters : mapping of str to Series
        Labels by ticker; a company without a label is on its own.
    returns : DataFrame
        Monthly log returns after the cut, months x companies, NaN where missing. Clipped here at
        +-0.5; a pair needs 12 common months.
    past : DataFrame, optional
        Monthly log returns up to the cut of the same companies: hedge ratios are fitted on them.
    settings : Benchmark, optional
        Number of peers, of random draws for methods that tie, and of resamples.
    peers : Peers, optional
        Of `find_peers` with the same methods, returns and settings, where they are there already.
    seed : int
        Of the draws.

    Returns
    -------
    DataFrame
        ``method, metric, value, low, high, n, interval, versus``.

    Raises
    ------
    DataError
        If there are too few companies for `k` peers or too few months, or a method lacks companies.
    """
    settings = settings or Benchmark()
    check(methods, clusters, returns, k=settings.k)
    tickers = returns.columns
    tables = {name: table.loc[tickers, tickers] for name, table in methods.items()}
    peers = peers or Peers.of(tables, settings.k, draws=settings.draws, seed=seed)
    labels = {name: column.reindex(tickers) for name, column in clusters.items()}
    measures: list[Measure] = [
        *_peer_measures(peers, returns, past),
        *_industry_measures(tables, labels, returns, settings=settings, seed=seed),
        partial(cluster_correlation, Clusters.of(labels, len(tickers)), Panel.of(returns)),
    ]
    sample = Sample.of(measures, returns, settings.resamples, seed=seed)
    clipped = returns.clip(-CLIP, CLIP).to_numpy(dtype=np.float64)
    parts = [
        sample.rows(),
        sample.paired_rows(),
        _newey_west_rows(peers, returns),
        _agreement_rows(labels, seed=seed),
        placebo(peers, pairwise_correlation(clipped, min_obs=MIN_OBS), seed=seed),
    ]
    found = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return found[list(SCORE_COLUMNS)]


def find_peers(
    methods: Mapping[str, pd.DataFrame],
    returns: pd.DataFrame,
    *,
    settings: Benchmark | None = None,
    seed: int = 0,
) -> Peers:
    """Name every method's peers of the companies of some returns.

    Parameters
    ----------
    methods, returns, settings, seed
        As in `score`.

    Raises
    ------
    DataError
        As `score`.
    """
    settings = settings or Benchmark()
    check(methods, {}, returns, k=settings.k)
    tickers = returns.columns
    tables = {name: table.loc[tickers, tickers] for name, table in methods.items()}
    return Peers.of(tables, settings.k, draws=settings.draws, seed=seed)


def _peer_measures(peers: Peers, returns: pd.DataFrame, past: pd.DataFrame | None) -> list[Measure]:
    """List what is measured on a method's peers."""
    later = PeerReturns.of(returns, peers)
    found: list[Measure] = [
        partial(peer_r2, peers, later),
        partial(peer_correlation, peers, Panel.of(returns)),
        partial(
            peer_correlation,
            peers,
            Panel.of(market_residuals(returns)),
            name="peer_residual_correlation",
            worst=False,
        ),
    ]
    if past is not None and len(past):
        recent = PeerReturns.of(past[returns.columns].iloc[-HEDGE_MONTHS:], peers)
        found.append(partial(hedged_variance, peers, recent, later))
    return found


def _industry_measures(
    tables: Mapping[str, pd.DataFrame],
    labels: Mapping[str, pd.Series],
    returns: pd.DataFrame,
    *,
    settings: Benchmark,
    seed: int,
) -> list[Measure]:
    """List what is measured inside industries, where there are any in which one can choose."""
    if REFERENCE not in labels:
        return []
    industry, _ = pd.factorize(labels[REFERENCE])
    inside = peers_inside(tables, industry, settings.k, draws=settings.draws, seed=seed)
    if not (inside.index >= 0).any():
        return []
    return [partial(industry_lift, inside, industry, Panel.of(returns))]


def market_residuals(returns: pd.DataFrame) -> pd.DataFrame:
    """Residuals of each company's returns on the mean return of all, over the same months.

    Parameters
    ----------
    returns : DataFrame
        Monthly log returns, months x companies; clipped here at +-0.5.
    """
    clipped = returns.clip(-CLIP, CLIP)
    market = clipped.mean(axis=1)
    here = clipped.notna()
    centred = clipped - clipped.mean()
    level = here.mul(market, axis=0).where(here)
    level = level - level.mean()
    slope = (centred * level).sum() / (level**2).sum().replace(0, np.nan)
    return centred - level * slope.fillna(0)


@dataclass(frozen=True)
class Sample:
    """Measured values with their resamples.

    Attributes
    ----------
    values : list of Measured
        On the data.
    resampled : list of ndarray [methods, resamples]
        The same on the draws.
    months : int
        Months in the data.
    """

    values: Sequence[Measured]
    resampled: Sequence[FloatArray]
    months: int

    @classmethod
    def of(
        cls, measures: Sequence[Measure], returns: pd.DataFrame, resamples: int, *, seed: int
    ) -> Sample:
        """Take measures on the data and on draws of their months and companies."""
        months, companies = returns.shape
        itself = Draws.none(months, companies)
        draws = Draws.two_way(months, companies, resamples=resamples, seed=seed)
        values: list[Measured] = []
        resampled: list[FloatArray] = []
        with progress("Scoring", len(measures)) as (bar, task):
            for measure in measures:
                values += measure(itself)
                resampled += [found.values for found in measure(draws)]
                bar.advance(task)
        return cls(values, resampled, months)

    def rows(self) -> pd.DataFrame:
        """Levels of every method."""
        parts = []
        for found, draws in zip(self.values, self.resampled, strict=True):
            value = found.values[:, 0]
            low, high = bounds(value, draws.T, months=self.months)
            table = {"method": found.methods, "value": value, "low": low, "high": high}
            frame = pd.DataFrame({**table, "n": found.n})
            parts.append(frame.assign(metric=found.metric, interval=found.interval, versus=""))
        return pd.concat(parts, ignore_index=True)

    def paired_rows(self) -> pd.DataFrame:
        """Differences of every method from the baselines, with p-values for reading them all."""
        parts = []
        for found, draws in zip(self.values, self.resampled, strict=True):
            pairs = pairs_of(found.methods) if found.metric in PAIRED else []
            if not pairs:
                continue
            left, right = np.array(pairs).T
            value = found.values[left, 0] - found.values[right, 0]
            spread = (draws[left] - draws[right]).T
            low, high = bounds(value, spread, months=self.months)
            names = [(found.methods[a], found.methods[b]) for a, b in pairs]
            frame = pd.DataFrame(names, columns=["method", "versus"]).assign(
                metric=found.metric,
                value=value,
                low=low,
                high=high,
                n=np.minimum(found.n[left], found.n[right]),
                interval=found.interval,
            )
            parts.append(frame)
            if found.metric in (HEADLINE, "peer_correlation"):
                parts.append(_p_rows(frame, adjusted_p(value, spread), len(spread)))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _p_rows(paired: pd.DataFrame, p: FloatArray, resamples: int) -> pd.DataFrame:
    """Write adjusted p-values as rows; the interval is that of a share of resamples."""
    error = 1.96 * np.sqrt(p * (1 - p) / max(resamples, 1))
    return paired.assign(
        metric=paired["metric"] + "_adjusted_p",
        value=p,
        low=np.maximum(p - error, 0),
        high=np.minimum(p + error, 1),
        n=resamples,
    )


def _newey_west_rows(peers: Peers, returns: pd.DataFrame) -> pd.DataFrame:
    """Paired differences of the headline, month by month, by Newey and West's standard error."""
    series = monthly_series(peers, PeerReturns.of(returns, peers))
    rows = []
    for left, right in pairs_of(peers.methods):
        value, low, high, n = newey_west(series[left] - series[right])
        method, versus = peers.methods[left], peers.methods[right]
        rows.append((method, HEADLINE, value, low, high, n, "newey-west", versus))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _agreement_rows(labels: Mapping[str, pd.Series], *, seed: int) -> pd.DataFrame:
    if REFERENCE not in labels or labels[REFERENCE].isna().all():
        return pd.DataFrame(columns=list(SCORE_COLUMNS))
    found = agreement(labels, REFERENCE, seed=seed)
    return pd.DataFrame(found, columns=list(SCORE_COLUMNS[:6])).assign(
        interval="jackknife", versus=""
    )


def check(
    methods: Mapping[str, pd.DataFrame],
    clusters: Mapping[str, pd.Series],
    returns: pd.DataFrame,
    *,
    k: int,
) -> None:
    """Refuse what cannot be scored.

    Raises
    ------
    DataError
        With every problem.
    """
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
