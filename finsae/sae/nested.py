"""Reconstructions from nested parts of a code, and the loss averaged over them.

The entries of a code are put into buckets; reconstruction j uses the buckets up to j. With buckets
by latent these are the prefixes of a Matryoshka SAE, with buckets by rank all sparsities up to k.
Each entry is read once: the reconstructions are cumulative sums over the buckets, and the gradient
of an entry is the sum over all reconstructions that it is part of, a cumulative sum backwards.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from finsae.sae.codes import ByLatent, Codes, decode, sampled
from finsae.sae.losses import variation

# Numbers of a tile's reconstructions, tokens x buckets x width: bounds the memory.
TILE_ELEMENTS = 2**22


class Nested(NamedTuple):
    """How well the nested parts of codes rebuild a target."""

    losses: Tensor  # buckets: each reconstruction's share of the target's variation
    miss: Tensor  # tokens x width: of the last reconstruction
    d_values: Tensor  # entries: derivative of the mean loss
    W_dec: Tensor  # latents x width: likewise
    b_dec: Tensor  # width: likewise, of what is added to every reconstruction


def nested_fit(
    codes: Codes, buckets: Tensor, target: Tensor, W_dec: Tensor, *, count: int
) -> Nested:
    """Fit of the nested parts, with the gradients of their mean loss.

    Parameters
    ----------
    codes : Codes
        Of some tokens.
    buckets : Tensor
        Entries, int64 below `count`: the first reconstruction that uses each.
    target : Tensor
        Tokens x width.
    W_dec : Tensor
        Latents x width.
    count : int
        Buckets.
    """
    tokens, width = target.shape
    whole = variation(target)
    losses = target.new_zeros(count)
    found = Nested(
        losses,
        torch.empty_like(target),
        torch.empty_like(codes.values),
        torch.zeros_like(W_dec),
        target.new_zeros(width),
    )
    size = max(1, TILE_ELEMENTS // (count * width))
    bounds = codes.starts[::size].tolist()
    if (tokens % size) or not tokens:
        bounds.append(len(codes.values))
    row = codes.tokens() * count + buckets
    for number, (first, last) in enumerate(pairwise(bounds)):
        rows = slice(number * size, min((number + 1) * size, tokens))
        local = row[first:last] - rows.start * count
        order = local.argsort(stable=True)
        part = _by_bucket(codes, order + first, local[order], (rows.stop - rows.start) * count)
        miss = decode(part, W_dec).view(-1, count, width).cumsum(1)
        miss -= target[rows, None]
        losses += miss.square().sum((0, 2)) / whole
        found.miss[rows] = miss[:, -1]
        pull = miss.flip(1).cumsum(1).flip(1).mul_(2 / (count * whole)).view(-1, width)
        found.d_values[order + first] = sampled(part, pull, W_dec)
        found.W_dec.add_(ByLatent(part, len(W_dec)).sum(part.values, pull))
        found.b_dec.add_(pull.view(-1, count, width)[:, 0].sum(0))
    return found


def _by_bucket(codes: Codes, entries: Tensor, rows: Tensor, count: int) -> Codes:
    """Codes of "token and bucket" instead of token."""
    starts = torch.zeros(count + 1, dtype=torch.int64, device=rows.device)
    starts[1:] = torch.bincount(rows, minlength=count).cumsum(0)
    return Codes(codes.values[entries], codes.latents[entries], starts)
