"""A universe with monthly returns and nothing finer: benchmarked, not traded."""

import numpy as np
import pytest
import toy

from finsae.checks import DataError
from finsae.config import Benchmark, Data, Reading, Run
from finsae.methods import BASELINES
from finsae.pipeline import build_features, run_backtest, run_benchmark
from finsae.sources import read_universe

RUN = Run(data=Data(cut=toy.CUT), benchmark=Benchmark(k=3, draws=2, resamples=10))


@pytest.mark.slow
def test_monthly_returns_suffice_for_the_benchmark_and_not_for_the_backtest(tmp_path):
    daily = toy.universe(per_industry=4)
    daily.companies.to_csv(tmp_path / "companies.csv")
    months = np.expm1(daily.monthly).rename_axis("month")
    long = months.melt(ignore_index=False, var_name="ticker", value_name="ret")
    long.to_csv(tmp_path / "months.csv")
    universe = read_universe(tmp_path / "companies.csv", tmp_path / "months.csv")
    assert universe.monthly.to_numpy() == pytest.approx(daily.monthly.to_numpy(), abs=1e-12)
    features = build_features(universe, Reading(model="tfidf"))
    scored = run_benchmark(universe, features, RUN)
    assert scored.provenance["companies"] == 20
    assert set(BASELINES) <= set(scored.scores["method"])  # past correlation too: of months
    with pytest.raises(DataError, match="monthly returns: enough for finsae benchmark, not for"):
        run_backtest(universe, features, RUN)
