"""Products of sparse codes: sums of rows, with residual and loss, and scalar products of rows.

The first is a decoder (a token's latents, weighted) and the gradient of a weight matrix (a latent's
tokens, weighted) alike: entries in order, cut into owners, whose rows are added up.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from finsae.sae.kernels import device, on_gpu_of

COLUMNS = 256  # of a row that one program adds up
ENTRIES = 16  # rows read at a time


def sums(
    weights: Tensor, members: Tensor, starts: Tensor, *, rows: Tensor, order: Tensor | None = None
) -> Tensor:
    """Add up ``weights[e] * rows[members[e]]`` over the entries e of each owner.

    Parameters
    ----------
    weights, members : Tensor
        Entries.
    starts : Tensor
        Owners + 1: the entries of owner o are ``starts[o]:starts[o + 1]``.
    rows : Tensor
        Any number x width.
    order : Tensor, optional
        Entries: where the weight of each is, by default at its own place.

    Returns
    -------
    Tensor
        Owners x width, of the type of `rows`; made in float32, float64 for float64.
    """
    rows = rows.contiguous()
    out = rows.new_empty(len(starts) - 1, rows.shape[1])
    _add_up(weights, members, order, starts=starts, rows=rows, target=None, out=out)
    return out


def fit(
    values: Tensor, latents: Tensor, starts: Tensor, *, W_dec: Tensor, target: Tensor
) -> tuple[Tensor, Tensor]:
    """Decode codes and compare: ``z W_dec - target`` (tokens x width) and its sum of squares."""
    miss = torch.empty_like(target, memory_format=torch.contiguous_format)
    squares = _add_up(
        values,
        latents,
        None,
        starts=starts,
        rows=W_dec.contiguous(),
        target=target.contiguous(),
        out=miss,
    )
    return miss, squares.sum().to(target.dtype)


def _add_up(
    weights: Tensor,
    members: Tensor,
    order: Tensor | None,
    *,
    starts: Tensor,
    rows: Tensor,
    target: Tensor | None,
    out: Tensor,
) -> Tensor:
    owners, width = out.shape
    parts = triton.cdiv(width, COLUMNS)
    squares = torch.zeros(
        (owners, parts) if target is not None else 0, dtype=_exact(rows), device=rows.device
    )
    if owners:
        with on_gpu_of(out):  # Triton launches on the current GPU, whichever its tensors are on
            device.sums[(owners, parts)](
                weights, members, order, starts, rows, target, out, squares, width,
                ACC=_accumulator(rows), ORDERED=order is not None, FITS=target is not None,
                COLUMNS=COLUMNS, ENTRIES=ENTRIES,
            )  # fmt: skip
    return squares


def dots(left: Tensor, rows: Tensor, latents: Tensor, *, tokens: Tensor) -> Tensor:
    """Give ``left[token] . rows[latent]`` of every entry; minus infinity for latent -1.

    Parameters
    ----------
    left, rows : Tensor
        Tokens x width, latents x width.
    latents, tokens : Tensor
        Entries.
    """
    left, rows = left.contiguous(), rows.contiguous()
    entries, width = latents.numel(), rows.shape[1]
    out = torch.empty(entries, dtype=left.dtype, device=left.device)
    if entries:
        with on_gpu_of(out):
            device.dots[(triton.cdiv(entries, ENTRIES),)](
                left, rows, tokens, latents, out, entries, width,
                ACC=_accumulator(left), COLUMNS=COLUMNS, ENTRIES=ENTRIES,
            )  # fmt: skip
    return out


def _exact(rows: Tensor) -> torch.dtype:
    return torch.float64 if rows.dtype == torch.float64 else torch.float32


def _accumulator(rows: Tensor) -> tl.dtype:
    return tl.float64 if rows.dtype == torch.float64 else tl.float32
