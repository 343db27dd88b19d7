"""The benchmark against hand-worked cases and against a naive loop in pandas."""

import warnings

import numpy as np
import pandas as pd
import pytest

from finsae.benchmark import by_year, cluster_sizes, find_peers, score
from finsae.benchmark.clusters import Clusters, cluster_correlation
from finsae.benchmark.draws import Draws, quantile, weighted_mean
from finsae.benchmark.interval import adjusted_p, bounds
from finsae.benchmark.leaderboard import PAIRED
from finsae.benchmark.panel import Panel
from finsae.benchmark.peers import Peers, company_means
from finsae.checks import DataError
from finsae.config import Benchmark
from finsae.methods import BASELINES
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
    scores = score(methods, clusters, returns, settings=Benchmark(k=4, resamples=20))
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


def drawn_rows(counts):
    return np.repeat(np.arange(len(counts)), np.asarray(counts, dtype=int))


def weighted_average(cells):
    values, weights = np.array(cells).T
    return np.average(values, weights=weights)


def one_draw(months, companies):
    """A draw in which months and companies occur so often."""
    months, companies = np.asarray(months, float), np.asarray(companies, float)
    return Draws(months[:, None], companies[:, None], drawn_rows(companies)[:, None])


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_clusters_equal_a_naive_count_of_pairs(missing):
    _, _, returns = world(n=9, missing=missing)
    labels = pd.Series([1, 1, 2, 2, 2, None, 3, 4, 4], index=returns.columns)
    correlation = returns.corr(min_periods=12).to_numpy()
    for weights in (np.ones(9), np.array([0, 0, 2, 1, 1, 2, 1, 1, 0.0]), np.eye(9)[0] * 9):
        draw = one_draw(np.ones(48), weights)
        clusters = Clusters.of({"own": labels}, 9)
        found = {
            m.metric: m.values[0, 0] for m in cluster_correlation(clusters, Panel.of(returns), draw)
        }
        means, sizes, pairs = [], [], []
        for members in ([0, 1], [2, 3, 4], [7, 8]):
            cells = [
                (correlation[i, j], weights[i] * weights[j])
                for place, i in enumerate(members)
                for j in members[place + 1 :]
                if weights[i] * weights[j] > 0
            ]
            if cells:  # a company that was drawn twice makes no pair with itself
                means.append(weighted_average(cells))
                sizes.append(weights[members].sum())
                pairs += cells
        everyone = np.array(
            [(correlation[i, j], weights[i] * weights[j]) for i in range(9) for j in range(i)]
        )
        if not means:
            assert np.isnan(found["mc"]) and np.isnan(found["pair_weighted"])
            continue
        population = weighted_average(everyone)
        assert found["mean_correlation"] == pytest.approx(population)
        assert found["mc"] == pytest.approx(np.mean(means))  # clusters weigh the same
        assert found["pair_weighted"] == pytest.approx(weighted_average(pairs))
        alone = weights.sum() - sum(sizes)
        expected = (np.dot(means, sizes) + alone * population) / weights.sum()
        assert found["coverage_adjusted"] == pytest.approx(expected)
        clustered = weights[[0, 1, 2, 3, 4, 7, 8]].sum()
        assert found["coverage"] == pytest.approx(clustered / weights.sum())


def test_weights_mean_repetition():
    rng = np.random.default_rng(0)
    values, weights = (
        rng.normal(size=(30, 3)),
        rng.multinomial(30, np.full(30, 1 / 30)).astype(float),
    )
    values[:5, 0] = np.nan
    who = np.repeat(drawn_rows(weights)[:, None], 3, axis=1)
    means = weighted_mean(values, np.repeat(weights[:, None], 3, axis=1))
    for line, mean, worst in zip(values.T, means, quantile(values, who, 0.1), strict=True):
        repeated = line[drawn_rows(weights)]
        assert mean == pytest.approx(np.nanmean(repeated))
        assert worst == pytest.approx(np.nanquantile(repeated, 0.1, method="inverted_cdf"))
    nothing = np.full((3, 1), np.nan)
    assert np.isnan(quantile(nothing, np.arange(3)[:, None], 0.1)).all()
    assert np.isnan(weighted_mean(nothing, np.ones((3, 1)))).all()


@pytest.mark.parametrize("missing", [0.0, 0.02, 0.3])
def test_correlations_of_drawn_months_are_those_of_the_repeated_rows(missing):
    _, _, returns = world(n=12, missing=0.0)
    rng = np.random.default_rng(1)
    returns.iloc[:, :4] = returns.iloc[:, :4].mask(rng.random((48, 4)) < missing)
    panel, first, second = Panel.of(returns), *np.triu_indices(12, 1)
    counts = rng.multinomial(48, np.full(48, 1 / 48), size=3).T
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 3e-6)):
        found = panel.over(counts.astype(dtype)).correlations(first, second)
        for draw in range(3):
            repeated = returns.iloc[drawn_rows(counts[:, draw])]
            expected = repeated.corr(min_periods=3).to_numpy()[first, second]
            np.testing.assert_allclose(found[:, draw], expected, atol=tolerance)


def test_a_series_that_stands_still_in_a_resample_has_no_correlation():
    _, _, returns = world(n=6)
    returns["C00"] = 0.0
    returns.iloc[3, 0] = 0.2
    returns["C01"] = returns["C00"].where(returns.index != MONTHS[7])
    counts = np.ones((48, 1))
    counts[3] = 0
    first, second = np.triu_indices(6, 1)
    found = Panel.of(returns).over(counts).correlations(first, second)[:, 0]
    assert np.isnan(found[first < 2]).all() and np.isfinite(found[first >= 2]).all()
    draw = one_draw(counts[:, 0], np.ones(6))
    everyone, *_ = cluster_correlation(Clusters.of({}, 6), Panel.of(returns), draw)
    assert everyone.values[0, 0] == pytest.approx(found[first >= 2].mean())
    assert everyone.n[0] == 6


def test_every_row_has_an_interval_around_its_value_and_a_number():
    methods, clusters, returns = world()
    scores = score(methods, clusters, returns, settings=Benchmark(k=4, resamples=100))
    assert tuple(scores.columns) == SCORE_COLUMNS
    assert scores[["value", "low", "high", "n"]].notna().all(axis=None)
    assert (scores["low"] <= scores["value"]).all() and (scores["value"] <= scores["high"]).all()
    assert not scores.duplicated(["method", "metric", "versus", "interval"]).any()
    assert (row(scores, "sae", "peer_correlation")[["n", "interval"]] == [40, "two-way"]).all()
    assert row(scores, "population", "mean_correlation")["n"] == 40 * 39 / 2
    assert row(scores, "sae", "mc")["n"] == 5
    assert row(scores, "sae", "pair_weighted")["n"] == 5 * 8 * 7 / 2
    assert (row(scores, "sae", "coverage")[["value", "n", "interval"]] == [1, 40, "firm"]).all()


def test_paired_differences_are_against_every_baseline_at_hand():
    methods, clusters, returns = world()
    scores = score(methods, clusters, returns, settings=Benchmark(k=4, resamples=200))
    paired = scores[scores["versus"] != ""]
    wanted = {(a, b) for a in methods for b in BASELINES if b in methods and a != b}
    for metric in (m for m in PAIRED if m not in ("hedged_variance", "industry_lift")):
        rows = paired[paired["metric"] == metric]
        assert set(zip(rows["method"], rows["versus"], strict=True)) == wanted
    difference = row(scores, "sae", "peer_correlation", "tfidf")
    levels = [row(scores, name, "peer_correlation") for name in ("sae", "tfidf")]
    assert difference["value"] == pytest.approx(levels[0]["value"] - levels[1]["value"])
    # both levels move with the months that are drawn; their difference does not
    spread = [level["high"] - level["low"] for level in levels]
    assert difference["high"] - difference["low"] < 0.7 * np.hypot(*spread)


def test_planted_industries_are_found_and_chance_is_not():
    methods, clusters, returns = world()
    scores = score(methods, clusters, returns, settings=Benchmark(k=4, resamples=200))
    chance = row(scores, "population", "mean_correlation")["value"]
    assert row(scores, "random", "peer_correlation")["value"] == pytest.approx(chance, abs=0.02)
    assert row(scores, "sae", "peer_correlation", "random")["low"] > 0.05
    assert row(scores, "sae", "peer_correlation_placebo_p")["value"] == pytest.approx(1 / 500)
    assert row(scores, "random", "peer_correlation_placebo_p")["value"] > 0.02


def test_ties_are_drawn_many_times_and_the_rest_once():
    methods, _, returns = world()
    peers = Peers.of(methods, 4, draws=7, seed=0)
    assert np.bincount(peers.owner).tolist() == [1, 7, 1, 7]
    drawn, random = Panel.of(returns).over(np.ones((48, 1))), {"random": methods["random"]}

    def level(draws, seed):
        sets = Peers.of(random, 4, draws=draws, seed=seed).index
        return np.mean([company_means(drawn, index) for index in sets])

    spread = {draws: np.std([level(draws, seed) for seed in range(10)]) for draws in (1, 30)}
    assert spread[30] < spread[1] / 2


def test_results_depend_on_the_seed_alone_and_not_on_other_methods():
    methods, clusters, returns = world()
    first = score(methods, clusters, returns, settings=Benchmark(k=4, resamples=20), seed=3)
    pd.testing.assert_frame_equal(
        first, score(methods, clusters, returns, settings=Benchmark(k=4, resamples=20), seed=3)
    )
    alone = score(
        {"sic": methods["sic"]}, {}, returns, settings=Benchmark(k=4, resamples=20), seed=3
    )
    for column in ("value", "low", "high"):
        expected = row(first, "sic", "peer_correlation")[column]
        assert row(alone, "sic", "peer_correlation")[column] == pytest.approx(expected)


def test_one_wild_month_is_clipped():
    methods, _, returns = world()
    wild = returns.copy()
    wild.loc[MONTHS[5], ["C00", "C05"]] = 4.0  # a wrong close
    clipped = wild.clip(-0.5, 0.5)
    first, second = (
        score(methods, {}, r, settings=Benchmark(k=4, resamples=5)) for r in (wild, clipped)
    )
    pd.testing.assert_frame_equal(first, second)


def test_clusters_of_one_are_reported_as_none():
    methods, _, returns = world()
    alone = pd.Series(range(40), index=returns.columns)
    scores = score(methods, {"none": alone}, returns, settings=Benchmark(k=4, resamples=20))
    for metric in ("mc", "pair_weighted"):
        found = row(scores, "none", metric)
        assert found["n"] == 0 and found[["value", "low", "high"]].isna().all()
    assert (row(scores, "none", "coverage")[["value", "low", "high"]] == 0).all()


def test_one_cluster_is_the_population():
    methods, _, returns = world()
    scores = score(
        methods,
        {"all": pd.Series("x", index=returns.columns)},
        returns,
        settings=Benchmark(k=4, resamples=20),
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
    scores = score(methods, clusters, returns, settings=Benchmark(k=4, resamples=50))
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
        scores = score(methods, clusters, nothing, settings=Benchmark(k=2, resamples=5))
    measured = scores[
        ~scores["metric"].isin(["coverage", "peer_correlation_placebo_p", "ari", "ami"])
    ]
    assert measured["value"].isna().all()
    counted = measured["metric"].ne("coverage_adjusted") & ~measured["metric"].str.endswith("_p")
    assert (measured.loc[counted, "n"] == 0).all()


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
        score(*change(*world()), settings=Benchmark(k=4, resamples=2))


def test_all_problems_come_at_once():
    methods, clusters, returns = world()
    with pytest.raises(DataError) as caught:
        score(
            {"own": methods["sae"].iloc[1:, 1:]},
            clusters,
            returns.iloc[:3, :5],
            settings=Benchmark(k=4),
        )
    assert len(caught.value.problems) == 3


def test_by_year_is_the_year_alone():
    methods, _, returns = world()
    found = find_peers(methods, returns, settings=Benchmark(k=4))
    table = by_year(found, returns.iloc[:-8])  # 2016 keeps four months: left out
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


def test_draws_have_as_many_companies_and_months_as_there_are():
    draws = Draws.two_way(48, 10, resamples=30, seed=0)
    assert (draws.months.sum(axis=0) == 48).all() and (draws.companies.sum(axis=0) == 10).all()
    for draw in range(30):
        counted = np.bincount(draws.who[:, draw], minlength=10)
        np.testing.assert_array_equal(counted, draws.companies[:, draw])
    assert len({draw.tobytes() for draw in draws.companies.T}) > 25
    assert len({draw.tobytes() for draw in draws.months.T}) == 30


def test_adjusted_p_values_know_how_many_are_read_at_once():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(4000, 1))
    alike = shared + rng.normal(0, 0.01, (4000, 20))  # twenty times one and the same difference
    apart = rng.normal(size=(4000, 20))
    values = np.full(20, 2.2)
    single = adjusted_p(values[:1], shared)[0]
    assert single == pytest.approx(2 * 0.0139, abs=0.006)
    assert adjusted_p(values, alike).max() == pytest.approx(single, abs=0.006)
    worst = adjusted_p(2.2 * apart.std(axis=0), apart).max()
    assert worst == pytest.approx(1 - (1 - 2 * 0.0139) ** 20, abs=0.03)
    steps = adjusted_p(np.array([8.0, 2.2, np.nan]), apart[:, :3])
    assert steps[0] < 0.001 and steps[1] == pytest.approx(single, abs=0.006)  # one left to read
    assert np.isnan(steps[2])
