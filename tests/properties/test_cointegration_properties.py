"""What must hold of cointegration tests whatever the prices."""

import markets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from statsmodels.tsa.stattools import coint

from finsae.checks import DataError
from finsae.pairs import cointegration, engle_granger, half_life, pair_tests
from finsae.pairs.cointegration import log_prices

COLUMNS = ["stat", "pvalue", "hedge", "intercept", "lags"]


def legs(seed, days, pairs, phi):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(0, 0.02, (days, pairs)), axis=0)
    spread = rng.normal(0, 0.01, (days, pairs))
    for day in range(1, days):
        spread[day] += phi * spread[day - 1]
    return 0.7 * x + spread, x


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    days=st.integers(21, 150),
    phi=st.floats(-0.5, 1.02),
    lags=st.sampled_from([(None, "aic"), (None, "bic"), (4, "aic"), (2, None), (0, None)]),
)
def test_equals_statsmodels(seed, days, phi, lags):
    y, x = legs(seed, days, 1, phi)
    maxlag, autolag = lags
    stat, pvalue, _ = coint(y[:, 0], x[:, 0], maxlag=maxlag, autolag=autolag)
    found = engle_granger(y, x, maxlag=maxlag, autolag=autolag)
    assert_allclose(found.loc[0, ["stat", "pvalue"]].tolist(), [stat, pvalue], rtol=1e-8, atol=1e-8)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), days=st.integers(30, 120), gaps=st.floats(0, 0.2))
def test_a_pair_is_tested_as_if_alone(seed, days, gaps):
    y, x = legs(seed, days, 7, 0.9)
    y[np.random.default_rng(seed).random(y.shape) < gaps] = np.nan
    together = engle_granger(y, x)
    alone = np.vstack([engle_granger(y[:, p], x[:, p])[COLUMNS].to_numpy(float) for p in range(7)])
    assert_allclose(together[COLUMNS].to_numpy(float), alone, rtol=1e-9, atol=1e-9)


def test_blocks_do_not_matter(monkeypatch):
    y, x = legs(1, 100, 40, 0.9)
    whole = engle_granger(y, x)
    monkeypatch.setattr(cointegration.two_step, "_BLOCK", 300)
    assert_allclose(engle_granger(y, x).to_numpy(), whole.to_numpy(), rtol=1e-9, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), scale=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_units_of_prices_do_not_matter(seed, scale, shift):
    y, x = legs(seed, 80, 5, 0.8)
    one, two = engle_granger(y, x), engle_granger(scale * y + shift, x - shift)
    assert_allclose(two["stat"], one["stat"], rtol=1e-6)
    assert_allclose(two["hedge"], scale * one["hedge"], rtol=1e-6)


def test_what_cannot_be_tested_is_nan():
    y, x = legs(2, 60, 6, 0.8)
    y[:, 0] = 3.0
    x[:, 1] = 3.0
    y[:, 2] = np.nan
    x[4:, 3] = np.nan
    y[:, 4] = 2.0 + x[:, 4]
    found = engle_granger(y, x)
    assert found.loc[:3, ["stat", "pvalue"]].isna().all(axis=None)
    assert found["lags"].tolist()[:5] == [-1] * 5
    assert found["stat"][4] == -np.inf and found["pvalue"][4] == 0.0
    assert np.isfinite(found["stat"][5])
    assert found["nobs"].tolist() == [60, 60, 0, 4, 60, 60]


def test_a_residual_explained_by_its_own_past_has_no_statistic():
    time = np.arange(80.0)
    y, x = np.sin(time / 5), time
    assert np.isnan(engle_granger(y, x)["stat"][0])


@pytest.mark.parametrize("days", [1, 2, 3, 4, 6])
def test_a_few_days_give_no_error(days):
    y, x = legs(4, days, 3, 0.5)
    pvalue = engle_granger(y, x)["pvalue"]
    assert len(pvalue) == 3
    assert (pvalue.isna() | pvalue.between(0, 1)).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"trend": "t"}, "trend"),
        ({"autolag": "AIC"}, "aic"),
        ({"maxlag": 40}, "from 0 to 29"),
        ({"maxlag": -1}, "from 0 to 29"),
    ],
)
def test_wrong_options_are_named(options, said):
    y, x = legs(5, 60, 2, 0.5)
    with pytest.raises(DataError, match=said):
        engle_granger(y, x, **options)


def test_wrong_input_is_named():
    with pytest.raises(DataError, match="differ in shape"):
        engle_granger(np.ones((5, 2)), np.ones((5, 3)))
    with pytest.raises(DataError, match="above zero"):
        log_prices([1.0, 0.0, 3.0])


def test_half_life():
    days = np.arange(200)
    known = 0.5 ** (days / 10.0)
    rng = np.random.default_rng(6)
    spreads = np.column_stack(
        [known, np.exp(days / 50.0), np.ones(200), np.tile([1.0, -1.0], 100), rng.normal(size=200)]
    )
    found = half_life(spreads)
    assert found[0] == pytest.approx(10.0)
    assert found[1] == np.inf and np.isnan(found[2]) and found[3] == 0.0
    known[50:60] = np.nan
    assert half_life(known) == pytest.approx(10.0)


def test_taking_the_better_direction_is_paid_for():
    """On independent walks the doubled p-value keeps its level; undoubled it would not."""
    prices = markets.walks(250, 120, seed=7)
    first, second = prices.columns[:60], prices.columns[60:]
    pairs = markets.side_by_side(np.repeat(first, 50), np.tile(second[:50], 60))
    tests = pair_tests(prices, pairs.rename(columns={"y": "a", "x": "b"}))
    assert 0.02 < (tests["pvalue"] < 0.05).mean() < 0.06
    assert (tests["pvalue"] / 2 < 0.05).mean() > 0.065
