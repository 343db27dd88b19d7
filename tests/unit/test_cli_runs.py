"""Benchmarks and backtests from the command line: what is refused, shown and kept."""

import json
from dataclasses import replace

import pandas as pd
import pytest
import toy
from rich.console import Console
from test_cli import call

from finsae import pipeline
from finsae.checks import DataError
from finsae.cli import shown
from finsae.config import Backtest, Benchmark, Data, Reading, Run
from finsae.pipeline import build_features, methods, run_backtest, run_benchmark, run_published
from finsae.result import Result

SMALL = {"draws": 2, "resamples": 10}
BACKTEST = Backtest(candidates=30, pairs=3, placebo=2, formation_days=250, **SMALL)
DATA = Data(cut=toy.CUT, trade="2015-01-01:2016-06-30")
RUN = Run(data=DATA, benchmark=Benchmark(k=3, methods="sic,random", **SMALL), backtest=BACKTEST)


@pytest.fixture(scope="module")
def universe():
    return toy.universe(per_industry=4)


@pytest.fixture(scope="module")
def features(universe):
    return build_features(universe, Reading(model="tfidf"))


@pytest.fixture(scope="module")
def files(universe, features, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    features.save(folder / "features")
    universe.prices.to_parquet(folder / "prices.parquet")
    return ["--features", str(folder / "features"), "--prices", str(folder / "prices.parquet")]


@pytest.fixture
def cheap(monkeypatch):
    """Few draws and resamples, which no option names."""
    trade, score = pipeline.trade_files, pipeline.score_files

    def small(run):
        scored = replace(run.benchmark, **SMALL)
        traded = replace(run.backtest, candidates=30, pairs=3, placebo=2, **SMALL)
        return replace(run, benchmark=scored, backtest=traded)

    monkeypatch.setattr(pipeline, "trade_files", lambda run, *a, **k: trade(small(run), *a, **k))
    monkeypatch.setattr(pipeline, "score_files", lambda run, *a, **k: score(small(run), *a, **k))


def written(table):
    screen = Console(width=200)
    with screen.capture() as capture:
        screen.print(table)
    return [line.split() for line in capture.get().splitlines()]


def test_methods_need_not_hold_the_features_own(universe, features):
    found = run_benchmark(universe, features, RUN)
    assert {"sic", "major-group", "division", "random"} == set(
        found.tables["clusters"]["clusterer"]
    )
    again = run_published(universe, features, RUN, methods=["ff12"])
    assert set(again.scores["method"]) == {"ff12"}


@pytest.mark.slow
def test_controls_and_industry_codes_are_traded(universe, features, monkeypatch):
    made = []

    def build(_, reading):
        made.append(reading.sae)
        return features

    monkeypatch.setattr(methods, "build_features", build)
    names = ["sae", "activations", "pca", "untrained", "tfidf-centred", "division", "ff49"]
    found = run_backtest(universe, {"sae": features}, RUN, methods=names)
    assert set(found.tables["returns"]["method"]) == set(names)
    assert sorted(made) == ["none", "untrained:none"]
    with pytest.raises(DataError, match="pca: controls of an SAE's features"):
        run_backtest(universe, features, RUN, methods=["pca"])


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["backtest", "--method", "placebo"], 'unknown method "placebo"'),
        (["backtest", "--method", "all,sic"], "all and main go alone"),
        (["backtest", "--method", ","], "no method is named"),
        (["benchmark", "--methods", "sic,placebo"], 'unknown method "placebo"'),
        (
            ["benchmark", "--walk-forward", "2014-12-31", "--clusters", "gone.csv"],
            "--clusters: not read with --walk-forward",
        ),
        (
            ["benchmark", "--walk-forward", "2014-12-31", "--cut", toy.CUT],
            "--cut: not read with --walk-forward",
        ),
        (
            ["benchmark", "--protocol", "paper", "-k", "9", "--methods", "main"],
            "-k, --methods: not read with --protocol paper",
        ),
        (
            ["benchmark", "--protocol", "paper", "--walk-forward", "2014-12-31"],
            "--walk-forward: not read with --protocol paper",
        ),
        (
            ["backtest", "--protocol", "paper", "--selector", "fdr", "--cost-bps", "0"],
            "--selector, --cost-bps: not read with --protocol paper",
        ),
        (
            ["backtest", "--protocol", "paper-revised", "--step", "21", "--ledger", "mine.jsonl"],
            "--step, --ledger: not read with --protocol paper-revised",
        ),
        (
            ["backtest", "--protocol", "paper", "--rule", "kalman", "--borrow-bps", "1"],
            "--rule, --borrow-bps: not read with --protocol paper",
        ),
        (
            ["backtest", "--formation", "2013-01-01:2014-12-31", "--step", "21"],
            "--step: not read with --formation",
        ),
        (
            ["backtest", "--protocol", "paper", "--config", "mine.toml"],
            "backtest.cost_bps: not read with --protocol paper: take it out of mine.toml",
        ),
        (["tune", "--ledger", "mine.jsonl"], "--ledger: not read with no --open"),
        (["backtest", "--ledger", "."], '"." is a folder: name a file'),
    ],
)
def test_what_nobody_would_read_is_refused_before_the_work(
    argv, says, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text("[backtest]\ncost_bps = 5.0\nresamples = 20\n")
    assert call(*argv) == 2
    said = capsys.readouterr()
    assert says in said.err.replace("\n", " ") and said.out == ""


@pytest.mark.slow
def test_a_backtest_is_shown_by_year_and_kept(files, cheap, tmp_path, capsys):
    argv = ["--method", "sic", "--cut", toy.CUT, "--trade", DATA.trade]
    target, ledger = tmp_path / "run", tmp_path / "ledger.jsonl"
    argv += ["--ledger", str(ledger), "--json", str(tmp_path / "x.json"), "--out", str(target)]
    assert call("backtest", *argv, *files) == 0
    said = capsys.readouterr().out
    assert "by year" in said and "2015" in said and "left out" in said
    kept = Result.load(target)
    content = json.loads((tmp_path / "x.json").read_text())
    for name in ("returns", "trades", "excluded_pairs", "trading_years"):
        assert len(content[name]) == len(kept.tables[name])
        assert len(pd.read_parquet(target / f"{name}.parquet")) == len(content[name])
    assert len(kept.tables["trades"]) and set(kept.tables["trading_years"]["year"]) == {2015, 2016}


def test_a_benchmark_is_shown_with_sizes_and_periods_and_kept(files, cheap, tmp_path, capsys):
    argv = ["--methods", "sic,random", "-k", "3", "--cut", toy.CUT, "--out", str(tmp_path / "run")]
    argv += ["--json", str(tmp_path / "x.json")]
    assert call("benchmark", *argv, *files) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Sizes of clusters" in said and "contemporaneous" in said and "first 12 months" in said
    kept = Result.load(tmp_path / "run")
    content = json.loads((tmp_path / "x.json").read_text())
    assert len(content["cluster_sizes"]) == len(kept.tables["cluster_sizes"]) > 0
    assert len(content["periods"]) == len(kept.tables["periods"]) > 0
    (tmp_path / "file").write_text("")
    assert call("benchmark", *argv[:-2], "--out", str(tmp_path / "file"), *files) == 2
    assert "is a file: name a folder" in capsys.readouterr().err


def test_sizes_of_clusters_count_those_without_a_label():
    labels = ["a", "a", "a", "b", "b", "c", None]
    table = pd.DataFrame({"clusterer": "mine", "ticker": list("ABCDEFG"), "label": labels})
    *_, row = written(shown.cluster_sizes(table))
    assert row == ["mine", "4", "1", "1.5", "3", "2", "(29", "%)"]


def test_a_name_that_several_features_have_is_told_once():
    features = [{"label": "oil"}, {"label": "oil"}, {"label": "gas wells"}]
    row = {"ticker": "ACM", "similarity": 0.5, "features": features}
    *_, line = written(shown.peers("Peers", [row], {"ACM": "Acme"}))
    assert line == ["ACM", "Acme", "0.500", "oil;", "gas", "wells"]


def test_years_and_pairs_left_out_are_told_in_few_words():
    figures = {"year": [2015, 2016, 2016], "return_net": [0.0123, -0.00001, 0.0]}
    rows = {"method": ["sic", "sic", "tfidf"], **figures, "sharpe_net": [0.5, -0.25, None]}
    *_, sic, tfidf = written(shown.years(pd.DataFrame(rows)))
    assert sic == ["SIC", "1.23", "(0.50)", "0.00", "(-0.25)"] and tfidf == ["TF-IDF", "0.00"]
    pairs = pd.DataFrame({"a": list("ABC"), "b": list("XYZ"), "reason": ["cik", "text", "cik"]})
    line = shown.excluded_pairs(pairs, 2)
    assert line.startswith("3 pairs of one issuer") and "(cik 2, text 1): A X, B Y, ..." in line
    assert "No pairs" in shown.excluded_pairs(pairs.iloc[:0])
