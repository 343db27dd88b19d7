import time

import numpy as np
import pandas as pd
import pytest

from finsae.pairs import Terms, ZScore, simulate, stats


def noise(seed, days=1100, draws=1, mean=0.0):
    return np.random.default_rng(seed).normal(mean, 0.01, (days, draws))


def test_sharpe_is_annual_and_per_draw():
    daily = noise(1, draws=3)
    expected = daily.mean(axis=0) / daily.std(axis=0, ddof=1) * np.sqrt(252)
    assert np.allclose(stats.sharpe(daily), expected)
    assert stats.sharpe(daily[:, 0]) == pytest.approx(expected[0])


@pytest.mark.parametrize("value", [0.0, 0.001])
def test_no_variance_no_sharpe_ratio(value):
    still = np.full((300, 2), value)
    assert np.isnan(stats.sharpe(still)).all()
    assert np.isnan(stats.intervals(still)).all()


def test_draws_without_trades_are_left_out_of_the_average():
    daily = noise(2, draws=2)
    daily[:, 1] = 0.0
    path = stats.intervals(daily, resamples=200)
    assert np.isfinite(path).all()
    assert np.allclose(path, stats.intervals(daily[:, :1] / 2, resamples=200))


def test_the_interval_holds_the_estimate_and_narrows_with_days():
    for days, wide in ((250, 5.0), (4000, 1.6)):
        daily = noise(3, days, mean=0.0005)
        low, high = stats.intervals(daily, resamples=400)[0]
        assert low < stats.sharpe(daily)[0] < high
        assert high - low == pytest.approx(2 * 1.96 * np.sqrt(252 / days), rel=0.25)
        assert high - low < wide


def test_returns_that_persist_widen_the_interval():
    shocks = noise(4, 3000)[:, 0]
    lasting = pd.Series(shocks).ewm(alpha=0.2).mean().to_numpy()
    plain, wide = (np.diff(stats.intervals(d, resamples=400)[0])[0] for d in (shocks, lasting))
    assert wide > 1.8 * plain


def test_a_paired_difference_is_sharper_than_two_intervals():
    common = noise(5)[:, 0]
    one, two = common + 0.1 * noise(6)[:, 0], common + 0.1 * noise(7)[:, 0]
    paired = np.diff(stats.intervals(one, minus=two, resamples=400)[0])[0]
    assert paired < 0.3 * np.diff(stats.intervals(one, resamples=400)[0])[0]
    assert np.isnan(stats.intervals(one, minus=one)).all()


def test_same_seed_same_interval():
    daily = noise(8, 300)
    one, two, other = (stats.intervals(daily, resamples=100, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, two) and not np.array_equal(one, other)


def test_drawdown():
    assert stats.max_drawdown([0.1, -0.3, 0.1, -0.1, 0.5]) == pytest.approx(0.3)
    assert stats.max_drawdown([-0.1, -0.1]) == pytest.approx(0.2)
    assert stats.max_drawdown([0.1, 0.2]) == 0.0


@pytest.fixture
def book():
    days = pd.bdate_range("2020-01-06", periods=252, name="date")
    closes = pd.DataFrame({"A": 10.0, "B": 10.0}, index=days)
    closes.loc[days[100] :, "A"] = 11.0
    weights = np.zeros((252, 1, 2))
    weights[50:150, 0] = 0.5, -0.5
    pairs = pd.DataFrame({"y": ["A"], "x": ["B"]})
    return simulate(weights, closes, pairs=pairs, terms=Terms(10, borrow_bps=0))


def test_summary_by_hand(book):
    found = stats.summary(book)
    costs = 0.001 * (1.0 + 0.55 + 0.5)
    assert found["total_return"] == pytest.approx(0.05 - costs)
    assert found["turnover"] == pytest.approx(2.05)
    assert found["exposure"] == pytest.approx((49 * 1.0 + 51 * 1.05) / 252)
    assert found["idle"] == pytest.approx(152 / 252)
    assert (found["hit_rate"], found["trades"], found["pairs"]) == (1.0, 1.0, 1.0)
    assert found["holding_days"] == 100.0
    assert found["break_even_bps"] == pytest.approx(0.05 / 2.05 * 1e4)


def test_costs_at_break_even_eat_the_profit(book):
    rate = stats.break_even_bps(book) / 1e4
    assert (book.gross - rate * book.traded).to_numpy().sum() == pytest.approx(0.0, abs=1e-12)


def test_a_book_without_trades_has_figures_but_no_ratios():
    days = pd.bdate_range("2020-01-06", periods=60, name="date")
    closes = pd.DataFrame({"A": 10.0, "B": 10.0}, index=days)
    pairs = pd.DataFrame({"y": ["A"], "x": ["B"]})
    legs = closes[["A"]].to_numpy(), closes[["B"]].to_numpy()
    weights = ZScore().fit(*legs).positions(*legs)
    found = stats.summary(simulate(weights, closes, pairs=pairs))
    assert found["trades"] == 0 and found["total_return"] == 0 and found["idle"] == 1
    assert np.isnan([found["hit_rate"], found["break_even_bps"], found["holding_days"]]).all()


def test_seven_methods_of_twenty_draws_take_seconds():
    start = time.process_time()
    for method in range(7):
        stats.intervals(noise(method, 1100, 20), resamples=1000)
    assert time.process_time() - start < 10


@pytest.mark.slow
def test_the_interval_covers_the_truth():
    """Sharpe ratio 1 a year in returns that persist a little; nominal 95 %."""
    hits = []
    for seed in range(300):
        shocks = np.random.default_rng(seed).normal(0, 1, 1100)
        daily = shocks + 0.2 * np.concatenate([[0.0], shocks[:-1]])
        daily = daily + daily.std() / np.sqrt(252)
        low, high = stats.intervals(daily, resamples=300, seed=seed)[0]
        hits.append(low <= 1.0 <= high)
    assert 0.88 < np.mean(hits) < 0.99
