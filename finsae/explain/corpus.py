"""Descriptions as words and sentences, with the features that fire on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from finsae.checks import DataError
from finsae.explain.quotes import WORD, sentences
from finsae.features import Features, TokenCodes

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Corpus:
    """Texts cut into words and sentences.

    Attributes
    ----------
    companies : ndarray [n]
        Which companies' texts these are: positions in the features' table.
    texts : list of str
        One per company.
    vocabulary : list of str
        Words, lower-cased, as numbered in `types`; a sign of punctuation counts as a word.
    types, begins, ends, sentence : ndarray [W]
        Per running word: its number in the vocabulary, its characters, and its sentence.
    company, starts, stops : ndarray [S]
        Per sentence: its company (position in `texts`) and its characters.
    active : csc_array [W, F]
        How strongly each feature fires on each word: the most of its tokens.
    tokens : int
        Tokens of all texts.
    fired : ndarray [F]
        Tokens on which each feature fires.
    """

    companies: IntArray
    texts: list[str]
    vocabulary: list[str]
    types: IntArray
    begins: IntArray
    ends: IntArray
    sentence: IntArray
    company: IntArray
    starts: IntArray
    stops: IntArray
    active: sparse.csc_array
    tokens: int
    fired: IntArray

    @classmethod
    def of(cls, features: Features, companies: Sequence[int] | IntArray | None = None) -> Corpus:
        """Read the descriptions of some companies, by default of all.

        Parameters
        ----------
        features : Features
            With the places in the text where they fire.
        companies : sequence of int, optional
            Positions in ``features.companies``.

        Raises
        ------
        DataError
            If the features have no place in the text, as those of ``tfidf`` or ``sae = none``.
        """
        codes = features.codes
        if codes is None:
            raise DataError(
                "these features do not know where in the text they fire (words and plain "
                "activations do not): build them with an autoencoder (finsae build-features)"
            )
        chosen = np.arange(len(features.companies)) if companies is None else np.array(companies)
        chosen = chosen.astype(np.int64)
        texts = [str(text) for text in features.companies["description"].iloc[chosen]]
        vocabulary: dict[str, int] = {}
        words, cuts, places, counts = [], [], [], [0, 0]
        for number, (row, text) in enumerate(zip(chosen, texts, strict=True)):
            running, cut = _read(text, vocabulary)
            places.append(_words_of_tokens(codes, int(row), running[:, 1:3], first=counts[0]))
            running[:, 3] += counts[1]
            words.append(running)
            cuts.append(np.column_stack([np.full(len(cut), number), cut]).astype(np.int64))
            counts = [counts[0] + len(running), counts[1] + len(cut)]
        shape = (counts[0], features.matrix.shape[1])
        active, tokens, fired = _active(codes, chosen, places, shape=shape)
        types, begins, ends, sentence = _stacked(words, 4).T
        company, first, last = _stacked(cuts, 3).T
        return cls(
            chosen, texts, list(vocabulary), types, begins, ends, sentence, company, first, last,
            active, tokens, fired,
        )  # fmt: skip

    def words(self, feature: int) -> tuple[IntArray, FloatArray]:
        """Give the running words on which a feature fires, and how strongly."""
        column = slice(self.active.indptr[feature], self.active.indptr[feature + 1])
        return self.active.indices[column].astype(np.int64), self.active.data[column]

    def owners(self, feature: int) -> IntArray:
        """Companies in whose text a feature fires: positions in `texts`, increasing."""
        words, _ = self.words(feature)
        return np.unique(self.company[self.sentence[words]])

    def text_of(self, sentence: int, marked: Sequence[int] | IntArray = ()) -> str:
        """Give a sentence with some of its running words marked ``[[so]]``."""
        text = self.texts[self.company[sentence]]
        parts, position = [], int(self.starts[sentence])
        for word in sorted(int(word) for word in marked):
            begin, end = int(self.begins[word]), int(self.ends[word])
            parts += [text[position:begin], f"[[{text[begin:end]}]]"]
            position = end
        return " ".join("".join([*parts, text[position : int(self.stops[sentence])]]).split())


def _read(text: str, vocabulary: dict[str, int]) -> tuple[IntArray, IntArray]:
    """Give the words of a text (number, first and last character, sentence) and its sentences."""
    found = list(WORD.finditer(text))
    cut = np.array(sentences(text), dtype=np.int64)
    running = np.empty((len(found), 4), dtype=np.int64)
    running[:, 0] = [vocabulary.setdefault(m.group().lower(), len(vocabulary)) for m in found]
    running[:, 1] = [match.start() for match in found]
    running[:, 2] = [match.end() for match in found]
    running[:, 3] = np.searchsorted(cut[:, 0], running[:, 1], side="right") - 1
    return running, cut


def _stacked(parts: list[npt.NDArray[Any]], width: int) -> IntArray:
    return np.concatenate([np.empty((0, width), np.int64), *parts])


def _words_of_tokens(codes: TokenCodes, row: int, bounds: IntArray, *, first: int) -> IntArray:
    """Give the running word of each token of a company; -1 for one in no word, as a space."""
    spans = np.asarray(codes.spans[int(codes.offsets[row]) : int(codes.offsets[row + 1])])
    if not len(bounds):
        return np.full(len(spans), -1, dtype=np.int64)
    last = spans[:, 1] - 1  # the first character may be the space before a word
    at = np.searchsorted(bounds[:, 0], last, side="right") - 1
    return np.where((at >= 0) & (last < bounds[at, 1]), at + first, -1)


def _active(
    codes: TokenCodes, companies: IntArray, places: list[IntArray], *, shape: tuple[int, int]
) -> tuple[sparse.csc_array, int, IntArray]:
    """Strongest activation per word and feature; number of tokens; tokens fired on per feature."""
    words, columns, values = [], [], []
    tokens, fired = 0, np.zeros(shape[1], dtype=np.int64)
    for row, place in zip(companies, places, strict=True):
        starts = np.asarray(codes.starts[int(codes.offsets[row]) : int(codes.offsets[row + 1]) + 1])
        entries = slice(int(starts[0]), int(starts[-1]))
        value = np.asarray(codes.values[entries], dtype=np.float32)
        column = np.asarray(codes.indices[entries], dtype=np.int64)
        word = np.repeat(place, np.diff(starts))
        tokens += len(place)
        fired += np.bincount(column[value > 0], minlength=shape[1])
        kept = (value > 0) & (word >= 0)
        words.append(word[kept])
        columns.append(column[kept])
        values.append(value[kept])
    keys = np.concatenate([np.empty(0, np.int64), *columns]) * shape[0]
    keys += np.concatenate([np.empty(0, np.int64), *words])
    order = np.argsort(keys, kind="stable")
    data = np.concatenate([np.empty(0, np.float32), *values])[order]
    heads = np.flatnonzero(np.diff(keys[order], prepend=-1))
    column, word = np.divmod(keys[order][heads], max(shape[0], 1))
    strongest = np.maximum.reduceat(data, heads) if len(heads) else data
    starts = np.concatenate([[0], np.cumsum(np.bincount(column, minlength=shape[1]))])
    return sparse.csc_array((strongest, word, starts), shape=shape), tokens, fired
