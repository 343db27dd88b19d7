"""Figures of what was earned against other software and against formulas written out anew."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats as scipy_stats
from statsmodels.stats.sandwich_covariance import S_hac_simple

from finsae.pairs import stats
from finsae.pairs.rules import Kalman, RollingOLS


@pytest.fixture(scope="module")
def returns():
    return np.random.default_rng(42).standard_t(4, 750) * 0.006 + 0.0002


def test_ratios_are_those_of_empyrical(returns):
    """Made with empyrical-reloaded 0.7.1: sharpe_ratio, sortino_ratio, annual_volatility."""
    assert stats.sharpe(returns) == pytest.approx(-0.08901864745465993, rel=1e-12)
    assert stats.sortino(returns) == pytest.approx(-0.12403176696941302, rel=1e-12)
    found = stats.statistic(returns, stats.annual_volatility)
    assert found == pytest.approx(0.13987633395389099, rel=1e-12)


def test_drawdown_by_looking_at_every_pair_of_days(returns):
    equity = np.concatenate([[0.0], np.cumsum(returns)])
    falls = [equity[a] - equity[b] for a in range(len(equity)) for b in range(a, len(equity))]
    assert stats.max_drawdown(returns) == pytest.approx(max(falls))
    assert stats.calmar(returns) == pytest.approx(returns.mean() * 252 / max(falls))
    under = longest = 0
    for day in range(1, len(equity)):
        under = 0 if equity[day] >= equity[: day + 1].max() else under + 1
        longest = max(longest, under)
    assert stats.drawdown_days(returns) == longest


def test_sharpe_error_without_autocorrelation_is_lo_and_mertens():
    rng = np.random.default_rng(0)
    daily = rng.normal(0.001, 0.01, 200_000)
    ratio = daily.mean() / daily.std()
    expected = np.sqrt((1 + ratio**2 / 2) / len(daily) * 252)
    assert stats.sharpe_error(daily) == pytest.approx(expected, rel=0.03)


def test_sharpe_error_is_the_delta_method_on_statsmodels_long_run_covariance(returns):
    """Gradient of mean over root of variance, on the HAC covariance of the two moments."""
    from arch.covariance.kernel import Bartlett

    z = (returns - returns.mean()) / returns.std()
    influence = z - returns.mean() / returns.std() / 2 * (z**2 - 1)
    bandwidth = Bartlett(influence[:, None]).bandwidth
    moments = np.column_stack([returns, returns**2])
    moments = moments - moments.mean(axis=0)

    def weights(lags):
        return np.maximum(0.0, 1.0 - np.arange(lags + 1) / (bandwidth + 1))

    lags = int(bandwidth)  # arch drops what lies beyond
    long_run = S_hac_simple(moments, nlags=lags, weights_func=weights) / len(returns)
    mean, square = returns.mean(), (returns**2).mean()
    sd = np.sqrt(square - mean**2)
    gradient = np.array([square / sd**3, -mean / (2 * sd**3)])
    expected = np.sqrt(gradient @ long_run @ gradient / len(returns) * 252)
    assert stats.sharpe_error(returns) == pytest.approx(expected, rel=1e-8)


def test_probabilistic_sharpe_and_track_record_as_printed(returns):
    """Bailey and Lopez de Prado (2012), equations 10 and 11, with raw kurtosis."""
    n, ratio = len(returns), returns.mean() / returns.std(ddof=1)
    skewness = ((returns - returns.mean()) ** 3).mean() / returns.std() ** 3
    kurtosis = ((returns - returns.mean()) ** 4).mean() / returns.std() ** 4
    root = np.sqrt(1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2)
    benchmark = 0.3 / np.sqrt(252)
    expected = scipy_stats.norm.cdf((ratio - benchmark) * np.sqrt(n - 1) / root)
    found = stats.probabilistic_sharpe(returns, benchmark=0.3)
    assert found == pytest.approx(expected, rel=1e-12)
    enough = 1 + root**2 * (scipy_stats.norm.ppf(0.95) / (ratio + benchmark)) ** 2
    found = stats.min_track_record(returns, benchmark=-0.3)
    assert found == pytest.approx(enough, rel=1e-12)
    assert stats.min_track_record(returns) == np.inf  # its Sharpe ratio is below zero


@pytest.mark.parametrize(
    ("trials", "annual"), [(5, 0.45), (50, 0.86), (1000, 1.23), (10_000, 1.46)]
)
def test_the_best_of_skill_less_trials_over_seven_years(trials, annual):
    assert stats.best_of_nothing(trials, np.sqrt(1 / 7)) == pytest.approx(annual, abs=0.005)


def test_the_best_of_skill_less_trials_is_an_expected_maximum():
    draws = np.random.default_rng(1).normal(0, 0.4, (20_000, 60)).max(axis=1)
    assert stats.best_of_nothing(60, 0.4) == pytest.approx(draws.mean(), rel=0.02)


def test_overfitting_by_walking_through_every_split():
    daily = np.random.default_rng(3).normal(0, 0.01, (90, 17)) + np.linspace(0, 0.002, 17)
    blocks = np.array_split(np.arange(90), 6)
    below = []
    for chosen in combinations(range(6), 3):
        inside = np.concatenate([blocks[b] for b in chosen])
        outside = np.setdiff1d(np.arange(90), inside)
        best = stats.sharpe(daily[inside]).argmax()
        rank = scipy_stats.rankdata(stats.sharpe(daily[outside]))[best]
        below.append(np.log(rank / 18 / (1 - rank / 18)) <= 0)
    assert stats.overfitting(daily, blocks=6) == pytest.approx(np.mean(below))


def test_exposures_equal_statsmodels_formulas(returns):
    rng = np.random.default_rng(5)
    dates = pd.bdate_range("2014-01-01", periods=750)
    factors = pd.DataFrame(rng.normal(0, 0.01, (750, 2)), index=dates, columns=["market", "size"])
    daily = pd.Series(returns + factors.to_numpy() @ [0.4, -0.2], index=dates)
    found = stats.exposures(daily, factors).set_index("factor")
    design = np.column_stack([np.ones(750), factors])
    expected = np.linalg.lstsq(design, daily, rcond=None)[0]
    assert_allclose(found["beta"], expected * [252, 1, 1], rtol=1e-9)
    residual = (daily - design @ expected).to_numpy()[:, None] * design
    lags = int(np.floor(4 * 7.5 ** (2 / 9)))
    meat = residual.T @ residual
    for lag in range(1, lags + 1):
        cross = residual[lag:].T @ residual[:-lag]
        meat += (1 - lag / (lags + 1)) * (cross + cross.T)
    bread = np.linalg.inv(design.T @ design)
    error = np.sqrt(np.diag(bread @ meat @ bread))
    assert_allclose(found["error"], error * [252, 1, 1], rtol=1e-9)


def legs(days=260, pairs=4, seed=8):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(0, 0.015, (days, pairs)), axis=0)
    y = 0.8 * x + rng.normal(0, 0.02, (days, pairs))
    return 40 * np.exp(y), 30 * np.exp(x)


def test_rolling_residuals_are_those_of_one_regression_a_day():
    from statsmodels.regression.linear_model import OLS

    y, x = legs()
    rule = RollingOLS(window=50).fit(y[:100], x[:100])
    z, hedge = rule.signal(y[100:], x[100:])
    for day in (0, 1, 49, 50, 159):
        now = 100 + day
        past = slice(now - 50, now)
        for pair in range(4):
            design = np.column_stack([np.ones(50), np.log(x[past, pair])])
            fit = OLS(np.log(y[past, pair]), design).fit()
            error = np.log(y[now, pair]) - fit.params @ [1, np.log(x[now, pair])]
            assert hedge[day, pair] == pytest.approx(fit.params[1], rel=1e-9)
            assert z[day, pair] == pytest.approx(error / np.sqrt(fit.scale), rel=1e-9)


def test_kalman_innovations_are_those_of_the_textbook_filter():
    """State [hedge, intercept] of centred logs; x as the observation vector, one pair at a time."""
    y, x = legs()
    rule = Kalman(delta=1e-3).fit(y[:100], x[:100])
    z, hedge = rule.signal(y[100:], x[100:])
    for pair in range(4):
        a, b = np.log(y[:, pair]), np.log(x[:, pair])
        centre = a[:100].mean(), b[:100].mean()
        a, b = a - centre[0], b - centre[1]
        slope = (a[:100] @ b[:100]) / (b[:100] @ b[:100])
        noise = ((a[:100] - slope * b[:100]) ** 2).sum() / 99
        state, cov = np.array([slope, 0.0]), noise * np.diag([1 / (b[:100] @ b[:100]), 1 / 100])
        step = 1e-3 * noise * np.diag([100 / (b[:100] @ b[:100]), 1.0])
        for day in range(160):
            seen = np.array([b[100 + day], 1.0])
            cov = cov + step
            scale = seen @ cov @ seen + noise
            error = a[100 + day] - seen @ state
            assert hedge[day, pair] == pytest.approx(state[0], rel=1e-9)
            assert z[day, pair] == pytest.approx(error / np.sqrt(scale), rel=1e-8, abs=1e-10)
            gain = cov @ seen / scale
            state, cov = state + gain * error, cov - np.outer(gain, seen @ cov)
