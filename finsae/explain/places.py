"""Where features stand in a company's text: tokens, their characters, and their sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from finsae.explain.quotes import Span, sentences
from finsae.features import Features, TokenCodes

IntArray = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.floating[Any]]
WORD = re.compile(r"(?u)\b\w\w+\b")  # as the features of words are counted


@dataclass(frozen=True)
class Places:
    """How a company's features are spread over its text.

    Attributes
    ----------
    shares : csr_array [t, F]
        Token t's share of feature f's pooled value: its part of the activations, since every
        pooling grows with their sum; for a maximum, all of it at the strongest token. Columns of
        features that stand in the text sum to 1, the others to 0.
    spans : ndarray [t, 2]
        Each token's first character, and the one after its last.
    sentences : list of (int, int)
        Characters of each sentence; together they are the text.
    text : str
    """

    shares: sparse.csr_array
    spans: IntArray
    sentences: list[Span]
    text: str

    @property
    def sentence(self) -> npt.NDArray[np.int64]:
        """Each token's sentence, by its last character."""
        starts = [start for start, _ in self.sentences]
        return np.searchsorted(starts, self.spans[:, 1] - 1, side="right") - 1

    def by_sentence(self) -> sparse.csr_array:
        """Shares summed over the tokens of each sentence: sentences x F."""
        tokens = np.arange(len(self.spans))
        ones = np.ones(len(tokens))
        member = sparse.csr_array(
            (ones, (self.sentence, tokens)), shape=(len(self.sentences), len(tokens))
        )
        return sparse.csr_array(member @ self.shares)


def places(features: Features, row: int) -> Places:
    """Find where a company's features stand in its text.

    Token codes say so themselves; features of words stand where their words do. Features that have
    no place (dimensions of an embedding) have no shares.

    Parameters
    ----------
    features : Features
        Weighted or not.
    row : int
        The company's position.
    """
    text = text_of(features, row)
    if features.codes is None:
        codes, spans = _words(features, text)
    else:
        codes = features.codes.company(row, len(features.names))
        spans = spans_of(features.codes, row)
    reading = features.provenance.get("reading", {})
    if reading.get("pool") == "max":
        codes = _peaks(codes)
    total = np.asarray(codes.sum(axis=0)).ravel()
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    shares = sparse.csr_array(codes @ sparse.diags_array(scale))
    return Places(shares, spans, sentences(text), text)


def text_of(features: Features, row: int) -> str:
    """Return a company's description."""
    return str(features.companies["description"].iloc[row])


def spans_of(codes: TokenCodes, row: int) -> IntArray:
    """Characters of a company's tokens [t, 2]."""
    return np.asarray(codes.spans[int(codes.offsets[row]) : int(codes.offsets[row + 1])])


def _words(features: Features, text: str) -> tuple[sparse.csr_array, IntArray]:
    """Give each word of the text that is a feature's label an activation of 1."""
    numbers = {str(label): number for number, label in enumerate(features.names["label"])}
    found = [match for match in WORD.finditer(text) if match.group().lower() in numbers]
    latents = [numbers[match.group().lower()] for match in found]
    shape = (len(found), len(numbers))
    codes = sparse.csr_array((np.ones(len(found)), (np.arange(len(found)), latents)), shape=shape)
    return codes, np.array([match.span() for match in found], dtype=np.int64).reshape(-1, 2)


def _peaks(codes: sparse.csr_array) -> sparse.csr_array:
    """Keep each feature's strongest tokens only."""
    highest = np.zeros(codes.shape[1])
    np.maximum.at(highest, codes.indices, codes.data)
    kept = np.where(codes.data == highest[codes.indices], codes.data, 0.0)
    peaks = sparse.csr_array((kept, codes.indices, codes.indptr), shape=codes.shape, copy=True)
    peaks.eliminate_zeros()
    return peaks
