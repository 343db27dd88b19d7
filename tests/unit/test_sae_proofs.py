"""What each architecture promises, on data whose truth is known."""

import numpy as np
import pytest
import torch

from finsae.plugins import make
from finsae.sae import Training, evaluate
from finsae.sae.architectures.batch_topk import BatchTopK
from finsae.sae.architectures.matryoshka import Matryoshka
from finsae.sae.architectures.topk import TopK
from finsae.sae.losses import Moment

TRAINING = Training(epochs=8, batch=256, lr=3e-3)


def sparse_data(tokens=8192, features=48, width=24, active=3, *, signed=False, seed=0):
    """Tokens that are sums of a few of `features` directions, which do not depend on `seed`."""
    directions = np.random.default_rng(99).normal(size=(features, width))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    random = np.random.default_rng(seed)
    on = random.random((tokens, features)) < active / features
    size = on * (0.5 + random.random((tokens, features)))
    if signed:
        size *= random.choice([-1, 1], size=size.shape)
    x = size @ directions + 0.01 * random.normal(size=(tokens, width))
    return x.astype(np.float32), directions


def fitted(name, latents=64, k=3, x=None, **settings):
    x = sparse_data()[0] if x is None else x
    settings = {"training": TRAINING, "device": "cpu"} | settings
    return make("coder", name, latents=latents, k=k, **settings).fit(x)


@pytest.mark.parametrize("name", ["topk", "batch-topk", "jumprelu", "gated", "l1", "matryoshka"])
def test_planted_directions_are_found(name):
    x, directions = sparse_data(features=32, width=32)
    coder = fitted(name, x=x, training=Training(epochs=12, batch=256, lr=5e-3))
    best = np.abs(directions @ coder.W_dec_.T).max(axis=1)
    assert best.mean() > 0.9, best.mean()
    rng = np.random.default_rng(0).normal(size=coder.W_dec_.shape)
    chance = np.abs(directions @ (rng / np.linalg.norm(rng, axis=1, keepdims=True)).T).max(axis=1)
    assert best.mean() > chance.mean() + 0.2


@pytest.mark.parametrize("name", ["batch-topk", "matryoshka", "jumprelu", "gated", "l1"])
def test_the_wanted_number_of_latents_is_active_on_new_tokens(name):
    coder = fitted(name, k=4)
    found = evaluate(coder, sparse_data(seed=1)[0])
    # BatchTopK keeps what is positive only, and this data has three directions a token
    assert 4 * 0.8 < found.l0 < 4 * 1.15, found.l0


def test_a_batch_keeps_exactly_k_per_token_and_tokens_differ():
    coder = BatchTopK(64, 4, device="cpu")
    x = torch.from_numpy(sparse_data(512)[0])
    random = torch.Generator().manual_seed(0)
    weights = {
        "W_enc": torch.randn(64, 24, generator=random),
        "W_dec": torch.randn(64, 24, generator=random),
        "b_enc": torch.zeros(64),
        "b_dec": torch.zeros(24),
    }
    memory = {}
    moment = Moment(0, 10, Training(), torch.zeros(0, dtype=torch.int64), memory)
    codes = coder.step(weights, x, moment).codes
    assert len(codes.values) == 4 * 512 and (codes.values > 0).all()
    assert codes.starts.diff().float().std() > 0.5
    assert memory["threshold"] == codes.values.min()
    final = {**weights, **coder.finish(weights, memory)}
    again = coder.select(final, x)  # one threshold for all: strictly above the smallest
    assert len(again.values) == 4 * 512 - 1


@pytest.mark.slow
def test_matryoshka_with_one_prefix_is_batch_topk():
    one, other = fitted("matryoshka", prefixes=(1,)), fitted("batch-topk")
    np.testing.assert_allclose(one.W_dec_, other.W_dec_, atol=2e-3)
    assert evaluate(one, sparse_data(seed=1)[0]).fvu == pytest.approx(
        evaluate(other, sparse_data(seed=1)[0]).fvu, rel=0.02
    )


def family(tokens=12_000, seed=0):
    """Parents, each with children that fire only together with it (Chanin et al. 2024)."""
    random = np.random.default_rng(seed)
    directions = np.linalg.qr(np.random.default_rng(9).normal(size=(24, 24)))[0]
    parents = random.random((tokens, 4)) < 0.3
    children = parents[:, :, None] & (random.random((tokens, 4, 4)) < 0.35)
    on = np.concatenate([parents, children.reshape(tokens, 16)], axis=1)
    return (on @ directions[:20]).astype(np.float32), directions, parents


def absorption(coder):
    """Share of a parent's tokens on which the latent nearest to it stays silent."""
    x, directions, parents = family(3000, seed=5)
    codes, missed = coder.encode(x), []
    for parent in range(4):
        latent = int((coder.W_dec_ @ directions[parent]).argmax())
        fires = codes[:, [latent]].toarray().ravel() > 0
        missed.append(1 - fires[parents[:, parent]].mean())
    return float(np.mean(missed))


@pytest.mark.slow
def test_prefixes_keep_a_parent_from_being_absorbed():
    x = family()[0]
    training = Training(epochs=15, batch=256, lr=3e-3)
    found = {"batch-topk": [], "matryoshka": []}
    for seed in range(3):
        own = {"training": training, "random_state": seed, "device": "cpu"}
        found["batch-topk"].append(absorption(BatchTopK(20, 3, **own).fit(x)))
        nested = Matryoshka(20, 3, prefixes=(0.2, 1), **own).fit(x)
        found["matryoshka"].append(absorption(nested))
    assert np.mean(found["matryoshka"]) < np.mean(found["batch-topk"]) - 0.05, found


@pytest.mark.slow
def test_both_ends_of_an_axis_need_one_latent():
    x = sparse_data(features=24, width=24, signed=True)[0]
    new = sparse_data(features=24, width=24, signed=True, seed=1)[0]
    ends = {
        (name, latents): evaluate(fitted(name, latents, x=x), new).fvu
        for name, latents in (("abs-topk", 24), ("topk", 24), ("topk", 48))
    }
    assert ends["abs-topk", 24] < ends["topk", 48] < ends["topk", 24]


@pytest.mark.slow
def test_one_sae_serves_every_smaller_k():
    new = sparse_data(seed=1)[0]
    every = fitted("topk", k=8, loss="every-k")
    plain = fitted("topk", k=8)

    def fvu(coder, k):
        rebuilt = coder.decode(coder.encode(new, k=k))
        return np.square(rebuilt - new).sum() / np.square(new - new.mean(0)).sum()

    assert fvu(every, 1) < fvu(plain, 1)
    assert fvu(every, 2) < fvu(plain, 2)
    own = evaluate(fitted("topk", k=2), new).fvu
    assert fvu(every, 2) < 1.25 * own
    assert every.k == 8 and (np.diff(every.encode(new, k=2).indptr) <= 2).all()


@pytest.mark.slow
def test_multi_topk_can_be_read_at_four_times_k():
    new = sparse_data(seed=1)[0]
    plain, multi = fitted("topk", k=3), fitted("topk", k=3, loss="multi")

    def fvu(coder, k):
        rebuilt = coder.decode(coder.encode(new, k=k))
        return np.square(rebuilt - new).sum() / np.square(new - new.mean(0)).sum()

    assert fvu(multi, 12) < fvu(plain, 12)


def test_unit_rows_change_no_output_of_an_l1_sae():
    coder = make("coder", "l1", latents=64, k=3)
    random = torch.Generator().manual_seed(0)
    weights = {
        "W_enc": torch.randn(64, 24, generator=random),
        "W_dec": 3 * torch.randn(64, 24, generator=random),
        "b_enc": 0.1 * torch.randn(64, generator=random),
        "b_dec": torch.randn(24, generator=random),
    }
    x = torch.from_numpy(sparse_data(100)[0])

    def rebuilt(w):
        u = torch.relu((x - w["b_dec"]) @ w["W_enc"].T + w["b_enc"])
        return u @ w["W_dec"]

    final = coder.finish(weights, {})
    torch.testing.assert_close(rebuilt(final), rebuilt(weights), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(final["W_dec"].norm(dim=1), torch.ones(64))


@pytest.mark.parametrize("name", ["jumprelu", "gated", "l1"])
def test_a_penalty_that_is_not_positive_is_refused(name):
    with pytest.raises(ValueError, match="penalty must be positive"):
        make("coder", name, latents=64, k=3, penalty=0).fit(sparse_data(1000)[0])


def test_the_every_k_option_and_the_topk_loss_are_told_apart():
    with pytest.raises(ValueError, match='did you mean "every-k"'):
        TopK(64, 3, loss="everyk").fit(sparse_data(1000)[0])
