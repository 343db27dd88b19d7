"""Shuffled batches of token activations from a memory map, and what makes them unfit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from finsae.checks import DataError
from finsae.sae.stream import WHOLE, Passes, Stream

BLOCK = 64  # neighbouring tokens read together
WINDOW = 32  # batches mixed in memory: 130,000 tokens of 2,000 places at batch 4,096
CHUNK = 65_536


class Tokens(Protocol):
    """Token activations, tokens x width: an array, a memory map or `Rows`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Tokens and width."""
        ...

    def __getitem__(self, rows: Any, /) -> Any:  # noqa: ANN401 - numpy's own indexing
        """Return some rows as an array."""
        ...


def batches(
    tokens: Tokens | Stream, batch: int, *, seed: int, part: slice = WHOLE
) -> Batches | Passes:
    """Cut tokens into mixed batches, and give one part of each."""
    if isinstance(tokens, Stream):
        return tokens.batches(batch, seed=seed, part=part)
    return Batches(tokens, batch, seed=seed, part=part)


class Rows:
    """Chosen rows of `tokens` as if they were all, without copying them.

    Parameters
    ----------
    tokens : Tokens
        The whole.
    rows : ndarray
        Row numbers, ascending.
    """

    def __init__(self, tokens: Tokens, rows: npt.NDArray[np.int64]) -> None:
        self.tokens, self.rows = tokens, rows

    @property
    def shape(self) -> tuple[int, ...]:
        """Chosen tokens and width."""
        return (len(self.rows), *self.tokens.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Any, /) -> Any:  # noqa: ANN401 - numpy's own indexing
        return self.tokens[self.rows[rows]]


class Batches:
    """Every token once per pass, in an order made from the seed alone.

    Blocks of neighbouring tokens are read in random order, and about 130,000 tokens at a time are
    mixed in memory: a batch holds tokens of some two thousand places, and the disk is read in
    pieces. A pass starts at a random offset and leaves out less than a batch at its end. Batch i is
    always the same, so training can start again in the middle.

    Parameters
    ----------
    tokens : Tokens
        Tokens x width.
    batch : int
        Tokens per batch.
    seed : int
        Of the order.
    part : slice
        Of every batch; only these tokens are read.
    """

    def __init__(self, tokens: Tokens, batch: int, *, seed: int, part: slice = WHOLE) -> None:
        self.tokens, self.batch, self.seed, self.part = tokens, batch, seed, part
        self.blocks = tokens.shape[0] // BLOCK
        self.window_blocks = -(-WINDOW * batch // BLOCK)
        full, rest = divmod(self.blocks, self.window_blocks)
        self.steps_per_pass = full * WINDOW + rest * BLOCK // batch

    def since(self, step: int) -> Iterator[npt.NDArray[Any]]:
        """Yield batches without end, beginning with number `step`."""
        number, skip = divmod(step, self.steps_per_pass)
        while True:
            for window, start in enumerate(range(0, self.blocks, self.window_blocks)):
                steps = min(WINDOW, (self.blocks - start) * BLOCK // self.batch)
                if skip < steps:
                    rows = self._window(number, window, steps)
                    yield from np.split(rows, steps)[skip:]
                skip = max(0, skip - steps)
            number += 1

    def _window(self, number: int, window: int, steps: int) -> npt.NDArray[Any]:
        order = np.random.default_rng([self.seed, number])
        offset = order.integers(self.tokens.shape[0] - self.blocks * BLOCK + 1)
        blocks = order.permutation(self.blocks)
        start = window * self.window_blocks
        chosen = np.sort(blocks[start : start + self.window_blocks])
        rows = (chosen[:, None] * BLOCK + np.arange(BLOCK)).ravel() + offset
        mixed = np.random.default_rng([self.seed, number, window]).permutation(len(rows))
        wanted = mixed[: steps * self.batch].reshape(steps, -1)[:, self.part].ravel()
        read = np.sort(wanted)  # the disk is read onwards
        return np.asarray(self.tokens[rows[read]])[np.searchsorted(read, wanted)]


def check(tokens: Tokens | Stream, batch: int) -> None:
    """Refuse activations that cannot be learnt from.

    Raises
    ------
    DataError
        If they are not tokens (x layers) x width, empty, fewer than a batch, not finite, or all the
        same.
    """
    if len(tokens.shape) not in (2, 3):
        raise DataError(
            f"activations must be tokens x width or tokens x layers x width; "
            f"these have shape {tokens.shape}"
        )
    if isinstance(tokens, Stream):  # looked at as it comes
        return
    count = tokens.shape[0]
    if 0 in tokens.shape:
        raise DataError(f"no activations: their shape is {tokens.shape}")
    if count < max(batch, BLOCK):
        raise DataError(
            f"{count:,} tokens are fewer than one batch of {batch:,}: "
            "give more text, or a smaller batch"
        )
    first = np.asarray(tokens[:1])
    varied = False
    for start in range(0, count, CHUNK):
        part = np.asarray(tokens[start : start + CHUNK])
        bad = ~np.isfinite(part).reshape(len(part), -1).all(axis=1)
        if bad.any():
            row = start + int(np.argmax(bad))
            raise DataError(f"activations are NaN or infinite, first at token {row:,}")
        varied = varied or bool((part != first).any())
    if not varied:
        raise DataError(f"all {count:,} tokens are the same: there is nothing to learn")


def sample(tokens: Tokens | Stream, size: int, *, seed: int) -> npt.NDArray[np.float32]:
    """Draw at most `size` tokens without replacement, float32; of a stream, its first."""
    if isinstance(tokens, Stream):
        return tokens.sample(size)
    count = tokens.shape[0]
    rows = np.random.default_rng([seed, 1]).choice(count, min(size, count), replace=False)
    return np.asarray(tokens[np.sort(rows)], dtype=np.float32)
