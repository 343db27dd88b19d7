"""What to know of a spread: how fast it reverts, how far it strays, how often it returns."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import fft

Floats = NDArray[np.float64]

HURST_LAGS = (2, 100)
"""First lag, and the one after the last, of the Hurst exponent's regression."""

_BLOCK = 512


def half_life(spread: ArrayLike) -> Floats:
    """Days in which half of a deviation is expected to vanish.

    ``ln(1/2) / ln(phi)``, with phi the slope of the spread on its value of the day before (with a
    constant).

    Parameters
    ----------
    spread : array, days x pairs (or days)
        Days next to a missing value are left out.

    Returns
    -------
    array, one value per pair
        inf where phi >= 1 (no reversion), 0 where phi <= 0 (gone in a day), NaN where the spread
        does not move.
    """
    values = np.asarray(spread, dtype=np.float64)
    before, after = values[:-1], values[1:]
    known = np.isfinite(before) & np.isfinite(after)
    count = np.maximum(known.sum(axis=0), 1)
    before = np.where(known, before, 0.0)
    after = np.where(known, after, 0.0)
    before = np.where(known, before - before.sum(axis=0) / count, 0.0)
    variance = (before * before).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        phi = (before * after).sum(axis=0) / variance
        days = np.log(0.5) / np.log(phi)
    days = np.where(phi >= 1.0, np.inf, np.where(phi <= 0.0, 0.0, days))
    return np.asarray(np.where(variance > 0.0, days, np.nan))


def hurst(spread: ArrayLike) -> Floats:
    """Hurst exponent: how fast a spread's changes grow with the time they are given.

    The slope of the logarithm of the standard deviation of changes over 2 to 99 days (at most half
    the days) on the logarithm of their number: 0.5 for a random walk, less for a spread that
    reverts. It says little by itself: 84 % of the residuals of unrelated walks have less than 0.5.
    As in Sarmento and Horta (2020).

    Parameters
    ----------
    spread : array, days x pairs (or days)
        Changes from or to a missing value are left out.

    Returns
    -------
    array, one value per pair
        NaN where there are fewer than 8 days, or a change does not vary.
    """
    values = np.asarray(spread, dtype=np.float64)
    rows = _columns(values).T
    blocks = [_hurst(rows[at : at + _BLOCK]) for at in range(0, max(len(rows), 1), _BLOCK)]
    return np.concatenate(blocks).reshape(values.shape[1:])


def mean_crossings(spread: ArrayLike) -> Floats:
    """Count how often a year (252 days) a spread crosses its mean.

    Parameters
    ----------
    spread : array, days x pairs (or days)
        A crossing over a missing value counts once; a touch of the mean is no crossing.

    Returns
    -------
    array, one value per pair
        NaN without two days.
    """
    values = np.asarray(spread, dtype=np.float64)
    flat = _columns(values)
    known = np.isfinite(flat)
    count = known.sum(axis=0)
    mean = np.where(known, flat, 0.0).sum(axis=0) / np.maximum(count, 1)
    side = np.sign(np.where(known, flat - mean, 0.0))
    # Days without a side keep the side of the day before.
    last = np.maximum.accumulate(np.where(side != 0.0, np.arange(len(flat))[:, None], 0), axis=0)
    side = np.take_along_axis(side, last, axis=0)
    crossed = (side[1:] * side[:-1] < 0.0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = crossed * 252.0 / np.where(count > 1, count - 1.0, np.nan)
    return np.asarray(rate).reshape(values.shape[1:])


def spread_statistics(y: ArrayLike, x: ArrayLike, hedge: ArrayLike) -> pd.DataFrame:
    """Describe the spreads ``y - hedge x`` of log prices.

    Parameters
    ----------
    y, x : array, days x pairs
        Log prices.
    hedge : array, one value per pair
        Hedge ratios.

    Returns
    -------
    DataFrame, one row per pair
        half_life (days), hurst, crossings (of the mean, a year), variance (of the spread, n - 1).
    """
    spread = np.asarray(y, dtype=np.float64) - np.asarray(hedge) * np.asarray(x, dtype=np.float64)
    return pd.DataFrame(
        {
            "half_life": half_life(spread),
            "hurst": hurst(spread),
            "crossings": mean_crossings(spread),
            "variance": _variance(spread),
        }
    )


def _variance(spread: Floats) -> Floats:
    """Variance of each column's known values; NaN where there are fewer than two."""
    known = np.isfinite(spread)
    count = known.sum(axis=0)
    mean = np.where(known, spread, 0.0).sum(axis=0) / np.maximum(count, 1)
    square = np.where(known, spread - mean, 0.0) ** 2
    return np.asarray(square.sum(axis=0) / np.where(count > 1, count - 1.0, np.nan))


def _columns(values: Floats) -> Floats:
    """One series as a table of one column."""
    return values[:, None] if values.ndim == 1 else values


def _hurst(rows: Floats) -> Floats:
    """Hurst exponents of series [series, days]; all lags' products come from one transform."""
    days = rows.shape[1]
    lags = np.arange(HURST_LAGS[0], min(HURST_LAGS[1], days // 2))
    if len(lags) < 2:
        return np.full(len(rows), np.nan)
    known = np.isfinite(rows)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    filled = np.where(known, rows, 0.0)
    filled = np.where(known, filled - filled.sum(axis=1, keepdims=True) / count, 0.0)
    size = fft.next_fast_len(days + int(lags[-1]), real=True)
    there, value, square = (fft.rfft(part, size) for part in (known * 1.0, filled, filled**2))

    def lagged(first: NDArray[np.complex128], second: NDArray[np.complex128]) -> Floats:
        """Sum over t first_t second_(t + lag)."""
        return np.asarray(fft.irfft(np.conj(first) * second, size))[:, lags]

    pairs = np.round(lagged(there, there))
    squares = lagged(square, there) + lagged(there, square) - 2.0 * lagged(value, value)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (lagged(there, value) - lagged(value, there)) / pairs
        variance = squares / pairs - mean**2
        # Rounding of the transform leaves a constant series a variance next to nothing.
        floor = 1e-12 * (filled**2).sum(axis=1, keepdims=True) / count
        deviation = 0.5 * np.log(np.where(variance > floor, variance, np.nan))
    steps = np.log(lags)
    steps = steps - steps.mean()
    return np.asarray(deviation @ steps / (steps @ steps))
