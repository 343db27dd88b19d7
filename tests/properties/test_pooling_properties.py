"""Sparse pooling equals pooling of dense codes, however the companies are cut into pieces."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finsae.features import POOLINGS, TokenCodes, pool, pooling


@st.composite
def token_codes(draw):
    lengths = draw(st.lists(st.integers(0, 6), min_size=1, max_size=7))
    n_features, tokens = draw(st.integers(3, 9)), sum(lengths)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    indices = np.array([rng.permutation(n_features)[:3] for _ in range(tokens)]).reshape(-1, 3)
    values = rng.choice([0, 0.25, 1, 3.5], size=indices.shape).astype(np.float16)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    codes = TokenCodes(
        values.ravel(),
        indices.astype(np.int32).ravel(),
        3 * np.arange(tokens + 1),
        offsets,
        np.zeros((tokens, 2), np.int32),
    )
    return codes, n_features


def dense_pool(codes, n_features, how, normalised):
    dense = np.zeros((len(codes.spans), n_features))
    shape = (len(codes.spans), 3)
    indices, values = codes.indices.reshape(shape), codes.values.reshape(shape)
    np.put_along_axis(dense, indices.astype(int), values.astype(float), axis=1)
    rows = []
    for start, end in zip(codes.offsets[:-1], codes.offsets[1:], strict=True):
        tokens = dense[start:end]
        if not len(tokens):
            rows.append(np.zeros(n_features))
            continue
        total = tokens.sum(axis=0) * (100 / len(tokens) if normalised else 1)
        rows.append(
            {
                "sum": total,
                "mean": tokens.mean(axis=0),
                "max": tokens.max(axis=0),
                "log1p-sum": np.log1p(total),
                "binary": (tokens > 0).any(axis=0),
            }[how]
        )
    return np.array(rows)


@settings(deadline=None)
@given(token_codes(), st.sampled_from(POOLINGS), st.booleans(), st.sampled_from([1, 20, 10**6]))
def test_sparse_pooling_equals_dense(case, how, normalised, at_once):
    codes, n_features = case
    normalised = normalised and how in ("sum", "log1p-sum")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooling, "CODES_AT_ONCE", at_once)
        found = pool(codes, n_features, how=how, length_normalised=normalised)
    np.testing.assert_allclose(
        found.toarray(), dense_pool(codes, n_features, how, normalised), rtol=1e-6
    )
    assert (found.data != 0).all()
    assert found.has_canonical_format
