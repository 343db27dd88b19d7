import markets
import numpy as np
import pandas as pd
import pytest

from finsae import pairs
from finsae.checks import DataError
from finsae.result import SCORE_COLUMNS
from finsae.similarity import past_correlation, uninformed

FORMATION = 250


@pytest.fixture(scope="module")
def windows():
    prices = markets.planted(550, 8, seed=3).join(markets.walks(550, 8, seed=4))
    return prices.iloc[:FORMATION], prices.iloc[FORMATION:]


@pytest.fixture(scope="module")
def similarities(windows):
    formation, _ = windows
    return {
        "past-correlation": past_correlation(np.log(formation).diff().iloc[1:]),
        "random": uninformed(formation.columns),
    }


@pytest.fixture(scope="module")
def proposals(similarities, windows):
    return pairs.propose(similarities, windows[0], n=30, draws=4)


@pytest.fixture(scope="module")
def books(proposals, windows):
    formation, later = windows
    selector = pairs.LowestPValue(8)
    return pairs.trade(proposals, formation=formation, later=later, selector=selector)


def test_methods_have_the_same_number_of_candidates(proposals):
    assert {method: len(draws) for method, draws in proposals.items()} == {
        "past-correlation": 1,
        "random": 4,
    }
    assert {len(draw) for draws in proposals.values() for draw in draws} == {30}


def test_a_method_with_gaps_lowers_the_number_for_all(similarities, windows):
    sparse = similarities["past-correlation"].where(lambda table: table > 0.5)
    few = int((sparse.to_numpy()[np.triu_indices(24, 1)] > 0.5).sum())
    proposals = pairs.propose({**similarities, "sparse": sparse}, windows[0], n=30, draws=2)
    assert {len(draw) for draws in proposals.values() for draw in draws} == {few}
    assert 0 < few < 30


def test_companies_without_prices_or_similarity_are_left_out(similarities, windows):
    formation = windows[0].copy()
    formation.loc[formation.index[:40], "A000"] = np.nan
    tables = {**similarities, "narrow": similarities["random"].drop("B001").drop(columns="B001")}
    proposals = pairs.propose(tables, formation, n=1000, draws=1)
    for draws in proposals.values():
        named = set(draws[0]["a"]) | set(draws[0]["b"])
        assert named == set(formation.columns) - {"A000", "B001"}


def test_planted_pairs_earn_before_costs(books):
    best = books["past-correlation"][0]
    planted = best.pairs["a"].str[1:] == best.pairs["b"].str[1:]
    assert planted.sum() >= 6
    assert pairs.stats.sharpe(best.returns["gross"]) > 1
    assert (best.trades["reason"] == "converged").mean() > 0.5


def test_books_are_as_if_traded_alone(books, proposals, windows):
    formation, later = windows
    selector = pairs.LowestPValue(8)
    one = {"random": proposals["random"][2:3]}
    alone = pairs.trade(one, formation=formation, later=later, selector=selector)["random"][0]
    together = books["random"][2]
    pd.testing.assert_frame_equal(alone.returns, together.returns)
    columns = ["y", "x", "entry", "exit", "net", "reason"]
    ordered = [book.trades[columns].sort_values(columns[:3]) for book in (alone, together)]
    pd.testing.assert_frame_equal(*(table.reset_index(drop=True) for table in ordered))


def test_what_is_chosen_and_fitted_ignores_the_trading_window(books, proposals, windows):
    formation, later = windows
    rng = np.random.default_rng(5)
    noise = later * np.exp(np.cumsum(rng.normal(0, 0.05, later.shape), axis=0))
    altered = pd.concat([later.iloc[:100], noise.iloc[100:]])
    selector = pairs.LowestPValue(8)
    other = pairs.trade(proposals, formation=formation, later=altered, selector=selector)
    for method, drawn in books.items():
        for one, two in zip(drawn, other[method], strict=True):
            pd.testing.assert_frame_equal(one.pairs, two.pairs)
            pd.testing.assert_frame_equal(one.returns.iloc[:100], two.returns.iloc[:100])


def test_scores_of_all_methods(books):
    scores = pairs.scores(books, resamples=200)
    plain = scores[scores["versus"] == ""].set_index(["method", "metric"])
    for method, drawn in books.items():
        net = [pairs.stats.sharpe(book.returns["net"]) for book in drawn]
        row = plain.loc[(method, "sharpe_net")]
        assert row["value"] == pytest.approx(np.mean(net))
        assert row["low"] < row["value"] < row["high"]
        assert (row["n"], row["interval"]) == (300, "stationary days")
        trades = np.mean([len(book.trades) for book in drawn])
        assert plain.loc[(method, "trades"), "value"] == pytest.approx(trades)
        assert np.isnan(plain.loc[(method, "trades"), "low"])
    expected = {"sharpe_gross", "return_annual", "max_drawdown", "pairs", "fdr", "break_even_bps"}
    assert expected <= set(scores["metric"])
    difference = scores[scores["versus"] == "random"].iloc[0]
    values = plain["value"].xs("sharpe_net", level="metric")
    assert difference["method"] == "past-correlation"
    assert difference["value"] == pytest.approx(values["past-correlation"] - values["random"])
    assert list(scores.columns) == list(SCORE_COLUMNS)
    assert not scores.duplicated(["method", "metric", "versus"]).any()


def test_tables_carry_method_and_draw(books):
    tables = pairs.tables(books)
    assert tables["returns"].columns[:5].tolist() == ["method", "draw", "date", "gross", "net"]
    assert len(tables["returns"]) == 5 * 300
    assert tables["pairs"].groupby(["method", "draw"]).size().tolist() == [8] * 5
    net = tables["trades"].groupby(["method", "draw"])["net"].sum() / 8
    earned = tables["returns"].groupby(["method", "draw"])["net"].sum()
    assert np.allclose(net, earned)


def test_no_trades_is_no_sharpe_ratio(proposals, windows):
    formation, later = windows
    idle = pairs.ZScore(entry=50, stop=None)
    books = pairs.trade(proposals, formation=formation, later=later, rule=idle)
    scores = pairs.scores(books, resamples=50)
    sharpe = scores[scores["metric"] == "sharpe_net"]
    assert sharpe[["value", "low", "high"]].isna().all(axis=None)
    assert pairs.warnings(scores)[0].endswith("no trades, so no Sharpe ratio.")
    assert (scores.loc[scores["metric"] == "return_annual", "value"] == 0).all()


def test_no_pair_to_trade(proposals, windows):
    formation, later = windows
    selector = pairs.LowestPValue(8, min_leg=0.9)
    books = pairs.trade(proposals, formation=formation, later=later, selector=selector)
    scores = pairs.scores(books, resamples=50).set_index(["method", "metric"])["value"]
    assert scores["random", "pairs"] == 0 and np.isnan(scores["random", "fdr"])
    assert {name: len(table) for name, table in pairs.tables(books).items()} == {
        "returns": 5 * 300,
        "trades": 0,
        "pairs": 0,
    }


def test_too_good_is_said_aloud():
    row = dict.fromkeys(SCORE_COLUMNS, "")
    values = {"sae": 3.4, "sic": -0.2, "random": -3.2}
    rows = [{**row, "method": m, "metric": "sharpe_net", "value": v} for m, v in values.items()]
    said = pairs.warnings(pd.DataFrame(rows))
    assert [line.split(":")[0] for line in said] == ["sae", "random"]
    assert "3.4 is beyond 3" in said[0]


def test_a_delisted_leg_is_closed_at_its_last_price(proposals, windows):
    formation, later = windows
    gone = later.copy()
    gone.loc[gone.index[60:], "B000"] = np.nan
    gone = gone.drop(columns="B001")
    books = pairs.trade(proposals, formation=formation, later=gone)
    tables = pairs.tables(books)
    touched = tables["trades"][["y", "x"]].isin(["B001"]).any(axis=None)
    assert not touched
    assert np.isfinite(tables["returns"][["gross", "net"]]).all(axis=None)


def test_bad_windows_are_named(similarities, proposals, windows):
    formation, later = windows
    with pytest.raises(DataError, match="2 days of prices"):
        pairs.propose(similarities, formation.head(2))
    with pytest.raises(DataError, match="only 0 companies"):
        pairs.propose(similarities, formation * np.nan)
    with pytest.raises(DataError, match="must begin after"):
        pairs.trade(proposals, formation=formation, later=formation)
    with pytest.raises(DataError, match="above zero"):
        pairs.trade(proposals, formation=formation, later=-later)
