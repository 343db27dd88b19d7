"""Measures of an SAE whose truth is known: planted errors, planted directions, a tiny model."""

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from finsae.checks import DataError
from finsae.sae import TopK
from finsae.sae.dark_matter import dark_matter
from finsae.sae.job import measures
from finsae.sae.metrics import density_histogram, evaluate, layer_table, mmcs
from finsae.sae.patching import loss_recovered

WIDTH = 12


def coder_of(W_enc, W_dec, *, b_enc=0.0, b_dec=0.0, k=None):
    latents, width = W_dec.shape
    coder = TopK(latents, k or latents - 1, device="cpu")
    weights = {"W_enc": W_enc, "W_dec": W_dec}
    weights |= {"b_enc": np.full(latents, b_enc), "b_dec": np.full(width, b_dec)}
    return coder.set_weights(weights)


def perfect(width=WIDTH):
    """Both signs of every axis, so nothing is lost; one spare latent keeps k below latents."""
    both = np.vstack([np.eye(width), -np.eye(width), np.zeros((1, width))])
    return coder_of(both.T, both)


def nothing(width=WIDTH):
    return coder_of(np.zeros((width, 5)), np.zeros((5, width)))


def test_directions_of_one_sae_in_another():
    random = np.random.default_rng(0)
    rows = random.normal(size=(40, WIDTH))
    a, b = coder_of(rows.T, rows), coder_of(rows[:10].T, 3 * rows[:10])
    assert mmcs(a, a) == pytest.approx(1)
    assert mmcs(b, a) == pytest.approx(1)
    assert mmcs(a, b) < 0.9
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert mmcs(a, rows[:10]) == pytest.approx((unit @ unit[:10].T).max(axis=1).mean())
    assert mmcs(rows[:10], -rows[:10]) < 0.9
    with pytest.raises(DataError, match="width"):
        mmcs(a, np.ones((3, WIDTH + 1)))


def test_signed_directions_are_axes(monkeypatch):
    rows = np.random.default_rng(0).normal(size=(10, WIDTH))
    coder = coder_of(rows.T, rows)
    monkeypatch.setattr(TopK, "SIGNED", True)
    assert mmcs(coder, -rows) == pytest.approx(1)


def test_histogram_counts_every_latent_once():
    counts = density_histogram(np.array([0, 0, 1e-6, 5e-5, 1e-4, 0.05, 0.5, 1.0]))
    assert counts.to_dict() == {
        "never": 2,
        "under 1e-05": 1,
        "1e-05 to 0.0001": 1,
        "0.0001 to 0.001": 1,
        "0.001 to 0.01": 0,
        "0.01 to 0.1": 1,
        "0.1 to 1": 2,
    }


def test_layers_are_judged_one_by_one():
    random = np.random.default_rng(0)
    x = random.normal(size=(500, 2, WIDTH))
    x[:, 1] *= 4
    good, bad = perfect(), nothing()
    found = layer_table([good, bad], x, layers=[3, 5])
    assert found.index.tolist() == [3, 5] and found["fvu"].idxmax() == 5
    assert found.loc[3, "fvu"] < 1e-10 and found.loc[5, "fvu"] == pytest.approx(1, abs=0.01)
    limited = coder_of(np.eye(WIDTH), np.eye(WIDTH), b_enc=-1.0)
    scaled = layer_table(limited, x, layers=[3, 5], scales=[1, 0.25])
    assert scaled.loc[5, "l0"] == pytest.approx(evaluate(limited, x[:, 1] / 4).l0)
    assert layer_table(limited, x, layers=[3, 5]).loc[5, "l0"] > 2 * scaled.loc[5, "l0"]
    with pytest.raises(DataError, match="2 layers, 1 SAEs"):
        layer_table([good], x, layers=[3, 5])


def planted(share, *, documents=200, length=40, seed=0):
    """Tokens, and an SAE whose error is ``share * x`` in one half of the axes, plus its codes.

    The other half is coded with rows too short, so ``e = shrink * relu(x)``: partly linear.
    """
    random = np.random.default_rng(seed)
    x = random.normal(size=(documents * length, WIDTH))
    both = np.vstack([np.eye(WIDTH), -np.eye(WIDTH), np.zeros((1, WIDTH))])
    coder = coder_of(both.T, (1 - share) * both)
    return coder, x, np.arange(documents + 1) * length


def test_a_shrunk_reconstruction_is_all_linear():
    coder, x, offsets = planted(0.3)
    found = dark_matter(coder, x, offsets=offsets)
    assert found.fvu == pytest.approx(0.09, rel=0.01)
    assert found.fvu_nonlinear < 1e-9 and found.r2_error > 1 - 1e-9
    assert found.fvu_linear + found.fvu_nonlinear == pytest.approx(found.fvu)
    assert found.r2_norm < 0.02  # |e|^2 is even in x, so no line explains it


def test_a_planted_linear_share_is_found():
    random = np.random.default_rng(0)
    signal = random.normal(size=(20_000, WIDTH))
    jitter = 0.1 * random.normal(size=signal.shape)

    class Known(TopK):
        """Its error is 0.3 x plus what no line can know."""

        def decode(self, codes):
            at = np.arange(self.now, self.now + codes.shape[0])
            self.now = (self.now + codes.shape[0]) % self.total
            return (0.7 * signal[self.order[at]] - jitter[self.order[at]]).astype(np.float32)

    coder = perfect()
    coder.__class__ = Known
    offsets = np.arange(0, 20_001, 50)
    fits = np.random.default_rng([0, 4]).permutation(400) < 200
    of_token = np.repeat(fits, 50)
    coder.order = np.concatenate([np.flatnonzero(of_token), np.flatnonzero(~of_token)])
    coder.now, coder.total = 0, 20_000
    found = dark_matter(coder, signal, offsets=offsets)
    assert found.fvu_linear == pytest.approx(0.09, rel=0.03)
    assert found.fvu_nonlinear == pytest.approx(0.01, rel=0.03)
    assert found.r2_error == pytest.approx(0.9, abs=0.01)


def test_the_intercept_takes_a_constant_error():
    coder, x, offsets = planted(0.0)
    x = x + 5.0
    coder.b_dec_ = coder.b_dec_ + np.float32(5.0)
    exact = dark_matter(coder, x, offsets=offsets)
    assert exact.fvu < 1e-10 and np.isnan(exact.r2_norm) | (exact.r2_norm <= 1)
    coder.W_dec_ = np.zeros_like(coder.W_dec_)
    found = dark_matter(coder, x, offsets=offsets)
    assert found.fvu == pytest.approx(1, abs=0.01) and found.fvu_nonlinear < 1e-9


def test_maps_are_judged_on_other_documents():
    """Any errors at ten places fit a map of 13 numbers; those at five tell nothing of the rest."""
    random = np.random.default_rng(1)
    x = np.repeat(random.normal(size=(10, WIDTH)), 200, axis=0)
    x += 1e-3 * random.normal(size=x.shape)
    coder = coder_of(random.normal(size=(WIDTH, 30)), random.normal(size=(30, WIDTH)), k=3)
    documents = dark_matter(coder, x, offsets=np.arange(11) * 200)
    tokens = dark_matter(coder, x, offsets=np.arange(2001))
    assert documents.fvu_nonlinear > 0.5 * documents.fvu
    assert tokens.fvu_nonlinear < 0.1 * tokens.fvu


def test_too_few_tokens_for_a_linear_map_are_refused():
    coder, x, offsets = planted(0.3, documents=10, length=40)
    with pytest.raises(DataError, match="at least 240"):
        dark_matter(coder, x, offsets=offsets)
    with pytest.raises(DataError, match="do not belong"):
        dark_matter(coder, x, offsets=offsets[:-1])


def test_all_measures_of_the_held_out_texts():
    coder, x, offsets = planted(0.3)
    rows = np.flatnonzero(np.repeat(np.arange(200) % 2 == 0, 40))
    found = measures(coder, x, offsets=offsets, rows=rows)
    assert found["tokens"] == 4000 and sum(found["density"].values()) == coder.latents
    assert found["fvu"] == pytest.approx(0.09, rel=0.01)
    assert found["dark_matter"]["r2_error"] > 0.99
    assert 0 < found["dark_matter"]["tokens"] < 4000
    assert "dark_matter" not in measures(coder, x, offsets=offsets, rows=rows[:40])


SIZE = {"vocab_size": 50, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
MODELS = {
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(n_embd=WIDTH, n_layer=3, n_head=2, **SIZE)),
    "llama": lambda: LlamaForCausalLM(
        LlamaConfig(
            hidden_size=WIDTH,
            intermediate_size=24,
            num_hidden_layers=3,
            num_attention_heads=2,
            **SIZE,
        )
    ),
}


def batches():
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 50, (6, 9), generator=random)
    mask = torch.ones_like(ids)
    mask[0, 5:] = 0
    special = torch.zeros_like(ids)
    special[:, 0] = 1
    return [{"input_ids": ids, "attention_mask": mask, "special_tokens_mask": special}]


@pytest.fixture(params=sorted(MODELS))
def model(request):
    """A model that knows its six sentences by heart, so that wiping a layer out hurts."""
    torch.manual_seed(0)
    made = MODELS[request.param]()
    batch = batches()[0]
    fed = {name: batch[name] for name in ("input_ids", "attention_mask")}
    fed["labels"] = torch.where(batch["attention_mask"].bool(), batch["input_ids"], -100)
    optimiser = torch.optim.Adam(made.parameters(), lr=3e-2)
    for _ in range(60):
        optimiser.zero_grad()
        made(**fed).loss.backward()
        optimiser.step()
    return made.eval()


def test_a_perfect_sae_recovers_all_and_an_empty_one_nothing(model):
    found = loss_recovered(perfect(), model, batches(), layer=2)
    assert found.score_zero == pytest.approx(1, abs=1e-4) == found.score_mean
    assert found.patched == pytest.approx(found.clean, abs=1e-4)
    assert found.clean < found.mean and found.clean < found.zero
    assert found.tokens == 6 * 8 - 4
    empty = loss_recovered(nothing(), model, batches(), layer=2)
    assert empty.score_zero == pytest.approx(0, abs=1e-6)
    assert empty.clean == pytest.approx(found.clean)


def test_losses_are_those_of_the_model(model):
    batch = batches()[0]
    labels = torch.where(batch["attention_mask"].bool(), batch["input_ids"], -100)
    with torch.no_grad():
        own = model(input_ids=batch["input_ids"], labels=labels).loss
    found = loss_recovered(perfect(), model, batches(), layer=3)
    assert found.clean == pytest.approx(float(own), rel=1e-4)


def test_special_tokens_stay(model):
    batch = batches()[0]
    all_special = batch | {"special_tokens_mask": torch.ones_like(batch["input_ids"])}
    with pytest.raises(DataError, match="nothing to recover"):
        loss_recovered(nothing(), model, [all_special], layer=2)


def test_wrong_layers_widths_and_texts_are_refused(model):
    with pytest.raises(DataError, match="blocks 1 to 3, not 4"):
        loss_recovered(perfect(), model, batches(), layer=4)
    with pytest.raises(DataError, match="reads width 7"):
        loss_recovered(perfect(7), model, batches(), layer=1)
    single = {name: tensor[:, :1] for name, tensor in batches()[0].items()}
    with pytest.raises(DataError, match="at least two tokens"):
        loss_recovered(perfect(), model, [single], layer=1)
