"""Pursuit with any dictionary, dictionaries of tokens, and pairs of activation and gradient."""

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from finsae import sae
from finsae.checks import DataError
from finsae.plugins import make
from finsae.sae import Stream, Training, evaluate, pursuit
from finsae.sae.architectures.itda import ITDA
from finsae.sae.batches import Rows
from finsae.sae.run import fit_together

WIDTH, LATENTS, K = 12, 40, 4


def tokens(count=600, seed=0):
    random = np.random.default_rng(seed)
    directions = np.random.default_rng(9).normal(size=(30, WIDTH))
    active = (random.random((count, 30)) < 0.08) * random.random((count, 30))
    return (active @ directions + 1 + 0.01 * random.normal(size=(count, WIDTH))).astype(np.float32)


def rows(count=LATENTS, seed=1):
    found = torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed)).double()
    return found / found.norm(dim=1, keepdim=True)


def dense(codes, latents=LATENTS):
    found = torch.zeros(len(codes.starts) - 1, latents, dtype=codes.values.dtype)
    return found.index_put_((codes.tokens(), codes.latents), codes.values, accumulate=True)


def matching(x, W_dec, k, *, signed):
    """One token at a time, as the definition says."""
    z = torch.zeros(len(x), len(W_dec), dtype=x.dtype)
    for token, rest in enumerate(x.clone()):
        for _ in range(k):
            near = W_dec @ rest
            best = int((near.abs() if signed else near).argmax())
            value = near[best] if signed else near[best].clamp_min(0)
            z[token, best] += value
            rest -= value * W_dec[best]
    return z


def gradient(x, W_dec, k):
    z = torch.zeros(len(x), len(W_dec), dtype=x.dtype)
    for token in range(len(x)):
        support = torch.zeros(len(W_dec), dtype=torch.bool)
        for _ in range(k):
            rest = x[token] - z[token] @ W_dec
            support[int((W_dec @ rest).argmax())] = True
            g = (W_dec @ rest) * support
            way = g @ W_dec
            z[token] = (z[token] + (way @ rest) / (way @ way) * g).clamp_min(0)
    return z


@pytest.mark.parametrize("gram", [2**28, 0])
@pytest.mark.parametrize("signed", [False, True])
def test_matching_pursuit_is_its_definition(gram, signed, monkeypatch):
    monkeypatch.setattr(pursuit, "GRAM_ELEMENTS", gram)
    x, W_dec = torch.from_numpy(tokens(50)).double() - 1, rows()
    found = pursuit.matching_pursuit(x, W_dec, 6, signed=signed)
    torch.testing.assert_close(dense(found), matching(x, W_dec, 6, signed=signed))


def test_a_row_chosen_again_is_one_latent():
    close = torch.tensor([[1.0, 0.0], [0.6, 0.8]])  # each leaves something for the other
    found = pursuit.matching_pursuit(torch.tensor([[2.0, 0.5]]), close, 5, signed=True)
    assert sorted(found.latents[found.values != 0].tolist()) == [0, 1]
    rebuilt = dense(found, 2) @ close
    torch.testing.assert_close(rebuilt, torch.tensor([[2.0, 0.5]]), atol=0.2, rtol=0)


@pytest.mark.parametrize("k", [1, 2, 6])
def test_gradient_pursuit_is_its_definition(k):
    x, W_dec = torch.from_numpy(tokens(50)).double() - 1, rows()
    found = pursuit.gradient_pursuit(x, W_dec, k)
    torch.testing.assert_close(dense(found), gradient(x, W_dec, k))
    assert (found.values >= 0).all()


def test_tiles_change_nothing(monkeypatch):
    x, W_dec = torch.from_numpy(tokens(61)).double() - 1, rows()
    whole = [pursuit.matching_pursuit(x, W_dec, 5), pursuit.gradient_pursuit(x, W_dec, 5)]
    monkeypatch.setitem(pursuit.selection.TILE_ELEMENTS, "cpu", 7 * LATENTS)
    for one, method in zip(
        whole, (pursuit.matching_pursuit, pursuit.gradient_pursuit), strict=True
    ):
        torch.testing.assert_close(dense(method(x, W_dec, 5)), dense(one))


SHORT = Training(epochs=3, batch=64, lr=3e-3)


def test_an_sae_read_by_pursuit_keeps_what_it_is(tmp_path):
    coder = sae.TopK(LATENTS, K, training=SHORT, device="cpu").fit(tokens())
    coder.layer_, coder.model_ = 3, "toy"
    coder.labels_["label"] = [f"label {n}" for n in range(LATENTS)]
    read = sae.pursue(coder)
    assert (read.latents, read.k, read.layer_, read.model_) == (LATENTS, K, 3, "toy")
    assert read.labels_.equals(coder.labels_)
    assert evaluate(read, tokens(seed=2)).fvu < evaluate(coder, tokens(seed=2)).fvu
    with pytest.raises(DataError, match='did you mean "matching"'):
        sae.pursue(coder, method="matchin")
    with pytest.raises(DataError, match="below latents"):
        sae.pursue(coder, k=LATENTS)
    with pytest.raises(DataError, match="no steps of training"):
        read.fit(tokens(5000))
    with pytest.raises(DataError, match="save the SAE whose dictionary"):
        sae.save(read, tmp_path / "read")


def test_signed_dictionaries_are_read_with_both_signs():
    coder = make("coder", "abs-topk", latents=LATENTS, k=K, training=SHORT, device="cpu")
    coder.fit(tokens())
    with pytest.raises(DataError, match="no negative values"):
        sae.pursue(coder)
    read = sae.pursue(coder, method="matching")
    assert read.SIGNED and (read.encode(tokens()).data < 0).any()


def test_a_folder_knows_its_atoms(tmp_path):
    coder = ITDA(LATENTS, K, training=SHORT, device="cpu").fit(tokens())
    again = sae.load(sae.save(coder, tmp_path / "sae"), device="cpu")
    np.testing.assert_array_equal(again.atoms_, coder.atoms_)
    assert sae.shared_atoms(again, coder) == 1
    bare = ITDA(LATENTS, K).set_weights({"W_dec": rows().numpy(), "b_dec": np.zeros(WIDTH)})
    with pytest.raises(DataError, match="which tokens"):
        sae.shared_atoms(bare, coder)


def test_atoms_are_numbered_as_in_the_whole():
    x = tokens()
    kept = np.flatnonzero(np.arange(len(x)) % 3 > 0)
    coder = ITDA(LATENTS, K, training=SHORT, device="cpu").fit(Rows(x, kept))
    atoms = x[coder.atoms_] - coder.b_dec_
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    np.testing.assert_allclose(atoms, coder.W_dec_, atol=1e-5)


def test_a_dictionary_can_be_turned():
    turn = np.linalg.qr(np.random.default_rng(4).normal(size=(WIDTH, WIDTH)))[0]
    one, other = tokens(), (2 * tokens() @ turn).astype(np.float32)
    coder = ITDA(LATENTS, K, training=SHORT, device="cpu").fit(one)
    moved = sae.rotated(coder, sae.rotation(one, other))
    found = evaluate(moved, other / 2).fvu
    assert found == pytest.approx(evaluate(coder, one).fvu, rel=1e-2)


def test_a_dictionary_is_collected_from_a_stream():
    x = tokens()
    whole = ITDA(LATENTS, K, training=SHORT, device="cpu").fit(x)
    arrived = ITDA(LATENTS, K, training=SHORT, device="cpu")
    arrived.fit(Stream(iter(np.split(x, 6)), tokens=600, buffer=128))
    for coder in (whole, arrived):
        assert 0 < len(coder.atoms_) == coder.latents <= LATENTS
        assert len(set(coder.atoms_.tolist())) == coder.latents
        assert coder.history_["fvu"].iloc[-1] < 0.5 * coder.history_["fvu"].iloc[0]
    np.testing.assert_allclose(np.linalg.norm(whole.W_dec_, axis=1), 1, rtol=1e-5)


def test_too_few_tokens_worth_keeping_are_refused():
    alike = tokens()[:1] + 1e-3 * np.random.default_rng(0).normal(size=(600, WIDTH))
    alike[::2] += 5
    with pytest.raises(DataError, match=r"lower k or tolerance"):
        ITDA(LATENTS, K, tolerance=0.9, training=SHORT, device="cpu").fit(alike)
    with pytest.raises(DataError, match="between 0 and 1"):
        ITDA(LATENTS, K, tolerance=1.5).fit(tokens())


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("g-sae", {"influence": -1}, "influence"),
        ("g-sae", {"unit": "tokn"}, 'did you mean "token"'),
        ("gba", {"groups": 0}, "groups"),
        ("gba", {"span": 0.5}, "span"),
        ("gba", {"k": 30, "span": 1000.0}, "target frequency would be"),
        ("top-afa", {"penalty": -1}, "penalty"),
        ("feature-choice", {"budget": "zip"}, 'did you mean "zipf"'),
    ],
)
def test_settings_that_make_no_sae_are_refused(name, wrong, message):
    with pytest.raises(DataError, match=message):
        make("coder", name, **({"latents": LATENTS, "k": K} | wrong)).check()


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    size = {"vocab_size": 50, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    return GPT2LMHeadModel(GPT2Config(n_embd=WIDTH, n_layer=3, n_head=2, **size)).double().eval()


def batch():
    ids = torch.randint(3, 50, (8, 11), generator=torch.Generator().manual_seed(0))
    mask, special = torch.ones_like(ids), torch.zeros_like(ids)
    mask[0, 6:], special[:, 0] = 0, 1
    return {"input_ids": ids, "attention_mask": mask, "special_tokens_mask": special}


def test_gradients_say_what_a_small_change_does(model):
    given = batch()
    pairs = sae.with_gradients(model, [given], layer=2)
    assert pairs.shape == (8 * 10 - 5, 2, WIDTH) and pairs.dtype == np.float32
    assert not any(p.grad is not None for p in model.parameters())
    labels = torch.where(given["attention_mask"].bool(), given["input_ids"], -100)
    change = 1e-4 * torch.randn(
        8, 11, WIDTH, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    change[~given["attention_mask"].bool()] = 0
    change[:, 0] = 0  # special tokens are not among the pairs

    def loss(sign):
        def moved(_module, _inputs, output):
            return (
                (output[0] + sign * change, *output[1:])
                if isinstance(output, tuple)
                else (output + sign * change)
            )

        handle = model.transformer.h[1].register_forward_hook(moved)
        with torch.no_grad():
            logits = model(
                input_ids=given["input_ids"], attention_mask=given["attention_mask"]
            ).logits
        handle.remove()
        return float(
            torch.nn.functional.cross_entropy(
                logits[:, :-1].transpose(1, 2), labels[:, 1:], reduction="sum"
            )
        )

    kept = given["attention_mask"].bool() & ~given["special_tokens_mask"].bool()
    slope = float((change[kept] * torch.from_numpy(pairs[:, 1])).sum())
    assert (loss(1) - loss(-1)) / 2 == pytest.approx(slope, rel=1e-3)


def test_a_g_sae_learns_from_a_models_pairs(model):
    pairs = np.concatenate([sae.with_gradients(model, [batch()], layer=2)] * 4)
    coder = make("coder", "g-sae", latents=24, k=3, training=SHORT, device="cpu").fit(pairs)
    told, alone = coder.encode_with(pairs), coder.encode(pairs[:, 0])
    assert told.shape == alone.shape and (told != alone).nnz > 0
    coder.influence = 0.0
    assert (coder.encode_with(pairs) != alone).nnz == 0
    with pytest.raises(DataError, match="tokens x 2 x width"):
        coder.fit(pairs[:, 0])
    with pytest.raises(DataError, match="tokens x 2 x width"):
        coder.encode_with(pairs[:, 0])
    with pytest.raises(DataError, match="no gradients"):  # two layers are no pairs
        fresh = make("coder", "g-sae", latents=24, k=3, training=SHORT, device="cpu")
        fit_together([fresh], pairs)
    broken = pairs.copy()
    broken[3, 1, 0] = np.nan
    with pytest.raises(DataError, match="gradients are NaN"):
        coder.encode_with(broken)
    with pytest.raises(DataError, match="no batches"):
        sae.with_gradients(model, [], layer=1)
    single = {name: tensor[:, :1] for name, tensor in batch().items()}
    with pytest.raises(DataError, match="at least two tokens"):
        sae.with_gradients(model, [single], layer=1)
