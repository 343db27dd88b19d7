"""What a backtest earned, and how sure one can be of it.

Intervals come from the stationary bootstrap of Politis and Romano (1994): days are drawn in blocks
of random length, so that what lasts for days stays together. All draws of a method, and both sides
of a difference, are drawn on the same days.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finsae.pairs.engine import Backtest

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


def max_drawdown(daily: ArrayLike) -> Floats:
    """Deepest fall of the summed returns from their last peak, in units of committed capital."""
    equity = np.cumsum(np.asarray(daily, dtype=np.float64), axis=0)
    peak = np.maximum(np.maximum.accumulate(equity, axis=0), 0.0)
    return np.asarray((peak - equity).max(axis=0, initial=0.0))


def break_even_bps(backtest: Backtest) -> float:
    """Costs per leg and side, in basis points, that eat the whole profit; NaN without trades."""
    traded = float(backtest.traded.to_numpy().sum())
    return float(backtest.gross.to_numpy().sum()) / traded * 1e4 if traded > 0.0 else np.nan


def summary(backtest: Backtest) -> dict[str, float]:
    """Figures of one book that have no interval of their own.

    Returns
    -------
    dict
        total_return (sum of daily net returns), max_drawdown (of the net returns), turnover (value
        bought and sold a year over committed capital), exposure (mean value held, likewise),
        idle (share of days without a position), hit_rate (share of trades with a net profit),
        holding_days (mean), trades, pairs, break_even_bps.
    """
    returns, trades = backtest.returns, backtest.trades
    capital, years = max(len(backtest.pairs), 1), max(len(returns), 1) / PERIODS
    return {
        "total_return": float(returns["net"].sum()),
        "max_drawdown": float(max_drawdown(returns["net"])),
        "turnover": float(backtest.traded.to_numpy().sum()) / capital / years,
        "exposure": float(returns["gross_exposure"].mean()),
        "idle": float((returns["n_open"] == 0).mean()),
        "hit_rate": float((trades["net"] > 0.0).mean()),
        "holding_days": float(trades["days"].mean()),
        "trades": float(len(trades)),
        "pairs": float(len(backtest.pairs)),
        "break_even_bps": break_even_bps(backtest),
    }


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
