import json
import sys

import pandas as pd
import pytest
import toy

from finsae import cli
from finsae.console import paired_table


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A user's own files and a features folder made from them."""
    folder = tmp_path_factory.mktemp("files")
    universe = toy.universe(per_industry=6)
    universe.companies.reset_index().to_csv(folder / "companies.csv", index=False)
    universe.prices.to_parquet(folder / "prices.parquet")
    argv = ["--companies", str(folder / "companies.csv"), "--model", "tfidf"]
    assert call("build-features", *argv, "--out", str(folder / "features")) == 0
    return folder


def call(*argv):
    """Run the command in this process and return its exit code."""
    before, sys.argv = sys.argv, ["finsae", *argv]
    try:
        cli.main()
    except SystemExit as stop:
        return stop.code or 0
    finally:
        sys.argv = before
    return 0


def test_ctrl_c_says_that_what_is_finished_is_kept(monkeypatch, capsys):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("finsae.pipeline.load_features", stopped)
    assert call("peers", "T0A") == 130
    assert "interrupted; finished parts are kept" in capsys.readouterr().err


def test_differences_of_baselines_are_shown_where_nothing_else_is_compared():
    row = {"metric": "peer_r2", "value": 0.1, "low": 0.0, "high": 0.2}
    scores = pd.DataFrame([{**row, "method": "tfidf", "versus": "sic"}])
    assert paired_table(scores, ["peer_r2"]).row_count == 1
    both = pd.concat([scores, scores.assign(method="sae")])
    assert list(paired_table(both, ["peer_r2"]).columns[0].cells) == ["SAE"]


def test_peers_as_json(files, capsys):
    assert call("peers", "T0A", "--features", str(files / "features"), "-k", "3", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ticker"] == "T0A" and len(found["peers"]) == 3
    assert {"ticker", "similarity", "features"} == set(found["peers"][0])
    assert {"id", "label", "contribution"} <= set(found["peers"][0]["features"][0])


def test_peers_of_all_go_to_a_file(files, capsys):
    target = files / "peers.csv"
    features = str(files / "features")
    assert call("peers", "--all", "--features", features, "-k", "2", "--out", str(target)) == 0
    table = pd.read_csv(target)
    assert list(table.columns) == ["ticker", "rank", "peer", "similarity"]
    assert len(table) == 60


def test_explain_as_json_sums_to_the_similarity(files, capsys):
    assert call("explain", "T0A", "T0B", "--features", str(files / "features"), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    total = sum(feature["contribution"] for feature in found["features"])
    assert total == pytest.approx(found["similarity"], abs=1e-6)
    assert set(found["features"][0]["evidence"]) == {"a", "b"}


def test_tables_for_people(files, capsys):
    features = ["--features", str(files / "features")]
    assert call("peers", "T0A", *features) == 0
    assert call("explain", "T0A", "T0B", *features) == 0
    shown = capsys.readouterr().out
    assert "because of" in shown and "[[" in shown
    assert "shared features carry" in shown and "have it" in shown
    assert "\x1b" not in shown  # a pipe gets plain text


@pytest.mark.slow
def test_benchmark_writes_the_agreed_json(files, capsys):
    target = files / "scores.json"
    argv = ["--features", str(files / "features"), "--prices", str(files / "prices.parquet")]
    labels = files / "mine.csv"
    pd.DataFrame({"ticker": [f"T0{c}" for c in "ABCDEF"], "label": [1, 1, 1, 2, 2, 2]}).to_csv(
        labels, index=False
    )
    argv += ["--cut", toy.CUT, "-k", "3", "--clusters", str(labels), "--json", str(target)]
    assert call("benchmark", *argv) == 0
    content = json.loads(target.read_text())
    assert set(content) == {"scores", "periods", "cluster_sizes", "provenance"}
    columns = {"method", "metric", "value", "low", "high", "n", "interval", "versus"}
    assert all(set(row) == columns for row in content["scores"])
    assert "mine" in {row["method"] for row in content["scores"]}
    assert "Peer correlation" in capsys.readouterr().out


def test_backtest_adds_returns_and_trades(files):
    target = files / "backtest.json"
    argv = ["--features", str(files / "features"), "--prices", str(files / "prices.parquet")]
    argv += ["--formation", "2013-01-01:2014-12-31", "--trade", "2015-01-01:2017-12-29"]
    assert call("backtest", "--method", "sic", *argv, "--json", str(target)) == 0
    content = json.loads(target.read_text())
    tables = {"returns", "trades", "excluded_pairs", "trading_years", "exposures"}
    assert set(content) == {"scores", "provenance", *tables}
    assert content["trades"] and {"date", "net"} <= set(content["returns"][0])


def test_a_file_of_settings_applies_and_the_command_line_wins(files, capsys):
    settings = files / "mine.toml"
    settings.write_text(
        "seed = 3\n[data]\nformation = '2013-01-01:2014-12-31'\ntrade = '2015-01-01:2015-12-31'\n"
        "[backtest]\ncandidates = 30\npairs = 6\ndraws = 2\nplacebo = 2\nresamples = 10\n"
        "cost_bps = 20\nborrow_bps = 0\nmax_days = 7\nper_share = 0.01\n"
    )
    target, ledger = files / "configured.json", files / "ledger.jsonl"
    argv = ["--features", str(files / "features"), "--prices", str(files / "prices.parquet")]
    argv += ["--config", str(settings), "--cost-bps", "10", "--ledger", str(ledger)]
    closes = pd.read_parquet(files / "prices.parquet")
    closes.pct_change().iloc[1:, :2].to_csv(files / "factors.csv")
    (closes * 0 + 1e4).to_parquet(files / "volume.parquet")
    argv += ["--factors", str(files / "factors.csv"), "--volume", str(files / "volume.parquet")]
    assert call("backtest", "--method", "sic", *argv, "--json", str(target)) == 0
    content = json.loads(target.read_text())
    assert max(trade["days"] for trade in content["trades"]) == 7  # config alone
    shown = capsys.readouterr().out
    assert "Alpha a year, %" in shown and "Beta" in shown and "Capacity, millions" in shown
    assert "Exposure to the factors" in shown and closes.columns[1] in shown
    assert {row["factor"] for row in content["exposures"]} == {
        "alpha",
        "market",
        *closes.columns[:2],
    }
    noted = json.loads(ledger.read_text())["settings"]
    assert (noted["cost_bps"], noted["borrow_bps"], noted["seed"]) == (10.0, 0.0, 3)
    assert noted["per_share"] == 0.01 and noted["trade"] == "2015-01-01:2015-12-31"
    settings.write_text("[backtest]\nmax_day = 7\n")
    assert call("backtest", *argv) == 2
    assert 'unknown key "max_day"; did you mean "max_days"' in capsys.readouterr().err


def test_a_selector_that_leaves_nothing_says_so_in_one_line(files, capsys):
    argv = ["--features", str(files / "features"), "--prices", str(files / "prices.parquet")]
    argv += ["--formation", "2013-01-01:2014-12-31", "--trade", "2015-01-01:2015-06-30"]
    assert call("backtest", "--method", "words", "--selector", "fdr", *argv) == 0
    shown = capsys.readouterr()
    (line,) = [line for line in shown.err.splitlines() if line.startswith("words: the selector")]
    assert "left no pair to trade in" in line and "q <= 0.1 (lowest" in line
    assert "dependence)" in shown.out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["peers", "T0AA"], 'did you mean "T0A"'),
        (["peers"], "name a ticker"),
        (["explain", "T0A", "T9Z"], 'unknown ticker "T9Z"'),
        (["explain", "T0A"], "name two tickers, or a cluster"),
        (["explain", "T0A", "T0B", "--cluster", "1"], "name two tickers, or a cluster"),
        (["explain", "--cluster", "1", "--without", "3"], "go with a pair"),
        (["explain", "T0A", "T0B", "--without", "-1"], "no feature -1"),
        (["explain", "--cluster", "T9Z"], 'no cluster or company "T9Z"'),
        (["search", "welss"], 'did you mean "wells"'),
        (["search", "x"], "holds no word"),
        (["peers", "T0A", "--basket", "T0B"], "one of them"),
        (["peers", "T0A", "--weights", "1"], "name one"),
        (["peers", "--basket", "T0A,T0B", "--weights", "1,x"], "no list of numbers"),
        (["peers", "--basket", "T0A,T0B", "--weights", "1"], "as many positive weights"),
        (["peers", "--all", "--on", "oil"], "go with a ticker"),
        (["peers", "T0A", "--on", "oil", "--without", "1"], "one at a time"),
        (["peers", "T4A", "--on", "wafers"], "text has none"),
        (["associations", "99999"], "no feature 99999"),
        (["difference", "T0A", "T0A"], "in both groups"),
        (["difference", ".", "T0A"], "name two folders"),
        (["difference", "", "T0A"], "a group is empty"),
        (["difference", " , ", "T0A"], "a group is empty"),
        (["backtest", "--method", "sci"], 'did you mean "sic"'),
        (["report", "--format", "pdff"], 'did you mean "pdf"'),
        (["report", "--format", "htm"], 'did you mean "html"'),
        (["report", "--run", "nowhere"], 'no run in "nowhere"'),
        (["build-features", "--companies", "nowhere.csv"], "nowhere.csv"),
        (["build-features", "--model", "tfidf", "--pool", "summ"], ""),
        (["benchmark", "--features", "nowhere"], 'no folder "nowhere"'),
        (["benchmark", "--prices", "nowhere.csv"], "whose prices"),
        (["demo", "--config", "demos"], 'did you mean "demo"'),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(files, capsys, monkeypatch, tmp_path, argv, message):
    monkeypatch.chdir(tmp_path)
    if argv[0] in {"peers", "explain", "search", "associations"} or argv[-1] == "T0A":
        argv = [*argv, "--features", str(files / "features")]
    if "summ" in argv:
        argv, message = [*argv[:1], "--pool", "summ"], "did you mean"
    assert call(*argv) == 2
    shown = capsys.readouterr()
    assert message in shown.err.replace("\n", " ")
    assert "Traceback" not in shown.err and shown.out == ""


def test_prices_of_other_companies_are_no_prices(files, capsys):
    table = pd.read_parquet(files / "prices.parquet")
    table.rename(columns=lambda ticker: f"Z{ticker}").to_parquet(files / "other.parquet")
    argv = ["--features", str(files / "features"), "--prices", str(files / "other.parquet")]
    assert call("benchmark", *argv, "--cut", toy.CUT) == 2
    assert "no prices of any company" in capsys.readouterr().err
    assert call("benchmark", "--companies", str(files / "companies.csv"), "--cut", toy.CUT) == 2
    assert "give --prices" in capsys.readouterr().err


def test_features_of_the_users_own_need_prices(files, capsys):
    assert call("benchmark", "--features", str(files / "features")) == 2
    assert "give --prices" in capsys.readouterr().err


def test_an_unknown_option_is_answered_by_the_parser(capsys):
    assert call("peers", "--kk", "3") == 2


def test_help_and_version_read_well(capsys):
    assert call("--version") == 0
    assert call("--help") == 0
    shown = capsys.readouterr().out
    for command in ("demo", "build-features", "train-sae", "peers", "explain", "benchmark"):
        assert command in shown


@pytest.mark.parametrize(
    "argv",
    [
        ["benchmark", "--json"],
        ["backtest", "--json"],
        ["peers", "--all", "--out"],
        ["demo", "--out"],
        ["build-features", "--out"],
        ["train-sae", "--out"],
        ["benchmark", "--out"],
        ["backtest", "--out"],
        ["backtest", "--ledger"],
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_work(argv, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for wrong, says in ((str(tmp_path / "file" / "x"), "cannot write"), (" ", "is empty")):
        assert call(*argv, wrong) == 2
        assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        ["benchmark", "--seed", "-1"],
        ["backtest", "--cost-bps", "inf"],
        ["train-sae", "--max-texts", "-5"],
        ["train-sae", "--architecture", "topkk"],
        ["train-sae", "--model", "tfidf"],
        ["build-features", "--model", "tfdif"],
    ],
)
def test_impossible_numbers_and_names_are_answered_at_once(argv, capsys):
    assert call(*argv) == 2
    assert capsys.readouterr().err


def test_peers_of_all_as_json(files, capsys):
    assert call("peers", "--all", "--json", "-k", "2", "--features", str(files / "features")) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0].keys() == {"ticker", "rank", "peer", "similarity"}


def test_a_pair_is_shown_in_colour_on_a_terminal(files, capsys, monkeypatch):
    from io import StringIO

    from rich.console import Console

    from finsae.cli import companies

    screen = Console(file=StringIO(), force_terminal=True, width=200)
    monkeypatch.setattr(companies, "out", screen)
    features = ["--features", str(files / "features")]
    assert call("explain", "T0A", "T0B", *features) == 0
    shown = screen.file.getvalue()
    assert "[[" not in shown and "\x1b[1;30;43m" in shown  # bold black on yellow


def test_a_page_of_a_pair(files, capsys):
    target = files / "pair.html"
    features = ["--features", str(files / "features")]
    argv = ["explain", "T0A", "T0B", *features, "--without", "1", "--html", str(target)]
    assert call(*argv) == 0
    page = target.read_text()
    assert (
        "<mark>" in page and "[[" not in page and "http://" not in page and "https://" not in page
    )
    assert "Why T0A and T0B are alike" in page and "Toy 0 A Inc." in page
    assert "Peers of T0A before" in page


def test_a_cluster_is_explained_by_ticker_and_by_label(files, capsys):
    features = ["--features", str(files / "features")]
    assert call("explain", "--cluster", "T0A", *features, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert "T0A" in found["members"] and found["features"][0]["low"] > 0
    labels = files / "labels.csv"
    labels.write_text("ticker,label\nT0A,drillers\nT0B,drillers\nT1A,drugs\n")
    argv = ["explain", "--cluster", "drillers", "--clusters", str(labels), *features]
    assert call(*argv) == 0
    shown = capsys.readouterr().out
    assert "Cluster drillers" in shown and "Nearest outside" in shown and "log-odds" in shown


def test_questions_of_words(files, capsys):
    features = ["--features", str(files / "features")]
    assert call("search", "offshore welss", *features, "-k", "3") == 0
    shown = capsys.readouterr().out
    assert "T0" in shown and 'nearest they have is "wells"' in shown
    assert call("search", "offshore wells", *features, "--json") == 0
    assert json.loads(capsys.readouterr().out)["companies"][0]["ticker"].startswith("T0")
    assert call("peers", "T0A", "--on", "offshore wells", *features) == 0
    assert "T0A has 2 of the 2 features of this axis" in capsys.readouterr().out.replace("\n", " ")
    assert call("peers", "--basket", "T0A,T0B", "--weights", "2,1", *features) == 0
    assert "by member" in capsys.readouterr().out
    assert call("peers", "T0A", "--without", "1", "--without", "2", *features) == 0
    assert call("associations", *features, "--top", "3") == 0
    assert call("associations", "5", *features, "--min-companies", "1", "--json") == 0
    assert capsys.readouterr().out


def test_groups_and_years_are_told_apart(files, capsys):
    features = ["--features", str(files / "features")]
    assert call("difference", "T0A,T0B,T0C", "T1A,T1B,T1C", *features, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"inside", "outside", "low", "high", "q"} <= rows[0].keys()
    later = files / "later"
    table = pd.read_csv(files / "companies.csv")
    table["description"] = table["description"].str.replace("offshore", "onshore")
    table.to_csv(files / "later.csv", index=False)
    argv = ["--companies", str(files / "later.csv"), "--model", "tfidf", "--out", str(later)]
    assert call("build-features", *argv) == 0
    capsys.readouterr()
    assert call("difference", str(files / "features"), str(later)) == 0
    shown = capsys.readouterr().out
    assert "onshore" in shown and "offshore" in shown and "gained" in shown
