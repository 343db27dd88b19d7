"""Clusterings on cases worked by hand."""

import time

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from finsae.checks import DataError
from finsae.cluster import (
    AverageLinkage,
    Division,
    FeatureKMeans,
    GivenLabels,
    MajorGroup,
    MinimumSpanningTree,
    Sic,
    choose_threshold,
    division,
    division_name,
    major_group,
    major_group_name,
)


def line(*positions):
    points = np.array(positions, dtype=float)
    return np.abs(points[:, None] - points)


def test_tree_chains_and_keeps_edges_equal_to_the_threshold():
    labels = MinimumSpanningTree(1.0).fit_predict(line(0, 1, 2, 3, 10, 11, 50))
    assert labels.tolist() == [0, 0, 0, 0, 1, 1, 2]
    assert MinimumSpanningTree(0.99).fit_predict(line(0, 1, 2)).tolist() == [0, 1, 2]


def test_identical_companies_are_joined_at_distance_zero():
    assert MinimumSpanningTree(0.0).fit_predict(line(0, 0, 5)).tolist() == [0, 0, 1]


# Merges: (0 1) at 1, (2 3) at 2, both together at 3, company 4 at 10.
FIVE = line(0, 1, 4, 6, 16)
PAST = np.array(
    [
        [1.0, 0.5, 0.2, 0.1, 0.0],
        [0.5, 1.0, 0.3, 0.2, 0.0],
        [0.2, 0.3, 1.0, 0.7, 0.1],
        [0.1, 0.2, 0.7, 1.0, 0.1],
        [0.0, 0.0, 0.1, 0.1, 1.0],
    ]
)
# pair-weighted means: 0.5 (coverage 2/5), (0.5 + 0.7) / 2 = 0.6 (4/5), 2.0 / 6 (4/5), 2.2 / 10 (1)


@pytest.mark.parametrize(
    ("coverage", "expected"), [(0.2, 2.0), (0.6, 2.0), (0.8, 2.0), (0.81, 10.0), (1.0, 10.0)]
)
def test_threshold_by_hand(coverage, expected):
    assert choose_threshold(FIVE, PAST, min_coverage=coverage) == expected


def test_threshold_skips_pairs_without_a_correlation():
    past = PAST.copy()
    past[2, 3] = past[3, 2] = np.nan  # now (0 1) and (2 3) score 0.5 / 1, still above 1.3 / 5
    assert choose_threshold(FIVE, past) == 2.0
    past[0, 1] = past[1, 0] = np.nan  # no pair at all before the height 3
    assert choose_threshold(FIVE, past) == 3.0
    with pytest.raises(DataError, match="no pair"):
        choose_threshold(FIVE, np.full((5, 5), np.nan))


def test_threshold_is_a_height_that_the_tree_cuts_at():
    labels = MinimumSpanningTree(choose_threshold(FIVE, PAST)).fit_predict(FIVE)
    assert labels.tolist() == [0, 0, 1, 1, 2]


def test_threshold_with_tied_heights_looks_at_whole_cuts_only():
    distance = line(0, 1, 5, 6)  # both pairs merge at height 1
    past = np.array([[1, 0.9, 0, 0], [0.9, 1, 0, 0], [0, 0, 1, -0.9], [0, 0, -0.9, 1.0]])
    assert choose_threshold(distance, past, min_coverage=0.5) == 1.0
    past[0, 2] = past[2, 0] = 0.5  # height 1 scores 0.0, height 4 scores 0.5 / 6
    assert choose_threshold(distance, past, min_coverage=0.5) == 4.0


@pytest.mark.parametrize(
    ("distance", "past", "coverage", "says"),
    [
        (line(0), np.ones((1, 1)), 0.6, "two or more"),
        (FIVE, PAST[:4, :4], 0.6, "the same"),
        (FIVE, PAST, 0.0, "share"),
        (FIVE, PAST, 60, "share"),
    ],
)
def test_threshold_refuses(distance, past, coverage, says):
    with pytest.raises(DataError, match=says):
        choose_threshold(distance, past, min_coverage=coverage)


def test_threshold_of_three_thousand_companies_takes_seconds():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3000, 8)).astype(np.float32)
    squares = (points**2).sum(axis=1)
    distance = np.maximum(squares[:, None] + squares - 2 * points @ points.T, 0)
    distance = (distance + distance.T) / 2
    start = time.process_time()
    choose_threshold(distance, np.exp(-distance))
    assert time.process_time() - start < 10


@pytest.mark.parametrize("clusterer", [MinimumSpanningTree(1.0), AverageLinkage(2)])
@pytest.mark.parametrize(
    ("distance", "says"),
    [
        (np.zeros((2, 3)), "square"),
        (np.array([[0, np.nan], [np.nan, 0]]), "finite"),
        (np.array([[0, 1.0], [2, 0]]), "symmetric"),
    ],
)
def test_distances_are_checked(clusterer, distance, says):
    with pytest.raises(DataError, match=says):
        clusterer.fit_predict(distance)


def test_average_linkage_gives_so_many_clusters_even_where_all_heights_tie():
    everyone_equally_far = 1 - np.eye(9)
    assert len(set(AverageLinkage(4).fit_predict(everyone_equally_far))) == 4
    assert AverageLinkage(2).fit_predict(line(0, 1, 2, 9)).tolist() == [0, 0, 0, 1]
    assert AverageLinkage(9).fit_predict(line(0, 1, 2)).tolist() == [0, 1, 2]


def test_kmeans_ignores_length():
    rows = np.array([[1, 0, 0], [90, 1, 0], [0, 0.1, 5], [0, 0, 1.0]])
    assert FeatureKMeans(2).fit_predict(rows).tolist() == [0, 0, 1, 1]
    assert FeatureKMeans(7).fit_predict(rows[[0, 0, 2]]).tolist() == [0, 0, 1]


def test_kmeans_takes_wide_indices():
    rows = sparse.csr_array(np.eye(4)[[0, 1, 0, 1]])
    rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    assert FeatureKMeans(2).fit_predict(rows).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("clusterer", [AverageLinkage(0), FeatureKMeans(0)])
def test_no_cluster_is_refused(clusterer):
    with pytest.raises(DataError, match="at least 1 cluster"):
        clusterer.fit_predict(line(0, 1))


CODES = pd.DataFrame(
    {"sic": ["2834", "0100", "2836", None, "0100", "9995", None, "6726", "1800"]},
    index=list("abcdefghi"),
)


def test_codes_by_hand():
    assert Sic().fit_predict(CODES).tolist() == [1, 0, 2, 3, 0, 4, 5, 6, 7]
    groups = major_group(CODES["sic"])
    assert groups.dropna().tolist() == ["28", "01", "28", "01", "99", "67", "18"]
    assert groups.isna().tolist() == [False, False, False, True, False, False, True, False, False]
    letters = division(CODES["sic"])
    assert letters[["a", "b", "f", "h"]].tolist() == ["D", "A", "J", "H"]
    assert letters[["d", "g", "i"]].isna().all()  # no code, no code, no such major group
    assert MajorGroup().fit_predict(CODES)[[0, 2]].tolist() == [0, 0]
    assert Division().fit_predict(CODES)[[0, 1, 2, 4]].tolist() == [0, 1, 0, 1]


def test_companies_without_a_code_stand_alone():
    for clusterer in (Sic(), MajorGroup(), Division()):
        labels = clusterer.fit_predict(CODES)
        assert (labels == labels[3]).sum() == 1
        assert (labels == labels[6]).sum() == 1


def test_every_text_kind_of_missing_code_is_missing():
    for missing in (None, np.nan, pd.NA):
        for dtype in (object, "str"):
            sic = pd.Series(["2834", missing, missing], index=list("abc"), dtype=dtype)
            assert major_group(sic).isna().tolist() == [False, True, True]
            assert Sic().fit_predict(sic.to_frame("sic")).tolist() == [0, 1, 2]


def test_a_code_without_its_leading_zero_is_refused():
    with pytest.raises(DataError, match=r'T has "100".*0100, not 100'):
        major_group(pd.Series(["2834", "100"], index=["S", "T"]))


def test_names_of_codes():
    assert major_group_name("01") == "Agricultural Production Crops"
    assert major_group_name("2834") == "Chemicals And Allied Products"
    assert major_group_name("18") == ""
    assert division_name("D") == "Manufacturing"
    assert division_name("Z") == ""


def test_given_labels():
    labels = pd.Series(["x", "y", "x"], index=["c", "a", "elsewhere"])
    assert GivenLabels(labels).fit_predict(CODES[:3]).tolist() == [0, 1, 2]
    same = pd.Series([7, 7, 1], index=list("acb"))
    assert GivenLabels(same).fit_predict(CODES[:4]).tolist() == [0, 1, 0, 2]
    with pytest.raises(DataError, match="two labels"):
        GivenLabels(pd.Series([1, 2], index=["a", "a"])).fit_predict(CODES)
    with pytest.raises(DataError, match="none of the labels"):
        GivenLabels(pd.Series([1, 2], index=["AAPL", "KO"])).fit_predict(CODES)
