import json

import pandas as pd
import pytest
import toy
from test_cli import call

from finsae import sae
from finsae.checks import DataError
from finsae.config import Autoencoder, Reading
from finsae.pipeline import build_features
from finsae.pipeline.training import chosen_layers, train_sae, training_texts


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


@pytest.mark.slow
def test_groups_of_layers_are_found_trained_and_read(folder):
    small = Autoencoder(latents=96, k=4, epochs=2, layers="all", max_texts=60, batch=256)
    card = train_sae(
        folder / "texts.csv", [], reading=Reading(), autoencoder=small, out=folder / "groups"
    )
    assert "AMAD" in card and "worst layer" in card and "Pythia" in card
    kept = json.loads((folder / "groups" / "groups.json").read_text())
    counts = [line.split("|")[1:3] for line in card.splitlines() if line.endswith("% |")][-5:]
    assert [float(amad) for _, amad in counts] == [round(row["amad"], 4) for row in kept["table"]]
    assert counts[len(kept["groups"]) - 1][0].endswith(" (these) ")
    assert sorted(layer for group in kept["groups"] for layer in group["layers"]) == [1, 2, 3, 4, 5]
    assert len(kept["distance"]) == 5 and len(kept["table"]) == 5
    assert [row["fvu"] for row in kept["layers"]] == sorted(
        (row["fvu"] for row in kept["layers"]), reverse=True
    )
    universe = toy.universe(per_industry=4)
    features = build_features(universe, Reading(sae=str(folder / "groups")))
    assert features.matrix.shape == (20, 96 * len(kept["groups"]))
    assert features.names["label"].str.contains("layer").all() or len(kept["groups"]) == 1
    assert features.provenance["layers"] == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_an_sae_per_layer_and_one_begun_with_it(folder):
    small = Autoencoder(
        latents=64, k=4, epochs=2, layers="4,5", groups="none", max_texts=60, batch=256
    )
    train_sae(folder / "texts.csv", [], reading=Reading(), autoencoder=small, out=folder / "each")
    members = json.loads((folder / "each" / "groups.json").read_text())["groups"]
    assert [member["layers"] for member in members] == [[4], [5]]
    own = ["--texts", str(folder / "texts.csv"), "--latents", "64", "--k", "4"]
    assert call("train-sae", *own, "--layer", "4", "--out", str(folder / "four")) == 0
    begun = Autoencoder(
        latents=64,
        k=4,
        epochs=1,
        init_from=str(folder / "four"),
        align=True,
        max_texts=60,
        batch=256,
    )
    train_sae(folder / "texts.csv", [], reading=Reading(), autoencoder=begun, out=folder / "five")
    made = sae.load(folder / "five").provenance_
    assert made["init_from"]["layer"] == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"architecture": "topkk"}, 'did you mean "topk"'),
        ({"groups": "some"}, "auto, none or a number"),
        ({"k": 0}, "at least 1"),
        ({"dtype": "float8"}, "dtype"),
        ({"init_from": "nowhere"}, "no SAE"),
        ({"init_from": "demo", "layers": "all"}, "leave --layers out"),
        ({"init_from": "demo", "latents": 64}, "demo. is a topk of 8192 latents, not .* of 64"),
        ({"init_from": "demo", "architecture": "gba"}, "not a gba of 8192"),
        ({"architecture": "g-sae"}, "with_gradients"),
        ({"architecture": "itda", "layers": "all"}, "leave --layers and --init-from out"),
        ({"architecture": "itda", "init_from": "demo"}, "leave --layers and --init-from out"),
        ({"max_texts": -5}, "two texts"),
        ({"layers": "9"}, "from 1 to 6"),
        ({"layers": "one"}, "all, 1-4 or 2,4,5"),
    ],
)
def test_what_cannot_be_trained_is_said_before_any_text_is_read(settings, message, tmp_path):
    with pytest.raises(DataError, match=message):
        train_sae(
            "nowhere.csv", [], reading=Reading(), autoencoder=Autoencoder(**settings), out=tmp_path
        )


def test_choices_of_layers():
    assert chosen_layers("all", "minilm") == (1, 2, 3, 4, 5)
    assert chosen_layers("2-4,6", "minilm") == (2, 3, 4, 6)
