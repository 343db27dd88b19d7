"""The JumpReLU sparse autoencoder (Rajamanoharan et al. 2024, arXiv 2407.14435)."""

from __future__ import annotations

import torch
from torch import Tensor

from finsae.checks import DataError, one_of
from finsae.sae import losses, selection, workers
from finsae.sae.coder import Coder
from finsae.sae.codes import ByLatent, Codes
from finsae.sae.losses import Moment, Step, Weights, starting_bar
from finsae.sae.settings import Training

MODES = ("quadratic", "step", "tanh")
BANDWIDTH = 0.2  # of the kernel, in units of the threshold at the start
START = 2.0  # times k latents are active when training begins
SHARPNESS = 4.0  # of the tanh penalty
PRE_ACTIVATION = 3e-6  # weight of the pull on latents below their threshold, "tanh" only
WARM_UP = 0.2  # share of the steps in which the penalty grows to its full weight


class JumpReLU(Coder):
    """Latents above their own learnt threshold: ``z = u 1[u > theta]``.

    The jump has no gradient; thresholds learn from the pre-activations within half a bandwidth of
    them (a rectangle kernel's estimate), and are kept as logarithms in float32.

    Parameters
    ----------
    latents, training, random_state, device
        As `Coder`.
    k : int
        Active latents per token to aim at; with "step" and "tanh" only where training starts.
    mode : str
        "quadratic": ``penalty (L0 / k - 1)^2``, which reaches k (Gemma Scope 2). "step":
        ``penalty L0 / k`` (the paper's). "tanh": ``penalty sum tanh(4 z) / k`` (decoder rows have
        unit length), and a pull of 3e-6 on all that lies below its threshold (Anthropic, January
        2025).
    penalty : float
        Its weight, relative to the fraction of variance unexplained.
    """

    NAME = "jumprelu"
    WEIGHTS = ("W_enc", "W_dec", "b_enc", "b_dec", "threshold")

    def __init__(
        self,
        latents: int = 8192,
        k: int = 16,
        *,
        mode: str = "quadratic",
        penalty: float = 1.0,
        training: Training | None = None,
        random_state: int = 0,
        device: str | None = None,
    ) -> None:
        super().__init__(latents, k, training=training, random_state=random_state, device=device)
        self.mode, self.penalty = mode, penalty

    def check(self) -> None:
        """Refuse an unknown mode, a penalty that is not positive, or a wrong k."""
        super().check()
        one_of("mode", self.mode, MODES)
        if not self.penalty > 0:
            raise DataError(f"penalty must be positive, not {self.penalty}")

    def start(self, weights: Weights, some: Tensor) -> None:
        """Put all thresholds where twice k latents are active."""
        bar = starting_bar(weights, some, START * self.k).clamp_min(1e-3)
        weights["log_threshold"] = bar.log().expand(self.latents).to(torch.float32).clone()
        self.kernel_width_ = float(bar) * BANDWIDTH

    def finish(self, weights: Weights, memory: dict[str, Tensor]) -> Weights:
        """Take the logarithm off the thresholds."""
        kept = {name: weight for name, weight in weights.items() if name != "log_threshold"}
        return {**kept, "threshold": weights["log_threshold"].exp()}

    def reopen(self, weights: Weights) -> tuple[Weights, dict[str, Tensor]]:
        """Take the logarithm of the thresholds."""
        kept = {name: weight for name, weight in weights.items() if name != "threshold"}
        return {**kept, "log_threshold": weights["threshold"].clamp_min(1e-6).log()}, {}

    def select(self, weights: Weights, centred: Tensor) -> Codes:
        """Keep the pre-activations above their thresholds."""
        return selection.above(
            centred, weights["W_enc"], weights["b_enc"], weights["threshold"].clamp_min(0)
        )

    def step(self, weights: Weights, x: Tensor, moment: Moment) -> Step:
        """Loss and gradients of one batch."""
        centred, half = x - weights["b_dec"], self.kernel_width_ / 2
        threshold = weights["log_threshold"].exp().to(x.dtype)
        near = selection.above(centred, weights["W_enc"], weights["b_enc"], threshold - half)
        bar = threshold[near.latents]
        active = near.values > bar
        codes = near._replace(values=near.values * active)
        found = losses.fit(codes, centred, weights["W_dec"])
        extra, d_values, d_active = self._penalty(codes.values, active, len(x), moment)
        d_values = d_values + found.d_values
        by_latent = ByLatent(near, self.latents)
        gradients = losses.through_encoder(
            weights, centred, near, d_pre=d_values * active, by_latent=by_latent
        )
        gradients["W_dec"] = by_latent.sum(codes.values, found.pull)
        gradients["b_dec"] += found.pull.sum(0)
        kernel = ((near.values - bar).abs() < half) / (2 * half)
        d_bar = by_latent.total(-(d_values * bar + d_active) * kernel)
        if self.mode == "tanh":
            extra = extra + _pull_up(
                weights, gradients, near=near, active=active, centred=centred, d_bar=d_bar
            )
        gradients["log_threshold"] = (d_bar * threshold).to(torch.float32)
        return Step(gradients, found.loss, extra, codes)

    def _penalty(
        self, values: Tensor, active: Tensor, tokens: int, moment: Moment
    ) -> tuple[Tensor, Tensor | float, Tensor | float]:
        """Sparsity penalty, and its derivatives by values and by being active: entries."""
        ramp = min(1.0, (moment.step + 1) / max(1.0, WARM_UP * moment.steps))
        weight, scale = ramp * self.penalty, tokens * self.k
        if self.mode == "tanh":
            tanh = (SHARPNESS * values).tanh()
            return weight * tanh.sum() / scale, weight * SHARPNESS * (1 - tanh**2) / scale, 0.0
        l0 = workers.current().average(active.sum() / scale)
        if self.mode == "step":
            return weight * l0, 0.0, weight / scale
        return weight * (l0 - 1) ** 2, 0.0, weight * 2 * (l0 - 1) / scale


def _pull_up(
    weights: Weights,
    gradients: Weights,
    near: Codes,
    active: Tensor,
    *,
    centred: Tensor,
    d_bar: Tensor,
) -> Tensor:
    """Loss ``mean_t sum_i max(0, theta_i - u_ti)``, times its weight; added to the gradients.

    Nearly every latent of nearly every token is below its threshold. The sum over those is the sum
    over all, which is linear, less the sum over the few active ones.
    """
    threshold = weights["log_threshold"].exp().to(centred.dtype)
    weight, count = PRE_ACTIVATION / len(centred), len(centred)
    on = near._replace(values=near.values * active)
    share = losses.through_encoder(weights, centred, near, d_pre=active.to(centred.dtype))
    fired = share["b_enc"]
    total = centred.sum(0)
    gradients["W_enc"] += weight * (share["W_enc"] - total)
    gradients["b_enc"] += weight * (fired - count)
    gradients["b_dec"] += weight * (share["b_dec"] + count * weights["W_enc"].sum(0))
    d_bar += weight * (count - fired)
    everywhere = count * (threshold - weights["b_enc"]).sum() - (weights["W_enc"] @ total).sum()
    return weight * (everywhere - (fired * threshold).sum() + on.values.sum())
