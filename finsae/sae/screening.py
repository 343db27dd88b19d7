"""Cheap stand-ins for pre-activations, which say where the largest ones can be.

Nearly all of an exact selection's time is one product in float32. While an SAE is trained, a
product of 8-bit integers, four times as fast on CPUs with VNNI, screens the latents, on a GPU one
in bfloat16; the few that pass are scored again in float32, so that codes carry exact values. What
rounding can hide is covered by a margin of several standard errors, and a sample of the exact
selection is kept as a check.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

EVERY = 100  # calls between two checks
CHECKED = 64  # tokens per check
LEAST_RECALL = 0.9999
# Standard errors of rounding between the bar and what passes. On MiniLM's tokens, with trained and
# with random weights, 4 lost 6 of 1.8 million selected latents; 5 lost one and passes a tenth more.
MARGIN = 4.0
LEVELS = 127
BIAS_COLUMNS = 4  # VNNI multiplies four at a time
PRECISIONS = ("float32", "int8", "bf16")
PIECE = 512  # rows rounded at a time, so that they stay in a CPU's cache
FEW = 256  # tokens below which rounding the weights costs more than it saves

_current: ContextVar[Screen | None] = ContextVar("screen", default=None)


def fastest() -> str:
    """Name the precision to screen in: "int8" where the CPU multiplies 8-bit integers natively."""
    able = torch.cpu.get_capabilities()
    native = able.get("avx512_vnni") or able.get("avx_vnni") or able.get("amx_int8")
    return "int8" if native and torch._C._has_mkldnn else "float32"


def fastest_on_gpu() -> str:
    """Name the precision to screen in: "bf16" where tensor cores have it."""
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"


class Screen:
    """The screening of one training: its precision, and how much it was seen to miss.

    Parameters
    ----------
    precision : str, optional
        "int8", "bf16", or "float32" for none; by default what is fastest on this CPU.

    Attributes
    ----------
    calls : int
        Selections made.
    wanted, lost : int
        Latents of the exact selection in the tokens checked, and how many of them were missed.
    """

    def __init__(self, precision: str | None = None) -> None:
        self.precision = precision or fastest()
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {PRECISIONS}, not {self.precision!r}")
        self.calls = self.wanted = self.lost = 0
        self.told = (0, 0)  # of wanted and lost, what all workers know
        self._unread: list[tuple[int, Tensor]] = []  # checks that a GPU may not have ended
        self._copy: tuple[Tensor, Tensor] | None = None

    @property
    def recall(self) -> float:
        """Share of the exact selection that was found; 1 before the first check."""
        return 1 - self.lost / max(1, self.wanted)

    @contextmanager
    def used(self) -> Iterator[Screen]:
        """Screen every selection made within."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)

    def state(self) -> dict[str, Any]:
        """Return all that later selections depend on."""
        self._read()
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        vars(self).update(state)

    def due(self) -> bool:
        """Count a selection and say whether it is to be checked."""
        self.calls += 1
        return self.calls % EVERY == 1

    def check_next(self) -> None:
        """Have the next selection checked."""
        self.calls = 0

    def keep(self, W_enc: Tensor, copy: Tensor) -> None:
        """Take `copy`, of the same shape, for the rounded weights: the caller keeps it up to date.

        It is not part of the `state`.
        """
        self._copy = (W_enc, copy)

    def rounded(self, W_enc: Tensor) -> Tensor:
        """Give weights in bfloat16: the copy that is kept of them, or a new one."""
        kept = self._copy
        return kept[1] if kept is not None and kept[0] is W_enc else W_enc.to(torch.bfloat16)

    def note(self, *, wanted: int, lost: int | Tensor) -> None:
        """Record a check; go over to float32 where the recall is too low, and say so.

        A number on a GPU is read once it is asked for, with `news` or `state`.
        """
        if isinstance(lost, Tensor) and lost.is_cuda:
            self._unread.append((wanted, lost))
            return
        self.wanted, self.lost = self.wanted + wanted, self.lost + int(lost)
        if self.precision != "float32" and self.lost > 1 + (1 - LEAST_RECALL) * self.wanted:
            self.give_up(f"it found {self.recall:.4%} of the active latents")

    def _read(self) -> None:
        unread, self._unread = self._unread, []
        for wanted, lost in unread:
            self.note(wanted=wanted, lost=int(lost))

    def news(self) -> list[int]:
        """Give wanted, lost and whether it gave up, since the workers last agreed."""
        self._read()
        return [self.wanted - self.told[0], self.lost - self.told[1], self.precision == "float32"]

    def agree(self, news: Sequence[float]) -> None:
        """Take the sums of all workers' news: from here on their screens are the same."""
        wanted, lost, gave_up = map(round, news)
        self.wanted, self.lost = self.told = (self.told[0] + wanted, self.told[1] + lost)
        if gave_up:
            self.precision = "float32"

    def give_up(self, reason: str) -> None:
        """Go over to float32 for good and say why."""
        warnings.warn(
            f"screening in {self.precision} stops, {reason}: training goes on in float32, slower",
            stacklevel=2,
        )
        self.precision = "float32"


def current(centred: Tensor, precision: str = "int8") -> Screen | None:
    """Give the screen in use, where it can screen these tokens in this precision."""
    screen = _current.get()
    if screen is None or screen.precision != precision or centred.dtype != torch.float32:
        return None
    fit = centred.device.type == "cpu" and len(centred) >= FEW
    return screen if fit or precision == "bf16" else None


class Tile(NamedTuple):
    """Rounded pre-activations of some tokens, in units of their own per token."""

    rows: slice
    scores: Tensor  # tokens x latents, int32
    margin: npt.NDArray[np.int32]  # tokens; what rounding can hide between two scores


class Int8:
    """Pre-activations from 8-bit integers.

    One unit serves all weights and one each token, so that integers of a token compare as they
    are. The bias is four more columns, shared out so that they need no smaller unit than the
    weights. With elements rounded by at most half a unit, the error of a score has the variance
    ``(|token|^2 + |latent|^2) / 12`` in these units.

    Parameters
    ----------
    centred, W_enc, b_enc : Tensor
        As for `selection.top_k`, float32 on a CPU.
    """

    def __init__(self, centred: Tensor, W_enc: Tensor, b_enc: Tensor) -> None:
        low, high = torch.aminmax(W_enc)
        largest = torch.maximum(-low, high)
        level = b_enc.abs().amax() / (BIAS_COLUMNS * largest)
        unit = largest / LEVELS
        per_column = b_enc / (BIAS_COLUMNS * level.clamp_min(1e-30))
        self.latents, far = _rounded(W_enc, per_column, unit.expand(len(W_enc)))
        units = torch.maximum(_largest(centred), level).div_(LEVELS)
        self.tokens, lengths = _rounded(centred, level.expand(len(centred)), units)
        error = torch.hypot(lengths, far.amax()) / 12**0.5
        # what is not finite becomes a margin that every latent passes: the caller sees too many
        margin = (MARGIN * error).nan_to_num_(2.0**30, 2.0**30).clamp_max_(2.0**30)
        self.margin = margin.to(torch.int32).numpy()

    def tiles(self, size: int) -> Iterator[Tile]:
        """Give the scores of `size` tokens at a time; the next tile overwrites them."""
        room = torch.empty(min(size, len(self.tokens)), len(self.latents), dtype=torch.int32)
        for start in range(0, len(self.tokens), size):
            rows = slice(start, min(start + size, len(self.tokens)))
            scores = room[: rows.stop - rows.start]
            torch._int_mm(self.tokens[rows], self.latents.T, out=scores)
            yield Tile(rows, scores, self.margin[rows])


def _largest(matrix: Tensor) -> Tensor:
    """Give the largest absolute element of each row."""
    return torch.cat([piece.abs().amax(1) for piece in torch.split(matrix, PIECE)])


def _rounded(matrix: Tensor, column: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
    """Round rows, with a column repeated behind them, to their units; and their lengths."""
    count, width = matrix.shape
    out = torch.empty(count, width + BIAS_COLUMNS, dtype=torch.int8)
    lengths = torch.empty(count)
    inverse = unit.reciprocal()
    room = torch.empty(min(PIECE, count), width + BIAS_COLUMNS)
    for start in range(0, count, PIECE):
        rows = slice(start, min(start + PIECE, count))
        scaled = room[: rows.stop - start]
        torch.mul(matrix[rows], inverse[rows, None], out=scaled[:, :width])
        scaled[:, width:] = (column[rows] * inverse[rows])[:, None]
        lengths[rows] = torch.linalg.vector_norm(scaled, dim=1)
        out[rows] = scaled.round_()
    return out, lengths
