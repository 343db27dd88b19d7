import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import planted
import pytest
from chat_server import KEY, serve

import finsae
from finsae import cli
from finsae.checks import DataError
from finsae.config import Reading
from finsae.embed.transformer import Transformer
from finsae.features import Features
from finsae.pipeline import build_features, label_features, labelling
from finsae.pipeline.labelling import dense_neurons, open_labeller, split_companies
from finsae.sources import sample


@pytest.fixture(scope="module")
def built():
    """Features of some of the sample's companies, by the shipped autoencoder."""
    universe = sample()
    return build_features(universe.select(universe.companies.index[:40]), Reading())


@pytest.fixture
def folder(built, tmp_path):
    return built.save(tmp_path / "features")


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A folder of planted features; sentences are embedded by their letters, which is quick."""

    def letters(texts, model):
        rows = np.array([[text.lower().count(chr(97 + i)) + 0.1 for i in range(26)]
                         for text in texts])  # fmt: skip
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    monkeypatch.setattr(labelling, "embed", letters)
    return planted.features().save(tmp_path / "features")


def call(*argv):
    before, sys.argv = sys.argv, ["finsae", *argv]
    try:
        cli.main()
    except SystemExit as stop:
        return stop.code or 0
    finally:
        sys.argv = before
    return 0


@pytest.mark.slow
def test_labels_are_stored_with_evidence_and_score_and_picked_up(folder, built):
    found = label_features(folder, most=30)
    table = pd.read_parquet(folder / "labels.parquet")
    assert found.file == folder / "labels.parquet" and len(table) == 30 == len(found.table)
    names = Features.load(folder).names["label"]
    assert names.loc[table["id"]].tolist() == table["label"].tolist()
    others = built.names.index.difference(table["id"])
    assert names.loc[others].equals(built.names["label"].loc[others])
    assert set(table["labeller"]) == {"words"} and table["score"].between(0, 1).sum() > 20
    assert table["score"].median() > 0.55
    learnt, held_out = split_companies(40)
    assert not set(learnt) & set(held_out) and len(held_out) == 13
    shown = {quote["ticker"] for quotes in table["quotes"] for quote in quotes}
    assert shown <= set(built.companies.index[learnt])
    made = json.loads((folder / "labels.json").read_text())
    assert made["labeller"]["model"] == "words" and made["version"] == 1
    built.save(folder)  # new features: labels of others are gone
    assert not (folder / "labels.parquet").exists()


def test_labels_of_an_earlier_run_stay(toy):
    first = label_features(toy, most=7).table
    second = label_features(toy, most=2).table
    assert set(second["id"]) <= set(first["id"])
    assert len(pd.read_parquet(toy / "labels.parquet")) == 7


@pytest.mark.slow
def test_scores_of_the_shipped_autoencoder(folder, tmp_path, capsys):
    target = tmp_path / "scores.json"
    argv = ["score-labels", "--features", str(folder), "--count", "25", "--json", str(target)]
    assert call(*argv) == 0
    said = capsys.readouterr().out
    assert "Detection" in said and "dense neurons" in said and "difference" in said
    found = json.loads(target.read_text())
    scores = pd.DataFrame(found["scores"])
    assert set(scores["method"]) == {"labels", "names before", "random labels", "dense neurons"}
    paired = scores[scores["versus"] == "random labels"].set_index("metric")
    assert paired.loc["embedding_auc", "low"] > 0
    assert scores[["value", "low", "high"]].notna().all(axis=None)
    table = pd.DataFrame(found["labels"])
    assert len(table) == 25 and table["before"].isin(Features.load(folder).names["label"]).all()
    assert found["provenance"]["labeller"]["model"] == "words"
    assert not (folder / "labels.parquet").exists()  # scoring changes nothing


@pytest.mark.slow
def test_dense_neurons_fire_as_often_and_where_the_layer_says(built):
    density = np.array([0.002, 0.005, 0.01])
    dense, ids = dense_neurons(built, Reading(), density, rng=np.random.default_rng(0))
    assert ids.tolist() == [0, 1, 2] and dense.matrix.shape == (40, 3)
    learnt, _ = split_companies(40)
    texts = built.companies["description"].tolist()
    states = list(Transformer("minilm").tokens(texts, [5]))
    for column, name in enumerate(dense.names["label"]):
        _, neuron, sign = name.split()
        fired, tokens = 0, 0
        for row, activations, _ in states:
            values = activations[:, 0, int(neuron)].astype(float) * (1 if sign == "+" else -1)
            fires = dense.codes.of_company(row, column) > 0
            if fires.any() and not fires.all():
                assert values[fires].min() > values[~fires].max() - 1e-2
            if row in learnt:
                fired, tokens = fired + fires.sum(), tokens + len(fires)
        assert fired / tokens == pytest.approx(density[column], rel=0.1, abs=1 / tokens)
    with pytest.raises(DataError, match="score at most 768"):
        dense_neurons(built, Reading(), np.full(900, 0.01), rng=np.random.default_rng(0))


def test_a_model_at_an_endpoint_names_and_shows_its_cost(toy, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("FINSAE_CACHE", str(tmp_path / "cache"))
    with serve(monkeypatch) as server:
        server.say = lambda sent: f"Label: thing {len(sent['messages'][1]['content'])}"
        argv = ["label", "--features", str(toy), "--labeller", "openai:tiny", "--most", "6"]
        prices = ["--price-read", "2.5", "--price-written", "10"]
        assert call(*argv, *prices) == 0
        said = capsys.readouterr().out
        assert "6 features named" in said
        assert "6 new (600 tokens read, 42 written, cost 0.0019), 0 kept" in said
        assert call(*argv) == 0 and len(server.requests) == 6
        assert "0 new" in capsys.readouterr().out
    table = pd.read_parquet(toy / "labels.parquet")
    assert table["label"].str.fullmatch(r"thing \d+").all() and set(table["labeller"]) == {"tiny"}
    made = (toy / "labels.json").read_text()
    assert KEY not in made and "127.0.0.1" not in made


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--labeller", "word"], 'did you mean "words"'),
        (["--labeller", "openai:"], 'unknown labeller "openai:"'),
        (["--price-read", "1"], "give both"),
    ],
)
def test_mistakes_at_the_shell(toy, argv, message, capsys):
    assert call("label", "--features", str(toy), *argv) == 2
    assert message in capsys.readouterr().err


def test_features_without_places_are_refused(tmp_path):
    plain = planted.features()
    folder = Features.build(plain.matrix, plain.companies, plain.names["label"]).save(tmp_path)
    with pytest.raises(DataError, match="where in the text"):
        label_features(folder)
    with pytest.raises(DataError, match="most is 0"):
        label_features(folder, most=0)


def test_labellers_are_opened_by_name(tmp_path):
    assert open_labeller("words").settings["model"] == "words"
    assert open_labeller("openai:gpt-x").settings["model"] == "gpt-x"
    assert type(open_labeller(str(tmp_path))).__name__ == "Local"


def test_what_is_shipped_quotes_no_text():
    shipped = list(Path(finsae.__file__).parent.rglob("labels.parquet"))
    assert shipped
    for file in shipped:
        table = pd.read_parquet(file)
        assert {"label"} <= set(table.columns) <= {"label", "density"}
        words = table["label"].replace("never active", "").str.split(", ").explode()
        assert not words.str.contains(r"\s").any()  # words, never spans
