"""Similarity taught by past returns: weights of features, and a blend with past correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.checks import DataError

FloatArray = npt.NDArray[np.floating[Any]]
Matrix = sparse.csr_array | sparse.csr_matrix | FloatArray

STEPS = 300
CLOSE = 1e-5  # relative change of the weights at which the search stops
LEAST = 5  # companies that a feature needs for its weight to be learnt
MOST = 12_000  # features whose weights are learnt: their Gram matrix is kept


class PairRegression:
    """Weigh features so that companies which share them are as alike as their past returns were.

    With z the companies' unit rows, minimised over w >= 0 is the sum over pairs of
    (C_ij - a - c sum_f w_f z_if z_jf)^2 + ridge c^2 d |w - 1|^2: the regression of past
    correlation C on what pairs share, every weight held near 1. c and a are the slope and intercept
    for w = 1; d is the mean squared size of a feature's column of pair products, so that `ridge`
    has no unit. The Gram matrix of pair products is the square of that of companies, entry by
    entry, and no pair is ever written down. Solved by accelerated projected gradients (Beck and
    Teboulle 2009, SIAM Journal on Imaging Sciences 2).

    There are more features than months of returns: without a strong ridge the weights learn the
    noise of the past.

    Parameters
    ----------
    matrix : CSR or ndarray [n, F]
        Weighted features, one row per company.
    target : ndarray [n, n]
        Correlation of returns before the cut; missing pairs count as the mean.

    Raises
    ------
    DataError
        If `target` is of other companies.
    """

    def __init__(self, matrix: Matrix, target: FloatArray) -> None:
        if target.shape != (matrix.shape[0],) * 2:
            raise DataError(f"{matrix.shape[0]} companies have a target of {target.shape}")
        rows = _unit(matrix)
        owners = (rows != 0).sum(axis=0)
        known = min(MOST, int((owners >= LEAST).sum()))
        self.size = rows.shape[1]
        self.kept = np.sort(np.argsort(-owners, kind="stable")[:known])
        self.gram, self.moments = _normal_equations(rows[:, self.kept], _centred_pairs(target))

    def weights(self, ridge: float) -> npt.NDArray[np.float64]:
        """Solve for one strength of the ridge, above 0: weights [F].

        They are 1 for features of fewer than five companies, and, where more than 12,000 remain,
        for the rarest.
        """
        if not ridge > 0:
            raise DataError(f"ridge is {ridge}: it must be above 0, or the past's noise is learnt")
        found = np.ones(self.size)
        if len(self.kept):
            found[self.kept] = _non_negative_ridge(self.gram, self.moments, ridge)
        return found


def learnt_weights(matrix: Matrix, target: FloatArray, *, ridge: float) -> npt.NDArray[np.float64]:
    """Solve one `PairRegression` for one ridge."""
    return PairRegression(matrix, target).weights(ridge)


def _unit(matrix: Matrix) -> FloatArray:
    dense = matrix.toarray() if sparse.issparse(matrix) else np.asarray(matrix)
    dense = dense.astype(np.float32)
    length = np.linalg.norm(dense, axis=1, keepdims=True)
    return np.asarray(dense / np.where(length > 0, length, 1))


def _centred_pairs(target: FloatArray) -> FloatArray:
    """Subtract the mean over pairs; 0 on the diagonal and where a pair is missing."""
    off = ~np.eye(len(target), dtype=bool)
    known = off & np.isfinite(target)
    mean = target[known].mean() if known.any() else 0.0
    return np.where(known, target - mean, 0).astype(np.float32)


def _normal_equations(rows: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gram matrix of centred pair products, and their products with the target, over i < j."""
    n = len(rows)
    gram = (rows.T @ rows) ** 2
    gram -= (rows**2).T @ rows**2  # a company is no pair with itself
    gram /= 2
    sums = (rows.sum(axis=0) ** 2 - (rows**2).sum(axis=0)) / 2
    gram -= np.outer(sums, sums) / (n * (n - 1) / 2)
    moments = np.einsum("if,if->f", rows, target @ rows) / 2
    return gram, moments


def _non_negative_ridge(gram: FloatArray, moments: FloatArray, ridge: float) -> FloatArray:
    one = np.ones(len(moments))
    predicted = gram @ one.astype(gram.dtype)
    slope = float(moments.sum() / predicted.sum()) if predicted.sum() > 0 else 0.0
    if slope <= 0:  # what they share says nothing of past returns: leave it alone
        return one
    pull = ridge * float(np.diagonal(gram).mean())
    wanted = moments / slope + pull
    step = 1 / (_largest_eigenvalue(gram) + pull)
    weights, ahead, momentum = one, one, 1.0
    for _ in range(STEPS):
        gradient = gram @ ahead.astype(gram.dtype) + pull * ahead - wanted
        following = np.maximum(ahead - step * gradient, 0)
        faster = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = following + (momentum - 1) / faster * (following - weights)
        moved = np.linalg.norm(following - weights)
        weights, momentum = following, faster
        if moved <= CLOSE * np.linalg.norm(weights):
            break
    return np.asarray(weights)


def _largest_eigenvalue(gram: FloatArray) -> float:
    vector = np.ones(len(gram), dtype=gram.dtype)
    size = 1.0
    for _ in range(30):
        vector = gram @ vector
        size = float(np.linalg.norm(vector))
        if size == 0:
            return 1.0
        vector = vector / size
    return 1.02 * size  # power iteration comes from below


def blend(text: pd.DataFrame, past: pd.DataFrame, weight: float) -> pd.DataFrame:
    """Average two similarities, each in standard deviations over the pairs.

    Parameters
    ----------
    text, past : DataFrame [n, n]
        Of the same companies; a pair that is missing in one counts as its mean there.
    weight : float
        Of `past`, from 0 (text alone) to 1.

    Returns
    -------
    DataFrame [n, n]
        The diagonal, which means nothing, is the largest value.

    Raises
    ------
    DataError
        If the weight lies outside, or the companies differ.
    """
    if not 0 <= weight <= 1:
        raise DataError(f"the weight of a blend is between 0 and 1, not {weight}")
    if not (text.index.equals(past.index) and text.columns.equals(past.columns)):
        raise DataError("similarities to be blended are of the same companies, in the same order")
    mixed = (1 - weight) * _standard(text.to_numpy()) + weight * _standard(past.to_numpy())
    np.fill_diagonal(mixed, mixed.max(initial=1))
    return pd.DataFrame(mixed, index=text.index, columns=text.columns)


def _standard(values: FloatArray) -> FloatArray:
    off = ~np.eye(len(values), dtype=bool)
    known = off & np.isfinite(values)
    if not known.any():
        return np.zeros(values.shape)
    mean, spread = float(values[known].mean()), float(values[known].std())
    return np.where(known, (values - mean) / (spread or 1.0), 0.0)
