"""Detection and fuzzing: whether a judge who is told the label knows where the feature fires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from finsae.explain.corpus import Corpus
from finsae.explain.labellers.prompts import Question
from finsae.explain.scores.judge_free import one_per_company

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

EACH = 5  # true examples per feature, and as many false ones
PER_QUESTION = 5


@dataclass(frozen=True)
class Examples:
    """Texts of a feature and whether it is in them: what a judge is asked, without the label."""

    texts: tuple[str, ...]
    truth: tuple[bool, ...]


def detection(corpus: Corpus, fires: BoolArray, rng: np.random.Generator) -> Examples:
    """Draw five sentences in which a feature fires and five others, in random order.

    Parameters
    ----------
    corpus : Corpus
        Companies held out.
    fires : ndarray [S]
        Whether it fires in each sentence.
    rng : Generator
        Of the draw.
    """
    true = one_per_company(corpus, np.flatnonzero(fires), EACH, rng)
    false = one_per_company(corpus, np.flatnonzero(~fires), EACH, rng)
    return _shuffled(
        [corpus.text_of(int(i)) for i in true], [corpus.text_of(int(i)) for i in false], rng
    )


def fuzzing(corpus: Corpus, feature: int, fires: BoolArray, rng: np.random.Generator) -> Examples:
    """Draw sentences in which a feature fires, its words marked in five and others in five.

    As many words are marked wrongly as rightly. A sentence in which it fires on most words has not
    enough others and is marked rightly only.

    Parameters
    ----------
    corpus : Corpus
        Companies held out.
    feature : int
        The feature.
    fires : ndarray [S]
        Whether it fires in each sentence.
    rng : Generator
        Of the draw.
    """
    words, _ = corpus.words(feature)
    chosen = one_per_company(corpus, np.flatnonzero(fires), 2 * EACH, rng)
    right = [corpus.text_of(int(i), words[corpus.sentence[words] == i]) for i in chosen[:EACH]]
    wrong: list[str] = []
    for number in chosen[::-1]:
        mine = words[corpus.sentence[words] == number]
        first, last = np.searchsorted(corpus.sentence, [number, number + 1])
        others = np.setdiff1d(np.arange(first, last), mine)
        others = others[[corpus.vocabulary[corpus.types[i]][0].isalnum() for i in others]]
        if len(wrong) < EACH and len(others) >= len(mine):
            marked = rng.choice(others, size=len(mine), replace=False)
            wrong.append(corpus.text_of(int(number), marked))
    return _shuffled(right, wrong, rng)


def questions(label: str, examples: Examples, *, marked: bool) -> list[Question]:
    """Ask for the verdict on a feature's examples, five at a time."""
    starts = range(0, len(examples.texts), PER_QUESTION)
    return [Question(label, examples.texts[i : i + PER_QUESTION], marked) for i in starts]


def balanced_accuracy(
    verdicts: Sequence[list[bool] | None], examples: Examples
) -> tuple[float, float]:
    """Mean of the shares of true and of false examples that are told right, and of failures.

    A question whose answer could not be read counts as told wrong throughout.

    Parameters
    ----------
    verdicts : sequence
        As a labeller's ``judge`` answers `questions`.
    examples : Examples
        What was asked.

    Returns
    -------
    accuracy : float
        NaN where there is no true or no false example.
    unreadable : float
        Share of the questions whose answer could not be read; NaN without a question.
    """
    truth = np.array(examples.truth, dtype=bool)
    right = np.zeros(len(truth), dtype=bool)
    for number, said in enumerate(verdicts):
        if said is not None:
            piece = slice(number * PER_QUESTION, number * PER_QUESTION + len(said))
            right[piece] = truth[piece] == said
    unreadable = float(np.mean([said is None for said in verdicts])) if verdicts else np.nan
    if truth.all() or not truth.any():
        return np.nan, unreadable
    return float((right[truth].mean() + right[~truth].mean()) / 2), unreadable


def _shuffled(true: list[str], false: list[str], rng: np.random.Generator) -> Examples:
    order = rng.permutation(len(true) + len(false))
    texts = [*true, *false]
    return Examples(tuple(texts[i] for i in order), tuple(bool(i < len(true)) for i in order))
