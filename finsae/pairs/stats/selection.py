"""How much of a Sharpe ratio is left when it is known how many were tried."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri
from scipy.stats import kurtosis, rankdata, skew

from finsae.checks import DataError
from finsae.pairs.stats.sharpe import PERIODS, Floats

MIN_CONFIGURATIONS = 16
"""Configurations below which the probability of overfitting is too coarse to be stated."""


def probabilistic_sharpe(daily: ArrayLike, *, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio is above a benchmark (Bailey and de Prado, 2012).

    Parameters
    ----------
    daily : array, days
    benchmark : float
        An annual Sharpe ratio.

    Returns
    -------
    float
        NaN where the returns do not vary. Skewness and kurtosis are allowed for, autocorrelation is
        not: `sharpe_error` allows for that.
    """
    values = np.asarray(daily, dtype=np.float64)
    ratio, error = _ratio_and_error(values)
    if not error > 0.0:
        return np.nan
    return float(ndtr((ratio - benchmark / np.sqrt(PERIODS)) / error))


def min_track_record(daily: ArrayLike, *, benchmark: float = 0.0, level: float = 0.95) -> float:
    """Days of returns like these needed to place the Sharpe ratio above a benchmark.

    Parameters
    ----------
    daily : array, days
    benchmark : float
        An annual Sharpe ratio.
    level : float
        Probability wanted.

    Returns
    -------
    float
        Infinite where the ratio is not above the benchmark.
    """
    values = np.asarray(daily, dtype=np.float64)
    ratio, error = _ratio_and_error(values)
    beyond = ratio - benchmark / np.sqrt(PERIODS)
    if not error > 0.0:
        return np.nan
    if beyond <= 0.0:
        return np.inf
    return float(1.0 + error**2 * (len(values) - 1) * (ndtri(level) / beyond) ** 2)


def best_of_nothing(trials: int, sd: float) -> float:
    """Largest Sharpe ratio to be expected of skill-less trials.

    Parameters
    ----------
    trials : int
        How many there were, as if independent.
    sd : float
        Standard deviation of their Sharpe ratios, in the unit of the answer.

    Notes
    -----
    Bailey and de Prado (2014), equation 2: the expected maximum of so many normal draws.
    """
    if trials < 2:
        return 0.0
    rare = ndtri(1.0 - 1.0 / np.array([trials, trials * np.e]))
    return float(sd * ((1.0 - np.euler_gamma) * rare[0] + np.euler_gamma * rare[1]))


def deflated_sharpe(daily: ArrayLike, *, trials: int, sd: float | None = None) -> float:
    """Probability that the true Sharpe ratio is above the best of so many skill-less trials.

    Parameters
    ----------
    daily : array, days
        Of the configuration that is judged.
    trials : int
        Distinct configurations ever run on these data, from the ledger.
    sd : float, optional
        Standard deviation of their annual Sharpe ratios; by default that which pure estimation
        error has over as many days, the least it can be expected to be.

    Returns
    -------
    float
        As `probabilistic_sharpe`, which it equals for a single trial.
    """
    days = max(len(np.asarray(daily)), 1)
    spread = float(np.sqrt(PERIODS / days)) if sd is None or not sd > 0.0 else sd
    return probabilistic_sharpe(daily, benchmark=best_of_nothing(trials, spread))


def overfitting(returns: ArrayLike, *, blocks: int = 16) -> float:
    """Probability that the best configuration in sample is below the median out of it.

    Combinatorially symmetric cross-validation (Bailey, Borwein, de Prado and Zhu, 2017): days are
    cut into blocks, every half of them is once the sample and its complement what follows, and the
    Sharpe ratio is the measure.

    Parameters
    ----------
    returns : array, days x configurations
        Daily returns of each configuration on the same days.
    blocks : int
        Even; 16 give 12,870 splits.

    Raises
    ------
    DataError
        With fewer than 16 configurations, an odd number of blocks, or fewer than two days a block.
    """
    values = np.asarray(returns, dtype=np.float64)
    days, configurations = values.shape
    if configurations < MIN_CONFIGURATIONS:
        raise DataError(
            f"the probability of overfitting needs at least {MIN_CONFIGURATIONS} configurations, "
            f"not {configurations}"
        )
    if blocks < 2 or blocks % 2 or days < 2 * blocks:
        raise DataError(f"{blocks} blocks of {days} days: choose an even number, two days in each")
    pieces = np.array_split(values - values.mean(axis=0), blocks)
    sizes = np.array([len(piece) for piece in pieces], dtype=np.float64)
    sums = np.stack([piece.sum(axis=0) for piece in pieces])
    squares = np.stack([(piece**2).sum(axis=0) for piece in pieces])
    halves = np.zeros((len(list(combinations(range(blocks), blocks // 2))), blocks))
    for row, chosen in enumerate(combinations(range(blocks), blocks // 2)):
        halves[row, list(chosen)] = 1.0
    centre = values.mean(axis=0)
    inside = _ratios(halves, sizes, sums, squares, centre=centre)
    outside = _ratios(1.0 - halves, sizes, sums, squares, centre=centre)
    best = inside.argmax(axis=1)
    rank = rankdata(outside, axis=1)[np.arange(len(best)), best]
    # logit of rank / (n + 1) at or below zero
    return float((rank <= (configurations + 1) / 2.0).mean())


def _ratios(
    halves: Floats, sizes: Floats, sums: Floats, squares: Floats, *, centre: Floats
) -> Floats:
    """Sharpe ratio of each configuration over each choice of blocks; 0 without variance."""
    n = (halves @ sizes)[:, None]
    mean = halves @ sums / n
    variance = np.maximum(halves @ squares / n - mean**2, 0.0) * n / (n - 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variance > 1e-24, (mean + centre) / np.sqrt(variance), 0.0)


def _ratio_and_error(values: Floats) -> tuple[float, float]:
    """Daily Sharpe ratio and its standard error under any skewness and kurtosis (Mertens, 2002)."""
    if len(values) < 3 or not np.ptp(values) > 0.0:
        return np.nan, np.nan
    ratio = values.mean() / values.std(ddof=1)
    tails = float(kurtosis(values, fisher=False))
    spread = 1.0 - float(skew(values)) * ratio + (tails - 1.0) / 4.0 * ratio**2
    return float(ratio), float(np.sqrt(max(spread, 0.0) / (len(values) - 1)))
