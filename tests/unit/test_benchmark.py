"""The benchmark against hand-worked cases and against a naive loop in pandas."""

import warnings

import numpy as np
import pandas as pd
import pytest

from finsae.benchmark import by_year, cluster_sizes, score
from finsae.benchmark.interval import Panel, bounds, two_way
from finsae.benchmark.leaderboard import BASELINES
from finsae.benchmark.metrics import (
    Clusters,
    Peers,
    population,
    weighted_mean,
    weighted_quantile,
)
from finsae.checks import DataError
from finsae.result import SCORE_COLUMNS
from finsae.similarity import cosine, shared_prefix, uninformed

MONTHS = pd.date_range("2013-01-31", periods=48, freq="ME")


def world(n=40, blocks=5, seed=0, missing=0.0):
    """Returns with a market and an industry factor; industries' codes and texts' vectors."""
    rng = np.random.default_rng(seed)
    block = np.arange(n) % blocks
    x = rng.normal(0, 0.03, (48, 1)) + rng.normal(0, 0.04, (48, blocks))[:, block]
    x = x + rng.normal(0, 0.05, (48, n))
    x[rng.random(x.shape) < missing] = np.nan
    names = [f"C{i:02d}" for i in range(n)]
    returns = pd.DataFrame(x, index=MONTHS, columns=names)
    vectors = np.eye(blocks)[block] + rng.normal(0, 0.5, (n, blocks))
    sic = pd.Series([f"{20 + b}{i % 2}0" for i, b in enumerate(block)], index=names)
    methods = {
        "sae": cosine(vectors, names),
        "sic": shared_prefix(sic),
        "tfidf": cosine(vectors + rng.normal(0, 0.5, vectors.shape), names),
        "random": uninformed(names),
    }
    return methods, {"sic": sic, "sae": pd.Series(block, index=names)}, returns


def row(scores, method, metric, versus=""):
    found = scores.query("method == @method and metric == @metric and versus == @versus")
    assert len(found) == 1
    return found.iloc[0]


def naive_peer_correlation(similarity, returns, k):
    correlation = returns.clip(-0.5, 0.5).corr(min_periods=12)
    means = []
    for ticker in returns.columns:
        nearest = similarity.loc[ticker].drop(ticker).nlargest(k).index
        means.append(correlation.loc[ticker, nearest].mean())
    return pd.Series(means)


def naive_clusters(labels, returns):
    correlation = returns.clip(-0.5, 0.5).corr(min_periods=12)
    by_cluster = []
    for _, members in labels.groupby(labels):
        names = list(members.index)
        pairs = [correlation.loc[a, b] for i, a in enumerate(names) for b in names[i + 1 :]]
        pairs = [pair for pair in pairs if not np.isnan(pair)]
        if pairs:
            by_cluster.append(pairs)
    mc = np.mean([np.mean(pairs) for pairs in by_cluster])
    return mc, np.mean(np.concatenate(by_cluster)), len(by_cluster)


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_scores_equal_a_naive_loop(missing):
    methods, clusters, returns = world(missing=missing)
    scores = score(methods, clusters, returns, k=4, resamples=20)
    for name in ("sae", "tfidf"):
        means = naive_peer_correlation(methods[name], returns, 4)
        assert row(scores, name, "peer_correlation")["value"] == pytest.approx(means.mean())
        worst = np.quantile(means, 0.1, method="inverted_cdf")
        assert row(scores, name, "peer_correlation_worst_decile")["value"] == pytest.approx(worst)
    for name, labels in clusters.items():
        mc, pair_weighted, count = naive_clusters(labels, returns)
        assert row(scores, name, "mc")["value"] == pytest.approx(mc)
        assert row(scores, name, "mc")["n"] == count
        assert row(scores, name, "pair_weighted")["value"] == pytest.approx(pair_weighted)
    everyone = returns.corr(min_periods=12).to_numpy()[np.triu_indices(40, 1)]
    assert row(scores, "population", "mean_correlation")["value"] == pytest.approx(everyone.mean())


def test_hand_worked_clusters():
    correlation = np.full((6, 6), np.nan)
    for i, j, value in [(0, 1, 0.9), (2, 3, 0.2), (2, 4, 0.4), (3, 4, 0.6), (0, 5, -1)]:
        correlation[i, j] = correlation[j, i] = value
    groups = Clusters.of(pd.Series([1, 1, 2, 2, 2, None]))
    mc, pair_weighted, coverage = groups.metrics(correlation, np.ones(6))
    assert mc == pytest.approx((0.9 + 0.4) / 2)  # clusters weigh the same
    assert pair_weighted == pytest.approx((0.9 + 0.2 + 0.4 + 0.6) / 4)  # pairs weigh the same
    assert coverage == pytest.approx(5 / 6)  # the unlabelled company is on its own
    # company 2 drawn twice, 3 once, 4 once, 0 and 1 never: only the second cluster is left
    mc, pair_weighted, coverage = groups.metrics(correlation, np.array([0, 0, 2, 1, 1, 2.0]))
    assert mc == pytest.approx((2 * 0.2 + 2 * 0.4 + 0.6) / 5)
    assert pair_weighted == mc
    assert coverage == pytest.approx(4 / 6)


def test_a_company_drawn_twice_makes_no_pair_with_itself():
    correlation = np.array([[np.nan, 0.5, 0.1], [0.5, np.nan, 0.3], [0.1, 0.3, np.nan]])
    # drawn: 0, 0, 1 -> the pairs 0-1 and 0'-1, not 0-0'
    assert population(correlation, np.array([2.0, 1.0, 0.0])) == pytest.approx(0.5)
    assert population(correlation, np.array([1.0, 1.0, 1.0])) == pytest.approx(0.3)


def test_weights_mean_repetition():
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(3, 30)), rng.integers(0, 4, 30).astype(float)
    values[0, :5] = np.nan
    for line, mean, worst in zip(
        values, weighted_mean(values, weights), weighted_quantile(values, weights, 0.1), strict=True
    ):
        repeated = np.repeat(line, weights.astype(int))
        assert mean == pytest.approx(np.nanmean(repeated))
        expected = np.nanquantile(repeated, 0.1, method="inverted_cdf")
        assert worst == pytest.approx(expected)
    assert np.isnan(weighted_quantile(np.full((1, 3), np.nan), np.ones(3), 0.1)).all()


@pytest.mark.parametrize("missing", [0.0, 0.02, 0.3])
def test_a_resampled_matrix_is_that_of_the_drawn_months(missing):
    _, _, returns = world(n=12, missing=0.0)
    rng = np.random.default_rng(1)
    returns.iloc[:, :4] = returns.iloc[:, :4].mask(rng.random((48, 4)) < missing)
    panel = Panel.of(returns)
    counts = rng.multinomial(48, np.full(48, 1 / 48))
    drawn = returns.iloc[np.repeat(np.arange(48), counts)]
    expected = drawn.corr(min_periods=3).to_numpy(copy=True)
    np.fill_diagonal(expected, np.nan)
    np.testing.assert_allclose(panel.resampled(counts), expected, atol=2e-6)
    np.testing.assert_allclose(
        panel.resampled(np.ones(48, dtype=int)), panel.correlation, atol=2e-6
    )


def test_a_series_that_stands_still_in_a_resample_has_no_correlation():
    _, _, returns = world(n=6)
    returns["C00"] = 0.0
    returns.iloc[3, 0] = 0.2
    returns["C01"] = returns["C00"].where(returns.index != MONTHS[7])
    counts = np.ones(48, dtype=int)
    counts[3] = 0
    correlation = Panel.of(returns).resampled(counts)
    assert np.isnan(correlation[:2]).all() and np.isnan(correlation[:, :2]).all()
    assert np.isfinite(correlation[2:, 2:]).sum() == 12


def test_every_row_has_an_interval_around_its_value_and_a_number():
    methods, clusters, returns = world()
    scores = score(methods, clusters, returns, k=4, resamples=100)
    assert tuple(scores.columns) == SCORE_COLUMNS
    assert scores[["value", "low", "high", "n"]].notna().all(axis=None)
    assert (scores["low"] <= scores["value"]).all() and (scores["value"] <= scores["high"]).all()
    assert not scores.duplicated(["method", "metric", "versus"]).any()
    assert (row(scores, "sae", "peer_correlation")[["n", "interval"]] == [40, "two-way"]).all()
    assert row(scores, "population", "mean_correlation")["n"] == 40 * 39 / 2
    assert row(scores, "sae", "mc")["n"] == 5
    assert row(scores, "sae", "pair_weighted")["n"] == 5 * 8 * 7 / 2
    assert (row(scores, "sae", "coverage")[["value", "n", "interval"]] == [1, 40, "firm"]).all()


def test_paired_differences_are_against_every_baseline_at_hand():
    methods, clusters, returns = world()
    scores = score(methods, clusters, returns, k=4, resamples=200)
    paired = scores[scores["versus"] != ""]
    wanted = {(a, b) for a in methods for b in BASELINES if b in methods and a != b}
    assert set(zip(paired["method"], paired["versus"], strict=True)) == wanted
    assert set(paired["metric"]) == {"peer_correlation"}
    difference = row(scores, "sae", "peer_correlation", "tfidf")
    levels = [row(scores, name, "peer_correlation") for name in ("sae", "tfidf")]
    assert difference["value"] == pytest.approx(levels[0]["value"] - levels[1]["value"])
    # both levels move with the months that are drawn; their difference does not
    spread = [level["high"] - level["low"] for level in levels]
    assert difference["high"] - difference["low"] < 0.7 * np.hypot(*spread)


def test_planted_industries_are_found_and_chance_is_not():
    methods, clusters, returns = world()
    scores = score(methods, clusters, returns, k=4, resamples=200)
    chance = row(scores, "population", "mean_correlation")["value"]
    assert row(scores, "random", "peer_correlation")["value"] == pytest.approx(chance, abs=0.02)
    assert row(scores, "sae", "peer_correlation", "random")["low"] > 0.05
    assert row(scores, "sae", "peer_correlation_placebo_p")["value"] == pytest.approx(1 / 500)
    assert row(scores, "random", "peer_correlation_placebo_p")["value"] > 0.02


def test_ties_are_drawn_many_times_and_the_rest_once():
    methods, _, returns = world()
    peers = Peers.of(methods, 4, draws=7, seed=0)
    assert np.bincount(peers.owner).tolist() == [1, 7, 1, 7]
    correlation, random = Panel.of(returns).correlation, {"random": methods["random"]}
    spread = {
        draws: np.std(
            [
                Peers.of(random, 4, draws=draws, seed=seed).company_means(correlation).mean()
                for seed in range(10)
            ]
        )
        for draws in (1, 30)
    }
    assert spread[30] < spread[1] / 2


def test_results_depend_on_the_seed_alone_and_not_on_other_methods():
    methods, clusters, returns = world()
    first = score(methods, clusters, returns, k=4, resamples=20, seed=3)
    pd.testing.assert_frame_equal(
        first, score(methods, clusters, returns, k=4, resamples=20, seed=3)
    )
    alone = score({"sic": methods["sic"]}, {}, returns, k=4, resamples=20, seed=3)
    for column in ("value", "low", "high"):
        expected = row(first, "sic", "peer_correlation")[column]
        assert row(alone, "sic", "peer_correlation")[column] == pytest.approx(expected)


def test_one_wild_month_is_clipped():
    methods, _, returns = world()
    wild = returns.copy()
    wild.loc[MONTHS[5], ["C00", "C05"]] = 4.0  # a wrong close
    clipped = wild.clip(-0.5, 0.5)
    first, second = (score(methods, {}, r, k=4, resamples=5) for r in (wild, clipped))
    pd.testing.assert_frame_equal(first, second)


def test_clusters_of_one_are_reported_as_none():
    methods, _, returns = world()
    alone = pd.Series(range(40), index=returns.columns)
    scores = score(methods, {"none": alone}, returns, k=4, resamples=20)
    for metric in ("mc", "pair_weighted"):
        found = row(scores, "none", metric)
        assert found["n"] == 0 and found[["value", "low", "high"]].isna().all()
    assert (row(scores, "none", "coverage")[["value", "low", "high"]] == 0).all()


def test_one_cluster_is_the_population():
    methods, _, returns = world()
    scores = score(
        methods, {"all": pd.Series("x", index=returns.columns)}, returns, k=4, resamples=20
    )
    everyone = row(scores, "population", "mean_correlation")
    for metric in ("mc", "pair_weighted"):
        for column in ("value", "low", "high"):
            assert row(scores, "all", metric)[column] == pytest.approx(everyone[column], abs=1e-5)


def test_a_company_without_common_months_is_left_out_and_counted():
    methods, clusters, returns = world()
    returns["C00"] = np.nan
    returns.loc[MONTHS[:20], "C01"] = np.nan
    returns.loc[MONTHS[20:], "C02"] = np.nan  # C01 and C02 never meet
    scores = score(methods, clusters, returns, k=4, resamples=50)
    assert row(scores, "sae", "peer_correlation")["n"] == 39
    assert row(scores, "population", "mean_correlation")["n"] == 39 * 38 / 2 - 1
    means = naive_peer_correlation(methods["sae"], returns, 4)
    assert row(scores, "sae", "peer_correlation")["value"] == pytest.approx(means.mean())
    assert scores[["value", "low", "high"]].notna().all(axis=None)


def test_returns_that_never_meet_make_no_score_and_no_crash():
    methods, clusters, returns = world(n=12, blocks=2)
    nothing = returns * np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = score(methods, clusters, nothing, k=2, resamples=5)
    measured = scores[~scores["metric"].isin(["coverage", "peer_correlation_placebo_p"])]
    assert measured["value"].isna().all() and (measured["n"] == 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m, c, r: (m, c, r.iloc[:, :5]), "5 companies are too few for 4 peers each"),
        (lambda m, c, r: (m, c, r.iloc[:11]), "11 months after the cut are too few"),
        (lambda m, c, r: ({}, c, r), "no method to score"),
        (
            lambda m, c, r: ({"own": m["sae"].iloc[1:, 1:]}, c, r),
            r'"own" has no similarities for 1 of 40 companies \(C00\)',
        ),
        (
            lambda m, c, r: (m, {"own": pd.Series([1, 1], index=["X", "Y"])}, r),
            '"own" labels none of the 40 companies: its tickers are X, Y',
        ),
    ],
)
def test_unusable_input_is_refused_with_a_way_out(change, message):
    with pytest.raises(DataError, match=message):
        score(*change(*world()), k=4, resamples=2)


def test_all_problems_come_at_once():
    methods, clusters, returns = world()
    with pytest.raises(DataError) as caught:
        score({"own": methods["sae"].iloc[1:, 1:]}, clusters, returns.iloc[:3, :5], k=4)
    assert len(caught.value.problems) == 3


def test_by_year_is_the_year_alone():
    methods, _, returns = world()
    table = by_year(methods, returns.iloc[:-8], k=4)  # 2016 keeps four months: left out
    assert set(table["year"]) == {2013, 2014, 2015}
    assert set(table["method"]) == {*methods, "population"}
    found = table.query("method == 'sae' and year == 2014").iloc[0]
    expected = naive_peer_correlation(methods["sae"], returns.loc["2014"], 4).mean()
    assert found["value"] == pytest.approx(expected)
    assert found["months"] == 12


def test_cluster_sizes():
    labels = pd.Series([1] * 60 + [2] * 5 + [3] * 2 + [4, 4] + [5] + [None])
    table = cluster_sizes(labels).set_index("size")
    assert table["clusters"].to_dict() == {
        "1": 2, "2": 2, "3-5": 1, "6-15": 0, "16-50": 0, "51+": 1,
    }  # fmt: skip
    assert table["companies"].sum() == len(labels)
    assert table.at["51+", "share"] == pytest.approx(60 / len(labels))


def test_bounds_are_centred_on_the_value_and_wider_for_few_months():
    draws = np.random.default_rng(0).normal(5, 1, (20_000, 1))  # the resamples are biased by 5
    low, high = bounds(np.array([0.0]), draws, months=10_000)
    assert low == pytest.approx(-1.96, abs=0.05) and high == pytest.approx(1.96, abs=0.05)
    low, high = bounds(np.array([0.0]), draws, months=12)
    assert high == pytest.approx(2.201 * np.sqrt(12 / 11), abs=0.1)  # t with 11 degrees of freedom


def test_resamples_draw_companies_and_months_as_often_as_there_are():
    _, _, returns = world(n=10)
    seen = []
    two_way(
        Panel.of(returns),
        lambda correlation, weights: seen.append((correlation, weights)) or weights,
        resamples=30,
        seed=0,
    )
    assert all(weights.sum() == 10 for _, weights in seen)
    assert len({weights.tobytes() for _, weights in seen}) > 25
    assert len({correlation.tobytes() for correlation, _ in seen}) == 30
