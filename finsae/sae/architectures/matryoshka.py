"""The Matryoshka BatchTopK sparse autoencoder (Bussmann et al. 2025, arXiv 2503.17547)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from finsae.checks import DataError
from finsae.sae import losses
from finsae.sae.architectures.batch_topk import BatchTopK
from finsae.sae.losses import Moment, Step, Weights
from finsae.sae.nested import nested_fit
from finsae.sae.settings import Training


class Matryoshka(BatchTopK):
    """A BatchTopK SAE whose first latents must rebuild a token on their own.

    The loss is the mean over prefixes of the dictionary of what their latents leave unexplained. A
    general feature then keeps its meaning when a special one is added later ("absorption" falls).

    Parameters
    ----------
    latents, k, training, random_state, device
        As `Coder`.
    prefixes : sequence of float
        Shares of the dictionary, increasing, the last one 1.
    """

    NAME = "matryoshka"

    def __init__(
        self,
        latents: int = 8192,
        k: int = 16,
        *,
        prefixes: Sequence[float] = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1),
        training: Training | None = None,
        random_state: int = 0,
        device: str | None = None,
    ) -> None:
        super().__init__(latents, k, training=training, random_state=random_state, device=device)
        self.prefixes = tuple(float(share) for share in prefixes)

    def check(self) -> None:
        """Refuse prefixes that do not grow to the whole dictionary, or a k that makes no SAE."""
        super().check()
        widths = self.widths()
        if not widths or widths[0] < 1 or widths[-1] != self.latents or widths != sorted({*widths}):
            raise DataError(
                f"prefixes {self.prefixes} of {self.latents} latents are {widths}: they must grow "
                "and end with the whole dictionary"
            )

    def widths(self) -> list[int]:
        """Latents of each prefix."""
        return [round(share * self.latents) for share in self.prefixes]

    def step(self, weights: Weights, x: Tensor, moment: Moment) -> Step:
        """Loss and gradients of one batch."""
        centred = x - weights["b_dec"]
        codes = self.largest(weights, centred, moment)
        ends = torch.tensor(self.widths(), device=x.device)
        buckets = torch.bucketize(codes.latents, ends, right=True)
        found = nested_fit(codes, buckets, centred, weights["W_dec"], count=len(ends))
        gradients = losses.through_encoder(weights, centred, codes, d_pre=found.d_values)
        gradients["W_dec"] = found.W_dec
        gradients["b_dec"] += found.b_dec
        extra = losses.aux_k(weights, gradients, centred=centred, miss=found.miss, moment=moment)
        return Step(gradients, found.losses[-1], extra, codes)
