"""What a backtest's settings become: every one of them reaches the books."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import toy

from finsae import pairs
from finsae.checks import DataError
from finsae.config import Backtest, Benchmark, Data, Reading, Run, read_run
from finsae.pipeline import build_features, run_backtest
from finsae.pipeline.trader import noted, rule_of, selector_of, terms_of

QUICK = Backtest(candidates=40, pairs=8, draws=2, resamples=10, placebo=0)
SPAN = Data(formation="2013-01-01:2014-12-31", trade="2015-01-01:2015-12-31")
RUN = Run(SPAN, benchmark=Benchmark(k=3, draws=2, resamples=10), backtest=QUICK)
NONE = pd.DataFrame({"A": [1.0]}, index=pd.DatetimeIndex(["2015-01-01"]))


@pytest.fixture(scope="module")
def universe():
    return toy.universe(per_industry=6)


@pytest.fixture(scope="module")
def features(universe):
    return build_features(universe, Reading(model="tfidf"))


@pytest.fixture(scope="module")
def plain(universe, features):
    return run_backtest(universe, features, RUN, methods=["sic"])


def traded(universe, features, **settings):
    run = replace(RUN, backtest=replace(QUICK, **settings))
    return run_backtest(universe, features, run, methods=["sic"])


def test_the_defaults_are_the_terms_that_they_always_were():
    assert terms_of(Backtest(), NONE) == pairs.Terms()
    assert vars(rule_of(Backtest())) == vars(pairs.ZScore())
    assert vars(selector_of(Backtest())) == vars(pairs.LowestPValue())


def test_a_run_with_defaults_is_the_trial_that_it_was():
    """What the ledger's key is computed from, as it was before the later settings came."""
    assert noted(Backtest()) == {
        "candidates": 500,
        "pairs": 50,
        "draws": 20,
        "entry": 2.0,
        "exit": 0.0,
        "stop": 4.0,
        "cost_bps": 10.0,
        "borrow_bps": 50.0,
        "selector": "lowest-pvalue",
        "rule": "zscore",
        "formation_days": 504,
        "trading_days": 126,
        "step": 0,
    }
    assert noted(Backtest(max_days=9, patience=5)) == {
        **noted(Backtest()),
        "max_days": 9,
        "patience": 5,
    }


def test_a_file_reaches_terms_rule_and_selector(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        "[backtest]\nper_share = 0.005\ngross_cap = 0.5\nnet_cap = 0.2\npatience = 5\n"
        "delisting_loss = 0.3\nmax_days = 20\nstop = 0\nmin_half_life = 2\nmax_half_life = 60\n"
        'max_hurst = 0.5\nmin_crossings = 10\nselector = "distance"\n'
    )
    settings = read_run(path).backtest
    terms = terms_of(settings, NONE)
    assert (terms.per_share, terms.gross_cap, terms.net_cap) == (0.005, 0.5, 0.2)
    assert (terms.patience, terms.delisting_loss) == (5, 0.3)
    rule = rule_of(settings)
    assert (rule.max_days, rule.stop) == (20, None)
    selector = selector_of(settings)
    assert isinstance(selector, pairs.Distance)
    assert selector.filters == pairs.Filters((2.0, 60.0), 0.5, 10.0)


def test_a_filter_takes_the_place_of_the_selectors_own_alone():
    own = selector_of(Backtest(selector="sarmento-horta")).filters
    mine = selector_of(Backtest(selector="sarmento-horta", max_hurst=0.4)).filters
    assert mine == replace(own, hurst=0.4) and own.hurst == 0.5


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"gross_cap": -1.0}, "gross_cap must be above zero, not -1"),
        ({"per_share": -0.1}, "costs per share must be zero or more"),
        ({"delisting_loss": 2.0}, "between 0 and 1, not 2"),
        ({"patience": 0}, "patience must be at least 1 day"),
        ({"max_days": -3}, "max_days must be at least 1, not -3"),
        ({"entry": 5.0}, "must be ordered"),
        ({"min_half_life": 30.0, "max_half_life": 5.0}, "no half-life is above 30 and below 5"),
        ({"max_hurst": 1.5}, "between 0 and 1; the bound is 1.5"),
        ({"min_crossings": -1.0}, "crossings, the least there must be, cannot be -1"),
        ({"min_volume": 1e6}, "min_volume = 1e\\+06 needs the shares traded a day: give --volume"),
    ],
)
def test_what_is_impossible_is_said_before_any_work(universe, settings, said):
    run = replace(RUN, backtest=replace(QUICK, **settings))
    with pytest.raises(DataError, match=said):
        run_backtest(universe, {}, run, methods=["sic"])


def test_costs_caps_and_the_time_stop_reach_the_books(universe, features, plain):
    assert plain.tables["trades"]["days"].max() > 10
    result = traded(universe, features, per_share=0.05, gross_cap=0.3, max_days=10)
    trades, returns = result.tables["trades"], result.tables["returns"]
    assert trades["days"].max() == 10 and "time" in set(trades["reason"])
    assert returns["fees"].sum() > plain.tables["returns"]["fees"].sum()
    entered = returns.merge(trades[["draw", "entry"]], left_on=["draw", "date"],
                            right_on=["draw", "entry"])  # fmt: skip
    assert entered["gross_exposure"].max() <= 0.3 + 1e-12
    assert plain.tables["returns"]["gross_exposure"].max() > 0.3


def test_filters_reach_the_choice_of_pairs(universe, features, plain):
    chosen = traded(universe, features, max_half_life=15.0).tables["pairs"]
    assert (plain.tables["pairs"]["half_life"] >= 15).any()
    assert len(chosen) and (chosen["half_life"] < 15).all()


def test_who_stops_for_good_just_before_the_end_loses_what_the_settings_say(universe, features):
    """Of an open pair, one leg has no price in the window's last six days, nor ever after."""
    run = replace(RUN, data=replace(SPAN, trade="2015-01-01:2015-06-30"))
    trades = run_backtest(universe, features, run, methods=["sic"]).tables["trades"]
    stops = pd.Timestamp("2015-06-22")
    still = trades[(trades["reason"] == "end of window") & (trades["entry"] < stops)].iloc[0]
    prices = universe.prices.copy()
    prices.loc[stops:, still["y"]] = np.nan
    gone = replace(universe, prices=prices)
    for loss in (0.0, 0.3):
        settings = replace(run, backtest=replace(QUICK, delisting_loss=loss))
        found = run_backtest(gone, features, settings, methods=["sic"]).tables["trades"]
        mine = found[(found["y"] == still["y"]) & (found["entry"] == still["entry"])].iloc[0]
        assert mine["reason"] == "delisted" and mine["exit"] == still["exit"]
        last = prices[still["y"]].dropna().iloc[-1]
        assert mine["exit_y"] == pytest.approx(last * (1 - loss * still["side"]))


def test_every_run_says_how_it_moves_with_the_market(universe, features):
    """Alpha and beta are those of statsmodels on the mean of the companies that may be traded."""
    result = traded(universe, features, placebo=2)
    scores = result.scores.set_index(["method", "metric"])
    rows = scores.loc["sic"].loc[["alpha", "beta"]]
    assert set(rows["interval"]) == {"Newey-West"} and (rows["low"] < rows["value"]).all()
    returns = result.tables["returns"]
    net = returns[returns["method"] == "sic"].groupby("date")["net"].mean()
    market = universe.prices.pct_change(fill_method=None).mean(axis=1).reindex(net.index)
    slope = np.cov(net, market)[0, 1] / market.var()
    assert rows.at["beta", "value"] == pytest.approx(slope)
    assert rows.at["alpha", "value"] == pytest.approx(252 * (net.mean() - slope * market.mean()))
    assert ("placebo", "beta") in scores.index
    assert set(result.tables["exposures"]["model"]) == {"market"}


def test_factors_of_the_user_and_volumes(universe, features):
    rng = np.random.default_rng(2)
    market = universe.prices.pct_change(fill_method=None).mean(axis=1)
    factors = pd.DataFrame({"mkt": market, "noise": rng.normal(0, 0.01, len(market))})
    volume = pd.DataFrame(1e4, universe.prices.index, universe.prices.columns)
    thin = volume.columns[::2]
    volume[thin] = 1.0
    settings = replace(QUICK, min_volume=1e4)
    found = {}
    for name, backtest in (("all", QUICK), ("liquid", settings)):
        found[name] = run_backtest(
            universe,
            features,
            replace(RUN, backtest=backtest),
            methods=["sic"],
            factors=factors,
            volume=volume,
        )
    table = found["all"].tables["exposures"].set_index(["model", "factor"])["beta"]
    assert table["factors", "mkt"] == pytest.approx(table["market", "market"], rel=0.05)
    assert set(table["factors"].index) == {"alpha", "mkt", "noise"}
    capacity = {
        name: result.scores.set_index("metric").at["capacity", "value"]
        for name, result in found.items()
    }
    assert capacity["liquid"] > 100 * capacity["all"] > 0
    legs = found["liquid"].tables["pairs"][["y", "x"]]
    assert len(legs) and not legs.isin(thin).any(axis=None)
    few = factors.loc["2015-01-01":"2015-01-20"]
    with pytest.raises(DataError, match="the factors share 14 days"):
        run_backtest(universe, {}, RUN, methods=["sic"], factors=few)
    with pytest.raises(DataError, match="share no company and day"):
        run_backtest(universe, {}, RUN, volume=volume.add_prefix("X"))
