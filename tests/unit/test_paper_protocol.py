"""The paper's protocol on tables small enough to be worked out by hand."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from test_cli import call

from finsae.benchmark.paper import complete_years, score_as_published
from finsae.checks import DataError
from finsae.pipeline.published import score_cluster_files
from finsae.sources import read_clusters

# Twelve months whose correlations are known: of A with itself 1, with its negative -1, with D 0,
# and of A + D with either 1 / sqrt(2).
A = np.array([1.0, -1] * 6) / 100
D = np.array([1.0, 1, -1, -1] * 3) / 100
R = 1 / math.sqrt(2)


def year(number, **columns):
    months = pd.date_range(f"{number}-01-31", periods=12, freq="ME", name="month")
    return pd.DataFrame(columns, index=months)


def clusters(number, **labels):
    return pd.DataFrame(
        {"year": number, "company": list(labels), "cluster": list(labels.values())}, dtype=object
    ).astype({"year": int})


FIRST = year(2001, a=A, b=2 * A + 0.3, c=D, d=A + D, e=-A, f=D / 10)
FIRST_CLUSTERS = clusters(2001, a="x", b="x", c="y", d="y", e="y", f=None)
# {a, b}: 1.   {c, d, e}: cd R, ce 0, de -R, mean 0.   f alone.
# All 15 pairs: ab 1, ad R, ae -1, bd R, be -1, cd R, cf 1, de -R, df R, the others 0: 3 R.
FIRST_SCORES = {
    "mc": (1 + 0) / 2,
    "pair_weighted": (1 + R + 0 - R) / 4,
    "coverage": 5 / 6,
    "population": 3 * R / 15,
    # a 1, b 1, c (R + 0) / 2, d (R - R) / 2, e (0 - R) / 2, f the population
    "coverage_adjusted": (1 + 1 + R / 2 + 0 - R / 2 + 3 * R / 15) / 6,
}

# b misses June; e never moves.
SECOND = year(2002, a=A, b=A, c=A, d=-A, e=0 * A, f=D)
SECOND.loc["2002-06-30", "b"] = np.nan
SECOND_CLUSTERS = clusters(2002, a="1", b="1", c="1", d="2", e="2", f="3")
# {a, b, c}: only ac is observed, 1.   {d, e}: nothing is.   f alone. ab, bc and de are skipped.
# Companies with twelve returns a, c, d, e, f; pairs with a correlation ac 1, ad -1, cd -1, af, cf,
# df 0: mean -1/6. d, e and f have nobody and count as that.
SECOND_SCORES = {
    "mc": 1.0,
    "pair_weighted": 1.0,
    "coverage": 2 / 5,
    "population": -1 / 6,
    "coverage_adjusted": (1 + 1 - 3 / 6) / 5,
}


def by_metric(scores, method="mine"):
    rows = scores[(scores["method"] == method) & (scores["versus"] == "")]
    return rows.set_index("metric")


def test_a_year_worked_out_by_hand():
    scores, by_year = score_as_published({"mine": FIRST_CLUSTERS}, FIRST, resamples=50)
    values = by_metric(scores)["value"]
    assert values.to_dict() == pytest.approx(FIRST_SCORES)
    counted = by_year.iloc[0]
    assert counted[["clusters", "companies", "pairs", "all_pairs"]].tolist() == [2, 6, 4, 15]
    assert counted[["skipped_pairs", "without_returns"]].tolist() == [0, 0]
    assert set(scores["interval"]) == {"cluster"}


def test_missing_correlations_are_skipped_and_counted():
    scores, by_year = score_as_published(
        {"mine": pd.concat([SECOND_CLUSTERS, FIRST_CLUSTERS])}, pd.concat([FIRST, SECOND])
    )
    second = by_year[by_year["year"] == 2002].iloc[0]
    assert second[list(SECOND_SCORES)].to_dict() == pytest.approx(SECOND_SCORES)
    assert second[["clusters", "companies", "pairs", "all_pairs"]].tolist() == [1, 5, 1, 6]
    assert second[["skipped_pairs", "without_returns"]].tolist() == [3, 1]
    both = by_metric(scores)
    for metric, value in FIRST_SCORES.items():
        assert both.at[metric, "value"] == pytest.approx((value + SECOND_SCORES[metric]) / 2)
    assert both["n"].to_dict() == {
        "mc": 3,
        "pair_weighted": 5,
        "coverage_adjusted": 11,
        "coverage": 11,
        "population": 21,
    }
    assert set(scores["interval"]) == {"year and cluster"}


def test_every_row_has_an_interval_around_its_value():
    tables = {
        "mine": pd.concat([FIRST_CLUSTERS, SECOND_CLUSTERS]),
        "theirs": clusters(2001, a="p", b="q", c="p", d="q", e="q", f="p"),
    }
    scores, _ = score_as_published(tables, pd.concat([FIRST, SECOND]), resamples=300)
    assert np.isfinite(scores[["value", "low", "high"]]).all(axis=None)
    assert (scores["low"] <= scores["value"] + 1e-9).all()
    assert (scores["high"] >= scores["value"] - 1e-9).all()
    assert not scores.duplicated(["method", "metric", "versus"]).any()
    # a and c, d, f: ac 0, af 0, cf 1; bd R, be -1, de -R.
    assert by_metric(scores, "theirs").at["mc", "value"] == pytest.approx((1 / 3 - 1 / 3) / 2)
    paired = scores[(scores["versus"] == "theirs") & (scores["metric"] == "mc")].iloc[0]
    assert paired["value"] == pytest.approx(FIRST_SCORES["mc"])  # the one year that both have
    lift = scores[(scores["versus"] == "population") & (scores["method"] == "mine")]
    assert lift.set_index("metric").at["mc", "value"] == pytest.approx(
        (FIRST_SCORES["mc"] - R / 5 + SECOND_SCORES["mc"] + 1 / 6) / 2
    )


def test_companies_are_those_that_any_clustering_names():
    few = clusters(2001, a="x", b="x", c="y", d="y")
    alone, _ = score_as_published({"few": few, "all": FIRST_CLUSTERS}, FIRST, resamples=20)
    assert by_metric(alone, "few").at["coverage", "value"] == pytest.approx(4 / 6)


def test_one_cluster_in_one_year_has_no_interval_and_is_refused():
    with pytest.raises(DataError, match="an interval needs two clusters, or two years"):
        score_as_published({"few": clusters(2001, a="x", b="x", c=None)}, FIRST)


def test_complete_years_only():
    months = pd.concat([FIRST.iloc[3:], SECOND])
    assert complete_years(months) == [2002]
    with pytest.raises(DataError, match=r"no year of \"mine\" \(2001 to 2001\) has twelve"):
        score_as_published({"mine": FIRST_CLUSTERS}, months)


@pytest.fixture
def files(tmp_path):
    """Daily closes whose month ends are those of the first two years, and the cluster file."""
    months = pd.concat([FIRST, SECOND.fillna(0)]) + 0.005  # a close that stands still is stale
    ends = pd.date_range("2000-12-01", "2002-12-31", freq="BME", name="date")
    logs = pd.DataFrame(0.0, index=ends, columns=months.columns)
    logs.iloc[1:] = months.cumsum()
    days = pd.bdate_range("2000-12-20", "2002-12-31", name="date")
    closes = 50 * np.exp(logs.reindex(days.union(ends)).interpolate("time").bfill())
    closes.to_csv(tmp_path / "prices.csv")
    table = pd.concat([FIRST_CLUSTERS, clusters(2002, a="1", c="1", d="2", f="2")])
    table.to_csv(tmp_path / "mine.csv", index=False)
    return tmp_path


def test_the_command_on_files(files, capsys):
    argv = ["benchmark", "--protocol", "paper", "--prices", str(files / "prices.csv")]
    target = files / "scores.json"
    assert call(*argv, "--clusters", str(files / "mine.csv"), "--json", str(target)) == 0
    shown = capsys.readouterr()
    assert "contemporaneous: clusters of year y are scored on returns of year y" in shown.out
    assert "2 (2001-2002)" in shown.out and "mine minus all pairs" in shown.out
    content = json.loads(target.read_text())
    assert content["provenance"]["contemporaneous"] is True
    found = {row["metric"]: row["value"] for row in content["scores"] if not row["versus"]}
    # 2002: {a, c} 1 and {d, f} 0
    assert found["mc"] == pytest.approx((FIRST_SCORES["mc"] + 0.5) / 2)
    assert found["population"] == pytest.approx((3 * R / 15 - 1 / 6) / 2)


def test_what_has_no_prices_is_left_out_by_name(files, capsys):
    table = pd.read_csv(files / "mine.csv")
    more = pd.DataFrame({"year": [2001, 1999], "company": ["zz", "a"], "cluster": ["x", "x"]})
    pd.concat([table, more]).to_csv(files / "more.csv", index=False)
    argv = ["benchmark", "--protocol", "paper", "--prices", str(files / "prices.csv")]
    assert call(*argv, "--clusters", str(files / "more.csv")) == 0
    shown = capsys.readouterr().err
    assert "1 companies have no prices and are left out: zz" in shown
    assert "years without twelve monthly returns are left out: 1999" in shown
    result = score_cluster_files([files / "more.csv"], prices=files / "prices.csv", resamples=10)
    first = result.tables["by_year"].iloc[0]
    assert first[["pairs", "skipped_pairs", "without_returns"]].tolist() == [4, 2, 1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("year,ticker\n2001,a\n", 'no column "cluster"'),
        ("company,cluster\na,x\n", 'no column "year"'),
        ("year,company,cluster\nsoon,a,x\n", 'what is in column year is no year: "soon"'),
        ("year,company,cluster\n2001,a,x\n2001,a,y\n", "in two clusters in a year: a in 2001"),
        ("year,company,cluster\n2001,aa,x\n2001,bb,x\n", 'that has prices, "aa"; did you mean "a"'),
        ("year,company,cluster\n1990,a,x\n1990,b,x\n", "has twelve monthly returns"),
    ],
)
def test_a_wrong_file_is_answered_in_one_line(files, capsys, text, says):
    (files / "wrong.csv").write_text(text)
    argv = ["benchmark", "--protocol", "paper", "--prices", str(files / "prices.csv")]
    assert call(*argv, "--clusters", str(files / "wrong.csv")) == 2
    shown = capsys.readouterr().err
    assert says in shown and shown.count("\n") == 1


def test_options_that_the_protocol_does_not_read_are_refused(files, capsys):
    argv = ["benchmark", "--protocol", "paper", "--clusters", str(files / "mine.csv")]
    assert call(*argv, "--cut", "2001-12-31") == 2
    assert "--cut: not read with --protocol paper" in capsys.readouterr().err
    assert call("benchmark", "--protocol", "paper") == 2
    assert "give --clusters FILE" in capsys.readouterr().err


def test_other_names_of_the_columns(tmp_path):
    (tmp_path / "c.csv").write_text("Year,Ticker,Label\n2001,A,\n2001.0,B,3\n")
    table = read_clusters(tmp_path / "c.csv")
    assert table["year"].tolist() == [2001, 2001]
    assert table["company"].tolist() == ["A", "B"] and table["cluster"].tolist() == [None, "3"]
