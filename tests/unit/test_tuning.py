"""Choices made inside the past: what is tried, what is looked at, what is written down."""

import json

import numpy as np
import pandas as pd
import pytest
import toy

from finsae import ledger
from finsae.checks import DataError
from finsae.config import Benchmark, Data, Reading, Run
from finsae.pipeline import build_features, tune, walk_forward
from finsae.pipeline.tuning import RIDGES, WEIGHTS, inner_cuts

RUN = Run(data=Data(cut="2016-12-31"), benchmark=Benchmark(k=4, draws=3, resamples=40))
CUTS = ["2014-12-31", "2015-12-31"]


@pytest.fixture(scope="module")
def universe():
    return toy.universe()


@pytest.fixture(scope="module")
def features(universe):
    return build_features(universe, Reading(model="tfidf"))


@pytest.fixture(scope="module")
def tuned(universe, features):
    shuffled = features.matrix[np.random.default_rng(0).permutation(40)]
    worse = type(features).build(
        shuffled, features.companies, features.names["label"], provenance=features.provenance
    )
    return tune(universe, {"worse": worse, "own": features}, RUN, cuts=CUTS)


def test_everything_that_was_tried_is_kept_in_order(tuned):
    trials = tuned.tables["trials"]
    each = 2 + len(RIDGES) + len(WEIGHTS)
    assert len(trials) == each + 2 * (each - 1)
    assert trials["stage"].drop_duplicates().tolist() == ["reading", "ridge", "blend"]
    np.testing.assert_allclose(trials["mean"], trials[CUTS].mean(axis=1))
    assert len(tuned.scores) == 0


def test_the_best_of_each_stage_goes_on(tuned):
    trials = tuned.tables["trials"].query("family == 'sae'")
    choice = tuned.tables["choices"].iloc[0]
    assert choice["reading"] == "own"  # companies' features dealt at random are worse
    for stage, column in (("ridge", "ridge"), ("blend", "weight")):
        tried = trials[trials["stage"] == stage]
        best = tried.loc[tried["mean"].idxmax(), column]
        assert best == choice[column] or (pd.isna(best) and pd.isna(choice[column]))


def test_nothing_after_the_cut_moves_a_choice(universe, features, tuned):
    prices = universe.prices.copy()
    after = prices.index > "2016-12-31"
    noise = np.random.default_rng(1).normal(0, 0.1, (after.sum(), prices.shape[1]))
    prices.loc[after] = 50 * np.exp(np.cumsum(noise, axis=0))
    other = type(universe).build(universe.companies, prices, provenance=dict(universe.provenance))
    again = tune(other, {"own": features}, RUN, cuts=CUTS)
    first = tuned.tables["trials"].query("reading != 'worse'").reset_index(drop=True)
    pd.testing.assert_frame_equal(again.tables["trials"], first)


def test_inner_cuts_leave_three_years_before_and_one_after(universe):
    undated = type(universe).build(universe.companies.assign(date=None), universe.prices)
    found = inner_cuts(undated, pd.Timestamp("2016-12-31"))
    assert [f"{day:%Y-%m}" for day in found] == ["2012-12", "2013-12", "2014-12", "2015-12"]
    late = universe.select(universe.companies.index)
    late = type(late).build(late.companies, late.prices.loc["2013-01-01":])
    with pytest.raises(DataError, match="are too few to tune on: 48 are needed"):
        inner_cuts(late, pd.Timestamp("2016-12-31"))


def test_inner_cuts_are_of_years_whose_texts_are_known(universe, features):
    found = inner_cuts(universe, pd.Timestamp("2016-12-31"))  # texts of 2014-06-30
    assert [f"{day:%Y-%m}" for day in found] == ["2014-12", "2015-12"]
    early = Run(data=Data(cut="2015-03-31"))
    with pytest.raises(DataError, match=r"texts are dated from 2014-06-30.* dated by 2014-03-31"):
        tune(universe, {"own": features}, early)


def test_a_year_that_is_not_over_cannot_be_tuned_on(universe, features):
    with pytest.raises(DataError, match="the year after 2016-06-30 is not over at the cut"):
        tune(universe, {"own": features}, RUN, cuts=["2016-06-30"])


@pytest.mark.slow
def test_opened_choices_are_scored_after_the_cut_and_compared(universe, features):
    found = tune(universe, {"own": features}, RUN, cuts=CUTS[1:], opened=True)
    methods = set(found.scores["method"])
    assert {"sae", "sae + past", "tfidf + past", "embedding + past", "past-correlation"} <= methods
    assert found.scores[["value", "low", "high"]].notna().all(axis=None)
    paired = found.scores[found.scores["versus"] != ""]
    wanted = {("sae + past", "past-correlation"), ("sae + past", "tfidf + past")}
    assert wanted <= set(zip(paired["method"], paired["versus"], strict=True))
    assert len(found.provenance["returns_hash"]) >= 12


def test_walk_forward_scores_the_year_after_each_cut(universe, features):
    found = walk_forward(universe, features, RUN, cuts=["2015-12-31", "2014-12-31"])
    table = found.tables["walk_forward"]
    assert table["cut"].drop_duplicates().tolist() == CUTS
    assert (table["months"] == 12).all()


def test_who_is_scored_in_a_year_is_not_decided_by_who_is_listed_after_it(universe, features):
    closes = universe.prices.copy()
    closes.loc["2016-01-15":, "T0A"] = np.nan  # leaves the market after the year that is scored
    left = type(universe).build(universe.companies, closes, provenance=universe.provenance)
    run = Run(benchmark=Benchmark(k=4, draws=3, resamples=40, methods="words,sic"))
    found = [
        walk_forward(world, features, run, cuts=["2014-12-31"]).provenance["companies"]
        for world in (universe, left)
    ]
    assert found[0] == found[1]


def test_a_reading_with_a_baselines_name_is_refused(universe, features):
    with pytest.raises(DataError, match="another name"):
        tune(universe, {"tfidf": features}, RUN, cuts=CUTS)


def test_cuts_whose_years_overlap_are_refused(universe, features):
    with pytest.raises(DataError, match="two cuts score 2015-07: leave a year between"):
        walk_forward(universe, features, RUN, cuts=["2014-12-31", "2015-06-30"])
    with pytest.raises(DataError, match="at least one cut"):
        walk_forward(universe, features, RUN, cuts=[])


def test_a_ledger_counts_configurations_and_not_runs(tmp_path):
    path = tmp_path / "deep" / "ledger.jsonl"

    def note(data="x", **settings):
        return ledger.record_opening(path, data, settings=settings, outcome={"peer_r2": 0.1})

    assert [note(k=5), note(k=5), note(k=10), note(data="y", k=10)] == [1, 1, 2, 1]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 3 and lines[0]["outcome"] == {"peer_r2": 0.1}
    path.write_text(path.read_text() + '{"key": "cut sh')  # a line that a crash cut short
    assert note(k=20) == 3 and note(k=20) == 3
