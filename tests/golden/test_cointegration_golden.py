"""Engle-Granger in blocks against statsmodels, one pair at a time."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from statsmodels.regression.linear_model import OLS
from statsmodels.tools.sm_exceptions import CollinearityWarning
from statsmodels.tsa.adfvalues import mackinnonp
from statsmodels.tsa.stattools import adfuller, coint
from statsmodels.tsa.tsatools import add_trend

from finsae.pairs.cointegration import (
    adf,
    all_pairs,
    engle_granger,
    half_life,
    hurst,
    johansen,
    mackinnon_pvalue,
    mean_crossings,
    phillips_ouliaris,
)

COLUMNS = ["stat", "pvalue", "hedge", "intercept", "lags"]


def walks(rng, days, pairs):
    return 3.0 + np.cumsum(rng.normal(0, 0.02, (days, pairs)), axis=0)


def autoregression(rng, days, pairs, phi):
    noise = rng.normal(0, 0.01, (days, pairs))
    values = np.zeros_like(noise)
    for day in range(1, days):
        values[day] = phi * values[day - 1] + noise[day]
    return values


def universe(rng, days, pairs):
    """Independent walks, cointegrated legs from fast to near a unit root, almost equal legs."""
    x = walks(rng, days, pairs)
    phi = np.linspace(0.3, 0.999, pairs)
    y = 1.0 + 0.8 * x + autoregression(rng, days, pairs, phi)
    y[:, ::3] = walks(rng, days, pairs)[:, ::3]
    y[:, 1] = x[:, 1] + rng.normal(0, 2e-4, days)
    return y, x


def statsmodels_pair(y, x, *, trend="c", maxlag=None, autolag="aic"):
    """stat, pvalue, hedge, intercept and lags (-1 where statsmodels calls the legs collinear)."""
    common = np.isfinite(y) & np.isfinite(x)
    y, x = y[common], x[common]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollinearityWarning)
        stat, pvalue, _ = coint(y, x, trend=trend, maxlag=maxlag, autolag=autolag)
    fit = OLS(y, x[:, None] if trend == "n" else add_trend(x, trend=trend)).fit()
    options = {"maxlag": maxlag, "regression": "n", "result_object": False}
    lags = adfuller(fit.resid, autolag=autolag, **options)[2] if np.isfinite(stat) else -1
    return stat, pvalue, fit.params[0], 0.0 if trend == "n" else fit.params[1], lags


@pytest.mark.parametrize(
    ("days", "trend", "maxlag", "autolag"),
    [
        (240, "c", None, "aic"),
        (240, "c", None, "bic"),
        (240, "c", 1, None),
        (240, "c", 0, None),
        (240, "c", 5, "aic"),
        (120, "ct", None, "aic"),
        (120, "ctt", 3, None),
        (120, "n", None, "bic"),
        (45, "c", None, "aic"),
        (31, "c", None, "bic"),
        (22, "c", None, "aic"),
        (19, "c", None, "aic"),
        (12, "c", 1, None),
        (5, "c", 0, None),
    ],
)
def test_equals_statsmodels(days, trend, maxlag, autolag):
    y, x = universe(np.random.default_rng(days), days, 16)
    found = engle_granger(y, x, trend=trend, maxlag=maxlag, autolag=autolag)
    options = {"trend": trend, "maxlag": maxlag, "autolag": autolag}
    expected = [statsmodels_pair(y[:, p], x[:, p], **options) for p in range(y.shape[1])]
    assert_allclose(found[COLUMNS].to_numpy(float), np.array(expected), rtol=1e-8, atol=1e-8)
    assert (found["nobs"] == days).all()


def kinds(rng, days, pairs):
    """Legs of every kind in turn: walks, cointegrated from fast to near a unit root, trends."""
    y, x = universe(rng, days, pairs)
    y[:, ::7] = (rng.normal(0, 0.02, (days, pairs)) + np.arange(days)[:, None] * 1e-3)[:, ::7]
    x[:, ::11] = walks(rng, days, pairs)[:, ::11] * 30.0
    return y, x


@pytest.mark.slow
@pytest.mark.parametrize("autolag", ["aic", "bic"])
@pytest.mark.parametrize(
    ("days", "pairs"),
    [(21, 700), (24, 700), (40, 600), (60, 500), (120, 200), (252, 100), (504, 50)],
)
def test_equals_statsmodels_on_thousands(days, pairs, autolag):
    """Nearly six thousand pairs: statistic, p-value, slope, constant and the chosen lag."""
    y, x = kinds(np.random.default_rng(7 * days), days, pairs)
    found = engle_granger(y, x, autolag=autolag)[COLUMNS].to_numpy(float)
    expected = [statsmodels_pair(y[:, p], x[:, p], autolag=autolag) for p in range(pairs)]
    assert_allclose(found, np.array(expected), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("options", [{}, {"autolag": "bic"}, {"maxlag": 1, "autolag": None}])
def test_all_pairs_equal_statsmodels(options):
    rng = np.random.default_rng(11)
    y, x = universe(rng, 150, 5)
    found = all_pairs(np.column_stack([y, x]), **options)
    series = np.column_stack([y, x]).T
    assert len(found) == 90
    for row in found.iloc[::4].itertuples():
        expected = statsmodels_pair(series[row.y], series[row.x], **options)
        actual = [getattr(row, column) for column in COLUMNS]
        assert_allclose(actual, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("trend", ["n", "c", "ct", "ctt"])
@pytest.mark.parametrize(
    ("days", "options"),
    [
        (200, {"autolag": "aic"}),
        (60, {"autolag": "bic"}),
        (200, {"maxlag": 3, "autolag": None}),
        (25, {"maxlag": 0, "autolag": None}),
    ],
)
def test_unit_root_tests_equal_statsmodels(days, trend, options):
    rng = np.random.default_rng(days)
    series = np.column_stack(
        [walks(rng, days, 4), 5 + autoregression(rng, days, 4, np.array([0.2, 0.8, 0.95, 0.99]))]
    )
    found = adf(series, trend=trend, **options)
    for place, row in enumerate(found.itertuples()):
        one = adfuller(series[:, place], regression=trend, result_object=False, **options)
        assert_allclose([row.stat, row.pvalue], one[:2], rtol=1e-8, atol=1e-8)
        assert row.lags == one[2] and row.nobs == days


def test_a_pair_with_gaps_is_tested_on_its_common_days():
    rng = np.random.default_rng(3)
    y, x = universe(rng, 150, 12)
    y[rng.random(y.shape) < 0.1] = np.nan
    x[:40, 5] = np.nan
    found = engle_granger(y, x)
    for p in range(12):
        expected = statsmodels_pair(y[:, p], x[:, p])
        assert_allclose(found.loc[p, COLUMNS].tolist(), expected, rtol=1e-8, atol=1e-8)
        assert found["nobs"][p] == (np.isfinite(y[:, p]) & np.isfinite(x[:, p])).sum()


def test_collinear_legs_are_flagged_where_statsmodels_flags_them():
    rng = np.random.default_rng(4)
    x = walks(rng, 200, 8)
    y = x + rng.normal(0, 1, x.shape) * np.logspace(-6, -2, 8)
    found = engle_granger(y, x)
    for p in range(8):
        expected = statsmodels_pair(y[:, p], x[:, p])
        assert_allclose(found.loc[p, COLUMNS].tolist(), expected, rtol=1e-8, atol=1e-8)
    assert np.isneginf(found["stat"]).sum() > 0
    assert np.isfinite(found["stat"]).sum() > 0


@pytest.mark.parametrize("trend", ["n", "c", "ct", "ctt"])
def test_p_values_are_mackinnons(trend):
    stats = np.concatenate([[-np.inf, np.inf], np.linspace(-25, 4, 300)])
    expected = [mackinnonp(stat, regression=trend, N=2) for stat in stats]
    assert_allclose(mackinnon_pvalue(stats, trend=trend), expected, atol=1e-14)


def test_half_life_is_that_of_the_fitted_autoregression():
    spread = pd.Series(autoregression(np.random.default_rng(5), 400, 1, 0.9)[:, 0])
    fit = OLS(spread[1:].to_numpy(), add_trend(spread[:-1].to_numpy(), trend="c")).fit()
    assert_allclose(half_life(spread), np.log(0.5) / np.log(fit.params[0]), rtol=1e-10)


def test_phillips_and_ouliaris_agree_with_engle_and_granger():
    """A cross-check by another method: on the same pairs the two reject much alike."""
    y, x = universe(np.random.default_rng(12), 200, 20)
    prices = pd.DataFrame(np.exp(np.column_stack([y, x])))
    pairs = pd.DataFrame({"y": range(20), "x": range(20, 40)})
    other = phillips_ouliaris(prices, pairs)
    own = engle_granger(y, x)
    assert np.corrcoef(other["stat"], own["stat"].clip(lower=-30))[0, 1] > 0.8
    assert ((other["pvalue"] < 0.05) == (own["pvalue"] < 0.05)).mean() > 0.8


def test_hurst_exponent_is_the_slope_over_all_lags():
    spread = autoregression(np.random.default_rng(6), 300, 3, np.array([0.3, 0.9, 1.0]))
    lags = np.arange(2, 100)
    for place, found in enumerate(hurst(spread)):
        one = spread[:, place]
        deviation = [(one[lag:] - one[:-lag]).std() for lag in lags]
        slope = np.polyfit(np.log(lags), np.log(deviation), 1)[0]
        assert found == pytest.approx(slope, abs=1e-9)


def test_hurst_exponent_with_gaps_uses_known_changes():
    spread = autoregression(np.random.default_rng(7), 150, 1, 0.9)[:, 0]
    spread[np.random.default_rng(8).random(150) < 0.1] = np.nan
    lags = np.arange(2, 75)
    deviation = [np.nanstd(spread[lag:] - spread[:-lag]) for lag in lags]
    slope = np.polyfit(np.log(lags), np.log(deviation), 1)[0]
    assert hurst(spread) == pytest.approx(slope, abs=1e-9)


def test_crossings_are_changes_of_sign():
    spread = autoregression(np.random.default_rng(9), 400, 2, np.array([0.5, 0.95]))
    for place, found in enumerate(mean_crossings(spread)):
        side = np.sign(spread[:, place] - spread[:, place].mean())
        assert found == pytest.approx((np.diff(side) != 0).sum() * 252 / 399)


def test_other_tests_are_those_of_their_libraries():
    from arch.unitroot.cointegration import phillips_ouliaris as tested
    from statsmodels.tsa.vector_ar.vecm import coint_johansen

    y, x = universe(np.random.default_rng(10), 200, 4)
    prices = pd.DataFrame(np.exp(np.column_stack([y, x])), columns=list("abcdefgh"))
    pairs = pd.DataFrame({"y": list("abc"), "x": list("efg")}, index=[5, 3, 1])
    trace, ouliaris = johansen(prices, pairs), phillips_ouliaris(prices, pairs)
    for place, at in enumerate(pairs.index):
        expected = coint_johansen(np.column_stack([y[:, place], x[:, place]]), 0, 1)
        assert_allclose(trace.loc[at, "trace"], expected.trace_stat[0])
        assert_allclose(trace.loc[at, "max_eigen_5pct"], expected.max_eig_stat_crit_vals[0, 1])
        one = tested(y[:, place], x[:, place])
        assert_allclose(ouliaris.loc[at], [one.stat, one.pvalue])
    assert trace["rank"].isin([0, 1, 2]).all()
