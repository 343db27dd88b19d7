"""Which words set one text apart from another."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
Counts = npt.NDArray[np.integer[Any]] | FloatArray

PRIOR = 5_000.0
"""Words that the prior is worth: with less, words seen once or twice come first."""


def log_odds(here: Counts, rest: Counts, *, prior: float = PRIOR) -> tuple[FloatArray, FloatArray]:
    """Log-odds of words here against the rest, with an informative Dirichlet prior.

    The prior is the words' shares in both together, worth `prior` words; with it, the estimate of
    a rare word is drawn towards no difference, and its z-score says how sure the difference is
    (Monroe, Colaresi and Quinn 2008, Fightin' Words, Political Analysis 16, equations 15, 16, 22).

    Parameters
    ----------
    here, rest : ndarray [V] or [F, V]
        How often each word of the vocabulary occurs; parts do not overlap. Several rows are
        several comparisons.
    prior : float
        Strength of the prior, in words.

    Returns
    -------
    difference : ndarray
        Log-odds ratio, positive for words that are typical here; its sign is that of `z`.
    z : ndarray
        The ratio divided by its standard deviation.
    """
    here, rest = np.asarray(here, dtype=np.float64), np.asarray(rest, dtype=np.float64)
    both = here + rest
    expected = prior * both / np.maximum(both.sum(axis=-1, keepdims=True), 1e-12)
    seen = both > 0
    expected = np.where(seen, expected, 1.0)
    counts = [np.where(seen, part, 0.0) + expected for part in (here, rest)]
    sizes = [part.sum(axis=-1, keepdims=True) + prior for part in (here, rest)]
    odds = [np.log(count) - np.log(size - count) for count, size in zip(counts, sizes, strict=True)]
    difference = np.where(seen, odds[0] - odds[1], 0.0)
    spread = np.sqrt(1 / counts[0] + 1 / counts[1])
    return difference, difference / spread
