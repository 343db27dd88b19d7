"""What every clusterer of the menu must do."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from finsae.plugins import MENU, make
from finsae.similarity import cosine

PARAMS = {"mst": {"threshold": 0.08}, "average": {"n_clusters": 4}, "kmeans": {"n_clusters": 4}}
CLUSTERERS = pytest.mark.parametrize("name", MENU["clusterer"])


def universe(n, seed=0):
    """Companies in overlapping groups, some twice, some without a code."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 5, size=n)
    rows = np.abs(rng.normal(size=(n, 12))) * 0.6
    rows[np.arange(n), group] += 2
    rows[rows < 0.5] = 0
    sic = np.array(["2834", "2836", "7372", "0100", None], dtype=object)[group]
    if n > 10:
        rows[7], sic[7] = rows[3], sic[3]
        rows[9], sic[9] = rows[3], None
    tickers = [f"T{i}" for i in range(n)]
    return sparse.csr_array(rows), pd.DataFrame({"sic": sic}, index=tickers)


def cluster(name, rows, companies):
    clusterer = make("clusterer", name, **PARAMS.get(name, {}))
    table = {
        "distance": lambda: 1 - cosine(rows, companies.index),
        "features": lambda: rows,
        "companies": lambda: companies,
    }[clusterer.reads]
    labels = clusterer.fit_predict(table())
    assert (labels == clusterer.labels_).all()
    return labels


def together(labels):
    return labels[:, None] == labels


@CLUSTERERS
def test_permuting_companies_permutes_clusters(name):
    rows, companies = universe(60)
    labels = cluster(name, rows, companies)
    assert 1 < labels.max() + 1 < 60  # a partition with something to permute
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(60)
        moved = cluster(name, rows[order], companies.iloc[order])
        assert (together(moved) == together(labels[order])).all()


@CLUSTERERS
def test_labels_count_from_the_largest_cluster(name):
    labels = cluster(name, *universe(60))
    assert labels.shape == (60,)
    assert np.issubdtype(labels.dtype, np.integer)
    sizes = np.bincount(labels)
    assert sizes.min() >= 1
    assert (np.diff(sizes) <= 0).all()
    equal = np.flatnonzero(np.diff(sizes) == 0)
    first = np.array([np.flatnonzero(labels == label)[0] for label in range(len(sizes))])
    assert (first[equal] < first[equal + 1]).all()


@CLUSTERERS
@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_companies_do_not_crash(name, n):
    assert len(cluster(name, *universe(n))) == n


@CLUSTERERS
def test_the_same_twice(name):
    assert (cluster(name, *universe(40)) == cluster(name, *universe(40))).all()


@CLUSTERERS
def test_duplicates_stay_together(name):
    rows, companies = universe(30)
    labels = cluster(name, rows, companies)
    assert labels[3] == labels[7]
    everyone = cluster(name, rows[[3] * 6], companies.iloc[[3] * 6].set_axis(list("abcdef")))
    if name != "average":
        assert (everyone == 0).all()
    else:
        assert len(set(everyone)) == 4  # so many were asked for
