"""The gradient sparse autoencoder (Olmo et al. 2024, arXiv 2411.10397)."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from torch import Tensor

from finsae.checks import DataError, one_of
from finsae.sae import losses, selection, workers
from finsae.sae.batches import Tokens
from finsae.sae.coder import ROWS, Coder
from finsae.sae.codes import Codes, fixed
from finsae.sae.losses import Moment, Step, Weights
from finsae.sae.settings import Training
from finsae.sae.stream import Stream

UNITS = ("token", "batch", "none")
PAIRS = (
    "a g-sae learns from pairs, tokens x 2 x width: the activation, and the gradient of the "
    "language model's loss there (finsae.sae.with_gradients); tokens x width has no gradients"
)


class GradientSAE(Coder):
    """Exactly k latents per token, chosen by size and by what they do to the model's loss.

    With ``a = ReLU(W_enc (x - b_dec) + b_enc)`` and g the gradient of the loss at the activation,
    the k latents of largest ``a + influence a |W_dec g|`` are active, with the values a (the
    paper's score). The loss is TopK's. The paper does not say in which unit g is taken; by
    default each token's has mean square 1, so that `influence` has no unit.

    Gradients exist where texts go through a causal model. Without them codes are TopK's with the
    same weights.

    Parameters
    ----------
    latents, k, training, random_state, device
        As `Coder`.
    influence : float
        Weight of the gradient in the choice; 0 is TopK.
    unit : str
        Gradients are divided by their root mean square over the "token" or the "batch"; "none".
    """

    NAME = "g-sae"

    def __init__(
        self,
        latents: int = 8192,
        k: int = 16,
        *,
        influence: float = 1.0,
        unit: str = "token",
        training: Training | None = None,
        random_state: int = 0,
        device: str | None = None,
    ) -> None:
        super().__init__(latents, k, training=training, random_state=random_state, device=device)
        self.influence, self.unit = influence, unit

    def check(self) -> None:
        """Refuse a negative influence, an unknown unit, or a k that makes no SAE."""
        super().check()
        one_of("unit", self.unit, UNITS)
        if not self.influence >= 0:
            raise DataError(f"influence must be 0 or positive, not {self.influence}")

    def fit(
        self,
        activations: Tokens | Stream,
        *,
        checkpoint: str | Path | None = None,
        init_from: Coder | None = None,
    ) -> Self:
        """Learn from activations with their gradients, tokens x 2 x width; see `Coder.fit`."""
        if len(activations.shape) != 3 or activations.shape[1] != 2:
            raise DataError(PAIRS)
        self.paired_ = True
        return super().fit(activations, checkpoint=checkpoint, init_from=init_from)

    def start(self, weights: Weights, some: Tensor) -> None:
        """Refuse activations of several layers in the place of pairs."""
        if not getattr(self, "paired_", False):
            raise DataError(PAIRS)

    def select(self, weights: Weights, centred: Tensor, gradients: Tensor | None = None) -> Codes:
        """Keep the k latents of largest score, where positive.

        Parameters
        ----------
        weights : Weights
            Of `Coder.weights`.
        centred : Tensor
            Tokens x width, less ``b_dec``.
        gradients : Tensor, optional
            Tokens x width; without them the score is the pre-activation.
        """
        W_enc, b_enc = weights["W_enc"], weights["b_enc"]
        if gradients is None or not self.influence:
            return fixed(*selection.top_k(centred, W_enc, b_enc, self.k))
        values = centred.new_empty(len(centred), self.k)
        latents = torch.empty(len(centred), self.k, dtype=torch.int64, device=centred.device)
        g = _scaled(gradients.to(centred), self.unit)
        effects = selection.tiles(g, weights["W_dec"], torch.zeros_like(b_enc))
        for (rows, pre), (_, effect) in zip(
            selection.tiles(centred, W_enc, b_enc), effects, strict=True
        ):
            active = pre.relu_()
            score = effect.abs_().mul_(self.influence).add_(1).mul_(active)
            latents[rows] = score.topk(self.k, dim=1).indices
            values[rows] = active.gather(1, latents[rows])
        return fixed(values, latents)

    def step(self, weights: Weights, x: Tensor, moment: Moment) -> Step:
        """Loss and gradients of one batch."""
        centred = x - weights["b_dec"]
        pairs = moment.rows
        codes = self.select(weights, centred, None if pairs is None else pairs[:, 1])
        found = losses.fit(codes, centred, weights["W_dec"])
        d_pre = found.d_values * (codes.values != 0)
        gradients = losses.through(weights, centred, codes, d_pre=d_pre, pull=found.pull)
        extra = losses.aux_k(weights, gradients, centred=centred, miss=found.miss, moment=moment)
        return Step(gradients, found.loss, extra, codes)

    def encode_with(self, pairs: npt.NDArray[np.floating]) -> sparse.csr_array:
        """Return the active latents of tokens whose gradients are known: tokens x latents.

        Parameters
        ----------
        pairs : array
            Tokens x 2 x width, as `fit` reads them.

        Raises
        ------
        DataError
            If they are no pairs, or not fit (see `Coder.encode`), gradients included.
        """
        if pairs.ndim != 3 or pairs.shape[1] != 2:
            raise DataError(PAIRS)
        parts = [self.encode(pairs[:0, 0])]
        for start in range(0, len(pairs), ROWS):
            gradients = np.array(pairs[start : start + ROWS, 1], dtype=np.float32)
            if not np.isfinite(gradients).all():
                raise DataError(f"gradients are NaN or infinite among tokens {start:,} and after")
            one = _Told(self, torch.from_numpy(gradients))
            parts.append(one.encode(pairs[start : start + ROWS, 0]))
        return sparse.csr_array(sparse.vstack(parts, format="csr"))


class _Told(GradientSAE):
    """A g-SAE that knows the gradients of the tokens that it is about to read."""

    def __init__(self, coder: GradientSAE, gradients: Tensor) -> None:
        vars(self).update(vars(coder))
        self.gradients = gradients

    def select(self, weights: Weights, centred: Tensor, gradients: Tensor | None = None) -> Codes:
        """Choose with the gradients."""
        return super().select(weights, centred, self.gradients)


def _scaled(gradients: Tensor, unit: str) -> Tensor:
    if unit == "none":
        return gradients
    mean = gradients.square().mean(1, keepdim=True)
    if unit == "batch":
        mean = workers.current().average(mean.mean())
    return gradients * mean.clamp_min(torch.finfo(gradients.dtype).tiny).rsqrt()
