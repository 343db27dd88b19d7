"""The Sharpe ratio of daily returns, and its standard error when days are not independent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats, Floats], Floats]
"""Daily mean and standard deviation to a figure."""

PERIODS = 252
"""Trading days in a year."""


def annual_return(mean: Floats, sd: Floats) -> Floats:
    """Annual return on committed capital, not compounded."""
    return mean * PERIODS


def annual_volatility(mean: Floats, sd: Floats) -> Floats:
    """Annual standard deviation of the return on committed capital, days as if independent."""
    return np.asarray(sd * np.sqrt(PERIODS))


def annual_sharpe(mean: Floats, sd: Floats) -> Floats:
    """Annual Sharpe ratio; NaN without variance: a book that never trades has none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(sd > 0.0, mean / sd * np.sqrt(PERIODS), np.nan))


def sharpe(daily: ArrayLike) -> Floats:
    """Annual Sharpe ratio of daily returns in excess of nothing: the books finance themselves.

    Parameters
    ----------
    daily : array, days (x draws)
        Idle days count as zero.

    Returns
    -------
    array, one value per draw
        NaN where the returns do not vary.
    """
    return statistic(daily, annual_sharpe)


def statistic(daily: ArrayLike, figure: Statistic) -> Floats:
    """Any figure of mean and standard deviation (n - 1), per draw of `daily`, days (x draws)."""
    values = np.asarray(daily, dtype=np.float64)
    mean = values.mean(axis=0)
    # Identical returns have a standard deviation of rounding errors.
    sd = np.where(np.ptp(values, axis=0) > 0.0, values.std(axis=0, ddof=1), 0.0)
    return figure(mean, sd)


def sharpe_error(daily: ArrayLike) -> float:
    """Estimate the annual Sharpe ratio's error, robust to autocorrelation and fat tails.

    The Sharpe ratio is a smooth function of the first two moments; the long-run variance of its
    influence function, by Bartlett's kernel with the bandwidth of Newey and West (1994), is its
    variance times the number of days (Lo, 2002, section 3).

    Parameters
    ----------
    daily : array, days

    Returns
    -------
    float
        Its standard error; NaN where the returns do not vary, or for fewer than 10 days.
    """
    from arch.covariance.kernel import Bartlett  # half a second to import

    values = np.asarray(daily, dtype=np.float64)
    if len(values) < 10 or not np.ptp(values) > 0.0:
        return np.nan
    standard = (values - values.mean()) / values.std()
    ratio = values.mean() / values.std()
    influence = standard - ratio / 2.0 * (standard**2 - 1.0)
    variance = float(Bartlett(influence[:, None]).cov.long_run.squeeze())
    return float(np.sqrt(variance / len(values) * PERIODS))
