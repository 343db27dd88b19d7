"""A user's files beside a features folder: whose companies, whose prices, whose cut."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import toy

from finsae.checks import DataError
from finsae.config import Backtest, Benchmark, Data, Reading, Run
from finsae.pipeline import build_features, open_universe, run_backtest, run_benchmark, score_files
from finsae.store import hash_file
from finsae.universe import Universe

RUN = Run(
    benchmark=Benchmark(k=4, draws=2, resamples=10),
    backtest=Backtest(candidates=30, pairs=3, draws=2, resamples=10, placebo=2),
)
READING = Reading(model="tfidf")


@pytest.fixture(scope="module")
def universe():
    return toy.universe()


@pytest.fixture(scope="module")
def features(universe):
    return build_features(universe, READING)


@pytest.fixture(scope="module")
def prices(universe, tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "mine.parquet"
    universe.prices.drop(columns="T0A").to_parquet(path)
    return path


def test_the_prices_of_another_are_not_the_samples(universe, features, prices):
    facts = {**universe.provenance, "source": "sample", "survivorship": "survivors", "known": "x"}
    shipped = build_features(replace(universe, provenance=facts), READING)
    found = open_universe(Data(prices=str(prices)), shipped)
    assert found.provenance == {
        "source": "files",
        "prices": hash_file(prices),
        "dropped": ["T0A"],
        "layout": "wide",
        "cut": toy.CUT,
    }


def test_features_of_other_texts_are_refused(universe, features, prices, tmp_path):
    companies = universe.companies.assign(description="Another text.").reset_index()
    companies.to_csv(tmp_path / "companies.csv", index=False)
    features.save(tmp_path / "features")
    data = Data(companies=str(tmp_path / "companies.csv"), prices=str(prices), cut=toy.CUT)
    with pytest.raises(DataError, match="other descriptions"):
        score_files(replace(RUN, data=data), tmp_path / "features", [])


def test_two_label_files_of_one_name_are_refused(features, prices, tmp_path):
    features.save(tmp_path / "features")
    paths = []
    for folder in ("one", "two"):
        paths.append(tmp_path / folder / "mine.csv")
        paths[-1].parent.mkdir()
        paths[-1].write_text("ticker,label\nT0A,1\n")
    run = replace(RUN, data=Data(prices=str(prices)))
    with pytest.raises(DataError, match="two label files are named mine: rename one"):
        score_files(run, tmp_path / "features", paths)


def test_features_that_do_not_say_how_they_were_read(universe, features):
    silent = replace(features, provenance={})
    with pytest.raises(DataError, match=r"provenance\.json has no \"reading\".*build-features"):
        run_benchmark(universe, silent, RUN)
    wrong = replace(features, provenance={"reading": {"modle": "tfidf"}})
    with pytest.raises(DataError, match=r'provenance\.json \[reading\].*did you mean "model"'):
        run_benchmark(universe, wrong, RUN)


def test_a_month_that_straddles_the_cut_is_not_counted(universe, features):
    run = replace(RUN, data=Data(cut="2014-12-15"))
    made = run_backtest(universe, features, run, methods=["sic"]).provenance
    assert made["months_after_cut"] == 36  # 2015 to 2017


@pytest.mark.slow
def test_the_backtest_asks_for_as_many_past_months_as_the_benchmark(universe, features):
    closes = universe.prices.copy()
    closes.loc[:"2012-06-30", "T0A"] = np.nan
    young = Universe.build(universe.companies, closes, provenance=universe.provenance)
    counts = []
    for months in (60, 24):
        run = replace(RUN, benchmark=replace(RUN.benchmark, past_months=months))
        counts.append(run_backtest(young, features, run, methods=["sic"]).provenance["companies"])
    assert counts == [39, 40]


@pytest.mark.slow
def test_who_is_compared_is_not_decided_by_how_the_past_looks_from_later(universe, features):
    def mender(closes):
        mended = closes.copy()
        if closes.index[-1] > pd.Timestamp(toy.CUT):
            mended.loc[: toy.CUT, "T0A"] = np.nan
        return mended, universe.repairs

    known = Universe.build(
        universe.companies, universe.prices, mender=mender, provenance=universe.provenance
    )
    found = run_benchmark(known, features, RUN)
    assert "T0A" not in set(found.tables["excluded"]["ticker"])
