"""Token activations on disk: ragged, memory-mapped, and resumable after a kill."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from finsae.checks import DataError
from finsae.store import (
    LOCK,
    alone,
    atomic_path,
    hash_texts,
    key,
    parse_object,
    progress,
    provenance,
    readable,
    write_json,
)

VERSION = 1
# Texts per shard: what a kill can cost at most, and what is sorted by length together.
SHARD = 256
GROWING = ("tokens.f16", "spans.i32", "counts.i64")

Tokens = npt.NDArray[np.float16]
Spans = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]


class TokenEmbedder(Protocol):
    """What `collect` needs of an embedder."""

    model: str

    @property
    def model_hash(self) -> str:
        """Hash of the model's weights and tokenizer."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """What besides the model decides the activations; JSON."""
        ...

    def tokens(
        self, texts: Sequence[str], layers: Sequence[int]
    ) -> Iterator[tuple[int, Tokens, Spans]]:
        """Yield each text's number, activations [t, L, d] and character spans [t, 2]."""
        ...


@dataclass(frozen=True)
class Activations:
    """What a language model holds at each token of each company's text.

    Attributes
    ----------
    tokens : ndarray [T, L, d] float16
        All tokens of all texts, one after the other, at L layers; mapped from disk.
    offsets : ndarray [n + 1] int64
        Text i owns the tokens ``offsets[i]:offsets[i + 1]``.
    spans : ndarray [T, 2] int32
        Where each token's characters start and end in its text.
    meta : dict
        Model, its hash and settings, layers, hash of the texts, stage version, counts, provenance.
    """

    tokens: Tokens
    offsets: Offsets
    spans: Spans
    meta: dict[str, Any]

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Map a finished folder into memory.

        Raises
        ------
        DataError
            If the folder holds no activations, unfinished ones, or damaged ones.
        """
        place = Path(folder)
        if not (place / "meta.json").is_file():
            state = "unfinished" if (place / "progress.json").is_file() else "no"
            raise DataError(f"{place} holds {state} activations: collect() makes or finishes them")
        meta = _noted(place / "meta.json")
        if meta.get("version") != VERSION:
            raise DataError(
                f"{place} holds activations of schema {meta.get('version')}, of another finsae; "
                f"this one reads {VERSION}: delete the folder and collect again"
            )
        with readable(*_damaged(place)):
            shape = (int(meta["tokens"]), len(meta["layers"]), int(meta["width"]))
            size, wanted = (place / "tokens.f16").stat().st_size, 2 * math.prod(shape)
            if size != wanted or min(shape) < 0:
                raise ValueError(f"tokens.f16 has {size} bytes, not {wanted}")
            offsets = np.load(place / "offsets.npy", mmap_mode="r")
            _check_offsets(offsets, texts=meta["texts"], tokens=shape[0])
            if not wanted:  # an empty file cannot be mapped
                return cls(np.empty(shape, np.float16), offsets, np.empty((0, 2), np.int32), meta)
            tokens = np.memmap(place / "tokens.f16", np.float16, "r", shape=shape)
            spans = np.load(place / "spans.npy", mmap_mode="r")
            if spans.shape != (shape[0], 2) or spans.dtype != np.int32:
                raise ValueError(f"spans.npy is not of {shape[0]} tokens")
        return cls(tokens, offsets, spans, meta)

    def __len__(self) -> int:
        """Count the companies."""
        return len(self.offsets) - 1

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers held; layer L is the output of transformer block L, counted from 1."""
        return tuple(self.meta["layers"])

    def layer(self, layer: int) -> Tokens:
        """Give one layer [T, d] as a view of the mapped file.

        Raises
        ------
        DataError
            If the layer was not collected.
        """
        if layer not in self.layers:
            raise DataError(f"layer {layer} was not collected: the layers are {list(self.layers)}")
        return self.tokens[:, self.layers.index(layer)]


def activations_key(embedder: TokenEmbedder, texts: Sequence[str], layers: Sequence[int]) -> str:
    """Name activations by model hash, settings, layers, texts and stage version."""
    params = {"settings": embedder.settings, "layers": [int(layer) for layer in layers]}
    return key(params, [embedder.model_hash, hash_texts(texts)], VERSION)


def collect(
    embedder: TokenEmbedder,
    texts: Sequence[str],
    folder: str | Path,
    *,
    layers: Sequence[int],
    show: bool = True,
) -> Activations:
    """Read all texts and store what the model holds at each token.

    Texts are read in shards in their order; each shard is on disk before the next begins, so that
    a killed run continues at its last shard and ends with the same bytes. A folder finished with
    the same key is opened without running the model.

    Parameters
    ----------
    embedder : TokenEmbedder
        For example `finsae.embed.transformer.Transformer`.
    texts : sequence of str
        One text per company.
    folder : str or Path
        Where to store; new, or of the same key. `activations_key` makes a name for it.
    layers : sequence of int
        Layer L is the output of transformer block L, counted from 1.
    show : bool
        Show a progress bar (only in a terminal).

    Raises
    ------
    DataError
        If the folder holds something else, which is left as it is.
    """
    place, texts = Path(folder), list(texts)
    name = activations_key(embedder, texts, layers)
    if _found(place, name):
        return Activations.open(place)
    with alone(place):
        if not _found(place, name):  # another process may have finished it meanwhile
            writer = _Writer(place, name, layers=len(layers))
            with progress("Reading texts", len(texts)) if show else nullcontext() as shown:
                for start in range(0, len(texts), SHARD):
                    shard = texts[start : start + SHARD]
                    if start >= writer.texts:
                        writer.append(list(embedder.tokens(shard, layers)), len(shard))
                    if shown:
                        shown[0].advance(shown[1], len(shard))
            writer.finish(
                model=embedder.model,
                model_hash=embedder.model_hash,
                settings=embedder.settings,
                layers=[int(layer) for layer in layers],
                texts_hash=hash_texts(texts),
            )
    return Activations.open(place)


def _damaged(place: Path) -> tuple[str, str]:
    return f"the activations in {place}", "delete the folder and collect again"


def _check_offsets(offsets: Offsets, *, texts: int, tokens: int) -> None:
    whole = offsets.shape == (texts + 1,) and offsets.dtype == np.int64
    ends = whole and (offsets[0], offsets[-1]) == (0, tokens)
    if not ends or (np.diff(offsets) < 0).any():
        raise ValueError(f"offsets.npy does not divide {tokens} tokens into {texts} texts")


def _noted(file: Path) -> dict[str, Any]:
    raw = file.read_bytes()
    with readable(*_damaged(file.parent)):
        return parse_object(raw)


def _found(place: Path, name: str) -> bool:
    """Say whether the folder is finished; refuse it if it holds anything of another key."""
    for file in ("meta.json", "progress.json"):
        if not (place / file).is_file():
            continue
        try:
            held = _noted(place / file).get("key")
        except FileNotFoundError:  # another process has just finished
            return _found(place, name)
        if held != name:
            raise DataError(
                f"{place} holds activations of another model, layer or list of texts "
                f"(key {held}, not {name}): choose another folder, or delete this one"
            )
        return file == "meta.json"
    if (place / "meta.json").is_file():  # finished between the two looks
        return _found(place, name)
    if place.is_dir() and any(file.name != LOCK for file in place.iterdir()):
        raise DataError(f"{place} is not empty and holds no activations: choose another folder")
    return False


class _Writer:
    """Appends shards; ``progress.json`` says how much of the files is finished."""

    def __init__(self, place: Path, name: str, *, layers: int) -> None:
        self.place, self.name = place, name
        self.texts = self.tokens = self.width = 0
        self.sizes = dict.fromkeys(GROWING, 0)
        if (place / "progress.json").is_file():
            with readable(*_damaged(place)):
                self._resume(_noted(place / "progress.json"), layers)
        else:
            self._note()
        for file, size in self.sizes.items():
            (place / file).touch()
            os.truncate(place / file, size)

    def _resume(self, done: dict[str, Any], layers: int) -> None:
        counts = [int(done[name]) for name in ("texts", "tokens", "width")]
        self.texts, self.tokens, self.width = counts
        sizes = (2 * self.tokens * layers * self.width, 8 * self.tokens, 8 * self.texts)
        self.sizes = dict(zip(GROWING, sizes, strict=True))
        if min(counts) < 0 or done["sizes"] != self.sizes:
            raise ValueError("progress.json contradicts itself")
        for file, size in self.sizes.items():
            held = self.place / file
            if size and held.stat().st_size < size:  # to be cut to its size, it would grow by zeros
                raise ValueError(f"{file} is shorter than the {size} bytes written")

    def append(self, shard: list[tuple[int, Tokens, Spans]], texts: int) -> None:
        """Write a shard's texts in their order, then note that they are finished."""
        shard = sorted(shard, key=itemgetter(0))
        assert [index for index, _, _ in shard] == list(range(texts)), "each text once"
        blocks: dict[str, list[npt.NDArray[Any]]] = {
            "tokens.f16": [tokens for _, tokens, _ in shard],
            "spans.i32": [spans for _, _, spans in shard],
            "counts.i64": [np.array([len(spans)], np.int64) for _, _, spans in shard],
        }
        for file, arrays in blocks.items():
            with (self.place / file).open("ab") as handle:
                for array in arrays:
                    handle.write(np.ascontiguousarray(array).data)
                handle.flush()
                os.fsync(handle.fileno())
            self.sizes[file] += sum(array.nbytes for array in arrays)
        self.texts += len(shard)
        self.tokens += sum(len(spans) for _, _, spans in shard)
        self.width = shard[0][1].shape[2]
        self._note()

    def _note(self) -> None:
        state = {"key": self.name, "texts": self.texts, "tokens": self.tokens, "width": self.width}
        write_json(self.place / "progress.json", state | {"sizes": self.sizes})

    def finish(self, **facts: Any) -> None:  # noqa: ANN401 - JSON values
        """Write the small tables; ``meta.json`` comes last and makes the folder valid."""
        counts = np.fromfile(self.place / "counts.i64", np.int64)
        spans = np.fromfile(self.place / "spans.i32", np.int32).reshape(-1, 2)
        for file, array in (
            ("offsets.npy", np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)),
            ("spans.npy", spans),
        ):
            with atomic_path(self.place / file) as temporary:
                np.save(temporary, array)
        write_json(
            self.place / "meta.json",
            {
                "key": self.name,
                **facts,
                "version": VERSION,
                "texts": self.texts,
                "tokens": self.tokens,
                "width": self.width,
                "provenance": provenance(),
            },
        )
        for file in ("progress.json", "spans.i32", "counts.i64"):
            (self.place / file).unlink()
