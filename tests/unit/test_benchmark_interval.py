"""Intervals without resampling companies twice."""

import numpy as np
import pytest
from scipy import stats

from finsae.benchmark.interval import jackknife


def test_jackknife_of_a_mean_is_students_interval():
    """Leaving out one of n at a time, the jackknife's error of a mean is the standard error."""
    x = np.random.default_rng(0).normal(3, 2, 15)
    found = jackknife(lambda kept: float(x[kept].mean()), len(x), seed=1)
    expected = stats.t.interval(0.95, len(x) - 1, loc=x.mean(), scale=stats.sem(x))
    assert found == pytest.approx((x.mean(), *expected))


def test_jackknife_of_what_cannot_be_measured_is_not_a_number():
    assert np.isnan(jackknife(lambda kept: float("nan"), 30, seed=0)).all()
