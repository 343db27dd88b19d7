"""Principal components, and how many of them a similarity uses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]


def effective_dimension(similarity: FloatArray) -> int:
    """Count the dimensions over which companies spread: the participation ratio.

    With l the variances along the principal axes, (sum l)^2 / sum l^2: as many axes of equal
    variance would have the same ratio. It is computed from similarities centred in rows and
    columns, whose eigenvalues are these variances (the sum is their trace, the sum of squares their
    squared Frobenius norm).

    Parameters
    ----------
    similarity : ndarray [n, n]
        Cosines.

    Returns
    -------
    int
        At least 1.
    """
    centred = np.asarray(similarity, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    centred = centred - centred.mean(axis=1, keepdims=True)
    squares = float((centred**2).sum())
    return max(1, round(float(np.trace(centred)) ** 2 / squares)) if squares else 1


def principal_components(matrix: FloatArray, count: int) -> npt.NDArray[np.float64]:
    """Scores of companies on the first principal components of their unit-length rows.

    Parameters
    ----------
    matrix : ndarray [n, d]
        Such as mean activations. Rows are scaled to length 1 first, as a cosine does.
    count : int
        Components wanted; at most min(n, d) are there.

    Returns
    -------
    ndarray [n, min(count, n, d)]
        Signs of the components are as numpy's decomposition gives them, and do not matter to a
        cosine.
    """
    dense = np.asarray(matrix, dtype=np.float64)
    length = np.linalg.norm(dense, axis=1, keepdims=True)
    unit = dense / np.where(length > 0, length, 1)
    left, size, _ = np.linalg.svd(unit - unit.mean(axis=0), full_matrices=False)
    return np.asarray(left[:, :count] * size[:count])
