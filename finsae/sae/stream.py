"""Training on activations that come from an iterator, without keeping them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from finsae.checks import DataError

Arrays = Iterable[npt.NDArray[Any]]
WHOLE = slice(None)


class Stream:
    """Activations from any source of arrays, mixed in a buffer of stated size.

    Neighbouring tokens are alike, so a batch should not be made of neighbours: half of a full
    buffer is given out in random order, then it is filled again.

    Parameters
    ----------
    source : callable or iterable
        Arrays, tokens x width (or x layers x width), of any length each. A callable gives a new
        iterator at every call; only then can there be a second pass, or a killed training go on.
    tokens : int
        How many there are in one pass, at least; the rest of a longer one is left out.
    buffer : int
        Tokens held in memory.
    """

    def __init__(
        self, source: Callable[[], Arrays] | Arrays, *, tokens: int, buffer: int = 262_144
    ) -> None:
        self.again = callable(source)
        self._source = source
        self.tokens, self.buffer = tokens, buffer
        first = iter(self._open())
        self._head = list(islice(first, 1))
        if not self._head or self._head[0].ndim not in (2, 3):
            raise DataError("a stream of activations must give arrays, tokens x width")
        self._rest: Iterator[npt.NDArray[Any]] | None = None if self.again else first

    @property
    def shape(self) -> tuple[int, ...]:
        """Tokens of one pass, and what a token has."""
        return (self.tokens, *self._head[0].shape[1:])

    def sample(self, size: int) -> npt.NDArray[np.float32]:
        """Give the first tokens, at most `size`; they are trained on as well."""
        if self.again:
            arrays: Iterable[npt.NDArray[Any]] = self._open()
        else:
            assert self._rest is not None
            while sum(map(len, self._head)) < size:
                more = list(islice(self._rest, 1))
                if not more:
                    break
                self._head += more
            arrays = self._head
        found: list[npt.NDArray[Any]] = []
        for array in arrays:
            found.append(np.asarray(array))
            if sum(map(len, found)) >= size:
                break
        return np.concatenate(found)[:size].astype(np.float32)

    def batches(self, batch: int, *, seed: int, part: slice = WHOLE) -> Passes:
        """Cut the stream into batches, and give one part of each."""
        return Passes(self, batch, seed=seed, part=part)

    def arrays(self) -> Iterator[npt.NDArray[Any]]:
        """Begin a pass."""
        if self.again:
            yield from self._open()
        elif self._rest is None:
            raise DataError(
                "this iterator of activations is used up: give a function that makes a new one, "
                "for another pass or to go on after a kill"
            )
        else:
            rest, self._rest = self._rest, None
            yield from self._head
            yield from rest

    def _open(self) -> Arrays:
        return self._source() if callable(self._source) else self._source


class Passes:
    """Mixed batches of a `Stream`, pass after pass."""

    def __init__(self, stream: Stream, batch: int, *, seed: int, part: slice = WHOLE) -> None:
        self.stream, self.batch, self.seed, self.part = stream, batch, seed, part
        self.steps_per_pass = stream.tokens // batch
        if not self.steps_per_pass:
            raise DataError(f"{stream.tokens:,} tokens are fewer than one batch of {batch:,}")

    def since(self, step: int) -> Iterator[npt.NDArray[Any]]:
        """Yield batches without end, beginning with number `step`; earlier ones are read over."""
        number, skip = divmod(step, self.steps_per_pass)
        while True:
            found = 0
            for rows in islice(self._mixed(number), self.steps_per_pass):
                found += 1
                if found > skip:
                    yield rows[self.part]
            if found < self.steps_per_pass:
                raise DataError(
                    f"the stream ended after {found * self.batch:,} of the {self.stream.tokens:,} "
                    "tokens that it was said to have"
                )
            number, skip = number + 1, 0

    def _mixed(self, number: int) -> Iterator[npt.NDArray[Any]]:
        random = np.random.default_rng([self.seed, 4, number])
        held: list[npt.NDArray[Any]] = []
        for array in self.stream.arrays():
            held.append(_finite(np.asarray(array)))
            if sum(map(len, held)) >= max(self.stream.buffer, 2 * self.batch):
                rows = np.concatenate(held)[random.permutation(sum(map(len, held)))]
                half = len(rows) // 2 // self.batch * self.batch
                yield from np.split(rows[:half], half // self.batch)
                held = [rows[half:]]
        if held:
            rows = np.concatenate(held)[random.permutation(sum(map(len, held)))]
            whole = len(rows) // self.batch
            if whole:
                yield from np.split(rows[: whole * self.batch], whole)


def _finite(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if not np.isfinite(array).all():
        raise DataError("activations are NaN or infinite in the stream")
    return array
