"""The nearest companies of every company, ties broken at random."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from finsae.checks import DataError
from finsae.similarity.blocks import blocks

FloatArray = npt.NDArray[np.floating[Any]]
Seed = int | np.random.Generator | None


def peers(similarity: pd.DataFrame, k: int, *, random_state: Seed = None) -> pd.DataFrame:
    """List the `k` nearest companies of every company.

    Parameters
    ----------
    similarity : DataFrame [n, n]
        Any method. A missing similarity (NaN) ranks below every other.
    k : int
        Peers per company; where there are fewer other companies, all of them.
    random_state : int or Generator, optional
        Breaks exact ties; an integer makes the draw reproducible.

    Returns
    -------
    DataFrame
        Columns ``ticker, rank, peer, similarity``, rank 1 being the nearest.

    Raises
    ------
    DataError
        If the table is not square with the same tickers on both sides, or `k` is below 1.
    """
    if not similarity.index.equals(similarity.columns):
        raise DataError("a similarity table needs the same tickers as rows and as columns")
    values = similarity.to_numpy()
    chosen = peer_index(values, k, np.random.default_rng(random_state))
    names = similarity.index.to_numpy()
    return pd.DataFrame(
        {
            "ticker": np.repeat(names, chosen.shape[1]),
            "rank": np.tile(np.arange(1, chosen.shape[1] + 1), len(names)),
            "peer": names[chosen.ravel()],
            "similarity": np.take_along_axis(values, chosen, axis=1).ravel(),
        }
    )


def peer_index(similarity: FloatArray, k: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Positions of the `k` nearest companies of every company, nearest first.

    Ties, within the k and at their border, are broken at random, each row on its own.

    Parameters
    ----------
    similarity : ndarray [n, n]
        Missing values rank last; a company is never its own peer.
    k : int
        At most n - 1 are returned.
    rng : Generator
        Breaks ties.

    Returns
    -------
    ndarray [n, min(k, n - 1)]
    """
    if k < 1:
        raise DataError(f"k, the number of peers, must be at least 1, not {k}")
    n = len(similarity)
    k = min(k, n - 1)
    chosen = np.empty((n, max(k, 0)), dtype=np.int64)
    if k < 1:
        return chosen
    for rows, block in _others(similarity):
        chosen[rows] = _nearest(rows, block, np.partition(block, n - k, axis=1)[:, n - k], rng, k=k)
    return chosen


def peer_sets(similarity: FloatArray, k: int, *, draws: int, seed: int) -> npt.NDArray[np.int64]:
    """Peers of every company, several times over where chance decides between ties.

    Parameters
    ----------
    similarity : ndarray [n, n]
        As for `peer_index`.
    k : int
    draws : int
        Random draws if any company's k-th peer is decided by chance; otherwise there is one.
    seed : int

    Returns
    -------
    ndarray [draws or 1, n, min(k, n - 1)]
    """
    n = len(similarity)
    rng = np.random.default_rng(seed)
    times = draws if has_ties(similarity, k) else 1
    if times == 1 or not 1 <= k < n:
        return peer_index(similarity, k, rng)[None]
    chosen = np.empty((times, n, k), dtype=np.int64)
    for rows, block in _others(similarity):
        border = np.partition(block, n - k, axis=1)[:, n - k]
        for draw in range(times):
            chosen[draw, rows] = _nearest(rows, block, border, rng, k=k)
    return chosen


def _nearest(
    rows: slice, block: FloatArray, border: FloatArray, rng: np.random.Generator, *, k: int
) -> npt.NDArray[np.int64]:
    """Take all above the border, and of those at the border as many as are wanted, at random."""
    n = block.shape[1]
    priority = np.where(block > border[:, None], 2.0, -1.0).astype(np.float32)
    at_border = block == border[:, None]
    priority[at_border] = rng.random(int(at_border.sum()), dtype=np.float32)
    own = np.arange(rows.start, rows.stop)
    priority[own - rows.start, own] = -2
    best = np.argpartition(priority, n - k, axis=1)[:, n - k :]
    order = np.lexsort((rng.random(best.shape), -np.take_along_axis(block, best, axis=1)))
    return np.asarray(np.take_along_axis(best, order, axis=1))


def has_ties(similarity: pd.DataFrame | FloatArray, k: int) -> bool:
    """Say whether chance decides any company's k-th peer, so that draws must be averaged."""
    values = np.asarray(similarity)
    n = len(values)
    if k >= n - 1:
        return False
    for rows, block in _others(values):
        own = np.arange(rows.start, rows.stop)
        border = np.partition(block, n - k, axis=1)[:, n - k, None]
        at_least = block >= border
        at_least[own - rows.start, own] = False
        if (at_least.sum(axis=1) > k).any():
            return True
    return False


def _others(similarity: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
    """Blocks of rows in which missing values and a company itself rank last."""
    n = len(similarity)
    for rows in blocks(n, n):
        block = np.where(np.isnan(similarity[rows]), -np.inf, similarity[rows])
        own = np.arange(rows.start, rows.stop)
        block[own - rows.start, own] = -np.inf
        yield rows, block
