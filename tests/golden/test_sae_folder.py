"""A saved folder against SAELens' own formula, and the shipped SAE."""

import json
from importlib.resources import files

import numpy as np
import pytest
from safetensors.numpy import load_file

from finsae import sae
from finsae.sae.labels import NEVER

SHIPPED = files("finsae") / "pretrained" / "minilm-l5-topk"


def saelens_topk(folder, x):
    """What SAELens 6.54 computes for a "topk" folder with these settings, densely."""
    config = json.loads((folder / "cfg.json").read_text())
    w = {
        name: a.astype(np.float64)
        for name, a in load_file(folder / "sae_weights.safetensors").items()
    }
    assert config["architecture"] == "topk" and config["apply_b_dec_to_input"]
    assert config["normalize_activations"] == "none"
    assert not config["rescale_acts_by_decoder_norm"]
    pre = (x - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    kept = np.argpartition(-pre, config["k"], axis=1)[:, : config["k"]]
    codes = np.zeros_like(pre)
    np.put_along_axis(codes, kept, np.maximum(np.take_along_axis(pre, kept, 1), 0), 1)
    return codes, codes @ w["W_dec"] + w["b_dec"]


def test_folder_means_what_saelens_reads():
    coder = sae.load("demo", device="cpu")
    x = np.random.default_rng(0).normal(size=(50, 384)) + coder.b_dec_
    codes, x_hat = saelens_topk(SHIPPED, x)
    found = coder.encode(x)
    np.testing.assert_allclose(found.toarray(), codes, atol=1e-5)
    np.testing.assert_allclose(coder.decode(found), x_hat, atol=1e-5)


def test_shipped_sae_is_what_its_card_says():
    coder = sae.load("demo")
    assert (coder.latents, coder.model_, coder.layer_) == (8192, "minilm", 5)
    assert coder.W_enc_.shape == (384, 8192) and coder.W_dec_.shape == (8192, 384)
    np.testing.assert_allclose(np.linalg.norm(coder.W_dec_, axis=1), 1, atol=1e-3)
    size = sum(path.stat().st_size for path in SHIPPED.iterdir())
    assert size <= 16 * 2**20
    measured = coder.provenance_["evaluation"]
    assert measured["fvu"] < 0.3 and measured["l0"] <= coder.k
    assert coder.history_["dead"].iloc[-1] < 0.05
    card = (SHIPPED / "README.md").read_text()
    assert f"{measured['fvu']:.4f}" in card
    for word in ("Licence", "vintage", "Seed", "Command"):
        assert word.lower() in card.lower()


def test_shipped_latents_are_named():
    labels = sae.load("demo").labels_
    named = labels["label"][labels["label"] != NEVER]
    assert len(named) > 7_500
    assert named.str.len().between(1, 80).all()
    for topic in ("drilling", "bank", "clinical", "software"):
        assert named.str.contains(topic).any(), topic


@pytest.mark.slow
def test_shipped_sae_explains_text_it_was_not_trained_on():
    from finsae.embed.transformer import Transformer

    text = "The company drills for oil and gas in Texas and operates refineries and pipelines."
    _, tokens, _ = next(iter(Transformer("minilm").tokens([text], layers=[5])))
    coder = sae.load("demo")
    assert sae.evaluate(coder, tokens[:, 0]).fvu < 0.5


def test_shipped_groups_are_what_their_card_says():
    group = sae.load_groups("demo-group")
    assert group.layers_ == (1, 2, 3, 4, 5) and group.model_ == "minilm"
    assert [member.layers for member in group.members] == [(1, 2, 3, 4), (5,)]
    card = (SHIPPED.parent / "minilm-groups" / "README.md").read_text()
    for row in group.facts_["layers"]:
        assert f"| {row['layer']} | {row['group']} | {row['fvu']:.4f} |" in card
    for row in group.facts_["table"]:
        assert f" | {row['amad']:.4f} | " in card
    assert "| 2 (these) | 0.1352 | 1, 2, 3, 4; 5 | 60% |" in card
    named = group.labels_["label"]
    assert len(named) == group.latents and (~named.str.startswith(NEVER)).mean() > 0.9


def test_untrained_groups_are_random_directions_about_the_same_centres():
    drawn = sae.load_groups("untrained:demo-group", device="cpu")
    group = sae.load_groups("demo-group", device="cpu")
    assert drawn.provenance_["untrained"] and drawn.latents == group.latents
    for one, other in zip(drawn.members, group.members, strict=True):
        assert (one.layers, one.scales) == (other.layers, other.scales)
        np.testing.assert_array_equal(one.coder.b_dec_, other.coder.b_dec_)
        assert sae.mmcs(one.coder.W_dec_[:200], other.coder.W_dec_) < 0.4
    assert drawn.labels_["label"].str.startswith("random direction").all()


def test_a_member_of_another_folder_reads_the_same_unit():
    group, alone = sae.load_groups("demo-group", device="cpu"), sae.load("demo", device="cpu")
    x = np.random.default_rng(0).normal(size=(40, 384)).astype(np.float32) + alone.b_dec_
    codes, scaled = alone.encode(x), group.members[1].encode(x[:, None])
    np.testing.assert_array_equal(codes.indices, scaled.indices)
    np.testing.assert_allclose(codes.data * group.members[1].scales[0], scaled.data, rtol=1e-3)
