"""Features of companies from an SAE that another library saved."""

import json

import numpy as np
import pytest
import tiny_models
import toy
from safetensors.numpy import save_file

from finsae import sae
from finsae.checks import DataError
from finsae.config import Reading
from finsae.pipeline import activate, build_features

LATENTS, WIDTH = 48, 32


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_models.make("llama", tmp_path_factory.mktemp("models") / "toy-llama")


def saved(folder, **metadata):
    """A SAELens folder as SAELens writes it, without anything of finsae's."""
    folder.mkdir()
    random = np.random.default_rng(0)
    shapes = {"W_enc": (WIDTH, LATENTS), "W_dec": (LATENTS, WIDTH), "b_enc": LATENTS}
    weights = {name: random.normal(size=shape) for name, shape in shapes.items()}
    weights["b_dec"] = np.zeros(WIDTH)
    tensors = {name: w.astype(np.float32) for name, w in weights.items()}
    save_file(tensors, folder / "sae_weights.safetensors")
    about = {"sae_lens_version": "6.54.12", "model_name": "Toy-Llama"}
    config = {"architecture": "topk", "d_in": WIDTH, "d_sae": LATENTS, "k": 4}
    (folder / "cfg.json").write_text(json.dumps(config | {"metadata": about | metadata}))
    return str(folder)


def test_companies_are_read_with_it_and_latents_named_by_their_texts(model, tmp_path):
    place = saved(tmp_path / "sae", hook_name="blocks.1.hook_resid_post")
    universe = toy.universe()
    found = build_features(universe, Reading(model, 2, place, pool="sum"))
    texts = universe.companies["description"].tolist()
    source = activate(texts, model, 2)
    codes = sae.load(place, device="cpu").encode(source.layer(2))
    first = codes[[*range(source.offsets[1])]].sum(axis=0)
    np.testing.assert_allclose(found.matrix[[0]].toarray().ravel(), first, rtol=2e-3, atol=1e-3)
    labels = sae.label_latents(
        sae.load(place, device="cpu"),
        source.layer(2),
        offsets=source.offsets,
        spans=source.spans,
        texts=texts,
    )["label"]
    assert found.provenance["autoencoder"]["hook_name"] == "blocks.1.hook_resid_post"
    assert list(found.names["label"]) == list(labels) and (labels != "").all()


@pytest.mark.parametrize(
    ("about", "layer", "message"),
    [
        ({"hook_name": "blocks.1.hook_resid_post"}, 1, "reads layer 2 of Toy-Llama"),
        ({"hook_name": "blocks.1.hook_mlp_out"}, 2, r"reads blocks\.1\.hook_mlp_out"),
        ({"model_name": "gemma-2-2b"}, 2, "of gemma-2-2b"),
    ],
)
def test_an_sae_of_something_else_is_refused(model, tmp_path, about, layer, message):
    place = saved(tmp_path / "sae", **about)
    with pytest.raises(DataError, match=message):
        build_features(toy.universe(), Reading(model, layer, place))
