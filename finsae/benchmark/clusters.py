"""Co-movement inside clusters, of any sizes, and in the whole population."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.benchmark.draws import Draws
from finsae.benchmark.measured import Measured
from finsae.benchmark.panel import Drawn, Panel, pieces

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]

POPULATION = "population"


@dataclass(frozen=True)
class Clusters:
    """The clusters of two or more of several clusterings; the whole population is one more.

    Attributes
    ----------
    names : tuple of str
        The clusterings; the last is the population.
    owner : ndarray [groups]
        Position in `names` of the clustering that a cluster belongs to.
    members : csr_array [groups, n]
        1 where a company is in a cluster.
    """

    names: tuple[str, ...]
    owner: IntArray
    members: sparse.csr_array

    @classmethod
    def of(cls, labels: Mapping[str, pd.Series], n: int) -> Clusters:
        """Read labels, in the order of the companies; a company without one is on its own."""
        owner: list[int] = []
        rows: list[IntArray] = []
        for number, column in enumerate(labels.values()):
            codes, _ = pd.factorize(column)
            sizes = np.bincount(codes[codes >= 0], minlength=1)
            found = [np.flatnonzero(codes == code) for code in np.flatnonzero(sizes >= 2)]
            rows += found
            owner += [number] * len(found)
        rows.append(np.arange(n))
        owner.append(len(labels))
        starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        entries = (np.ones(starts[-1]), np.concatenate(rows), starts)
        members = sparse.csr_array(entries, shape=(len(rows), n))
        return cls((*labels, POPULATION), np.array(owner), members)

    def sums(self, panel: Panel, draws: Draws) -> tuple[FloatArray, FloatArray]:
        """Sum correlations, and the weights of the pairs observed, over each cluster.

        A pair weighs the product of its companies' weights, so that a company that was drawn twice
        makes no pair with itself. Of companies without gaps the correlations in a cluster sum to
        the squared length of the sum of their unit vectors, and no pair is looked at; pairs of
        which one has gaps are looked at one by one.

        Returns
        -------
        total, weight : ndarray [groups, R]
        """
        drawn = panel.over(draws.months)
        total = np.zeros((len(self.owner), draws.size))
        weight = np.zeros_like(total)
        for draw in range(draws.size):
            w = draws.companies[:, draw]
            units = drawn.units(draw)
            w = np.where(units.any(axis=1), w, 0).astype(np.float64)
            sums = self.members @ (w[:, None] * units)
            squares = self.members @ w**2
            total[:, draw] = ((sums**2).sum(axis=1) - squares) / 2
            weight[:, draw] = ((self.members @ w) ** 2 - squares) / 2
        self._add_gaps(drawn, draws, total, weight)
        some = weight > 1e-6  # counts of pairs are whole numbers; the rest is rounding
        return np.where(some, total, 0), np.where(some, weight, 0)

    def _add_gaps(self, drawn: Drawn, draws: Draws, total: FloatArray, weight: FloatArray) -> None:
        """Add the pairs of which one company has gaps."""
        for group, first, second in self._gappy_pairs(drawn.panel.gaps):
            for piece in pieces(len(first), draws.size):
                i, j = first[piece], second[piece]
                cells = drawn.correlations(i, j)
                both = draws.companies[i] * draws.companies[j]
                both = np.where(np.isfinite(cells), both, 0)
                total[group] += (np.where(np.isfinite(cells), cells, 0) * both).sum(axis=0)
                weight[group] += both.sum(axis=0)

    def _gappy_pairs(self, gaps: npt.NDArray[np.bool_]) -> list[tuple[int, IntArray, IntArray]]:
        found = []
        for group in range(len(self.owner)):
            inside = self.members.indices[slice(*self.members.indptr[group : group + 2])]
            gappy, whole = inside[gaps[inside]], inside[~gaps[inside]]
            if not len(gappy):
                continue
            among = gappy[np.array(np.triu_indices(len(gappy), 1))]
            first = np.concatenate([among[0], np.repeat(gappy, len(whole))])
            second = np.concatenate([among[1], np.tile(whole, len(gappy))])
            found.append((group, first, second))
        return found

    def coverage(self, companies: FloatArray) -> FloatArray:
        """Share of the drawn companies in clusters of two or more, [clusterings, R]."""
        sizes = np.zeros((len(self.names), companies.shape[1]))
        np.add.at(sizes, self.owner, self.members @ companies.astype(np.float64))
        return np.asarray(sizes / companies.sum(axis=0))


def cluster_correlation(clusters: Clusters, panel: Panel, draws: Draws) -> list[Measured]:
    """Measure the mean correlation inside clusters, four ways, and that of the population.

    ``mc`` is the paper's: the mean correlation of each cluster's pairs, averaged over clusters of
    two or more, every cluster weighing the same whatever its size; a method can win it by making
    pairs of near-duplicates and leaving everybody else alone. ``pair_weighted`` weighs every pair
    the same. ``coverage`` is the share of companies in clusters of two or more, and
    ``coverage_adjusted`` the mean over companies of their cluster's mean correlation, in which a
    company that is left alone counts as the population's mean: what a portfolio of all companies
    would get. ``mean_correlation`` of the method ``population`` is over all pairs.

    n counts the clusters, their observed pairs, and the companies. Without a cluster of two or more
    the first two are NaN.
    """
    total, weight = clusters.sums(panel, draws)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(weight > 0, total / weight, np.nan)
    names, n = clusters.names[:-1], np.full(len(clusters.names) - 1, panel.standard.shape[0])
    all_pairs = np.rint(weight[-1:, 0]).astype(np.int64)
    found = [Measured("mean_correlation", (POPULATION,), means[-1:], all_pairs)]
    if not names:
        return found
    counts = [(weight[clusters.owner == number] > 0).sum(axis=0)[0] for number in range(len(names))]
    pairs = [round(weight[clusters.owner == number][:, 0].sum()) for number in range(len(names))]
    by_cluster, by_pair, by_company = _three_means(clusters, draws, total, weight)
    coverage = clusters.coverage(draws.companies)[:-1]
    return [
        *found,
        Measured("mc", names, by_cluster, np.array(counts)),
        Measured("pair_weighted", names, by_pair, np.array(pairs)),
        Measured("coverage", names, coverage, n, "firm"),
        Measured("coverage_adjusted", names, by_company, n),
    ]


def _three_means(
    clusters: Clusters, draws: Draws, total: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Means over clusters, pairs and companies, [clusterings, R] each."""
    with np.errstate(invalid="ignore", divide="ignore"):
        means = total / weight
    size = clusters.members @ draws.companies.astype(np.float64)
    everyone, drawn = means[-1], size[-1]
    found = []
    for number in range(len(clusters.names) - 1):
        rows = clusters.owner == number
        known = weight[rows] > 0
        cell, inside = np.where(known, means[rows], 0), np.where(known, size[rows], 0)
        alone = drawn - inside.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            by_cluster = cell.sum(axis=0) / known.sum(axis=0)
            by_pair = total[rows].sum(axis=0) / weight[rows].sum(axis=0)
        found.append(
            (by_cluster, by_pair, ((cell * inside).sum(axis=0) + alone * everyone) / drawn)
        )
    by_cluster, by_pair, by_company = (np.array(values) for values in zip(*found, strict=True))
    return by_cluster, by_pair, by_company


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
