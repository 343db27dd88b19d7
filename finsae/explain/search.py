"""Companies by what they say: a query, an axis, a basket."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.checks import DataError
from finsae.explain.pair import company_row, contributions
from finsae.explain.places import places
from finsae.explain.sentences import quote_of
from finsae.features import Features

STEM = 8  # letters in which two forms of a word must agree


def quote_for(features: Features, vector: sparse.csr_array, ticker: str) -> str:
    """Quote the sentence of a company's text that has most to do with a query.

    Parameters
    ----------
    features : Features
        As compared.
    vector : CSR [1, F]
        The query's features.
    ticker : str

    Returns
    -------
    str
        With the words marked that carry most of the match; empty where nothing has a place.
    """
    row = features.position(ticker)
    summands = contributions(features, vector, [row]).toarray().ravel()
    read = places(features, row)
    added = read.by_sentence() @ summands
    if not len(added) or added.max() <= 0:
        return ""
    return quote_of(read, int(added.argmax()), read.shares @ summands)


def labelled(features: Features, words: Sequence[str]) -> npt.NDArray[np.int64]:
    """Find features with a label that is another form of one of the given words.

    Parameters
    ----------
    features : Features
    words : sequence of str
        Words are taken for one if they agree in their first eight letters, without a plural's "s";
        stop words are left out.

    Returns
    -------
    ndarray
        Ids.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    stems = {stem(word.lower()) for word in words if word.lower() not in ENGLISH_STOP_WORDS}
    told = [
        not stems.isdisjoint(stem(part) for part in str(label).split(", "))
        for label in features.names["label"]
    ]
    return np.flatnonzero(told)


def stem(word: str) -> str:
    """Cut off what may differ between forms of a word: "distribution" and "distributing"."""
    return word.rstrip("s")[:STEM]


def along(features: Features, ticker: str, axis: npt.NDArray[np.int64]) -> pd.Series:
    """Similarity of a company with every company on some features alone.

    It is Tanimoto's: a.b / (|a|^2 + |b|^2 - a.b) over the features of the axis, 1 only where both
    say the same and as much. The cosine would take a company that has one of the features in
    passing for identical with another such: few features leave few directions.

    Parameters
    ----------
    features : Features
        As compared.
    ticker : str
    axis : ndarray
        Ids of the features.

    Returns
    -------
    Series [n]
        By ticker; 0 for companies that have none of the features.

    Raises
    ------
    DataError
        If the ticker is unknown, or the company has none of the features.
    """
    row = features.position(ticker)
    part = sparse.csr_array(features.matrix[:, axis]).astype(np.float64)
    mine = part[[row]]
    length = float(mine.multiply(mine).sum())
    if length == 0:
        raise DataError(
            f"{ticker}'s text has none of the {len(axis)} features of this axis: choose other "
            "words, or peers without --on"
        )
    dot = (part @ mine.T.tocsr()).toarray().ravel()
    squares = np.asarray(part.multiply(part).sum(axis=1)).ravel()
    return pd.Series(dot / (squares + length - dot), index=features.companies.index)


def basket(features: Features, tickers: Sequence[str], weights: Sequence[float]) -> Features:
    """Make one company of several: the weighted mean of their rows, each of length 1.

    Parameters
    ----------
    features : Features
        As compared.
    tickers : sequence of str
        Each once.
    weights : sequence of float
        Positive, one per company; only their ratios count.

    Returns
    -------
    Features
        Of one row, named "basket". Its cosine with a company is the weighted mean of its members'
        cosines with that company, divided by the row's length.

    Raises
    ------
    DataError
        If a ticker is unknown or named twice, a weight is missing or not positive, or no member
        has a feature.
    """
    if len(set(tickers)) < len(tickers) or not len(tickers):
        raise DataError("name every company of the basket once, and one at least")
    shares = np.asarray(weights, dtype=np.float64)
    if len(shares) != len(tickers) or not (np.isfinite(shares) & (shares > 0)).all():
        raise DataError(f"{len(tickers)} companies need as many positive weights, not {weights}")
    rows = sparse.vstack([company_row(features, ticker) for ticker in tickers]).astype(np.float64)
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    if not lengths.any():
        raise DataError("no company of the basket has a feature: there is nothing to be like")
    scale = np.divide(shares / shares.sum(), lengths, out=np.zeros_like(lengths), where=lengths > 0)
    mean = sparse.csr_array((scale @ rows.tocsr()).reshape(1, -1))
    one = pd.DataFrame({"description": [""]}, index=pd.Index(["basket"], name="ticker"))
    return Features.build(mean, one, features.names["label"].tolist())
