"""Clusters, differences, axes, baskets and features that go together."""

import json

import numpy as np
import pandas as pd
import pytest
import toy as toy_universe
from scipy import sparse
from toy_features import toy

from finsae.checks import DataError
from finsae.explain import contrast, difference, explain_cluster, npmi
from finsae.explain.cluster import cluster_name, mean_similarity
from finsae.explain.contrast import paired_contrast
from finsae.explain.search import along, basket, labelled, quote_for, stem
from finsae.features import Features
from finsae.similarity import cosine, cosine_to


def table(rows, labels=None, sic=None, descriptions=None):
    """Features of the given rows; companies A, B, ..."""
    rows = np.asarray(rows, dtype=float)
    index = pd.Index([chr(65 + i) for i in range(len(rows))], name="ticker")
    companies = pd.DataFrame(
        {"description": descriptions or [""] * len(rows), "sic": sic or [None] * len(rows)},
        index=index,
    )
    names = labels or [f"f{i}" for i in range(rows.shape[1])]
    return Features.build(sparse.csr_array(rows), companies, names)


def test_log_odds_by_hand():
    features = table([[1, 1, 1], [1, 0, 1], [0, 0, 1], [0, 1, 1], [0, 0, 1]])
    found = contrast(features, np.array([0, 1]), np.array([2, 3, 4])).set_index("id")
    assert sorted(found.index) == [0, 1]  # all companies have the third: it says nothing
    assert found.loc[0, ["inside", "outside"]].tolist() == [2, 0]
    assert found.loc[0, "log_odds"] == pytest.approx(np.log(2.5 * 3.5 / (0.5 * 0.5)))
    error = np.sqrt(1 / 2.5 + 1 / 3.5 + 1 / 0.5 + 1 / 0.5)
    assert found.loc[0, "high"] - found.loc[0, "log_odds"] == pytest.approx(1.959964 * error)
    assert found.loc[1, "log_odds"] == pytest.approx(np.log(1.5 * 2.5 / (1.5 * 1.5)))
    with pytest.raises(DataError, match="at least one company"):
        contrast(features, np.array([], dtype=int), np.array([0]))


def test_a_planted_feature_is_found_and_chance_is_not():
    rng = np.random.default_rng(0)
    rows = (rng.random((200, 300)) < 0.2).astype(float)
    rows[:20, 7] = rng.random(20) < 0.9
    features = Features.build(
        sparse.csr_array(rows),
        pd.DataFrame({"description": [""] * 200}, index=[f"T{i}" for i in range(200)]),
        [f"f{i}" for i in range(300)],
    )
    found = contrast(features, np.arange(20), np.arange(20, 200))
    assert found["id"][0] == 7 and found["q"][0] < 0.001
    assert (found["q"][1:] > 0.05).all()
    inside = found["low"].lt(0) & found["high"].gt(0)
    assert inside[1:].mean() > 0.9


def test_two_years_compare_companies_with_themselves():
    before = table([[1, 0], [0, 0], [1, 1], [1, 0]])
    after = table([[1, 1], [0, 1], [0, 1], [1, 1]])
    found = difference(before, after).set_index("id")
    assert found.loc[1, ["gained", "lost"]].tolist() == [3, 0]
    assert found.loc[0, ["gained", "lost"]].tolist() == [0, 1]
    assert found.loc[1, "log_odds"] == pytest.approx(np.log(3.5 / 0.5))
    assert found.loc[0, "log_odds"] < 0
    same = paired_contrast(before, before, ["A", "B"])
    assert same.empty and "q" in same


def test_two_groups_of_no_common_company_are_compared_as_groups():
    one, other = table([[1, 0], [1, 0]]), table([[0, 1], [0, 0]])
    object.__setattr__(other, "companies", other.companies.set_axis(["X", "Y"]))
    found = difference(one, other).set_index("id")
    assert found.loc[0, ["inside", "outside"]].tolist() == [2, 0]


def test_tables_of_other_features_are_aligned_by_word_or_refused():
    one = table([[1, 2]], labels=["oil", "gas"])
    other = table([[3, 4]], labels=["gas", "coal"])
    found = difference(one, other).set_index("label")
    assert found.loc["coal", "gained"] == 1 and found.loc["oil", "lost"] == 1
    assert "gas" not in found.index
    twice = table([[3, 4]], labels=["gas", "gas"])
    with pytest.raises(DataError, match="same model"):
        difference(one, twice)


def test_why_a_cluster():
    rows = [[3, 1, 0, 1], [3, 1, 0, 0], [2, 0, 0, 0], [0, 1, 2, 0], [0, 0, 3, 1], [1, 0, 3, 0]]
    texts = ["Oil and gas.", "Oil, gas.", "Oils.", "Gas.", "Coal wells.", "Coal."]
    labels = ["oil", "gas", "coal", "wells"]
    features = table(rows, labels, ["1311", "1311", "2911", None, "1221", "1221"], texts)
    found = explain_cluster(features, ["A", "B", "C"])
    assert found["members"] == ["A", "B", "C"] and found["others"] == 3
    assert found["features"][0]["label"] == "oil"
    assert found["features"][0]["ticker"] == "A" and "[[Oil]]" in found["features"][0]["evidence"]
    assert found["industries"] == [
        {"major_group": "13", "companies": 2}, {"major_group": "29", "companies": 1},
    ]  # fmt: skip
    similarity = cosine(features.matrix, features.companies.index)
    expected = similarity.loc["F", ["A", "B", "C"]].mean()
    outsiders = {row["ticker"]: row["similarity"] for row in found["outsiders"]}
    assert outsiders["F"] == pytest.approx(expected, abs=1e-6)
    assert [row["ticker"] for row in found["outsiders"]] == sorted(
        "DEF", key=lambda t: -similarity.loc[t, ["A", "B", "C"]].mean()
    )
    inside = {row["ticker"]: row["similarity"] for row in found["insiders"]}
    assert inside["C"] == pytest.approx(similarity.loc["C", ["A", "B"]].mean(), abs=1e-6)
    assert found["name"].split(", ")[0] == "Oil"
    assert found["insiders"][0]["similarity"] == min(inside.values())
    assert json.dumps(found)


def test_a_cluster_in_any_order_has_one_name():
    features = toy()
    rows = np.array([0, 1])
    assert (
        cluster_name(features, rows) == cluster_name(features, rows[::-1]) == "wells, drills, gas"
    )
    dense = Features.build(np.eye(4), features.companies.assign(sic="1311"), list("abcd"))
    assert explain_cluster(dense, ["OIL", "GAS"])["name"] == "major group 13"
    none = Features.build(np.eye(4), features.companies.assign(sic=None), list("abcd"))
    assert explain_cluster(none, ["OIL", "GAS"])["name"] == "no common feature"


def test_clusters_that_cannot_be_explained_are_refused():
    features = table([[1, 0], [1, 1]])
    with pytest.raises(DataError, match="A is alone"):
        explain_cluster(features, ["A", "A"])
    with pytest.raises(DataError, match="nobody to compare"):
        explain_cluster(features, ["A", "B"])
    with pytest.raises(DataError, match='unknown ticker "Z"'):
        explain_cluster(features, ["A", "Z"])


def test_mean_similarity_leaves_a_member_itself_out():
    features = table([[1, 0], [1, 1], [0, 0], [0, 1]])
    found = mean_similarity(features, np.array([0, 1, 2]))
    assert found["A"] == pytest.approx((np.sqrt(0.5) + 0) / 2)
    assert found["C"] == 0  # an empty text is like nobody
    assert found["D"] == pytest.approx(np.sqrt(0.5) / 3)


def test_axis_is_tanimoto_on_the_chosen_features():
    features = table([[2, 1, 5], [2, 1, 0], [4, 2, 0], [0, 0, 5]])
    found = along(features, "A", np.array([0, 1]))
    assert found.tolist() == pytest.approx([1, 1, 10 / (5 + 20 - 10), 0])
    with pytest.raises(DataError, match="D's text has none of the 2 features"):
        along(features, "D", np.array([0, 1]))


def test_basket_is_the_mean_of_directions():
    features = table([[3, 0, 0], [0, 5, 0], [1, 1, 0], [0, 0, 1]])
    row = basket(features, ["A", "B"], [1, 1]).matrix
    assert row.toarray().ravel().tolist() == pytest.approx([0.5, 0.5, 0])  # large or not
    similarity = cosine_to(features.matrix, row, features.companies.index)
    assert similarity.tolist() == pytest.approx([np.sqrt(0.5), np.sqrt(0.5), 1, 0])
    leaning = basket(features, ["A", "B"], [3, 1]).matrix.toarray().ravel()
    assert leaning.tolist() == pytest.approx([0.75, 0.25, 0])
    alone = basket(features, ["A"], [7]).matrix
    assert cosine_to(features.matrix, alone, features.companies.index)["A"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("tickers", "weights", "message"),
    [
        (["A", "A"], [1, 1], "once"),
        ([], [], "one at least"),
        (["A", "B"], [1], "as many positive weights"),
        (["A", "B"], [1, -1], "as many positive weights"),
        (["A", "B"], [1, np.nan], "as many positive weights"),
        (["A", "Q"], [1, 1], 'unknown ticker "Q"'),
        (["E"], [1], "nothing to be like"),
    ],
)
def test_baskets_that_are_none(tickers, weights, message):
    features = table([[1, 0], [1, 1], [0, 0], [0, 1], [0, 0]])
    with pytest.raises(DataError, match=message):
        basket(features, tickers, weights)


def test_labels_of_the_same_word():
    labels = ["distributors, gateway", "cards, chip", "cardiac", "android", "oil"]
    features = table(np.ones((2, 5)), labels)
    assert labelled(features, ["distribution"]).tolist() == [0]
    assert labelled(features, ["card", "and"]).tolist() == [1]
    assert labelled(features, []).tolist() == []
    assert stem("advertising") == stem("advertisements")


def test_quote_for_a_query():
    features = toy()
    query = sparse.csr_array(np.array([[1.0, 0, 0, 0, 0, 0]]))
    assert quote_for(features, query, "OIL") in {
        "Acme Inc. [[drills]] deep wells.", "It also [[drills]] gas wells offshore!",
    }  # fmt: skip
    assert quote_for(features, query, "BANK") == ""
    assert quote_for(features, query, "VOID") == ""


def test_npmi_by_hand():
    rows = [[1, 1, 0, 1], [1, 1, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1]]
    found = npmi(table(rows), min_companies=1).set_index(["a", "b"])
    assert found.loc[(0, 1), "npmi"] == pytest.approx(np.log(0.5 / (0.5 * 0.75)) / -np.log(0.5))
    assert found.loc[(1, 2), "npmi"] == pytest.approx(np.log(0.25 / (0.75 * 0.5)) / -np.log(0.25))
    assert found.loc[(0, 3), "npmi"] == pytest.approx(0)  # everybody has the last
    assert (0, 2) not in found.index  # nobody has both
    assert found.loc[(0, 1), ["companies_a", "companies_b", "both"]].tolist() == [2, 3, 2]
    assert (np.diff(found["npmi"]) <= 1e-9).all()
    one = npmi(table(rows), feature=2, min_companies=1)
    assert set(one["b"]) == {1, 3} and set(one["a"]) == {2}
    assert npmi(table(rows), min_companies=3, top=5)[["a", "b"]].to_numpy().tolist() == [[1, 3]]
    assert npmi(table(rows), min_companies=9).empty
    for wrong in ({"feature": 4}, {"min_companies": 0}, {"top": 0}):
        with pytest.raises(DataError):
            npmi(table(rows), **wrong)


@pytest.mark.parametrize("share", [0.01, 0.3])
def test_npmi_is_the_same_by_dense_and_by_sparse_products(share, monkeypatch):
    from finsae.explain import together

    rng = np.random.default_rng(1)
    features = Features.build(
        sparse.random_array((120, 700), density=share, rng=rng, format="csr"),
        pd.DataFrame({"description": [""] * 120}, index=[f"T{i}" for i in range(120)]),
        [f"f{i}" for i in range(700)],
    )
    tables = []
    for border in (0.0, 1.0):
        monkeypatch.setattr(together, "DENSE", border)
        tables.append(npmi(features, min_companies=2, top=30))
    pd.testing.assert_frame_equal(*tables)
    assert len(tables[0]) > 5


def test_clusters_of_the_toy_universe_are_named_by_their_business():
    from finsae.config import Reading
    from finsae.pipeline import build_features, why_cluster

    universe = toy_universe.universe(per_industry=6)
    features = build_features(universe, Reading(model="tfidf"))
    found = why_cluster(features, "T0A")
    assert set(found["members"]) <= set(universe.companies.index)
    assert sum(t.startswith("T0") for t in found["members"]) / len(found["members"]) > 0.8
    named = set(found["name"].lower().split(", "))
    assert named & {"oil", "gas", "wells", "drills", "crude", "offshore", "refiners", "natural"}
    assert found["industries"][0]["name"] == "Oil And Gas Extraction"
    labels = pd.Series({t: t[:2] for t in universe.companies.index})
    given = why_cluster(features, "T1", labels=labels)
    assert given["label"] == "T1" and len(given["members"]) == 6
    with pytest.raises(DataError, match='no cluster or company "T9"'):
        why_cluster(features, "T9", labels=labels)
