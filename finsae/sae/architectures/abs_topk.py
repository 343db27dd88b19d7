"""The AbsTopK sparse autoencoder (Zhu et al. 2025, arXiv 2510.00404)."""

from __future__ import annotations

from torch import Tensor

from finsae.sae import losses, selection
from finsae.sae.coder import Coder
from finsae.sae.codes import Codes, fixed
from finsae.sae.losses import Moment, Step, Weights


class AbsTopK(Coder):
    """Exactly k latents per token, those of the largest pre-activations by size, with their sign.

    One latent can be an axis with two ends (growing or shrinking, sold to firms or to households).
    Pooled over a text, each end is a feature of its own.
    """

    NAME = "abs-topk"
    SIGNED = True

    def static(self) -> bool:
        """Whether no shape depends on the data."""
        return True

    def select(self, weights: Weights, centred: Tensor) -> Codes:
        """Keep the k pre-activations of largest absolute value."""
        return fixed(
            *selection.top_k(centred, weights["W_enc"], weights["b_enc"], self.k, signed=True)
        )

    def step(self, weights: Weights, x: Tensor, moment: Moment) -> Step:
        """Loss and gradients of one batch."""
        centred = x - weights["b_dec"]
        codes = self.select(weights, centred)
        found = losses.fit(codes, centred, weights["W_dec"])
        gradients = losses.through(weights, centred, codes, d_pre=found.d_values, pull=found.pull)
        extra = losses.aux_k(
            weights, gradients, centred=centred, miss=found.miss, moment=moment, signed=True
        )
        return Step(gradients, found.loss, extra, codes)
