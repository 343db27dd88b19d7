"""What must not change a score: names, order, units, and the scale of a similarity."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from finsae.benchmark import score
from finsae.benchmark.peers import Peers
from finsae.config import Benchmark
from finsae.similarity import shared_prefix

N, MONTHS = 14, 30
NAMES = [f"C{i}" for i in range(N)]
SEEDS = st.integers(0, 10_000)


def inputs(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.05, (MONTHS, 1)) + rng.normal(0, 0.07, (MONTHS, N))
    x[rng.random(x.shape) < 0.05] = np.nan
    index = pd.date_range("2013-01-31", periods=MONTHS, freq="ME")
    similarity = rng.normal(size=(N, N))
    table = pd.DataFrame(similarity + similarity.T, index=NAMES, columns=NAMES)
    labels = pd.Series(rng.integers(0, 5, N), index=NAMES)
    return table, labels, pd.DataFrame(x, index=index, columns=NAMES)


def values(table, labels, returns):
    scores = score({"own": table}, {"own": labels}, returns, settings=Benchmark(k=3, resamples=4))
    kept = scores[scores["interval"] != "permutation"]
    return kept.set_index(["method", "metric"])["value"]


@settings(max_examples=6, deadline=None)
@given(SEEDS)
def test_the_order_of_companies_changes_nothing(seed):
    table, labels, returns = inputs(seed)
    order = np.random.default_rng(seed + 1).permutation(NAMES)
    shuffled = values(table.loc[order, order], labels.loc[order[::-1]], returns[order])
    pd.testing.assert_series_equal(shuffled, values(table, labels, returns))


@settings(max_examples=6, deadline=None)
@given(SEEDS)
def test_names_of_companies_and_clusters_change_nothing(seed):
    table, labels, returns = inputs(seed)
    new = {name: f"X{number}" for number, name in enumerate(NAMES[::-1])}
    renamed = table.rename(index=new, columns=new)
    clusters = labels.rename(new).map(lambda label: f"group {9 - label}")
    expected = values(table, labels, returns)
    pd.testing.assert_series_equal(values(renamed, clusters, returns.rename(columns=new)), expected)


@settings(max_examples=6, deadline=None)
@given(SEEDS, st.floats(0.05, 1.0))
def test_the_scale_of_returns_changes_nothing(seed, scale):
    table, labels, returns = inputs(seed)
    small = returns.clip(-0.4, 0.4)  # nothing is clipped before or after
    pd.testing.assert_series_equal(
        values(table, labels, small * scale + 0.01), values(table, labels, small), rtol=1e-6
    )


@settings(max_examples=6, deadline=None)
@given(SEEDS)
def test_a_monotone_transform_of_similarity_changes_nothing(seed):
    table, labels, returns = inputs(seed)
    expected = values(table, labels, returns)
    pd.testing.assert_series_equal(values(np.exp(table), labels, returns), expected)
    pd.testing.assert_series_equal(values(table.rank(axis=1), labels, returns), expected)


@settings(max_examples=6, deadline=None)
@given(SEEDS)
def test_peers_by_code_never_cross_a_border_they_need_not(seed):
    rng = np.random.default_rng(seed)
    sic = pd.Series(rng.choice(["2834", "2836", "3674"], N), index=NAMES)
    peers = Peers.of({"sic": shared_prefix(sic)}, 2, draws=3, seed=seed)
    codes, index = sic.to_numpy(), peers.index
    for company in range(N):
        same = (codes == codes[company]).sum() - 1
        shared = (codes[index[:, company]] == codes[company]).sum(axis=1)
        assert (shared == min(same, 2)).all()
        assert (index[:, company] != company).all()
