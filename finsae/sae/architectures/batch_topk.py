"""The BatchTopK sparse autoencoder (Bussmann, Leask, Nanda 2024, arXiv 2412.06410)."""

from __future__ import annotations

import torch
from torch import Tensor

from finsae.sae import losses, selection, workers
from finsae.sae.coder import Coder
from finsae.sae.codes import Codes
from finsae.sae.losses import Moment, Step, Weights

MEMORY = 0.99  # of the running threshold, per step


class BatchTopK(Coder):
    """k latents per token on average: the k B largest pre-activations of a batch of B tokens.

    A token that says much may use many latents. A batch decides in training only: once fitted, a
    latent is active above one threshold for all (the running mean of the smallest pre-activation
    that a batch kept), so that a token's code does not depend on its neighbours.
    """

    NAME = "batch-topk"
    WEIGHTS = ("W_enc", "W_dec", "b_enc", "b_dec", "threshold")

    def select(self, weights: Weights, centred: Tensor) -> Codes:
        """Keep the pre-activations above the threshold."""
        return selection.above(
            centred, weights["W_enc"], weights["b_enc"], weights["threshold"].clamp_min(0)
        )

    def step(self, weights: Weights, x: Tensor, moment: Moment) -> Step:
        """Loss and gradients of one batch."""
        centred = x - weights["b_dec"]
        codes = self.largest(weights, centred, moment)
        found = losses.fit(codes, centred, weights["W_dec"])
        gradients = losses.through(weights, centred, codes, d_pre=found.d_values, pull=found.pull)
        extra = losses.aux_k(weights, gradients, centred=centred, miss=found.miss, moment=moment)
        return Step(gradients, found.loss, extra, codes)

    def largest(self, weights: Weights, centred: Tensor, moment: Moment) -> Codes:
        """Select over the batch, and move the running threshold."""
        together = workers.current()
        select = selection.largest_of_batch if together.count == 1 else selection.largest_of_all
        codes = select(
            centred,
            weights["W_enc"],
            weights["b_enc"],
            self.k * len(centred) * together.count,
        )
        far = centred.new_full((1,), torch.inf)
        least = -together.largest(-torch.cat([codes.values, far]).min())
        if least < torch.inf:
            running = moment.memory.get("threshold", least)
            moment.memory["threshold"] = torch.lerp(least, running, MEMORY)
        return codes

    def reopen(self, weights: Weights) -> tuple[Weights, dict[str, Tensor]]:
        """Put the threshold back into the memory."""
        kept = {name: weight for name, weight in weights.items() if name != "threshold"}
        return kept, {"threshold": weights["threshold"].mean()}

    def finish(self, weights: Weights, memory: dict[str, Tensor]) -> Weights:
        """Add the threshold, one number for all latents."""
        threshold = memory.get("threshold", weights["b_enc"].new_zeros(()))
        return {**weights, "threshold": threshold.expand(self.latents).clone()}
