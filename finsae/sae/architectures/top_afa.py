"""The top-AFA sparse autoencoder (Lee et al. 2025, arXiv 2503.24277)."""

from __future__ import annotations

import torch
from torch import Tensor

from finsae.checks import DataError
from finsae.sae import losses, selection
from finsae.sae.coder import Coder
from finsae.sae.codes import Codes, fixed
from finsae.sae.losses import Moment, Step, Weights
from finsae.sae.settings import Training


class TopAFA(Coder):
    """As many of the largest latents as bring the code to the length of the token.

    Where dictionary rows are nearly orthogonal, a code has about the length of what it writes out
    (approximate feature activation). With ``s`` the squares of ``ReLU(W_enc (x - b_dec))`` in
    falling order and c their cumulative sum, ``argmin_j |sqrt(c_j) - |x - b_dec||`` latents are
    active: each token its own number. There is no encoder bias. The loss is the fraction of
    variance unexplained, AuxK, and ``penalty sum_t (|z| - |x - b_dec|)^2`` over the tokens'
    variation.

    Parameters
    ----------
    latents, training, random_state, device
        As `Coder`.
    k : int
        Active latents per token at most; bounds the work, and should not be reached by many.
    penalty : float
        Weight of the difference in length; the paper tries 1/128 to 1/16.
    """

    NAME = "top-afa"
    WEIGHTS = ("W_enc", "W_dec", "b_dec")

    def __init__(
        self,
        latents: int = 8192,
        k: int = 64,
        *,
        penalty: float = 1 / 32,
        training: Training | None = None,
        random_state: int = 0,
        device: str | None = None,
    ) -> None:
        super().__init__(latents, k, training=training, random_state=random_state, device=device)
        self.penalty = penalty

    def check(self) -> None:
        """Refuse a negative penalty, or a k that makes no SAE."""
        super().check()
        if not self.penalty >= 0:
            raise DataError(f"penalty must be 0 or positive, not {self.penalty}")

    def start(self, weights: Weights, some: Tensor) -> None:
        """Drop the encoder's bias."""
        del weights["b_enc"]

    def select(self, weights: Weights, centred: Tensor) -> Codes:
        """Keep the largest pre-activations up to the token's length."""
        none = centred.new_zeros(self.latents)
        values, latents = selection.top_k(centred, weights["W_enc"], none, self.k)
        reach = values.square().cumsum(1).sqrt()
        off = (reach - centred.norm(dim=1, keepdim=True)).abs()
        rank = torch.arange(self.k, device=centred.device)
        return fixed(values * (rank <= off.argmin(1, keepdim=True)), latents)

    def step(self, weights: Weights, x: Tensor, moment: Moment) -> Step:
        """Loss and gradients of one batch."""
        centred = x - weights["b_dec"]
        codes = self.select(weights, centred)
        found = losses.fit(codes, centred, weights["W_dec"])
        values = codes.values.view(len(x), self.k)
        lengths, wanted = (part.norm(dim=1).clamp_min(1e-12) for part in (values, centred))
        off, whole = lengths - wanted, losses.variation(centred)
        share = 2 * self.penalty * off / whole
        d_values = found.d_values + ((share / lengths)[:, None] * values).flatten()
        full = weights | {"b_enc": x.new_zeros(self.latents)}
        gradients = losses.through(
            full, centred, codes, d_pre=d_values * (codes.values != 0), pull=found.pull
        )
        gradients["b_dec"] += (share / wanted) @ centred
        extra = losses.aux_k(full, gradients, centred=centred, miss=found.miss, moment=moment)
        del gradients["b_enc"]
        return Step(gradients, found.loss, extra + self.penalty * off.square().sum() / whole, codes)


def length_bound(codes: Tensor, dense: Tensor, latents: int) -> Tensor:
    """Lower bound on how far a dictionary is from orthogonal, by token (the paper's eps_LBO).

    ``||z|^2 - |f|^2| / ((h - 1) |f|^2)`` with z the code, f the centred token, h the latents: 0
    where both have one length.

    Parameters
    ----------
    codes, dense : Tensor
        Lengths of codes and of centred tokens.
    latents : int
        Size of the dictionary.
    """
    return (codes.square() - dense.square()).abs() / ((latents - 1) * dense.square())
