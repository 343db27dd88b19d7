"""A given number of clusters by k-means on the features themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from finsae.checks import DataError
from finsae.cluster.labels import Labels, renumber

Matrix = sparse.csr_array | sparse.csr_matrix | npt.NDArray[np.floating[Any]]


class FeatureKMeans:
    """Clusters around centres in feature space, companies scaled to unit length.

    Squared distances of unit vectors are 2 - 2 cosine, so that k-means and the other clusterings
    mean the same by near. Companies are put into an order of their own first: the start is drawn
    at random by position, and the result should not depend on how a table is sorted.

    Parameters
    ----------
    n_clusters : int
        At most as many as there are different companies.
    random_state : int, default 0
        Seed of the start (k-means++).

    Attributes
    ----------
    labels_ : ndarray [n]
        0 is the largest cluster.
    """

    reads = "features"

    def __init__(self, n_clusters: int, random_state: int = 0) -> None:
        self.n_clusters = n_clusters
        self.random_state = random_state

    def fit_predict(self, features: Matrix) -> Labels:
        """Cluster companies.

        Parameters
        ----------
        features : CSR or ndarray [n, F]
            One row per company.

        Returns
        -------
        ndarray [n]
            One label per company.

        Raises
        ------
        DataError
            If no cluster is wanted.
        """
        from sklearn.cluster import KMeans
        from sklearn.preprocessing import normalize

        if self.n_clusters < 1:
            raise DataError(f"at least 1 cluster must be wanted, not {self.n_clusters}")
        unit = normalize(sparse.csr_array(features).astype(np.float64))
        unit.sort_indices()  # sums of equal rows must be equal to the last bit
        unit.indices, unit.indptr = unit.indices.astype(np.int32), unit.indptr.astype(np.int32)
        position = unit @ np.random.default_rng(self.random_state).normal(size=unit.shape[1])
        order, different = np.argsort(position), len(np.unique(position))
        wanted = min(self.n_clusters, max(different, 1))
        model = KMeans(wanted, n_init="auto", random_state=self.random_state)
        groups = np.empty(unit.shape[0], dtype=np.int64)
        groups[order] = model.fit_predict(unit[order])
        self.labels_ = renumber(groups)
        return self.labels_
