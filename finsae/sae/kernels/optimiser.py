"""One optimiser step of weights with a row per latent, in one pass over memory."""

import torch
import triton
from torch import Tensor

from finsae.sae.kernels import device, on_gpu_of
from finsae.sae.optimiser import BETAS, EPSILON

WIDEST = 8192  # a program holds a whole row
TINY = torch.finfo(torch.float32).tiny


def serves(weight: Tensor) -> bool:
    """Whether `adam` takes this weight."""
    return weight.dtype == torch.float32 and weight.is_contiguous() and weight.shape[1] <= WIDEST


def adam(
    weight: Tensor,
    gradient: Tensor,
    moments: tuple[Tensor, Tensor],
    *,
    rates: Tensor,
    unit: bool,
    rounded: Tensor | None,
) -> None:
    """Take one step of Adam, in place.

    Parameters
    ----------
    weight, gradient : Tensor
        Latents x width, contiguous.
    moments : tuple of Tensor
        Running means of gradients and of their squares, likewise.
    rates : Tensor
        Two numbers: the learning rate over the mean's bias correction, and one over the root of
        the squares'.
    unit : bool
        Whether rows have unit length: what would only change it is taken out of the gradient,
        and they have it again afterwards.
    rounded : Tensor, optional
        Where the new weight is also written, in a shorter type.
    """
    latents, width = weight.shape
    columns = triton.next_power_of_2(width)
    with on_gpu_of(weight):
        device.adam[(latents,)](
            weight, gradient, *moments, rounded, rates, width,
            BETA1=BETAS[0], BETA2=BETAS[1], EPSILON=EPSILON, TINY=TINY, UNIT=unit,
            ROUND=rounded is not None, COLUMNS=columns, num_warps=8 if columns > 1024 else 4,
        )  # fmt: skip
