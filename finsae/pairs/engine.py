"""What trading pairs earns: from leg weights to money, day by day and trade by trade.

Weights decided at one day's close are traded at the next day's. A pair's position is a number of
shares of each leg, fixed when it is opened on one unit of money, and changed only when the weights
change. All pairs are marked to market at each close and added up on committed capital: one unit per
pair, whether it trades or not. Nothing is reinvested, so daily returns add up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finsae.checks import DataError
from finsae.pairs.cointegration import log_prices
from finsae.pairs.rules import EXITS

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]


@dataclass(frozen=True)
class Backtest:
    """The outcome of trading some pairs over one window.

    Attributes
    ----------
    pairs : DataFrame
        The pairs traded, ``y, x`` and whatever the selection said of them.
    gross, costs, traded, held : DataFrame, dates x pairs
        Daily profit before costs, costs, value bought and sold, and value held at the close (both
        legs, without sign), in units of one pair's capital. Columns: the index of `pairs`.
    trades : DataFrame
        One row per position from opening to close: ``pair`` (index in `pairs`), ``y, x``, side (1:
        long y), entry and exit date, days between them, prices, shares at the opening, profit
        ``gross``, ``costs`` and ``net``, and the reason of the exit.
    """

    pairs: pd.DataFrame
    gross: pd.DataFrame
    costs: pd.DataFrame
    traded: pd.DataFrame
    held: pd.DataFrame
    trades: pd.DataFrame

    @cached_property
    def returns(self) -> pd.DataFrame:
        """Daily ``gross`` and ``net`` return on committed capital, pairs open, gross exposure."""
        capital = max(len(self.pairs), 1)
        gross = self.gross.sum(axis=1) / capital
        return pd.DataFrame(
            {
                "gross": gross,
                "net": gross - self.costs.sum(axis=1) / capital,
                "n_open": (self.held > 0.0).sum(axis=1),
                "gross_exposure": self.held.sum(axis=1) / capital,
            }
        )

    def take(self, pairs: pd.DataFrame) -> Backtest:
        """Keep the book of some of the pairs alone.

        A pair earns the same in any book; only the capital is shared.

        Parameters
        ----------
        pairs : DataFrame
            Columns ``y, x``, all traded here; its other columns take the place of those here.

        Raises
        ------
        DataError
            If a pair was not traded here.
        """
        known = pd.MultiIndex.from_frame(self.pairs[["y", "x"]])
        places = known.get_indexer(pd.MultiIndex.from_frame(pairs[["y", "x"]]))
        if (places < 0).any():
            lost = pairs[places < 0].iloc[0]
            raise DataError(f"the pair {lost['y']}, {lost['x']} was not traded")
        names = pd.Index(self.pairs.index[places])
        rows = self.trades["pair"].isin(names)
        trades = self.trades[rows].assign(
            pair=pairs.index[names.get_indexer(pd.Index(self.trades.loc[rows, "pair"]))]
        )
        frames = {
            name: getattr(self, name)[names].set_axis(pairs.index, axis=1)
            for name in ("gross", "costs", "traded", "held")
        }
        return replace(self, pairs=pairs, trades=trades.reset_index(drop=True), **frames)


def simulate(
    weights: Floats,
    prices: pd.DataFrame,
    *,
    pairs: pd.DataFrame,
    cost_bps: float = 10.0,
    exits: Codes | None = None,
) -> Backtest:
    """Trade leg weights at the close after the one that decided them.

    A day on which a leg has no price trades nothing: the position waits, at its last prices, for
    the next day with both, and then follows the decision of the close before that day. What is open
    at the last close is sold there, at the last prices known if need be; nothing is opened there.

    Parameters
    ----------
    weights : array, days x pairs x 2
        Target weights of y and x decided at each close, as from a rule's `positions`.
    prices : DataFrame, dates x tickers
        Closes of the trading window, NaN where missing.
    pairs : DataFrame
        Columns ``y, x`` (tickers), unique index; row p holds the legs of ``weights[:, p]``.
    cost_bps : float
        Costs per leg and side, in basis points of the value traded.
    exits : array, days x pairs, optional
        A rule's reasons (places in `rules.EXITS`), for the trades' last column.

    Returns
    -------
    Backtest

    Raises
    ------
    DataError
        If shapes differ, a weight is not a number in [-1, 1], a leg has no prices, a price is not
        above zero, or costs are negative.
    """
    closes = _closes(prices, pairs)
    _check(weights, closes, exits, cost_bps=cost_bps)
    marks = np.nan_to_num(_carried(closes), nan=1.0)  # before a first price nothing is held
    target = _executed(weights, np.isfinite(closes).min(axis=2))
    side = np.where(target[..., 0] != 0.0, np.sign(target[..., 0]), -np.sign(target[..., 1]))
    changed = (target != _yesterday(target)).any(axis=2)[..., None]
    changed[:1] = True  # the first day's nothing is a position too
    shares = _carried(np.where(changed, target / marks, np.nan))
    held = _yesterday(shares)
    gross = held * np.diff(marks, axis=0, prepend=marks[:1])
    # A turn from one side to the other is a close and an opening, whatever the legs' signs.
    turned = (side != _yesterday(side))[..., None]
    sold = np.where(turned, np.abs(held), 0.0) * marks
    bought = np.where(turned, np.abs(shares), np.abs(shares - held)) * marks
    rate = cost_bps / 1e4
    spans = _spans(side)
    trades = _describe(spans, prices.index, pairs, shares=shares, marks=marks)
    trades["gross"] = _sum_within(gross, spans, after=0)
    closing = rate * sold.sum(axis=2)[spans.end, spans.pair]
    trades["costs"] = rate * _sum_within(bought, spans, after=-1) + closing
    trades["net"] = trades["gross"] - trades["costs"]
    trades["reason"] = _reasons(spans, exits, last=len(prices) - 1)

    def by_pair(book: Floats) -> pd.DataFrame:
        return pd.DataFrame(book.sum(axis=2), index=prices.index, columns=pairs.index)

    return Backtest(
        pairs=pairs,
        gross=by_pair(gross),
        costs=by_pair(rate * (sold + bought)),
        traded=by_pair(sold + bought),
        held=by_pair(np.abs(shares) * marks),
        trades=trades,
    )


class _Spans(NamedTuple):
    """Positions from opening to close: pair, day opened, day closed, side."""

    pair: NDArray[np.intp]
    start: NDArray[np.intp]
    end: NDArray[np.intp]
    side: NDArray[np.int64]


def _closes(prices: pd.DataFrame, pairs: pd.DataFrame) -> Floats:
    """Look up the closes of both legs, days x pairs x 2."""
    unknown = set(pairs["y"]).union(pairs["x"]).difference(prices.columns)
    if unknown:
        raise DataError(f"no prices for {', '.join(sorted(unknown)[:5])}: leave them out")
    values = prices.to_numpy(dtype=np.float64)
    log_prices(values)
    legs = [prices.columns.get_indexer(pd.Index(pairs[leg])) for leg in ("y", "x")]
    return np.stack([values[:, leg] for leg in legs], axis=2)


def _check(weights: Floats, closes: Floats, exits: Codes | None, *, cost_bps: float) -> None:
    if weights.shape != closes.shape:
        raise DataError(f"weights of shape {weights.shape} do not fit prices of {closes.shape}")
    if exits is not None and exits.shape != closes.shape[:2]:
        raise DataError(f"exits of shape {exits.shape} do not fit prices of {closes.shape[:2]}")
    if not (np.abs(weights) <= 1.0).all():
        raise DataError("weights must be numbers in [-1, 1]; flat is 0, not NaN")
    if not cost_bps >= 0.0:
        raise DataError(f"costs must be zero or more basis points, not {cost_bps}")


def _carried(values: Floats) -> Floats:
    """Fill each NaN with the last value before it, along the days."""
    days = np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, days), axis=0)
    return np.take_along_axis(values, last, axis=0)


def _yesterday(values: Floats) -> Floats:
    """Shift by a day; nothing is held before the first."""
    return np.concatenate([np.zeros_like(values[:1]), values[:-1]])


def _executed(weights: Floats, tradable: NDArray[np.bool_]) -> Floats:
    """Weights in force after each close: decided the close before, delayed where a price lacks."""
    decided = np.where(tradable[..., None], _yesterday(weights), np.nan)
    decided[:1] = decided[-1:] = 0.0
    return _carried(decided)


def _spans(side: Floats) -> _Spans:
    """Pair each opening with its close; every position is closed on the last day at the latest."""
    before = _yesterday(side)
    pair, start = np.nonzero(((side != before) & (side != 0.0)).T)
    _, end = np.nonzero(((side != before) & (before != 0.0)).T)
    return _Spans(pair, start, end, side[start, pair].astype(np.int64))


def _sum_within(book: Floats, spans: _Spans, *, after: int) -> Floats:
    """Sum over a position's days after the `start + after`-th, up to the `end + after`-th."""
    total = np.cumsum(book.sum(axis=2), axis=0)
    return np.asarray(total[spans.end + after, spans.pair] - total[spans.start + after, spans.pair])


def _describe(
    spans: _Spans, dates: pd.Index, pairs: pd.DataFrame, *, shares: Floats, marks: Floats
) -> pd.DataFrame:
    entry, exit_ = marks[spans.start, spans.pair], marks[spans.end, spans.pair]
    opened = shares[spans.start, spans.pair]
    legs = pairs.iloc[spans.pair]
    return pd.DataFrame(
        {
            "pair": legs.index,
            "y": legs["y"].to_numpy(),
            "x": legs["x"].to_numpy(),
            "side": spans.side,
            "entry": dates[spans.start],
            "exit": dates[spans.end],
            "days": spans.end - spans.start,
            "entry_y": entry[:, 0],
            "entry_x": entry[:, 1],
            "exit_y": exit_[:, 0],
            "exit_x": exit_[:, 1],
            "shares_y": opened[:, 0],
            "shares_x": opened[:, 1],
        }
    )


def _reasons(spans: _Spans, exits: Codes | None, *, last: int) -> NDArray[np.object_]:
    """Name the rule's last reason within each position; else the window's end, or a signal."""
    reason = np.where(spans.end == last, "end of window", "signal").astype(object)
    if exits is None:
        return reason
    days = np.arange(len(exits))[:, None]
    given = np.maximum.accumulate(np.where(exits != 0, days, -1), axis=0)[spans.end - 1, spans.pair]
    known = given >= spans.start
    reason[known] = np.array(EXITS, dtype=object)[exits[given, spans.pair][known]]
    return reason
