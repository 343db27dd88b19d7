"""Words weighted by how telling they are: the baseline that language models have to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from finsae.checks import DataError


class Tfidf:
    """TF-IDF with sublinear term frequency, lower case, without English stop words.

    Parameters
    ----------
    min_df : int
        A word must occur in at least so many texts.
    max_df : float
        A word must occur in at most this share of the texts.

    Attributes
    ----------
    names_ : ndarray of str
        The words, one per column.

    Notes
    -----
    With fewer than ``2 * min_df / max_df`` texts (20 by default), or where they would leave no
    word, the two bounds are not applied: what few texts share is all there is to compare them by.
    """

    def __init__(self, min_df: int = 3, max_df: float = 0.3) -> None:
        self.min_df = min_df
        self.max_df = max_df

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn the words and their weights.

        Raises
        ------
        DataError
            If the parameters are out of range, or the texts hold no word at all.
        """
        if self.min_df < 1 or not 0 < self.max_df <= 1:
            raise DataError(
                f"min_df is {self.min_df} and max_df {self.max_df}: give a number of texts from 1 "
                "and a share above 0 and at most 1"
            )
        bounds = [(self.min_df, float(self.max_df)), (1, 1.0)]
        enough = len(texts) * self.max_df >= 2 * self.min_df
        for min_df, max_df in bounds if enough else bounds[1:]:
            vectorizer = TfidfVectorizer(
                sublinear_tf=True,
                stop_words="english",
                lowercase=True,
                min_df=min_df,
                max_df=max_df,
                dtype=np.float32,
            )
            try:
                vectorizer.fit(texts)
            except ValueError:  # scikit-learn's word for an empty vocabulary
                continue
            self._vectorizer = vectorizer
            self.names_: npt.NDArray[np.str_] = vectorizer.get_feature_names_out()
            return self
        raise DataError(
            f"the {len(texts)} texts hold no word besides English stop words: check the column of "
            "descriptions"
        )

    def transform(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Weigh the words of texts: texts x words, rows of length 1, zero for an empty text."""
        if not hasattr(self, "_vectorizer"):
            raise DataError("Tfidf has learnt no words yet: call fit(texts) first")
        return sparse.csr_matrix(self._vectorizer.transform(texts))


def word_features(
    texts: Sequence[str], *, words: Sequence[str] | None = None
) -> tuple[sparse.csr_matrix, list[str]]:
    """Say how much each text uses each word: 1 + log(count), every word a column.

    Unlike `Tfidf` this learns nothing that one text could teach about another: the weights of words
    are left to those who know which texts were known at a date.

    Parameters
    ----------
    texts : sequence of str
    words : sequence of str, optional
        The columns wanted; by default every word of the texts.

    Returns
    -------
    matrix : csr_matrix [texts, words], float32
    words : list of str

    Raises
    ------
    DataError
        If the texts hold no word besides English stop words.
    """
    counter = TfidfVectorizer(
        sublinear_tf=True,
        use_idf=False,
        norm=None,
        stop_words="english",
        vocabulary=words,
        dtype=np.float32,
    )
    try:
        matrix = sparse.csr_matrix(counter.fit_transform(texts))
    except ValueError:  # scikit-learn's word for an empty vocabulary
        raise DataError(
            f"the {len(texts)} texts hold no word besides English stop words: check the column of "
            "descriptions"
        ) from None
    return matrix, [str(word) for word in counter.get_feature_names_out()]
