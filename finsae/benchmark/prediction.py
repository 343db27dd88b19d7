"""How much of companies' later returns their peers' average explains, month by month.

The standard test of industry classifications and peer groups: Bhojraj, Lee and Oler (2003, Journal
of Accounting Research 41), Lee, Ma and Wang (2015, Journal of Financial Economics 116).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from finsae.benchmark.draws import Draws, quantile
from finsae.benchmark.measured import Measured
from finsae.benchmark.panel import CLIP
from finsae.benchmark.peers import Peers, mean_of_known

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]

LEAST = 10
"""Companies that a month's regression needs."""
HEDGE_MONTHS = 36
"""Months before the cut on which hedge ratios are fitted."""
LEAST_HEDGE_MONTHS = 24


@dataclass(frozen=True)
class PeerReturns:
    """Returns of companies, and the average return of each one's peers.

    Attributes
    ----------
    returns : ndarray [n, T]
        NaN where missing.
    averages : ndarray [sets, n, T]
        By each set of peers; over those that have a return.
    common : ndarray [n, T], bool
        Firm-months in which the company and every set's peers have a return: the same for all.
    """

    returns: FloatArray
    averages: FloatArray
    common: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, returns: pd.DataFrame, peers: Peers) -> PeerReturns:
        """Average the peers' returns, months x companies, clipped at +-0.5."""
        values = returns.clip(-CLIP, CLIP).to_numpy(dtype=np.float64).T
        averages = np.array([mean_of_known(values[index]) for index in peers.index])
        return cls(values, averages, np.isfinite(values) & np.isfinite(averages).all(axis=0))


def peer_r2(peers: Peers, data: PeerReturns, draws: Draws) -> list[Measured]:
    """Measure the adjusted R-squared of returns on the peers' average, month by month.

    In every month t the cross-section r_it = a_t + b_t mean_{j in P(i)} r_jt + e_it is regressed
    over the firm-months in which every method has peers; the adjusted R-squared is averaged over
    months. A level that all companies share, the market's, is in a_t and earns nothing.

    n counts the firm-months.
    """
    by_set = []
    for average in data.averages:
        monthly = monthly_r2(data, average, draws.companies)
        known = np.isfinite(monthly)
        weight = np.where(known, draws.months, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            by_set.append((np.where(known, monthly, 0) * weight).sum(axis=0) / weight.sum(axis=0))
    n = np.full(len(peers.methods), data.common.sum())
    return [Measured("peer_r2", peers.methods, peers.average(by_set), n)]


def monthly_r2(data: PeerReturns, average: FloatArray, weights: FloatArray) -> FloatArray:
    """Compute the adjusted R-squared of every month's cross-section, [T, R].

    Parameters
    ----------
    data : PeerReturns
    average : ndarray [n, T]
        Of one set of peers.
    weights : ndarray [n, R]
        How often each company is drawn.

    Returns
    -------
    ndarray [T, R], float64
        NaN where fewer than ten companies are there, or nothing varies.
    """
    here = data.common
    y, x = (_centred(values, here).astype(weights.dtype) for values in (data.returns, average))
    count = here.T.astype(weights.dtype) @ weights
    with np.errstate(invalid="ignore", divide="ignore"):
        y_mean, x_mean = y.T @ weights / count, x.T @ weights / count
        y_variance = (y**2).T @ weights / count - y_mean**2
        x_variance = (x**2).T @ weights / count - x_mean**2
        covariance = (x * y).T @ weights / count - x_mean * y_mean
        plain = covariance.astype(np.float64) ** 2 / (x_variance * y_variance)
        adjusted = 1 - (1 - plain) * (count - 1) / (count - 2)
    known = (count >= LEAST) & (x_variance > 0) & (y_variance > 0)
    return np.where(known, adjusted, np.nan)


def monthly_series(peers: Peers, data: PeerReturns) -> FloatArray:
    """Compute every method's adjusted R-squared by month, [methods, T], over ties' draws."""
    one = np.ones((len(data.returns), 1))
    return peers.average([monthly_r2(data, average, one)[:, 0] for average in data.averages])


def hedged_variance(
    peers: Peers, past: PeerReturns, later: PeerReturns, draws: Draws
) -> list[Measured]:
    """Measure what is left of a company's variance after it is hedged with its peers.

    The hedge is short b_i of the equally weighted basket of its peers, b_i being the slope of the
    company's returns on the basket's over the last 36 months before the cut (one slope, not a
    weight per peer: 36 months do not carry ten of them). Measured is the later Var(r_i - b_i p_i)
    / Var(r_i), as the median over companies: 1 is no hedge at all, lower is better.

    n counts the companies with 24 months of both before the cut.
    """
    by_set, counted = [], []
    for before, after in zip(past.averages, later.averages, strict=True):
        slope = hedge_ratio(past.returns, before)
        hedged = later.returns - slope[:, None] * after
        both = np.isfinite(hedged)
        ratio = _variance(hedged, both, draws.months) / _variance(later.returns, both, draws.months)
        by_set.append(quantile(ratio, draws.who, 0.5))
        counted.append(np.isfinite(ratio).any(axis=1).sum())
    n = np.rint(peers.average(counted)).astype(np.int64)
    return [Measured("hedged_variance", peers.methods, peers.average(by_set), n)]


def hedge_ratio(returns: FloatArray, basket: FloatArray) -> FloatArray:
    """Slope of each company's returns on its basket's, [n, T] each -> [n].

    NaN with fewer than 24 months of both.
    """
    both = np.isfinite(returns) & np.isfinite(basket)
    y, x = (_centred(values.T, both.T).T for values in (returns, basket))
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = (x * y).sum(axis=1) / (x**2).sum(axis=1)
    return np.where(both.sum(axis=1) >= LEAST_HEDGE_MONTHS, slope, np.nan)


def _centred(values: FloatArray, here: npt.NDArray[np.bool_]) -> FloatArray:
    """Subtract each column's mean over the places that count; 0 in all others."""
    filled = np.where(here, values, 0)
    mean = filled.sum(axis=0) / np.maximum(here.sum(axis=0), 1)
    return np.asarray(np.where(here, filled - mean, 0))


def _variance(values: FloatArray, both: npt.NDArray[np.bool_], months: FloatArray) -> FloatArray:
    """Variance over drawn months, [n, T] and [T, R] -> [n, R]."""
    centred = _centred(values.T, both.T).T.astype(months.dtype)
    with np.errstate(invalid="ignore", divide="ignore"):
        count = both.astype(months.dtype) @ months
        mean = centred @ months / count
        found = (centred**2) @ months / count - mean**2
    return np.where((count >= 2) & (found > 0), found, np.nan)


def newey_west(difference: Sequence[float] | FloatArray) -> tuple[float, float, float, int]:
    """Mean of a monthly series with its 95 % interval by Newey and West's standard error.

    Parameters
    ----------
    difference : array_like [T]
        Of two methods, month by month; missing months are left out.

    Returns
    -------
    mean, low, high : float
        Of one month alone there is no interval. The companies count as given: for companies drawn
        anew the interval is too narrow (see `finsae.benchmark.interval.bounds`).
    n : int
        Months. The lag is floor(4 (n / 100)^(2/9)).
    """
    from statsmodels.regression.linear_model import OLS

    series = np.asarray(difference, dtype=np.float64)
    series = series[np.isfinite(series)]
    n = len(series)
    mean = float(series.mean()) if n else np.nan
    if n < 2:
        return mean, np.nan, np.nan, n
    if np.ptp(series) == 0:
        return mean, mean, mean, n
    lag = int(4 * (n / 100) ** (2 / 9))
    fit = OLS(series, np.ones(n)).fit(
        cov_type="HAC", cov_kwds={"maxlags": lag, "use_correction": True}, use_t=True
    )
    low, high = fit.conf_int()[0]
    return float(fit.params[0]), float(low), float(high), n
