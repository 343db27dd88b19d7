"""What every embedder of the menu must do."""

import numpy as np
import pytest
from scipy import sparse

from finsae.plugins import MENU, make

TEXTS = [
    "A regional bank that lends to farmers and small firms in Ohio and Indiana.",
    "Drills for oil and natural gas in the Permian basin of Texas.",
    "A bank holding company with branches in Ohio.",
    "Explores for oil and gas offshore.",
    "Owns apartment houses and lets them to families.",
]


def dense(rows):
    return rows.toarray() if sparse.issparse(rows) else rows


@pytest.fixture(scope="module", params=list(MENU["embedder"]))
def embedder(request):
    return make("embedder", request.param).fit(TEXTS)


def test_same_text_same_row(embedder):
    rows = dense(embedder.transform([TEXTS[0], TEXTS[1], TEXTS[0]]))
    np.testing.assert_allclose(rows[0], rows[2], atol=1e-6)
    assert np.abs(rows[0] - rows[1]).max() > 0.01
    np.testing.assert_array_equal(rows, dense(embedder.transform([TEXTS[0], TEXTS[1], TEXTS[0]])))


def test_order_and_company_are_irrelevant(embedder):
    rows = dense(embedder.transform(TEXTS))
    np.testing.assert_allclose(dense(embedder.transform(TEXTS[::-1]))[::-1], rows, atol=1e-5)
    np.testing.assert_allclose(dense(embedder.transform(TEXTS[2:3])), rows[2:3], atol=1e-5)


def test_an_empty_text_gives_a_row_of_zeros(embedder):
    rows = dense(embedder.transform(["", TEXTS[0]]))
    assert rows.shape[0] == 2 and rows.dtype == np.float32 and np.isfinite(rows).all()
    assert not rows[0].any()
    np.testing.assert_allclose(np.linalg.norm(rows[1]), 1, atol=1e-5)


def test_transform_learns_nothing(embedder):
    before = dense(embedder.transform(TEXTS))
    embedder.transform(["Breeds horses.", "Sells tulips in the Netherlands."] * 3)
    np.testing.assert_array_equal(dense(embedder.transform(TEXTS)), before)


def test_alike_texts_are_nearer(embedder):
    rows = dense(embedder.transform(TEXTS))
    similarity = rows @ rows.T
    assert similarity[0, 2] > similarity[0, 1] and similarity[1, 3] > similarity[1, 4]
