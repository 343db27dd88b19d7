"""Pairwise correlation against pandas."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import finsae.similarity.blocks as blocks
from finsae.similarity import pairwise_correlation


def agrees_with_pandas(x, min_obs):
    found = pairwise_correlation(x, min_obs=min_obs)
    expected = pd.DataFrame(x).corr(min_periods=min_obs).to_numpy()
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, atol=1e-10, rtol=0)
    np.testing.assert_array_equal(found, found.T)


@pytest.mark.parametrize("cells", [4_000_000, 3_000])  # one block, many blocks
def test_returns_with_gaps_listings_and_constants(monkeypatch, cells):
    monkeypatch.setattr(blocks, "BLOCK_CELLS", cells)
    rng = np.random.default_rng(5)
    x = 0.02 * rng.standard_t(3, size=(260, 90)) + 0.01 * rng.normal(size=(260, 1))
    x[rng.random(x.shape) < 0.1] = np.nan
    for late in range(20):
        x[: rng.integers(100, 258), late] = np.nan
    x[:, 30] = 0.1
    x[:, 31] = np.nan
    x[50:, 32] = 0.25  # constant over the rows it shares with latecomers
    x[4, 33] = np.inf
    agrees_with_pandas(x, min_obs=12)


@settings(max_examples=80, deadline=None)
@given(
    hnp.arrays(
        float,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=9),
        elements=st.integers(-3, 3).map(float) | st.just(np.nan) | st.just(1000.5),
    ),
    st.integers(2, 4),
)
def test_any_small_table(x, min_obs):
    agrees_with_pandas(x, min_obs)
