"""Blocks of rows, so that temporary arrays stay small beside an n x n result."""

from __future__ import annotations

from collections.abc import Iterator

BLOCK_CELLS = 4_000_000  # of one temporary array: 32 MB in float64


def blocks(n: int, width: int) -> Iterator[slice]:
    """Cut `n` rows of `width` cells into slices of at most `BLOCK_CELLS` cells."""
    size = max(1, BLOCK_CELLS // max(width, 1))
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
