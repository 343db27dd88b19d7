"""A given number of clusters by average linkage."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster

from finsae.checks import DataError
from finsae.cluster.labels import Distance, IntArray, Labels, check_distance, renumber, tree


class AverageLinkage:
    """Clusters merged by the mean distance between their companies, until so many are left.

    Chains less than the minimum spanning tree, and gives every method the same number of clusters,
    so that none wins by making pairs.

    Parameters
    ----------
    n_clusters : int
        At most as many as companies.

    Attributes
    ----------
    labels_ : ndarray [n]
        0 is the largest cluster.
    """

    reads = "distance"

    def __init__(self, n_clusters: int) -> None:
        self.n_clusters = n_clusters

    def fit_predict(self, distance: Distance) -> Labels:
        """Cluster companies.

        Parameters
        ----------
        distance : DataFrame or ndarray [n, n]
            Symmetric and finite.

        Returns
        -------
        ndarray [n]
            One label per company.

        Raises
        ------
        DataError
            If no cluster is wanted.
        """
        if self.n_clusters < 1:
            raise DataError(f"at least 1 cluster must be wanted, not {self.n_clusters}")
        values = check_distance(distance)
        n = len(values)
        groups: IntArray = np.arange(n)
        if n > self.n_clusters:
            merges = tree(values, "average")
            merges[:, 2] = np.arange(1, n)  # cut by count: merges of one height would go together
            groups = fcluster(merges, n - self.n_clusters, criterion="distance")
        self.labels_ = renumber(groups)
        return self.labels_
