"""Figures hold the tables' numbers, and words for who cannot see them."""

import numpy as np
import pandas as pd
import pytest
from report_run import make_run

from finsae import plots
from finsae.plots.style import COLOURS, OKABE_ITO
from finsae.result import Result


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return Result.load(make_run(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def scores(result):
    return result.scores[result.scores["metric"] == "peer_correlation"]


@pytest.fixture(scope="module")
def figures(result, scores):
    tables = result.tables
    return [
        plots.leaderboard(scores[scores["versus"] == ""], axis="peer correlation (no unit)"),
        plots.paired_differences(scores[scores["versus"] != ""], axis="difference (no unit)"),
        plots.by_year(tables["by_year"]),
        plots.company_map(tables["companies"], tables["features"]),
        plots.heat_map(tables["heat"], column="similarity"),
        plots.heat_map(tables["heat"], column="correlation"),
        plots.equity(tables["returns"]),
        plots.contributions(tables["explained"]),
    ]


def test_every_figure_has_title_axes_reading_and_alternative_text(figures):
    for figure in figures:
        layout = figure.layout
        assert len(layout.title.text) > 20
        assert " = " in layout.meta["reading"].replace("\u00a0", " ")  # the n
        assert len(layout.meta["alt"]) > 40
        titles = [axis.title.text for axis in (*figure.select_xaxes(), *figure.select_yaxes())]
        assert (any(titles) and len(set(titles)) > 1) or titles[0]


def test_leaderboard_draws_the_intervals_in_the_house_order(scores):
    levels = scores[scores["versus"] == ""]
    points = plots.leaderboard(levels.sample(frac=1, random_state=1), axis="x").data[0]
    assert list(points.y[::-1])[:3] == ["SAE", "SIC", "Major group"]
    drawn = levels.set_index("method").loc["sae"]
    assert points.x[-1] == drawn["value"]
    assert points.x[-1] - points.error_x.arrayminus[-1] == pytest.approx(drawn["low"])
    assert points.x[-1] + points.error_x.array[-1] == pytest.approx(drawn["high"])


def test_only_separated_differences_are_filled(scores):
    paired = scores[scores["versus"] != ""]
    points = plots.paired_differences(paired, axis="x").data[0]
    symbols = dict(zip(points.y, points.marker.symbol, strict=True))
    assert symbols["SAE minus SIC"] == "circle"
    assert symbols["SAE minus TF-IDF"] == "circle-open"


def test_map_shows_every_company_once_and_names_stay_text(result):
    figure = plots.company_map(result.tables["companies"], result.tables["features"])
    drawn = [ticker for trace in figure.data[:-1] for ticker in trace.customdata]
    assert sorted(drawn) == sorted(result.tables["companies"]["ticker"])
    assert figure.data[-1].name == "found"
    hovers = " ".join(text for trace in figure.data[:-1] for text in trace.text)
    assert "&lt;script&gt;" in hovers and "<script" not in hovers
    assert "banks, deposits" in hovers


def test_map_colours_the_largest_groups_of_either_kind(result):
    companies = result.tables["companies"].assign(industry=lambda frame: frame["sic"])
    by_industry = plots.company_map(companies, by="industry")
    assert sorted(trace.name for trace in by_industry.data[1:-1])[0] == "1381 (12)"
    named = plots.company_map(companies, names={0: "banks"}, by="cluster")
    assert [trace.name for trace in named.data] == ["others (48)", "banks (12)", "found"]
    assert "in no cluster" in named.data[0].text[0]


def test_heat_maps_share_their_order_and_hide_the_diagonal(result):
    one, two = (
        plots.heat_map(result.tables["heat"], column=column).data[0]
        for column in ("similarity", "correlation")
    )
    assert list(one.x) == list(two.x) == list(one.y)
    assert np.isnan(np.diag(one.z)).all()
    row = result.tables["heat"].iloc[0]
    place = list(one.x).index(row["a"]), list(one.x).index(row["b"])
    assert one.z[place] == pytest.approx(row["similarity"])
    assert two.z[place] == two.z[place[::-1]] == pytest.approx(row["correlation"])


def test_equity_sums_returns_and_averages_draws():
    days = pd.bdate_range("2014-01-01", periods=3)
    returns = pd.concat(
        [
            pd.DataFrame({"method": "sic", "draw": 0, "date": days, "net": [0.02, -0.04, 0.01]}),
            pd.DataFrame({"method": "sic", "draw": 1, "date": days, "net": [0.00, 0.00, 0.01]}),
        ]
    )
    curve, fall = plots.equity(returns, notes={"sic": "0.1 [-1, 1]"}).data
    assert curve.y.tolist() == pytest.approx([1.0, -1.0, 0.0])
    assert fall.y.tolist() == pytest.approx([0.0, -2.0, -1.0])
    assert curve.name == "SIC 0.1 [-1, 1]"


def test_contributions_say_what_they_sum_to(result):
    figure = plots.contributions(result.tables["explained"])
    assert sum(figure.data[0].x) == pytest.approx(0.57)
    words = "The similarity is 0.680: these features add 0.570, all others, each smaller, 0.110."
    assert figure.layout.meta["reading"].startswith(words)
    labels = [note.text for note in figure.layout.annotations]
    assert labels[-1] == "deposits, &lt;b&gt;branches&lt;/b&gt; #7"


def test_methods_have_colours_of_their_own_from_the_safe_palette():
    assert len(set(COLOURS.values())) == len(COLOURS)
    assert set(COLOURS.values()) - set(OKABE_ITO) == {COLOURS["random"], COLOURS["sae-group"]}


@pytest.mark.parametrize("members", [1, 2])
def test_a_heat_map_of_a_lone_or_uncorrelated_company_says_so(members):
    names = ["A", "B"][:members]
    heat = pd.DataFrame(
        [(a, b, 0.5, np.nan) for a in names for b in names],
        columns=["a", "b", "similarity", "correlation"],
    )
    for column in ("similarity", "correlation"):
        figure = plots.heat_map(heat, column=column)
        assert "nan" not in figure.layout.meta["reading"] + figure.layout.meta["alt"]
