import pandas as pd
import pytest
import toy
from test_cli import call

from finsae.checks import DataError
from finsae.config import Autoencoder, Reading
from finsae.pipeline import build_features
from finsae.pipeline.reading import training_texts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("train")
    table = pd.concat([toy.companies(per_industry=20, seed=seed) for seed in (3, 4)])
    table["name"] = [f"Maker number {place}" for place in range(len(table))]
    table.to_csv(place / "texts.csv")
    table.iloc[:10].to_csv(place / "held.csv")
    argv = ["--texts", str(place / "texts.csv"), "--exclude", str(place / "held.csv")]
    argv += ["--latents", "128", "--k", "4", "--epochs", "2", "--out", str(place / "sae")]
    assert call("train-sae", *argv) == 0
    return place


def test_a_trained_autoencoder_reads_companies_and_names_its_features(folder):
    universe = toy.universe(per_industry=4)
    features = build_features(universe, Reading(sae=str(folder / "sae")))
    assert features.matrix.shape == (20, 128)
    assert features.names["label"].str.len().min() > 0
    assert "Latents, k | 128, 4" in (folder / "sae" / "README.md").read_text()


def test_an_autoencoder_of_another_layer_is_refused(folder):
    universe = toy.universe(per_industry=4)
    with pytest.raises(DataError, match="reads layer 5 of minilm, not layer 3"):
        build_features(universe, Reading(sae=str(folder / "sae"), layer=3))
    with pytest.raises(DataError, match='no SAE at "nowhere"'):
        build_features(universe, Reading(sae="nowhere"))


def test_training_texts_leave_out_test_companies_and_repeat_none(folder):
    path = folder / "texts.csv"
    everything = training_texts(path, [], Autoencoder())
    table = pd.read_csv(path)
    assert everything == table["description"].drop_duplicates().tolist()
    held = set(table["description"].iloc[:10])
    assert not held & set(training_texts(path, [folder / "held.csv"], Autoencoder()))
    few = training_texts(path, [], Autoencoder(max_texts=7, seed=1))
    assert len(few) == 7 and few == training_texts(path, [], Autoencoder(max_texts=7, seed=1))


def test_companies_and_texts_are_not_given_both(folder, capsys):
    path = str(folder / "texts.csv")
    assert call("train-sae", "--texts", path, "--companies", path) == 2
    assert "not both" in capsys.readouterr().err
