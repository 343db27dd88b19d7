"""What a run and a features folder are named by: everything they depend on."""

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pandas as pd
import pytest
import tiny_models
import toy

from finsae import activations
from finsae.checks import DataError
from finsae.config import Data, Reading, Run
from finsae.pipeline import chain
from finsae.pipeline.reading import features_key
from finsae.result import SCORE_COLUMNS, Result
from finsae.sae.place import SHIPPED

RUN = Run(reading=Reading(model="tfidf"))


@pytest.fixture(scope="module")
def universe():
    return toy.universe()


@pytest.fixture(scope="module")
def language_model(tmp_path_factory):
    return tiny_models.make("llama", tmp_path_factory.mktemp("models") / "toy-llama")


def past_mended(closes):
    """Halve a close, but only where no later ones are seen."""
    mended = closes.copy()
    if closes.index[-1] <= pd.Timestamp(toy.CUT):
        mended.iloc[100, 0] /= 2
    return mended, pd.DataFrame(columns=["ticker", "date", "kind", "factor", "action"])


@pytest.mark.slow
def test_a_run_follows_its_universe(universe):
    repairs = pd.DataFrame({"ticker": ["T0A"], "date": [pd.Timestamp("2014-01-02")]})
    others = [
        universe,
        replace(universe, provenance={**universe.provenance, "cut": "2015-12-31"}),
        replace(universe, provenance={**universe.provenance, "survivorship": "survivors only"}),
        replace(universe, prices=universe.prices * 2),
        replace(universe, companies=universe.companies.assign(sic="1311")),
        replace(universe, repairs=repairs),
        replace(universe, raw=universe.prices, mender=past_mended),
    ]
    assert len({chain.run_key(RUN, other) for other in others}) == len(others)


def test_of_two_runs_at_once_the_second_finds_the_first(universe, monkeypatch):
    made, both = [], threading.Barrier(2, timeout=10)
    row = ["sic", "peer_correlation", 0.4, 0.3, 0.5, 40.0, "two-way", ""]
    scores = pd.DataFrame([row], columns=list(SCORE_COLUMNS))

    def opened(*_):
        both.wait()
        return universe

    def slow(*_):
        made.append("run")
        time.sleep(0.2)
        return Result(scores, {"pairs": pd.DataFrame({"pair": ["A/B"]})}, {"seed": 0})

    monkeypatch.setattr(chain, "open_universe", opened)
    monkeypatch.setattr(chain, "_run", slow)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(chain.run, [replace(RUN, seed=77)] * 2))
    assert made == ["run"]
    assert [list(result.tables) for result in found] == [["pairs"]] * 2


@pytest.mark.parametrize("stage", ["methods", "benchmark", "pairs", "pictures"])
def test_a_run_follows_the_version_of_every_stage(universe, monkeypatch, stage):
    before = chain.run_key(RUN, universe)
    monkeypatch.setitem(chain.STAGES, stage, 99)
    assert chain.run_key(RUN, universe) != before


def test_a_run_on_words_follows_the_model_of_its_sentence_embedding(universe, monkeypatch):
    before = chain.run_key(RUN, universe)
    monkeypatch.setattr(chain, "model_hash", lambda model: f"another {model}")
    assert chain.run_key(RUN, universe) != before


def test_impossible_dates_are_refused_before_any_text_is_read(universe):
    with pytest.raises(DataError, match="no prices after the cut"):
        chain.run_key(replace(RUN, data=Data(cut="2020-01-01")), universe)


@pytest.mark.parametrize("name", ["cfg.json", "labels.parquet", "sae_weights.safetensors"])
def test_features_follow_every_file_of_the_autoencoder_that_decides_them(
    universe, language_model, tmp_path, name
):
    place = shutil.copytree(SHIPPED["demo"], tmp_path / "sae")
    reading = Reading(language_model, 1, str(place))
    before = features_key(universe, reading)
    (place / "README.md").write_text("another card")
    assert features_key(universe, reading) == before
    with (place / name).open("ab") as handle:
        handle.write(b" ")
    assert features_key(universe, reading) != before


def test_features_follow_the_model_its_weights_and_how_it_is_read(universe, tmp_path, monkeypatch):
    model = tiny_models.make("llama", tmp_path / "toy")
    reading = Reading(model, 1, "none")
    names = [features_key(universe, reading)]
    with (tmp_path / "toy" / "config.json").open("a") as handle:
        handle.write(" ")
    names.append(features_key(universe, reading))  # the same name, other files
    monkeypatch.setattr(activations, "VERSION", 99)
    names.append(features_key(universe, reading))
    names.append(features_key(universe, replace(reading, layer=2)))
    assert len(set(names)) == 4
