"""What a method knows beyond the industry code, and how far its clusters are the code's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from finsae.benchmark.draws import Draws, weighted_mean
from finsae.benchmark.interval import jackknife
from finsae.benchmark.measured import Measured
from finsae.benchmark.panel import Drawn, Panel, pieces
from finsae.benchmark.peers import Peers, company_means
from finsae.cluster.labels import renumber
from finsae.similarity import peer_sets

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]


def peers_inside(
    methods: Mapping[str, pd.DataFrame],
    industry: npt.NDArray[Any],
    k: int,
    *,
    draws: int,
    seed: int,
) -> Peers:
    """Take each company's `k` nearest inside its own industry.

    Parameters
    ----------
    methods : mapping of str to DataFrame [n, n]
        Similarities.
    industry : ndarray [n]
        Codes of industries, -1 for a company that has none.
    k, draws, seed : int

    Returns
    -------
    Peers
        Companies with fewer than k + 1 others in their industry, who have nothing to choose, are
        marked by -1.
    """
    members = [np.flatnonzero(industry == code) for code in np.unique(industry[industry >= 0])]
    members = [inside for inside in members if len(inside) >= k + 2]
    owner: list[int] = []
    sets: list[IntArray] = []
    for number, table in enumerate(methods.values()):
        values = table.to_numpy()
        found = [
            inside[peer_sets(values[np.ix_(inside, inside)], k, draws=draws, seed=seed)]
            for inside in members
        ]
        times = max((len(block) for block in found), default=1)
        for draw in range(times):
            chosen = np.full((len(industry), k), -1)
            for inside, block in zip(members, found, strict=True):
                chosen[inside] = block[draw % len(block)]  # without ties there is one
            sets.append(chosen)
        owner += [number] * times
    return Peers(tuple(methods), np.array(owner), np.stack(sets))


def industry_lift(
    peers: Peers, industry: npt.NDArray[Any], panel: Panel, draws: Draws
) -> list[Measured]:
    """Measure what peers inside an industry move together beyond any others of that industry.

    ``industry_lift`` is the mean over companies of the mean correlation with the `k` nearest inside
    the own major group, less that with all others inside it, which is what peers drawn from it at
    random would have. A code that only names the major group earns 0.

    n counts the companies that have a choice: at least k + 1 others in their industry.
    """
    drawn = panel.over(draws.months)
    asked = np.flatnonzero((peers.index[0, :, 0] >= 0) if len(peers.index) else [])
    others = _means_inside(drawn, industry, asked)
    lifts = [
        weighted_mean(company_means(drawn, index) - others, draws.companies)
        for index in peers.index
    ]
    n = np.full(len(peers.methods), int(np.isfinite(others).any(axis=1).sum()))
    return [Measured("industry_lift", peers.methods, peers.average(lifts), n)]


def _means_inside(drawn: Drawn, industry: npt.NDArray[Any], asked: IntArray) -> FloatArray:
    """Mean correlation of companies with all others of their industry, [n, R]."""
    means = np.full((len(industry), drawn.months.shape[1]), np.nan, dtype=drawn.standard.dtype)
    for company in asked:
        inside = np.flatnonzero(industry == industry[company])
        others = inside[inside != company]
        cells = np.concatenate(
            [
                drawn.correlations(np.full(len(others[piece]), company), others[piece])
                for piece in pieces(len(others), drawn.months.shape[1])
            ]
        )
        known = np.isfinite(cells)
        with np.errstate(invalid="ignore", divide="ignore"):
            means[company] = np.where(known, cells, 0).sum(axis=0) / known.sum(axis=0)
    return means


def agreement(
    clusters: Mapping[str, pd.Series], reference: str, *, seed: int
) -> list[tuple[str, str, float, float, float, int]]:
    """Compare clusterings with the industry code: adjusted Rand index, adjusted mutual information.

    Both are 0 in expectation for labels dealt at random and 1 for the same clusters; the plain Rand
    index is near 1 for any two clusterings into many small clusters. Companies without a reference
    label are left out; one without a label of its own is a cluster of its own. Intervals are by a
    delete-a-group jackknife over 20 groups of companies: a bootstrap would make a company its own
    cluster mate.

    Parameters
    ----------
    clusters : mapping of str to Series
        Labels by ticker, all in the same order.
    reference : str
        Which of them is the code.
    seed : int
        Of the groups that are left out.

    Returns
    -------
    list of (method, metric, value, low, high, n)
        Metrics ``ari`` and ``ami``.
    """
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    known = clusters[reference].notna().to_numpy()
    truth = pd.factorize(clusters[reference][known])[0]
    found = []
    for name, labels in clusters.items():
        if name == reference:
            continue
        codes = renumber(labels[known])
        for metric, measure in (
            ("ari", adjusted_rand_score),
            ("ami", adjusted_mutual_info_score),
        ):
            among = partial(_agreement, measure, truth, codes)
            value, low, high = jackknife(among, len(truth), seed=seed)
            found.append((name, metric, value, low, high, len(truth)))
    return found


def _agreement(
    measure: Callable[[IntArray, IntArray], float],
    truth: IntArray,
    codes: IntArray,
    kept: npt.NDArray[np.bool_],
) -> float:
    return float(measure(truth[kept], codes[kept]))
