"""Every architecture's written-out gradients against autograd on the same loss, written densely."""

import numpy as np
import pytest
import torch
from torch.nn.functional import relu

from finsae.plugins import MENU, make
from finsae.sae import Training, losses
from finsae.sae.architectures import jumprelu
from finsae.sae.losses import Moment
from finsae.sae.nested import nested_fit

LATENTS, WIDTH, K, TOKENS = 64, 12, 4, 90
TRAINING = Training(k_aux=5, aux_coefficient=1 / 32)
COMMON = ("W_enc", "W_dec", "b_enc", "b_dec")


def normal(*shape, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=random, dtype=torch.float64)


def tokens():
    return normal(TOKENS, WIDTH, seed=9)


def start(coder):
    """Weights in float64 as a training would begin, moved off every symmetry."""
    weights = {
        "W_enc": 0.6 * normal(LATENTS, WIDTH, seed=1),
        "W_dec": normal(LATENTS, WIDTH, seed=2),
        "b_enc": 0.1 * normal(LATENTS, seed=3),
        "b_dec": 0.3 * normal(WIDTH, seed=4),
    }
    if coder.UNIT_ROWS:
        losses.normalise_rows(weights["W_dec"])
    coder.paired_ = True  # as a g-sae's fit says
    coder.start(weights, tokens())
    for number, name in enumerate(n for n in weights if n not in COMMON):
        if name != "log_threshold":
            weights[name] += 0.1 * normal(*weights[name].shape, seed=10 + number)
    return {name: weight.double() for name, weight in weights.items()}


def share(x_hat, x):
    return (x_hat - x).square().sum() / (x - x.mean(0)).square().sum()


def aux(w, u, x, x_hat, dead, *, signed=False):
    e = (x - x_hat).detach()
    part = u[:, dead]
    at = (part.abs() if signed else part).topk(5).indices
    values = part.gather(1, at)
    z = torch.zeros_like(part).scatter(1, at, values if signed else values.relu())
    e_hat = z @ w["W_dec"][dead]
    return (e_hat - e).square().sum() / (e - e.mean(0)).square().sum() / 32


def pre(w, x, bias="b_enc"):
    return (x - w["b_dec"]) @ w["W_enc"].T + w[bias]


def dense_topk(coder, w, x, dead):
    u = pre(w, x)

    def rebuilt(k):
        top, at = u.topk(k)
        return torch.zeros_like(u).scatter(1, at, top.relu()) @ w["W_dec"] + w["b_dec"]

    loss = share(rebuilt(K), x)
    if coder.loss == "every-k":
        loss = sum(share(rebuilt(j), x) for j in range(1, K + 1)) / K
    elif coder.loss == "multi":
        loss = loss + share(rebuilt(4 * K), x) / 8
    return loss + aux(w, u, x, rebuilt(K), dead)


def batch_codes(u, count):
    """The largest positive pre-activations of the batch."""
    bar = u.flatten().topk(count).values[-1]
    return torch.where((u >= bar) & (u > 0), u, torch.zeros_like(u))


def dense_batch(coder, w, x, dead):
    u = pre(w, x)
    x_hat = batch_codes(u, K * TOKENS) @ w["W_dec"] + w["b_dec"]
    return share(x_hat, x) + aux(w, u, x, x_hat, dead)


def dense_matryoshka(coder, w, x, dead):
    u = pre(w, x)
    z = batch_codes(u, K * TOKENS)
    parts = [z[:, :n] @ w["W_dec"][:n] + w["b_dec"] for n in coder.widths()]
    return sum(share(part, x) for part in parts) / len(parts) + aux(w, u, x, parts[-1], dead)


def dense_abs(coder, w, x, dead):
    u = pre(w, x)
    at = u.abs().topk(K).indices
    x_hat = torch.zeros_like(u).scatter(1, at, u.gather(1, at)) @ w["W_dec"] + w["b_dec"]
    return share(x_hat, x) + aux(w, u, x, x_hat, dead, signed=True)


class Jump(torch.autograd.Function):
    """z = u 1[u > theta] with the rectangle kernel's estimate for theta."""

    @staticmethod
    def forward(ctx, u, theta, width):
        ctx.save_for_backward(u, theta)
        ctx.width = width
        return u * (u > theta)

    @staticmethod
    def backward(ctx, pull):
        u, theta = ctx.saved_tensors
        kernel = ((u - theta).abs() < ctx.width / 2) / ctx.width
        return pull * (u > theta), -(theta * kernel * pull).sum(0), None


class Active(torch.autograd.Function):
    """1[u > theta], likewise."""

    @staticmethod
    def forward(ctx, u, theta, width):
        ctx.save_for_backward(u, theta)
        ctx.width = width
        return (u > theta).to(u.dtype)

    @staticmethod
    def backward(ctx, pull):
        u, theta = ctx.saved_tensors
        kernel = ((u - theta).abs() < ctx.width / 2) / ctx.width
        return None, -(kernel * pull).sum(0), None


def dense_jumprelu(coder, w, x, dead):
    u, theta, width = pre(w, x), w["log_threshold"].exp(), coder.kernel_width_
    z = Jump.apply(u, theta, width)
    loss = share(z @ w["W_dec"] + w["b_dec"], x)
    l0 = Active.apply(u, theta, width).sum() / (TOKENS * K)
    if coder.mode == "quadratic":
        return loss + (l0 - 1) ** 2
    if coder.mode == "step":
        return loss + l0
    below = relu(theta - u) * (u <= theta)
    pull = jumprelu.PRE_ACTIVATION * below.sum() / TOKENS
    return loss + (4 * z).tanh().sum() / (TOKENS * K) + pull


def dense_gated(coder, w, x, dead):
    a = (x - w["b_dec"]) @ w["W_enc"].T
    gate = a + w["b_gate"]
    z = (gate > 0) * relu(w["r_mag"].exp() * a + w["b_mag"])
    loss = share(z @ w["W_dec"] + w["b_dec"], x)
    frozen = relu(gate) @ w["W_dec"].detach() + w["b_dec"].detach()
    return loss + share(frozen, x) + 0.05 * relu(gate).sum() / TOKENS / WIDTH**0.5


def dense_l1(coder, w, x, dead):
    z = relu(pre(w, x))
    size = (z * w["W_dec"].norm(dim=1)).sum() / TOKENS / WIDTH**0.5
    return share(z @ w["W_dec"] + w["b_dec"], x) + 0.05 * size


GRADIENTS = normal(TOKENS, WIDTH, seed=8)


def dense_g_sae(coder, w, x, dead):
    u = pre(w, x)
    squares = GRADIENTS.square()
    g = (
        GRADIENTS
        / (squares.mean(1, keepdim=True) if coder.unit == "token" else squares.mean()) ** 0.5
    )
    at = (relu(u) * (1 + coder.influence * (g @ w["W_dec"].T).abs())).topk(K).indices
    x_hat = torch.zeros_like(u).scatter(1, at, relu(u.gather(1, at))) @ w["W_dec"] + w["b_dec"]
    return share(x_hat, x) + aux(w, u, x, x_hat, dead)


def dense_gba(coder, w, x, dead):
    y = (x - w["b_dec"]) @ w["W_dec"].T
    return share((y * (y + coder.start_ > 0) * w["amplitude"]) @ w["W_dec"] + w["b_dec"], x)


def dense_top_afa(coder, w, x, dead):
    centred = x - w["b_dec"]
    u = centred @ w["W_enc"].T
    top, at = u.topk(coder.k)
    top = top.relu()
    reach, length = top.square().cumsum(1).sqrt(), centred.norm(dim=1, keepdim=True)
    keep = torch.arange(coder.k) <= (reach - length).abs().argmin(1, keepdim=True)
    z = torch.zeros_like(u).scatter(1, at, top * keep)
    x_hat = z @ w["W_dec"] + w["b_dec"]
    off = (top * keep).norm(dim=1) - length[:, 0]
    lengths = off.square().sum() / (x - x.mean(0)).square().sum() / 32
    return share(x_hat, x) + lengths + aux(w, u, x, x_hat, dead)


def dense_feature_choice(coder, w, x, dead):
    u = pre(w, x)
    rank = u.argsort(0, descending=True).argsort(0)
    z = relu(u) * (rank < torch.from_numpy(coder.budgets(TOKENS, 999)))
    x_hat = z @ w["W_dec"] + w["b_dec"]
    return share(x_hat, x) + aux(w, u, x, x_hat, dead)


CASES = [
    ("topk", {}, dense_topk),
    ("topk", {"loss": "multi"}, dense_topk),
    ("topk", {"loss": "every-k"}, dense_topk),
    ("batch-topk", {}, dense_batch),
    ("matryoshka", {}, dense_matryoshka),
    ("abs-topk", {}, dense_abs),
    ("jumprelu", {"mode": "quadratic"}, dense_jumprelu),
    ("jumprelu", {"mode": "step"}, dense_jumprelu),
    ("jumprelu", {"mode": "tanh"}, dense_jumprelu),
    ("gated", {"penalty": 0.05}, dense_gated),
    ("l1", {"penalty": 0.05}, dense_l1),
    ("g-sae", {}, dense_g_sae),
    ("g-sae", {"unit": "batch", "influence": 3.0}, dense_g_sae),
    ("gba", {}, dense_gba),
    ("top-afa", {}, dense_top_afa),
    ("feature-choice", {}, dense_feature_choice),
    ("feature-choice", {"budget": "zipf"}, dense_feature_choice),
]
DEAD = torch.tensor([3, 17, 20, 21, 22, 40, 41])


def test_no_architecture_is_left_out():
    assert {name for name, _, _ in CASES} | {"itda"} == set(MENU["coder"])  # which has none


def moment(dead=DEAD):
    return Moment(999, 1000, TRAINING, dead, rows=torch.stack([tokens(), GRADIENTS], 1))


@pytest.mark.parametrize(("name", "settings", "dense"), CASES)
def test_gradients_are_those_of_autograd(name, settings, dense):
    coder = make("coder", name, latents=LATENTS, k=K, device="cpu", **settings)
    weights, x = start(coder), tokens()
    found = coder.step(weights, x, moment())
    leaves = {n: w.clone().requires_grad_() for n, w in weights.items()}
    loss = dense(coder, leaves, x, DEAD)
    loss.backward()
    if name not in ("matryoshka",) and settings.get("loss", "topk") == "topk":
        torch.testing.assert_close(found.fvu + found.extra, loss.detach())
    assert set(found.gradients) == set(weights)
    for n, leaf in leaves.items():
        # thresholds keep their gradient in float32
        tolerance = 1e-5 if n == "log_threshold" else 1e-9
        gradient = found.gradients[n].double()
        torch.testing.assert_close(gradient, leaf.grad, rtol=tolerance, atol=1e-11, msg=n)
        assert gradient.abs().max() > 0, n


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("name", "settings", "dense"), CASES)
def test_gradients_on_a_gpu_are_those_on_a_cpu(name, settings, dense, dtype):
    coder = make("coder", name, latents=LATENTS, k=K, **settings)
    weights, x = start(coder), tokens()
    wanted = coder.step(weights, x, moment()).gradients
    there = {n: w.to("cuda", dtype) for n, w in weights.items()}
    found = coder.step(there, x.to("cuda", dtype), moment(DEAD.cuda())).gradients
    for n, gradient in wanted.items():
        error = (found[n].cpu().double() - gradient).abs().max()
        assert error < (1e-9 if dtype == torch.float64 else 2e-5) * gradient.abs().max(), n


@pytest.mark.parametrize(("name", "settings", "dense"), CASES)
def test_float32_gradients_are_close(name, settings, dense):
    coder = make("coder", name, latents=LATENTS, k=K, device="cpu", **settings)
    weights, x = start(coder), tokens()
    exact = coder.step(weights, x, moment()).gradients
    rough = coder.step({n: w.float() for n, w in weights.items()}, x.float(), moment()).gradients
    for n, gradient in exact.items():
        error = (gradient - rough[n].double()).abs().max()
        assert error < 2e-5 * gradient.abs().max(), n


def test_nested_fit_in_tiles_is_the_same(monkeypatch):
    from finsae.sae.codes import fixed
    from finsae.sae.selection import top_k

    weights, x = start(make("coder", "topk", latents=LATENTS, k=K)), tokens()
    codes = fixed(*top_k(x, weights["W_enc"], weights["b_enc"], K))
    buckets = codes.latents // 16
    whole = nested_fit(codes, buckets, x, weights["W_dec"], count=4)
    monkeypatch.setattr("finsae.sae.nested.TILE_ELEMENTS", 7 * 4 * WIDTH)
    for one, other in zip(
        whole, nested_fit(codes, buckets, x, weights["W_dec"], count=4), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_the_gates_auxiliary_loss_cannot_move_the_decoder():
    coder = make("coder", "gated", latents=LATENTS, k=K, penalty=0.05)
    weights, x = start(coder), tokens()
    weights["b_mag"] -= 100  # no magnitude: only the auxiliary loss and the penalty are left
    gradients = coder.step(weights, x, moment()).gradients
    assert not gradients["W_dec"].any() and gradients["W_enc"].any()


def test_the_kernel_estimates_the_density_at_the_threshold():
    coder = make("coder", "jumprelu", latents=2, k=1, mode="step", penalty=1.0)
    x = torch.randn(400_000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = {
        "W_enc": torch.tensor([[1.0], [-1.0]], dtype=torch.float64),
        "W_dec": torch.zeros(2, 1, dtype=torch.float64),
        "b_enc": torch.zeros(2, dtype=torch.float64),
        "b_dec": torch.zeros(1, dtype=torch.float64),
        "log_threshold": torch.log(torch.tensor([0.7, 0.5], dtype=torch.float64)),
    }
    coder.kernel_width_ = 0.05
    gradient = coder.step(weights, x, moment()).gradients["log_threshold"].double()
    theta = weights["log_threshold"].exp()
    density = torch.exp(-(theta**2) / 2) / np.sqrt(2 * np.pi)
    torch.testing.assert_close(gradient, -density * theta, rtol=0.02, atol=0)
