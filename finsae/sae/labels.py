"""Short names for latents: the words they fire on in the training text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.checks import DataError
from finsae.sae.batches import Tokens

WORD = re.compile(r"\w+(?:[-'\u2019.&]\w+)*")
NEVER = "never active"
WORDS = 3  # at most, in a label
NEAR_BEST = 0.2  # a further word must have this share of the first word's score
CONTENT_SHARE = 0.05  # below it a latent is about its stop words
PIECE = 200_000  # tokens coded at once


class Encoder(Protocol):
    """What gives codes of tokens."""

    @property
    def latents(self) -> int:
        """Size of the dictionary."""
        ...

    def encode(self, tokens: Any, /) -> sparse.csr_array:  # noqa: ANN401 - as the SAE reads them
        """Give each token's active latents, tokens x latents."""
        ...


class Vocabulary:
    """Whole words of texts, numbered as they come; tokens are assigned to them by place."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def words(self, text: str, spans: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """Return for each token the number of the word it lies in, lower-cased.

        A token in no word, such as a comma, counts as its own word.

        Parameters
        ----------
        text : str
            The text.
        spans : ndarray
            Tokens x 2: begin and end of each token in the text.
        """
        found = list(WORD.finditer(text))
        begins = np.array([match.start() for match in found], dtype=np.int64)
        at = np.searchsorted(begins, spans[:, 0], side="right") - 1
        result = np.empty(len(spans), dtype=np.int64)
        for i, (word, (begin, end)) in enumerate(zip(at, spans, strict=True)):
            inside = word >= 0 and begin < found[word].end()
            token = found[word].group() if inside else text[begin:end]
            result[i] = self.numbers.setdefault(token.lower(), len(self.numbers))
        return result


def label_latents(
    coder: Encoder,
    activations: Tokens,
    *,
    offsets: npt.NDArray[np.int64],
    spans: npt.NDArray[np.integer],
    texts: Sequence[str],
    max_tokens: int = 1_000_000,
) -> pd.DataFrame:
    """Name each latent by up to three words that it fires on more than others do.

    With s the activation-weighted share of a word within the latent and q its share over all
    latents, the words with the largest ``s log(s / q)`` are taken, most telling first: a word has
    to be frequent there as well as typical. Stop words and punctuation count only where there is
    hardly anything else.

    Parameters
    ----------
    coder : Coder
        A fitted SAE, or one of several layers.
    activations : Tokens
        Tokens x width, of all texts in their order.
    offsets : ndarray
        First token of each text, and the end: texts + 1.
    spans : ndarray
        Tokens x 2, character span of each token in its text.
    texts : sequence of str
        The texts.
    max_tokens : int
        Evenly spaced texts of about this many tokens are read.

    Returns
    -------
    DataFrame
        Per latent ``label`` and ``density``, the share of the tokens read on which it fires.

    Raises
    ------
    DataError
        If texts and activations do not belong together.
    """
    if len(offsets) != len(texts) + 1 or offsets[-1] != activations.shape[0]:
        raise DataError(
            f"{len(texts):,} texts do not belong to activations of {len(offsets) - 1:,} texts "
            f"and {activations.shape[0]:,} tokens"
        )
    chosen = range(0, len(texts), max(1, -(-activations.shape[0] // max_tokens)))
    vocabulary = Vocabulary()
    rows = np.concatenate([np.arange(offsets[i], offsets[i + 1]) for i in chosen])
    words = np.concatenate(
        [vocabulary.words(texts[i], spans[offsets[i] : offsets[i + 1]]) for i in chosen]
    )
    weights, fired = _weights(coder, activations, rows, words=words, size=len(vocabulary.numbers))
    return pd.DataFrame(
        {
            "label": _names(weights, list(vocabulary.numbers), fired),
            "density": fired / len(rows),
        }
    )


def _weights(
    coder: Encoder,
    activations: Tokens,
    rows: npt.NDArray[np.int64],
    *,
    words: npt.NDArray[np.int64],
    size: int,
) -> tuple[sparse.csr_matrix, npt.NDArray[np.int64]]:
    """Sum activations per latent and word; count the tokens on which each latent fires."""
    shape = (coder.latents, size)
    nowhere = np.zeros(0, dtype=np.int64)
    weights = sparse.csr_matrix((np.zeros(0, np.float32), (nowhere, nowhere)), shape=shape)
    fired = np.zeros(coder.latents, dtype=np.int64)
    for start in range(0, len(rows), PIECE):
        piece = slice(start, start + PIECE)
        codes = coder.encode(activations[rows[piece]])
        word = np.repeat(words[piece], np.diff(codes.indptr))
        coded = sparse.coo_matrix((np.abs(codes.data), (codes.indices, word)), shape=shape)
        weights = weights + coded.tocsr()
        fired += np.bincount(codes.indices, minlength=coder.latents)
    return weights, fired


def _names(
    weights: sparse.csr_matrix, vocabulary: list[str], fired: npt.NDArray[np.int64]
) -> list[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    content = np.array(
        [word not in ENGLISH_STOP_WORDS and WORD.match(word) is not None for word in vocabulary]
    )
    overall = np.asarray(weights.sum(axis=0)).ravel()
    overall = overall / max(overall.sum(), 1e-12)
    names = []
    for latent in range(weights.shape[0]):
        row = slice(weights.indptr[latent], weights.indptr[latent + 1])
        word, weight = weights.indices[row], weights.data[row].astype(np.float64)
        if not fired[latent] or not len(word):
            names.append(NEVER)
            continue
        share = weight / weight.sum()
        told = content[word]
        if share[told].sum() >= CONTENT_SHARE:
            word, share = word[told], share[told]
        score = share * np.log(share / overall[word])
        names.append(_name(score, [vocabulary[i] for i in word]))
    return names


def _name(score: npt.NDArray[np.float64], words: list[str]) -> str:
    """Join the best words; of a singular and its plural only the first is kept."""
    best: list[str] = []
    ranked = sorted(range(len(words)), key=lambda i: (-score[i], words[i]))
    for i in ranked:
        if len(best) == WORDS or (best and score[i] < NEAR_BEST * score[ranked[0]]):
            break
        if words[i].rstrip("s") not in {word.rstrip("s") for word in best}:
            best.append(words[i])
    return ", ".join(best)
