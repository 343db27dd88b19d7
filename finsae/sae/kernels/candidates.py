"""Which latents of a token may be among its k largest: the filter of `finsae.sae.candidates`.

One program reads one token's pre-activations twice. First it takes the maxima of more than k
strided blocks, whose k-th largest is not above the k-th largest pre-activation; then it writes
down, in order, what reaches that bar less the rounding. A token on which that does not help (too
many latents alike) gets its largest one after the other.
"""

import torch
import triton
from torch import Tensor

from finsae.sae.kernels import device, on_gpu_of

BLOCKS_PER_CODE = 8
LEAST = 128


def serves(latents: int, k: int) -> bool:
    """Whether there are enough latents for the filter to leave few of them."""
    return latents >= 2 * _lanes(k)


def candidates(pre: Tensor, k: int, *, width: int, tolerance: float, signed: bool) -> Tensor:
    """List what may be among the k largest of each token.

    Parameters
    ----------
    pre : Tensor
        Tokens x latents, contiguous, any float type.
    k : int
        Codes per token.
    width : int
        Latents listed at most, a power of 2 above k; of a token with more above its bar, these are
        its largest.
    tolerance : float
        Share of the bar that it is lowered by, for rounded pre-activations.
    signed : bool
        Whether size is the absolute value.

    Returns
    -------
    Tensor
        Tokens x width, int32; -1 where there are fewer.
    """
    count, latents = pre.shape
    out = torch.empty(count, width, dtype=torch.int32, device=pre.device)
    if count:
        with on_gpu_of(out):
            device.select[(count,)](
                pre, out, latents, k, tolerance, WIDTH=width, LANES=_lanes(k),
                PLACES=16 if pre.dtype == torch.bfloat16 else 32, SIGNED=signed,
            )  # fmt: skip
    return out


def _lanes(k: int) -> int:
    lanes: int = triton.next_power_of_2(BLOCKS_PER_CODE * k)
    return max(LEAST, lanes)
