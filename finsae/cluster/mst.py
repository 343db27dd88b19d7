"""Clusters as the paper cuts them: the minimum spanning tree without its long edges."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, leaves_list

from finsae.checks import DataError
from finsae.cluster.labels import (
    Distance,
    FloatArray,
    IntArray,
    Labels,
    check_distance,
    renumber,
    tree,
)


class MinimumSpanningTree:
    """Clusters that hang together by edges of the minimum spanning tree up to a threshold.

    The complete graph's minimum spanning tree loses its edges longer than `threshold`; what still
    hangs together is a cluster (arXiv 2412.02605, section 3). This equals single linkage cut at
    that height, which is how it is computed. It chains: one cluster may grow through a row of
    neighbours whose ends have little in common.

    Parameters
    ----------
    threshold : float
        Longest edge that stays, in units of the distance (1 - cosine similarity);
        `choose_threshold` finds one before the cut date.

    Attributes
    ----------
    labels_ : ndarray [n]
        0 is the largest cluster; a company alone has a label of its own.
    """

    reads = "distance"

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

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
        """
        values = check_distance(distance)
        groups: IntArray = np.arange(len(values))
        if len(values) > 1:
            groups = fcluster(tree(values, "single"), self.threshold, criterion="distance")
        self.labels_ = renumber(groups)
        return self.labels_


def choose_threshold(
    distance: Distance, past_correlation: Distance, *, min_coverage: float = 0.6
) -> float:
    """Choose the threshold whose clusters correlated most, among those that cover enough.

    Every height at which the tree merges is a candidate. Its score is the mean past correlation
    over all pairs inside clusters: pair-weighted, since a mean over clusters is won by cutting
    everything into twos. Without the floor on coverage the best cut would keep the single most
    correlated pair.

    Parameters
    ----------
    distance : DataFrame or ndarray [n, n]
        As for `MinimumSpanningTree`.
    past_correlation : DataFrame or ndarray [n, n]
        Correlation of returns up to the cut date, of the same companies in the same order; pairs
        without one (NaN) are skipped.
    min_coverage : float, default 0.6
        Least share of companies in clusters of two or more.

    Returns
    -------
    float
        A merge height: the smallest of those that score best.

    Raises
    ------
    DataError
        If there are fewer than two companies, the tables do not match, no pair has a correlation,
        or the coverage is not in (0, 1].
    """
    values, correlation = check_distance(distance), np.asarray(past_correlation, dtype=np.float64)
    if len(values) < 2 or correlation.shape != values.shape:
        raise DataError(
            f"a threshold needs distances and past correlations of the same two or more companies, "
            f"not {values.shape} and {correlation.shape}"
        )
    if not 0 < min_coverage <= 1:
        raise DataError(f"coverage is a share in (0, 1], not {min_coverage}")
    joined = tree(values, "single")
    heights, coverage, score = _cuts(joined, correlation)
    score[(coverage < min_coverage) | np.isnan(score)] = -np.inf
    if np.isneginf(score).all():
        raise DataError("no pair inside a cluster has a past correlation: give earlier returns")
    return float(heights[np.argmax(score)])


def _cuts(joined: FloatArray, correlation: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Height, coverage and pair-weighted mean correlation of every distinct cut of a tree.

    In the order of the tree's leaves every cluster is an interval, and a merge adds the rectangle
    between two neighbouring intervals: each pair of companies is looked at once.
    """
    n = len(correlation)
    order = leaves_list(joined)
    ordered = correlation[np.ix_(order, order)]
    known = np.isfinite(ordered)
    ordered = np.where(known, ordered, 0.0)
    start = np.empty(2 * n - 1, dtype=np.int64)
    start[order] = np.arange(n)
    size = np.ones(2 * n - 1, dtype=np.int64)
    sums, pairs, covered = np.empty((3, n - 1))
    for step, (left, right) in enumerate(joined[:, :2].astype(np.int64)):
        node = n + step
        start[node], size[node] = min(start[left], start[right]), size[left] + size[right]
        rectangle = tuple(slice(start[side], start[side] + size[side]) for side in (left, right))
        sums[step], pairs[step] = ordered[rectangle].sum(), known[rectangle].sum()
        covered[step] = int(size[left] == 1) + int(size[right] == 1)
    last_of_height = np.append(np.diff(joined[:, 2]) > 0, True)
    total, count = np.cumsum(sums), np.cumsum(pairs)
    score = np.full(n - 1, np.nan)
    np.divide(total, count, out=score, where=count > 0)
    heights, coverage = joined[:, 2], np.cumsum(covered) / n
    return heights[last_of_height], coverage[last_of_height], score[last_of_height]
