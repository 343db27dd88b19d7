"""The similarity of two companies divided among the words of their texts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from finsae.explain.pair import company_row, contributions
from finsae.explain.places import Places, places
from finsae.explain.quotes import WORD
from finsae.features import Features

OTHER_WORDS = ""


def word_pairs(features: Features, a: str, b: str, *, top: int = 10) -> pd.DataFrame:
    """Divide the similarity of two companies among pairs of words, one of each text.

    Many features fire on one word, each with a small contribution; summed over the features, the
    words carry more of a similarity than equally many features (51 % against 36 % in the sample,
    `reports/benchmarks/deletion.md`), and can be read without trusting any label. Word u of A and
    v of B get the sum over features of c_f s_f(u, A) s_f(v, B), where s_f is the share that a word
    has of the feature's activations in its text.

    Parameters
    ----------
    features : Features
        As compared, with the companies' descriptions.
    a, b : str
        Tickers.
    top : int, default 10
        Pairs shown; the rest is one last row.

    Returns
    -------
    DataFrame
        ``a, b, contribution``, the largest first; words as first written, upper and lower case
        taken for the same. The last row, of all other pairs and of what stands in no word, has
        empty words. Contributions sum to the similarity.

    Raises
    ------
    DataError
        If a ticker is unknown.
    """
    rows = features.position(a), features.position(b)
    shared = contributions(features, company_row(features, a), [rows[1]])
    (mine, words_a), (their, words_b) = (by_word(places(features, row)) for row in rows)
    square = ((mine @ sparse.diags_array(shared.toarray().ravel())) @ their.T).toarray()
    best = np.argsort(-square, axis=None, kind="stable")[:top]
    best = best[square.ravel()[best] > 0]
    table = pd.DataFrame(
        {
            "a": [words_a[i] for i in best // max(len(words_b), 1)],
            "b": [words_b[i] for i in best % max(len(words_b), 1)],
            "contribution": square.ravel()[best],
        }
    )
    rest = float(shared.data.sum() - table["contribution"].sum())
    if abs(rest) > 1e-9:
        last = {"a": OTHER_WORDS, "b": OTHER_WORDS, "contribution": rest}
        table = pd.concat([table, pd.DataFrame([last])], ignore_index=True)
    return table


def by_word(read: Places) -> tuple[sparse.csr_array, list[str]]:
    """Sum the shares over the tokens of each different word: words x F, and the words."""
    found = list(WORD.finditer(read.text))
    starts = [match.start() for match in found]
    at = np.searchsorted(starts, read.spans[:, 1] - 1, side="right") - 1
    written: dict[str, str] = {}
    for match in found:
        written.setdefault(match.group().lower(), match.group())
    numbers = {word: number for number, word in enumerate(written)}
    inside = np.flatnonzero(at >= 0)  # a token before the first word stands in none
    word = [numbers[found[i].group().lower()] for i in at[inside]]
    shape = (len(numbers), len(read.spans))
    member = sparse.csr_array((np.ones(len(inside)), (word, inside)), shape=shape)
    return sparse.csr_array(member @ read.shares), list(written.values())
