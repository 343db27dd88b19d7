"""What a feature means: the words and sentences it fires on, and the companies that have it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from finsae.explain.corpus import Corpus
from finsae.explain.log_odds import PRIOR, log_odds
from finsae.explain.quotes import quote_tokens
from finsae.markup import Grid, Shown, View, quoted
from finsae.store import progress

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.floating[Any]]

QUOTES, WORDS, INDUSTRIES = 8, 12, 4
"""Shown per feature, at most."""
POWER = 2  # of activations, as weights of words: strong ones show best what a feature is about
AROUND_PRIOR = 500.0  # sentences are compared with sentences: the words of a few of them count
TELLING = 1.645  # z-score from which a word around counts: 5 % on one side
CONTENT_SHARE = 0.05  # below it a feature is about its stop words


class Quote(NamedTuple):
    """A sentence in which a feature fires, its words marked ``[[so]]``."""

    ticker: str
    text: str
    activation: float


class Word(NamedTuple):
    """A word, how often it occurs here, and the z-score of its log-odds against the rest."""

    word: str
    times: int
    z: float


class Industry(NamedTuple):
    """An industry, how many of its companies have the feature, and how much more than others."""

    name: str
    companies: int
    of: int
    enrichment: float


@dataclass(frozen=True)
class Meaning(Shown):
    """What is known of a feature from the texts of some companies.

    Attributes
    ----------
    id : int
        The feature.
    quotes : tuple of Quote
        Sentences in which it is strongest, one per company, the strongest first.
    words : tuple of Word
        Words on which it fires, those first that are most typical of it; stop words and signs only
        where there is hardly anything else. Forms with and without a final s are one word.
    beside, against : tuple of Word
        Words on which it does not fire: more, and less, often in the sentences in which it fires
        than in the others, with |z| above 1.645.
    industries : tuple of Industry
        Where it concentrates: the share of an industry's companies that have it, over the share of
        all companies, above 1 and from two companies on.
    companies : int
        Companies in whose text it fires.
    density_companies, density_tokens : float
        Shares of the companies and of the tokens read.
    """

    id: int
    quotes: tuple[Quote, ...]
    words: tuple[Word, ...]
    beside: tuple[Word, ...]
    against: tuple[Word, ...]
    industries: tuple[Industry, ...]
    companies: int
    density_companies: float
    density_tokens: float

    def row(self) -> dict[str, Any]:
        """Return a row of a table; the lists as lists of records."""
        lists = {"quotes", "words", "beside", "against", "industries"}
        return {
            name: [item._asdict() for item in getattr(self, name)] if name in lists else value
            for name, value in asdict(self).items()
        }

    def _view(self) -> View:
        lines = [
            f"Feature {self.id} fires on: {_words(self.words)}",
            f"In the texts of {self.companies:,} companies, {self.density_companies:.0%} of those "
            f"read, and on {self.density_tokens:.2%} of their tokens.",
            f"Beside it: {_words(self.beside)}. Rarer beside it: {_words(self.against)}.",
        ]
        if self.industries:
            told = (f"{i.name} {i.companies} of {i.of}" for i in self.industries)
            lines.append(f"Commonest in: {'; '.join(told)}.")
        rows = [(quote.ticker, quote.activation, quoted(quote.text)) for quote in self.quotes]
        grid = Grid("Where it fires most", ["company", "activation", "in the text"], rows)
        return View(lines, [grid] if rows else [])


def _words(words: Sequence[Word]) -> str:
    return ", ".join(word.word for word in words) or "no word"


def stem(word: str) -> str:
    """Give what a word and its plural share."""
    return word.lower().rstrip("s") or word.lower()


def meanings(
    corpus: Corpus,
    ids: Iterable[int],
    *,
    tickers: Sequence[str],
    industries: Sequence[str],
) -> list[Meaning]:
    """Say what features mean, from the texts of a corpus alone.

    Words are compared by log-odds with an informative Dirichlet prior (`log_odds`). Those on which
    a feature fires count by the square of its activation, relative to the mean of the squares.

    Parameters
    ----------
    corpus : Corpus
        The companies that may be read; to score the labels later, not all of them.
    ids : iterable of int
        Features.
    tickers, industries : sequence of str
        Of all companies, in the order of the features' table; an empty industry is unknown.
    """
    reader = _Reader(corpus, np.asarray(tickers, object), np.asarray(industries, object))
    wanted = list(ids)
    found = []
    with progress("Reading features", len(wanted)) as (bar, task):
        for feature in wanted:
            found.append(reader.read(int(feature)))
            bar.advance(task)
    return found


@dataclass(frozen=True)
class _Reader:
    """What all features share: words by stem, and where the companies belong."""

    corpus: Corpus
    tickers: npt.NDArray[np.object_]
    industries: npt.NDArray[np.object_]

    @cached_property
    def stems(self) -> IntArray:
        """Number of the stem of each word of the vocabulary."""
        numbers: dict[str, int] = {}
        found = [numbers.setdefault(stem(word), len(numbers)) for word in self.corpus.vocabulary]
        return np.array(found, dtype=np.int64)

    @cached_property
    def forms(self) -> IntArray:
        """Words of the vocabulary, sorted by stem."""
        return np.argsort(self.stems, kind="stable")

    @cached_property
    def first(self) -> IntArray:
        """Where each stem's words begin in `forms`, and the end."""
        return np.searchsorted(self.stems[self.forms], np.arange(len(self.content) + 1))

    @cached_property
    def running(self) -> IntArray:
        """Number of the stem of each running word."""
        return self.stems[self.corpus.types]

    @cached_property
    def total(self) -> IntArray:
        """Running words per stem."""
        return self._counts(np.arange(len(self.running)))

    @cached_property
    def content(self) -> npt.NDArray[np.bool_]:
        """Which stems are neither stop words nor signs nor numbers."""
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

        told = np.zeros(int(self.stems.max(initial=-1)) + 1, dtype=bool)
        for word, number in zip(self.corpus.vocabulary, self.stems, strict=True):
            told[number] |= word[0].isalpha() and word not in ENGLISH_STOP_WORDS
        return told

    @cached_property
    def bounds(self) -> IntArray:
        """First running word of each sentence, and the end."""
        return np.searchsorted(self.corpus.sentence, np.arange(len(self.corpus.starts) + 1))

    def read(self, feature: int) -> Meaning:
        """Say what one feature means."""
        corpus = self.corpus
        words, values = corpus.words(feature)
        owners = corpus.owners(feature)
        beside, against = self._around(words)
        return Meaning(
            id=feature,
            quotes=self._quotes(words, values),
            words=self._words(words, values),
            beside=beside,
            against=against,
            industries=self._industries(owners),
            companies=len(owners),
            density_companies=len(owners) / max(len(corpus.texts), 1),
            density_tokens=float(corpus.fired[feature]) / max(corpus.tokens, 1),
        )

    def _counts(self, words: IntArray, weights: FloatArray | None = None) -> npt.NDArray[Any]:
        size = len(self.content)
        return np.bincount(self.running[words], weights=weights, minlength=size)

    def _words(self, words: IntArray, values: FloatArray) -> tuple[Word, ...]:
        if not len(words):
            return ()
        counts = self._counts(words)
        energy = values.astype(np.float64) ** POWER
        weights = self._counts(words, energy / energy.mean())
        # No word may weigh more than it occurs: the rest would be negative.
        weights = np.minimum(weights, self.total)
        _, z = log_odds(weights, self.total - weights, prior=PRIOR)
        telling = self.content & (counts > 0)
        if weights[telling].sum() < CONTENT_SHARE * weights.sum():
            telling = counts > 0
        return self._named(np.where(telling & (z > 0), z, 0.0), counts, words)

    def _around(self, words: IntArray) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
        """Contrast sentences in which it fires with the others, but for the words it fires on."""
        here = np.unique(self.corpus.sentence[words])
        inside = [np.arange(self.bounds[i], self.bounds[i + 1]) for i in here]
        around = np.concatenate([np.empty(0, np.int64), *inside])
        counts = self._counts(around)
        _, z = log_odds(counts, self.total - counts, prior=AROUND_PRIOR)
        others = self.content & (self._counts(words) == 0)
        z = np.where(others & (np.abs(z) > TELLING), z, 0.0)
        return (
            self._named(np.maximum(z, 0), counts, around),
            self._named(np.minimum(z, 0), counts, around),
        )

    def _named(self, z: FloatArray, stems: IntArray, words: IntArray) -> tuple[Word, ...]:
        """Name the stems of largest |z| by their most frequent form among the given words."""
        best = np.argsort(-np.abs(z), kind="stable")[:WORDS]
        best = best[z[best] != 0]
        here = np.bincount(self.corpus.types[words], minlength=len(self.corpus.vocabulary))
        forms = [self.forms[self.first[i] : self.first[i + 1]] for i in best]
        names = [self.corpus.vocabulary[kinds[np.argmax(here[kinds])]] for kinds in forms]
        return tuple(
            Word(name, int(stems[i]), round(float(z[i]), 2))
            for name, i in zip(names, best, strict=True)
        )

    def _quotes(self, words: IntArray, values: FloatArray) -> tuple[Quote, ...]:
        corpus = self.corpus
        company = corpus.company[corpus.sentence[words]]
        order = np.argsort(-values, kind="stable")
        _, first = np.unique(company[order], return_index=True)
        quotes = []
        for peak in order[np.sort(first)][:QUOTES]:
            sentence = corpus.sentence[words[peak]]
            start, stop = corpus.starts[sentence], corpus.stops[sentence]
            here = corpus.sentence[words] == sentence
            mine = words[here]
            spans = np.column_stack([corpus.begins[mine], corpus.ends[mine]]) - start
            text = quote_tokens(corpus.texts[company[peak]][start:stop], spans, values[here])
            ticker = str(self.tickers[corpus.companies[company[peak]]])
            quotes.append(Quote(ticker, text, round(float(values[peak]), 3)))
        return tuple(quotes)

    def _industries(self, owners: IntArray) -> tuple[Industry, ...]:
        all_of = self.industries[self.corpus.companies]
        known = all_of != ""
        names, inverse = np.unique(all_of[known].astype(str), return_inverse=True)
        size = np.bincount(inverse, minlength=len(names))
        has = np.isin(np.flatnonzero(known), owners)
        count = np.bincount(inverse[has], minlength=len(names))
        enrichment = (count / np.maximum(size, 1)) / max(has.mean() if len(has) else 0, 1e-12)
        order = np.argsort(-count * np.log(np.maximum(enrichment, 1)), kind="stable")
        return tuple(
            Industry(str(names[i]), int(count[i]), int(size[i]), round(float(enrichment[i]), 2))
            for i in order[:INDUSTRIES]
            if count[i] >= 2 and enrichment[i] > 1
        )
