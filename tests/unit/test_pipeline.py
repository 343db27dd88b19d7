from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import toy
from scipy import sparse

from finsae.checks import DataError
from finsae.config import Backtest, Benchmark, Data, Reading, Run
from finsae.features import Features, TokenCodes
from finsae.methods import BASELINES
from finsae.pipeline import (
    all_peers,
    build_features,
    company_peers,
    explain_pair,
    pictures,
    run_backtest,
    run_benchmark,
    windows,
)
from finsae.pipeline.methods import clusterings, known_companies, rows, similarities, weighted
from finsae.pipeline.pictures import firing, telling_pairs
from finsae.pipeline.reading import settings

READING = Reading(model="tfidf")
METHODS = ("words", *BASELINES)
RUN = Run(
    benchmark=Benchmark(k=4, draws=5, resamples=60),
    backtest=Backtest(candidates=60, pairs=10, draws=4, resamples=100, placebo=4),
)


@pytest.fixture(scope="module")
def universe():
    return toy.universe()


@pytest.fixture(scope="module")
def features(universe):
    return build_features(universe, READING)


@pytest.fixture(scope="module")
def scored(universe, features):
    return run_benchmark(universe, features, RUN)


@pytest.fixture(scope="module")
def traded(universe, features):
    return run_backtest(universe, features, RUN)


def value(scores, method, metric):
    rows = scores[(scores["method"] == method) & (scores["metric"] == metric)]
    return rows[rows["versus"] == ""]["value"].item()


def test_clusters_of_a_method_do_not_depend_on_what_else_is_compared(universe, features):
    past = universe.cut(windows(universe, RUN).cut).past
    tickers = known_companies(past, features)
    some = similarities(past, features, tickers, methods=["words", "sic"])
    alone = clusterings(past, features, {"words": some["words"]})
    beside = clusterings(past, features, some)
    assert alone["words"].nunique() == past.companies.loc[tickers, "sic"].nunique()
    for name in alone:
        pd.testing.assert_series_equal(alone[name], beside[name])


def test_features_are_found_again(universe, features):
    again = build_features(universe, READING)
    assert (again.matrix != features.matrix).nnz == 0
    assert again.provenance["made"] == features.provenance["made"]


def test_features_of_other_settings_are_others(universe, features):
    other = build_features(universe, Reading(model="tfidf", idf=False))
    assert other.provenance["reading"] != features.provenance["reading"]


def test_every_method_is_scored_with_an_interval(scored):
    rows = scored.scores[
        (scored.scores["metric"] == "peer_correlation") & (scored.scores["versus"] == "")
    ].set_index("method")
    assert set(METHODS) <= set(rows.index)
    for method in METHODS:
        assert rows.at[method, "low"] < rows.at[method, "value"] < rows.at[method, "high"]
        assert rows.at[method, "n"] == 40
        assert rows.at[method, "interval"] == "two-way"


def test_a_planted_industry_is_seen_and_chance_is_not(scored):
    sic = value(scored.scores, "sic", "peer_correlation")
    assert sic > value(scored.scores, "random", "peer_correlation") + 0.1
    assert value(scored.scores, "tfidf", "peer_correlation") == pytest.approx(sic, abs=0.1)


def test_paired_differences_are_there_and_agree_with_the_values(scored):
    rows = scored.scores[(scored.scores["metric"] == "peer_correlation")]
    difference = rows[(rows["method"] == "words") & (rows["versus"] == "sic")]["value"].item()
    sae, sic = (value(scored.scores, name, "peer_correlation") for name in ("words", "sic"))
    assert difference == pytest.approx(sae - sic, abs=1e-6)


def test_every_method_is_traded_with_the_same_number_of_candidates(traded):
    found = traded.scores[(traded.scores["metric"] == "sharpe_net")].set_index("method")
    expected = [name for name in METHODS if name != "random"]
    assert list(found[found["versus"] == ""].index) == [*expected, "placebo"]
    assert {"method", "draw", "date", "gross", "net"} <= set(traded.tables["returns"].columns)
    assert not traded.tables["trades"].empty


@pytest.mark.slow
def test_a_trial_is_what_was_traded_and_not_where_the_files_lay(universe, features, tmp_path):
    ledger = tmp_path / "ledger.jsonl"
    for folder in ("here", "there"):
        run = replace(RUN, data=Data(prices=f"/{folder}/prices.parquet"))
        run_backtest(universe, features, run, methods=["sic"], ledger=ledger)
    written = ledger.read_text()
    assert len(written.splitlines()) == 1 and "prices.parquet" not in written


def test_a_company_without_features_is_named(features):
    with pytest.raises(DataError, match="no features of T9Z"):
        rows(features, ["T0A", "T9Z"])


@pytest.mark.slow
def test_costs_only_take(universe, features):
    at_no_cost = Backtest(60, 10, 4, cost_bps=0, borrow_bps=0, resamples=50, placebo=4)
    free = Run(benchmark=RUN.benchmark, backtest=at_no_cost)
    result = run_backtest(universe, features, free, methods=["sic"])
    assert value(result.scores, "sic", "sharpe_net") == value(result.scores, "sic", "sharpe_gross")


def test_peers_carry_their_reasons(features):
    found = company_peers(features, "T0A", k=3)
    assert [len(peer["features"]) > 0 for peer in found["peers"]] == [True] * 3
    values = [peer["similarity"] for peer in found["peers"]]
    assert values == sorted(values, reverse=True)
    table = all_peers(features, 3)
    assert table[table["ticker"] == "T0A"]["peer"].tolist() == [p["ticker"] for p in found["peers"]]
    with pytest.raises(DataError, match='did you mean "T0A"'):
        company_peers(features, "T0AA")


def test_contributions_sum_to_the_similarity_that_peers_show(features):
    peer = company_peers(features, "T1A", k=1)["peers"][0]
    found = explain_pair(features, "T1A", peer["ticker"], top=3)
    assert found["similarity"] == pytest.approx(peer["similarity"], abs=1e-5)
    total = sum(feature["contribution"] for feature in found["features"])
    assert total == pytest.approx(found["similarity"])
    assert "[[" in found["features"][0]["evidence"]["a"]
    with pytest.raises(DataError, match="given twice"):
        explain_pair(features, "T1A", "T1A")


def test_pictures_are_of_the_scored_companies(universe, features, scored):
    drawn = pictures(universe, features, scored)
    assert set(drawn["companies"]["ticker"]) == set(universe.companies.index)
    assert np.isfinite(drawn["companies"][["x", "y"]].to_numpy()).all()
    assert drawn["heat"]["correlation"].dropna().between(-1, 1).all()
    pairs = drawn["explained"].groupby(["a", "b"])
    total = pairs["contribution"].sum()
    assert len(total) == 5 and len({ticker for pair in total.index for ticker in pair}) == 10
    assert np.allclose(total, pairs["similarity"].first(), atol=1e-5)
    words = drawn["pair_words"].groupby(["a", "b"])["contribution"].sum()
    assert np.allclose(words[total.index], total, atol=1e-6)
    texts = drawn["pair_texts"]
    (a, b), legs = total.index[0], texts.groupby(["a", "b", "leg"])["text"].sum()
    assert legs[a, b, "b"] == universe.companies.at[b, "description"]
    assert drawn["firing"].empty  # words are no token codes

    quotes = drawn["pair_sentences"][["quote_a", "quote_b"]]
    assert len(quotes) and quotes.apply(lambda column: column.str.contains(r"\[\[")).all(axis=None)
    named = drawn["companies"].groupby("cluster")["cluster_name"]
    assert (named.nunique() < 2).all()
    assert (named.first()[named.size() > 1] != "").all()


def test_latents_are_counted_by_how_often_they_fire(features):
    fires = sparse.csr_array([[1.0, 0, 0], [1.0, 2.0, 0]])
    codes = TokenCodes.of(fires, np.array([0, 1, 2]), np.zeros((2, 2), dtype=np.int64))
    companies = features.companies.iloc[:2]
    found = firing(Features.build(np.ones((2, 3)), companies, list("abc"), codes=codes))
    bars = found.set_index("density")["latents"]
    assert bars["never"] == 1 and bars["0.1 to 1"] == 2 and bars.sum() == 3
    assert found[["tokens", "l0", "dead"]].iloc[0].tolist() == [2, 1.5, pytest.approx(1 / 3)]


def test_told_pairs_are_of_different_groups_first_and_use_no_company_twice():
    names = list("ABCD")
    table = pd.DataFrame(0.1, index=names, columns=names)
    table.loc["A", "B"] = table.loc["B", "A"] = 0.9
    table.loc["A", "C"] = table.loc["C", "A"] = 0.5
    sic = pd.Series(["10", "10", "20", "30"], index=names)
    assert telling_pairs(table, sic) == [("A", "C"), ("B", "D")]
    assert telling_pairs(table, pd.Series("10", index=names)) == [("A", "B"), ("C", "D")]
    assert len(telling_pairs(-table, sic)) == 1
    assert telling_pairs(table, sic.replace("20", None))[0] == ("A", "D")  # C may be of any group


def test_windows_follow_the_cut(universe):
    dates = windows(universe, Run())
    assert str(dates.cut.date()) == toy.CUT
    assert dates.formation[0] == pd.Timestamp("2013-01-01")
    assert dates.trade[0] == pd.Timestamp("2015-01-01")
    own = Run(data=Data(formation="2012-01-01:2013-12-31"))
    assert windows(universe, own).cut == pd.Timestamp("2013-12-31")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Data(formation="2012-01-01"), "START:END"),
        (Data(formation="2014-01-01:2013-01-01"), "ends before it begins"),
        (Data(cut="2014-12-31", trade="2014-06-01:2015-01-01"), "trading begin after"),
        (Data(cut="2020-01-01"), "no prices after the cut"),
        (Data(trade="2019-01-01:2020-01-01"), "but prices end 2017-12-29"),
    ],
)
def test_impossible_windows_are_refused(universe, data, message):
    with pytest.raises(DataError, match=message):
        windows(universe, Run(data=data))


def test_a_cut_that_nobody_knows_is_asked_for(universe):
    undated = universe.build(universe.companies.assign(date=None), universe.prices)
    with pytest.raises(DataError, match="where is the cut"):
        windows(undated, Run())


def test_numbers_that_mean_nothing_are_refused(universe, features):
    with pytest.raises(DataError) as caught:
        run_benchmark(universe, features, Run(benchmark=Benchmark(k=0, draws=0)))
    assert caught.value.problems == [
        "k is 0: it must be at least 1",
        "draws is 0: it must be at least 1",
    ]
    with pytest.raises(DataError, match="pairs is 0"):
        run_backtest(universe, features, Run(backtest=Backtest(pairs=0)))


def test_two_companies_are_compared_by_what_they_share():
    few = toy.universe(per_industry=2).select(["T0A", "T0B"])
    found = company_peers(build_features(few, READING), "T0A", k=5)
    assert [peer["ticker"] for peer in found["peers"]] == ["T0B"]
    assert found["peers"][0]["similarity"] > 0.3


def test_the_same_texts_under_another_cut_are_not_the_first_universe(universe, features):
    other = replace(universe, provenance={**universe.provenance, "cut": "2015-12-31"})
    again = build_features(other, READING)
    assert again.provenance["made"] == features.provenance["made"]  # found, not made again
    assert again.provenance["universe"]["cut"] == "2015-12-31"
    assert windows(other, RUN).cut == pd.Timestamp("2015-12-31")


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"model": "tfidf", "pool": "max"}, r"pool = max does not apply to words \(tfidf\)"),
        ({"model": "tfidf", "layer": 3}, "layer = 3 does not apply"),
        ({"sae": "none", "pool": "max"}, r"pool = max does not apply to activations"),
        ({"sae": "none", "length_normalised": True}, "length_normalised = True does not"),
    ],
)
def test_a_setting_that_does_not_apply_is_refused(universe, chosen, message):
    with pytest.raises(DataError, match=message):
        build_features(universe, Reading(**chosen))


def test_what_is_recorded_is_what_was_done(universe, features):
    words = {"model": "tfidf", "idf": True, "sae": "none", "strongest": 0}
    assert features.provenance["reading"] == words
    dense = settings(Reading(sae="none"))
    assert dense == settings(Reading(sae="none", pool="mean", idf=False))
    assert (dense["pool"], dense["idf"], dense["length_normalised"]) == ("mean", False, False)
    assert settings(Reading()) == asdict(Reading())


def test_activations_are_not_weighted_away(universe):
    dense = np.random.default_rng(0).normal(size=(40, 6))
    made = {"reading": settings(Reading(sae="none"))}
    found = Features.build(dense, universe.companies, list("abcdef"), provenance=made)
    known = universe.companies.index.tolist()
    np.testing.assert_allclose(weighted(found, known).matrix.toarray(), dense, rtol=1e-6)


def test_labels_may_not_take_the_name_of_a_method(universe, features):
    labels = pd.Series("one", index=universe.companies.index)
    with pytest.raises(DataError, match="name of a method"):
        run_benchmark(universe, features, RUN, labels={"sae": labels})
    with pytest.raises(DataError, match="none of the 40"):
        run_benchmark(universe, features, RUN, labels={"own": labels.rename(str.lower)})


@pytest.mark.slow
def test_two_readings_side_by_side(universe, features):
    both = {"sae": features, "sae-group": features}
    found = run_benchmark(universe, both, RUN)
    assert value(found.scores, "sae", "peer_correlation") == value(
        found.scores, "sae-group", "peer_correlation"
    )
    assert found.provenance["method"] == "sae"


def test_a_universe_with_no_more_pairs_than_candidates_is_warned_of(universe, features):
    few = universe.select(universe.companies.index[:9])
    warned = run_backtest(few, features, RUN, methods=["words", "random"]).provenance["warnings"]
    assert any("all methods trade the same pairs" in line for line in warned)


def test_without_any_sic_code_the_methods_by_code_are_left_out(universe, features):
    bare = replace(universe, companies=universe.companies.assign(sic=None))
    found = run_benchmark(bare, features, RUN)
    methods = set(found.scores["method"])
    assert {"words", "tfidf", "embedding", "past-correlation", "random"} <= methods
    assert not methods & {"sic", "major-group"} and found.provenance["companies"] == 40
    with pytest.raises(DataError, match="no company has a SIC code"):
        run_backtest(bare, features, RUN, methods=["sic"])
