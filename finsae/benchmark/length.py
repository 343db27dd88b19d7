"""Whether companies look alike because much is written about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from finsae.result import SCORE_COLUMNS

FloatArray = npt.NDArray[np.floating[Any]]

FOLDS = 20
"""Groups of companies that are left out in turn for the jackknife."""


def length_correlation(
    methods: Mapping[str, pd.DataFrame], texts: pd.Series, *, seed: int = 0
) -> pd.DataFrame:
    """Correlate similarity with the lengths of the two texts, over all pairs.

    Long descriptions mention more, and so share more with any other long description; large
    companies have long descriptions, and large companies move together. A method whose similarity
    follows length owes part of its score to that. The length of a pair is the sum of the logarithms
    of the two numbers of words.

    Parameters
    ----------
    methods : mapping of str to DataFrame [n, n]
        Similarities.
    texts : Series
        Descriptions by ticker.
    seed : int
        Of the groups that are left out.

    Returns
    -------
    DataFrame
        Rows of scores, metric ``length_correlation``, intervals by a delete-a-group jackknife over
        20 groups of companies; n counts the companies. A method that says the same of all pairs has
        none.
    """
    rows = []
    for name, table in methods.items():
        words = [len(str(text).split()) for text in texts.reindex(table.index)]
        length = np.log(np.maximum(words, 1))
        similarity = table.to_numpy(dtype=np.float64)
        fold = np.random.default_rng(seed).permutation(len(length)) % FOLDS
        value = _correlation(similarity, length)
        if not np.isfinite(value):
            continue
        left = [
            _correlation(similarity[np.ix_(fold != f, fold != f)], length[fold != f])
            for f in range(min(FOLDS, len(length)))
        ]
        error = np.sqrt((FOLDS - 1) / FOLDS * np.square(np.array(left) - np.mean(left)).sum())
        reach = stats.t.ppf(0.975, FOLDS - 1) * error
        ends = (value - reach, value + reach)
        rows.append((name, "length_correlation", value, *ends, len(length), "jackknife", ""))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _correlation(similarity: FloatArray, length: FloatArray) -> float:
    """Correlation over pairs of different companies of which the similarity is known."""
    first, second = np.triu_indices(len(length), 1)
    cells = similarity[first, second]
    known = np.isfinite(cells)
    both = (length[first] + length[second])[known]
    if known.sum() < 3 or np.ptp(cells[known]) == 0 or np.ptp(both) == 0:
        return np.nan
    return float(np.corrcoef(cells[known], both)[0, 1])
