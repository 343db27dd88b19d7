"""Methods: cosine of features, shared digits of industry codes, past returns, nothing at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.checks import DataError
from finsae.similarity.blocks import blocks
from finsae.similarity.correlation import pairwise_correlation

Matrix = sparse.csr_array | sparse.csr_matrix | npt.NDArray[np.floating[Any]]

COMMON = 0.1  # features of more than this share of companies are multiplied densely
TINY = np.finfo(np.float64).tiny  # keeps a row of zeros from being divided by zero


def cosine(matrix: Matrix, tickers: Sequence[str] | pd.Index) -> pd.DataFrame:
    """Cosine similarity of companies: the cosine of the angle between their feature vectors.

    Parameters
    ----------
    matrix : CSR or ndarray [n, F]
        One row per company. A row of zeros (an empty text) is like nobody: similarity 0.
    tickers : sequence of str
        Names of the rows.

    Returns
    -------
    DataFrame [n, n], float32
        In [-1, 1], exactly symmetric, 1 on the diagonal.

    Raises
    ------
    DataError
        If there is not exactly one ticker per row, or a value is not finite.
    """
    names = _names(tickers, matrix.shape[0])
    values = matrix.data if sparse.issparse(matrix) else matrix
    if not np.isfinite(values).all():
        raise DataError("features must be finite numbers; some are NaN or infinite")
    if sparse.issparse(matrix):
        products = _sparse_gram(_unit_rows(sparse.csr_array(matrix).astype(np.float64)))
    else:
        dense = np.asarray(matrix, dtype=np.float64)
        unit = dense / np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), TINY)
        products = (unit @ unit.T).astype(np.float32)
    np.clip(products, -1, 1, out=products)
    np.fill_diagonal(products, 1)
    return pd.DataFrame(products, index=names, columns=names)


def centred(similarity: pd.DataFrame) -> pd.DataFrame:
    """Cosine similarity after the companies' mean vector is taken away from each.

    Long texts touch a little of everything and so lie near the mean: companies of long descriptions
    are alike for their length. Without the mean they are not. Made from the cosines alone (the
    centred Gram matrix of classical scaling, Torgerson 1952), so that sparse rows stay sparse.

    Parameters
    ----------
    similarity : DataFrame [n, n]
        Of `cosine`, over the companies that teach the mean.

    Returns
    -------
    DataFrame [n, n], float32
        In [-1, 1], symmetric, 1 on the diagonal; 0 for a company that is the mean.
    """
    gram = similarity.to_numpy(dtype=np.float64)
    means = gram.mean(axis=1)
    gram = gram - means[:, None] - means + means.mean()
    sizes = np.sqrt(np.maximum(np.diag(gram), 0))
    gram /= np.maximum(np.outer(sizes, sizes), TINY)
    products = np.clip(gram, -1, 1).astype(np.float32)
    np.fill_diagonal(products, 1)
    return pd.DataFrame(products, index=similarity.index, columns=similarity.columns)


def cosine_to(
    matrix: sparse.csr_array, vector: sparse.csr_array, tickers: Sequence[str] | pd.Index
) -> pd.Series:
    """Cosine of one vector, such as a company, a basket or a query, with every company.

    Parameters
    ----------
    matrix : CSR [n, F]
        One row per company.
    vector : CSR [1, F]
    tickers : sequence of str
        Names of the rows.

    Returns
    -------
    Series [n], float64
        In [-1, 1]; 0 where either has no feature.
    """
    names = _names(tickers, matrix.shape[0])
    rows, one = (_unit_rows(part.astype(np.float64)) for part in (matrix, vector))
    products = (rows @ one.T.tocsr()).toarray().ravel()
    return pd.Series(np.clip(products, -1, 1), index=names)


def shared_prefix(sic: pd.Series, digits: Sequence[int] = (4, 3, 2)) -> pd.DataFrame:
    """Similarity by industry code: the number of leading digits that two codes share.

    Ranked by this, peers come from the same 4-digit industry first, then the same 3-digit group,
    then the same major group, then from anywhere; the many ties are for `peers` to break.

    Parameters
    ----------
    sic : Series of str
        Codes by ticker. A missing code shares nothing with anybody.
    digits : sequence of int, default (4, 3, 2)
        Prefix lengths that count; ``(2,)`` is the major group.

    Returns
    -------
    DataFrame [n, n], float32
        0 or one of `digits`; the longest of them on the diagonal.
    """
    names = _names(sic.index, len(sic))
    shared = np.zeros((len(sic), len(sic)), dtype=np.float32)
    known = sic.notna().to_numpy()
    for length in sorted(digits):
        codes, _ = pd.factorize(sic.str[:length])
        same = (codes[:, None] == codes) & known[:, None] & known
        shared[same] = length
    np.fill_diagonal(shared, max(digits))
    return pd.DataFrame(shared, index=names, columns=names)


def shared_label(labels: pd.Series) -> pd.DataFrame:
    """Similarity by a class: 1 for companies of the same one, else 0; missing labels share nothing.

    Parameters
    ----------
    labels : Series
        By ticker.

    Returns
    -------
    DataFrame [n, n], float32
    """
    names = _names(labels.index, len(labels))
    codes, _ = pd.factorize(labels)
    same = ((codes[:, None] == codes) & (codes >= 0)).astype(np.float32)
    np.fill_diagonal(same, 1)
    return pd.DataFrame(same, index=names, columns=names)


def uninformed(tickers: Sequence[str] | pd.Index) -> pd.DataFrame:
    """Similarity of the method that knows nothing: all tie, so that peers are drawn at random."""
    names = _names(tickers, len(tickers))
    return pd.DataFrame(np.eye(len(names), dtype=np.float32), index=names, columns=names)


def past_correlation(returns: pd.DataFrame, *, min_obs: int | None = None) -> pd.DataFrame:
    """Similarity by past returns: their pairwise-complete correlation.

    Parameters
    ----------
    returns : DataFrame
        Log returns before the cut, dates x tickers, NaN where missing. Daily ones are the
        strongest form.
    min_obs : int, optional
        Dates that both companies must have; by default half of all, and at least 12, so that a
        newcomer's few days do not top the ranking.

    Returns
    -------
    DataFrame [n, n]
        NaN where a pair has too few dates or a constant series; 1 on the diagonal.
    """
    names = _names(returns.columns, returns.shape[1])
    needed = max(12, len(returns) // 2) if min_obs is None else min_obs
    correlation = pairwise_correlation(returns.to_numpy(dtype=np.float64), min_obs=needed)
    np.fill_diagonal(correlation, 1)
    return pd.DataFrame(correlation, index=names, columns=names)


def _names(tickers: Sequence[str] | pd.Index, rows: int) -> pd.Index:
    names = pd.Index(tickers)
    if len(names) != rows:
        raise DataError(f"{rows} rows need {rows} tickers; {len(names)} were given")
    if names.has_duplicates:
        twice = names[names.duplicated()][0]
        raise DataError(f'tickers must be unique; "{twice}" is there twice: keep one of its rows')
    return names


def _unit_rows(matrix: sparse.csr_array) -> sparse.csr_array:
    norms = np.sqrt(matrix.multiply(matrix).sum(axis=1))
    return sparse.csr_array(sparse.diags_array(1 / np.maximum(norms, TINY)) @ matrix)


def _sparse_gram(unit: sparse.csr_array) -> npt.NDArray[np.float32]:
    """Products of all rows: the common features by BLAS, the many rare ones as sparse rows.

    A sparse product costs the square of a feature's companies, so that a few common features would
    take nearly all of the time; the dense part is at most 1 / COMMON times the size of the input.
    """
    n = unit.shape[0]
    companies = np.bincount(unit.indices, minlength=unit.shape[1])
    common = np.flatnonzero(companies > COMMON * n)
    by_column = unit.tocsc()
    dense = by_column[:, common].toarray()
    rare = sparse.csr_array(by_column[:, np.flatnonzero(companies <= COMMON * n)])
    gram = np.empty((n, n), dtype=np.float32)
    for rows in blocks(n, n):
        block = dense[rows] @ dense[rows.start :].T
        block += (rare[rows] @ rare[rows.start :].T).toarray()
        gram[rows, rows.start :] = block
        gram[rows.start :, rows] = block.T
        square = gram[rows, rows]
        gram[rows, rows] = (square + square.T) / 2  # order of summation may differ
    return gram
