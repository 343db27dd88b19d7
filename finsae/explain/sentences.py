"""The similarity of two companies divided among the sentences of their texts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.explain.pair import company_row, contributions
from finsae.explain.places import Places, places
from finsae.explain.quotes import quote_tokens
from finsae.features import Features

NOWHERE = -1
NAMED = 3  # features named beside a pair of sentences

FloatArray = npt.NDArray[np.floating[Any]]


class SentenceView(NamedTuple):
    """A similarity by sentences.

    Attributes
    ----------
    a, b : DataFrame
        Of each text: ``sentence`` (its number, from 0), ``start, end`` (its characters),
        ``contribution``, ``quote`` (with the words marked that carry most of it); in the order of
        the text. Contributions sum to the similarity; what stands in no sentence has number -1.
    pairs : DataFrame
        ``a, b`` (numbers of sentences), ``contribution``, ``features`` (labels of the three that
        carry most of it), ``quote_a, quote_b``; the largest first. They sum to the similarity too.
    """

    a: pd.DataFrame
    b: pd.DataFrame
    pairs: pd.DataFrame


def sentence_view(features: Features, a: str, b: str, *, top: int = 5) -> SentenceView:
    """Divide the similarity of two companies among the sentences of their texts.

    Every feature's contribution goes to the tokens on which it fires, in proportion to how
    strongly: c_f s_f(i, A) to sentence i of A, and c_f s_f(i, A) s_f(j, B) to the pair of sentences
    i and j, where s_f is the sentence's share of the feature's activations in that text. It says
    what was read where, not what would be read without a sentence: the language model reads every
    sentence in the light of the others (`finsae.pipeline.deletion` measures that).

    Parameters
    ----------
    features : Features
        As compared, with the companies' descriptions.
    a, b : str
        Tickers.
    top : int, default 5
        Pairs of sentences to quote and to name features for; the others have neither.

    Returns
    -------
    SentenceView

    Raises
    ------
    DataError
        If a ticker is unknown.
    """
    rows = features.position(a), features.position(b)
    shared = contributions(features, company_row(features, a), [rows[1]])
    summands = shared.toarray().ravel()
    read = [places(features, row) for row in rows]
    parts = [place.by_sentence() for place in read]
    of_a, of_b = (sentence_table(*both, summands) for both in zip(read, parts, strict=True))
    pairs = _pairs(parts, summands)
    told = [
        _told(features, row, (read, parts), summands) for row in pairs.head(top).to_dict("records")
    ]
    columns = ["features", "quote_a", "quote_b"]
    quoted = pd.DataFrame(told, columns=columns, dtype=object).reindex(pairs.index, fill_value="")
    return SentenceView(of_a, of_b, pd.concat([pairs, quoted], axis=1))


def sentence_table(read: Places, part: sparse.csr_array, summands: FloatArray) -> pd.DataFrame:
    """List the sentences of one text with what each adds; see `SentenceView`.

    Parameters
    ----------
    read : Places
    part : csr_array [sentences, F]
        ``read.by_sentence()``.
    summands : ndarray [F]
        What each feature adds.
    """
    added = part @ summands
    table = pd.DataFrame(read.sentences, columns=["start", "end"])
    table.insert(0, "sentence", np.arange(len(table)))
    table["contribution"] = added
    weights = read.shares @ summands
    table["quote"] = [quote_of(read, number, weights) for number in table["sentence"]]
    elsewhere = float(summands.sum() - added.sum())
    if abs(elsewhere) > 1e-9:
        last = {"sentence": NOWHERE, "start": 0, "end": 0, "contribution": elsewhere, "quote": ""}
        table = pd.concat([table, pd.DataFrame([last])], ignore_index=True)
    return table


def quote_of(read: Places, number: int, weights: FloatArray) -> str:
    """Quote a sentence, with the words marked that have most of the weight in it.

    Parameters
    ----------
    read : Places
    number : int
        Of the sentence.
    weights : ndarray [t]
        What each token adds.
    """
    inside = np.where(read.sentence == number, weights, 0.0)
    return quote_tokens(read.text, read.spans, inside)


def _pairs(parts: list[sparse.csr_array], summands: FloatArray) -> pd.DataFrame:
    """Every pair of sentences and what it adds, the largest first; -1 for what has no place."""
    known = [
        sparse.vstack([part, sparse.csr_array(1 - np.asarray(part.sum(axis=0)).reshape(1, -1))])
        for part in parts
    ]
    square = ((known[0] @ sparse.diags_array(summands)) @ known[1].T).toarray()
    square[np.abs(square) < 1e-12] = 0
    i, j = np.nonzero(square)
    order = np.argsort(-square[i, j], kind="stable")
    ends = len(known[0].tocsr().indptr) - 2, len(known[1].tocsr().indptr) - 2
    numbers = [np.where(n == end, NOWHERE, n) for n, end in zip((i, j), ends, strict=True)]
    table = pd.DataFrame({"a": numbers[0], "b": numbers[1], "contribution": square[i, j]})
    return table.iloc[order].reset_index(drop=True)


def _told(
    features: Features,
    pair: dict[Any, Any],
    texts: tuple[list[Places], list[sparse.csr_array]],
    summands: FloatArray,
) -> tuple[str, str, str]:
    """Name the features of a pair of sentences and quote both."""
    if NOWHERE in (pair["a"], pair["b"]):
        return "", "", ""
    (read_a, read_b), (part_a, part_b) = texts
    mine, their = part_a[[pair["a"]]].toarray().ravel(), part_b[[pair["b"]]].toarray().ravel()
    joint = summands * mine * their
    best = np.argsort(-joint, kind="stable")
    labels = features.names["label"].iloc[best[: NAMED * 3]]
    shown = list(dict.fromkeys(str(label) for label in labels))[:NAMED]
    quotes = (
        quote_of(read_a, pair["a"], read_a.shares @ (summands * their)),
        quote_of(read_b, pair["b"], read_b.shares @ (summands * mine)),
    )
    return "; ".join(shown), *quotes
