"""Scores of explanations that need no judge: ranks, words and odd ones out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse, stats

from finsae.explain.corpus import Corpus
from finsae.explain.labellers.words import label_stems
from finsae.explain.meaning import stem

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Embed = Callable[[list[str]], FloatArray]

ALIKE = 4  # sentences beside the intruder
AT_ONCE = 256  # features


def truth_of(corpus: Corpus, ids: Sequence[int] | IntArray) -> BoolArray:
    """Say in which sentences features fire, features x sentences."""
    found = np.zeros((len(ids), len(corpus.starts)), dtype=bool)
    for row, feature in enumerate(ids):
        found[row, corpus.sentence[corpus.words(int(feature))[0]]] = True
    return found


def owners_of(corpus: Corpus, ids: Sequence[int] | IntArray) -> BoolArray:
    """Say in which companies' texts features fire, features x companies."""
    found = np.zeros((len(ids), len(corpus.texts)), dtype=bool)
    for row, feature in enumerate(ids):
        found[row, corpus.owners(int(feature))] = True
    return found


def sentence_texts(corpus: Corpus) -> list[str]:
    """Give all sentences of a corpus."""
    return [corpus.text_of(number) for number in range(len(corpus.starts))]


def crossed_auc(scores: FloatArray, truth: BoolArray) -> FloatArray:
    """Area under the ROC curve of every score against every truth.

    The probability that a true example scores above a false one, ties counting half (the
    Mann-Whitney statistic).

    Parameters
    ----------
    scores : ndarray [m, S]
        What each of m labels says of each example.
    truth : ndarray [n, S]
        Where each of n features fires.

    Returns
    -------
    ndarray [n, m]
        Row: feature, column: label; NaN for a feature that fires everywhere or nowhere.
    """
    ranks = stats.rankdata(scores, axis=1)
    true = truth.sum(axis=1, dtype=np.float64)[:, None]
    pairs = true * (truth.shape[1] - true)
    above = truth.astype(np.float64) @ ranks.T - true * (true + 1) / 2
    found: FloatArray = np.where(pairs > 0, above / np.maximum(pairs, 1), np.nan)
    return found


def label_auc(
    corpus: Corpus, ids: Sequence[int], labels: Sequence[str], embed: Embed
) -> FloatArray:
    """Score labels: how well a label's embedding ranks the sentences in which its feature fires.

    Parameters
    ----------
    corpus : Corpus
        Companies that the labels were not made from.
    ids, labels : sequence
        Features and their labels.
    embed : callable
        Texts to unit vectors.

    Returns
    -------
    ndarray
        AUC per label; NaN where the feature fires in all sentences or in none.
    """
    texts = sentence_texts(corpus)
    vectors, sentences = np.split(embed([*labels, *texts]), [len(labels)])
    found: list[FloatArray] = [np.empty(0)]
    for start in range(0, len(ids), AT_ONCE):
        piece = slice(start, start + AT_ONCE)
        scores = vectors[piece] @ sentences.T
        found.append(crossed_auc(scores, truth_of(corpus, ids[piece])).diagonal())
    return np.concatenate(found)


def words_said(corpus: Corpus, labels: Sequence[str]) -> FloatArray:
    """Count the different words of each label in each company's text, labels x companies."""
    numbers: dict[str, int] = {}
    stems = np.array(
        [numbers.setdefault(stem(word), len(numbers)) for word in corpus.vocabulary], dtype=np.int64
    )
    owner = corpus.company[corpus.sentence]
    said = sparse.csr_array(
        (np.ones(len(owner)), (owner, stems[corpus.types])),
        shape=(len(corpus.texts), len(numbers)),
    )
    said.data[:] = np.minimum(said.data, 1)
    asked = sparse.lil_array((len(labels), len(numbers)))
    for row, label in enumerate(labels):
        for column in {numbers[word] for word in content_stems(label) if word in numbers}:
            asked[row, column] = 1
    counts: FloatArray = (asked.tocsr() @ said.T).toarray()
    return counts


def content_stems(label: str) -> set[str]:
    """Stems of a label's words; of one that holds stop words only, these."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    found = label_stems(label)
    stopped = {stem(word) for word in ENGLISH_STOP_WORDS}
    return found - stopped or found


def intruder(
    corpus: Corpus,
    truth: BoolArray,
    vectors: FloatArray,
    *,
    draws: int,
    rng: np.random.Generator,
    shuffled: bool = False,
) -> FloatArray:
    """Find the sentence that does not belong: share of draws in which the embedding finds it.

    A draw is four sentences in which the feature fires and one in which it does not, of five
    companies; the one least similar to the others is called the intruder. One in five is chance.

    Parameters
    ----------
    corpus : Corpus
        Companies held out.
    truth : ndarray [n, S]
        From `truth_of`.
    vectors : ndarray [S, d]
        Unit vectors of the sentences.
    draws : int
        Per feature.
    rng : Generator
        Of the draws.
    shuffled : bool
        The four are any sentences: the baseline.

    Returns
    -------
    ndarray [n]
        NaN for a feature with fewer than four companies, or that is everywhere.
    """
    found = np.full(len(truth), np.nan)
    for row, fires in enumerate(truth):
        inside = np.flatnonzero(np.ones_like(fires) if shuffled else fires)
        outside = np.flatnonzero(~fires)
        hits = []
        for _ in range(draws):
            alike = one_per_company(corpus, inside, ALIKE, rng)
            others = outside[~np.isin(corpus.company[outside], corpus.company[alike])]
            if len(alike) < ALIKE or not len(others):
                break
            drawn = vectors[[*alike, rng.choice(others)]]
            similarity = drawn @ drawn.T
            hits.append(np.argmin(similarity.sum(axis=1) - similarity.diagonal()) == ALIKE)
        if hits:
            found[row] = np.mean(hits)
    return found


def one_per_company(
    corpus: Corpus, sentences: IntArray, count: int, rng: np.random.Generator
) -> IntArray:
    """Draw sentences, each of another company; fewer where there are fewer companies."""
    order = rng.permutation(sentences)
    _, first = np.unique(corpus.company[order], return_index=True)
    return order[np.sort(first)][:count]
