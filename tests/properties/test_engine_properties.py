"""Money is neither made nor lost but by prices and costs: the engine against a plain ledger."""

import markets
import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from finsae.pairs import Terms, simulate

SEEDS = st.integers(0, 2**31)


def world(seed, *, days=40, pairs=5, gaps=0.0, resizing=False):
    """Random weights held for random spells, on random walks with missing prices."""
    rng = np.random.default_rng(seed)
    prices = markets.walks(days, 2 * pairs, seed=seed)
    prices = prices.mask(rng.random(prices.shape) < gaps)
    legs = markets.side_by_side(prices.columns[:pairs], prices.columns[pairs:])
    side = np.repeat(rng.integers(-1, 2, (days // 4 + 1, pairs)), 4, axis=0)[:days]
    hedge = rng.uniform(0.2, 2.0, (days, pairs) if resizing else pairs)
    weights = np.stack([side, -side * hedge], axis=2) / (1 + np.atleast_2d(hedge))[..., None]
    return weights, prices, legs


def ledger(weights, y, x, *, cost_bps):
    """Equity of one pair after each close: cash in hand and shares at their last prices."""
    cash, shares, last, held = 0.0, np.zeros(2), np.zeros(2), np.zeros(2)
    equity = []
    for day in range(len(y)):
        price = np.array([y[day], x[day]])
        tradable = np.isfinite(price).all()
        last = np.where(np.isfinite(price), price, last)
        final = day == len(y) - 1
        target = np.zeros(2) if final else weights[day - 1] if day and tradable else held
        if (target != held).any():
            wanted = target / last if target.any() else np.zeros(2)
            turned = np.sign(target[0]) != np.sign(held[0])
            moved = abs(shares) + abs(wanted) if turned else abs(wanted - shares)
            cash -= ((wanted - shares) * last).sum() + cost_bps / 1e4 * (moved * last).sum()
            shares, held = wanted, target
        equity.append(cash + (shares * last).sum())
    return np.array(equity)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, gaps=st.sampled_from([0.0, 0.1, 0.4]), resizing=st.booleans())
def test_equity_is_that_of_a_ledger_on_every_day(seed, gaps, resizing):
    weights, prices, pairs = world(seed, gaps=gaps, resizing=resizing)
    book = simulate(weights, prices, pairs=pairs, terms=Terms(15, borrow_bps=0))
    equity = (book.gross - book.costs).cumsum()
    for p, (y, x) in enumerate(pairs.itertuples(index=False)):
        expected = ledger(weights[:, p], prices[y].to_numpy(), prices[x].to_numpy(), cost_bps=15)
        assert_allclose(equity[p], expected, rtol=1e-10, atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, gaps=st.sampled_from([0.0, 0.2]), resizing=st.booleans())
def test_trades_add_up_to_the_book(seed, gaps, resizing):
    weights, prices, pairs = world(seed, gaps=gaps, resizing=resizing)
    book = simulate(weights, prices, pairs=pairs, terms=Terms(15, borrow_bps=0))
    for figure, daily in (("gross", book.gross), ("costs", book.costs)):
        by_pair = book.trades.groupby("pair")[figure].sum().reindex(pairs.index, fill_value=0.0)
        assert_allclose(by_pair, daily.sum(), rtol=1e-10, atol=1e-12)
    assert_allclose(book.returns["net"].sum() * len(pairs), book.trades["net"].sum(), atol=1e-12)
    assert_allclose(book.costs, 15e-4 * book.traded, atol=1e-15)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_a_trade_is_shares_times_price_change(seed):
    weights, prices, pairs = world(seed)
    trades = simulate(weights, prices, pairs=pairs, terms=Terms(0, borrow_bps=0)).trades
    change_y = trades["shares_y"] * (trades["exit_y"] - trades["entry_y"])
    change_x = trades["shares_x"] * (trades["exit_x"] - trades["entry_x"])
    assert_allclose(trades["gross"], change_y + change_x, rtol=1e-10, atol=1e-12)
    worth = (trades["shares_y"] * trades["entry_y"]).abs()
    worth += (trades["shares_x"] * trades["entry_x"]).abs()
    assert_allclose(worth, 1.0)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, gaps=st.sampled_from([0.0, 0.2]))
def test_order_of_pairs_plays_no_part(seed, gaps):
    weights, prices, pairs = world(seed, gaps=gaps)
    order = np.random.default_rng(seed).permutation(len(pairs))
    one = simulate(weights, prices, pairs=pairs)
    two = simulate(weights[:, order], prices, pairs=pairs.iloc[order])
    pd.testing.assert_frame_equal(one.gross, two.gross[one.gross.columns])
    assert_allclose(one.returns, two.returns, atol=1e-15)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, kept=st.integers(5, 39))
def test_later_days_do_not_change_the_past(seed, kept):
    weights, prices, pairs = world(seed, gaps=0.1)
    whole = simulate(weights, prices, pairs=pairs)
    part = simulate(weights[:kept], prices.iloc[:kept], pairs=pairs)
    # On its last day a window sells what is open; up to the day before nothing may differ.
    for name in ("gross", "costs", "held"):
        left, right = getattr(whole, name), getattr(part, name)
        assert_allclose(left.iloc[: kept - 1], right.iloc[: kept - 1], atol=1e-15)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_a_book_of_some_pairs_earns_what_they_earn(seed):
    weights, prices, pairs = world(seed)
    chosen = pairs.iloc[[3, 1]].reset_index(drop=True)
    taken = simulate(weights, prices, pairs=pairs).take(chosen)
    alone = simulate(weights[:, [3, 1]], prices, pairs=chosen)
    pd.testing.assert_frame_equal(taken.returns, alone.returns)
    columns = ["pair", "y", "x", "entry", "exit", "net"]
    ordered = taken.trades.sort_values(["pair", "entry"], ignore_index=True)
    pd.testing.assert_frame_equal(ordered[columns], alone.trades[columns])


def test_a_signal_a_day_later_earns_something_else():
    weights, prices, pairs = world(3)
    late = np.concatenate([np.zeros_like(weights[:1]), weights[:-1]])
    one, two = (simulate(w, prices, pairs=pairs).returns["net"] for w in (weights, late))
    assert not np.allclose(one, two)
