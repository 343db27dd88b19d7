"""An SAE begun with another's weights."""

import numpy as np
import pandas as pd
import pytest

from finsae import sae
from finsae.checks import DataError
from finsae.plugins import MENU, make
from finsae.sae import Training
from finsae.sae.run import fit_together
from finsae.sae.transfer import chain, rotated, rotation, tokens_to_reach

WIDTH, LATENTS, K = 24, 96, 4
SHORT = Training(epochs=3, batch=256, lr=3e-3)


def layers(tokens=6144, seed=0, turn=0.25, scale=3.0):
    """The same tokens at two layers: directions a quarter turned, norms three times as large."""
    random = np.random.default_rng(seed)
    directions = random.normal(size=(60, WIDTH))
    active = (random.random((tokens, 60)) < 0.06) * (1 + random.random((tokens, 60)))
    skew = random.normal(size=(WIDTH, WIDTH))
    skew = turn * (skew - skew.T) / np.linalg.norm(skew - skew.T, 2) * np.pi / 2
    R = np.linalg.solve(np.eye(WIDTH) + skew / 2, np.eye(WIDTH) - skew / 2)
    one = active @ directions + 1
    return one.astype(np.float32), (scale * one @ R).astype(np.float32), R


@pytest.fixture(scope="module")
def trained():
    one, _, _ = layers()
    settings = Training(epochs=10, batch=256, lr=3e-3)
    coder = sae.TopK(LATENTS, K, training=settings, device="cpu").fit(one)
    coder.layer_, coder.model_ = 1, "toy"
    return coder


def test_a_transferred_sae_begins_ahead_and_ends_below_scratch(trained):
    _, other, _ = layers()
    fresh = [sae.TopK(LATENTS, K, training=SHORT, device="cpu") for _ in range(2)]
    scratch = fresh[0].fit(other).history_
    moved = fresh[1].fit(other, init_from=trained).history_
    assert moved["fvu"].iloc[0] < 0.8 * scratch["fvu"].iloc[0]
    assert moved["fvu"].iloc[-1] < scratch["fvu"].iloc[-1]
    target = scratch["fvu"].iloc[-1]
    assert tokens_to_reach(moved, target) < 0.5 * tokens_to_reach(scratch, target)


def test_the_unit_of_the_target_layer_is_used(trained):
    one, _, _ = layers()
    again = sae.TopK(LATENTS, K, training=SHORT, device="cpu").fit(7 * one, init_from=trained)
    # only the unit differs: the first steps are as good as where the source ended
    assert again.history_["fvu"].iloc[0] < 1.3 * trained.history_["fvu"].iloc[-1]


def test_a_rotation_is_found_and_undone(trained):
    one, other, R = layers()
    found = rotation(one, other)
    np.testing.assert_allclose(found.turn, R, atol=1e-3)
    np.testing.assert_allclose(found.turn @ found.turn.T, np.eye(WIDTH), atol=1e-9)
    assert found.ratio == pytest.approx(1 / 3, rel=1e-3)
    before = sae.evaluate(trained, one).fvu
    assert sae.evaluate(rotated(trained, found), other / 3).fvu == pytest.approx(before, rel=1e-2)
    far = other + 50 * np.arange(WIDTH, dtype=np.float32)  # the mean moves, the rest stays
    moved = rotated(trained, rotation(one, far))
    assert sae.evaluate(moved, far / 3).fvu == pytest.approx(before, rel=1e-2)
    with pytest.raises(DataError, match="same tokens"):
        rotation(one, other[:50])


@pytest.mark.slow
def test_aligned_transfer_begins_further_ahead(trained):
    one, other, _ = layers(turn=1.0)
    found = {}
    for align in (False, True):
        coder = chain(trained, {1: one, 2: other}, [2], align=align)[2]
        found[align] = coder.history_["fvu"].iloc[0]
        assert coder.layer_ == 2 and coder.model_ == "toy"
    assert found[True] < 0.8 * found[False]
    on = chain(trained, {2: other, 3: 2 * one}, [2, 3])
    assert [(layer, coder.layer_) for layer, coder in on.items()] == [(2, 2), (3, 3)]
    again = sae.TopK(LATENTS, K, training=trained.training, device="cpu")
    again.fit(2 * one, init_from=on[2])
    np.testing.assert_array_equal(on[3].W_dec_, again.W_dec_)  # each begins with the one before
    with pytest.raises(DataError, match="no activations"):
        chain(trained, {1: one}, [3])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MENU["coder"] if name != "itda"])
def test_every_architecture_goes_on_where_it_ended(name):
    one, _, _ = layers(4096)
    if name == "g-sae":  # with the gradients of a model that knows nothing
        one = np.stack([one, np.random.default_rng(3).normal(size=one.shape)], 1, dtype=np.float32)
    settings = Training(epochs=8, batch=256, lr=3e-3)
    source = make("coder", name, latents=LATENTS, k=K, training=settings, device="cpu").fit(one)
    gentle = Training(epochs=1, batch=256, lr=1e-4, warmup=0, decay=0)
    again = make("coder", name, latents=LATENTS, k=K, training=gentle, device="cpu")
    again.fit(one, init_from=source)
    scratch = make("coder", name, latents=LATENTS, k=K, training=gentle, device="cpu").fit(one)
    assert again.history_["fvu"].iloc[0] < 1.15 * source.history_["fvu"].iloc[-3:].mean()
    if name != "l1":  # from scratch it begins with twice as many latents, at a lower FVU
        assert again.history_["fvu"].iloc[0] < 0.9 * scratch.history_["fvu"].iloc[0]


def test_a_dictionary_of_tokens_begins_with_none(trained):
    with pytest.raises(DataError, match="no init_from"):
        make("coder", "itda", latents=LATENTS, k=K).fit(layers(4096)[0], init_from=trained)
    with pytest.raises(DataError, match="no steps of training"):
        fit_together([make("coder", "itda", latents=LATENTS, k=K)], layers(4096)[0])


def test_another_kind_of_sae_is_refused(trained):
    one, _, _ = layers(2048)
    with pytest.raises(DataError, match="must be alike"):
        sae.TopK(32, K, training=SHORT, device="cpu").fit(one, init_from=trained)


def test_tokens_to_reach_by_hand():
    history = pd.DataFrame({"tokens": [10, 20, 30, 40], "fvu": [0.5, 0.3, 0.35, 0.2]})
    assert tokens_to_reach(history, 0.3) == 40  # it has to stay there
    assert tokens_to_reach(history, 0.35) == 20
    assert tokens_to_reach(history, 0.6) == 10
    assert tokens_to_reach(history, 0.1) == float("inf")
