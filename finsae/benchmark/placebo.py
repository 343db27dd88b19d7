"""Is it the peers, or would any peers do? The companies' names are shuffled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from finsae.benchmark.interval import LEVEL
from finsae.benchmark.metrics import Peers, weighted_mean

FloatArray = npt.NDArray[np.floating[Any]]

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
    one = np.ones(len(small), dtype=np.float32)
    _, first = np.unique(peers.owner, return_index=True)
    index = peers.index[:, first]
    actual = weighted_mean(peers.company_means(small)[first], one)
    rng = np.random.default_rng(seed)
    at_least = np.zeros(len(first), dtype=np.int64)
    for _ in range(PERMUTATIONS):
        names = rng.permutation(len(small))
        renamed = np.empty_like(index)
        renamed[names] = names[index]
        shuffled = replace(peers, index=renamed).company_means(small)
        at_least += weighted_mean(shuffled, one) >= actual
    exact = [stats.binomtest(int(count), PERMUTATIONS).proportion_ci(LEVEL) for count in at_least]
    return pd.DataFrame(
        {
            "method": peers.methods,
            "metric": "peer_correlation_placebo_p",
            "value": (1 + at_least) / (1 + PERMUTATIONS),
            "low": [interval.low for interval in exact],
            "high": [interval.high for interval in exact],
            "n": PERMUTATIONS,
            "interval": "permutation",
            "versus": "",
        }
    )
