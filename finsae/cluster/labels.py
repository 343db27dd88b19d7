"""Checks and numbering that every clustering shares."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from finsae.checks import DataError

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
Labels = npt.NDArray[np.int64]
Distance = pd.DataFrame | FloatArray

ASYMMETRY = 1e-6  # of float32 similarities


def renumber(groups: npt.ArrayLike) -> Labels:
    """Rename groups 0, 1, ... from the largest to the smallest, equal ones by their first member.

    Parameters
    ----------
    groups : array_like [n]
        Any group names; missing ones stand alone.
    """
    codes, _ = pd.factorize(np.asarray(groups))
    alone = np.flatnonzero(codes < 0)
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(len(alone))
    groups_found, first, sizes = np.unique(codes, return_index=True, return_counts=True)
    rank = np.empty(len(groups_found), dtype=np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(groups_found))
    return np.asarray(rank[codes])


def tree(distance: FloatArray, method: Literal["single", "average"]) -> FloatArray:
    """Merge companies step by step, the nearest groups first (`scipy.cluster.hierarchy.linkage`).

    Parameters
    ----------
    distance : ndarray [n, n]
        Checked, of at least two companies.
    method : str
        How far two groups are apart: "single" or "average".

    Returns
    -------
    ndarray [n - 1, 4]
        Merged groups, height and size, in order of height.
    """
    return np.asarray(linkage(squareform(distance, checks=False), method))


def check_distance(distance: Distance) -> FloatArray:
    """Return distances as float64.

    Raises
    ------
    DataError
        If they are not square, finite and symmetric.
    """
    values = np.asarray(distance, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise DataError(f"distances must be a square table, not {values.shape}")
    if not np.isfinite(values).all():
        raise DataError(
            "distances must be finite numbers; where a similarity is missing, leave the company "
            "out or set the distance to its largest value"
        )
    if values.size and abs(values - values.T).max() > ASYMMETRY:
        raise DataError("distances must be symmetric: from A to B as far as from B to A")
    return values
