import math
import re

import numpy as np
import pandas as pd
import planted
import pytest

from finsae.checks import DataError
from finsae.explain.corpus import Corpus
from finsae.explain.log_odds import log_odds
from finsae.explain.meaning import meanings
from finsae.features import Features, TokenCodes


@pytest.fixture(scope="module")
def features():
    return planted.features()


def read(features, companies=None, ids=range(9)):
    corpus = Corpus.of(features, companies)
    table = features.companies
    return meanings(corpus, ids, tickers=table.index, industries=table["sic"].str[:2])


def test_log_odds_as_published():
    here, rest, prior = [8, 2, 0], [2, 20, 10], 10.0
    both = [h + r for h, r in zip(here, rest, strict=True)]
    difference, z = log_odds(np.array(here), np.array(rest), prior=prior)
    for word in range(3):
        alpha = prior * both[word] / sum(both)
        first = (here[word] + alpha) / (sum(here) + prior - here[word] - alpha)
        second = (rest[word] + alpha) / (sum(rest) + prior - rest[word] - alpha)
        expected = math.log(first) - math.log(second)
        spread = math.sqrt(1 / (here[word] + alpha) + 1 / (rest[word] + alpha))
        assert difference[word] == pytest.approx(expected)
        assert z[word] == pytest.approx(expected / spread)


def test_log_odds_are_antisymmetric_shrink_and_ignore_unseen_words():
    here, rest = np.array([8, 2, 0, 0]), np.array([2, 20, 10, 0])
    there = log_odds(rest, here)
    for one, other in zip(log_odds(here, rest), there, strict=True):
        np.testing.assert_allclose(one, -other)
    weak, strong = (np.abs(log_odds(here, rest, prior=p)[0]) for p in (1, 10_000))
    assert (strong[:3] < weak[:3]).all() and strong[3] == 0
    several = log_odds(np.stack([here, rest]), np.stack([rest, here]))[1]
    np.testing.assert_allclose(several[0], log_odds(here, rest)[1])


def test_corpus_words_sentences_and_marks():
    text = "Acme Inc. sells pumps. It's big, pumps too."
    spans = np.array([[0, 4], [9, 15], [15, 21], [22, 25], [30, 32], [32, 38], [38, 42]])
    codes = TokenCodes(
        np.array([1, 3, 2, 5], np.float16), np.array([0, 1, 0, 1], np.int32),
        np.array([0, 1, 1, 2, 3, 4, 4, 4]), np.array([0, 0, 7]), spans,
    )  # fmt: skip
    table = pd.DataFrame({"description": ["", text]}, index=pd.Index(["A", "B"], name="ticker"))
    corpus = Corpus.of(Features.build(np.ones((2, 3)), table, ["a", "b", "c"], codes=codes))
    assert [text[corpus.starts[i] : corpus.stops[i]].strip() for i in (1, 2)] == [
        "Acme Inc. sells pumps.",
        "It's big, pumps too.",
    ]
    words = [corpus.vocabulary[corpus.types[i]] for i in corpus.words(0)[0]]
    assert words == ["acme", "it's"] and corpus.words(0)[1].tolist() == [1, 2]
    # " pumps" holds the space before the word; the comma is a word of its own.
    assert [corpus.vocabulary[corpus.types[i]] for i in corpus.words(1)[0]] == ["pumps", ","]
    assert corpus.owners(0).tolist() == [1] and corpus.owners(2).tolist() == []
    assert corpus.fired.tolist() == [2, 2, 0] and corpus.tokens == 7
    assert corpus.text_of(2, corpus.words(1)[0][1:]) == "It's big[[,]] pumps too."


def test_features_without_a_place_in_the_text_cannot_be_read(features):
    with pytest.raises(DataError, match="where in the text"):
        Corpus.of(Features.build(features.matrix, features.companies, features.names["label"]))


def test_what_planted_features_mean(features):
    found = read(features)
    for group, meaning in enumerate(found[:8]):
        assert {word.word for word in meaning.words} == set(planted.GROUPS[group])
        assert all(word.z > 0 for word in meaning.words)
        assert meaning.words == tuple(sorted(meaning.words, key=lambda word: -word.z))
        assert len({quote.ticker for quote in meaning.quotes}) == len(meaning.quotes) == 8
        activations = [quote.activation for quote in meaning.quotes]
        assert activations == sorted(activations, reverse=True)
        assert all(re.search(r"\[\[(.+?)\]\]", q.text)[1].lower() in planted.GROUPS[group]
                   for q in meaning.quotes)  # fmt: skip
        home = meaning.industries[0]
        assert home.name == planted.SIC[group][:2] and home.companies == home.of
        assert home.enrichment == pytest.approx(48 / meaning.companies, abs=0.01)
        owners = features.matrix[:, [group]].toarray().ravel() > 0
        assert meaning.companies == owners.sum()
        assert meaning.density_companies == owners.mean()
        fired = (np.asarray(features.codes.indices) == group).sum()
        assert meaning.density_tokens == pytest.approx(fired / len(features.codes.spans))


def test_nothing_is_learnt_from_companies_held_out(features):
    chosen = np.arange(0, 48, 2)
    table = features.companies.copy()
    others = np.setdiff1d(np.arange(48), chosen)
    table.iloc[others, table.columns.get_loc("description")] = "Sells nothing. " * 9
    altered = Features.build(features.matrix, table, features.names["label"], codes=features.codes)
    assert read(features, chosen) == read(altered, chosen)
    shown = {quote.ticker for meaning in read(features, chosen) for quote in meaning.quotes}
    assert shown <= set(features.companies.index[chosen])


def test_a_feature_that_never_fires_means_nothing(features):
    (meaning,) = read(features, companies=[1], ids=[0])
    assert meaning.companies == 0 and not meaning.quotes and not meaning.words
    assert not meaning.beside and not meaning.industries and meaning.density_tokens == 0
    assert meaning.row()["quotes"] == []


def test_words_around():
    text = "Loans fund ships here. " * 200 + "Loans fund shops there. " * 200
    loans = [match for match in range(len(text)) if text.startswith("Loans", match)]
    spans = np.array([[at, at + 5] for at in loans])
    fires = np.array([1] * 200 + [0] * 200)
    starts = np.concatenate([[0], np.cumsum(fires)])
    codes = TokenCodes(
        np.ones(200, np.float16), np.zeros(200, np.int32), starts, np.array([0, 400]), spans
    )
    table = pd.DataFrame({"description": [text], "sic": [""]}, index=pd.Index(["A"]))
    (found,) = read(Features.build(np.ones((1, 1)), table, ["a"], codes=codes), ids=[0])
    assert [word.word for word in found.words] == ["loans"]
    assert [word.word for word in found.beside] == ["ships"] and found.beside[0].times == 200
    assert [word.word for word in found.against] == ["shops"] and found.against[0].z < -1.645
    assert not found.industries  # no code is known
