"""Clusters against networkx, scikit-learn and brute force; the code table against its source."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering

from finsae.cluster import AverageLinkage, MinimumSpanningTree, choose_threshold
from finsae.cluster.sic_table import DIVISION_RANGES, DIVISIONS, MAJOR_GROUPS


@st.composite
def distances(draw, *, tied=True):
    n = draw(st.integers(2, 14))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    upper = rng.integers(0, 6, size=(n, n)) / 4 if tied else rng.random((n, n))
    return np.triu(upper, 1) + np.triu(upper, 1).T


def together(labels):
    labels = np.asarray(labels)
    return labels[:, None] == labels


def networkx_clusters(distance, threshold):
    """The published procedure: Kruskal on the complete graph, cut, components."""
    n = len(distance)
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_weighted_edges_from((i, j, distance[i, j]) for i in range(n) for j in range(i + 1, n))
    spanning = nx.minimum_spanning_tree(graph)
    long = [(i, j) for i, j, weight in spanning.edges(data="weight") if weight > threshold]
    spanning.remove_edges_from(long)
    labels = np.empty(n, dtype=int)
    for label, members in enumerate(nx.connected_components(spanning)):
        labels[list(members)] = label
    return labels


@settings(deadline=None, max_examples=60)
@given(distances(), st.sampled_from([-0.1, 0, 0.25, 0.6, 1, 2]))
def test_tree_equals_networkx(distance, threshold):
    found = MinimumSpanningTree(threshold).fit_predict(distance)
    assert (together(found) == together(networkx_clusters(distance, threshold))).all()


@settings(deadline=None, max_examples=40)
@given(distances(), st.integers(0, 2**32 - 1), st.sampled_from([0.3, 0.6, 1.0]))
def test_threshold_equals_brute_force(distance, seed, min_coverage):
    n = len(distance)
    past = np.random.default_rng(seed).uniform(-1, 1, size=(n, n))
    past = (past + past.T) / 2
    best, chosen = -np.inf, None
    for height in np.unique(distance[np.triu_indices(n, 1)]):
        labels = networkx_clusters(distance, height)
        inside = np.triu(together(labels), 1)
        covered = (np.bincount(labels)[labels] > 1).mean()
        if covered >= min_coverage and past[inside].mean() > best + 1e-12:
            best, chosen = past[inside].mean(), height
    assert choose_threshold(distance, past, min_coverage=min_coverage) == chosen


@settings(deadline=None, max_examples=30)
@given(distances(tied=False), st.integers(1, 14))
def test_average_linkage_equals_scikit_learn(distance, n_clusters):
    wanted = min(n_clusters, len(distance))
    expected = AgglomerativeClustering(wanted, metric="precomputed", linkage="average")
    found = AverageLinkage(n_clusters).fit_predict(distance)
    assert (together(found) == together(expected.fit_predict(distance))).all()


@pytest.mark.shared
def test_code_table_equals_its_source(shared):
    source = pd.read_csv(shared / "sic_major.csv", dtype=str)
    assert dict(zip(source["maj_cd"], source["maj_desc"], strict=True)) == MAJOR_GROUPS
    assert sorted(source["div_cd"].unique()) == list(DIVISIONS)
    for letter, group in zip(source["div_cd"], source["maj_cd"], strict=True):
        first, last = DIVISION_RANGES[letter]
        assert first <= int(group) <= last
