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


def ledger(weights, closes, dates, terms):
    """One pair day by day, as a clerk would: cash in hand, shares, and their last prices."""
    cash, shares, last, held, missing = 0.0, np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(2)
    rows = []
    for day, price in enumerate(closes):
        if day:
            nights = (dates[day] - dates[day - 1]).days
            cash -= np.maximum(-shares * last, 0).sum() * terms.borrow_bps / 1e4 * nights / 365
        tradable = np.isfinite(price).all()
        last = np.where(np.isfinite(price), price, last)
        missing = np.where(np.isfinite(price), 0, missing + 1)
        final = day == len(closes) - 1
        target = np.zeros(2) if final else weights[day - 1] if day and tradable else held
        if (missing == terms.patience).any():
            target = np.zeros(2)
            last = np.where(missing > 0, last * (1 - terms.delisting_loss * np.sign(shares)), last)
        if (target != held).any():
            wanted = target / last if target.any() else np.zeros(2)
            turned = np.sign(target[0]) != np.sign(held[0])
            moved = abs(shares) + abs(wanted) if turned else abs(wanted - shares)
            cash -= ((wanted - shares) * last).sum() + terms.cost_bps / 1e4 * (moved * last).sum()
            cash -= terms.per_share * moved.sum()
            shares, held = wanted, target
        rows.append([cash, *shares, cash + (shares * last).sum()])
    return np.array(rows)


def terms(patience=10):
    return Terms(15, borrow_bps=300, per_share=0.01, patience=patience, delisting_loss=0.3)


@settings(max_examples=25, deadline=None)
@given(
    seed=SEEDS,
    gaps=st.sampled_from([0.0, 0.1, 0.4]),
    resizing=st.booleans(),
    patience=st.sampled_from([1, 2, 10]),
)
def test_cash_and_shares_are_those_of_a_clerk_on_every_day(seed, gaps, resizing, patience):
    weights, prices, pairs = world(seed, gaps=gaps, resizing=resizing)
    book = simulate(weights, prices, pairs=pairs, terms=terms(patience))
    equity = (book.gross - book.costs).cumsum()
    for p, legs in enumerate(pairs.itertuples(index=False)):
        expected = ledger(
            weights[:, p], prices[list(legs)].to_numpy(), prices.index, terms(patience)
        )
        found = np.column_stack([book.cash[p], book.shares_y[p], book.shares_x[p], equity[p]])
        assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, gaps=st.sampled_from([0.0, 0.2]), resizing=st.booleans())
def test_equity_changes_by_position_times_price_change_less_costs(seed, gaps, resizing):
    weights, prices, pairs = world(seed, gaps=gaps, resizing=resizing)
    book = simulate(weights, prices, pairs=pairs, terms=Terms(15, per_share=0.01))
    y, x = (prices[pairs[leg]].ffill().fillna(0.0).to_numpy() for leg in ("y", "x"))
    shares_y, shares_x = book.shares_y.to_numpy(), book.shares_x.to_numpy()
    equity = book.cash.to_numpy() + shares_y * y + shares_x * x
    earned = shares_y[:-1] * np.diff(y, axis=0) + shares_x[:-1] * np.diff(x, axis=0)
    expected = earned - book.costs.to_numpy()[1:]
    assert_allclose(np.diff(equity, axis=0), expected, rtol=0, atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, gaps=st.sampled_from([0.0, 0.2]), resizing=st.booleans())
def test_trades_add_up_to_the_book(seed, gaps, resizing):
    weights, prices, pairs = world(seed, gaps=gaps, resizing=resizing)
    book = simulate(weights, prices, pairs=pairs, terms=terms(patience=2))
    for figure, daily in (("gross", book.gross), ("costs", book.costs)):
        by_pair = book.trades.groupby("pair")[figure].sum().reindex(pairs.index, fill_value=0.0)
        assert_allclose(by_pair, daily.sum(), rtol=1e-10, atol=1e-12)
    assert_allclose(book.returns["net"].sum() * len(pairs), book.trades["net"].sum(), atol=1e-12)
    assert_allclose(book.costs, 15e-4 * book.traded + book.fees, atol=1e-15)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, cap=st.sampled_from([0.25, 0.5]), net=st.sampled_from([None, 0.05, 0.3]))
def test_no_opening_takes_the_book_beyond_its_caps(seed, cap, net):
    weights, prices, pairs = world(seed, pairs=8)
    free = simulate(weights, prices, pairs=pairs)
    book = simulate(weights, prices, pairs=pairs, terms=Terms(gross_cap=cap, net_cap=net))
    opened = book.trades["entry"].unique()
    at_openings = book.returns.loc[opened]
    assert (at_openings["gross_exposure"] <= cap + 1e-12).all()
    if net is not None:
        assert (at_openings["net_exposure"].abs() <= net + 1e-12).all()
    same = ["pair", "entry", "exit", "gross", "costs"]
    kept = book.trades[same].merge(free.trades[same], on=same[:3], how="left")
    assert kept.notna().all(axis=None)
    assert_allclose(kept["gross_x"], kept["gross_y"], atol=1e-11)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, day=st.integers(3, 36))
def test_caps_look_no_further_than_the_day(seed, day):
    weights, prices, pairs = world(seed, pairs=8)
    noise = np.exp(np.random.default_rng(seed).normal(0, 0.2, prices.shape))
    noise[: day + 1] = 1.0
    capped = Terms(gross_cap=0.4, net_cap=0.2, patience=2)
    one, two = (simulate(weights, p, pairs=pairs, terms=capped) for p in (prices, prices * noise))
    for name in ("gross", "costs", "shares_y", "cash"):
        left, right = getattr(one, name), getattr(two, name)
        assert_allclose(left.iloc[: day + 1], right.iloc[: day + 1], rtol=0, atol=1e-14)


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
