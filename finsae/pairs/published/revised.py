"""The authors' later rules: Engle-Granger, rolling bands, a monthly re-test, pairs added up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finsae.pairs.book import Backtest
from finsae.pairs.cointegration import engle_granger
from finsae.pairs.engine import Floats, simulate
from finsae.pairs.published.paper import (
    CAPITAL,
    CORRELATION,
    FREE,
    LEVEL,
    PAIR,
    published_walk,
    replaced,
)

FORMATION, MIN_ROWS, ROLLING = 504, 126, 252
ACTIVE, WATCH, SUSPENDED = 0, 1, 2
PASS, DOUBT, FAIL = 0.05, 0.10, 0.20
"""p-values of the monthly re-test: to pass, to be watched, to be suspended at once."""

PRICES = (1.0, 5000.0)
LARGEST_Z, LARGEST_MOVE, SMALLEST_SD = 8.0, 0.5, 1e-6


def trade_revised(
    candidates: Sequence[pd.DataFrame], formation: pd.DataFrame, later: pd.DataFrame
) -> Backtest:
    """Trade as the authors' later code does.

    Selection: the last 504 days of formation, at least 126 of them common, correlation of price
    levels above 0.95, Engle-Granger on prices below 0.01. Bands: the residual of a regression over
    the 252 days before, standardised by the residuals of the 252 days before; opened at 1, closed
    at 0, stopped at 2, filled at the same close, without costs. On the first day of each month the
    pair is tested again on the 504 days before: p >= 0.20 suspends it, p >= 0.10 watches it (half
    size); a watched pair is suspended at p >= 0.10 and active again below 0.05; a suspended one
    needs two tests in a row below 0.05.

    Parameters
    ----------
    candidates : sequence of DataFrame
        Pairs ``a, b`` of each year's clusters; a pair in several is traded as often.
    formation, later : DataFrame, dates x tickers
        Closes of the formation window and of the trading window.

    Returns
    -------
    Backtest
        Gross and net returns are the changes of the net asset value, 100,000 at the start and
        10,000 to a pair: there are no costs.
    """
    pairs = _chosen(candidates, formation.tail(FORMATION))
    prices = pd.concat([formation, later.reindex(columns=formation.columns)])
    y, x = (prices[pairs[leg]].to_numpy(dtype=np.float64) for leg in ("y", "x"))
    z = _z(y, x)[-len(later) :]
    state = _states(y, x, pd.DatetimeIndex(prices.index), len(later))
    side = published_walk(z, state != SUSPENDED)
    opened = (side != np.concatenate([np.zeros_like(side[:1]), side[:-1]])) & (side != 0)
    at = np.maximum.accumulate(np.where(opened, np.arange(len(side))[:, None], 0), axis=0)
    size = np.where(np.take_along_axis(state, at, axis=0) == WATCH, 0.5, 1.0)
    weights = (side * size)[..., None] * np.array([0.5, -0.5])
    filled = np.concatenate([weights[1:], np.zeros_like(weights[:1])])
    book = simulate(filled, prices.tail(len(later)), pairs=pairs, terms=FREE)
    value = CAPITAL + PAIR * book.gross.sum(axis=1).cumsum()
    return replaced(book, value.pct_change().fillna(0.0))


def _chosen(candidates: Sequence[pd.DataFrame], formation: pd.DataFrame) -> pd.DataFrame:
    named = pd.concat([frame[["a", "b"]] for frame in candidates], ignore_index=True)
    once = named.drop_duplicates(ignore_index=True)
    y, x = (formation[once[leg]].to_numpy(dtype=np.float64) for leg in ("a", "b"))
    common = np.isfinite(y) & np.isfinite(x)
    y, x = np.where(common, y, np.nan), np.where(common, x, np.nan)
    tests = engle_granger(y, x)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.nanstd(x, axis=0) / np.nanstd(y, axis=0) if len(once) else np.zeros(0)
    found = once.assign(correlation=tests["hedge"].to_numpy() * spread, pvalue=tests["pvalue"])
    enough = common.sum(axis=0) >= MIN_ROWS
    passed = enough & (found["correlation"] > CORRELATION) & (found["pvalue"] < LEVEL)
    chosen = named.merge(found[passed], on=["a", "b"])
    return chosen.rename(columns={"a": "y", "b": "x"}).reset_index(drop=True)


def _z(y: Floats, x: Floats) -> Floats:
    """Standardise the rolling residual, by moments of the day before; NaN where a guard fails."""
    a, b = pd.DataFrame(y), pd.DataFrame(x)
    a, b = a.where(b.notna()), b.where(a.notna())

    def rolled(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.rolling(ROLLING).mean()

    mean_a, mean_b = rolled(a), rolled(b)
    hedge = (rolled(a * b) - mean_a * mean_b) / (rolled(b * b) - mean_b**2)
    level = mean_a - hedge * mean_b
    residual = a - level.shift(1) - hedge.shift(1) * b
    sd = residual.rolling(ROLLING).std(ddof=0).shift(1)
    z = (residual - rolled(residual).shift(1)) / sd.where(sd >= SMALLEST_SD)
    low, high = PRICES
    sound = (a > low) & (a < high) & (b > low) & (b < high) & (z.abs() <= LARGEST_Z)
    for leg in (a, b):
        sound &= ~((leg / leg.shift(1) - 1.0).abs() > LARGEST_MOVE)
    return z.where(sound).to_numpy()


def _states(y: Floats, x: Floats, dates: pd.DatetimeIndex, days: int) -> NDArray[np.int8]:
    """State of each pair on each of the last `days` days, by the monthly re-test."""
    months = dates.year * 12 + dates.month
    begins = np.r_[True, np.diff(months) != 0][-days:]
    state = np.zeros(y.shape[1], dtype=np.int8)
    passes = np.zeros(y.shape[1], dtype=np.int64)
    states = np.empty((days, y.shape[1]), dtype=np.int8)
    for day in range(days):
        if begins[day] and y.shape[1]:
            now = len(y) - days + day
            window = slice(max(now - FORMATION, 0), now)
            p = engle_granger(y[window], x[window])["pvalue"].fillna(1.0).to_numpy()
            state, passes = _retested(state, passes, p)
        states[day] = state
    return states


def _retested(
    state: NDArray[np.int8], passes: NDArray[np.int64], p: Floats
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    passes = np.where((state == SUSPENDED) & (p < PASS), passes + 1, 0)
    after = state.copy()
    after[(state == ACTIVE) & (p >= DOUBT)] = WATCH
    after[(state == ACTIVE) & (p >= FAIL)] = SUSPENDED
    after[(state == WATCH) & (p >= DOUBT)] = SUSPENDED
    after[(state == WATCH) & (p < PASS)] = ACTIVE
    after[(state == SUSPENDED) & (passes >= 2)] = ACTIVE
    return after, np.where(after == SUSPENDED, passes, 0)
