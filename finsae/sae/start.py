"""Where a training begins: the unit of the activations, and the first weights."""

from __future__ import annotations

import torch
from torch import Tensor

from finsae.sae import losses, selection
from finsae.sae.codes import decode, fixed
from finsae.sae.losses import Weights


def scales(some: Tensor) -> tuple[Tensor, Tensor | None]:
    """Find the factor per layer that brings activations to length sqrt(width).

    Parameters
    ----------
    some : Tensor
        Tokens x layers x width.

    Returns
    -------
    Tensor, Tensor or None
        Layers; and the centre from which the length is measured, where there is one layer.
    """
    width = some.shape[2]
    if some.shape[1] == 1:
        centre = geometric_median(some[:, 0])
        return width**0.5 / (some[:, 0] - centre).norm(dim=1).mean()[None], centre
    return width**0.5 / some.norm(dim=2).mean(0), None


@torch.no_grad()
def geometric_median(points: Tensor, iterations: int = 50) -> Tensor:
    """Point with the least sum of distances to `points` (Weiszfeld's iteration): width."""
    centre = moved = points.mean(0)
    for _ in range(iterations):
        weight = (points - centre).norm(dim=1, keepdim=True).clamp_min_(1e-6).reciprocal_()
        moved = (points * weight).sum(0) / weight.sum()
        if torch.dist(moved, centre) <= 1e-5 * moved.norm():
            break
        centre = moved
    return moved


@torch.no_grad()
def initial_weights(latents: int, k: int, *, some: Tensor, centre: Tensor, seed: int) -> Weights:
    """Draw unit decoder rows in random directions; the encoder is their transpose.

    The encoder is scaled so that the first reconstruction has the best length (least squares):
    k of many random directions overlap, and their plain sum would overshoot.
    """
    random = torch.Generator().manual_seed(seed)
    W_dec = torch.randn(latents, len(centre), generator=random).to(centre)
    losses.normalise_rows(W_dec)
    b_enc = torch.zeros(latents, device=centre.device)
    first = some[:4096] - centre
    rebuilt = decode(fixed(*selection.top_k(first, W_dec, b_enc, k)), W_dec)
    length = (first * rebuilt).sum() / rebuilt.square().sum()
    return {"W_enc": W_dec * length, "W_dec": W_dec, "b_enc": b_enc, "b_dec": centre.clone()}
