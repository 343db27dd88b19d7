"""Gradients against autograd, AuxK, selection by tiles, and recovery of a planted dictionary."""

import numpy as np
import pytest
import torch

from finsae.sae import TopK, Training, losses, selection
from finsae.sae.codes import decode, fixed
from finsae.sae.losses import Moment


def weights(latents=96, width=16, seed=0, dtype=torch.float64):
    random = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=random, dtype=torch.float64).to(dtype)

    W_dec = normal(latents, width)
    losses.normalise_rows(W_dec)
    b_enc, b_dec = 0.1 * normal(latents), 0.3 * normal(width)
    return {"W_enc": normal(latents, width), "W_dec": W_dec, "b_enc": b_enc, "b_dec": b_dec}


def tokens(count=200, width=16, seed=1, dtype=torch.float64):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(count, width, generator=random, dtype=torch.float64).to(dtype)


NONE = torch.zeros(0, dtype=torch.int64)


def step(p, x, *, k=6, dead=NONE, k_aux=8, coefficient=1 / 32):
    training = Training(k_aux=k_aux, aux_coefficient=coefficient)
    return TopK(len(p["W_enc"]), k).step(p, x, Moment(0, 1, training, dead))


def dense_loss(p, x, *, k, dead, k_aux, coefficient):
    """The same loss as one would write it with dense codes and autograd."""
    u = (x - p["b_dec"]) @ p["W_enc"].T + p["b_enc"]
    top, at = u.topk(k)
    x_hat = torch.zeros_like(u).scatter(1, at, top.relu()) @ p["W_dec"] + p["b_dec"]
    loss = (x_hat - x).square().sum() / (x - x.mean(0)).square().sum()
    if len(dead):
        e = (x - x_hat).detach()
        top, at = u[:, dead].topk(min(k_aux, len(dead)))
        z = torch.zeros_like(u[:, dead]).scatter(1, at, top.relu())
        e_hat = z @ p["W_dec"][dead]
        aux = (e_hat - e).square().sum() / (e - e.mean(0)).square().sum()
        loss = loss + coefficient * aux
    return loss


@pytest.mark.parametrize("dead", [[], [3], list(range(40, 60)), list(range(96))])
def test_gradients_are_those_of_autograd(dead):
    p, x, dead = weights(), tokens(), torch.tensor(dead, dtype=torch.int64)
    settings = {"k": 6, "dead": dead, "k_aux": 8, "coefficient": 1 / 32}
    found = step(p, x, **settings)
    leaves = {name: w.clone().requires_grad_() for name, w in p.items()}
    loss = dense_loss(leaves, x, **settings)
    loss.backward()
    torch.testing.assert_close(found.fvu + found.extra, loss.detach())
    for name, leaf in leaves.items():
        torch.testing.assert_close(
            found.gradients[name], leaf.grad, rtol=1e-9, atol=1e-12, msg=name
        )


def test_float32_gradients_are_close_to_float64():
    exact, rough = (
        step(weights(), tokens()),
        step(weights(dtype=torch.float32), tokens(dtype=torch.float32)),
    )
    for name, a in exact.gradients.items():
        assert (a - rough.gradients[name]).abs().max() < 1e-5 * a.abs().max()


def test_auxk_moves_dead_latents_only_and_one_step_lowers_it():
    p, x, dead = weights(), tokens(), torch.arange(70, 96)
    p["b_enc"][dead] = -100.0  # they lose every selection
    with_aux, without = step(p, x, dead=dead), step(p, x)
    for name in ("W_enc", "W_dec", "b_enc"):
        change = with_aux.gradients[name] - without.gradients[name]
        assert not change[:70].any()
    p["b_enc"][dead] = 0.0  # the encoder gives them positive codes within their own selection
    live = {name: p[name][:70] for name in ("W_enc", "W_dec", "b_enc")} | {"b_dec": p["b_dec"]}
    centred = x - p["b_dec"]

    def codes(weights, k):
        return fixed(*selection.top_k(centred, weights["W_enc"], weights["b_enc"], k))

    miss = decode(codes(live, 6), live["W_dec"]) - centred

    def aux(weights):
        """AuxK of the dead rows of `weights` for this miss, and its gradients."""
        zeros = {name: torch.zeros_like(w) for name, w in weights.items()}
        moment = Moment(0, 1, Training(k_aux=8, aux_coefficient=1.0), dead)
        loss = losses.aux_k(weights, zeros, centred=centred, miss=miss, moment=moment)
        return loss, zeros

    before, slope = aux(p)
    assert all(slope[name][dead].any() for name in ("W_enc", "W_dec", "b_enc"))
    moved = {name: w - 0.05 * slope[name] for name, w in p.items()} | {"b_dec": p["b_dec"]}
    assert aux(moved)[0] < before


def test_tiles_change_nothing(monkeypatch):
    p, x = weights(), tokens(301)
    whole = selection.top_k(x, p["W_enc"], p["b_enc"], 5)
    monkeypatch.setitem(selection.TILE_ELEMENTS, "cpu", 7 * 96)
    tiled = selection.top_k(x, p["W_enc"], p["b_enc"], 5)
    torch.testing.assert_close(tiled, whole)
    top = ((x @ p["W_enc"].T + p["b_enc"]).topk(5).values).relu()
    torch.testing.assert_close(whole[0], top)


def test_no_matrix_of_all_tokens_and_latents(monkeypatch):
    monkeypatch.setitem(selection.TILE_ELEMENTS, "cpu", 2**12)
    p, x = weights(1024, 8, dtype=torch.float32), tokens(512, 8, dtype=torch.float32)
    with torch.profiler.profile(profile_memory=True) as profile:
        step(p, x, k=4)
    largest = max((event.self_cpu_memory_usage for event in profile.key_averages()), default=0)
    assert 0 < largest < 512 * 1024 * 4


def test_projected_gradient_is_orthogonal_and_rows_become_unit():
    p = weights()
    gradient = tokens(96)
    losses.project_gradient(p, {"W_dec": gradient})
    assert (gradient * p["W_dec"]).sum(1).abs().max() < 1e-12
    W = 3 * tokens(96)
    losses.normalise_rows(W)
    torch.testing.assert_close(W.norm(dim=1), torch.ones(96, dtype=torch.float64))


def planted(count=20_000, features=64, width=32):
    random = np.random.default_rng(0)
    directions = random.normal(size=(features, width))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    active = (random.random((count, features)) < 3 / features) * (
        1 + random.random((count, features))
    )
    x = active @ directions + 3 + 0.01 * random.normal(size=(count, width))
    return directions, x.astype(np.float16)


def test_a_planted_dictionary_is_recovered():
    directions, x = planted()
    settings = Training(epochs=8, batch=256, lr=3e-3)
    coder = TopK(96, 4, training=settings, device="cpu").fit(x)
    assert np.max(directions @ coder.W_dec_.T, axis=1).mean() > 0.97
    np.testing.assert_allclose(np.linalg.norm(coder.W_dec_, axis=1), 1, rtol=1e-5)
    assert np.linalg.norm(coder.b_dec_ - 3) < np.linalg.norm(coder.b_dec_)


def test_the_scale_of_the_activations_does_not_matter():
    _, x = planted(4096)
    settings = Training(epochs=2, batch=512, lr=2e-3)
    small = TopK(96, 4, training=settings, device="cpu").fit(x)
    large = TopK(96, 4, training=settings, device="cpu").fit(x * np.float16(4))
    a, b = small.encode(x), large.encode(x * np.float16(4))
    np.testing.assert_allclose(b.data, 4 * a.data, rtol=1e-3)
    np.testing.assert_array_equal(a.indices, b.indices)
