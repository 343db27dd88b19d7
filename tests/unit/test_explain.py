"""Explanations on texts that can be read."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from toy_features import TEXTS, WORDS, toy

from finsae.checks import DataError
from finsae.explain import describe, explain, explained_json, feature_table, shared_features
from finsae.explain.pair import EXPLAINED
from finsae.explain.quotes import quote_tokens, quote_word, sentences
from finsae.features import Features
from finsae.similarity import cosine


def test_explanation_by_hand():
    table = explain(toy(), "OIL", "GAS")
    # OIL: drills 2, wells 6, gas 1, offshore 1; GAS: gas 1, drills 1, wells 6
    norm = np.sqrt(4 + 36 + 1 + 1) * np.sqrt(1 + 1 + 36)
    assert table["label"].tolist() == ["wells", "drills", "gas"]
    assert table["id"].tolist() == [1, 0, 5]
    np.testing.assert_allclose(table["contribution"], np.array([36, 2, 1]) / norm)
    assert table["evidence_a"].tolist() == [
        "Acme Inc. drills deep [[wells]].",
        "Acme Inc. [[drills]] deep wells.",
        "It also drills [[gas]] wells offshore!",
    ]
    assert table["evidence_b"][0] == "It drills [[wells]], and more [[wells]]."


@pytest.mark.parametrize("top", [1, 2, 3, 10])
def test_contributions_sum_to_the_cosine(top):
    features = toy([1, 0.5, 2, 1, 1, 3])
    similarity = cosine(features.matrix, features.companies.index)
    for a in TEXTS:
        for b in TEXTS:
            if "VOID" in (a, b):
                continue
            table = explain(features, a, b, top=top)
            assert table["contribution"].sum() == pytest.approx(similarity.loc[a, b], abs=1e-6)
            assert len(table) <= top + 1


def test_the_rest_is_one_row():
    table = explain(toy(), "OIL", "GAS", top=1)
    assert table["id"].tolist() == [1, -1]
    assert table["label"].tolist() == ["wells", "other features"]
    assert table.iloc[1][["evidence_a", "evidence_b"]].tolist() == ["", ""]
    whole = explain(toy(), "OIL", "GAS", top=3)
    assert table["contribution"].sum() == pytest.approx(whole["contribution"].sum())
    assert (whole["id"] >= 0).all()


def test_nothing_shared_is_an_empty_table_of_the_same_columns():
    for b in ("BANK", "VOID"):
        table = explain(toy(), "OIL", b)
        assert tuple(table) == EXPLAINED
        assert len(table) == 0
        assert explained_json("OIL", b, table) == {
            "a": "OIL", "b": b, "similarity": 0.0, "features": [],
        }  # fmt: skip


def test_json_has_the_published_shape():
    made = json.loads(json.dumps(explained_json("OIL", "GAS", explain(toy(), "OIL", "GAS"))))
    assert set(made) == {"a", "b", "similarity", "features"}
    assert set(made["features"][0]) == {
        "id", "label", "contribution", "companies", "without", "evidence",
    }  # fmt: skip
    assert set(made["features"][0]["evidence"]) == {"a", "b"}
    assert sum(row["contribution"] for row in made["features"]) == pytest.approx(made["similarity"])


def test_refusals():
    with pytest.raises(DataError, match='unknown ticker "OIK"'):
        explain(toy(), "OIK", "GAS")
    with pytest.raises(DataError, match="at least 1"):
        explain(toy(), "OIL", "GAS", top=0)
    with pytest.raises(DataError, match="no feature 6"):
        describe(toy(), 6)


def test_word_features_quote_the_word():
    rows = toy()
    words = Features.build(rows.matrix, rows.companies, WORDS)
    table = explain(words, "OIL", "GAS")
    assert table["evidence_a"][0] == "Acme Inc. drills deep [[wells]]."
    assert table["evidence_b"][0] == "It drills [[wells]], and more [[wells]]."


def test_features_without_a_place_in_the_text_quote_nothing():
    rng = np.random.default_rng(0)
    companies = toy().companies
    dense = Features.build(rng.normal(size=(4, 8)), companies, [f"dimension {i}" for i in range(8)])
    table = explain(dense, "OIL", "GAS", top=20)
    similarity = cosine(dense.matrix, companies.index).loc["OIL", "GAS"]
    assert (table["contribution"] < 0).any()  # a dense code also speaks against
    assert table["contribution"].sum() == pytest.approx(similarity, abs=1e-6)
    assert (table[["evidence_a", "evidence_b"]] == "").all(axis=None)


def test_features_shared_with_peers():
    features = toy()
    found = shared_features(features, "OIL", ["GAS", "BANK", "OIL"], top=2)
    assert [item["label"] for item in found["GAS"]] == ["wells", "drills"]
    assert found["BANK"] == []
    expected = explain(features, "OIL", "GAS")["contribution"][:2].tolist()
    assert [item["contribution"] for item in found["GAS"]] == pytest.approx(expected)
    assert json.dumps(found)


def test_table_of_features():
    table = feature_table(toy(), top=2)
    assert table.query("ticker == 'OIL'")["label"].tolist() == ["wells", "drills"]
    assert table.query("ticker == 'GAS'")["label"].tolist() == ["wells", "drills"]
    assert list(table) == ["ticker", "id", "label", "value"]
    assert "VOID" not in set(table["ticker"])
    one = feature_table(toy(), "BANK")
    pd.testing.assert_frame_equal(one, feature_table(toy(), ["BANK"]))
    assert one["label"].tolist() == ["bank", "loans"]
    assert len(feature_table(toy(), [])) == 0


def test_description_of_a_feature():
    made = describe(toy(), 5)
    assert (made["id"], made["label"], made["companies"]) == (5, "gas", 2)
    assert [item["ticker"] for item in made["strongest"]] == ["OIL", "GAS"]
    assert made["strongest"][1]["evidence"] == "The company sells [[gas]]."
    assert json.dumps(made)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Acme Inc. buys U.S. Bonds. Sold.", ["Acme Inc. buys U.S. Bonds.", "Sold."]),
        ("Bought by Foo Corp. The rest fell.", ["Bought by Foo Corp.", "The rest fell."]),
        ("Sales rose 2.5 percent. It is No. 1.", ["Sales rose 2.5 percent.", "It is No. 1."]),
        ("J. P. Morgan & Co. New York. Bank.", ["J. P. Morgan & Co. New York.", "Bank."]),
        ("", [""]),
    ],
)  # fmt: skip
def test_sentences(text, expected):
    found = sentences(text)
    assert [text[start:end].strip() for start, end in found] == expected
    assert "".join(text[start:end] for start, end in found) == text


def test_long_sentences_are_cut_around_the_peak():
    words = [f"w{i}" for i in range(100)]
    text = ", ".join(words)  # signs are no words
    start = text.index("w50")
    shown = quote_tokens(text, np.array([[start, start + 2]]), np.array([1.0]))
    assert shown == "… " + ", ".join([*words[38:50], "[[w50]]", *words[51:63]]) + " …"
    assert quote_word(text, "W3").startswith("w0, w1, w2, [[w3]], w4")
    assert quote_word(text, "w99").endswith("[[w99]]")


def test_marks_are_whole_words_and_weak_tokens_are_left():
    text = "Semi-conductors & chips; (chips) are sold."
    spans = np.array([[5, 9], [16, 17], [18, 23], [25, 26], [0, 0]])
    shown = quote_tokens(text, spans, np.array([4.0, 2.0, 1.9, 0.0, 9.0]))
    assert shown == "[[Semi-conductors]] [[&]] chips; (chips) are sold."
    assert quote_tokens(text, spans, np.zeros(5)) == ""
    assert quote_tokens("short", spans[2:3], np.ones(1)) == ""  # codes of another text


def test_labels_are_words_not_patterns():
    assert quote_word("C++ and c.", "c++") == "[[C]][[+]][[+]] and c."
    assert (
        quote_word("natural  gas and Natural gas", "natural gas")
        == "natural gas and [[Natural]] [[gas]]"
    )


def test_matrices_of_either_kind():
    features = toy()
    old = Features.build(features.matrix, features.companies, WORDS)
    object.__setattr__(old, "matrix", sparse.csr_matrix(features.matrix))
    assert explain(old, "OIL", "GAS")["contribution"].sum() > 0.9
    assert describe(old, 1)["companies"] == 2
    assert len(feature_table(old)) == len(feature_table(features))
