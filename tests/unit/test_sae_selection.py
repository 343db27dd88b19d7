"""Exact selection: the filter and the 8-bit screening against a dense `torch.topk`."""

import numpy as np
import pytest
import torch

from finsae.sae import TopK, Training, candidates, screening, selection
from finsae.sae.codes import ByLatent, decode, fixed, per_latent, sampled
from finsae.sae.run import run
from finsae.sae.screening import Screen
from finsae.sae.trainer import Trainer

PRECISIONS = ["float32", "int8"]


def drawn(count=400, width=24, latents=1000, *, seed=0, dtype=torch.float32):
    """Tokens, encoder rows and biases of an SAE whose pre-activations have heavy tails."""
    random = np.random.default_rng(seed)
    W_enc = random.normal(size=(latents, width)) * random.uniform(0.5, 2, (latents, 1))
    x = random.standard_t(4, size=(count, width))
    b_enc = 0.3 * random.normal(size=latents) - 0.5
    return [torch.from_numpy(array).to(dtype) for array in (x, W_enc, b_enc)]


def dense(x, W_enc, b_enc, k, *, signed=False):
    pre = torch.addmm(b_enc, x, W_enc.T)
    latents = (pre.abs() if signed else pre).topk(k, dim=1).indices
    values = pre.gather(1, latents)
    return values if signed else values.relu(), latents


def as_matrix(values, latents, n):
    return torch.zeros(len(values), n, dtype=values.dtype).scatter_add(1, latents, values)


def same_codes(found, wanted, n):
    torch.testing.assert_close(found[0], wanted[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        as_matrix(*found, n), as_matrix(*wanted, n), rtol=1e-5, atol=1e-5, msg="other latents"
    )


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("latents", [512, 1000, 1023])
def test_the_k_largest_are_those_of_topk(latents, precision, signed):
    x, W_enc, b_enc = drawn(latents=latents)
    assert candidates.enough(x, latents, 7)
    with Screen(precision).used() as screen:
        found = selection.top_k(x, W_enc, b_enc, 7, signed=signed)
    same_codes(found, dense(x, W_enc, b_enc, 7, signed=signed), latents)
    size = found[0].abs()
    assert (size[:, :-1] >= size[:, 1:]).all()
    assert screen.calls == (precision == "int8") and screen.recall == 1


def test_outside_a_screen_selection_is_bit_equal_to_topk():
    x, W_enc, b_enc = drawn(seed=3)
    for _, pre in selection.tiles(x, W_enc, b_enc):
        values, latents = pre.topk(5, dim=1)
    found = selection.top_k(x, W_enc, b_enc, 5)
    assert torch.equal(found[0], values.relu()) and torch.equal(found[1], latents)


@pytest.mark.parametrize("k", [1, 40, 999, 1000])
@pytest.mark.parametrize("count", [1, 3, 300])
def test_any_k_and_any_number_of_tokens(k, count):
    x, W_enc, b_enc = drawn(count)
    with Screen("int8").used():
        found = selection.top_k(x, W_enc, b_enc, k)
    same_codes(found, dense(x, W_enc, b_enc, k), 1000)


def test_no_tokens_have_no_codes():
    x, W_enc, b_enc = drawn(0)
    values, latents = selection.top_k(x, W_enc, b_enc, 4)
    assert values.shape == latents.shape == (0, 4)
    assert len(selection.above(x, W_enc, b_enc, 0.0).values) == 0
    assert selection.largest_of_batch(x, W_enc, b_enc, 0).starts.tolist() == [0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types(dtype):
    x, W_enc, b_enc = drawn(dtype=dtype)
    with Screen("int8").used() as screen:
        found = selection.top_k(x, W_enc, b_enc, 7)
    wanted = dense(x, W_enc, b_enc, 7)
    assert found[0].dtype == dtype and screen.calls == 0
    torch.testing.assert_close(found[0], wanted[0])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_ties_keep_the_same_values(precision):
    x, W_enc, b_enc = drawn()
    W_enc = W_enc[torch.arange(1000) // 2]  # every latent twice
    b_enc = b_enc[torch.arange(1000) // 2]
    with Screen(precision).used():
        values, latents = selection.top_k(x, W_enc, b_enc, 7)
    torch.testing.assert_close(values, dense(x, W_enc, b_enc, 7)[0], rtol=1e-5, atol=1e-5)
    assert all(len(set(row)) == 7 for row in latents.tolist())


def test_constant_preactivations_are_sorted_plainly_and_end_the_screening():
    x, W_enc, b_enc = drawn()
    values, latents = selection.top_k(x, W_enc * 0, b_enc * 0 + 2, 7)
    assert (values == 2).all() and all(len(set(row)) == 7 for row in latents.tolist())
    screen = Screen("int8")
    with screen.used(), pytest.warns(UserWarning, match="latents alike"):
        again = selection.top_k(x, W_enc * 0, b_enc * 0 + 2, 7)
    assert (again[0] == 2).all() and screen.precision == "float32"
    some = x * (torch.arange(len(x)) % 10 > 0)[:, None]  # a tenth of the tokens are 0
    with Screen("int8").used():
        found = selection.top_k(some, W_enc, b_enc, 7)
    same_codes(found, dense(some, W_enc, b_enc, 7), 1000)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_bad_tokens_show_and_harm_no_other(bad, precision):
    x, W_enc, b_enc = drawn()
    x[5, 3] = bad
    with Screen(precision).used():
        values, latents = selection.top_k(x, W_enc, b_enc, 7)
    assert not torch.isfinite(values[5]).all()
    good = torch.arange(len(x)) != 5
    wanted = dense(x[good], W_enc, b_enc, 7)
    same_codes((values[good], latents[good]), wanted, 1000)


def test_nan_in_a_weight_shows():
    x, W_enc, b_enc = drawn()
    W_enc[17, 2] = torch.nan
    assert torch.isnan(selection.top_k(x, W_enc, b_enc, 7)[0]).any(1).all()


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_no_tensor_is_larger_than_a_tile(monkeypatch, precision, signed):
    tile = 2**16
    monkeypatch.setitem(selection.TILE_ELEMENTS, "cpu", tile)
    x, W_enc, b_enc = drawn(2000, 8, 1024)
    with Screen(precision).used(), torch.profiler.profile(profile_memory=True) as profile:
        selection.top_k(x, W_enc, b_enc, 2, signed=signed)
        selection.largest_of_batch(x, W_enc, b_enc, 4000)
    most = max(event.cpu_memory_usage for event in profile.events() if not event.cpu_children)
    assert tile <= most <= 8 * tile < 4 * 2000 * 1024


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("bar", [0.0, 3.0, "per latent"])
def test_all_above_a_bar(bar, precision):
    x, W_enc, b_enc = drawn()
    height = bar
    if bar == "per latent":
        height = torch.linspace(1, 6, 1000)
    with Screen(precision).used():
        codes = selection.above(x, W_enc, b_enc, height)
    pre = torch.addmm(b_enc, x, W_enc.T)
    wanted = torch.where(pre > height, pre, 0.0)
    found = torch.zeros_like(pre)
    found[codes.tokens(), codes.latents] = codes.values
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    assert len(codes.starts) == len(x) + 1 and codes.starts[-1] == len(codes.values)


def dense_of_batch(x, W_enc, b_enc, count, weight=1.0):
    pre = torch.addmm(b_enc, x, W_enc.T)
    size = (pre * weight).relu().flatten()
    values, at = size.topk(count)
    out = torch.zeros_like(size)
    out[at[values > 0]] = pre.flatten()[at[values > 0]]
    return out.view_as(pre)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("order", ["random", "the longest last", "one token takes nearly all"])
def test_the_largest_of_a_batch(order, weighted, precision):
    x, W_enc, b_enc = drawn()
    if order == "the longest last":  # the tokens that tell the bar are no fair sample
        x = x * torch.linspace(0.1, 3, len(x))[:, None]
        x[:: len(x) // selection.GUESS_TOKENS] *= 30
    if order == "one token takes nearly all":
        x[7] *= 1000
    weight = torch.linspace(0.5, 2, 1000) if weighted else None
    with Screen(precision).used():
        codes = selection.largest_of_batch(x, W_enc, b_enc, 2000, weight=weight)
    found = torch.zeros(len(x), 1000)
    found[codes.tokens(), codes.latents] = codes.values
    wanted = dense_of_batch(x, W_enc, b_enc, 2000, weight=1.0 if weight is None else weight)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    assert len(codes.values) == 2000


def test_a_batch_with_few_positive_or_all_the_same():
    x, W_enc, b_enc = drawn()
    pre = torch.addmm(b_enc - 50, x, W_enc.T)
    positive = int((pre > 0).sum())
    assert 0 < positive < 4000
    codes = selection.largest_of_batch(x, W_enc, b_enc - 50, 4000)
    assert len(codes.values) == positive and (codes.values > 0).all()
    codes = selection.largest_of_batch(x, W_enc * 0, b_enc * 0 + 1, 700)
    assert (codes.values == 1).all() and len(codes.values) == 700
    assert len(set(zip(codes.tokens().tolist(), codes.latents.tolist(), strict=True))) == 700


def test_lost_latents_are_counted_and_end_the_screening(monkeypatch):
    x, W_enc, b_enc = drawn()
    monkeypatch.setattr(screening, "MARGIN", 0.0)
    monkeypatch.setattr(screening, "LEVELS", 5)  # three bits instead of eight
    screen = Screen("int8")
    with screen.used(), pytest.warns(UserWarning, match=r"screening in int8 stops.*float32"):
        selection.top_k(x, W_enc, b_enc, 7)
    assert screen.recall < 0.9999 and screen.precision == "float32"
    with screen.used():  # and never again
        same_codes(selection.top_k(x, W_enc, b_enc, 7), dense(x, W_enc, b_enc, 7), 1000)
    assert screen.calls == 1


def test_one_call_in_a_hundred_is_checked_and_the_state_goes_on():
    x, W_enc, b_enc = drawn(300, 8, 512)
    screen = Screen("int8")
    with screen.used():
        for _ in range(screening.EVERY):
            selection.top_k(x, W_enc, b_enc, 2)
        assert screen.wanted == 2 * screening.CHECKED and screen.recall == 1
        other = Screen("float32")
        other.restore(screen.state())
        assert other.precision == "int8" and other.calls == screening.EVERY
    with other.used():
        selection.top_k(x, W_enc, b_enc, 2)
    assert other.wanted == 4 * screening.CHECKED and screen.wanted == 2 * screening.CHECKED


def test_precisions_have_names():
    assert Screen().precision == screening.fastest() in screening.PRECISIONS
    with pytest.raises(ValueError, match="float32"):
        Screen("int4")


def test_the_margin_covers_the_rounding():
    x, W_enc, b_enc = drawn(seed=9)
    rough = screening.Int8(x, W_enc, b_enc)
    pre = torch.addmm(b_enc, x, W_enc.T).double()
    for rows, scores, margin in rough.tiles(64):
        # one factor brings a token's integers to the scale of its pre-activations
        exact, whole = pre[rows], scores.double()
        factor = (exact * whole).sum(1, keepdim=True) / whole.square().sum(1, keepdim=True)
        error = (whole - exact / factor).abs() / torch.from_numpy(margin)[:, None]
        assert 0.1 < error.max() < 1.3


def test_products_of_codes_are_those_of_dense_matrices():
    x, W_enc, b_enc = drawn(dtype=torch.float64)
    values, latents = selection.top_k(x, W_enc, b_enc, 7)
    codes, z = fixed(values, latents), as_matrix(values, latents, 1000)
    torch.testing.assert_close(decode(codes, W_enc), z @ W_enc)
    picked = (x @ W_enc.T).gather(1, latents).flatten()
    torch.testing.assert_close(sampled(codes, x, W_enc), picked)
    torch.testing.assert_close(ByLatent(codes, 1000).sum(codes.values, x), z.T @ x)
    torch.testing.assert_close(per_latent(codes, codes.values, 1000), z.sum(0))
    empty = selection.above(x, W_enc, b_enc, 1e9)
    assert not decode(empty, W_enc).any() and not ByLatent(empty, 1000).sum(empty.values, x).any()
    assert sampled(empty, x, W_enc).shape == (0,)


def test_more_latents_than_short_integers_hold():
    random = torch.Generator().manual_seed(0)
    latents = torch.randint(40_000, (50, 3), generator=random)
    values = torch.rand(50, 3, generator=random)
    rows = torch.rand(50, 4, generator=random)
    wanted = as_matrix(values, latents, 40_000).T @ rows
    found = ByLatent(fixed(values, latents), 40_000).sum(values.flatten(), rows)
    torch.testing.assert_close(found, wanted)


def history_of(seed=0):
    x = drawn(2048, 16, 512, seed=seed)[0].numpy()
    training = Training(epochs=3, batch=512, lr=1e-3)
    trainer = Trainer(TopK(512, 2, training=training, device="cpu"), x)
    run([trainer], x)
    return trainer, trainer.finish().history_["recall"]


def test_the_recall_of_the_fast_selection_is_in_the_history(monkeypatch):
    monkeypatch.setattr(screening, "fastest", lambda: "int8")
    monkeypatch.setattr(screening, "EVERY", 2)
    trainer, recall = history_of()
    assert trainer.screen.wanted > 0 and (recall >= 0.9999).all()
    monkeypatch.setattr(screening, "MARGIN", 0.0)
    monkeypatch.setattr(screening, "LEVELS", 5)
    with pytest.warns(UserWarning, match="screening in int8 stops"):
        trainer, recall = history_of()
    assert recall.iloc[-1] == trainer.screen.recall < 0.9999


def test_workers_agree_on_what_was_lost_and_on_giving_up():
    one, other = Screen("int8"), Screen("int8")
    for _ in range(2):
        one.wanted, one.lost, other.wanted = one.wanted + 64, one.lost + 3, other.wanted + 64
        news = np.add(one.news(), other.news())
        one.agree(news)
        other.agree(news)
    assert one.state() == other.state()
    assert (one.wanted, one.lost, one.precision) == (256, 6, "int8")
    other.precision = "float32"
    one.agree(np.add(one.news(), other.news()))
    assert one.precision == "float32"
