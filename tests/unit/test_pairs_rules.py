import markets
import numpy as np
import pandas as pd
import pytest

from finsae.checks import DataError
from finsae.pairs import Kalman, RollingOLS, ZScore, pair_tests
from finsae.pairs.rules import EXITS

LEGS = pd.DataFrame({"a": markets.names(3, "A"), "b": markets.names(3, "B")})


@pytest.fixture(scope="module")
def planted_prices():
    return markets.planted(250, 3, seed=4)


def sides(z, **bands):
    """Sides held along one path of z, through real prices of a fitted pair."""
    rule, y, x = fitted(z, **bands)
    return np.sign(rule.positions(y, x)[:, 0, 0]).astype(int).tolist()


def reasons(z, **bands):
    rule, y, x = fitted(z, **bands)
    return [EXITS[code] for code in rule.exits(y, x)[:, 0]]


def fitted(z, **bands):
    rng = np.random.default_rng(0)
    common = np.cumsum(rng.normal(0, 0.02, 300))
    before = np.exp(common + rng.normal(0, 0.01, 300))[:, None], np.exp(common)[:, None]
    rule = ZScore(**bands).fit(*before)
    x = np.full((len(z), 1), 2.0)
    spread = np.array(z)[:, None] * rule.sd_ + rule.intercept_
    return rule, np.exp(spread + rule.hedge_ * np.log(x)), x


def test_enters_against_the_spread_and_leaves_at_the_mean():
    assert sides([0, 1.9, 2.1, 3, 0.1, -0.1, -1]) == [0, 0, -1, -1, -1, 0, 0]
    assert sides([0, -2.5, -1, 0.2]) == [0, 1, 1, 0]


def test_an_exit_band_leaves_earlier():
    assert sides([0, 2.1, 0.6, 0.4, 0.1], exit=0.5) == [0, -1, -1, 0, 0]


def test_only_a_rise_across_the_entry_opens():
    assert sides([2.5, 2.6, 1.5, 2.5]) == [0, 0, 0, -1]


def test_a_stop_rests_until_the_spread_has_converged():
    path = [0, 2.5, 4.2, 1.0, 2.5, -0.1, 2.2, 1.0]
    assert sides(path) == [0, -1, 0, 0, 0, 0, -1, -1]
    assert reasons(path)[2] == "stop"
    assert sides(path, stop=None) == [0, -1, -1, -1, -1, 0, -1, -1]


def test_nothing_opens_beyond_the_stop():
    assert sides([0, 4.5, 3.0, 4.5, 3.0]) == [0, 0, 0, 0, 0]


def test_a_position_that_grows_old_is_given_up():
    path = [0, 2.5, 2.4, 2.3, 2.2, 1.0, 2.5]
    assert sides(path, max_days=3) == [0, -1, -1, -1, 0, 0, 0]
    assert reasons(path, max_days=3)[4] == "time"


def test_a_missing_price_closes_and_a_new_crossing_reopens():
    path = [0, 2.5, np.nan, 2.5, 1.0, 2.5]
    assert sides(path) == [0, -1, 0, 0, 0, -1]
    assert reasons(path)[2] == "missing price"


def test_a_leap_from_side_to_side_closes_only():
    path = [0, 2.5, -2.5, -1, -2.5]
    assert sides(path) == [0, -1, 0, 0, 1]
    assert reasons(path)[2] == "converged"


def test_legs_are_one_and_minus_hedge_at_unit_gross():
    rule, y, x = fitted([0, -2.5])
    weights = rule.positions(y, x)[1, 0]
    assert np.abs(weights).sum() == pytest.approx(1.0)
    assert weights[1] / weights[0] == pytest.approx(-rule.hedge_[0])


def test_the_rule_hedges_as_the_test_did(planted_prices):
    tests = pair_tests(planted_prices, LEGS)
    y, x = (planted_prices[tests[leg]].to_numpy() for leg in ("y", "x"))
    rule = ZScore().fit(y, x)
    assert np.allclose(rule.hedge_, tests["hedge"])
    assert np.allclose(rule.intercept_, tests["intercept"])
    spread = np.log(y) - rule.hedge_ * np.log(x) - rule.intercept_
    assert np.allclose(rule.sd_, spread.std(axis=0, ddof=1))
    assert np.allclose(rule.z(y, x).mean(axis=0), 0.0, atol=1e-10)


def test_a_pair_is_fitted_on_its_common_days(planted_prices):
    y, x = (planted_prices[LEGS[leg]].to_numpy().copy() for leg in ("a", "b"))
    y[::7] = np.nan
    rule = ZScore().fit(y, x)
    kept = np.isfinite(y[:, 0])
    alone = ZScore().fit(y[kept], x[kept])
    assert np.allclose(rule.hedge_, alone.hedge_) and np.allclose(rule.sd_, alone.sd_)


@pytest.fixture(scope="module")
def moving():
    """A pair whose hedge ratio drifts from 1 to 2, and one that moves against its partner."""
    rng = np.random.default_rng(2)
    x = np.cumsum(rng.normal(0, 0.02, (700, 2)), axis=0)
    hedge = np.column_stack([np.linspace(1.0, 2.0, 700), np.full(700, -1.0)])
    y = hedge * x + rng.normal(0, 0.02, (700, 2))
    return np.exp(y), np.exp(x)


@pytest.mark.parametrize("rule", [RollingOLS(), Kalman(delta=1e-2)])
def test_a_moving_hedge_follows_and_is_kept_while_a_position_is_open(rule, moving):
    y, x = moving
    rule.fit(y[:200], x[:200])
    weights = rule.positions(y[200:], x[200:])[:, 0]
    held = weights[:, 0] != 0
    ratio = -weights[held, 1] / weights[held, 0]
    assert ratio[-3:].mean() - ratio[:3].mean() > 0.3
    spells = np.cumsum(np.diff(np.sign(weights[:, 0]), prepend=0) != 0)[held]
    assert pd.Series(ratio.round(9)).groupby(spells).nunique().max() == 1


@pytest.mark.parametrize("rule", [RollingOLS(), Kalman()])
def test_legs_that_move_against_each_other_are_no_pair(rule, moving):
    y, x = moving
    assert (rule.fit(y[:200], x[:200]).positions(y[200:], x[200:])[:, 1] == 0).all()


@pytest.mark.parametrize("rule", [RollingOLS(window=5), Kalman(delta=0.0), Kalman(delta=2.0)])
def test_impossible_memories_are_refused(rule, moving):
    with pytest.raises(DataError, match=r"window|delta"):
        rule.fit(*moving)


@pytest.mark.parametrize(
    ("bands", "said"),
    [
        ({"entry": 1, "exit": 1}, "ordered"),
        ({"exit": -0.1}, "ordered"),
        ({"stop": 2.0}, "ordered"),
        ({"max_days": 0}, "max_days"),
    ],
)
def test_impossible_bands_are_refused(bands, said):
    with pytest.raises(DataError, match=said):
        ZScore(**bands).fit(np.ones((5, 1)), np.ones((5, 1)))
