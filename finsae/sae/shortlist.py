"""The k largest pre-activations on a GPU: listed from a bfloat16 product, scored in float32.

Tensor cores multiply bfloat16 many times as fast as float32. What rounding can hide lies within a
share of the bar, so that somewhat more than k latents are listed; their scores are exact, and so is
the order among them. Nothing here waits for the device or has a shape that depends on the data.
"""

from __future__ import annotations

import torch
from torch import Tensor

from finsae.sae import kernels
from finsae.sae.codes import fixed, sampled

TOLERANCE = 2.0**-7  # of the bar: twice the spacing of bfloat16
LISTED = 2  # times k latents are listed
LEAST = 16


def width(k: int) -> int:
    """Give the number of latents listed per token: a power of 2."""
    return 1 << (max(LISTED * k, LEAST) - 1).bit_length()


def serves(latents: int, k: int) -> bool:
    """Whether listing leaves out most latents."""
    return latents >= 8 * width(k)


def listed(pre: Tensor, k: int, *, signed: bool) -> Tensor:
    """List what may be among the k largest of each token: tokens x width(k), -1 for none."""
    if kernels.usable(pre):
        from finsae.sae.kernels import candidates

        return candidates.candidates(pre, k, width=width(k), tolerance=TOLERANCE, signed=signed)
    return (pre.abs() if signed else pre).topk(width(k), dim=1, sorted=False).indices


def best(
    centred: Tensor, W_enc: Tensor, b_enc: Tensor, some: Tensor, *, k: int, signed: bool
) -> tuple[Tensor, Tensor]:
    """Keep the k largest of the latents listed, as `selection.top_k` does of all.

    Parameters
    ----------
    centred, W_enc, b_enc : Tensor
        As for `selection.top_k`.
    some : Tensor
        Tokens x any number; -1 for none.
    k : int
        Codes per token.
    signed : bool
        Whether size is the absolute value.
    """
    none, some = some < 0, some.clamp_min(0).to(torch.int64)
    codes = fixed(torch.empty_like(some, dtype=centred.dtype), some)
    scores = sampled(codes, centred, W_enc).view_as(some) + b_enc[some]
    size = (scores.abs() if signed else scores).masked_fill(none, -torch.inf)
    at = size.topk(k, dim=1).indices
    values = scores.gather(1, at).masked_fill_(none.gather(1, at), 0.0)
    return values if signed else values.relu_(), some.gather(1, at)
