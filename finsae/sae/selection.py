"""Which latents are active: the k largest of each token or of a batch, or all above a bar.

Pre-activations ``u = centred W_enc^T + b_enc`` exist tile by tile only. On a CPU `torch.topk` over
all latents costs a third of the product itself, so `finsae.sae.candidates` finds the largest there.
Within `Screen.used` the tiles are rounded stand-ins, and what passes is scored again in float32:
8-bit integers on a CPU, bfloat16 on a GPU (`finsae.sae.shortlist`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from finsae.sae import screening, shortlist, workers
from finsae.sae.candidates import candidates, enough, largest, score, where
from finsae.sae.codes import Codes, fixed, sampled

# Pre-activations held at once: on a CPU the tile should stay near its caches.
TILE_ELEMENTS = {"cpu": 2**21, "cuda": 2**27}
SPARSE = 256  # codes per token that cost as much to score again as all latents in float32
GUESS_TOKENS = 128  # tokens that tell how high a batch's bar is
LIST = 4  # times the mean number of codes listed per token

Array = npt.NDArray[Any]


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
    if shortlist.serves(len(W_enc), k) and screening.current(centred, "bf16") is not None:
        return _from_shortlist(centred, W_enc, b_enc, k, signed=signed)
    values = centred.new_empty(len(centred), k)
    latents = torch.empty(len(centred), k, dtype=torch.int64, device=centred.device)
    if enough(centred, len(W_enc), k):
        _by_filter(centred, W_enc, b_enc, (values, latents), signed=signed)
    else:
        for rows, pre in tiles(centred, W_enc, b_enc):
            values[rows], latents[rows] = _by_sorting(pre, k, signed=signed)
    return values if signed else values.relu_(), latents


def _by_filter(
    centred: Tensor, W_enc: Tensor, b_enc: Tensor, out: tuple[Tensor, Tensor], *, signed: bool
) -> None:
    """Write the k largest of each token into `out`, both tokens x k."""
    values, latents = out
    k = values.shape[1]
    screen = screening.current(centred)
    tokens, parts, kept, sound = [], [], [], []
    for rows, scores, margin in _scores(centred, W_enc, b_enc, screen):
        found = candidates(_sizes(scores, signed=signed), k, margin=margin)
        tokens.append(found.token + rows.start)
        parts.append(found.latent)
        sound.append(torch.from_numpy(found.sound))
        if screen is None:
            kept.append(scores[found.token, found.latent])
    token, latent, good = torch.cat(tokens), torch.cat(parts), torch.cat(sound)
    if screen is None:
        passed = torch.cat(kept)
    else:
        passed = score(centred, W_enc, b_enc, token=token, latent=latent)
    best = largest(token, latent, passed, k=k, count=len(good), signed=signed)
    values[good], latents[good] = best
    rest = (~good).nonzero().flatten()
    for rows, pre in tiles(centred[rest], W_enc, b_enc):
        values[rest[rows]], latents[rest[rows]] = _by_sorting(pre, k, signed=signed)
    if screen is not None:
        if len(rest) > len(centred) // 4:
            screen.give_up(f"{len(rest):,} of {len(centred):,} tokens have too many latents alike")
        if screen.due():
            _check(screen, (values, latents), centred, (W_enc, b_enc), signed=signed)


def _from_shortlist(
    centred: Tensor, W_enc: Tensor, b_enc: Tensor, k: int, *, signed: bool
) -> tuple[Tensor, Tensor]:
    """Do as `top_k` with the screen in use, which rounds to bfloat16."""
    screen = screening.current(centred, "bf16")
    assert screen is not None
    rounded = (centred.to(torch.bfloat16), screen.rounded(W_enc), b_enc.to(torch.bfloat16))
    parts = [shortlist.listed(pre, k, signed=signed) for _, pre in tiles(*rounded)]
    found = shortlist.best(centred, W_enc, b_enc, torch.cat(parts), k=k, signed=signed)
    if screen.due():
        _check(screen, found, centred, (W_enc, b_enc), signed=signed)
    return found


def above(centred: Tensor, W_enc: Tensor, b_enc: Tensor, bar: Tensor | float) -> Codes:
    """Keep every pre-activation above `bar`, one number or one per latent."""
    screen = screening.current(centred)
    if screen is not None:
        found = _above_screened(centred, W_enc, b_enc, bar=bar, screen=screen)
        if found is not None:
            return found
    lengths, parts = [], []
    for _, pre in tiles(centred, W_enc, b_enc):
        token, latent = where(pre, bar)
        parts.append((pre[token, latent], latent))
        lengths.append(torch.bincount(token, minlength=len(pre)))
    return _joined(parts, lengths, centred)


def largest_of_batch(
    centred: Tensor, W_enc: Tensor, b_enc: Tensor, count: int, *, weight: Tensor | None = None
) -> Codes:
    """Keep the `count` largest positive pre-activations of the whole batch.

    A few of the tokens tell about how high the bar is. Where too little lies above it, each
    token's largest are listed, several times as many as are wanted: the bar of this list is not
    too high, and where a token's list ends above it, everything above it is found.

    Parameters
    ----------
    centred : Tensor
        Tokens x width, less ``b_dec``.
    W_enc, b_enc : Tensor
        Latents x width, and latents.
    count : int
        Codes in the batch, fewer where fewer are positive.
    weight : Tensor, optional
        Latents, positive: what a pre-activation is multiplied by before it is compared.
    """
    if weight is not None:
        found = largest_of_batch(centred, W_enc * weight[:, None], b_enc * weight, count)
        return found._replace(values=found.values / weight[found.latents])
    mean = count / max(1, len(centred))
    depth = min(len(W_enc), math.ceil(LIST * mean) + LIST)
    some = centred[:: max(1, len(centred) // GUESS_TOKENS)]
    guess = top_k(some, W_enc, b_enc, depth)[0].flatten()
    found = above(centred, W_enc, b_enc, _kth_largest(guess, math.ceil(1.25 * mean * len(some))))
    if len(found.values) < count:
        values, latents = top_k(centred, W_enc, b_enc, depth)
        found, bar = fixed(values, latents), _kth_largest(values.flatten(), count)
        if depth < len(W_enc) and bool((values[:, -1] > bar).any()):
            found = above(centred, W_enc, b_enc, bar * (1 - 1e-6))  # ties and rounding
    kept = (found.values > 0).nonzero().flatten()
    if len(kept) > count:
        kept = found.values.topk(count, sorted=False).indices.sort().values
    return _kept(found, kept)


def largest_of_all(centred: Tensor, W_enc: Tensor, b_enc: Tensor, count: int) -> Codes:
    """Do as `largest_of_batch` with the tokens of all workers; `count` is of all.

    Each lists twice its share; if one of the lists ends above the common bar, it may lack some,
    and all of them are made again without a limit.
    """
    together = workers.current()
    for depth in (2 * count // together.count, count):
        found = largest_of_batch(centred, W_enc, b_enc, depth)
        own = centred.new_zeros(depth)
        own[: len(found.values)] = found.values
        values = together.gathered(own)
        bar = _kth_largest(values.flatten(), count)
        if not (values.amin(1) > bar).any():
            break
    return _kept(found, ((found.values > 0) & (found.values >= bar)).nonzero().flatten())


def tiles(centred: Tensor, W_enc: Tensor, b_enc: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Give the pre-activations of some tokens at a time; the next tile overwrites them."""
    size = _tile(centred, W_enc)
    room = centred.new_empty(min(size, len(centred)), len(W_enc))
    for start in range(0, len(centred), size):
        rows = slice(start, min(start + size, len(centred)))
        part = centred[rows]
        yield rows, torch.addmm(b_enc, part, W_enc.T, out=room[: len(part)])


def _tile(centred: Tensor, W_enc: Tensor) -> int:
    return max(1, TILE_ELEMENTS[centred.device.type] // len(W_enc))


def _scores(
    centred: Tensor, W_enc: Tensor, b_enc: Tensor, screen: screening.Screen | None
) -> Iterator[tuple[slice, Tensor, Array | int]]:
    if screen is None:
        yield from ((rows, pre, 0) for rows, pre in tiles(centred, W_enc, b_enc))
    else:
        yield from screening.Int8(centred, W_enc, b_enc).tiles(_tile(centred, W_enc))


def _by_sorting(pre: Tensor, k: int, *, signed: bool) -> tuple[Tensor, Tensor]:
    if not signed:
        values, latents = pre.topk(k, dim=1)
        return values, latents
    latents = pre.abs().topk(k, dim=1).indices
    return pre.gather(1, latents), latents


def _sizes(scores: Tensor, *, signed: bool) -> Tensor:
    if not signed:
        return scores
    # rounded scores are not needed again, exact ones are
    return scores.abs_() if scores.dtype == torch.int32 else scores.abs()


def _above_screened(
    centred: Tensor, W_enc: Tensor, b_enc: Tensor, *, bar: Tensor | float, screen: screening.Screen
) -> Codes | None:
    """Do as `above`, or nothing where too many pass."""
    lengths, parts = [], []
    height = torch.as_tensor(bar, dtype=b_enc.dtype).expand_as(b_enc)
    rough = screening.Int8(centred, W_enc, b_enc - height)
    for rows, scores, margin in rough.tiles(_tile(centred, W_enc)):
        token, latent = where(scores, torch.from_numpy(-margin)[:, None], reach=True)
        if len(token) > SPARSE * len(scores):
            return None
        values = score(centred[rows], W_enc, b_enc, token=token, latent=latent)
        kept = (values > height[latent]).nonzero().flatten()
        parts.append((values[kept], latent[kept]))
        lengths.append(torch.bincount(token[kept], minlength=len(scores)))
    found = _joined(parts, lengths, centred)
    if screen.due():
        rows = _sample(screen, centred)
        exact = torch.addmm(b_enc, centred[rows], W_enc.T)
        token, latent = where(exact, height)
        values = score(centred[rows], W_enc, b_enc, token=token, latent=latent)
        wanted = int((values > height[latent]).sum())
        got = int(found.starts[rows.stop] - found.starts[rows.start])
        screen.note(wanted=wanted, lost=max(0, wanted - got))
    return found


def _kept(codes: Codes, entries: Tensor) -> Codes:
    lengths = torch.bincount(codes.tokens()[entries], minlength=len(codes.starts) - 1)
    starts = torch.zeros_like(codes.starts)
    starts[1:] = lengths.cumsum(0)
    return Codes(codes.values[entries], codes.latents[entries], starts)


def _joined(parts: list[tuple[Tensor, Tensor]], lengths: list[Tensor], centred: Tensor) -> Codes:
    starts = torch.zeros(len(centred) + 1, dtype=torch.int64, device=centred.device)
    if not parts:
        return Codes(centred.new_empty(0), starts[:0], starts)
    starts[1:] = torch.cat(lengths).cumsum(0)
    values, latents = (torch.cat(part) for part in zip(*parts, strict=True))
    return Codes(values, latents, starts)


def _kth_largest(values: Tensor, k: int) -> float:
    """Give the k-th largest value where it is positive, else 0."""
    if not 0 < k <= len(values):
        return 0.0
    return max(0.0, float(values.kthvalue(len(values) + 1 - k).values))


def _sample(screen: screening.Screen, centred: Tensor) -> slice:
    start = screen.calls * screening.CHECKED % max(1, len(centred) - screening.CHECKED)
    return slice(start, min(start + screening.CHECKED, len(centred)))


def _check(
    screen: screening.Screen,
    found: tuple[Tensor, Tensor],
    centred: Tensor,
    weights: tuple[Tensor, Tensor],
    *,
    signed: bool,
) -> None:
    """Tell the screen how many of some tokens' k largest were found.

    The whole product and single scores round differently, so that near ties can change places:
    lost is what was not found and whose single score is larger than the least found.
    """
    rows = _sample(screen, centred)
    values, latents = (part[rows] for part in found)
    pre = torch.addmm(weights[1], centred[rows], weights[0].T)
    size, wanted = _by_sorting(pre, latents.shape[1], signed=signed)
    scores = sampled(fixed(size, wanted), centred[rows], weights[0])
    scores = scores.add_(weights[1][wanted.flatten()]).view_as(wanted)
    found_too = (wanted[:, :, None] == latents[:, None, :]).any(2)
    least = values[:, -1:]
    better = scores.abs() > least.abs() if signed else scores > least
    screen.note(wanted=wanted.numel(), lost=(~found_too & better).sum())
