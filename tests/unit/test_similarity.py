"""Similarity methods and peers on cases worked by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from finsae.checks import DataError
from finsae.similarity import (
    centred,
    cosine,
    has_ties,
    pairwise_correlation,
    past_correlation,
    peer_index,
    peers,
    shared_prefix,
    uninformed,
)

NAMES = ["A", "B", "C", "D"]
ROWS = np.array([[3.0, 4.0, 0.0], [4.0, 3.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
BY_HAND = [[1, 0.96, 0, 0], [0.96, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csr_array])
def test_cosine_by_hand(kind):
    table = cosine(kind(ROWS), NAMES)
    np.testing.assert_allclose(table, BY_HAND, atol=1e-7)
    assert list(table.index) == list(table.columns) == NAMES
    assert (table.dtypes == np.float32).all()


@pytest.mark.parametrize(
    ("matrix", "tickers", "says"),
    [
        (ROWS, ["A", "B"], "4 rows need 4 tickers"),
        (ROWS, ["A", "B", "C", "A"], '"A" is there twice'),
        (np.where(ROWS == 2, np.nan, ROWS), NAMES, "finite"),
        (sparse.csr_array(np.where(ROWS == 2, np.inf, ROWS)), NAMES, "finite"),
    ],
)
def test_cosine_refuses(matrix, tickers, says):
    with pytest.raises(DataError, match=says):
        cosine(matrix, tickers)


def test_centred_is_the_cosine_of_what_sets_a_company_apart():
    rows = np.random.default_rng(0).normal(size=(30, 5)) + 2
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    names = [f"C{number}" for number in range(30)]
    expected = cosine(unit - unit.mean(axis=0), names)
    pd.testing.assert_frame_equal(centred(cosine(rows, names)), expected, atol=1e-5)
    alike = centred(cosine(np.ones((3, 2)), NAMES[:3]))
    np.testing.assert_allclose(alike, np.eye(3))


def test_centred_takes_the_length_of_a_text_out():
    """Long texts: their topic and a share of everything, the more the longer."""
    rng = np.random.default_rng(1)
    length = rng.uniform(0, 3, 200)
    rows = rng.normal(size=(200, 40)) + length[:, None] * np.ones(40) / 2
    table = cosine(rows, [f"C{number}" for number in range(200)])
    upper = np.triu_indices(200, 1)
    both = (length[:, None] + length)[upper]
    before, after = (np.corrcoef(t.to_numpy()[upper], both)[0, 1] for t in (table, centred(table)))
    assert before > 0.7
    assert abs(after) < before / 4


def test_shared_prefix_by_hand():
    sic = pd.Series(["2834", "2836", "2899", "0100", None, None], index=list("abcdef"))
    shared = shared_prefix(sic)
    assert shared.loc["a", ["a", "b", "c", "d", "e"]].tolist() == [4, 3, 2, 0, 0]
    assert shared.loc["e", "f"] == 0  # two missing codes share nothing
    assert (shared == shared.T).all(axis=None)
    major = shared_prefix(sic, digits=(2,))
    assert major.loc["a", ["a", "b", "c", "d", "e"]].tolist() == [2, 2, 2, 0, 0]


def test_peers_by_code_take_the_longest_prefix_first():
    sic = pd.Series(["2834", "7372", "2899", "2834", "2836"], index=list("abcde"))
    table = peers(shared_prefix(sic), 4, random_state=0).set_index("ticker")
    assert table.loc["a", "peer"].tolist() == ["d", "e", "c", "b"]
    assert table.loc["a", "similarity"].tolist() == [4, 3, 2, 0]
    assert table.loc["a", "rank"].tolist() == [1, 2, 3, 4]


def test_past_correlation_ignores_a_newcomer_and_ranks_it_last():
    rng = np.random.default_rng(0)
    returns = pd.DataFrame(rng.normal(size=(100, 3)), columns=["a", "b", "new"])
    returns["b"] = returns["a"] + returns["b"]
    returns["new"] = returns["a"]
    returns.iloc[:80, 2] = np.nan  # 20 days are enough for chance, not for a ranking
    table = past_correlation(returns)
    assert np.isnan(table.loc["a", "new"])
    assert table.loc["new", "new"] == 1
    assert peers(table, 2, random_state=0).query("ticker == 'a'")["peer"].tolist() == ["b", "new"]
    assert past_correlation(returns, min_obs=20).loc["a", "new"] == pytest.approx(1)


def test_correlation_of_constant_short_and_far_off_columns():
    nan = np.nan
    x = np.array(
        [
            [1.0, 0.1, 1.0, 1e6 + 1.0],
            [2.0, 0.1, nan, 1e6 + 2.0],
            [3.0, 0.1, 3.0, 1e6 + 3.0],
            [nan, 0.1, nan, -9e6],
            [nan, 0.1, nan, 5e6],
        ]
    )
    found = pairwise_correlation(x, min_obs=3)
    assert np.isnan(found[1]).all()  # constant, though its mean is not exactly 0.1
    assert np.isnan(found[2]).all()  # two rows
    assert found[0, 3] == pytest.approx(1, abs=1e-10)  # over rows 0 to 2 only


def test_random_peers_are_uniform_independent_between_rows_and_reproducible():
    table = uninformed([f"t{i}" for i in range(40)])
    first, again = peers(table, 5, random_state=3), peers(table, 5, random_state=3)
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(peers(table, 5, random_state=4))
    rng = np.random.default_rng(0)
    counts = np.zeros((40, 40))
    for _ in range(400):
        chosen = peer_index(table.to_numpy(), 5, rng)
        np.add.at(counts, (np.arange(40)[:, None], chosen), 1)
    assert (counts.diagonal() == 0).all()
    off = counts[~np.eye(40, dtype=bool)]
    expected, sd = 400 * 5 / 39, np.sqrt(400 * 5 / 39 * 34 / 39)
    assert abs(off - expected).max() < 5 * sd  # every peer equally often
    together = peer_index(table.to_numpy(), 5, rng)
    assert len({tuple(sorted(row)) for row in together.tolist()}) > 35  # rows draw on their own


def test_order_among_tied_peers_is_random_too():
    table = uninformed(list("abc")).to_numpy()
    rng = np.random.default_rng(1)
    firsts = [peer_index(table, 2, rng)[0, 0] for _ in range(300)]
    assert 100 < firsts.count(1) < 200


def test_has_ties_looks_at_the_border_only():
    values = np.array(
        [[1, 0.9, 0.9, 0.1], [0.9, 1, 0.5, 0.4], [0.9, 0.5, 1, 0.3], [0.1, 0.4, 0.3, 1]]
    )
    assert has_ties(values, 1)
    assert not has_ties(values, 2)
    assert not has_ties(values, 3)
    assert has_ties(uninformed(list("abcd")), 2)


def test_more_peers_than_companies_gives_all_of_them():
    assert len(peers(uninformed(list("abc")), 10, random_state=0)) == 6
    assert len(peers(uninformed(["a"]), 3)) == 0
    with pytest.raises(DataError, match="at least 1"):
        peers(uninformed(list("abc")), 0)
    with pytest.raises(DataError, match="same tickers"):
        peers(uninformed(list("abc")).rename(columns={"a": "z"}), 1)
