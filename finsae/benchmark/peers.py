"""Co-movement with the peers that each method names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from finsae.benchmark.draws import Draws, quantile, weighted_mean
from finsae.benchmark.measured import Measured
from finsae.benchmark.panel import Drawn, Panel, pieces
from finsae.similarity import peer_sets

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]

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
    index : ndarray [sets, n, k]
        Positions of each company's peers; -1 where a method is not asked to name them.
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
            found = peer_sets(similarity.to_numpy(), k, draws=draws, seed=seed)
            sets += list(found)
            owner += [number] * len(found)
        return cls(tuple(methods), np.array(owner), np.stack(sets))

    def average(self, by_set: Sequence[FloatArray]) -> FloatArray:
        """Average over each method's random draws: [sets, ...] to [methods, ...]."""
        values = np.asarray(by_set, dtype=np.float64)
        sums = np.zeros((len(self.methods), *values.shape[1:]))
        np.add.at(sums, self.owner, values)
        counts = np.bincount(self.owner, minlength=len(self.methods))
        return np.asarray(sums / counts.reshape(-1, *[1] * (values.ndim - 1)))


def company_means(drawn: Drawn, index: IntArray) -> FloatArray:
    """Mean correlation of each company with its peers, in every draw.

    Parameters
    ----------
    drawn : Drawn
    index : ndarray [n, k]
        Each company's peers; a row of -1 is a company that is not asked.

    Returns
    -------
    ndarray [n, R]
        Peers with whom a company has no correlation are left out; NaN where there are none left.
    """
    n, k = index.shape
    means = np.full((n, drawn.months.shape[1]), np.nan, dtype=drawn.standard.dtype)
    asked = index[:, 0] >= 0
    whole = asked & drawn.whole & drawn.whole[index].all(axis=1)
    for piece in pieces(int(whole.sum()), drawn.months.shape[1], per_row=k):
        rows = np.flatnonzero(whole)[piece]
        means[rows] = drawn.mean_correlations(rows, index[rows])
    rest = np.flatnonzero(asked & ~whole)
    for piece in pieces(len(rest), drawn.months.shape[1], per_row=k):
        rows = rest[piece]
        cells = drawn.correlations(np.repeat(rows, k), index[rows].ravel())
        means[rows] = mean_of_known(cells.reshape(len(rows), k, -1))
    return means


def mean_of_known(cells: FloatArray) -> FloatArray:
    """Mean over the second axis, [n, k, R] -> [n, R], leaving out what is missing."""
    known = np.isfinite(cells)
    if known.all():
        return np.asarray(cells.mean(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, cells, 0).sum(axis=1) / known.sum(axis=1))


def peer_correlation(
    peers: Peers, panel: Panel, draws: Draws, *, name: str = "peer_correlation", worst: bool = True
) -> list[Measured]:
    """Measure the mean correlation of companies with their peers, and of the worst tenth.

    ``peer_correlation`` is the mean over companies of the mean correlation with their peers;
    ``peer_correlation_worst_decile`` the 10th percentile over companies of the same: how bad the
    bad ones are. It is a percentile of measured correlations, which lie wider than the true ones.

    A company is drawn together with its list of peers. To weigh its peers, too, by how often they
    were drawn counts the noise of every pair three times: differences are then covered in 0.98 to
    1.00 of simulated markets by intervals of twice the width.

    Parameters
    ----------
    peers : Peers
    panel : Panel
    draws : Draws
    name : str
        Of the metric.
    worst : bool
        Measure the worst tenth, too.
    """
    drawn = panel.over(draws.months)
    levels, low, counted = [], [], []
    for index in peers.index:
        means = company_means(drawn, index)
        levels.append(weighted_mean(means, draws.companies))
        counted.append(np.isfinite(means).any(axis=1).sum())
        if worst:
            low.append(quantile(means, draws.who, WORST))
    n = np.rint(peers.average(counted)).astype(np.int64)
    found = [Measured(name, peers.methods, peers.average(levels), n)]
    if worst:
        found.append(Measured(f"{name}_worst_decile", peers.methods, peers.average(low), n))
    return found
