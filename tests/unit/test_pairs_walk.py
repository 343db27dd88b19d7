"""Walking forward: windows, joined books, the placebo, and the scores that rest on them."""

from dataclasses import replace

import markets
import numpy as np
import pandas as pd
import pytest

from finsae import pairs
from finsae.checks import DataError
from finsae.ledger import Trials
from finsae.similarity import past_correlation

DAYS = pd.bdate_range("2010-01-04", periods=420, name="date")
SELECTOR = pairs.LowestPValue(6)


@pytest.fixture(scope="module")
def prices():
    return markets.planted(420, 6, seed=3).join(markets.walks(420, 6, seed=4))


@pytest.fixture(scope="module")
def windows():
    return pairs.walk_windows(DAYS, DAYS[200], formation=150, trading=80)


def candidates(formation, placebo=12):
    returns = np.log(formation).diff().iloc[1:]
    return pairs.propose({"past": past_correlation(returns)}, formation, n=20, placebo=placebo)


def alone(formation):
    """The same without chance beside it."""
    return candidates(formation, placebo=0)


@pytest.fixture(scope="module")
def books(prices, windows):
    return pairs.walk_forward(candidates, prices, windows=windows, selector=SELECTOR)


def test_windows_follow_one_another(windows):
    assert [DAYS.get_indexer(window.trading).tolist() for window in windows] == [
        [200, 279],
        [280, 359],
        [360, 419],
    ]
    assert [DAYS.get_indexer(window.formation).tolist() for window in windows] == [
        [50, 199],
        [130, 279],
        [210, 359],
    ]


def test_windows_may_overlap_and_be_bounded():
    found = pairs.walk_windows(DAYS, DAYS[200], end=DAYS[300], formation=400, trading=63, step=21)
    assert [DAYS.get_indexer(window.trading)[0] for window in found] == [200, 221, 242, 263, 284]
    assert found[0].formation == (DAYS[0], DAYS[199])
    assert {window.trading[1] for window in found[2:]} == {DAYS[300]}


def test_windows_without_days_are_refused():
    with pytest.raises(DataError, match="no trading day from 2030"):
        pairs.walk_windows(DAYS, pd.Timestamp("2030-01-01"))
    with pytest.raises(DataError, match="only 5 days of prices precede"):
        pairs.walk_windows(DAYS, DAYS[5])
    with pytest.raises(DataError, match="at least 1"):
        pairs.walk_windows(DAYS, DAYS[200], step=0)


def test_windows_are_traded_as_if_each_were_alone(books, prices, windows):
    whole = books["past"][0]
    assert whole.returns.index.equals(DAYS[200:])
    for window in windows:
        formation, later = (prices.loc[slice(*span)] for span in window)
        alone = pairs.trade(
            candidates(formation), formation=formation, later=later, selector=SELECTOR
        )["past"][0]
        found = whole.returns.loc[slice(*window.trading)]
        pd.testing.assert_frame_equal(found, alone.returns, check_freq=False)
        trades = whole.trades[whole.trades["window"] == window.trading[0]]
        assert trades["net"].tolist() == alone.trades["net"].tolist()
        legs = whole.pairs.loc[trades["pair"], ["y", "x"]].to_numpy()
        assert (legs == trades[["y", "x"]].to_numpy()).all()
    assert whole.pairs.groupby("window").size().tolist() == [6, 6, 6]
    assert whole.pairs.index.is_unique


def test_the_placebo_is_as_many_random_pairs_of_the_same_companies(books, prices, windows):
    assert len(books["placebo"]) == 12
    proposed = candidates(prices.loc[slice(*windows[0].formation)])
    assert {len(draw) for draw in proposed["placebo"]} == {len(proposed["past"][0])}
    drawn = [tuple(draw["a"] + draw["b"]) for draw in proposed["placebo"]]
    assert len(set(drawn)) == 12


def test_a_method_without_pairs_leaves_chance_and_the_others_theirs(prices, windows):
    formation = prices.loc[slice(*windows[0].formation)]
    table = past_correlation(np.log(formation).diff().iloc[1:])
    values = table.to_numpy()[np.triu_indices(len(table), 1)]
    few = table.where(table > np.sort(values)[-8])
    tables = {"past": table, "few": few, "none": table * np.nan}
    proposed = pairs.propose(tables, formation, n=20, placebo=3)
    sizes = {method: len(drawn[0]) for method, drawn in proposed.items()}
    assert sizes == {"past": 7, "few": 7, "none": 0, "placebo": 7}


def test_noise_after_a_day_moves_nothing_up_to_it(books, prices, windows):
    day, windows = 300, windows[1:]
    noise = np.random.default_rng(5).normal(0, 0.05, prices.iloc[day + 1 :].shape)
    altered = prices.copy()
    altered.iloc[day + 1 :] *= np.exp(np.cumsum(noise, axis=0))
    for rule in (pairs.ZScore(), pairs.RollingOLS(), pairs.Kalman()):
        one, two = (
            pairs.walk_forward(
                alone,
                table,
                windows=windows,
                selector=SELECTOR,
                rule=rule,
                terms=pairs.Terms(gross_cap=0.6),
            )["past"][0]
            for table in (prices, altered)
        )
        known = slice(None, DAYS[day])
        pd.testing.assert_frame_equal(one.returns.loc[known], two.returns.loc[known])
        assert not one.returns.equals(two.returns)
        early = one.pairs["window"] <= DAYS[day]
        pd.testing.assert_frame_equal(one.pairs[early], two.pairs[early])


def test_overlapping_books_are_one_observation_a_day(prices):
    windows = pairs.walk_windows(DAYS, DAYS[200], formation=150, trading=80, step=40)
    book = pairs.walk_forward(alone, prices, windows=windows, selector=SELECTOR)["past"][0]
    assert book.returns.index.equals(DAYS[200:])
    found = []
    for window in windows:
        formation, later = (prices.loc[slice(*span)] for span in window)
        one = pairs.trade(alone(formation), formation=formation, later=later, selector=SELECTOR)
        found.append(one["past"][0].returns)
    day = DAYS[250]
    alive = [returns.loc[day] for returns in found if day in returns.index]
    assert len(alive) == 2
    assert book.returns.at[day, "net"] == pytest.approx(np.mean([row["net"] for row in alive]))
    assert book.returns.at[day, "n_open"] == sum(row["n_open"] for row in alive)


def test_capped_books_are_traded_each_by_itself(prices, windows):
    terms = pairs.Terms(gross_cap=0.3)
    books = pairs.walk_forward(alone, prices, windows=windows, selector=SELECTOR, terms=terms)
    for drawn in books.values():
        for book in drawn:
            assert book.returns.loc[book.trades["entry"], "gross_exposure"].max() <= 0.3 + 1e-12


def test_scores_against_chance_and_trials(books):
    scores = pairs.scores(books, resamples=100, trials=Trials(40, 0.5))
    plain = scores[scores["versus"] == ""].set_index(["method", "metric"])
    chance = np.array([float(pairs.stats.sharpe(b.returns["net"])) for b in books["placebo"]])
    value = plain.at[("past", "sharpe_net"), "value"]
    percentile = plain.at[("past", "placebo_percentile"), "value"]
    assert percentile == pytest.approx((chance < value).mean())
    row = plain.loc[("placebo", "sharpe_net")]
    assert row["interval"] == "draws"
    assert [row["low"], row["high"]] == pytest.approx(np.quantile(chance, [0.025, 0.975]))
    assert ("placebo", "placebo_percentile") not in plain.index
    drawn = {"ties": books["placebo"][:4], "placebo": books["placebo"]}
    ties = pairs.scores(drawn, resamples=20).set_index(["method", "metric"])["value"]
    places = [(chance < one).mean() + (chance == one).mean() / 2 for one in chance[:4]]
    assert ties["ties", "placebo_percentile"] == pytest.approx(np.mean(places))  # not of their mean
    net = books["past"][0].returns["net"]
    deflated = pairs.stats.deflated_sharpe(net, trials=40, sd=0.5)
    assert plain.at[("past", "dsr"), "value"] == pytest.approx(deflated)
    assert deflated < plain.at[("past", "psr"), "value"]
    assert plain.at[("past", "trials_run"), "value"] == 40
    fdr = books["past"][0].pairs.groupby("window")["q"].max().mean()
    assert plain.at[("past", "fdr"), "value"] == pytest.approx(fdr)
    strict = books["past"][0].pairs.groupby("window")["q_by"].max().mean()
    assert plain.at[("past", "fdr_by"), "value"] == pytest.approx(strict) and strict > fdr
    assert not scores.duplicated(["method", "metric", "versus"]).any()


def test_years_add_up(books):
    table = pairs.by_year(books)
    whole = books["past"][0]
    own = table[table["method"] == "past"]
    assert own["return_net"].sum() == pytest.approx(whole.returns["net"].sum())
    assert own["trades"].sum() == len(whole.trades)
    assert own["days"].tolist() == [
        (whole.returns.index.year == year).sum() for year in own["year"]
    ]


def test_exposures_find_a_factor_that_is_there(books, prices):
    market = np.log(prices).diff().mean(axis=1).rename("market").to_frame()
    found = pairs.exposures(books, market).set_index(["method", "factor"])
    assert set(found.index.get_level_values("factor")) == {"alpha", "market"}
    assert abs(found.at[("past", "market"), "beta"]) < 0.2
    tilted = books["past"][0].returns["net"] + 0.5 * market["market"]
    beta = pairs.stats.exposures(tilted.dropna(), market).set_index("factor")["beta"]
    assert beta["market"] == pytest.approx(found.at[("past", "market"), "beta"] + 0.5, abs=1e-6)
    with pytest.raises(DataError, match="share 0 days"):
        pairs.exposures(books, market.set_axis(market.index + pd.Timedelta(days=9999)))
    with pytest.raises(DataError, match="collinear"):
        pairs.exposures(books, market.assign(again=market["market"]))


def test_costs_are_swept_without_trading_again(books, prices, windows):
    terms = pairs.Terms(20.0)
    again = pairs.walk_forward(candidates, prices, windows=windows, selector=SELECTOR, terms=terms)[
        "past"
    ][0]
    swept = pairs.stats.at_cost(books["past"][0], 20.0)
    assert np.allclose(swept, again.returns["net"], atol=1e-15)


def test_capacity_is_where_a_leg_is_a_share_of_a_days_value(books, prices):
    book = books["past"][0]
    value = pd.DataFrame(2e6, index=prices.index, columns=prices.columns)
    found = pairs.stats.capacity(book, value, share=0.01, days=20)
    trades = book.trades
    weight = pd.concat([(trades[f"shares_{g}"] * trades[f"entry_{g}"]).abs() for g in "yx"])
    assert found == pytest.approx(np.quantile(6 * 0.01 * 2e6 / weight, 0.05))
    assert np.isnan(pairs.stats.capacity(book, value * np.nan, days=20))


def test_too_few_configurations_have_no_probability_of_overfitting():
    with pytest.raises(DataError, match="at least 16 configurations, not 3"):
        pairs.stats.overfitting(np.zeros((100, 3)))
    with pytest.raises(DataError, match="5 blocks"):
        pairs.stats.overfitting(np.zeros((100, 20)), blocks=5)


def test_overfitting_knows_luck_from_skill():
    rng = np.random.default_rng(1)
    luck = rng.normal(0, 0.01, (800, 20))
    skill = luck.copy()
    skill[:, 4] += 0.003
    assert pairs.stats.overfitting(luck, blocks=8) > 0.3
    assert pairs.stats.overfitting(skill, blocks=8) < 0.02


@pytest.mark.slow
def test_a_sweep_tests_each_pair_once_and_trades_by_every_rule(prices, windows):
    asked = []

    def counted(formation, named):
        asked.append((formation.index[0], len(named)))
        return pairs.pair_tests(formation, named)

    traders = {
        f"{entry:g}": pairs.Trader(SELECTOR, pairs.ZScore(entry, stop=None))
        for entry in np.linspace(1.0, 2.5, 16)
    }
    span = windows[1:2]
    found = dict(pairs.sweep(candidates, prices, windows=span, traders=traders, test=counted))
    assert len(asked) == 1 and list(found) == list(traders)
    swept = pd.concat({name: pairs.net_of(books) for name, books in found.items()}, axis=1)
    assert swept.shape == (80, 16) and swept.columns[0] == ("1", "past")
    one = pairs.walk_forward(alone, prices, windows=span, **traders["1.5"]._asdict())["past"][0]
    assert np.allclose(swept["1.5", "past"], one.returns["net"], atol=1e-15)
    assert pairs.overfitting_of(swept) == pairs.stats.overfitting(swept)
    assert np.isnan(pairs.overfitting_of(swept.iloc[:, :15]))
    assert np.isnan(pairs.overfitting_of(swept.iloc[:31]))


def test_remembered_tests_are_those_of_the_pairs_asked_for(prices):
    formation = prices.iloc[:150]
    named = candidates(formation, placebo=0)["past"][0][["a", "b"]]
    shared = pairs.remembered()
    first = shared(formation, named.head(5))
    assert first["a"].tolist() == named["a"].head(5).tolist()
    again = shared(formation, named.iloc[[7, 2, 0]])
    expected = pairs.pair_tests(formation, named.iloc[[7, 2, 0]])
    pd.testing.assert_frame_equal(again[expected.columns], expected, rtol=1e-6)


def test_windows_in_which_every_pair_is_rejected_have_figures_but_no_ratios(prices, windows):
    nothing = pairs.LowestPValue(6, min_leg=0.9)
    books = pairs.walk_forward(alone, prices, windows=windows, selector=nothing)
    scores = pairs.scores(books, resamples=50).set_index("metric")["value"]
    assert scores["return_annual"] == 0 and scores["idle"] == 1 and scores["pairs"] == 0
    assert np.isnan(scores["sharpe_net"]) and np.isnan(scores["fdr"])
    assert (pairs.by_year(books)["trades"] == 0).all()
    assert pairs.exposures(books, prices.pct_change()).empty
    (line,) = pairs.empty_windows(books)
    assert line.startswith("past: the selector left no pair to trade in 3 of 3 windows: from 2010-")
    assert all(f"{window.trading[0]:%Y-%m-%d}" in line for window in windows)
    assert line.endswith("20 tested, 0 hedged: none is selected.") and "\n" not in line


def test_windows_without_pairs_are_named_one_by_one(prices, windows):
    """Walks pass no bound on false discoveries; in the last window a twin of one of them does."""
    only = prices.filter(like="W").copy()
    noise = np.random.default_rng(7).normal(0, 0.004, len(only))
    late = DAYS[210] <= only.index
    only.loc[late, "W001"] = only.loc[late, "W000"] * np.exp(noise[late])
    books = pairs.walk_forward(
        candidates, only, windows=windows, selector=pairs.FalseDiscovery(6, level=1e-4)
    )
    whole = books["past"][0]
    assert whole.windows == 3 and list(whole.empty) == [w.trading[0] for w in windows[:2]]
    assert set(whole.pairs["window"]) == {windows[2].trading[0]}
    past, _ = pairs.empty_windows(books)
    assert "in 2 of 3 windows: from " in past and "0 with q <= 0.0001 (lowest" in past
    assert f"{windows[2].trading[0]:%Y-%m-%d}" not in past
    traded = replace(whole, empty={})
    (line,) = pairs.empty_windows({"past": [traded], "sic": [traded, whole]})
    assert line.startswith("sic") and "2 of 6 windows (2 draws): from" in line
    assert f"{windows[1].trading[0]:%Y-%m-%d} (1); in the first: " in line
