"""What must hold of similarities and peers whatever the data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

import finsae.similarity.blocks as blocks
from finsae.similarity import cosine, has_ties, peer_index

SMALL = st.integers(0, 4).map(float)  # few values: zeros, ties and duplicates abound


@settings(deadline=None)
@given(hnp.arrays(float, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=SMALL))
def test_sparse_and_dense_cosine_agree_and_are_symmetric(rows):
    names = range(len(rows))
    dense, thin = cosine(rows, names).to_numpy(), cosine(sparse.csr_array(rows), names).to_numpy()
    np.testing.assert_allclose(thin, dense, atol=1e-6)
    for found in (dense, thin):
        assert (found == found.T).all()
        assert (found.diagonal() == 1).all()
        assert abs(found).max() <= 1
        empty = ~rows.any(axis=1)
        assert (found[empty].sum(axis=1) == 1).all()


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(float, st.integers(2, 9).map(lambda n: (n, n)), elements=SMALL | st.just(np.nan)),
    st.integers(1, 10),
    st.integers(0, 3),
)
def test_peers_are_the_best_and_never_oneself(values, k, seed):
    n = len(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_CELLS", 2 * n)  # several blocks even here
        chosen = peer_index(values, k, np.random.default_rng(seed))
        tied = has_ties(values, k)
    assert chosen.shape == (n, min(k, n - 1))
    ranked = np.where(np.isnan(values), -np.inf, values)
    border_ties = False
    for i, row in enumerate(chosen):
        assert i not in row
        assert len(set(row)) == len(row)
        others = np.sort(np.delete(ranked[i], i))[::-1]
        np.testing.assert_array_equal(ranked[i, row], others[: len(row)])
        border_ties |= len(others) > k and others[k - 1] == others[k]
    assert tied == border_ties
