"""A grid of settings: tested once, each noted, and judged by how many there were."""

import json

import numpy as np
import pytest
import toy

from finsae.checks import DataError
from finsae.cli.sweep import show
from finsae.config import Backtest, Benchmark, Data, Reading, Run
from finsae.pipeline import build_features, run_backtest
from finsae.pipeline.sweeping import run_sweep

RUN = Run(
    Data(formation="2013-01-01:2014-12-31", trade="2015-01-01:2015-12-31"),
    benchmark=Benchmark(k=3, draws=2, resamples=10),
    backtest=Backtest(candidates=30, pairs=6, draws=1, resamples=10, placebo=2),
)
GRID = {"entry": [1.5, 1.75, 2.0, 2.25], "stop": [3.0, 4.0], "pairs": [4, 6]}


@pytest.mark.slow
def test_a_grid_is_swept_noted_and_judged(tmp_path, capsys):
    universe = toy.universe(per_industry=6)
    features = build_features(universe, Reading(model="tfidf"))
    ledger = tmp_path / "ledger.jsonl"
    result = run_sweep(universe, features, RUN, grid=GRID, methods=["sic"], ledger=ledger)
    table = result.tables["sweep"]
    assert table["configuration"].tolist()[:3] == [
        "entry 1.5, stop 3.0, pairs 4",
        "entry 1.5, stop 3.0, pairs 6",
        "entry 1.5, stop 4.0, pairs 4",
    ]
    assert len(table) == 16 == result.provenance["trials"]
    assert 0 <= result.provenance["overfitting"] <= 1
    best = table["sharpe_net"].idxmax()
    assert np.flatnonzero(table["dsr"].notna()).tolist() == [best]
    # the default's row is what a backtest finds, and to it no new trial
    alone = run_backtest(universe, features, RUN, methods=["sic"], ledger=ledger)
    plain = alone.scores[alone.scores["versus"] == ""].set_index(["method", "metric"])["value"]
    row = table[table["configuration"] == "entry 2.0, stop 4.0, pairs 6"].iloc[0]
    assert row["sharpe_net"] == pytest.approx(plain["sic", "sharpe_net"])
    assert len([json.loads(line) for line in ledger.read_text().splitlines()]) == 16
    show(result)
    said = capsys.readouterr().out
    assert "knows 16 configurations" in said and "Probability of backtest overfitting: 0." in said
    few = run_sweep(universe, features, RUN, grid={"pairs": [4]}, methods=["sic"], ledger=ledger)
    show(few)
    assert "16 configurations (and 32 days) are needed, 1 ran" in capsys.readouterr().out


def test_an_impossible_combination_is_refused_before_any_is_run(tmp_path):
    universe = toy.universe(per_industry=2)
    for grid, said in (
        ({"entry": [2.0, 5.0]}, "must be ordered"),
        ({"rule": ["zscor"]}, 'did you mean "zscore"'),
        ({"entry": [2.0, 2.0]}, "none twice"),
    ):
        with pytest.raises(DataError, match=said):
            run_sweep(universe, {}, RUN, grid=grid, methods=["sic"], ledger=tmp_path / "x")
    assert not (tmp_path / "x").exists()
