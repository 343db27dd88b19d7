"""The rules of the published code: selection on price levels, bands of the whole window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from finsae.pairs.book import Backtest, Book
from finsae.pairs.cointegration import adf
from finsae.pairs.engine import Floats, carried, shares_held, simulate
from finsae.pairs.rules.bands import Codes, least_squares
from finsae.pairs.terms import Terms

CAPITAL, PAIR = 100_000.0, 10_000.0
"""Capital at the start, and what a pair is opened with: 5,000 long and 5,000 short."""

CORRELATION, LEVEL = 0.95, 0.01
"""Of price levels, and of the unit-root test: a pair is traded beyond the one, below the other."""

MIN_ROWS = 60
ENTRY, STOP = 1.0, 2.0
ALIVE_DAYS = 31
"""A firm must have a price in the window's last month, which nobody can know at its start."""

FREE = Terms(0.0, borrow_bps=0.0, patience=1_000_000)


@dataclass(frozen=True)
class Defects:
    """Which of the published defects a re-enactment has; all of them are the published rules.

    Attributes
    ----------
    overwritten : bool
        One net asset value by date, written over by every pair in turn, starting from the cash the
        pair before left behind; what earlier pairs left open is valued at the pair's own prices.
    duplicates : bool
        A pair in the clusters of several years is traded as often.
    survivors : bool
        Pairs with a firm without a price in the window's last month are left out.
    whole_window : bool
        Hedge ratio, mean and deviation of the spread come from the window that is traded.
    same_close : bool
        Orders are filled at the close that decided them.
    slope_one : bool
        Pairs are chosen by the correlation of price levels and a unit-root test of y - x; else by
        Engle-Granger on log prices, whose spread is then the one traded.
    equal_dollars : bool
        As many dollars long as short, whatever the hedge ratio of the spread.
    """

    overwritten: bool = True
    duplicates: bool = True
    survivors: bool = True
    whole_window: bool = True
    same_close: bool = True
    slope_one: bool = True
    equal_dollars: bool = True


def level_pairs(candidates: Sequence[pd.DataFrame], formation: pd.DataFrame) -> pd.DataFrame:
    """Choose pairs as the published code does.

    Parameters
    ----------
    candidates : sequence of DataFrame
        Pairs ``a, b`` of each year's clusters.
    formation : DataFrame, dates x tickers
        Closes of the formation window.

    Returns
    -------
    DataFrame
        ``y, x`` (a and b), ``correlation`` of price levels above 0.95 and ``pvalue`` of the
        augmented Dickey-Fuller test of y - x below 0.01, on common days, at least 60; a pair as
        often as it is named.
    """
    named = pd.concat([frame[["a", "b"]] for frame in candidates], ignore_index=True)
    once = named.drop_duplicates(ignore_index=True)
    y, x = (formation[once[leg]].to_numpy(dtype=np.float64) for leg in ("a", "b"))
    common = np.isfinite(y) & np.isfinite(x)
    y, x = np.where(common, y, np.nan), np.where(common, x, np.nan)
    line = least_squares(y, x)
    ratio = np.sqrt(line.spread_x / np.where(common, (y - line.mean_y) ** 2, 0.0).sum(axis=0))
    found = once.assign(correlation=line.hedge * ratio)
    passed = (found["correlation"] > CORRELATION) & (common.sum(axis=0) >= MIN_ROWS)
    found = found[passed]
    rows = found.index.to_numpy()
    tested = adf((y - x)[:, rows])["pvalue"].to_numpy() if len(rows) else np.zeros(0)
    found = found.assign(pvalue=tested)
    found = found[found["pvalue"] < LEVEL]
    chosen = named.merge(found, on=["a", "b"]).rename(columns={"a": "y", "b": "x"})
    return chosen.reset_index(drop=True)


def trade_paper(
    candidates: Sequence[pd.DataFrame], formation: pd.DataFrame, later: pd.DataFrame
) -> Backtest:
    """Trade as the published code does, and report the net asset value that it reports.

    Parameters
    ----------
    candidates : sequence of DataFrame
        Pairs ``a, b`` of each year's clusters.
    formation, later : DataFrame, dates x tickers
        Closes of the formation window (12 years in the paper) and of the trading window (7).

    Returns
    -------
    Backtest
        Gross and net returns are the changes of that net asset value: there are no costs. The other
        columns are those of the pairs added up.
    """
    return enact(level_pairs(candidates, formation), formation, later, defects=Defects())


def enact(
    pairs: pd.DataFrame,
    formation: pd.DataFrame,
    later: pd.DataFrame,
    *,
    defects: Defects,
    terms: Terms = FREE,
) -> Backtest:
    """Trade chosen pairs (``y, x``) with some of the published defects."""
    if not defects.duplicates:
        pairs = pairs.drop_duplicates(["y", "x"], ignore_index=True)
    later = later.reindex(columns=formation.columns)
    if defects.survivors:
        last = later.index[-1] - pd.Timedelta(days=ALIVE_DAYS)
        alive = later.loc[last:].notna().any()
        pairs = pairs[(alive[pairs["y"]].to_numpy()) & (alive[pairs["x"]].to_numpy())]
        pairs = pairs.reset_index(drop=True)
    weights = _weights(pairs, formation, later, defects)
    if defects.same_close:
        weights = np.concatenate([weights[1:], np.zeros_like(weights[:1])])
    book = simulate(weights, later, pairs=pairs, terms=terms)
    if not defects.overwritten:
        return book.summed()
    value = overwritten_value(weights, later, pairs)
    change = value.pct_change().fillna(0.0)
    return replaced(book, change)


def replaced(book: Book, change: pd.Series) -> Backtest:
    """Put the changes of a reported net asset value in the place of the book's returns."""
    returns = book.returns.assign(gross=change, net=change)
    share = returns["employed"].where(returns["employed"] > 0.0, 1.0)
    returns = returns.assign(gross_employed=change / share, net_employed=change / share)
    return Backtest(book.pairs, book.trades, returns)


def overwritten_value(weights: Floats, later: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series:
    """Net asset value by date, as the published code has it: written over pair after pair."""
    target = np.concatenate([np.zeros_like(weights[:1]), weights[:-1]])
    closes = np.stack([later[pairs[leg]].to_numpy(dtype=np.float64) for leg in ("y", "x")], axis=2)
    marks = np.nan_to_num(carried(closes), nan=1.0)
    shares = PAIR * shares_held(target, marks)
    paid = np.cumsum((np.diff(shares, axis=0, prepend=0.0) * marks).sum(axis=2), axis=0)
    value, cash, left = np.full(len(later), np.nan), CAPITAL, np.zeros(2)
    for pair in range(len(pairs)):
        days = np.isfinite(closes[:, pair]).all(axis=1)
        worth = cash - paid[:, pair] + ((shares[:, pair] + left) * marks[:, pair]).sum(axis=1)
        value[days] = worth[days]
        cash -= paid[-1, pair]
        left = left + shares[-1, pair]
    return pd.Series(value, index=later.index).ffill().fillna(CAPITAL)


def published_walk(z: Floats, allowed: np.ndarray | None = None) -> Codes:
    """Side after each close: open at a crossing of 1, close at 0, stop at 2, no rest after it.

    Parameters
    ----------
    z : array, days x pairs
        A day without z decides nothing.
    allowed : array of bool, days x pairs, optional
        Where a position may be held.
    """
    side = np.zeros(z.shape, dtype=np.int8)
    held = np.zeros(z.shape[1], dtype=np.int8)
    before = np.full(z.shape[1], np.nan)
    for day, now in enumerate(z):
        free = held == 0
        done = ((held == -1) & (now <= 0.0)) | ((held == 1) & (now >= 0.0)) | (np.abs(now) >= STOP)
        held[~free & done] = 0
        held[free & (before < ENTRY) & (now > ENTRY)] = -1
        held[free & (before > -ENTRY) & (now < -ENTRY)] = 1
        if allowed is not None:
            held[~allowed[day]] = 0
        side[day], before = held, np.where(np.isnan(now), before, now)
    return side


def _weights(
    pairs: pd.DataFrame, formation: pd.DataFrame, later: pd.DataFrame, defects: Defects
) -> Floats:
    """Leg weights decided at each close, days x pairs x 2."""
    scale = np.asarray if defects.slope_one else np.log
    y, x = (scale(later[pairs[leg]].to_numpy(dtype=np.float64)) for leg in ("y", "x"))
    before = [scale(formation[pairs[leg]].to_numpy(dtype=np.float64)) for leg in ("y", "x")]
    line = least_squares(y, x) if defects.whole_window else least_squares(before[0], before[1])
    z = (y - line.mean_y - line.hedge * (x - line.mean_x)) / line.sd
    side = published_walk(z).astype(np.float64)
    if defects.equal_dollars:
        hedge = np.ones_like(z)
    elif defects.slope_one:
        hedge = _at_opening(line.hedge * x / y, side)
    else:
        hedge = np.broadcast_to(line.hedge, z.shape)
    legs = np.stack([np.ones_like(hedge), -hedge], axis=2) / (1.0 + np.abs(hedge))[..., None]
    return np.where(side[..., None] == 0.0, 0.0, side[..., None] * legs)


def _at_opening(hedge: Floats, side: Floats) -> Floats:
    """Dollars of x per dollar of y, kept as they were when the position was opened."""
    opened = (side != np.concatenate([np.zeros_like(side[:1]), side[:-1]])) & (side != 0.0)
    return carried(np.where(opened, hedge, np.nan))
