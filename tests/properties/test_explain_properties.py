"""What must hold of quotes and explanations whatever the text."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from finsae.explain import explain, shared_features
from finsae.explain.quotes import WORD, quote_tokens
from finsae.features import Features
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


@settings(deadline=None, max_examples=30)
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
