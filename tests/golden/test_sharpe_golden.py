"""Intervals through weighted sums against arch's own bootstrap of the same days."""

import numpy as np
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from numpy.testing import assert_allclose

from finsae.pairs import stats


def sharpe(daily):
    return np.mean(daily.mean(axis=0) / daily.std(axis=0, ddof=1) * np.sqrt(252))


def test_equals_archs_percentile_interval():
    rng = np.random.default_rng(1)
    shocks = rng.normal(0.0003, 0.01, (501, 3))
    daily = shocks[1:] + 0.3 * shocks[:-1]
    block = optimal_block_length(daily.mean(axis=1))["stationary"].iloc[0]
    bootstrap = StationaryBootstrap(block, daily, seed=np.random.default_rng(9))
    expected = bootstrap.conf_int(sharpe, reps=200, method="percentile", size=0.95)[:, 0]
    assert_allclose(stats.intervals(daily, resamples=200, seed=9)[0], expected, rtol=1e-10)
