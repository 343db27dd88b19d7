"""The sparse autoencoder with an L1 penalty (Bricken et al. 2023; Conerly et al. 2024)."""

from __future__ import annotations

from torch import Tensor

from finsae.sae import losses, selection
from finsae.sae.codes import ByLatent, Codes
from finsae.sae.losses import Moment, Step, Weights, starting_bar
from finsae.sae.penalty import Penalised

START = 2.0  # times k latents are active when training begins
WARM_UP = 0.05  # share of the steps in which the penalty grows to its full weight


class L1(Penalised):
    """Latents with a positive pre-activation, kept few by the size of what they add.

    ``z = ReLU(W_enc (x - b_dec) + b_enc)``; the penalty is ``mean_t sum_i z_i |W_dec,i| /
    sqrt(width)``, which no rescaling of a latent can escape, so that decoder rows need no norm in
    training. Fitted rows have unit length: the norm is folded into the encoder. Values are shrunk
    by the penalty; the other architectures avoid that, and this one is here for comparison.

    Parameters
    ----------
    latents, training, random_state, device
        As `Coder`.
    k : int
        Active latents per token to aim at.
    penalty : float, optional
        Weight of the penalty; by default it is moved during training until k latents are active.
    """

    NAME = "l1"
    UNIT_ROWS = False

    def start(self, weights: Weights, some: Tensor) -> None:
        """Lower the bias until twice k latents are active."""
        weights["b_enc"] = weights["b_enc"] - starting_bar(weights, some, START * self.k)

    def finish(self, weights: Weights, memory: dict[str, Tensor]) -> Weights:
        """Give decoder rows unit length, and their norm to the encoder: the same output."""
        norm = weights["W_dec"].norm(dim=1).clamp_min(1e-12)
        return {
            "W_enc": weights["W_enc"] * norm[:, None],
            "W_dec": weights["W_dec"] / norm[:, None],
            "b_enc": weights["b_enc"] * norm,
            "b_dec": weights["b_dec"],
        }

    def select(self, weights: Weights, centred: Tensor) -> Codes:
        """Keep the positive pre-activations."""
        return selection.above(centred, weights["W_enc"], weights["b_enc"], 0.0)

    def step(self, weights: Weights, x: Tensor, moment: Moment) -> Step:
        """Loss and gradients of one batch."""
        centred = x - weights["b_dec"]
        codes = self.select(weights, centred)
        found = losses.fit(codes, centred, weights["W_dec"])
        norm = weights["W_dec"].norm(dim=1).clamp_min(1e-12)
        ramp = min(1.0, (moment.step + 1) / max(1.0, WARM_UP * moment.steps))
        weight = self.weight(moment, x.device)
        share = ramp * weight / (len(x) * x.shape[1] ** 0.5)
        by_latent = ByLatent(codes, self.latents)
        gradients = losses.through_encoder(
            weights,
            centred,
            codes,
            d_pre=found.d_values + share * norm[codes.latents],
            by_latent=by_latent,
        )
        total = by_latent.total(codes.values)
        gradients["W_dec"] = by_latent.sum(codes.values, found.pull)
        gradients["W_dec"] += (share * total / norm)[:, None] * weights["W_dec"]
        gradients["b_dec"] += found.pull.sum(0)
        self.adapt(moment, l0=(codes.values > 0).sum() / len(x))
        return Step(gradients, found.loss, share * (total * norm).sum(), codes)
