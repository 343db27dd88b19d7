"""The TopK sparse autoencoder (Gao et al. 2024, arXiv 2406.04093)."""

from __future__ import annotations

from torch import Tensor

from finsae.sae import losses, selection
from finsae.sae.coder import Coder
from finsae.sae.codes import Codes, fixed
from finsae.sae.losses import Moment, Step, Weights


class TopK(Coder):
    """Exactly k latents per token, those of the largest pre-activations.

    ``z = ReLU(TopK_k(W_enc (x - b_dec) + b_enc))``, ``x_hat = z W_dec + b_dec``, decoder rows of
    unit length. The loss is the fraction of variance unexplained plus AuxK.
    """

    NAME = "topk"

    def select(self, weights: Weights, centred: Tensor) -> Codes:
        """Keep the k largest pre-activations, where positive."""
        return fixed(*selection.top_k(centred, weights["W_enc"], weights["b_enc"], self.k))

    def step(self, weights: Weights, x: Tensor, moment: Moment) -> Step:
        """Loss and gradients of one batch."""
        centred = x - weights["b_dec"]
        codes = self.select(weights, centred)
        found = losses.fit(codes, centred, weights["W_dec"])
        d_pre = found.d_values * (codes.values != 0)
        gradients = losses.through(weights, centred, codes, d_pre=d_pre, pull=found.pull)
        extra = losses.aux_k(
            weights,
            gradients,
            centred=centred,
            miss=found.miss,
            moment=moment,
        )
        return Step(gradients, found.loss, extra, codes)
