"""The weight of a sparsity penalty, moved until the wanted number of latents is active."""

from __future__ import annotations

import torch
from torch import Tensor

from finsae.sae.losses import Moment

RATE = 0.02  # of the logarithm of the weight, per step and share of the target
START = 0.1  # of the fraction of variance unexplained, at k latents of the token's own length


def weight(moment: Moment, fixed: float | None, device: torch.device) -> Tensor | float:
    """Give the penalty's weight at this step: the user's, or the controller's."""
    if fixed is not None:
        return fixed
    return moment.memory.setdefault("penalty", torch.tensor(START, device=device))


def adapt(moment: Moment, fixed: float | None, *, l0: Tensor, k: int) -> None:
    """Raise the weight where more than k latents are active, lower it where fewer are.

    An integral controller in the logarithm: ``log w += 0.02 clip(L0 / k - 1, -1, 1)``. It uses the
    batch just seen only, and no waiting for the device.
    """
    if fixed is None:
        error = (l0 / k - 1).clamp(-1, 1)
        moment.memory["penalty"] = moment.memory["penalty"] * (RATE * error).exp()
