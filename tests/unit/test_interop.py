"""Folders of SAELens and sparsify, by their published formulas; what cannot be read says why."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

from finsae import sae
from finsae.checks import DataError
from finsae.plugins import MENU
from finsae.sae import registry
from finsae.sae.interop import SAELENS, layer_of, same_model

LATENTS, WIDTH, K = 24, 8, 3
CONFIG = {
    "architecture": "topk",
    "d_in": WIDTH,
    "d_sae": LATENTS,
    "k": K,
    "apply_b_dec_to_input": True,
    "normalize_activations": "none",
    "metadata": {"sae_lens_version": "6.54.12", "hook_name": "blocks.3.hook_resid_post"},
}


def drawn(seed=0):
    random = np.random.default_rng(seed)
    return {
        "W_enc": random.normal(size=(WIDTH, LATENTS)).astype(np.float32),
        "W_dec": random.normal(size=(LATENTS, WIDTH)).astype(np.float32),
        "b_enc": random.normal(size=LATENTS).astype(np.float32),
        "b_dec": random.normal(size=WIDTH).astype(np.float32),
    }


def tokens():
    return np.random.default_rng(9).normal(size=(50, WIDTH)).astype(np.float32)


def written(folder, weights=None, **config):
    folder.mkdir(exist_ok=True)
    save_file(weights or drawn(), folder / "sae_weights.safetensors")
    (folder / "cfg.json").write_text(json.dumps(CONFIG | config))
    return folder


def rebuilt(folder, x):
    coder = sae.load(folder, device="cpu")
    return coder.decode(coder.encode(x))


def top_k(pre):
    kept = np.argsort(-pre, axis=1)[:, :K]
    codes = np.zeros_like(pre)
    np.put_along_axis(codes, kept, np.maximum(np.take_along_axis(pre, kept, 1), 0), 1)
    return codes


def test_every_architecture_but_one_has_a_name_in_saelens():
    assert set(MENU["coder"]) - set(SAELENS) == {"top-afa"}


def test_a_pursuit_that_stops_early_is_refused(tmp_path):
    w = {name: array for name, array in drawn().items() if name in ("W_dec", "b_dec")}
    folder = written(tmp_path / "sae", w, architecture="matching_pursuit", max_iterations=K)
    with pytest.raises(DataError, match=r"residual_threshold is 0\.01.*never stops early"):
        sae.load(folder)
    stops = {"residual_threshold": 0.0, "stop_on_duplicate_support": False}
    folder = written(tmp_path / "b", w, architecture="matching_pursuit", max_iterations=K, **stops)
    assert (sae.load(folder).NAME, sae.load(folder).k) == ("itda", K)


def test_codes_scaled_by_decoder_lengths_are_folded(tmp_path):
    w, x = drawn(), tokens()
    lengths = np.linalg.norm(w["W_dec"], axis=1)
    codes = top_k(((x - w["b_dec"]) @ w["W_enc"] + w["b_enc"]) * lengths)
    expected = (codes / lengths) @ w["W_dec"] + w["b_dec"]
    folder = written(tmp_path / "sae", rescale_acts_by_decoder_norm=True)
    np.testing.assert_allclose(rebuilt(folder, x), expected, atol=1e-5)


def test_an_encoder_that_does_not_subtract_the_bias_is_folded(tmp_path):
    w, x = drawn(), tokens()
    expected = top_k(x @ w["W_enc"] + w["b_enc"]) @ w["W_dec"] + w["b_dec"]
    folder = written(tmp_path / "sae", apply_b_dec_to_input=False)
    np.testing.assert_allclose(rebuilt(folder, x), expected, atol=1e-5)


def test_the_average_norm_is_folded_or_asked_for(tmp_path):
    w, x = drawn(), tokens()
    folder = written(tmp_path / "sae", normalize_activations="expected_average_only_in")
    with pytest.raises(DataError, match="fold_activation_norm_scaling_factor"):
        sae.load(folder)
    (folder / "activation_scaler.json").write_text('{"scaling_factor": 0.25}')
    codes = top_k((0.25 * x - w["b_dec"]) @ w["W_enc"] + w["b_enc"])
    np.testing.assert_allclose(
        rebuilt(folder, x), (codes @ w["W_dec"] + w["b_dec"]) / 0.25, atol=1e-4
    )
    (folder / "activation_scaler.json").write_text('{"scaling_factor": null}')
    with pytest.raises(DataError, match="no scaling_factor"):
        sae.load(folder)


def test_weights_of_any_float_type_are_read(tmp_path):
    folder = written(tmp_path / "sae")
    w = {name: torch.from_numpy(array).to(torch.bfloat16) for name, array in drawn().items()}
    save_tensors(w, folder / "sae_weights.safetensors")
    found = sae.load(folder, device="cpu")
    np.testing.assert_array_equal(found.W_enc_, w["W_enc"].float().numpy())
    assert found.layer_ == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"normalize_activations": "layer_norm"}, "no weights can do"),
        ({"normalize_activations": "covariance_whitening"}, "fold_activation_whitening"),
        ({"normalize_activations": "new"}, "finsae does not know it"),
        ({"architecture": "batchtopk"}, "save_inference_model"),
        ({"architecture": "temporal"}, "finsae reads standard, topk, abstopk"),
        ({"architecture": "finsae_mine"}, 'unknown coder "mine"'),
        ({"d_sae": None}, "d_sae is missing"),
        ({"metadata": {}, "activation_fn_str": "tanh-relu"}, "topk with tanh-relu"),
        ({"finetuning_scaling_factor": True}, "finetuning_scaling_factor"),
    ],
)
def test_what_would_give_other_codes_is_refused(tmp_path, wrong, message):
    with pytest.raises(DataError, match=message):
        sae.load(written(tmp_path / "sae", **wrong))


def test_old_topk_folders_are_understood(tmp_path):
    old = {"architecture": "standard", "activation_fn_str": "topk", "metadata": None}
    old |= {"activation_fn_kwargs": {"k": 2}, "k": None, "normalize_activations": False}
    old |= {"hook_point": "blocks.3.hook_resid_pre", "model_name": "gpt2-small"}
    found = sae.load(written(tmp_path / "sae", **old), device="cpu")
    assert (found.NAME, found.k, found.layer_, found.model_) == ("topk", 2, 3, "gpt2-small")


@pytest.mark.parametrize(
    ("hook", "layer"),
    [
        ("blocks.0.hook_resid_post", 1),
        ("blocks.7.hook_resid_pre", 7),
        ("blocks.0.hook_resid_pre", None),
        ("blocks.7.hook_mlp_out", None),
        (None, None),
    ],
)
def test_layers_count_from_one(hook, layer):
    assert layer_of(hook) == layer


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("gemma-2-2b", "google/gemma-2-2b", True),
        ("gpt2-small", "gpt2", True),
        ("sentence-transformers/all-MiniLM-L6-v2", "minilm", True),
        ("Llama-3.1-8B", "models/llama-3.1-8b/", True),
        ("gemma-2-2b", "google/gemma-2-2b-it", False),
    ],
)
def test_a_model_has_several_names(one, other, same):
    assert same_model(one, other) == same


def test_sparsify_checkpoints_by_their_formula(tmp_path):
    w, x, folder = drawn(), tokens(), tmp_path / "layers.3"
    folder.mkdir()
    tensors = {"encoder.weight": np.ascontiguousarray(w["W_enc"].T), "encoder.bias": w["b_enc"]}
    save_file(tensors | {n: w[n] for n in ("W_dec", "b_dec")}, folder / "sae.safetensors")
    config = {"activation": "topk", "expansion_factor": 3, "num_latents": LATENTS, "k": K}
    (folder / "cfg.json").write_text(json.dumps(config | {"d_in": WIDTH, "transcode": False}))
    codes = top_k((x - w["b_dec"]) @ w["W_enc"] + w["b_enc"])
    np.testing.assert_allclose(rebuilt(folder, x), codes @ w["W_dec"] + w["b_dec"], atol=1e-5)
    assert sae.load(folder, device="cpu").layer_ == 4
    assert sae.weights_path(folder).name == "sae.safetensors"
    (folder / "cfg.json").write_text(json.dumps(config | {"activation": "groupmax"}))
    with pytest.raises(DataError, match="groupmax"):
        sae.load(folder)
    (folder / "cfg.json").write_text(json.dumps(config | {"transcode": True}))
    with pytest.raises(DataError, match="transcoder"):
        sae.load(folder)
    save_file({"decoder.weight": w["W_dec"]}, folder / "sae.safetensors")
    with pytest.raises(DataError, match=r"encoder\.weight is missing"):
        sae.load(folder)


def test_the_registry_needs_saelens_only_where_a_release_is_named(monkeypatch, tmp_path):
    def absent():
        raise ModuleNotFoundError("No module named 'sae_lens'")

    monkeypatch.setattr(registry, "_releases", absent)
    monkeypatch.setenv("FINSAE_CACHE", str(tmp_path))
    with pytest.raises(DataError, match=r'pip install "finsae\[saelens\]"'):
        sae.load("gemma-scope-2b-pt-res-canonical/layer_12/width_16k/canonical")
    with pytest.raises(DataError, match='did you mean "demo"'):
        sae.load("demmo")
    (tmp_path / "sae").mkdir()
    written(tmp_path / "sae" / "scope--layer_3--x")
    assert sae.load("scope/layer_3/x", device="cpu").layer_ == 4
