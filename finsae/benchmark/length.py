"""Whether companies look alike because much is written about them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from finsae.benchmark.interval import jackknife
from finsae.result import SCORE_COLUMNS

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]


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
        among = partial(_correlation, similarity, length)
        value, low, high = jackknife(among, len(length), seed=seed)
        if np.isfinite(value):
            found = (name, "length_correlation", value, low, high)
            rows.append((*found, len(length), "jackknife", ""))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _correlation(similarity: FloatArray, length: FloatArray, kept: BoolArray) -> float:
    """Correlation over pairs of different kept companies of which the similarity is known."""
    similarity, length = similarity[np.ix_(kept, kept)], length[kept]
    first, second = np.triu_indices(len(length), 1)
    cells = similarity[first, second]
    known = np.isfinite(cells)
    both = (length[first] + length[second])[known]
    if known.sum() < 3 or np.ptp(cells[known]) == 0 or np.ptp(both) == 0:
        return np.nan
    return float(np.corrcoef(cells[known], both)[0, 1])
