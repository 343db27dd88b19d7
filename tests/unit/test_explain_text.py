"""A similarity divided among sentences and words, by hand."""

import numpy as np
import pandas as pd
import pytest
from toy_features import TEXTS, WORDS, toy

from finsae.checks import DataError
from finsae.explain import explain, leave_out, sentence_view, unshared, without, word_pairs
from finsae.explain.places import places
from finsae.features import Features
from finsae.similarity import cosine

# OIL: drills 2, wells 6, gas 1, offshore 1; GAS: gas 1, drills 1, wells 6
NORM = np.sqrt(4 + 36 + 1 + 1) * np.sqrt(1 + 1 + 36)


def test_sentences_by_hand():
    view = sentence_view(toy(), "OIL", "GAS")
    # OIL's first sentence: half of drills (2 x 1), half of wells (6 x 6); its second all of gas
    np.testing.assert_allclose(view.a["contribution"], np.array([1 + 18, 1 + 18 + 1]) / NORM)
    np.testing.assert_allclose(view.b["contribution"], np.array([1, 2 + 36]) / NORM)
    assert view.a["quote"].tolist() == [
        "Acme Inc. drills deep [[wells]].",
        "It also drills gas [[wells]] offshore!",
    ]
    top = view.pairs.iloc[0]
    assert (top["a"], top["b"]) in {(0, 1), (1, 1)}
    assert top["features"].startswith("wells; drills")
    joint = view.pairs.set_index(["a", "b"])["contribution"]
    assert joint[(1, 0)] == pytest.approx(1 / NORM)
    assert (0, 0) not in joint.index  # nothing of GAS's first sentence is in OIL's first
    cut = zip(view.a["start"], view.a["end"], strict=True)
    assert "".join(TEXTS["OIL"][start:end] for start, end in cut) == TEXTS["OIL"]


def test_words_by_hand():
    table = word_pairs(toy(), "OIL", "GAS")
    assert table[["a", "b"]].to_numpy().tolist() == [
        ["wells", "wells"], ["drills", "drills"], ["gas", "gas"],
    ]  # fmt: skip
    np.testing.assert_allclose(table["contribution"], np.array([36, 2, 1]) / NORM)
    cut = word_pairs(toy(), "OIL", "GAS", top=1)
    assert cut["a"].tolist() == ["wells", ""]
    assert cut["contribution"].sum() == pytest.approx(table["contribution"].sum())


def test_a_maximum_stands_where_it_is_reached():
    features = toy(how="max")
    read = places(features, 0)
    drills = read.shares[:, [WORDS.index("drills")]].toarray().ravel()
    assert drills[drills > 0].tolist() == [0.5, 0.5]  # both mentions are as strong
    codes = features.codes
    values = codes.values.copy()
    values[2] = 2.0  # "Acme Inc. drills"
    stronger = type(codes)(values, codes.indices, codes.starts, codes.offsets, codes.spans)
    object.__setattr__(features, "codes", stronger)
    assert places(features, 0).shares[:, [0]].toarray().max() == 1.0


@pytest.mark.parametrize("how", ["sum", "max", "log1p-sum", "binary", "mean"])
def test_every_view_sums_to_the_similarity(how):
    features = toy([1, 0.5, 2, 1, 1, 3], how=how)
    similarity = cosine(features.matrix, features.companies.index)
    for a, b in (("OIL", "GAS"), ("GAS", "OIL"), ("OIL", "OIL"), ("OIL", "BANK"), ("VOID", "OIL")):
        expected = 0 if "VOID" in (a, b) else similarity.loc[a, b]
        view = sentence_view(features, a, b)
        for part in (view.a, view.b, view.pairs, word_pairs(features, a, b)):
            assert part["contribution"].sum() == pytest.approx(expected, abs=1e-6)


def test_features_of_words_stand_where_their_words_do():
    read = toy()
    words = Features.build(read.matrix, read.companies, WORDS)
    view = sentence_view(words, "OIL", "GAS")
    np.testing.assert_allclose(view.a["contribution"], np.array([1 + 18, 1 + 18 + 1]) / NORM)
    assert word_pairs(words, "OIL", "GAS")["a"].tolist() == ["wells", "drills", "gas"]


def test_features_without_a_place_are_in_no_sentence():
    rng = np.random.default_rng(0)
    names = [f"dimension {i}" for i in range(8)]
    dense = Features.build(rng.normal(size=(4, 8)), toy().companies, names)
    similarity = cosine(dense.matrix, dense.companies.index).loc["OIL", "GAS"]
    view = sentence_view(dense, "OIL", "GAS")
    assert view.a.iloc[-1]["sentence"] == -1
    assert (view.a["contribution"][:-1] == 0).all()
    assert set(view.pairs["a"]) == {-1} and view.pairs["features"].tolist() == [""]
    words = word_pairs(dense, "OIL", "GAS")
    assert words["a"].tolist() == [""]
    for part in (view.a, view.b, view.pairs, words):
        assert part["contribution"].sum() == pytest.approx(similarity, abs=1e-6)


def test_an_empty_text_has_one_empty_sentence():
    features = toy()
    companies = features.companies.assign(description=["", "", "", ""])
    words = Features.build(features.matrix, companies, WORDS)
    view = sentence_view(words, "OIL", "GAS")
    assert view.a["sentence"].tolist() == [0, -1]
    assert view.a["contribution"].sum() == pytest.approx(39 / NORM)
    assert word_pairs(words, "OIL", "GAS")["b"].tolist() == [""]


def test_what_one_has_and_the_other_lacks():
    table = unshared(toy(), "OIL", "GAS")
    assert table["label"].tolist() == ["offshore"]
    assert table["share"].tolist() == pytest.approx([1 / 42])
    assert table["companies"].tolist() == [1]
    assert "[[offshore]]" in table["evidence"][0]
    assert unshared(toy(), "GAS", "OIL").empty
    whole = unshared(toy(), "OIL", "VOID", top=10)
    assert whole["share"].sum() == pytest.approx(1)
    assert unshared(toy(), "VOID", "OIL").empty


def test_without_a_feature_the_lengths_change_too():
    features = toy()
    # without wells: (2 x 1 + 1 x 1) / (sqrt(4 + 1 + 1) sqrt(1 + 1))
    assert without(features, "OIL", "GAS", [1]) == pytest.approx(3 / np.sqrt(12))
    assert without(features, "OIL", "GAS", []) == pytest.approx(39 / NORM)
    assert without(features, "OIL", "GAS", range(6)) == 0
    table = explain(features, "OIL", "GAS")
    assert table["without"][0] == pytest.approx(3 / np.sqrt(12))
    left = leave_out(features, [1])
    assert cosine(left.matrix, left.companies.index).loc["OIL", "GAS"] == pytest.approx(
        3 / np.sqrt(12)
    )
    assert table["companies"].tolist() == [2, 2, 2]
    for wrong in (6, -1):
        with pytest.raises(DataError, match=f"no feature {wrong}"):
            leave_out(features, [wrong])


def test_explaining_leaves_the_order_of_companies_alone():
    features = toy()
    turned = [3, 1, 0, 2]
    tables = [
        Features.build(f.matrix, f.companies, WORDS)
        for f in (
            features,
            Features.build(features.matrix[turned], features.companies.iloc[turned], WORDS),
        )
    ]
    one, other = (explain(table, "OIL", "GAS") for table in tables)
    pd.testing.assert_frame_equal(one, other)
    one, other = (word_pairs(table, "OIL", "GAS") for table in tables)
    pd.testing.assert_frame_equal(one, other)
