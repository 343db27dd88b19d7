"""Figures hold the tables' numbers, drawn the same on screen and on paper, and their words."""

from base64 import b64decode
from html import unescape

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.dates import num2date
from report_run import make_run
from test_plots_spread import START, TRADES, Z

from finsae import plots
from finsae.plots.style import COLOURS, OKABE_ITO
from finsae.result import Result


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return Result.load(make_run(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def scores(result):
    return result.scores[result.scores["metric"] == "peer_correlation"]


HEALTH = pd.DataFrame({"layer": [2, 1], "fvu": [0.2, 0.1], "tokens": [1000, 1000]})
DENSITY = pd.DataFrame(
    {
        "text": ["training"] * 3 + ["these"] * 3,
        "density": ["never", "under 0.1", "0.1 to 1"] * 2,
        "latents": [4, 10, 2, 6, 9, 1],
    }
)


@pytest.fixture(scope="module")
def figures(result, scores):
    tables = result.tables
    returns = tables["returns"]
    return {
        "leaderboard": plots.leaderboard(scores[scores["versus"] == ""], axis="correlation (1)"),
        "differences": plots.paired_differences(scores[scores["versus"] != ""][:9], axis="x (1)"),
        "by_year": plots.by_year(tables["by_year"]),
        "walk": plots.walk(tables["steps"]),
        "map": plots.company_map(tables["companies"], tables["features"]),
        "similarity": plots.heat_map(tables["heat"], column="similarity"),
        "correlation": plots.heat_map(tables["heat"], column="correlation"),
        "contributions": plots.contributions(tables["explained"].iloc[:5]),
        "equity": plots.equity(returns),
        "costs": plots.cost_levels(returns, method="sae"),
        "rolling": plots.rolling_sharpe(returns, method="sae"),
        "monthly": plots.monthly_returns(returns, method="sic"),
        "exposure": plots.exposure(returns, method="sae"),
        "trades": plots.trades(tables["trades"], method="sae"),
        "density": plots.density(DENSITY),
        "layers": plots.layers(HEALTH),
        "distances": plots.layer_distances(
            [[0, 0.1, 0.3], [0.1, 0, 0.2], [0.3, 0.2, 0]], layers=[1, 2, 3], tokens=900, theta=0.2
        ),
        "spread": plots.spread(Z, TRADES, pair=("AAA", "BBB"), start=START),
    }


NAMES = ["leaderboard", "differences", "by_year", "walk", "map", "similarity", "correlation",
         "contributions", "equity", "costs", "rolling", "monthly", "exposure", "trades", "density",
         "layers", "distances", "spread"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_title_axes_reading_and_alternative_text(figures, name):
    figure = figures[name]
    assert len(figure.title) > 20
    assert " = " in figure.reading  # the n
    assert len(figure.alt) > 40 and figure.alt.startswith(figure.title)
    for panel in figure.panels:
        assert panel.x.title
        assert panel.y.title or panel.y.names
        for axis in (panel.x, panel.y):
            unit = any(sign in axis.title for sign in ("(", "%", "points", "days"))
            assert unit or axis.kind != "number" or axis.bare, axis.title


def number(value, axis_names):
    """A place on an axis as a number, whatever a library keeps it as."""
    if axis_names:
        return float(axis_names.index(unescape(str(value)).replace("<br>", " ")))
    if isinstance(value, str):
        return pd.Timestamp(value).timestamp() / 86400
    return float(value)


def on_screen(figure):
    """Every mark that plotly draws: panel, kind, x, y, value; sorted."""
    marks, drawn = [], figure.plotly()
    for trace in drawn.data:
        row = 0 if trace.yaxis in (None, "y") else 1
        across, upward = (list(axis.names) for axis in (figure.panels[row].x, figure.panels[row].y))
        if trace.type == "heatmap":
            z = np.asarray(trace.z, dtype=float)
            marks += [(row, "cell", j, i, z[i, j]) for i in range(len(z)) for j in range(z.shape[1])
                      if np.isfinite(z[i, j])]  # fmt: skip
            continue
        x = [number(v, across) for v in ([] if trace.x is None else trace.x)]
        y = [number(v, upward) for v in ([] if trace.y is None else trace.y)]
        if trace.type == "bar":
            lying = trace.orientation == "h"
            pairs = zip(y, x, strict=True) if lying else zip(x, y, strict=True)
            marks += [(row, "bar", place, length, 0.0) for place, length in pairs]
        elif trace.meta == "band":
            marks += [(row, "band", *pair, 0.0) for pair in zip(x, y, strict=True)]
        else:
            kind = "line" if "lines" in trace.mode else "point"
            marks += [(row, kind, *pair, 0.0) for pair in zip(x, y, strict=True)]
        if trace.error_x.array is not None:
            for at, place, up, down in zip(x, y, trace.error_x.array, trace.error_x.arrayminus,
                                           strict=True):  # fmt: skip
                marks.append((row, "whisker", at - down, place, at + up))
    marks += rules(shape.x0 if shape.x0 == shape.x1 else shape.y0 for shape in drawn.layout.shapes)
    return sorted(marks)


def rules(places):
    return [(0, "rule", float(place), 0.0, 0.0) for place in places]


def day(value):
    """A matplotlib date as days since 1970."""
    return num2date(value).timestamp() / 86400


def on_paper(figure):
    """Every mark that matplotlib draws, as `on_screen` has them."""
    marks = []
    for row, axes in enumerate(figure.matplotlib().axes[: len(figure.panels)]):
        panel = figure.panels[row]
        dated = day if panel.x.kind == "date" else float
        for line in axes.lines:
            x, y = line.get_xdata(), line.get_ydata()
            if line.get_linestyle() == ":" and len(x) == 2 and (y[0] == 0 and y[1] == 1):
                marks += rules(x[:1])
            elif line.get_linestyle() == ":" and len(x) == 2 and x[0] == 0 and x[1] == 1:
                marks += rules(y[:1])
            else:
                x = axes.convert_xunits(x) if panel.x.kind == "date" else x
                marks += [(row, "line", dated(a), float(b), 0.0) for a, b in zip(x, y, strict=True)]
        for drawn in axes.collections:
            marks += of_collection(drawn, row, panel, dated)
        bars = [patch for patch in axes.patches if patch.get_height() or patch.get_width()]
        for container in axes.containers:
            for patch in container.patches:
                assert patch in bars or patch.get_height() == 0
                lying = panel.y.bare
                place = patch.get_y() + patch.get_height() / 2 if lying else round(patch.get_x())
                length = patch.get_width() if lying else patch.get_height()
                marks.append((row, "bar", float(place), float(length), 0.0))
    return sorted(marks)


def of_collection(drawn, row, panel, dated):
    if isinstance(drawn, PathCollection):
        return [(row, "point", dated(x), float(y), 0.0) for x, y in drawn.get_offsets()]
    if isinstance(drawn, LineCollection):
        ends = drawn.get_segments()
        return [(row, "whisker", float(a[0]), float(a[1]), float(b[0])) for a, b in ends]
    if isinstance(drawn, QuadMesh):
        z = drawn.get_array()
        found = [(row, "cell", j, i, float(z[i, j])) for i, j in zip(*np.nonzero(~z.mask),
                                                                      strict=True)]  # fmt: skip
        return found or [(row, "cell", j, i, float(z[i, j])) for i in range(z.shape[0])
                         for j in range(z.shape[1])]  # fmt: skip
    corners = {tuple(corner) for corner in drawn.get_paths()[0].vertices}
    return [(row, "band", dated(x), float(y), 0.0) for x, y in sorted(corners)]


@pytest.mark.parametrize("name", NAMES)
def test_screen_and_paper_draw_the_same_data(figures, name):
    screen, paper = on_screen(figures[name]), on_paper(figures[name])
    assert len(screen) > 1
    assert [mark[:2] for mark in screen] == [mark[:2] for mark in paper]
    assert np.allclose([m[2:] for m in screen], [m[2:] for m in paper], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_both_drawings_say_the_same_words(figures, name):
    figure = figures[name]
    screen, paper = figure.plotly(), figure.matplotlib()
    assert screen.layout.meta["alt"] == figure.alt
    assert [axis.title.text for axis in screen.select_yaxes()] == [p.y.title for p in figure.panels]
    drawn = paper.axes[: len(figure.panels)]
    assert [axes.get_ylabel() for axes in drawn] == [panel.y.title for panel in figure.panels]
    assert drawn[-1].get_xlabel() == figure.panels[-1].x.title
    assert paper.get_suptitle().replace("\n", " ") == figure.title
    shown = {trace.name for trace in screen.data if trace.showlegend}
    written = {text.get_text() for legend in paper.legends for text in legend.get_texts()}
    assert figure.legend == bool(written)
    assert not figure.legend or shown == {name.replace("<", "&lt;") for name in written}


def test_a_drawing_for_paper_is_always_the_same_and_needs_no_font(figures):
    one, two = figures["monthly"].svg(), figures["monthly"].svg()
    assert one == two and one.startswith("<svg") and "<text" not in one


def test_a_notebook_shows_the_figure_for_the_screen(figures):
    shown = figures["layers"]._repr_mimebundle_(include=None, exclude=None)
    assert shown["application/vnd.plotly.v1+json"]["data"][0]["type"] == "bar"
    drawn = b64decode(shown["image/png"])
    assert drawn.startswith(b"\x89PNG") and len(drawn) < 60_000 and shown["text/plain"]
    assert drawn == figures["layers"].png() and set(shown) == {
        "application/vnd.plotly.v1+json", "image/png", "text/plain",
    }  # fmt: skip


def test_leaderboard_draws_the_intervals_in_the_house_order(scores):
    levels = scores[scores["versus"] == ""]
    (panel,) = plots.leaderboard(levels.sample(frac=1, random_state=1), axis="x").panels
    (points,) = panel.layers
    assert list(points.y[::-1])[:3] == ["SAE", "SIC", "Major group"]
    drawn = levels.set_index("method").loc["sae"]
    assert (points.x[-1], points.low[-1], points.high[-1]) == tuple(drawn[["value", "low", "high"]])


def test_only_separated_differences_are_filled(scores):
    paired = scores[scores["versus"] != ""]
    points = plots.paired_differences(paired, axis="x").panels[0].layers[0]
    symbols = dict(zip(points.y, points.symbols, strict=True))
    assert symbols["SAE minus SIC"] == "circle"
    assert symbols["SAE minus TF-IDF"] == "circle-open"


def test_names_at_an_axis_stay_text_and_take_several_lines():
    name = "<b>a name of a method</b> that somebody has given to a file"
    rows = pd.DataFrame([{"method": name, "value": 1.0, "low": 0.0, "high": 2.0, "n": 9}])
    axis = plots.leaderboard(rows, axis="x (1)").plotly().layout.yaxis
    (shown,) = axis.categoryarray
    assert shown.startswith("&lt;b&gt;a name of a") and shown.count("<br>") == 1


def test_map_shows_every_company_once_and_names_stay_text(result, figures):
    figure = figures["map"]
    drawn = [ticker for layer in figure.panels[0].layers for ticker in layer.keys]
    assert sorted(drawn) == sorted(result.tables["companies"]["ticker"])
    screen = figure.plotly()
    assert screen.data[-1].name == "found"
    hovers = " ".join(text for trace in screen.data[:-1] for text in trace.text)
    assert "&lt;script&gt;" in hovers and "<script" not in hovers
    assert "banks, deposits" in hovers


def test_map_colours_the_largest_groups_of_either_kind(result):
    companies = result.tables["companies"].assign(industry=lambda frame: frame["sic"])
    by_industry = plots.company_map(companies, by="industry").panels[0].layers
    assert sorted(layer.name for layer in by_industry[:-1])[0] == "1381 (12)"
    named = plots.company_map(companies, names={0: "banks"}, by="cluster").panels[0].layers
    assert [layer.name for layer in named] == ["others (48)", "banks (12)", "found"]
    assert "in no cluster" in named[0].hover[0]


def test_heat_maps_share_their_order_and_hide_the_diagonal(result, figures):
    one, two = (figures[name].panels[0] for name in ("similarity", "correlation"))
    assert one.x.names == two.x.names == one.y.names
    similarity, correlation = one.layers[0].values, two.layers[0].values
    assert np.isnan(np.diag(similarity)).all()
    row = result.tables["heat"].iloc[0]
    place = one.x.names.index(row["a"]), one.x.names.index(row["b"])
    assert similarity[place] == pytest.approx(row["similarity"])
    assert correlation[place] == correlation[place[::-1]] == pytest.approx(row["correlation"])


def daily(**columns):
    days = pd.bdate_range("2014-01-30", periods=3)
    return pd.DataFrame({"method": "sic", "draw": 0, "date": days, **columns})


def test_equity_sums_returns_and_averages_draws():
    returns = pd.concat(
        [daily(net=[0.02, -0.04, 0.01]), daily(net=[0.00, 0.00, 0.01]).assign(draw=1)]
    )
    figure = plots.equity(returns, notes={"sic": "0.1 [-1, 1]"})
    (curve,), (fall,) = (panel.layers for panel in figure.panels)
    assert curve.y.tolist() == pytest.approx([1.0, -1.0, 0.0])
    assert fall.y.tolist() == pytest.approx([0.0, -2.0, -1.0])
    assert curve.name == "SIC 0.1 [-1, 1]"


def test_costs_are_recomputed_from_what_was_traded():
    returns = daily(gross=[0.02, 0.0, 0.0], net=[0.01, 0.0, 0.0], fees=0.001, traded=[2.0, 0.0, 0])
    lines = plots.cost_levels(returns, method="sic", levels=(10,)).panels[0].layers
    assert [line.name for line in lines] == ["gross", "net, as traded", "at 10 bp"]
    assert [line.y[-1] for line in lines] == pytest.approx([2.0, 1.0, 2 - 3 * 0.1 - 0.2])


def test_the_rolling_sharpe_ratio_and_its_band():
    returns = daily(net=[0.01, 0.03, 0.02])
    line = plots.rolling_sharpe(returns, method="sic", days=2).panels[0].layers[0]
    ratio = 0.02 / np.std([0.01, 0.03], ddof=1)
    half = 1.96 * np.sqrt((1 + ratio**2 / 2) / 2)
    assert line.y[0] == pytest.approx(ratio * np.sqrt(252))
    assert line.high[0] == pytest.approx((ratio + half) * np.sqrt(252))
    empty = plots.rolling_sharpe(returns, method="sic", days=9)
    assert "No whole window" in empty.alt
    empty.matplotlib()


def test_months_are_summed_and_missing_ones_empty():
    figure = plots.monthly_returns(daily(net=[0.01, 0.02, -0.04]), method="sic")
    (cells,) = figure.panels[0].layers
    assert figure.panels[0].y.names == ["2014"]
    assert cells.values[0, :2].tolist() == pytest.approx([3.0, -4.0])
    assert cells.written[0][:3] == ["3.0", "-4.0", ""] and np.isnan(cells.values[0, 2])


def test_the_walk_begins_as_published_and_ends_honest(figures):
    (points, _) = figures["walk"].panels[0].layers
    assert points.y[-1] == "1. as published" and points.x[-1] == 5.0
    assert figures["walk"].title == "From a Sharpe ratio of 5.0 as published to 0.1 done honestly"


def test_contributions_say_what_they_sum_to(figures):
    figure = figures["contributions"]
    (bars,) = figure.panels[0].layers
    assert sum(bars.lengths) == pytest.approx(0.57)
    words = "The similarity is 0.680: these features add 0.570, all others, each smaller, 0.110."
    assert figure.reading.startswith(words)
    assert bars.names[-1] == "deposits, <b>branches</b> #7"
    notes = [note.text for note in figure.plotly().layout.annotations]
    assert notes[-1] == "deposits, &lt;b&gt;branches&lt;/b&gt; #7"


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
        assert "nan" not in figure.reading + figure.alt
        figure.plotly()
        figure.matplotlib()


def test_scores_say_what_their_n_are(scores):
    levels = scores[scores["versus"] == ""]
    assert "companies." in plots.leaderboard(levels, axis="x").reading
    by_month = plots.leaderboard(levels.assign(metric="peer_r2"), axis="x")
    assert "company-months." in by_month.reading
    unknown = plots.leaderboard(levels.drop(columns="metric"), axis="x")
    assert "companies." in unknown.reading


def test_titles_say_what_these_numbers_say(scores):
    levels = scores[scores["versus"] == ""].reset_index(drop=True)
    levels.loc[levels["value"].idxmax(), ["value", "low", "high"]] = np.nan
    assert "nan" not in plots.leaderboard(levels, axis="x").title
    assert plots.leaderboard(levels.assign(value=np.nan), axis="x").title.endswith("not known")
    apart = [[0, 0.4, 0.1], [0.4, 0, 0.3], [0.1, 0.3, 0]]  # the neighbours are not the nearest
    shown = plots.layer_distances(apart, layers=[1, 2, 3], tokens=9)
    assert shown.title == (
        "Layers 1 and 3 point most alike, 0.10 apart, layers 1 and 2 least, 0.40"
    )
    common = DENSITY.assign(latents=[0, 1, 15] * 2)
    assert plots.density(common).title == (
        "Of the latents, 0% never fire in training, 0% never fire in these"
    )


def test_small_points_keep_their_colour_in_a_png(scores):
    from io import BytesIO

    from PIL import Image

    drawn = plots.leaderboard(scores[scores["versus"] == ""], axis="x (1)").png()
    shades = [shade for _, shade in Image.open(BytesIO(drawn)).convert("RGB").getcolors(999)]
    for method in ("sae", "sic", "tfidf"):
        wanted = [int(COLOURS[method][at : at + 2], 16) for at in (1, 3, 5)]
        assert min(np.abs(np.array(shades) - wanted).max(axis=1)) <= 2
