"""Folders and outputs against SAELens itself, its registry, and its synthetic data."""

import json

import numpy as np
import pytest
import torch

from finsae import sae
from finsae.checks import DataError
from finsae.plugins import MENU, make
from finsae.sae import interop, registry

saelens = pytest.importorskip(
    "sae_lens", reason='SAELens is not installed (pip install "finsae[saelens]")'
)
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # others' warnings

LATENTS, WIDTH, K = 96, 16, 5
FOREIGN = sorted(interop.ARCHITECTURES)


def values(names, seed=0, *, unit=True):
    """Draw weights at which about a tenth of the latents of a token fire."""
    random = np.random.default_rng(seed)
    W_dec = random.normal(size=(LATENTS, WIDTH))
    if unit:
        W_dec /= np.linalg.norm(W_dec, axis=1, keepdims=True)
    drawn = {
        "W_enc": W_dec.T + 0.1 * random.normal(size=(WIDTH, LATENTS)),
        "W_dec": W_dec,
        "b_dec": random.normal(size=WIDTH),
        "threshold": 0.9 + random.random(LATENTS),
        "r_mag": 0.2 * random.normal(size=LATENTS),
    }
    biases = {n: 0.1 * random.normal(size=LATENTS) - 1 for n in ("b_enc", "b_gate", "b_mag")}
    return {name: (drawn | biases)[name] for name in names}


def tokens(count=400, seed=1):
    return np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32) * 1.5


def differences(theirs, ours, x):
    """Largest differences of codes and of outputs, as shares of the largest code and output."""
    with torch.no_grad():
        codes = theirs.encode(torch.from_numpy(x)).to_dense().numpy()
        rebuilt = theirs(torch.from_numpy(x)).numpy()
    found = ours.encode(x)
    assert 0 < found.nnz < 0.5 * codes.size
    pairs = (codes, found.toarray()), (rebuilt, ours.decode(found))
    return [float(abs(ours - theirs).max() / abs(theirs).max()) for theirs, ours in pairs]


@pytest.mark.parametrize("name", [name for name in MENU["coder"] if name in interop.SAELENS])
def test_saelens_gives_the_same_outputs_for_our_folders(name, tmp_path):
    made = make("coder", name, latents=LATENTS, k=K, device="cpu")
    made.set_weights(values(made.WEIGHTS, unit=made.UNIT_ROWS))
    sae.save(made, tmp_path)
    theirs = saelens.SAE.load_from_disk(str(tmp_path))
    assert theirs.cfg.architecture() == interop.SAELENS[name]
    assert theirs.cfg.metadata.sae_lens_version == saelens.__version__
    assert max(differences(theirs, made, tokens())) < 2e-6


def test_saelens_says_that_it_has_no_class_for_the_rest(tmp_path):
    for name in set(MENU["coder"]) - set(interop.SAELENS):
        made = make("coder", name, latents=LATENTS, k=K, device="cpu")
        sae.save(made.set_weights(values(made.WEIGHTS)), tmp_path / name)
        with pytest.raises(KeyError, match=f"finsae_{name}"):
            saelens.SAE.load_from_disk(str(tmp_path / name))
        assert name == sae.load(tmp_path / name, device="cpu").NAME


def test_half_precision_folders_are_read_alike(tmp_path):
    made = sae.TopK(LATENTS, K, device="cpu").set_weights(values(sae.TopK.WEIGHTS))
    sae.save(made, tmp_path, dtype="float16")
    theirs, ours = saelens.SAE.load_from_disk(str(tmp_path)), sae.load(tmp_path, device="cpu")
    assert max(differences(theirs, ours, tokens())) < 2e-6


def foreign(architecture, folder, **config):
    """Write an SAE with SAELens' own class."""
    wide = {"d_in": WIDTH, "d_sae": LATENTS, "architecture": architecture}
    wide |= {"k": K} if "topk" in architecture else {}
    if architecture == "matching_pursuit":
        wide |= {"max_iterations": K, **interop.STEPS}
    theirs = saelens.SAE.from_dict(wide | config)
    drawn = values([name for name, _ in theirs.named_parameters()], seed=2, unit=False)
    theirs.load_state_dict({n: torch.tensor(w, dtype=torch.float32) for n, w in drawn.items()})
    theirs.save_model(folder)
    return theirs


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("architecture", FOREIGN)
def test_folders_of_saelens_give_the_same_codes_and_outputs(architecture, centred, tmp_path):
    theirs = foreign(architecture, tmp_path, apply_b_dec_to_input=centred)
    ours = sae.load(tmp_path, device="cpu")
    assert interop.ARCHITECTURES[architecture] == ours.NAME
    assert max(differences(theirs, ours, tokens())) < 2e-6


def test_codes_scaled_by_decoder_lengths_are_folded(tmp_path):
    theirs = foreign("topk", tmp_path, rescale_acts_by_decoder_norm=True)
    ours = sae.load(tmp_path, device="cpu")
    np.testing.assert_allclose(np.linalg.norm(ours.W_dec_, axis=1), 1, rtol=1e-6)
    assert max(differences(theirs, ours, tokens())) < 2e-6


def test_average_norm_is_folded(tmp_path):
    theirs = foreign("jumprelu", tmp_path, normalize_activations="expected_average_only_in")
    with pytest.raises(DataError, match=r"activation_scaler\.json"):
        sae.load(tmp_path)
    (tmp_path / "activation_scaler.json").write_text(json.dumps({"scaling_factor": 0.37}))
    theirs.fold_activation_norm_scaling_factor(0.37)
    assert max(differences(theirs, sae.load(tmp_path, device="cpu"), tokens() / 0.37)) < 2e-6


def test_old_configurations_are_understood(tmp_path):
    foreign("topk", tmp_path)
    config = json.loads((tmp_path / "cfg.json").read_text())
    for key in ("metadata", "k", "architecture", "normalize_activations"):
        del config[key]
    config |= {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": K}}
    config |= {"hook_name": "blocks.3.hook_resid_pre", "model_name": "gpt2-small"}
    (tmp_path / "cfg.json").write_text(json.dumps(config))
    ours = sae.load(tmp_path, device="cpu")
    theirs = saelens.SAE.load_from_disk(str(tmp_path))
    assert (ours.layer_, ours.model_) == (3, "gpt2-small")
    assert max(differences(theirs, ours, tokens())) < 2e-6


@pytest.fixture
def release(tmp_path, monkeypatch):
    """A release whose SAEs lie in a folder, loaded by SAELens' own way for Gemma Scope's kind."""
    from sae_lens.loading import pretrained_sae_loaders as loaders
    from sae_lens.loading.pretrained_saes_directory import (
        PretrainedSAELookup,
        get_pretrained_saes_directory,
    )

    monkeypatch.setenv("FINSAE_CACHE", str(tmp_path / "cache"))
    theirs = foreign("jumprelu", tmp_path / "hub" / "there", apply_b_dec_to_input=False)

    def local(repo_id, folder_name, device, force_download=False, cfg_overrides=None):
        found = loaders.sae_lens_disk_loader(f"{repo_id}/{folder_name}", device, cfg_overrides)
        found[0]["metadata"] |= {"hook_name": "blocks.12.hook_resid_post", "model_name": "toy"}
        return *found, None

    monkeypatch.setitem(loaders.NAMED_PRETRAINED_SAE_LOADERS, "local", local)
    entry = PretrainedSAELookup(
        release="toy-scope-res",
        repo_id=str(tmp_path / "hub"),
        model="toy",
        conversion_func="local",
        saes_map={"layer_12/canonical": "there", "layer_13/canonical": "nowhere"},
        expected_var_explained={},
        expected_l0={},
        neuronpedia_id={},
        norm_scaling_factor={},
        config_overrides=None,
    )
    monkeypatch.setitem(get_pretrained_saes_directory(), "toy-scope-res", entry)
    return theirs


def test_registry_is_fetched_once_and_gives_the_same_outputs(release, monkeypatch):
    ours = sae.load("toy-scope-res/layer_12/canonical", device="cpu")
    assert (ours.NAME, ours.layer_, ours.model_) == ("jumprelu", 13, "toy")
    assert max(differences(release, ours, tokens())) < 2e-6
    monkeypatch.setattr(registry, "_releases", None)  # not asked again
    assert sae.weights_path("toy-scope-res/layer_12/canonical").is_file()


def test_unknown_and_broken_entries_of_the_registry_say_so(release):
    with pytest.raises(DataError, match='no SAE "layer_12/canonicl"; did you mean "layer_12/can'):
        sae.load("toy-scope-res/layer_12/canonicl")
    with pytest.raises(DataError, match='SAELens cannot load "layer_13/canonical"'):
        sae.load("toy-scope-res/layer_13/canonical")
    assert not registry.kept("toy-scope-res/layer_13/canonical").exists()
    with pytest.raises(DataError, match='did you mean "toy-scope-res"'):
        sae.load("toy-scop-res/layer_12/canonical")
    assert "gemma-scope-2b-pt-res-canonical" in registry.releases()


def test_planted_features_of_saelens_are_recovered():
    from sae_lens.synthetic import ActivationGenerator, FeatureDictionary
    from sae_lens.synthetic import mean_correlation_coefficient as matched

    torch.manual_seed(0)
    planted = FeatureDictionary(num_features=32, hidden_dim=20, bias=True, device="cpu")
    source = ActivationGenerator(32, 0.08, device="cpu")
    with torch.no_grad():
        x = planted(source.sample(20_000)).numpy()
    settings = sae.Training(epochs=12, batch=512, lr=3e-3, aux_coefficient=1 / 32)
    ours = sae.TopK(32, 3, training=settings, device="cpu").fit(x)
    random = torch.randn(32, 20, generator=torch.Generator().manual_seed(1))
    truth = planted.feature_vectors.detach()
    assert matched(torch.from_numpy(ours.W_dec_), truth) > 0.9 > 1.4 * matched(random, truth)


def test_sparsify_itself_gives_the_same_outputs(tmp_path):
    sparsify = pytest.importorskip("sparsify", reason="sparsify (eai-sparsify) is not installed")
    theirs = sparsify.SparseCoder(WIDTH, sparsify.SparseCoderConfig(num_latents=LATENTS, k=K))
    torch.manual_seed(0)
    with torch.no_grad():
        theirs.b_dec.normal_()
        theirs.encoder.bias.normal_(0, 0.1)
    theirs.save_to_disk(tmp_path / "layers.3")
    ours = sae.load(tmp_path / "layers.3", device="cpu")
    x = tokens()
    with torch.no_grad():
        rebuilt = theirs(torch.from_numpy(x)).sae_out.numpy()
    np.testing.assert_allclose(ours.decode(ours.encode(x)), rebuilt, atol=2e-5)
    assert (ours.NAME, ours.k, ours.layer_) == ("topk", K, 4)
