"""What must hold of quotes and explanations whatever the text."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import sparse

from finsae.explain import (
    contrast,
    explain,
    leave_out,
    sentence_view,
    shared_features,
    word_pairs,
)
from finsae.explain.quotes import WORD, quote_tokens
from finsae.features import Features, TokenCodes, pool
from finsae.similarity import cosine

TEXT = st.text(alphabet="ab-.,' Z9!é\n", min_size=1, max_size=120)


@settings(deadline=None)
@given(TEXT, st.data())
def test_a_quote_is_the_text_with_marks_on_the_strongest_word(text, data):
    starts = data.draw(st.lists(st.integers(0, len(text) - 1), min_size=1, max_size=5))
    spans = np.array([[s, min(s + data.draw(st.integers(1, 4)), len(text))] for s in starts])
    activations = np.array([data.draw(st.sampled_from([0.0, 1.0, 2.0, 5.0])) for _ in starts])
    shown = quote_tokens(text, spans, activations)
    plain = shown.replace("[[", "").replace("]]", "").removeprefix("… ").removesuffix(" …")
    assert plain in " ".join(text.split())
    if activations.max() == 0:
        assert shown == ""
        return
    start, end = spans[np.argmax(activations)]
    peak_words = [m for m in WORD.finditer(text) if m.start() < end and start < m.end()]
    if peak_words:
        assert any(f"[[{word.group()}]]" in shown for word in peak_words)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.booleans())
def test_contributions_sum_to_the_similarity(seed, top, signed):
    rng = np.random.default_rng(seed)
    rows = rng.lognormal(sigma=3, size=(5, 30)) * (rng.random((5, 30)) < 0.4)
    if signed:
        rows *= rng.choice([-1, 1], size=rows.shape)
    companies = pd.DataFrame({"description": ["x"] * 5}, index=list("ABCDE"))
    features = Features.build(sparse.csr_array(rows), companies, [f"f{i}" for i in range(30)])
    similarity = cosine(features.matrix, companies.index)
    shared = shared_features(features, "A", list("BCDE"), top=top)
    for peer in "BCDE":
        table = explain(features, "A", peer, top=top)
        assert table["contribution"].sum() == pytest.approx(similarity.loc["A", peer], abs=1e-6)
        named = table[table["id"] >= 0]
        assert (np.diff(named["contribution"]) <= 0).all()
        assert [item["id"] for item in shared[peer]] == named["id"].tolist()


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["sum", "log1p-sum", "max", "binary", "mean"]))
@example(177909, "max")  # reading the places of a maximum once changed the codes themselves
def test_every_division_sums_to_the_similarity(seed, how):
    rng = np.random.default_rng(seed)
    features = read(rng, how)
    similarity = cosine(features.matrix, features.companies.index)
    view = sentence_view(features, "A", "B")
    words = word_pairs(features, "A", "B", top=3)
    for part in (explain(features, "A", "B", top=3), view.a, view.b, view.pairs, words):
        assert part["contribution"].sum() == pytest.approx(similarity.loc["A", "B"], abs=1e-6)
    other = sentence_view(features, "B", "A")
    np.testing.assert_allclose(view.a["contribution"], other.b["contribution"], atol=1e-12)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_leaving_a_feature_out_is_the_similarity_of_what_is_left(seed):
    features = read(np.random.default_rng(seed), "sum")
    table = explain(features, "A", "B", top=4)
    for row in table[table["id"] >= 0].to_dict("records"):
        left = leave_out(features, [row["id"]])
        expected = cosine(left.matrix, left.companies.index).loc["A", "B"]
        assert row["without"] == pytest.approx(expected, abs=1e-6)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_companies_changes_no_contrast(seed):
    rng = np.random.default_rng(seed)
    rows = (rng.random((12, 20)) < 0.4).astype(float)
    order = rng.permutation(12)
    tables = []
    for chosen in (np.arange(12), order):
        companies = pd.DataFrame({"description": ["x"] * 12}, index=[f"T{i}" for i in chosen])
        made = Features.build(
            sparse.csr_array(rows[chosen]), companies, [f"f{i}" for i in range(20)]
        )
        inside = made.companies.index.get_indexer([f"T{i}" for i in range(5)])
        tables.append(contrast(made, inside, np.setdiff1d(np.arange(12), inside)))
    pd.testing.assert_frame_equal(*tables)


def read(rng, how):
    """Two companies of random texts, with random codes on random spans."""
    texts = ["".join(rng.choice(list("ab. AB\n"), size=rng.integers(1, 60))) for _ in range(2)]
    counts = rng.integers(1, 12, size=2)
    spans = []
    for text, count in zip(texts, counts, strict=True):
        starts = rng.integers(0, len(text), size=count)
        spans += [[s, min(s + int(rng.integers(1, 5)), len(text))] for s in starts]
    tokens = int(counts.sum())
    codes = TokenCodes(
        rng.lognormal(size=tokens * 3).astype(np.float16),
        np.concatenate([rng.choice(9, size=3, replace=False) for _ in range(tokens)]),
        np.arange(0, tokens * 3 + 1, 3),
        np.concatenate([[0], np.cumsum(counts)]),
        np.array(spans),
    )
    companies = pd.DataFrame({"description": texts}, index=list("AB"))
    made = {"reading": {"pool": how}}
    labels = [f"f{i}" for i in range(9)]
    return Features.build(pool(codes, 9, how=how), companies, labels, codes=codes, provenance=made)
