"""Which latents of a tile may be among the k largest, by a filter.

Latents are cut into more than k blocks. The k-th largest of the blocks' maxima is not above the
k-th largest score, so nothing below it is among the k, and little more than k latents reach it.
Reading the scores twice takes less time than `torch.topk`. Comparing and searching is numpy's part:
it does both several times as fast as torch 2.13 on one thread.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from finsae.sae.codes import Codes, sampled

BLOCKS_PER_CODE = 8  # more blocks bring the bar nearer to the k-th largest, but cost more to read
LEAST_BLOCK = 8
PASS_LIMIT = 8  # with more than this many times k, the filter is no help

Array = npt.NDArray[Any]


class Passing(NamedTuple):
    """Latents of a tile that may be selected, token by token."""

    token: Tensor  # entries, the number within the tile, ascending
    latent: Tensor  # entries, int64
    sound: Array  # tokens, false where the filter says nothing


def enough(centred: Tensor, latents: int, k: int) -> bool:
    """Whether there are tokens, blocks to speak of, and numbers that numpy reads."""
    return len(centred) > 0 and _numpy(centred) and latents >= LEAST_BLOCK * BLOCKS_PER_CODE * k


def _numpy(tensor: Tensor) -> bool:
    readable = (torch.float32, torch.float64, torch.int32)
    return tensor.device.type == "cpu" and tensor.dtype in readable


def candidates(scores: Tensor, k: int, *, margin: Array | int) -> Passing:
    """Find what may be among the k largest of each row; see the module."""
    count, latents = scores.shape
    blocks = BLOCKS_PER_CODE * k
    size = latents // blocks
    whole = size * blocks
    best = scores[:, :whole].view(count, size, blocks).amax(1)
    rest = best[:, : latents - whole]  # fewer than there are blocks
    torch.maximum(rest, scores[:, whole:], out=rest)
    bar = np.partition(best.numpy(), blocks - k, axis=1)[:, blocks - k] - margin
    token, latent = where(scores, torch.from_numpy(bar)[:, None], reach=True)
    lengths = np.bincount(token.numpy(), minlength=count)
    # NaN passes no comparison, and sorts last
    sound = (lengths >= k) & (lengths <= PASS_LIMIT * k) & ~np.isnan(best.numpy()).any(axis=1)
    if not sound.all():
        kept = torch.from_numpy(sound)[token]
        token, latent = token[kept], latent[kept]
    return Passing(token, latent, sound)


def where(scores: Tensor, bar: Tensor | float, *, reach: bool = False) -> tuple[Tensor, Tensor]:
    """Give rows and columns of what is above `bar`, or reaches it, row by row."""
    if not _numpy(scores):
        mask = scores >= bar if reach else scores > bar
        row, column = mask.nonzero(as_tuple=True)
        return row, column
    height = bar.numpy() if isinstance(bar, Tensor) else bar
    compare = np.greater_equal if reach else np.greater
    at = np.flatnonzero(compare(scores.numpy(), height))
    number = at // scores.shape[1]
    return torch.from_numpy(number), torch.from_numpy(at - number * scores.shape[1])


def score(
    centred: Tensor, W_enc: Tensor, b_enc: Tensor, *, token: Tensor, latent: Tensor
) -> Tensor:
    """Give some pre-activations, their tokens ascending: entries."""
    starts = torch.zeros(len(centred) + 1, dtype=torch.int64)
    starts[1:] = torch.bincount(token, minlength=len(centred)).cumsum(0)
    codes = Codes(centred.new_empty(len(latent)), latent, starts)
    return sampled(codes, centred, W_enc).add_(b_enc[latent])


def largest(
    token: Tensor, latent: Tensor, values: Tensor, *, k: int, count: int, signed: bool
) -> tuple[Tensor, Tensor]:
    """Keep the k largest entries of each token that has any, descending.

    Parameters
    ----------
    token, latent, values : Tensor
        Entries, at least k of a token.
    k, count : int
        Entries kept, and all tokens.
    signed : bool
        Whether size is the absolute value.

    Returns
    -------
    values, latents : Tensor
        Tokens with entries x k.
    """
    owner, size = token.numpy(), (values.abs() if signed else values).numpy()
    # sorted by size, then stably by token: numpy does the first in vectors, the second by radix
    # where numbers are short, in a fifth of the time of a padded topk
    order = np.argsort(-size)
    short = np.min_scalar_type(count)
    order = order[np.argsort(owner[order].astype(short), kind="stable")]
    lengths = np.bincount(owner, minlength=count)
    first = (np.cumsum(lengths) - lengths)[lengths > 0]
    kept = torch.from_numpy(order[first[:, None] + np.arange(k)])
    return values[kept], latent[kept]
