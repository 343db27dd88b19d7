"""Correlation of every two columns over the rows that both have."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

ROWS = 128  # of a block: its arrays stay in the cache, and half of the pairs are left out
CANCELLATION = 1e-4  # a variance below this share of its second moment has lost four digits


def pairwise_correlation(x: FloatArray, *, min_obs: int = 12) -> npt.NDArray[np.float64]:
    """Pearson correlation of every two columns over the rows that both have.

    The sums over common rows are matrix products (of values, squares and presence), block by block
    over the upper triangle; columns are centred first so that little cancels. The few pairs where
    much still does, because their common rows lie far from a column's mean, are done again in two
    passes.

    Parameters
    ----------
    x : ndarray [T, n]
        NaN or infinite where missing.
    min_obs : int, default 12
        Common rows needed.

    Returns
    -------
    ndarray [n, n], float64
        NaN where there are fewer common rows, or where a column is constant over them; the
        diagonal follows the same rule. Equal to ``DataFrame.corr(min_periods=min_obs)``.
    """
    present = np.isfinite(x)
    present &= _varies(x, present)  # a constant column correlates with nothing, like an absent one
    filled = np.where(present, x, 0.0)
    mean = filled.sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    centred = np.where(present, filled - mean, 0.0)
    n = x.shape[1]
    result = np.empty((n, n))
    have = present.astype(float)
    for start in range(0, n, ROWS):
        rows = slice(start, min(start + ROWS, n))
        block = _correlation_block(centred, have, rows, max(min_obs, 2))
        result[rows, start:] = block
        result[start:, rows] = block.T
    np.fill_diagonal(result, np.where(np.isnan(result.diagonal()), np.nan, 1.0))
    return result


def _varies(x: FloatArray, present: BoolArray) -> BoolArray:
    """Say of each column whether it has two different values."""
    highest = np.max(x, axis=0, where=present, initial=-np.inf)
    lowest = np.min(x, axis=0, where=present, initial=np.inf)
    return np.asarray(highest > lowest)


def _correlation_block(
    centred: FloatArray, have: FloatArray, rows: slice, min_obs: int
) -> FloatArray:
    """Correlations of the columns `rows` with themselves and all later ones."""
    mine, their = centred[:, rows], centred[:, rows.start :]
    i_have, they_have = have[:, rows], have[:, rows.start :]
    common = i_have.T @ they_have
    common[common < min_obs] = np.nan
    my_sum, their_sum = mine.T @ they_have, i_have.T @ their
    block = mine.T @ their
    block -= my_sum * their_sum / common
    my_square, their_square = (mine**2).T @ they_have, i_have.T @ their**2
    my_variance = my_square - np.square(my_sum, out=my_sum) / common
    their_variance = their_square - np.square(their_sum, out=their_sum) / common
    cancelled = my_variance <= CANCELLATION * my_square
    cancelled |= their_variance <= CANCELLATION * their_square
    with np.errstate(divide="ignore", invalid="ignore"):
        block /= np.sqrt(np.multiply(my_variance, their_variance, out=my_variance))
    for i in np.flatnonzero(cancelled.any(axis=1)):
        others = np.flatnonzero(cancelled[i]) + rows.start
        block[i, others - rows.start] = _two_pass(centred, have > 0, rows.start + i, others)
    width = block.shape[0]
    square = block[:, :width]
    block[:, :width] = (square + square.T) / 2  # the order of summation may differ
    return np.clip(block, -1, 1, out=block)


def _two_pass(
    centred: FloatArray, present: BoolArray, i: int, others: npt.NDArray[np.int64]
) -> FloatArray:
    """Correlations of column `i` with `others`, centred over each pair's own common rows."""
    both = present[:, [i]] & present[:, others]
    count = both.sum(axis=0)
    mine = np.where(both, centred[:, [i]], 0.0)
    their = np.where(both, centred[:, others], 0.0)
    varies = _varies(mine, both) & _varies(their, both)
    mine = np.where(both, mine - mine.sum(axis=0) / count, 0.0)
    their = np.where(both, their - their.sum(axis=0) / count, 0.0)
    scale = np.sqrt((mine**2).sum(axis=0)) * np.sqrt((their**2).sum(axis=0))
    result = np.full(len(others), np.nan)
    np.divide((mine * their).sum(axis=0), scale, out=result, where=varies)
    return result
