"""What trading pairs earns: from leg weights to money, day by day and trade by trade.

Weights decided at one day's close are traded at the next day's. A pair's position is a number of
shares of each leg, fixed when it is opened on one unit of money, and changed only when the weights
change. All pairs are marked to market at each close and added up on committed capital: one unit per
pair, whether it trades or not. Nothing is reinvested, so daily returns add up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finsae.checks import DataError
from finsae.pairs.book import Book
from finsae.pairs.cointegration import log_prices
from finsae.pairs.rules import EXITS
from finsae.pairs.terms import Terms

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]

DAYS_A_YEAR = 365
"""Of the borrow fee."""


def simulate(
    weights: Floats,
    prices: pd.DataFrame,
    *,
    pairs: pd.DataFrame,
    terms: Terms | None = None,
    exits: Codes | None = None,
) -> Book:
    """Trade leg weights at the close after the one that decided them.

    A day on which a leg has no price trades nothing: the position waits, at its last prices, for
    the next day with both, and then follows the decision of the close before that day; if there is
    none within `terms.patience` days, the leg counts as delisted. What is open at the last close is
    sold there, at the last prices known if need be; nothing is opened there. A leg without a price
    at that close that never trades again (`terms.ended`) counts as delisted too.

    Parameters
    ----------
    weights : array, days x pairs x 2
        Target weights of y and x decided at each close, as from a rule's `positions`.
    prices : DataFrame, dates x tickers
        Closes of the trading window, NaN where missing.
    pairs : DataFrame
        Columns ``y, x`` (tickers), unique index; row p holds the legs of ``weights[:, p]``.
    terms : Terms, optional
        Costs, caps and the convention on delisted legs; by default 10 basis points per leg and
        side, 50 a year on what is borrowed, no caps.
    exits : array, days x pairs, optional
        A rule's reasons (places in `rules.EXITS`), for the trades' last column.

    Returns
    -------
    Book
        On every day and in every pair, cash and shares at their prices change by the shares of the
        day before times the change of prices, less costs.

    Raises
    ------
    DataError
        If shapes differ, a weight is not a number in [-1, 1], a leg has no prices, or a price is
        not above zero.
    """
    terms = terms or Terms()
    closes = _closes(prices, pairs)
    _check(weights, closes, exits)
    priced = np.isfinite(closes)
    gone = _given_up(priced, terms.patience)
    over = _over(priced[-1:], pairs, prices.index, terms=terms)
    marks = np.nan_to_num(carried(closes), nan=1.0)  # before a first price nothing is held
    target = _executed(weights, priced[..., 0] & priced[..., 1], gone)
    if terms.capped:
        target = _admitted(target, marks, terms)
    shares = shares_held(target, marks)
    held = yesterday(shares)
    lost = gone[..., None] & ~priced
    lost[-1:] |= over
    gone[-1:] |= over.any(axis=2)
    marks = np.where(lost, marks * (1.0 - terms.delisting_loss * np.sign(held)), marks)
    side = _side(target)
    money = _dealt(shares, marks, side, dates=prices.index, terms=terms)
    spans = _spans(side)
    trades = _describe(spans, prices.index, pairs, shares=shares, marks=marks)
    trades["gross"] = _sum_within(money.gross, spans, after=0)
    closing = money.closing[spans.end, spans.pair]
    opening = _sum_within(money.opening, spans, after=-1)
    trades["costs"] = opening + closing + _sum_within(money.borrowing, spans, after=0)
    trades["net"] = trades["gross"] - trades["costs"]
    trades["reason"] = _reasons(spans, exits, gone)
    return _book(money, pairs, trades, prices.index, shares=shares, marks=marks)


class _Money(NamedTuple):
    """Days x pairs: profit, what dealing and borrowing cost, and the value traded."""

    gross: Floats
    opening: Floats
    closing: Floats
    borrowing: Floats
    per_share: Floats  # part of opening and closing
    traded: Floats


def _dealt(shares: Floats, marks: Floats, side: Floats, *, dates: pd.Index, terms: Terms) -> _Money:
    """Count profits and costs of holding shares, days x pairs x 2."""
    held = yesterday(shares)
    # A turn from one side to the other is a close and an opening, whatever the legs' signs.
    turned = (side != yesterday(side))[..., None]
    sold = np.where(turned, np.abs(held), 0.0)
    bought = np.where(turned, np.abs(shares), np.abs(shares - held))
    value_sold, value_bought = _both(sold * marks), _both(bought * marks)
    share_sold, share_bought = terms.per_share * _both(sold), terms.per_share * _both(bought)
    days = np.diff(dates.to_numpy().astype("datetime64[D]")).astype(np.float64)
    short = _both(np.maximum(-shares * marks, 0.0))
    borrowing = yesterday(short) * np.concatenate([[0.0], days])[:, None]
    rate = terms.cost_bps / 1e4
    return _Money(
        gross=_both(held * np.diff(marks, axis=0, prepend=marks[:1])),
        opening=rate * value_bought + share_bought,
        closing=rate * value_sold + share_sold,
        borrowing=borrowing * (terms.borrow_bps / 1e4 / DAYS_A_YEAR),
        per_share=share_sold + share_bought,
        traded=value_sold + value_bought,
    )


def _book(
    money: _Money,
    pairs: pd.DataFrame,
    trades: pd.DataFrame,
    dates: pd.Index,
    *,
    shares: Floats,
    marks: Floats,
) -> Book:
    costs = money.opening + money.closing + money.borrowing
    paid = _both((shares - yesterday(shares)) * marks) + costs
    value = shares * marks
    daily = {
        "gross": money.gross,
        "costs": costs,
        "fees": money.per_share + money.borrowing,
        "traded": money.traded,
        "held": _both(np.abs(value)),
        "net_held": _both(value),
        "cash": -np.cumsum(paid, axis=0),
        "shares_y": shares[..., 0],
        "shares_x": shares[..., 1],
    }
    frames = {
        name: pd.DataFrame(values, index=dates, columns=pairs.index, copy=False)
        for name, values in daily.items()
    }
    return Book(pairs=pairs, trades=trades, **frames)


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


def _check(weights: Floats, closes: Floats, exits: Codes | None) -> None:
    if weights.shape != closes.shape:
        raise DataError(f"weights of shape {weights.shape} do not fit prices of {closes.shape}")
    if exits is not None and exits.shape != closes.shape[:2]:
        raise DataError(f"exits of shape {exits.shape} do not fit prices of {closes.shape[:2]}")
    if not (np.abs(weights) <= 1.0).all():
        raise DataError("weights must be numbers in [-1, 1]; flat is 0, not NaN")


def carried(values: Floats) -> Floats:
    """Fill each NaN with the last value before it, along the days."""
    days = np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, days), axis=0)
    return np.take_along_axis(values, last, axis=0)


def yesterday(values: Floats) -> Floats:
    """Shift by a day; nothing is held before the first."""
    return np.concatenate([np.zeros_like(values[:1]), values[:-1]])


def _both(values: Floats) -> Floats:
    """Sum over the two legs."""
    return np.asarray(values[..., 0] + values[..., 1])


def _given_up(priced: Flags, patience: int) -> Flags:
    """Days, of each pair, on which a leg has had no price for `patience` days in a row."""
    days = np.arange(len(priced))[:, None, None]
    last = np.maximum.accumulate(np.where(priced, days, -1), axis=0)
    return np.asarray((days - last == patience).any(axis=2))


def _over(priced: Flags, pairs: pd.DataFrame, dates: pd.Index, *, terms: Terms) -> Flags:
    """Legs without a price at the last close, and ever after: 1 x pairs x 2."""
    if not terms.ended:
        return np.zeros_like(priced)
    ended = {ticker for ticker, day in terms.ended.items() if day <= dates[-1]}
    return np.asarray(~priced & pairs[["y", "x"]].isin(ended).to_numpy())


def _executed(weights: Floats, tradable: Flags, gone: Flags) -> Floats:
    """Weights in force after each close: decided the close before, delayed where a price lacks."""
    decided = np.where(tradable[..., None], yesterday(weights), np.nan)
    decided[gone] = 0.0
    decided[:1] = decided[-1:] = 0.0
    return carried(decided)


def _side(target: Floats) -> Floats:
    """Direction of y; of a pair without y, the opposite of x's."""
    y, x = target[..., 0], target[..., 1]
    return np.asarray(np.where(y != 0.0, np.sign(y), -np.sign(x)))


def shares_held(target: Floats, marks: Floats) -> Floats:
    """Shares after each close: bought at its prices when the weights change, kept in between."""
    changed = (target != yesterday(target)).any(axis=2)[..., None]
    changed[:1] = True  # the first day's nothing is a position too
    return carried(np.where(changed, target / marks, np.nan))


def _admitted(target: Floats, marks: Floats, terms: Terms) -> Floats:
    """Drop the positions whose opening would take the book beyond its caps.

    Pairs do not depend on one another but here, so what each would be worth is known, and only who
    is let in has to be decided, opening by opening.
    """
    value = shares_held(target, marks) * marks
    gross, net = _both(np.abs(value)), _both(value)
    capital = target.shape[1]
    most = np.inf if terms.gross_cap is None else terms.gross_cap * capital
    tilt = np.inf if terms.net_cap is None else terms.net_cap * capital
    spans = _spans(_side(target))
    inside = np.zeros(target.shape[1], dtype=bool)  # pairs with a position that was let in
    until = np.zeros(target.shape[1], dtype=np.intp)
    target = target.copy()
    for at in np.lexsort((spans.pair, spans.start)):
        pair, start, end = spans.pair[at], spans.start[at], spans.end[at]
        inside &= until > start
        held, lean = gross[start, inside].sum(), net[start, inside].sum()
        if held + gross[start, pair] <= most and abs(lean + net[start, pair]) <= tilt:
            inside[pair], until[pair] = True, end
        else:
            target[start:end, pair] = 0.0
    return target


def _spans(side: Floats) -> _Spans:
    """Pair each opening with its close; every position is closed on the last day at the latest."""
    before = yesterday(side)
    pair, start = np.nonzero(((side != before) & (side != 0.0)).T)
    _, end = np.nonzero(((side != before) & (before != 0.0)).T)
    return _Spans(pair, start, end, side[start, pair].astype(np.int64))


def _sum_within(book: Floats, spans: _Spans, *, after: int) -> Floats:
    """Sum over a position's days after the `start + after`-th, up to the `end + after`-th."""
    total = np.cumsum(book, axis=0)
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


def _reasons(spans: _Spans, exits: Codes | None, gone: Flags) -> NDArray[np.object_]:
    """Name the rule's last reason within each position; else delisting, the end, or a signal."""
    reason = np.where(spans.end == len(gone) - 1, "end of window", "signal").astype(object)
    if exits is not None:
        days = np.arange(len(exits))[:, None]
        last = np.maximum.accumulate(np.where(exits != 0, days, -1), axis=0)
        given = last[spans.end - 1, spans.pair]
        known = given >= spans.start
        reason[known] = np.array(EXITS, dtype=object)[exits[given, spans.pair][known]]
    reason[gone[spans.end, spans.pair]] = "delisted"
    return reason
