"""Every coder on the menu: loss falls, sparse, rows independent, saved exactly, deterministic."""

import numpy as np
import pytest

pytest.importorskip("torch")

import finsae.sae.run as run_module
import finsae.sae.trainer as trainer_module
from finsae import sae
from finsae.checks import DataError
from finsae.plugins import MENU, make
from finsae.sae import Training

LATENTS, K, WIDTH = 64, 4, 24
SHORT = Training(epochs=6, batch=256, lr=3e-3)


def planted(tokens=4096, seed=0):
    random = np.random.default_rng(seed)
    directions = random.normal(size=(40, WIDTH))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    active = (random.random((tokens, 40)) < 0.06) * (1 + random.random((tokens, 40)))
    noise = 0.02 * random.normal(size=(tokens, WIDTH))
    return (active @ directions + 2.0 + noise).astype(np.float16)


def learnt(name, activations=None):
    """What a coder learns from: a g-sae needs the model's gradients beside the activations."""
    x = planted(2048) if activations is None else activations
    if name != "g-sae" or x.ndim != 2:
        return x
    return np.stack([x, np.roll(x, 1, axis=-1)], axis=1)


@pytest.fixture(scope="module", params=MENU["coder"])
def name(request):
    return request.param


def build(name, **params):
    settings = {"latents": LATENTS, "k": K, "training": SHORT, "device": "cpu"} | params
    return make("coder", name, **settings)


@pytest.fixture(scope="module")
def fitted(name):
    return build(name).fit(learnt(name))


def test_loss_falls(fitted):
    fvu = fitted.history_["fvu"]
    assert fvu.iloc[-1] < 0.8 * fvu.iloc[0]
    assert sae.evaluate(fitted, planted(seed=1)).fvu < 1


def same(codes, others):
    return codes.shape == others.shape and (codes != others).nnz == 0


def test_codes_are_sparse_and_valid(fitted):
    codes = fitted.encode(planted(seed=1))
    assert codes.shape == (4096, LATENTS) and codes.format == "csr"
    assert codes.data.dtype == np.float32
    assert (codes.data > 0).all() or fitted.SIGNED
    assert 0 < codes.nnz < 0.5 * 4096 * LATENTS
    assert fitted.decode(codes).shape == (4096, WIDTH)


def test_rows_are_independent(fitted):
    tokens = planted(64, seed=2)
    codes = fitted.encode(tokens)
    alone = fitted.encode(tokens[10:11])
    np.testing.assert_array_equal(alone.indices, codes[[10]].indices)
    np.testing.assert_allclose(alone.data, codes[[10]].data, rtol=1e-5)
    order = np.random.default_rng(0).permutation(64)
    np.testing.assert_array_equal(fitted.encode(tokens[order]).indices, codes[order].indices)


def test_saved_exactly(fitted, tmp_path):
    tokens = planted(500, seed=3)
    sae.save(fitted, tmp_path / "sae")
    again = sae.load(tmp_path / "sae", device="cpu")
    assert type(again) is type(fitted)
    assert same(fitted.encode(tokens), again.encode(tokens))
    for weight in fitted.WEIGHTS:
        np.testing.assert_array_equal(getattr(fitted, f"{weight}_"), getattr(again, f"{weight}_"))
    assert again.history_.equals(fitted.history_)


@pytest.mark.slow
def test_same_seed_gives_the_same_bits_and_another_does_not(name, fitted):
    again, other = (build(name, random_state=seed).fit(learnt(name)) for seed in (0, 1))
    for weight in fitted.WEIGHTS:
        np.testing.assert_array_equal(getattr(again, f"{weight}_"), getattr(fitted, f"{weight}_"))
    assert not np.array_equal(other.W_dec_, fitted.W_dec_)


def test_encode_learns_nothing(fitted):
    before = {weight: getattr(fitted, f"{weight}_").copy() for weight in fitted.WEIGHTS}
    fitted.encode(100 * planted(50, seed=4))
    for weight, array in before.items():
        np.testing.assert_array_equal(getattr(fitted, f"{weight}_"), array)


def test_no_tokens_give_no_codes(fitted):
    assert fitted.encode(np.zeros((0, WIDTH), np.float16)).shape == (0, LATENTS)


@pytest.mark.parametrize(
    ("activations", "message"),
    [
        (np.zeros((0, WIDTH), np.float16), "no activations"),
        (np.zeros(WIDTH, np.float16), "tokens x width"),
        (np.ones((4096, WIDTH), np.float16), "all 4,096 tokens are the same"),
        (planted(100), "fewer than one batch of 256"),
        (np.where(np.arange(4096)[:, None] == 3000, np.nan, planted()), "first at token 3,000"),
        (np.where(np.arange(4096)[:, None] == 7, np.inf, planted()), "first at token 7"),
    ],
)
def test_bad_activations_are_refused(name, activations, message):
    with pytest.raises(DataError, match=message):
        build(name).fit(learnt(name, activations))


@pytest.mark.parametrize("k", [0, LATENTS, LATENTS + 1])
def test_bad_k_is_refused(name, k):
    with pytest.raises(DataError, match="below latents"):
        build(name, k=k).fit(learnt(name))


def test_wrong_width_nan_and_unfitted_are_refused(name, fitted):
    with pytest.raises(DataError, match="tokens x 24"):
        fitted.encode(np.zeros((5, WIDTH + 1), np.float32))
    with pytest.raises(DataError, match="NaN"):
        fitted.encode(np.full((5, WIDTH), np.nan, np.float32))
    with pytest.raises(DataError, match="call fit"):
        build(name).encode(planted(5))
    with pytest.raises(DataError, match="device"):
        build(name, device="tpu").fit(learnt(name))


def test_a_killed_training_ends_with_the_same_bits(name, fitted, tmp_path, monkeypatch):
    if name == "itda":
        pytest.skip("an itda has no steps: its one pass begins again")
    state, advance = tmp_path / "checkpoint.pt", trainer_module.Trainer.advance
    monkeypatch.setattr(run_module, "CHECKPOINT_SECONDS", 0.0)

    def killed(self, rows, *, step, steps):
        if step == 37:
            raise KeyboardInterrupt
        advance(self, rows, step=step, steps=steps)

    monkeypatch.setattr(trainer_module.Trainer, "advance", killed)
    with pytest.raises(KeyboardInterrupt):
        build(name).fit(learnt(name), checkpoint=state)
    monkeypatch.setattr(trainer_module.Trainer, "advance", advance)
    again = build(name).fit(learnt(name), checkpoint=state)
    for weight in fitted.WEIGHTS:
        np.testing.assert_array_equal(getattr(again, f"{weight}_"), getattr(fitted, f"{weight}_"))
