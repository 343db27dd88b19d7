"""Which features companies have together more often than by chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.checks import DataError
from finsae.features import Features

IntArray = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.floating[Any]]

COLUMNS_AT_ONCE = 512
DENSE = 0.02  # share of companies that have a feature, above which products are dense


def npmi(
    features: Features, *, feature: int | None = None, min_companies: int = 5, top: int = 50
) -> pd.DataFrame:
    """List the pairs of features that companies have together more often than by chance.

    Normalised pointwise mutual information (Bouma 2009): log(p_ab / (p_a p_b)) / -log p_ab, where
    p is the share of companies; 1 where neither comes without the other, 0 for independent ones
    (and for two that all companies have). Features that fire on the same words score high without
    saying more than that.

    Parameters
    ----------
    features : Features
        A feature counts as had where its value is not 0.
    feature : int, optional
        Only pairs with this one.
    min_companies : int, default 5
        Companies that must have both.
    top : int, default 50
        Pairs listed, the highest first.

    Returns
    -------
    DataFrame
        ``a, b`` (ids), ``label_a, label_b, companies_a, companies_b, both, npmi``.

    Raises
    ------
    DataError
        If there is no such feature, or a number is below 1.
    """
    if feature is not None and not 0 <= feature < len(features.names):
        raise DataError(f"no feature {feature}: ids go from 0 to {len(features.names) - 1}")
    if min_companies < 1 or top < 1:
        raise DataError("min_companies and top must be at least 1")
    has = sparse.csc_array(features.matrix.astype(bool).astype(np.float32))
    has.eliminate_zeros()
    owners = np.diff(has.indptr).astype(np.float64)
    kept = np.flatnonzero(owners >= min_companies)
    first = kept if feature is None else np.array([feature])
    found = _pairs(has, first, kept, least=min_companies, top=top)
    a, b = (found[:, column].astype(np.int64) for column in (0, 1))
    count, value = found[:, 2].astype(np.int64), found[:, 3]
    order = np.lexsort((b, a, -count, -value))[:top]
    labels = features.names["label"].to_numpy()
    return pd.DataFrame(
        {
            "a": a[order],
            "b": b[order],
            "label_a": labels[a[order]],
            "label_b": labels[b[order]],
            "companies_a": owners[a[order]].astype(np.int64),
            "companies_b": owners[b[order]].astype(np.int64),
            "both": count[order],
            "npmi": value[order],
        }
    )


def _pairs(
    has: sparse.csc_array, first: IntArray, kept: IntArray, *, least: int, top: int
) -> FloatArray:
    """Find the closest pairs of a feature of `first` and a later one of `kept`.

    Rows of both ids, the count of companies that have both, and NPMI, in no order; more than `top`.
    """
    owners = np.diff(has.indptr).astype(np.float64)
    columns = has[:, kept]
    # a sparse product costs the square of a company's features
    dense = columns.nnz > DENSE * columns.shape[0] * columns.shape[1]
    known = columns.toarray() if dense else columns
    found = [np.empty((0, 4))]
    for start in range(0, len(first), COLUMNS_AT_ONCE):
        block = first[start : start + COLUMNS_AT_ONCE]
        both = _both(has[:, block], known)
        value = _npmi(both, owners[block], owners[kept], n=has.shape[0])
        other = block[:, None] < kept if len(first) > 1 else block[:, None] != kept
        i, j = _largest(np.where(other & (both >= least), value, -np.inf), top)
        found.append(np.column_stack([block[i], kept[j], both[i, j], value[i, j]]))
    return np.concatenate(found)


def _both(block: sparse.csc_array, known: sparse.csc_array | FloatArray) -> FloatArray:
    """Count the companies that have a feature of the block and a known one: block x known."""
    if sparse.issparse(known):
        return np.asarray((block.T @ known).toarray())
    return np.asarray(block.toarray().T @ known)


def _npmi(both: FloatArray, a: FloatArray, b: FloatArray, *, n: int) -> npt.NDArray[np.float64]:
    """Normalised mutual information of counts; 0 where all companies have both."""
    count = np.maximum(both, 1).astype(np.float64)
    surprise = -np.log(count / n)
    mutual = np.log(n * count / np.outer(np.maximum(a, 1), b))
    return np.divide(mutual, surprise, out=np.zeros_like(mutual), where=surprise > 0)


def _largest(value: FloatArray, top: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of the largest finite values, in no order."""
    flat = value.ravel()
    best = np.argpartition(flat, -top)[-top:] if len(flat) > top else np.arange(len(flat))
    best = best[np.isfinite(flat[best])]
    return best // value.shape[1], best % value.shape[1]
