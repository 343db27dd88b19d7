"""Which latents are active: the k largest of each token, or all above a bar.

Pre-activations ``u = centred W_enc^T + b_enc`` exist tile by tile only.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from finsae.sae.codes import Codes

# Pre-activations held at once: on a CPU the tile should stay near its caches.
TILE_ELEMENTS = {"cpu": 2**22, "cuda": 2**28}


def top_k(
    centred: Tensor, W_enc: Tensor, b_enc: Tensor, k: int, *, signed: bool = False
) -> tuple[Tensor, Tensor]:
    """Keep the k largest pre-activations of each token, then drop the negative ones.

    Parameters
    ----------
    centred : Tensor
        Tokens x width, less ``b_dec``.
    W_enc, b_enc : Tensor
        Latents x width, and latents.
    k : int
        Codes per token.
    signed : bool
        Keep the k of largest absolute value, with their sign, instead.

    Returns
    -------
    values, latents : Tensor
        Both tokens x k, descending (by absolute value if `signed`), latents int64.
    """
    values = centred.new_empty(len(centred), k)
    latents = torch.empty(len(centred), k, dtype=torch.int64, device=centred.device)
    for rows, pre in tiles(centred, W_enc, b_enc):
        if signed:
            latents[rows] = pre.abs().topk(k, dim=1).indices
            values[rows] = pre.gather(1, latents[rows])
        else:
            torch.topk(pre, k, dim=1, out=(values[rows], latents[rows]))
    return values if signed else values.relu_(), latents


def above(centred: Tensor, W_enc: Tensor, b_enc: Tensor, bar: Tensor | float) -> Codes:
    """Keep every pre-activation above `bar`, one number or one per latent."""
    lengths, found = [], []
    for _, pre in tiles(centred, W_enc, b_enc):
        token, latent = (pre > bar).nonzero(as_tuple=True)
        found.append((pre[token, latent], latent))
        lengths.append(torch.bincount(token, minlength=len(pre)))
    starts = torch.zeros(len(centred) + 1, dtype=torch.int64, device=centred.device)
    if not lengths:
        return Codes(centred.new_empty(0), starts[:0], starts)
    starts[1:] = torch.cat(lengths).cumsum(0)
    values, latents = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Codes(values, latents, starts)


def tiles(centred: Tensor, W_enc: Tensor, b_enc: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Give the pre-activations of some tokens at a time; the next tile overwrites them."""
    size = max(1, TILE_ELEMENTS[centred.device.type] // len(W_enc))
    room = centred.new_empty(min(size, len(centred)), len(W_enc))
    for start in range(0, len(centred), size):
        rows = slice(start, min(start + size, len(centred)))
        part = centred[rows]
        yield rows, torch.addmm(b_enc, part, W_enc.T, out=room[: len(part)])
