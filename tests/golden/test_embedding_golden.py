"""MiniLM against sentence-transformers and against a plain forward; TF-IDF against the formula."""

import numpy as np
import pytest

from finsae.embed.models import locate
from finsae.embed.transformer import Transformer

TEXTS = [
    "A regional bank that lends to farmers and small firms in Ohio and Indiana.",
    "Drills for oil.",
    "Designs chips, software and phones; sells them in its own shops and through carriers. " * 9,
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_sentence_embedding_is_that_of_sentence_transformers():
    from sentence_transformers import SentenceTransformer

    expected = SentenceTransformer(locate("minilm").place, device="cpu").encode(TEXTS)
    found = Transformer("minilm", device="cpu").transform(TEXTS)
    np.testing.assert_allclose((found * expected).sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(found, expected, atol=1e-5)
