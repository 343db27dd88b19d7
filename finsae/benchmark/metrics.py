"""What is measured on later returns: co-movement with peers, and inside clusters.

Every metric takes the correlation matrix of the companies' returns and a weight per company, so
that a point estimate (weights of one) and a resample (how often each company was drawn) are the
same computation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from finsae.similarity import has_ties, peer_index

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

WORST = 0.1
"""The worst decile is the 10th percentile over companies."""


@dataclass(frozen=True)
class Peers:
    """The peers that each method names; a method that ties names several sets at random.

    Attributes
    ----------
    methods : tuple of str
    owner : ndarray [sets]
        Position in `methods` of the method that a set belongs to.
    index : ndarray [n, sets, k]
        Positions of each company's peers; company by company, which is how memory likes to be read.
    """

    methods: tuple[str, ...]
    owner: IntArray
    index: IntArray

    @classmethod
    def of(cls, methods: Mapping[str, pd.DataFrame], k: int, *, draws: int, seed: int) -> Peers:
        """Take the `k` nearest of every company, `draws` times where chance decides between ties.

        Parameters
        ----------
        methods : mapping of str to DataFrame [n, n]
            Similarities, all in the same order of companies. A method's draws depend on the seed
            and on its own table, so that adding a method changes no other row.
        k, draws, seed : int
        """
        owner: list[int] = []
        sets: list[IntArray] = []
        for number, similarity in enumerate(methods.values()):
            values = similarity.to_numpy()
            times = draws if has_ties(values, k) else 1
            rng = np.random.default_rng(seed)
            sets += [peer_index(values, k, rng) for _ in range(times)]
            owner += [number] * times
        return cls(tuple(methods), np.array(owner), np.stack(sets, axis=1))

    def company_means(self, correlation: FloatArray) -> FloatArray:
        """Mean correlation of each company with its peers, in every set.

        Parameters
        ----------
        correlation : ndarray [n, n]
            NaN where a pair is not observed; such peers are left out.

        Returns
        -------
        ndarray [sets, n]
            NaN where a company is observed with none of its peers.
        """
        n = len(correlation)
        cells = correlation.ravel().take(np.arange(n)[:, None, None] * n + self.index)
        observed = ~np.isnan(cells)
        if observed.all():
            return np.ascontiguousarray(cells.mean(axis=2).T)
        with np.errstate(invalid="ignore"):
            means = np.where(observed, cells, 0).sum(axis=2) / observed.sum(axis=2)
        return np.ascontiguousarray(means.T)

    def average(self, by_set: FloatArray) -> FloatArray:
        """Average over each method's random draws: [sets] to [methods]."""
        return np.bincount(self.owner, by_set) / np.bincount(self.owner)


def weighted_mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Mean over companies [sets, n] -> [sets]; missing values are left out, NaN if all are."""
    observed = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray((np.where(observed, values, 0) @ weights) / (observed @ weights))


def weighted_quantile(values: FloatArray, weights: FloatArray, share: float) -> FloatArray:
    """Smallest value that at least `share` of the weight does not exceed, [sets, n] -> [sets].

    For counts as weights this is the quantile (inverted distribution function) of the values
    repeated so often. Missing values are left out; NaN if all are.
    """
    order = np.argsort(values, axis=1)  # NaN last
    ranked = np.take_along_axis(values, order, axis=1)
    weight = np.where(np.isnan(ranked), 0, weights[order])
    reached = np.cumsum(weight, axis=1, dtype=np.float64)
    place = (reached >= share * reached[:, -1:]).argmax(axis=1)
    return np.asarray(ranked[np.arange(len(ranked)), place])


def population(correlation: FloatArray, weights: FloatArray) -> float:
    """Mean correlation of all pairs of different companies: what any choice of peers has to beat.

    A pair weighs the product of its companies' weights.
    """
    observed = ~np.isnan(correlation)
    total = weights @ np.where(observed, correlation, 0) @ weights
    if observed.sum() == len(weights) * (len(weights) - 1):  # all but the diagonal
        weight = weights.sum() ** 2 - (weights**2).sum()
    else:
        weight = weights @ observed.astype(weights.dtype) @ weights
    return float(total / weight) if weight else np.nan


@dataclass(frozen=True)
class Clusters:
    """The pairs of companies that share a cluster, sorted by cluster.

    Attributes
    ----------
    first, second : ndarray [pairs]
        Positions of a pair's companies.
    starts : ndarray [clusters]
        Where each cluster's pairs begin; only clusters of two or more count.
    clustered : ndarray [n], bool
        Which companies are in a cluster of two or more.
    """

    first: IntArray
    second: IntArray
    starts: IntArray
    clustered: BoolArray

    @classmethod
    def of(cls, labels: pd.Series) -> Clusters:
        """Read labels, in the order of the companies; a company without one is on its own."""
        codes, _ = pd.factorize(labels)
        sizes = np.bincount(codes[codes >= 0], minlength=1)
        groups = [np.flatnonzero(codes == code) for code in np.flatnonzero(sizes >= 2)]
        pairs = [group[np.array(np.triu_indices(len(group), 1))] for group in groups]
        joined = np.concatenate([np.empty((2, 0), dtype=np.int64), *pairs], axis=1)
        ends = np.cumsum([pair.shape[1] for pair in pairs], dtype=np.int64)
        starts = np.concatenate([np.zeros(1, dtype=np.int64), ends])[: len(pairs)]
        return cls(joined[0], joined[1], starts, (codes >= 0) & (sizes[codes] >= 2))

    def sums(self, correlation: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Sum correlations and weights over each cluster's observed pairs, [clusters] each.

        A pair weighs the product of its companies' weights, so that a company that was drawn twice
        makes no pair with itself.
        """
        if not len(self.starts):
            return np.zeros(0), np.zeros(0)
        cells = correlation.ravel().take(self.first * len(correlation) + self.second)
        weight = weights.take(self.first) * weights.take(self.second)
        observed = ~np.isnan(cells)
        if not observed.all():
            cells, weight = np.where(observed, cells, 0), weight * observed
        return (
            np.add.reduceat(cells * weight, self.starts, dtype=np.float64),
            np.add.reduceat(weight, self.starts, dtype=np.float64),
        )

    def metrics(self, correlation: FloatArray, weights: FloatArray) -> FloatArray:
        """Compute MC, the pair-weighted mean and coverage of a clustering.

        MC is the paper's: the mean correlation of each cluster's pairs, averaged over clusters of
        two or more, every cluster weighing the same whatever its size; so a method can win it by
        making pairs of near-duplicates and leaving everybody else alone. The pair-weighted mean
        (every pair weighs the same) and coverage (the share of companies in clusters of two or
        more) say whether it did. NaN where there is no such cluster.
        """
        total, weight = self.sums(correlation, weights)
        alive = weight > 0
        mc = np.mean(total[alive] / weight[alive]) if alive.any() else np.nan
        pair_weighted = total.sum() / weight.sum() if alive.any() else np.nan
        return np.array([mc, pair_weighted, weights @ self.clustered / weights.sum()])


SIZES = (1, 2, 3, 6, 16, 51)
"""Where the groups of the size distribution begin."""


def cluster_sizes(labels: pd.Series) -> pd.DataFrame:
    """Distribution of cluster sizes: what a mean over clusters hides.

    Parameters
    ----------
    labels : Series
        By ticker; a company without a label is a cluster of its own.

    Returns
    -------
    DataFrame
        ``size`` ("1", "2", "3-5", "6-15", "16-50", "51+"), ``clusters``, ``companies`` and
        ``share`` of all companies.
    """
    sizes = labels.value_counts().to_numpy()
    sizes = np.concatenate([sizes, np.ones(int(labels.isna().sum()), dtype=np.int64)])
    group = np.searchsorted(SIZES, sizes, side="right") - 1
    companies = np.bincount(group, sizes, minlength=len(SIZES)).astype(int)
    last = [*(start - 1 for start in SIZES[1:]), None]
    names = [
        f"{start}+" if end is None else str(start) if start == end else f"{start}-{end}"
        for start, end in zip(SIZES, last, strict=True)
    ]
    return pd.DataFrame(
        {
            "size": names,
            "clusters": np.bincount(group, minlength=len(SIZES)),
            "companies": companies,
            "share": companies / max(len(labels), 1),
        }
    )
