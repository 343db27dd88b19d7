"""What is measured on peers besides correlation, against statsmodels and naive loops."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score
from statsmodels.api import OLS, add_constant

from finsae.benchmark import find_peers, over_months, periods, score, stretches
from finsae.benchmark.draws import Draws
from finsae.benchmark.industry import agreement, industry_lift, peers_inside
from finsae.benchmark.leaderboard import market_residuals
from finsae.benchmark.panel import Panel
from finsae.benchmark.peers import Peers
from finsae.benchmark.prediction import (
    PeerReturns,
    hedge_ratio,
    hedged_variance,
    newey_west,
    peer_r2,
)
from finsae.checks import DataError
from finsae.config import Benchmark
from finsae.similarity import uninformed

MONTHS = pd.date_range("2010-01-31", periods=84, freq="ME")
N, BLOCKS = 36, 4
NAMES = [f"C{i:02d}" for i in range(N)]
BLOCK = np.arange(N) % BLOCKS


def world(seed=0, missing=0.0):
    """Seven years of a market and four industries; a similarity that sees them through noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.04, (84, 1)) + rng.normal(0, 0.04, (84, BLOCKS))[:, BLOCK]
    x = x + rng.normal(0, 0.05, (84, N))
    x[rng.random(x.shape) < missing] = np.nan
    noise = rng.normal(0, 0.3, (N, N))
    same = (BLOCK[:, None] == BLOCK) + noise + noise.T
    returns = pd.DataFrame(x, index=MONTHS, columns=NAMES)
    return pd.DataFrame(same, index=NAMES, columns=NAMES), returns


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_r_squared_is_that_of_statsmodels_month_by_month(missing):
    similarity, returns = world(missing=missing)
    peers = Peers.of({"own": similarity}, 5, draws=1, seed=0)
    adjusted, count = [], 0
    for _, month in returns.iterrows():
        average = month.to_numpy()[peers.index[0]]
        average = pd.Series(np.nanmean(average, axis=1), index=NAMES)
        both = month.notna() & average.notna()
        adjusted.append(OLS(month[both], add_constant(average[both])).fit().rsquared_adj)
        count += both.sum()
    (found,) = peer_r2(peers, PeerReturns.of(returns, peers), Draws.none(*returns.shape))
    assert found.values[0, 0] == pytest.approx(np.mean(adjusted), abs=1e-12)
    assert found.n[0] == count


def test_a_company_drawn_twice_counts_twice_in_a_months_regression():
    similarity, returns = world()
    peers = Peers.of({"own": similarity}, 5, draws=1, seed=0)
    draws = Draws.two_way(*returns.shape, resamples=3, seed=1)
    (found,) = peer_r2(peers, PeerReturns.of(returns, peers), draws)
    averages = returns.to_numpy()[:, peers.index[0]].mean(axis=2)
    for draw in range(3):
        who, squares = draws.who[:, draw], []
        for month in np.repeat(np.arange(84), draws.months[:, draw].astype(int)):
            fit = OLS(returns.to_numpy()[month, who], add_constant(averages[month, who])).fit()
            squares.append(fit.rsquared_adj)
        assert found.values[0, draw] == pytest.approx(np.mean(squares), abs=1e-4)


def test_all_methods_are_scored_on_the_same_firm_months():
    similarity, returns = world()
    returns.iloc[:30, 0] = np.nan
    lone = pd.DataFrame(np.eye(N), index=NAMES, columns=NAMES)
    lone.iloc[5, 0] = lone.iloc[0, 5] = 1  # the nearest of C05 is C00, which has no returns yet
    peers = Peers.of({"own": similarity, "lone": lone}, 1, draws=1, seed=0)
    data = PeerReturns.of(returns, peers)
    (found,) = peer_r2(peers, data, Draws.none(*returns.shape))
    assert found.n[0] == found.n[1] == data.common.sum()
    assert not data.common[5, :30].any() and data.common[5, 30:].all()


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_hedges_are_fitted_before_and_measured_after(missing):
    similarity, returns = world(missing=missing)
    past, later = returns.iloc[:36], returns.iloc[36:]
    peers = Peers.of({"own": similarity}, 5, draws=1, seed=0)
    ratios = []
    for company in range(N):
        before = past.iloc[:, peers.index[0, company]].mean(axis=1)
        both = past.iloc[:, company].notna() & before.notna()
        slope = OLS(past.iloc[:, company][both], add_constant(before[both])).fit().params.iloc[1]
        after = later.iloc[:, peers.index[0, company]].mean(axis=1)
        hedged = (later.iloc[:, company] - slope * after).dropna()
        ratios.append(hedged.var(ddof=0) / later.iloc[:, company][hedged.index].var(ddof=0))
    data = PeerReturns.of(past, peers), PeerReturns.of(later, peers)
    (found,) = hedged_variance(peers, *data, Draws.none(*later.shape))
    expected = np.quantile(ratios, 0.5, method="inverted_cdf")
    assert found.values[0, 0] == pytest.approx(expected)
    assert found.values[0, 0] < 0.75 and found.n[0] == N


def test_too_short_a_past_gives_no_hedge():
    short = np.random.default_rng(0).normal(size=(2, 23))
    assert np.isnan(hedge_ratio(short, short[::-1])).all()


def test_lift_is_over_the_others_of_the_same_industry():
    similarity, returns = world()
    correlation = returns.corr().to_numpy()
    peers = peers_inside({"own": similarity}, BLOCK, 3, draws=1, seed=0)
    lifts = []
    for company in range(N):
        inside = [i for i in range(N) if BLOCK[i] == BLOCK[company] and i != company]
        nearest = similarity.iloc[company, inside].nlargest(3).index
        chosen = correlation[company, [NAMES.index(name) for name in nearest]].mean()
        lifts.append(chosen - correlation[company, inside].mean())
    (found,) = industry_lift(peers, BLOCK, Panel.of(returns), Draws.none(*returns.shape))
    assert found.values[0, 0] == pytest.approx(np.mean(lifts))
    assert found.n[0] == N


def test_companies_without_a_choice_in_their_industry_are_not_asked():
    similarity, returns = world()
    industry = np.where(np.arange(N) < 4, 0, np.where(np.arange(N) < 30, 1, -1))
    peers = peers_inside({"own": similarity}, industry, 3, draws=1, seed=0)
    asked = peers.index[0, :, 0] >= 0
    assert not asked[:4].any() and asked[4:30].all() and not asked[30:].any()
    (found,) = industry_lift(peers, industry, Panel.of(returns), Draws.none(*returns.shape))
    assert found.n[0] == 26


def test_residuals_are_those_of_a_regression_on_the_mean_company():
    _, returns = world(missing=0.1)
    market = returns.mean(axis=1)
    found = market_residuals(returns)
    for name in NAMES[:5]:
        here = returns[name].notna()
        fit = OLS(returns.loc[here, name], add_constant(market[here])).fit()
        np.testing.assert_allclose(found.loc[here, name], fit.resid, atol=1e-12)
        assert found.loc[~here, name].isna().all()


def test_newey_west_is_wider_for_a_series_that_persists():
    rng = np.random.default_rng(0)
    shocks = rng.normal(0, 1, 600)
    persistent = np.convolve(shocks, np.ones(4) / 2, mode="valid")  # the same variance
    value, low, high, n = newey_west(shocks)
    assert value == pytest.approx(shocks.mean()) and n == 600
    assert high - low == pytest.approx(2 * 1.964 * shocks.std(ddof=1) / np.sqrt(600), rel=0.15)
    _, wide_low, wide_high, _ = newey_west(persistent)
    assert wide_high - wide_low > 1.4 * (high - low)
    assert newey_west([0.1, 0.1, np.nan])[:3] == (pytest.approx(0.1),) * 3


def test_one_month_alone_has_no_interval():
    value, low, high, n = newey_west([0.1, np.nan])
    assert value == 0.1 and n == 1 and np.isnan(low) and np.isnan(high)


def test_agreement_is_that_of_scikit_learn_and_zero_by_chance():
    rng = np.random.default_rng(0)
    code = pd.Series(BLOCK.astype(str), index=NAMES)
    code.iloc[0] = None
    close = pd.Series(np.where(rng.random(N) < 0.8, BLOCK, 9), index=NAMES)
    labels = {"major-group": code, "close": close, "dealt": close.sample(frac=1, random_state=0)}
    labels["dealt"].index = NAMES
    found = {(m, metric): row for m, metric, *row in agreement(labels, "major-group", seed=0)}
    truth, guess = BLOCK[1:], close.to_numpy()[1:]
    ari, ami = found["close", "ari"], found["close", "ami"]
    assert ari[0] == pytest.approx(adjusted_rand_score(truth, guess)) and ari[3] == N - 1
    assert ami[0] == pytest.approx(adjusted_mutual_info_score(truth, guess))
    assert ari[1] < ari[0] < ari[2] and ari[2] - ari[1] < 0.7
    assert found["dealt", "ari"][1] < 0 < found["dealt", "ari"][2]


def test_a_leaderboard_row_without_an_interval_does_not_exist():
    similarity, returns = world()
    methods = {"sae": similarity, "random": uninformed(NAMES)}
    clusters = {"major-group": pd.Series(BLOCK, index=NAMES), "sae": pd.Series(BLOCK, index=NAMES)}
    few = Benchmark(k=3, draws=3, resamples=60)
    table = score(methods, clusters, returns.iloc[36:], past=returns.iloc[:36], settings=few)
    assert table[["value", "low", "high", "n"]].notna().all(axis=None)
    wanted = {"peer_r2", "peer_residual_correlation", "hedged_variance", "industry_lift", "ari"}
    assert wanted <= set(table["metric"])
    paired = table.query("method == 'sae' and versus == 'random'").set_index(["metric", "interval"])
    assert paired.loc[("peer_r2", "two-way"), "low"] > 0.1
    assert paired.loc[("peer_r2", "newey-west"), "low"] > 0.1
    assert paired.loc[("hedged_variance", "two-way"), "high"] < 0
    assert paired.loc[("peer_r2_adjusted_p", "two-way"), "value"] < 0.05
    chance = table.query("method == 'random' and metric == 'peer_r2' and versus == ''").iloc[0]
    assert chance["low"] < 0.0 < chance["high"]


def test_stretches_are_the_first_years_and_the_year_before():
    _, returns = world()
    found = stretches(returns.iloc[:24], returns.iloc[24:])
    assert [len(part) for part in found.values()] == [12, 36, 60, 12]
    assert list(found["first 12 months"].index) == list(MONTHS[24:36])
    (past,) = (part for name, part in found.items() if name.startswith("contemporaneous"))
    assert list(past.index) == list(MONTHS[12:24])
    assert [len(part) for part in stretches(returns.iloc[:5], returns.iloc[5:49]).values()] == [
        12, 36, 44,
    ]  # fmt: skip
    assert [len(part) for part in stretches(returns.iloc[:0], returns.iloc[:20]).values()] == [
        12, 20,
    ]  # fmt: skip


def test_a_period_is_scored_as_if_there_were_no_other():
    similarity, returns = world()
    few = Benchmark(k=3, draws=2, resamples=20)
    methods = {"sae": similarity, "random": uninformed(NAMES)}
    parts = {"a": returns.iloc[:12], "short": returns.iloc[:11], "b": returns.iloc[12:48]}
    table = periods(find_peers(methods, returns, settings=few), parts, settings=few)
    assert table.groupby("period")["months"].first().to_dict() == {"a": 12, "b": 36}
    assert table[["value", "low", "high"]].notna().all(axis=None)
    one = table.query("method == 'sae' and metric == 'peer_r2' and versus == '' and period == 'a'")
    peers = Peers.of({"sae": similarity}, 3, draws=1, seed=0)
    (found,) = peer_r2(peers, PeerReturns.of(parts["a"], peers), Draws.none(12, N))
    assert one["value"].item() == pytest.approx(found.values[0, 0])


def test_months_of_different_cuts_are_pooled_and_none_counts_twice():
    series = pd.DataFrame({"sae": [0.3, 0.2, 0.4], "random": [0.0, 0.1, 0.0]}, index=MONTHS[:3])
    found = over_months(series).set_index(["method", "versus"])
    assert found.loc[("sae", "random"), "value"] == pytest.approx(0.8 / 3)
    assert found.loc[("sae", ""), "value"] == pytest.approx(0.3) and (found["n"] == 3).all()
    with pytest.raises(DataError, match="two cuts score 2010-01"):
        over_months(pd.concat([series, series]))
