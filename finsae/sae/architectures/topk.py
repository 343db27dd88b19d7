"""The TopK sparse autoencoder (Gao et al. 2024, arXiv 2406.04093)."""

from __future__ import annotations

import torch
from scipy import sparse
from torch import Tensor

from finsae.checks import DataError, one_of
from finsae.sae import losses, selection
from finsae.sae.batches import Tokens
from finsae.sae.coder import Coder
from finsae.sae.codes import Codes, fixed
from finsae.sae.losses import Moment, Step, Weights
from finsae.sae.nested import nested_fit
from finsae.sae.settings import Training

LOSSES = ("topk", "multi", "every-k")
MULTI = 4  # Multi-TopK: also rebuild from so many times k latents,
MULTI_WEIGHT = 1 / 8  # with this weight (Gao et al. 2024, section 4.3)


class TopK(Coder):
    """Exactly k latents per token, those of the largest pre-activations.

    ``z = ReLU(TopK_k(W_enc (x - b_dec) + b_enc))``, ``x_hat = z W_dec + b_dec``, decoder rows of
    unit length. The loss is the fraction of variance unexplained plus AuxK.

    Parameters
    ----------
    latents, k, training, random_state, device
        As `Coder`.
    loss : str
        "topk": at k only. "multi": plus an eighth of the loss at 4 k, so that more latents can be
        read than were trained (Multi-TopK). "every-k": the mean over all sparsities 1..k, so that
        one SAE serves any smaller k (Balagansky et al. 2025, HierarchicalTopK).
    """

    NAME = "topk"

    def __init__(
        self,
        latents: int = 8192,
        k: int = 16,
        *,
        loss: str = "topk",
        training: Training | None = None,
        random_state: int = 0,
        device: str | None = None,
    ) -> None:
        super().__init__(latents, k, training=training, random_state=random_state, device=device)
        self.loss = loss

    def check(self) -> None:
        """Refuse an unknown loss, or a k that makes no SAE."""
        super().check()
        one_of("loss", self.loss, LOSSES)

    def static(self) -> bool:
        """Whether no shape depends on the data."""
        return self.loss != "every-k"  # reads where its tiles end

    def select(self, weights: Weights, centred: Tensor) -> Codes:
        """Keep the k largest pre-activations, where positive."""
        return fixed(*selection.top_k(centred, weights["W_enc"], weights["b_enc"], self.k))

    def encode(self, tokens: Tokens, *, k: int | None = None) -> sparse.csr_array:
        """Return each token's active latents, tokens x latents.

        Parameters
        ----------
        tokens : array or memory map
            Tokens x width.
        k : int, optional
            Another number of active latents than the one trained for; "every-k" serves any
            smaller one, "multi" up to four times as many.

        Raises
        ------
        DataError
            If k is not between 1 and `latents`, or the tokens are not fit; see `Coder.encode`.
        """
        if k is None:
            return super().encode(tokens)
        if not 1 <= k < self.latents:
            raise DataError(f"k must be at least 1 and below {self.latents} latents, not {k}")
        trained, self.k = self.k, k
        try:
            return super().encode(tokens)
        finally:
            self.k = trained

    def step(self, weights: Weights, x: Tensor, moment: Moment) -> Step:
        """Loss and gradients of one batch."""
        centred = x - weights["b_dec"]
        if self.loss == "every-k":
            codes, gradients, fvu, miss = self._every_k(weights, centred)
        else:
            codes, gradients, fvu, miss = self._at_k(weights, centred)
        extra = losses.aux_k(weights, gradients, centred=centred, miss=miss, moment=moment)
        return Step(gradients, fvu, extra, codes)

    def _at_k(self, weights: Weights, centred: Tensor) -> tuple[Codes, Weights, Tensor, Tensor]:
        many = min(MULTI * self.k, self.latents - 1) if self.loss == "multi" else self.k
        values, latents = selection.top_k(centred, weights["W_enc"], weights["b_enc"], many)
        codes = fixed(values[:, : self.k], latents[:, : self.k])
        found = losses.fit(codes, centred, weights["W_dec"])
        gradients = losses.through(
            weights, centred, codes, d_pre=found.d_values * (codes.values != 0), pull=found.pull
        )
        if self.loss == "multi":
            wide = fixed(values, latents)
            more = losses.fit(wide, centred, weights["W_dec"])
            share = losses.through(
                weights, centred, wide, d_pre=more.d_values * (wide.values != 0), pull=more.pull
            )
            for name, gradient in gradients.items():
                gradient.add_(share[name], alpha=MULTI_WEIGHT)
        return codes, gradients, found.loss, found.miss

    def _every_k(self, weights: Weights, centred: Tensor) -> tuple[Codes, Weights, Tensor, Tensor]:
        codes = self.select(weights, centred)
        ranks = torch.arange(len(codes.values), device=centred.device) % self.k
        found = nested_fit(codes, ranks, centred, weights["W_dec"], count=self.k)
        d_pre = found.d_values * (codes.values != 0)
        gradients = losses.through_encoder(weights, centred, codes, d_pre=d_pre)
        gradients["W_dec"] = found.W_dec
        gradients["b_dec"] += found.b_dec
        return codes, gradients, found.losses[-1], found.miss
