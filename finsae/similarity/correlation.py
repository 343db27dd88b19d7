"""Correlation of every two columns over the rows that both have."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from finsae.similarity.blocks import blocks

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]

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
    for rows in blocks(n, max(n, len(x))):
        block = _correlation_block(centred, present, rows, max(min_obs, 2))
        result[rows, rows.start :] = block
        result[rows.start :, rows] = block.T
    np.fill_diagonal(result, np.where(np.isnan(result.diagonal()), np.nan, 1.0))
    return result


def _varies(x: FloatArray, present: BoolArray) -> BoolArray:
    """Say of each column whether it has two different values."""
    highest = np.max(x, axis=0, where=present, initial=-np.inf)
    lowest = np.min(x, axis=0, where=present, initial=np.inf)
    return np.asarray(highest > lowest)


def _correlation_block(
    centred: FloatArray, present: BoolArray, rows: slice, min_obs: int
) -> FloatArray:
    """Correlations of the columns `rows` with themselves and all later ones."""
    mine, their = centred[:, rows], centred[:, rows.start :]
    i_have, they_have = present[:, rows].astype(float), present[:, rows.start :].astype(float)
    common = i_have.T @ they_have
    common[common < min_obs] = np.nan
    my_sum, their_sum = mine.T @ they_have, i_have.T @ their
    my_square, their_square = (mine**2).T @ they_have, i_have.T @ their**2
    my_variance = my_square - my_sum**2 / common
    their_variance = their_square - their_sum**2 / common
    block = mine.T @ their - my_sum * their_sum / common
    with np.errstate(divide="ignore", invalid="ignore"):
        block /= np.sqrt(my_variance * their_variance)
    cancelled = my_variance <= CANCELLATION * my_square
    cancelled |= their_variance <= CANCELLATION * their_square
    for i in np.flatnonzero(cancelled.any(axis=1)):
        others = np.flatnonzero(cancelled[i]) + rows.start
        block[i, others - rows.start] = _two_pass(centred, present, rows.start + i, others)
    width = block.shape[0]
    square = block[:, :width]
    block[:, :width] = (square + square.T) / 2  # the order of summation may differ
    return np.asarray(np.clip(block, -1, 1))


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
