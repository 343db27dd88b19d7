"""Intervals from the stationary bootstrap of Politis and Romano (1994).

Days are drawn in blocks of random length, so that what lasts for days stays together. All draws of
a method, and both sides of a difference, are drawn on the same days.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from finsae.pairs.stats.sharpe import Floats, Statistic, annual_sharpe


def intervals(
    daily: ArrayLike,
    figures: Sequence[Statistic] = (annual_sharpe,),
    *,
    minus: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Floats:
    """Percentile intervals of figures, averaged over draws, under the stationary bootstrap.

    Parameters
    ----------
    daily : array, days (x draws)
        Daily returns; all draws are resampled on the same days.
    figures : sequence of callable
        Figures of daily mean and standard deviation; the Sharpe ratio by default.
    minus : array, days (x draws), optional
        Returns of another method on the same days: the intervals are then of differences.
    level : float
        Coverage of the intervals.
    resamples, seed : int
        Number of resamples, and the seed that makes them reproducible.

    Returns
    -------
    array, figures x 2
        Low and high; NaN where a figure does not exist.

    Notes
    -----
    The mean block length is that of Politis and White (2004), from the returns averaged over draws
    (and differenced, if a difference is asked for).
    """
    one = _by_draw(daily)
    other = None if minus is None else _by_draw(minus)
    path = one.mean(axis=1) - (0.0 if other is None else other.mean(axis=1))
    bounds = np.full((len(figures), 2), np.nan)
    if len(path) < 3 or not np.ptp(path) > 0.0:
        return bounds
    counts = _resampled_days(path, resamples=resamples, seed=seed)
    for place, figure in enumerate(figures):
        values = _resampled(one, counts, figure)
        if other is not None:
            values = values - _resampled(other, counts, figure)
        if np.isfinite(values).any():
            bounds[place] = np.nanquantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return bounds


def _by_draw(daily: ArrayLike) -> Floats:
    values = np.asarray(daily, dtype=np.float64)
    return values[:, None] if values.ndim == 1 else values


def _resampled_days(path: Floats, *, resamples: int, seed: int) -> Floats:
    """How often each resample draws each day, resamples x days."""
    from arch.bootstrap import StationaryBootstrap, optimal_block_length  # half a second to import

    days = len(path)
    length = float(optimal_block_length(path)["stationary"].iloc[0])
    block = min(max(length, 1.0), days / 2.0) if np.isfinite(length) else 1.0
    draws = StationaryBootstrap(block, np.arange(days), seed=np.random.default_rng(seed))
    return np.stack(
        [np.bincount(args[0], minlength=days) for args, _ in draws.bootstrap(resamples)]
    ).astype(np.float64)


def _resampled(daily: Floats, counts: Floats, figure: Statistic) -> Floats:
    """Figure of each resample, averaged over draws; a weighted sum stands for the drawn days."""
    days = len(daily)
    centre = daily.mean(axis=0)
    mean = counts @ (daily - centre) / days
    square = counts @ (daily - centre) ** 2 / days
    variance = (square - mean**2) * days / (days - 1)
    # Rounding leaves a resample of identical days a variance next to nothing.
    sd = np.sqrt(np.where(variance > 1e-12 * square, variance, 0.0))
    values = figure(mean + centre, sd)
    exists = np.isfinite(values)
    total = np.where(exists, values, 0.0).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.where(exists.any(axis=1), exists.sum(axis=1), np.nan))
