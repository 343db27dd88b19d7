"""What every trading rule of the menu must do, and a rule that looks ahead and is caught."""

import numpy as np
import pytest

from finsae.pairs.rules import ZScore
from finsae.plugins import MENU, make

FORMATION, TRADING, PAIRS = 120, 90, 6


class Leaky(ZScore):
    """Takes mean and deviation from the whole trading window, as the published code does."""

    def positions(self, y, x):
        self.fit(y, x)
        return super().positions(y, x)


@pytest.fixture(params=MENU["rule"])
def rule(request):
    return make("rule", request.param)


@pytest.fixture
def legs():
    """Prices of legs that stay together, so that every rule has something to do."""
    rng = np.random.default_rng(11)
    days = FORMATION + TRADING
    common = np.cumsum(rng.normal(0, 0.01, (days, PAIRS)), axis=0)
    y = 40 * np.exp(common + rng.normal(0, 0.02, (days, PAIRS)))
    x = 30 * np.exp(common + rng.normal(0, 0.02, (days, PAIRS)))
    return (y[:FORMATION], x[:FORMATION]), (y[FORMATION:], x[FORMATION:])


def moves_before(rule, later, day, seed=0):
    """Whether noise after a day changes a position up to it."""
    y, x = (leg.copy() for leg in later)
    known = np.array(rule.positions(y, x))
    noise = np.exp(np.random.default_rng(seed).normal(0, 0.2, y[day + 1 :].shape))
    y[day + 1 :] *= noise
    x[day + 1 :] = x[day + 1 :][::-1] / noise
    return not np.array_equal(known[: day + 1], rule.positions(y, x)[: day + 1])


def test_it_trades_on_these_prices(rule, legs):
    before, after = legs
    assert np.any(rule.fit(*before).positions(*after) != 0)


@pytest.mark.parametrize("day", [0, 1, 30, TRADING - 2])
def test_noise_after_a_day_moves_no_position_up_to_it(rule, legs, day):
    before, after = legs
    assert not moves_before(rule.fit(*before), after, day)


def test_a_rule_that_looks_ahead_is_caught(legs):
    before, after = legs
    assert moves_before(Leaky(entry=1.0).fit(*before), after, 30)


def test_later_days_change_nothing(rule, legs):
    before, (y, x) = legs
    rule.fit(*before)
    assert np.array_equal(rule.positions(y, x)[:50], rule.positions(y[:50], x[:50]))


def test_reasons_of_exits_look_no_further_either(rule, legs):
    before, (y, x) = legs
    rule.fit(*before)
    if hasattr(rule, "exits"):
        assert np.array_equal(rule.exits(y, x)[:50], rule.exits(y[:50], x[:50]))


def test_weights_are_two_legs_of_at_most_one(rule, legs):
    before, after = legs
    weights = rule.fit(*before).positions(*after)
    assert weights.shape == (TRADING, PAIRS, 2)
    assert np.abs(weights).max() <= 1.0
    assert np.abs(weights).sum(axis=2).max() <= 1.0 + 1e-12


def test_flat_where_a_price_is_missing(rule, legs):
    before, (y, x) = legs
    y, x = y.copy(), x.copy()
    y[20:25, 0] = np.nan
    x[40:, 1] = np.nan
    weights = rule.fit(*before).positions(y, x)
    assert np.all(weights[20:25, 0] == 0) and np.all(weights[40:, 1] == 0)
    assert np.all(np.isfinite(weights))


def test_positions_learn_nothing(rule, legs):
    before, (y, x) = legs
    rule.fit(*before)
    first = np.array(rule.positions(y, x))
    rule.positions(2 * y[::-1], x[::-1] ** 2)
    assert np.array_equal(first, rule.positions(y, x))


def test_pairs_do_not_see_one_another(rule, legs):
    (fy, fx), (y, x) = legs
    order = np.random.default_rng(1).permutation(PAIRS)
    whole = np.array(rule.fit(fy, fx).positions(y, x))
    shuffled = rule.fit(fy[:, order], fx[:, order]).positions(y[:, order], x[:, order])
    assert np.allclose(whole[:, order], shuffled, atol=1e-12)


def test_legs_that_never_move_are_not_traded(rule, legs):
    (fy, fx), (y, x) = legs
    fy, fx = fy.copy(), fx.copy()
    fy[:, 0], fx[:, 1], fy[:, 2] = 10.0, 10.0, np.nan
    weights = rule.fit(fy, fx).positions(y, x)
    assert np.all(np.isfinite(weights))
    assert np.all(weights[:, :3] == 0)
