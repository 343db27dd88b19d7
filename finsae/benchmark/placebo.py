"""Is it the peers, or would any peers do? The companies' names are shuffled."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from finsae.benchmark.interval import LEVEL
from finsae.benchmark.peers import Peers

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]

PERMUTATIONS = 499


def placebo(peers: Peers, correlation: FloatArray, *, seed: int) -> pd.DataFrame:
    """Give each method's peers to companies at random, and count how often they do as well.

    The structure of the peer lists (who is whose, how often, in circles) stays; only which company
    is which is lost. In expectation a shuffled method scores what random peers do. Of a method that
    ties, the first random draw is tested.

    Parameters
    ----------
    peers : Peers
    correlation : ndarray [n, n]
        NaN where a pair is not observed.
    seed : int

    Returns
    -------
    DataFrame
        Rows of scores, metric ``peer_correlation_placebo_p``: (1 + permutations at least as good) /
        (1 + permutations), with the exact binomial interval of that share; n permutations.
    """
    small = correlation.astype(np.float32)
    _, first = np.unique(peers.owner, return_index=True)
    actual = np.array([_score(small, index) for index in peers.index[first]])
    rng = np.random.default_rng(seed)
    at_least = np.zeros(len(first), dtype=np.int64)
    for _ in range(PERMUTATIONS):
        names = rng.permutation(len(small))
        at_least += [
            _score(small, names[index], rows=names) >= value
            for index, value in zip(peers.index[first], actual, strict=True)
        ]
    return p_rows(peers.methods, "peer_correlation_placebo_p", at_least, PERMUTATIONS)


def p_rows(methods: tuple[str, ...], metric: str, exceeded: IntArray, draws: int) -> pd.DataFrame:
    """Write p-values that were counted over permutations as rows of scores."""
    exact = [stats.binomtest(int(count), draws).proportion_ci(LEVEL) for count in exceeded]
    return pd.DataFrame(
        {
            "method": methods,
            "metric": metric,
            "value": (1 + np.asarray(exceeded)) / (1 + draws),
            "low": [interval.low for interval in exact],
            "high": [interval.high for interval in exact],
            "n": draws,
            "interval": "permutation",
            "versus": "",
        }
    )


def _score(correlation: FloatArray, index: IntArray, *, rows: IntArray | None = None) -> float:
    """Mean over companies of the mean correlation with peers; `rows` says who each row is."""
    mine = np.arange(len(index)) if rows is None else rows
    cells = correlation[mine[:, None], index]
    known = np.isfinite(cells)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(known, cells, 0).sum(axis=1) / known.sum(axis=1)
    return float(np.nanmean(means)) if np.isfinite(means).any() else np.nan
