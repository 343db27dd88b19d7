"""All scores of labels on companies held out, beside labels of others and beside neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from finsae.checks import DataError
from finsae.explain.corpus import Corpus
from finsae.explain.meaning import Meaning
from finsae.explain.scores.judge_free import (
    Embed,
    crossed_auc,
    intruder,
    owners_of,
    sentence_texts,
    truth_of,
    words_said,
)
from finsae.explain.scores.judged import balanced_accuracy, detection, fuzzing, questions
from finsae.plugins import Labeller
from finsae.result import SCORE_COLUMNS

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

METRICS = {
    "detection": "Detection, balanced accuracy",
    "fuzzing": "Fuzzing, balanced accuracy",
    "unreadable": "Unreadable answers",
    "embedding_auc": "Embedding AUC, label",
    "quote_auc": "Embedding AUC, quotes",
    "word_auc": "AUC of label words",
    "intruder": "Intruder found (chance 0.2)",
}
"""Scores per feature, and what they are."""

LABELS, BEFORE, RANDOM, NEURONS = "labels", "names before", "random labels", "dense neurons"
ALIKE_DENSITY = 10  # features of similar density, among which labels are exchanged
DRAWS = 10  # of intruders, per feature
QUOTED = 4  # strongest quotes, which stand for a feature without a label
RESAMPLES, LEVEL = 2_000, 0.95
ENOUGH = 5  # companies that must have a feature, and held-out ones that must not


@dataclass(frozen=True)
class Subject:
    """Features to be scored, with what was learnt of them.

    Attributes
    ----------
    held_out : Corpus
        Companies of which nothing was learnt.
    meanings : sequence of Meaning
        From the other companies; the same number for every subject, alike in density by position.
    labels : sequence of str
        One per meaning.
    """

    held_out: Corpus
    meanings: Sequence[Meaning]
    labels: Sequence[str]


def scorable(learnt: BoolArray, held_out: BoolArray) -> bool:
    """Say whether a feature can be learnt and scored, from which companies have it.

    It takes five companies here and five there, and five held-out ones without it.
    """
    there = held_out.sum()
    return bool(learnt.sum() >= ENOUGH and ENOUGH <= there <= len(held_out) - ENOUGH)


def eligible(learnt: Corpus, held_out: Corpus) -> BoolArray:
    """Say which features can be learnt and scored (`scorable`)."""
    ids = range(learnt.active.shape[1])
    return np.array(
        [scorable(owners_of(learnt, [i])[0], owners_of(held_out, [i])[0]) for i in ids],
        dtype=bool,
    )


def assess(
    own: Subject,
    neurons: Subject,
    *,
    before: Sequence[str],
    judge: Labeller,
    embed: Embed,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score labels, beside names from before, labels of other features, and dense neurons.

    A random label is that of another feature of similar density: judge-free scores average over
    ten such, a judge is asked about one. For the intruder, which needs no label, random means that
    all sentences are drawn at random. Dense neurons are labelled and scored like the features, and
    compared pairwise at the same density. Intervals resample features.

    Parameters
    ----------
    own, neurons : Subject
        The features, and as many neurons of the model's layer.
    before : sequence of str
        Names that the features had.
    judge : Labeller
        Who says whether a label fits a text.
    embed : callable
        Texts to unit vectors; should remember the texts that it has seen.
    seed : int
        Of the examples, of the intruders, and of the resampling.

    Returns
    -------
    scores : DataFrame
        The standard frame (`finsae.result.SCORE_COLUMNS`), metrics as `METRICS`; `versus` names
        what a paired difference is taken against.
    table : DataFrame
        ``id, label`` and the own features' scores.

    Raises
    ------
    DataError
        If there are fewer than two features.
    """
    if len(own.meanings) < 2:
        raise DataError(
            "fewer than two features can be scored: a feature must fire in the texts of five "
            "companies that it is learnt from, and of five others, but not of all"
        )
    embed(_all_texts(own, neurons, before))  # in one pass; what follows finds them known
    mine, other = _Scorer(own, embed, seed), _Scorer(neurons, embed, seed)
    found = {
        LABELS: mine.scores(own.labels, judge).join(mine.without_label()),
        BEFORE: mine.scores(before, judge),
        RANDOM: mine.at_random(own.labels, judge).join(mine.without_label(shuffled=True)),
        NEURONS: other.scores(neurons.labels, judge).join(other.without_label()),
    }
    ids = [meaning.id for meaning in own.meanings]
    table = pd.DataFrame({"id": ids, "label": list(own.labels)}).join(found[LABELS])
    return summary(found, seed=seed), table


class _Scorer:
    """Scores of one subject; its examples are the same whatever the labels."""

    def __init__(self, subject: Subject, embed: Embed, seed: int) -> None:
        corpus = subject.held_out
        self.subject, self.embed, self.seed = subject, embed, seed
        self.ids = np.array([meaning.id for meaning in subject.meanings], dtype=np.int64)
        self.truth, self.owners = truth_of(corpus, self.ids), owners_of(corpus, self.ids)
        self.vectors = embed(sentence_texts(corpus))
        density = [meaning.density_tokens for meaning in subject.meanings]
        order = np.argsort(density, kind="stable")
        self.alike = np.array_split(order, max(1, len(order) // ALIKE_DENSITY))
        rng = np.random.default_rng(seed)
        self.detect = [detection(corpus, fires, rng) for fires in self.truth]
        self.fuzz = [
            fuzzing(corpus, int(feature), fires, rng)
            for feature, fires in zip(self.ids, self.truth, strict=True)
        ]

    def scores(self, labels: Sequence[str], judge: Labeller) -> pd.DataFrame:
        """Score labels on the features they were made for."""
        free = {name: table.diagonal() for name, table in self._crossed(labels).items()}
        return pd.DataFrame({**self._judged(labels, judge), **free})

    def at_random(self, labels: Sequence[str], judge: Labeller) -> pd.DataFrame:
        """Score the labels of other features of similar density."""
        free = {name: self._others(table) for name, table in self._crossed(labels).items()}
        rng = np.random.default_rng(self.seed)
        swapped = np.array(labels, dtype=object)
        for group in self.alike:
            order = rng.permutation(group)
            swapped[order] = swapped[np.roll(order, 1)]
        return pd.DataFrame({**self._judged(list(swapped), judge), **free})

    def without_label(self, *, shuffled: bool = False) -> pd.DataFrame:
        """Score the examples themselves: quotes against sentences, and the odd one out.

        Shuffled: the quotes of features of similar density, and sentences of any feature.
        """
        table = crossed_auc(self._quoted() @ self.vectors.T, self.truth)
        odd = intruder(
            self.subject.held_out,
            self.truth,
            self.vectors,
            draws=DRAWS,
            rng=np.random.default_rng(self.seed),
            shuffled=shuffled,
        )
        quoted = self._others(table) if shuffled else table.diagonal()
        return pd.DataFrame({"quote_auc": quoted, "intruder": odd})

    def _others(self, table: FloatArray) -> FloatArray:
        """Mean over the other features of similar density, from features x labels."""
        values = np.full(len(table), np.nan)
        for group in self.alike:
            block = table[np.ix_(group, group)]
            off = ~np.eye(len(group), dtype=bool)
            values[group] = np.where(off, block, 0).sum(axis=1) / (len(group) - 1)
        return values

    def _judged(self, labels: Sequence[str], judge: Labeller) -> dict[str, FloatArray]:
        kinds = {"detection": (self.detect, False), "fuzzing": (self.fuzz, True)}
        scores: dict[str, FloatArray] = {}
        failures = []
        for name, (examples, marked) in kinds.items():
            asked = [
                questions(label, example, marked=marked)
                for label, example in zip(labels, examples, strict=True)
            ]
            verdicts = iter(judge.judge([question for some in asked for question in some]))
            told = [
                balanced_accuracy([next(verdicts) for _ in some], example)
                for some, example in zip(asked, examples, strict=True)
            ]
            accuracy, unreadable = np.array(told, dtype=np.float64).T
            scores[name] = accuracy
            failures.append(unreadable)
        return {**scores, "unreadable": np.mean(failures, axis=0)}

    def _crossed(self, labels: Sequence[str]) -> dict[str, FloatArray]:
        """Judge-free scores of every label on every feature, features x labels."""
        return {
            "embedding_auc": crossed_auc(self.embed(list(labels)) @ self.vectors.T, self.truth),
            "word_auc": crossed_auc(words_said(self.subject.held_out, labels), self.owners),
        }

    def _quoted(self) -> FloatArray:
        """Mean vector of each feature's strongest quotes."""
        quotes = [_quotes(meaning) for meaning in self.subject.meanings]
        vectors = self.embed([text for texts in quotes for text in texts])
        ends = np.cumsum([len(texts) for texts in quotes])[:-1]
        return np.stack([part.mean(axis=0) for part in np.split(vectors, ends)])


def _quotes(meaning: Meaning) -> list[str]:
    """Give a feature's strongest quotes without their marks."""
    return [quote.text.replace("[[", "").replace("]]", "") for quote in meaning.quotes[:QUOTED]]


def _all_texts(own: Subject, neurons: Subject, before: Sequence[str]) -> list[str]:
    texts = [*sentence_texts(own.held_out), *before]
    for subject in (own, neurons):
        texts += subject.labels
        texts += [text for meaning in subject.meanings for text in _quotes(meaning)]
    return texts


def summary(found: Mapping[str, pd.DataFrame], *, seed: int = 0) -> pd.DataFrame:
    """Average scores over features, and differences on the same features, with intervals.

    Parameters
    ----------
    found : mapping of str to DataFrame
        Scores per feature by method, one row per feature; the first method is compared with each
        of the others. A feature without a score in either is left out of their difference.
    seed : int
        Of the resampling.
    """
    rows = []
    (first, mine), *_ = found.items()
    for method, table in found.items():
        for metric in table.columns:
            rows.append(_row(method, metric, table[metric].to_numpy(), versus="", seed=seed))
    for method, table in list(found.items())[1:]:
        for metric in [name for name in table.columns if name != "unreadable"]:
            difference = (mine[metric] - table[metric]).to_numpy()
            rows.append(_row(first, metric, difference, versus=method, seed=seed))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _row(
    method: str, metric: str, values: FloatArray, *, versus: str, seed: int
) -> dict[str, object]:
    """Mean with a percentile interval of the bootstrap over features."""
    values = values[np.isfinite(values)]
    low = high = mean = np.nan
    if len(values):
        rng = np.random.default_rng(seed)
        draws = rng.integers(len(values), size=(RESAMPLES, len(values)))
        tails = [100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2]
        low, high = np.percentile(values[draws].mean(axis=1), tails)
        mean = values.mean()
    numbers = (float(mean), float(low), float(high), len(values))
    return dict(zip(SCORE_COLUMNS, (method, metric, *numbers, "features", versus), strict=True))
