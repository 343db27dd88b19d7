"""Token activations and sentence embeddings of a Hugging Face language model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
import transformers
from torch import nn
from transformers.utils import cached_file
from transformers.utils import logging as hub_logging

from finsae.checks import DataError
from finsae.embed.models import locate, unknown
from finsae.embed.windows import Window, batches, windows

HALF_MAX = float(torch.finfo(torch.float16).max)
# Pooling modes by the switches in a model's 1_Pooling/config.json.
POOLINGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "lasttoken",
}

Tokens = npt.NDArray[np.float16]
Spans = npt.NDArray[np.int32]


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
        Tokens that neighbouring windows of a long text share.
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
        return int(self._network.net.config.hidden_size)

    @cached_property
    def _network(self) -> _Network:
        return _load(self.model, self.device or _default_device())

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
                    ordered = [part for _, part in sorted(parts.pop(piece.text), key=_place)]
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
        if not 0 <= self.overlap <= size // 2:
            raise DataError(
                f"overlap is {self.overlap}, but a window of {self.window} holds {size} tokens of "
                f"text: choose an overlap from 0 to {max(size // 2, 0)}, or a larger window"
            )
        return [
            piece
            for text, length in enumerate(lengths)
            for piece in windows(text, length, size=size, overlap=self.overlap)
        ]

    def _batches(self, pieces: Sequence[Window]) -> Iterator[list[Window]]:
        return batches(pieces, budget=self.batch_tokens, extra=self._network.extra)


class _Stop(Exception):  # noqa: N818 - a signal, not an error
    """Ends a forward at the deepest layer wanted."""


@dataclass(frozen=True)
class _Network:
    """A loaded model, with what is needed to feed it."""

    net: Any
    tokenizer: Any
    blocks: nn.ModuleList
    prefix: list[int]
    suffix: list[int]
    limit: int
    pooling: str
    revision: str

    @property
    def extra(self) -> int:
        return len(self.prefix) + len(self.suffix)

    def encode(self, texts: Sequence[str]) -> list[tuple[list[int], Spans]]:
        """Turn texts into token ids and character spans, without special tokens."""
        if not texts:
            return []
        coded = self.tokenizer(
            list(texts),
            add_special_tokens=False,
            return_offsets_mapping=True,
            split_special_tokens=True,  # "[SEP]" in a text is six characters, not a special token
            verbose=False,
        )
        return [
            (ids, np.array(spans, np.int32).reshape(-1, 2))
            for ids, spans in zip(coded["input_ids"], coded["offset_mapping"], strict=True)
        ]

    def feed(self, pieces: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
        """Add special tokens and pad on the right, whatever side the tokenizer would pad.

        On the right, positions count from the text's own beginning in every kind of model, and no
        token of a causal model sees the padding.
        """
        rows = [[*self.prefix, *piece, *self.suffix] for piece in pieces]
        longest = max(map(len, rows))
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        return {"input_ids": ids.to(self.net.device), "attention_mask": mask.to(self.net.device)}

    @torch.inference_mode()
    def layers(self, pieces: Sequence[Sequence[int]], wanted: Sequence[int]) -> list[Tokens]:
        """Give each piece's activations [t, L, d]; the forward stops at the deepest layer."""
        seen: dict[int, torch.Tensor] = {}
        deepest = max(wanted)

        def keep(layer: int, output: Any) -> None:  # noqa: ANN401 - models differ
            state = output[0] if isinstance(output, tuple) else output
            seen[layer] = state.clamp(-HALF_MAX, HALF_MAX).half()
            if layer == deepest:
                raise _Stop

        hooks = [
            self.blocks[layer - 1].register_forward_hook(
                lambda _module, _inputs, output, layer=layer: keep(layer, output)
            )
            for layer in set(wanted)
        ]
        try:
            self.net(**self.feed(pieces))
        except _Stop:
            pass
        finally:
            for hook in hooks:
                hook.remove()
        stacked = torch.stack([seen[layer] for layer in wanted], dim=2).cpu().numpy()
        first = len(self.prefix)
        return [row[first : first + len(p)] for row, p in zip(stacked, pieces, strict=True)]

    @torch.inference_mode()
    def pooled(self, pieces: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """Give each piece's pooled last layer [n, d]."""
        fed = self.feed(pieces)
        state = self.net(**fed).last_hidden_state.float()
        mask = fed["attention_mask"]
        if self.pooling == "cls":
            rows = state[:, 0]
        elif self.pooling == "lasttoken":
            rows = state[torch.arange(len(state)), mask.sum(1) - 1]
        else:
            rows = (state * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        found: npt.NDArray[np.float32] = rows.cpu().numpy()
        return found


def _load(model: str, device: str) -> _Network:
    place = locate(model).place
    half = torch.device(device).type == "cuda"
    with _quiet():
        try:
            config = transformers.AutoConfig.from_pretrained(place)
            own = getattr(config, "dtype", None)
            dtype = (torch.bfloat16 if own == torch.bfloat16 else torch.float16) if half else None
            tokenizer = transformers.AutoTokenizer.from_pretrained(place)
            net = transformers.AutoModel.from_pretrained(place, dtype=dtype or torch.float32)
        except (OSError, ValueError, KeyError) as reason:
            raise unknown(model, reason) from reason
    if not tokenizer.is_fast:
        raise DataError(f'model "{model}" has no fast tokenizer, which gives character positions')
    if config.is_encoder_decoder:
        net = net.get_encoder()
    prefix, suffix = _special_tokens(tokenizer)
    limits = (getattr(config, "max_position_embeddings", None), tokenizer.model_max_length)
    return _Network(
        net=net.eval().to(device),
        tokenizer=tokenizer,
        blocks=_blocks(net, model),
        prefix=prefix,
        suffix=suffix,
        limit=min(int(limit) for limit in limits if limit),
        pooling=_pooling(place, model),
        revision=str(getattr(config, "_commit_hash", None)),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the loader's own progress bars and advice off the terminal."""
    level, bars = hub_logging.get_verbosity(), hub_logging.is_progress_bar_enabled()
    hub_logging.set_verbosity_error()
    hub_logging.disable_progress_bar()
    try:
        yield
    finally:
        hub_logging.set_verbosity(level)
        if bars:
            hub_logging.enable_progress_bar()


def _default_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:  # noqa: ANN401 - hub type
    """Ids the tokenizer puts before and after a text."""
    bare = tokenizer("company", add_special_tokens=False)["input_ids"]
    full = tokenizer("company")["input_ids"]
    start = next(i for i in range(len(full)) if full[i : i + len(bare)] == bare)
    prefix, suffix = full[:start], full[start + len(bare) :]
    # A decoder parks attention on its first position, whose activation is an outlier; where the
    # tokenizer does not put a beginning-of-sequence token there, a word would pay for it.
    if not prefix and tokenizer.bos_token_id is not None:
        prefix = [tokenizer.bos_token_id]
    return prefix, suffix


def _blocks(net: Any, model: str) -> nn.ModuleList:  # noqa: ANN401 - hub type
    """Find the list of transformer blocks: as long as the configuration says, nearest the top."""
    count = int(net.config.num_hidden_layers)
    lists = [
        (name.count("."), module)
        for name, module in net.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == count
    ]
    if not lists:
        raise DataError(
            f'model "{model}" ({type(net).__name__}) has no list of {count} transformer blocks '
            "whose outputs could be read: choose a BERT-, Llama- or GPT-like model"
        )
    return min(lists, key=_place)[1]


def _pooling(place: str, model: str) -> str:
    """Read how the model pools tokens into a sentence; the mean where it does not say."""
    try:
        path = cached_file(
            place, "1_Pooling/config.json", _raise_exceptions_for_missing_entries=False
        )
    except OSError:
        path = None
    if path is None:
        return "mean"
    stated = json.loads(Path(path).read_text())
    on = [
        POOLINGS.get(name, name)
        for name, value in stated.items()
        if name.startswith("pooling_mode_") and value is True
    ]
    chosen = "+".join(on) or str(stated.get("pooling_mode", "mean"))
    if chosen not in POOLINGS.values():
        raise DataError(
            f'model "{model}" pools its tokens by {chosen}: only '
            f"{', '.join(POOLINGS.values())} are known"
        )
    return chosen


def _place(item: tuple[int, Any]) -> int:
    return item[0]


def _checked(texts: Sequence[str]) -> Sequence[str]:
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
