"""The Triton kernels against plain torch: on a GPU where there is one, else interpreted."""

import os
from copy import deepcopy

import numpy as np
import pytest
import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported
pytest.importorskip("triton", reason="Triton is not installed")

from test_sae_gradients import CASES, DEAD, LATENTS, K, moment, start, tokens  # noqa: E402

from finsae.plugins import make  # noqa: E402
from finsae.sae import TopK, Training, kernels, losses, screening, selection, shortlist  # noqa: E402
from finsae.sae.codes import ByLatent, Codes, decode, sampled  # noqa: E402
from finsae.sae.kernels import candidates, products  # noqa: E402
from finsae.sae.optimiser import Optimiser  # noqa: E402
from finsae.sae.run import run  # noqa: E402
from finsae.sae.screening import Screen  # noqa: E402
from finsae.sae.trainer import Trainer  # noqa: E402

INVALID = pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # numpy's
FLOATS = [torch.float64, torch.float32, torch.bfloat16]
SLOW_FLOATS = [pytest.param(dtype, marks=pytest.mark.slow) for dtype in FLOATS[::2]]


@pytest.fixture
def used(monkeypatch):
    monkeypatch.setattr(kernels, "usable", lambda tensor: True)


def normal(*shape, seed=0, dtype=torch.float32):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=random, dtype=torch.float64).to(DEVICE, dtype)


def ragged(*, owners=7, most=40, members=30, seed=0, dtype=torch.float32):
    """Entries of owners that have none, one or many."""
    random = np.random.default_rng(seed)
    lengths = random.integers(0, most, owners) * (random.random(owners) < 0.8)
    starts = torch.from_numpy(np.concatenate([[0], lengths.cumsum()])).to(DEVICE)
    count = int(starts[-1])
    some = torch.from_numpy(random.integers(0, members, count)).to(DEVICE)
    return normal(count, seed=seed, dtype=dtype), some, starts


# -- which latents may be among the k largest


def listed(pre, k, *, width, tolerance=0.0, signed=False):
    found = candidates.candidates(
        pre.contiguous(), k, width=width, tolerance=tolerance, signed=signed
    )
    assert found.shape == (len(pre), width) and found.dtype == torch.int32
    for row in found.tolist():  # ascending or descending, each once, then the padding
        some = [latent for latent in row if latent >= 0]
        assert row == some + [-1] * (width - len(some)) and len({*some}) == len(some)
    return [{*row} - {-1} for row in found.tolist()]


@pytest.mark.parametrize("dtype", [SLOW_FLOATS[0], torch.float32, SLOW_FLOATS[1]])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("k", "latents"), [(1, 256), (5, 1000), (20, 1023)])
def test_the_k_largest_are_listed(k, latents, signed, dtype):
    pre = normal(2, latents, dtype=dtype)
    width = shortlist.width(k)
    wanted = (pre.abs() if signed else pre).topk(k).indices
    for found, some in zip(
        listed(pre, k, width=width, signed=signed), wanted.tolist(), strict=True
    ):
        assert {*some} <= found and len(found) < width


def test_one_token_and_none():
    assert len(listed(normal(1, 300), 3, width=16)) == 1
    assert listed(normal(0, 300), 3, width=16) == []


def test_a_tolerance_lists_what_rounding_may_hide():
    pre = torch.linspace(1.0, 2.0, 400, device=DEVICE)[None]
    assert len(listed(pre, 2, width=64)[0]) < len(listed(pre, 2, width=64, tolerance=0.1)[0])
    low = torch.linspace(-2.0, -1.0, 400, device=DEVICE)[None]  # a bar below 0 is lowered too
    assert listed(low, 2, width=64)[0] < listed(low, 2, width=64, tolerance=0.1)[0]


def test_ties_at_the_bar_are_all_listed():
    pre = normal(3, 300)
    pre[:, [3, 150, 299]] = 9.0
    for found in listed(pre, 2, width=16):
        assert {3, 150, 299} <= found
    equal = torch.full((2, 300), -1.0, device=DEVICE)  # more than fit: the first
    assert listed(equal, 2, width=16) == [{*range(16)}] * 2
    many = normal(2, 300).clamp_max(0.0)  # half of them 0
    wanted = [{*np.flatnonzero(row == 0)[:16].tolist()} for row in many.cpu().numpy()]
    assert listed(many, 2, width=16) == wanted


@INVALID
def test_nan_and_infinity_are_the_largest():
    pre = normal(4, 300)
    pre[0, 7], pre[1] = torch.nan, torch.nan
    pre[2, 9] = torch.inf
    pre[3] = -torch.inf
    pre[3, 4] = 0.0
    found = listed(pre, 2, width=16)
    assert 7 in found[0] and 9 in found[2]
    assert found[1] == {*range(16)} and found[3] == {4}


# -- products


@pytest.mark.parametrize("dtype", [SLOW_FLOATS[0], torch.float32, SLOW_FLOATS[1]])
@pytest.mark.parametrize("width", [1, 12, 300])
def test_sums_of_rows(width, dtype):
    weights, members, starts = ragged(dtype=dtype)
    rows = normal(30, width, seed=1, dtype=dtype)
    codes = Codes(weights.double(), members, starts)
    wanted = decode(codes, rows.double())
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2}[dtype]
    found = products.sums(weights, members, starts, rows=rows)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), wanted, rtol=tolerance, atol=10 * tolerance)
    order = torch.randperm(len(weights), generator=torch.Generator().manual_seed(0)).to(DEVICE)
    shuffled = torch.empty_like(weights)
    shuffled[order] = weights
    again = products.sums(shuffled, members, starts, rows=rows, order=order)
    assert torch.equal(again, found)


@pytest.mark.parametrize("dtype", FLOATS[:2])
def test_residual_and_loss(dtype):
    weights, members, starts = ragged(dtype=dtype)
    W_dec, target = normal(30, 300, seed=1, dtype=dtype), normal(7, 300, seed=2, dtype=dtype)
    miss, squares = products.fit(weights, members, starts, W_dec=W_dec, target=target)
    wanted = decode(Codes(weights, members, starts), W_dec) - target
    torch.testing.assert_close(miss, wanted)
    torch.testing.assert_close(squares, wanted.square().sum())


@pytest.mark.parametrize("dtype", FLOATS)
def test_products_of_rows(dtype):
    _, latents, starts = ragged(dtype=dtype)
    owners = torch.arange(7, device=DEVICE).repeat_interleave(starts.diff())
    left, rows = normal(7, 300, dtype=dtype), normal(30, 300, seed=1, dtype=dtype)
    found = products.dots(left, rows, latents, tokens=owners)
    wanted = (left.double()[owners] * rows.double()[latents]).sum(1)
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2}[dtype]
    torch.testing.assert_close(found.double(), wanted, rtol=tolerance, atol=30 * tolerance)
    none = products.dots(left, rows, latents[:3] * 0 - 1, tokens=owners[:3])
    assert (none == -torch.inf).all()


@INVALID
def test_nan_goes_where_its_row_goes():
    values, latents, starts = ragged()
    rows = normal(30, 12)
    rows[int(latents[0])] = torch.nan
    found = products.sums(values, latents, starts, rows=rows)
    wanted = decode(Codes(values, latents, starts), rows)
    assert torch.equal(found.isnan(), wanted.isnan()) and found.isnan().any()


def test_codes_without_entries(used):
    empty = Codes(normal(0), torch.zeros(0, dtype=torch.int64, device=DEVICE),
                  torch.zeros(4, dtype=torch.int64, device=DEVICE))  # fmt: skip
    rows = normal(9, 12)
    assert not decode(empty, rows).any() and sampled(empty, normal(3, 12), rows).shape == (0,)
    assert not ByLatent(empty, 9).sum(empty.values, normal(3, 12)).any()


# -- whole steps


@pytest.mark.slow
@pytest.mark.parametrize(("name", "settings", "dense"), CASES)
def test_gradients_are_those_of_autograd(name, settings, dense, used):
    coder = make("coder", name, latents=LATENTS, k=K, device=DEVICE, **settings)
    on = {n: w.to(DEVICE) for n, w in start(coder).items()}
    x = tokens().to(DEVICE)
    found = coder.step(on, x, moment(DEAD.to(DEVICE)))
    leaves = {n: w.clone().requires_grad_() for n, w in on.items()}
    dense(coder, leaves, x, DEAD.to(DEVICE)).backward()
    for n, leaf in leaves.items():
        tolerance = 1e-5 if n == "log_threshold" else 1e-9
        torch.testing.assert_close(
            found.gradients[n].double(), leaf.grad, rtol=tolerance, atol=1e-11, msg=n
        )


def drawn(count=10, width=24, latents=1024, seed=0):
    return normal(count, width, seed=seed), normal(latents, width, seed=1), normal(latents, seed=2)


@pytest.mark.parametrize("with_kernels", [False, True])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("k", [1, 7])
def test_selection_from_a_shortlist_is_exact(k, signed, with_kernels, monkeypatch):
    monkeypatch.setattr(kernels, "usable", lambda tensor: with_kernels)
    x, W_enc, b_enc = drawn()
    with Screen("bf16").used() as screen:
        values, latents = selection.top_k(x, W_enc, b_enc, k, signed=signed)
    pre = torch.addmm(b_enc, x, W_enc.T)
    wanted = (pre.abs() if signed else pre).topk(k).indices
    assert torch.equal(latents, wanted) and latents.dtype == torch.int64
    wanted = pre.gather(1, wanted)
    torch.testing.assert_close(values, wanted if signed else wanted.relu(), rtol=1e-5, atol=1e-5)
    assert screen.calls == 1 and screen.state()["wanted"] == 10 * k and screen.recall == 1


@INVALID
@pytest.mark.parametrize("with_kernels", [False, True])
def test_a_shortlist_of_ties_few_positive_and_nan(with_kernels, monkeypatch):
    monkeypatch.setattr(kernels, "usable", lambda tensor: with_kernels)
    x, W_enc, b_enc = drawn(6)
    with Screen("bf16").used():
        twice = selection.top_k(x, W_enc[torch.arange(1024) // 2], b_enc * 0, 7)
        assert all(len({*row}) == 7 for row in twice[1].tolist())
        torch.testing.assert_close(twice[0][:, 0], twice[0][:, 1])
        values, latents = selection.top_k(x, W_enc, b_enc - 20, 7)
        pre = torch.addmm(b_enc - 20, x, W_enc.T)
        torch.testing.assert_close(values, pre.topk(7).values.relu(), rtol=1e-4, atol=1e-4)
        assert (values == 0).any() and all(len({*row}) == 7 for row in latents.tolist())
        x[2] = torch.nan
        values, _ = selection.top_k(x, W_enc, b_enc, 7)
    assert values[2].isnan().all() and not values[3].isnan().any()


def test_a_shortlist_that_misses_is_given_up(used, monkeypatch):
    monkeypatch.setattr(shortlist, "TOLERANCE", -0.2)  # above the bar
    x, W_enc, b_enc = drawn()
    screen = Screen("bf16")
    with screen.used(), pytest.warns(UserWarning, match=r"bf16 stops.*float32"):
        selection.top_k(x, W_enc, b_enc, 7)
    assert screen.precision == "float32" and screen.recall < 0.9999


def weights_of(latents=20, width=50):
    found = {
        "W_enc": normal(latents, width),
        "W_dec": normal(latents, width, seed=1),
        "b_enc": normal(latents, seed=2),
        "b_dec": normal(width, seed=3),
    }
    losses.normalise_rows(found["W_dec"])
    return found


@pytest.mark.parametrize("unit_rows", [False, True])
def test_adam_in_one_pass_is_torchs(unit_rows, monkeypatch):
    plain, made = weights_of(), weights_of()
    one = Optimiser(plain, unit_rows=unit_rows, rounds=True)
    other = Optimiser(made, unit_rows=unit_rows, rounds=True)
    for number in range(5):
        gradients = {n: normal(*w.shape, seed=9 + number) for n, w in plain.items()}
        for optimiser, with_kernels in ((one, False), (other, True)):
            monkeypatch.setattr(kernels, "usable", lambda tensor, able=with_kernels: able)
            optimiser.set_rate(0.01 / (number + 1))
            optimiser.step({n: g.clone() for n, g in gradients.items()})
    for name, weight in plain.items():
        torch.testing.assert_close(made[name], weight, rtol=1e-6, atol=1e-6, msg=name)
    # the interpreter cuts where a GPU rounds
    torch.testing.assert_close(other.rounded.float(), made["W_enc"].detach(), rtol=2**-7, atol=0)
    # a checkpoint of one serves the other
    monkeypatch.setattr(kernels, "usable", lambda tensor: False)
    other.load_state_dict(deepcopy(one.state_dict()))
    with torch.no_grad():
        for name, weight in plain.items():
            made[name].copy_(weight)
    gradients = {n: normal(*w.shape, seed=99) for n, w in plain.items()}
    for optimiser in (one, other):
        optimiser.set_rate(0.01)
        optimiser.step({n: g.clone() for n, g in gradients.items()})
    assert all(torch.equal(made[name], weight) for name, weight in plain.items())


def trained(precision):
    random = np.random.default_rng(0)
    active = (random.random((128, 40)) < 0.1) * random.random((128, 40))
    x = (active @ random.normal(size=(40, 12))).astype(np.float32)
    training = Training(epochs=1, batch=32, lr=3e-3, dead_after=16, k_aux=3)
    trainer = Trainer(TopK(128, 2, training=training, device=DEVICE), x)
    trainer.screen = Screen(precision)
    run([trainer], x)
    return trainer.finish()


@pytest.mark.slow
def test_a_training_with_kernels_ends_as_one_without(monkeypatch):
    monkeypatch.setattr(screening, "EVERY", 2)
    monkeypatch.setattr("finsae.sae.trainer.LOOK_FOR_DEAD", 1)
    monkeypatch.setattr(kernels, "usable", lambda tensor: False)
    plain = trained("float32")
    monkeypatch.setattr(kernels, "usable", lambda tensor: True)
    made, again = trained("bf16"), trained("bf16")
    assert plain.history_["dead"].max() > 0, "AuxK had nothing to revive"
    np.testing.assert_allclose(made.history_["fvu"], plain.history_["fvu"], rtol=1e-4)
    np.testing.assert_array_equal(made.W_enc_, again.W_enc_)  # sums in a fixed order


COMPILE = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
import triton, triton.language as tl
from finsae.sae.kernels import device
for name, types, constants, warps in [
    ("select", "*bf16 *i32 i32 i32 fp32",
     {"WIDTH": 128, "LANES": 512, "PLACES": 16, "SIGNED": True}, 4),
    ("sums", "*fp32 *i64 *i64 *i64 *fp32 *fp32 *fp32 *fp32 i32",
     {"ACC": tl.float32, "ORDERED": True, "FITS": True, "COLUMNS": 256, "ENTRIES": 16}, 4),
    ("dots", "*fp32 *fp32 *i64 *i64 *fp32 i32 i32",
     {"ACC": tl.float32, "COLUMNS": 256, "ENTRIES": 16}, 4),
    ("adam", "*fp32 *fp32 *fp32 *fp32 *bf16 *fp32 i32",
     {"BETA1": 0.9, "BETA2": 0.999, "EPSILON": 6.25e-10, "TINY": 1e-38, "UNIT": True,
      "ROUND": True, "COLUMNS": 4096}, 8),
]:
    kernel = getattr(device, name)
    types = types.split()
    signature = dict(zip(kernel.arg_names, types + ["constexpr"] * len(constants), strict=True))
    source = ASTSource(kernel, signature=signature, constexprs=constants)
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": warps})
    assert made.asm["cubin"], name
    print(name, made.asm["ptx"].count("ld.local"))
"""


@pytest.mark.slow
def test_kernels_compile_for_an_h100(tmp_path):
    """Triton brings its own assembler: no GPU is needed. Nothing spills to local memory."""
    import subprocess
    import sys

    env = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", COMPILE], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["select", "0", "sums", "0", "dots", "0", "adam", "0"]
