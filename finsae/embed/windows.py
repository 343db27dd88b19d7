"""Cut long texts into overlapping windows, and windows into batches of a token budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple


class Window(NamedTuple):
    """Tokens ``start:stop`` of text `text` are read together; ``first:last`` of them are kept."""

    text: int
    start: int
    stop: int
    first: int
    last: int


def windows(text: int, tokens: int, *, size: int, overlap: int) -> list[Window]:
    """Cover a text's tokens with windows in which each token is kept exactly once.

    Neighbouring windows share at least `overlap` tokens and are parted in the middle of what they
    share, so each token is kept from the window that shows most of its surroundings on both sides.
    The last window ends with the text and is as long as the others.

    Parameters
    ----------
    text : int
        Number of the text, passed on.
    tokens : int
        How many tokens it has; none gives no window.
    size : int
        Most tokens a window holds.
    overlap : int
        Tokens that neighbouring windows share at least; below `size`.

    Returns
    -------
    list of Window
        In the order of the text.
    """
    if tokens == 0:
        return []
    last_start = max(tokens - size, 0)
    starts = [*range(0, last_start, size - overlap), last_start]
    borders = [(later + start + size) // 2 for start, later in pairwise(starts)]
    kept = [0, *borders, tokens]
    return [
        Window(text, start, min(start + size, tokens), kept[i], kept[i + 1])
        for i, start in enumerate(starts)
    ]


def batches(pieces: Sequence[Window], *, budget: int, extra: int) -> Iterator[list[Window]]:
    """Group windows of like length, longest first, into batches of at most `budget` tokens.

    Parameters
    ----------
    pieces : sequence of Window
        What to group.
    budget : int
        Most tokens of a batch, padding included; a batch holds at least one window.
    extra : int
        Special tokens that every window gets.

    Yields
    ------
    list of Window
        The next batch.
    """
    batch: list[Window] = []
    longest = 0
    for piece in sorted(pieces, key=lambda piece: piece.start - piece.stop):
        if batch and (len(batch) + 1) * longest > budget:
            yield batch
            batch = []
        if not batch:
            longest = piece.stop - piece.start + extra
        batch.append(piece)
    if batch:
        yield batch
