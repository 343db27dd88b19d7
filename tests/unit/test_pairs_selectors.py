"""What each selector's own rule does, and what all say of what they left out."""

import markets
import numpy as np
import pandas as pd
import pytest

from finsae.checks import DataError
from finsae.pairs import (
    Distance,
    FalseDiscovery,
    Filters,
    LowestPValue,
    SarmentoHorta,
    candidates,
    half_life,
    pair_tests,
)
from finsae.similarity import uninformed


@pytest.fixture(scope="module")
def prices():
    """Six planted pairs and eight walks."""
    return markets.planted(400, 6, seed=1, half_life=3).join(markets.walks(400, 8, seed=2))


@pytest.fixture(scope="module")
def tests(prices):
    return pair_tests(prices, candidates(uninformed(prices.columns), 190))


def named(chosen):
    return {frozenset(pair) for pair in zip(chosen["y"], chosen["x"], strict=True)}


TRUE = {frozenset((f"A00{p}", f"B00{p}")) for p in range(6)}


def test_all_pairs_by_shared_products_are_the_pairs_tested_singly(prices, tests):
    every = pair_tests(prices)
    assert len(every) == 190 and (every["a"] < every["b"]).all()
    both = every.merge(tests, on=["a", "b"], suffixes=("", "_alone"))
    assert len(both) == 190
    for column in ("stat", "pvalue", "hedge", "intercept", "half_life"):
        np.testing.assert_allclose(both[column], both[column + "_alone"], rtol=1e-8)
    assert (
        both[["y", "lags", "nobs"]].to_numpy() == both[["y_alone", "lags_alone", "nobs_alone"]]
    ).all(axis=None)


def test_a_bound_on_false_discoveries_keeps_what_passes_it(prices, tests):
    chosen = FalseDiscovery(50, level=0.05).select(prices, tests)
    assert len(named(chosen) & TRUE) >= 5 and (chosen["q"] <= 0.05).all()
    strict = FalseDiscovery(50, level=0.05, method="by").select(prices, tests)
    assert named(strict) <= named(chosen) and (strict["q_by"] <= 0.05).all()
    assert len(FalseDiscovery(3, level=0.05).select(prices, tests)) == 3


def test_yekutielis_estimate_is_larger_by_the_harmonic_number(prices, tests):
    chosen = LowestPValue(6).select(prices, tests)
    harmonic = (1 / np.arange(1, 191)).sum()
    np.testing.assert_allclose(chosen["q_by"], np.minimum(chosen["q"] * harmonic, 1.0))


def test_a_bound_that_nothing_passes_is_said_in_one_line():
    walks = markets.walks(250, 12, seed=5)
    selector = FalseDiscovery(10, level=0.01)
    assert len(selector.select(walks, candidates(uninformed(walks.columns), 66))) == 0
    said = selector.outcome()
    assert "66 candidates, 66 tested" in said and "0 with q <= 0.01 (lowest 1.00)" in said
    assert said.endswith("none is selected") and "\n" not in said
    with pytest.raises(DataError, match='did you mean "by"'):
        FalseDiscovery(method="bY").select(walks, candidates(uninformed(walks.columns), 66))


def test_distance_is_that_of_normalised_prices(prices, tests):
    selector = Distance(20)
    chosen = selector.select(prices, tests)
    index = prices / prices.iloc[0]
    for row in chosen.itertuples():
        assert row.ssd == pytest.approx(((index[row.y] - index[row.x]) ** 2).sum())
    assert chosen["ssd"].is_monotonic_increasing
    assert {"pvalue", "q", "q_by"} <= set(chosen)
    # Every company among the candidates is there with the partner nearest to it.
    smaller = np.minimum(tests["hedge"], 1.0) / (1.0 + tests["hedge"].abs())
    hedged = tests[smaller >= 0.1]
    gaps = [
        ((index[a] - index[b]) ** 2).sum() for a, b in zip(hedged["a"], hedged["b"], strict=True)
    ]
    for ticker in prices.columns:
        own = ((hedged["a"] == ticker) | (hedged["b"] == ticker)).to_numpy()
        if own.any():
            best = hedged[own].iloc[int(np.argmin(np.array(gaps)[own]))]
            assert frozenset((best["a"], best["b"])) in named(chosen)


def test_distance_with_gaps_is_scaled_to_all_days(prices):
    holes = prices[["A000", "B000"]].copy()
    holes.iloc[100:110, 0] = np.nan
    found = Distance(1).select(holes, pd.DataFrame({"a": ["A000"], "b": ["B000"]}))["ssd"][0]
    index = holes / holes.iloc[0]
    gap = (index["A000"] - index["B000"]).dropna()
    assert found == pytest.approx((gap**2).sum() * 400 / 390)


def test_sarmento_and_hortas_rules(prices, tests):
    selector = SarmentoHorta(50)
    chosen = selector.select(prices, tests)
    assert len(named(chosen) & TRUE) >= 5
    assert (chosen["pvalue"] < 0.05).all() and (chosen["hurst"] < 0.5).all()
    assert chosen["half_life"].between(1, 252).all() and (chosen["crossings"] >= 12).all()
    assert selector.passed_["with p < 0.05"] >= selector.passed_["Hurst below 0.5"]
    slow = SarmentoHorta(50, filters=Filters(half_life=(50, 252))).select(prices, tests)
    assert len(slow) < len(chosen)


def test_statistics_of_the_chosen_are_those_of_their_spreads(prices, tests):
    chosen = LowestPValue(3).select(prices, tests)
    for row in chosen.itertuples():
        spread = np.log(prices[row.y]) - row.hedge * np.log(prices[row.x])
        assert row.variance == pytest.approx(spread.var())
        assert row.half_life == pytest.approx(float(half_life(spread.to_numpy())))


def test_liquidity_counts_only_where_volume_is_given(prices, tests):
    volume = pd.DataFrame(1e6, index=prices.index, columns=prices.columns)
    volume[["A000", "B001"]] = 10.0
    later = pd.DataFrame(0.0, index=prices.index + pd.Timedelta("900D"), columns=prices.columns)
    filters = Filters(volume=pd.concat([volume, later]), min_volume=1000.0)
    chosen = LowestPValue(190, filters=filters).select(prices, tests)
    legs = set(chosen["y"]) | set(chosen["x"])
    assert not legs & {"A000", "B001"} and {"A001", "B000"} <= legs
    assert len(LowestPValue(190).select(prices, tests)) > len(chosen)


def test_a_number_of_pairs_below_one_is_refused(prices, tests):
    with pytest.raises(DataError, match="at least 1, not 0"):
        LowestPValue(0).select(prices, tests)


@pytest.mark.slow
def test_power_and_false_discoveries_in_planted_universes():
    """Fifteen planted pairs among all 435 of 30 companies: the bound holds, power is high."""
    shares, power = [], []
    for seed in range(40):
        market = markets.planted(504, 15, seed=seed, half_life=4)
        chosen = FalseDiscovery(435, level=0.1).select(
            market, candidates(uninformed(market.columns), 435)
        )
        true = [y[1:] == x[1:] for y, x in zip(chosen["y"], chosen["x"], strict=True)]
        shares.append(1 - np.mean(true) if true else 0.0)
        power.append(sum(true) / 15)
    error = np.std(shares) / np.sqrt(40)
    assert np.mean(shares) < 0.1 + 2 * error
    assert np.mean(power) > 0.9


@pytest.mark.slow
def test_slow_pairs_are_found_less_often_than_fast_ones():
    """Power falls with the half-life: two years cannot find what takes months to revert."""
    found = []
    for days in (3.0, 10.0, 34.0):
        market = markets.planted(504, 200, seed=3, half_life=days)
        pairs = pd.DataFrame({"a": markets.names(200, "A"), "b": markets.names(200, "B")})
        found.append((pair_tests(market, pairs)["pvalue"] < 0.05).mean())
    assert found[0] > 0.99 and found[0] > found[1] > found[2] and found[2] < 0.5
