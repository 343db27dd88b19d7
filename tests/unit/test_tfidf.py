"""TF-IDF with the reference's settings, and in universes of a handful of companies."""

import numpy as np
import pytest

from finsae.checks import DataError
from finsae.embed.tfidf import Tfidf, word_features

TEXTS = [
    f"Bank number{i % 5} lends to the farmers; Lends again. {'oil gas' * (i > 17)}"
    for i in range(30)
]


def test_words_are_counted_within_bounds_lower_case_and_without_stop_words():
    fitted = Tfidf().fit(TEXTS)
    # bank, lends, farmers are in every text; oilgas is in 12 of 30, above 0.3
    assert list(fitted.names_) == [f"number{i}" for i in range(5)]
    words = set(Tfidf(min_df=7, max_df=1.0).fit(TEXTS).names_)
    assert words == {"bank", "farmers", "lends", "oil", "gas", "gasoil"} & words
    assert {"bank", "farmers", "lends"} <= words and "the" not in words


def test_term_frequency_is_sublinear_and_rows_have_length_one():
    fitted = Tfidf(min_df=1, max_df=1.0).fit(["oil oil oil gas", "oil gas"])
    rows = fitted.transform(["oil oil oil gas", "", "unknown"]).toarray()
    assert rows[0, list(fitted.names_).index("oil")] / rows[0, 0] == pytest.approx(1 + np.log(3))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 0, 0], atol=1e-6)


@pytest.mark.parametrize("companies", [1, 2, 3, 5, 19])
def test_a_handful_of_companies_can_be_compared(companies):
    texts = [f"Bank in Ohio with {i} branches of kind{i}" for i in range(companies)]
    rows = Tfidf().fit(texts).transform(texts).toarray()
    similarity = rows @ rows.T
    assert (similarity > 0.05).all() and np.allclose(np.diag(similarity), 1)


def test_texts_that_the_bounds_would_empty_are_still_read():
    assert list(Tfidf().fit(["gold ore"] * 50).names_) == ["gold", "ore"]


@pytest.mark.parametrize("texts", [[], [""], ["", "the and of"]])
def test_texts_without_words_are_refused(texts):
    with pytest.raises(DataError, match=f"the {len(texts)} texts hold no word"):
        Tfidf().fit(texts)


@pytest.mark.parametrize("wrong", [{"min_df": 0}, {"max_df": 0.0}, {"max_df": 1.5}])
def test_bounds_out_of_range_are_refused(wrong):
    with pytest.raises(DataError, match="share above 0 and at most 1"):
        Tfidf(**wrong).fit(TEXTS)


def test_transform_before_fit_is_refused():
    with pytest.raises(DataError, match="call fit"):
        Tfidf().transform(TEXTS)


def test_word_features_of_a_text_do_not_depend_on_the_others():
    texts = ["oil oil gas", "bank loans and loans and loans", ""]
    matrix, words = word_features(texts)
    alone, few = word_features(texts[:1])
    row = dict(zip(words, matrix.toarray()[0], strict=True))
    assert {word: row[word] for word in few} == dict(zip(few, alone.toarray()[0], strict=True))
    assert row["oil"] == pytest.approx(1 + np.log(2)) and row["gas"] == 1
    assert matrix[2].nnz == 0
    with pytest.raises(DataError, match="no word"):
        word_features(["the and of"])
