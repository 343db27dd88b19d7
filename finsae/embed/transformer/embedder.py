"""The transformer as an embedder: texts to token activations or to one vector each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from finsae.checks import DataError
from finsae.embed.models import locate
from finsae.embed.transformer.loading import load
from finsae.embed.transformer.network import Network, Spans, Tokens
from finsae.embed.windows import Window, batches, windows


class Transformer:
    """A language model that is run on one text at a time, never on texts packed together.

    Every text is seen the way the model sees it in use: from its own beginning, with its own
    special tokens (Li et al. 2025, arXiv 2506.07691). A text longer than the window is read in
    overlapping windows, so that nothing is cut off.

    Parameters
    ----------
    model : str
        "minilm" (all-MiniLM-L6-v2, packaged, no network), a local folder or a hub id.
    window : int
        Most tokens of one forward, special tokens included; the model's own limit if that is lower.
    overlap : int
        Tokens that neighbouring windows of a long text share, at most half of a window.
    batch_tokens : int
        Token budget of a batch, padding included. Changes speed and memory, not results.
    device : str, optional
        A torch device; by default CUDA where there is one. fp32 on CPU, half precision on CUDA.
    """

    def __init__(
        self,
        model: str = "minilm",
        *,
        window: int = 256,
        overlap: int = 64,
        batch_tokens: int = 4096,
        device: str | None = None,
    ) -> None:
        self.model = model
        self.window = window
        self.overlap = overlap
        self.batch_tokens = batch_tokens
        self.device = device

    def fit(self, texts: Sequence[str]) -> Self:
        """Load the model; nothing is learnt from the texts."""
        _checked(texts)
        self._network  # noqa: B018 - loaded on first use
        return self

    @cached_property
    def model_hash(self) -> str:
        """SHA-256 of the model's files, or a hub model's revision."""
        return locate(self.model).sha256 or f"{self.model}@{self._network.revision}"

    @property
    def settings(self) -> dict[str, Any]:
        """What besides the model decides the activations: window, overlap, number format."""
        kind = torch.device(self.device or _default_device()).type
        return {"window": self.window, "overlap": self.overlap, "device": kind}

    @property
    def n_layers(self) -> int:
        """Number of transformer blocks: the deepest layer there is."""
        return len(self._network.blocks)

    @property
    def width(self) -> int:
        """Width d of the activations."""
        return int(self._network.net.config.get_text_config().hidden_size)

    @cached_property
    def _network(self) -> Network:
        return load(self.model, self.device or _default_device())

    def tokens(
        self, texts: Sequence[str], layers: Sequence[int]
    ) -> Iterator[tuple[int, Tokens, Spans]]:
        """Read texts and hand out what the model holds at each token.

        The forward stops at the deepest layer wanted. Special tokens and padding are left out.

        Parameters
        ----------
        texts : sequence of str
            Texts; an empty one gives no tokens.
        layers : sequence of int
            Layer L is the output of transformer block L, counted from 1.

        Yields
        ------
        index : int
            Number of the text, in the order in which texts are finished (by length).
        activations : ndarray [t, L, d] float16
            One row per token, clipped to the range of float16.
        spans : ndarray [t, 2] int32
            Where the token's characters start and end in the text.

        Raises
        ------
        DataError
            If a layer does not exist, or the model cannot be loaded.
        """
        network = self._network
        wanted = _checked_layers(layers, self.n_layers)
        encoded = network.encode(_checked(texts))
        pieces = self._windows([len(ids) for ids, _ in encoded])
        missing = np.bincount([piece.text for piece in pieces], minlength=len(texts))
        parts: dict[int, list[tuple[int, Tokens]]] = {}
        for index in np.flatnonzero(missing == 0):
            yield int(index), np.empty((0, len(wanted), self.width), np.float16), encoded[index][1]
        for batch in self._batches(pieces):
            states = network.layers([encoded[p.text][0][p.start : p.stop] for p in batch], wanted)
            for piece, state in zip(batch, states, strict=True):
                kept = state[piece.first - piece.start : piece.last - piece.start]
                found = parts.setdefault(piece.text, [])
                found.append((piece.first, kept))
                if len(found) == missing[piece.text]:
                    ordered = [part for _, part in sorted(parts.pop(piece.text), key=itemgetter(0))]
                    spans = encoded[piece.text][1]
                    bearing = spans[:, 1] > spans[:, 0]
                    yield piece.text, np.concatenate(ordered)[bearing], spans[bearing]

    def transform(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts the way the model's own sentence embedding is made.

        The last layer is pooled over all of a window's tokens, special ones included, as the
        model's pooling file says (mean where it has none); windows are averaged by their number of
        tokens; rows are L2-normalised.

        Parameters
        ----------
        texts : sequence of str
            Texts; an empty one gives a row of zeros.

        Returns
        -------
        ndarray [n, d] float32
            One row per text.
        """
        network = self._network
        encoded = network.encode(_checked(texts))
        rows = np.zeros((len(texts), self.width))
        for batch in self._batches(self._windows([len(ids) for ids, _ in encoded])):
            pooled = network.pooled([encoded[p.text][0][p.start : p.stop] for p in batch])
            for piece, row in zip(batch, pooled, strict=True):
                rows[piece.text] += row * (piece.stop - piece.start + network.extra)
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: npt.NDArray[np.float32] = (rows / np.where(norms > 0, norms, 1)).astype(np.float32)
        return unit

    def _windows(self, lengths: Sequence[int]) -> list[Window]:
        size = min(self.window, self._network.limit) - self._network.extra
        if size < 1 or self.overlap < 0:
            raise DataError(
                f"window is {self.window} and overlap {self.overlap}: a window must hold a token "
                f"besides {self._network.extra} special ones, and overlaps cannot be negative"
            )
        overlap = min(self.overlap, size // 2)
        return [
            piece
            for text, length in enumerate(lengths)
            for piece in windows(text, length, size=size, overlap=overlap)
        ]

    def _batches(self, pieces: Sequence[Window]) -> Iterator[list[Window]]:
        return batches(pieces, budget=self.batch_tokens, extra=self._network.extra)


def _default_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _checked(texts: Sequence[Any]) -> Sequence[str]:
    if isinstance(texts, str):
        raise DataError("texts is one string: give a list of texts")
    wrong = [i for i, text in enumerate(texts) if not isinstance(text, str)]
    if wrong:
        raise DataError(f"{len(wrong)} texts are not strings, the first is number {wrong[0]}")
    return texts


def _checked_layers(layers: Sequence[int], deepest: int) -> tuple[int, ...]:
    wanted = tuple(int(layer) for layer in layers)
    wrong = [layer for layer in wanted if not 1 <= layer <= deepest]
    if wrong or not wanted or len(set(wanted)) < len(wanted):
        raise DataError(
            f"layers are {list(wanted)}: name each once, from 1 to {deepest} "
            "(layer L is the output of transformer block L)"
        )
    return wanted
