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

from finsae.pairs.cointegration import engle_granger, half_life, mackinnon_pvalue

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


@pytest.mark.slow
@pytest.mark.parametrize("days", [24, 60, 252, 504])
def test_equals_statsmodels_on_many(days):
    y, x = universe(np.random.default_rng(7 * days), days, 300)
    found = engle_granger(y, x)[COLUMNS].to_numpy(float)
    expected = [statsmodels_pair(y[:, p], x[:, p]) for p in range(y.shape[1])]
    assert_allclose(found, np.array(expected), rtol=1e-8, atol=1e-8)


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
