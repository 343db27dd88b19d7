"""A universe with monthly returns and nothing finer: benchmarked, not traded."""

import numpy as np
import pytest
import toy

from finsae.checks import DataError
from finsae.config import Benchmark, Reading, Run
from finsae.pipeline import build_features, run_backtest, run_benchmark
from finsae.sources import read_universe

RUN = Run(benchmark=Benchmark(k=3, draws=3, resamples=20))


def test_monthly_returns_suffice_for_the_benchmark_and_not_for_the_backtest(tmp_path):
    daily = toy.universe(per_industry=4)
    daily.companies.to_csv(tmp_path / "companies.csv")
    months = np.expm1(daily.monthly).rename_axis("month")
    long = months.melt(ignore_index=False, var_name="ticker", value_name="ret")
    long.to_csv(tmp_path / "months.csv")
    run = Run(data=RUN.data.__class__(cut=toy.CUT), benchmark=RUN.benchmark)
    universe = read_universe(tmp_path / "companies.csv", tmp_path / "months.csv")
    features = build_features(universe, Reading(model="tfidf"))
    monthly, known = run_benchmark(universe, features, run), run_benchmark(daily, features, run)
    assert monthly.provenance["companies"] == known.provenance["companies"] == 20
    keys = ["method", "metric", "versus"]
    past = "past-correlation"  # from months here, from days there
    both = [scores[(scores["method"] != past) & (scores["versus"].fillna("") != past)]
            .fillna({"versus": ""}).set_index(keys)["value"].sort_index()
            for scores in (monthly.scores, known.scores)]  # fmt: skip
    assert len(both[0]) > 50
    same = np.isclose(both[0], both[1].reindex(both[0].index), rtol=1e-6, equal_nan=True)
    assert same.mean() > 0.95  # clusters by past correlation shape what random ones are matched to
    assert past in set(monthly.scores["method"])
    with pytest.raises(DataError, match="monthly returns: enough for finsae benchmark, not for"):
        run_backtest(universe, features, run)
