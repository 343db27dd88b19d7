"""Nothing that is learnt, scored or traded up to a date may depend on what came after it.

The universe is altered in both ways in which the future can leak: companies whose descriptions are
dated after the cut are planted (with words that would shift every weight), and all prices after the
cut are replaced by noise. The same comparison must catch a chain that does look ahead.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import toy

from finsae.benchmark import eligible
from finsae.config import Backtest, Benchmark, Reading, Run
from finsae.pipeline import build_features, clusterings, run_backtest, similarities
from finsae.pipeline.methods import known_companies, readings, rows, weighted
from finsae.sources import read_universe
from finsae.universe import Universe

CUT = pd.Timestamp(toy.CUT)
RUN = Run(
    benchmark=Benchmark(k=3, draws=3, resamples=20),
    backtest=Backtest(candidates=40, pairs=8, draws=3, resamples=20, placebo=3),
)


def altered(universe, after, seed=5):
    """Replace prices after a date by noise and plant companies described after the cut."""
    rng = np.random.default_rng(seed)
    prices = universe.prices.copy()
    late = prices.index > after
    noise = rng.normal(0, 0.03, (late.sum(), prices.shape[1]))
    prices.loc[late] = prices.loc[:after].iloc[-1].to_numpy() * np.exp(np.cumsum(noise, axis=0))
    planted = toy.companies(per_industry=4, seed=9).rename(index=lambda ticker: f"P{ticker}")
    planted["date"] = pd.Timestamp("2015-06-30")
    planted["cik"] = planted["cik"] + "9"
    planted["description"] = planted["description"].str.replace("company", "blockchain loans oil")
    walks = 20 * np.exp(np.cumsum(rng.normal(0, 0.02, (len(prices), len(planted))), axis=0))
    prices = prices.join(pd.DataFrame(walks, index=prices.index, columns=planted.index))
    companies = pd.concat([universe.companies, planted.reindex(columns=universe.companies.columns)])
    return Universe.build(companies, prices, provenance=universe.provenance)


def learnt(universe, features, *, past=None, known=None):
    """All that is fitted at the cut; `past` and `known` are what a leaky chain would pass."""
    past = past or universe.cut(CUT).past
    tickers, _ = eligible(universe.cut(CUT).past.companies, universe.monthly, cut=CUT)
    known = known or known_companies(past, features)
    similarity = similarities(past, features, tickers)
    labels = clusterings(past, features, similarity)
    table = weighted(features, known)
    shown = pd.DataFrame(rows(table, tickers).toarray(), columns=table.names["label"])
    # Words of planted companies are columns of zeros: they exist, and weigh nothing.
    shown = shown.loc[:, (shown != 0).any()].T.groupby(level=0).sum().reset_index()
    return {
        "tickers": pd.DataFrame({"ticker": list(tickers)}),
        "weighted features": shown,
        **{f"similarity {name}": table for name, table in similarity.items()},
        **{f"clusters {name}": found.to_frame() for name, found in labels.items()},
    }


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, table in one.items():
        first, second = table.reset_index(drop=True), other[name].reset_index(drop=True)
        assert first.shape == second.shape, name
        pd.testing.assert_frame_equal(first, second, check_column_type=False, obj=name)


@pytest.fixture(scope="module", params=["tfidf", pytest.param("minilm", marks=pytest.mark.slow)])
def worlds(request):
    reading = Reading(model=request.param)
    universe = toy.universe(per_industry=6)
    other = altered(universe, CUT)
    return universe, build_features(universe, reading), other, build_features(other, reading)


def test_nothing_learnt_before_the_cut_moves(worlds):
    universe, features, other, other_features = worlds
    assert_same(learnt(universe, features), learnt(other, other_features))


def test_a_chain_that_weights_by_later_companies_is_caught(worlds):
    universe, features, other, other_features = worlds
    everyone = other_features.companies.index.tolist()
    with pytest.raises(AssertionError, match="weighted features"):
        assert_same(learnt(universe, features), learnt(other, other_features, known=everyone))


def test_a_chain_that_reads_later_prices_is_caught(worlds):
    universe, features, other, other_features = worlds
    with pytest.raises(AssertionError, match="similarity past-correlation"):
        assert_same(
            learnt(universe, features, past=universe),
            learnt(
                other,
                other_features,
                past=other.select(universe.companies.index),
            ),
        )


@pytest.fixture(scope="module")
def traded(worlds):
    universe, features, other, other_features = worlds
    if "words" not in readings(features):
        pytest.skip("who reads the texts makes no difference to when pairs are traded")
    return run_backtest(universe, features, RUN), run_backtest(other, other_features, RUN)


def until(result, date):
    """Pairs chosen, and what was done and earned, up to a date."""
    pairs, returns, trades = (result.tables[name] for name in ("pairs", "returns", "trades"))
    entered = trades[pd.to_datetime(trades["entry"]) <= date]
    return {
        "pairs": pairs[pd.to_datetime(pairs["window"]) <= date],
        "returns": returns[pd.to_datetime(returns["date"]) <= date],
        "entries": entered[["method", "draw", "y", "x", "entry", "entry_y"]],
    }


@pytest.mark.slow
def test_no_pair_position_or_return_up_to_a_date_depends_on_later_prices(worlds, traded):
    universe, _, _, other_features = worlds
    middle = pd.Timestamp("2016-06-30")
    later = altered(universe, middle)
    one, noise = traded
    assert_same(until(one, middle), until(run_backtest(later, other_features, RUN), middle))
    # The cut itself: other prices from the first trading day on choose the same first pairs.
    first_day = CUT + pd.Timedelta(days=1)
    assert_same(until(one, first_day), until(noise, first_day))
    assert len(until(one, first_day)["pairs"]) >= 8


@pytest.mark.slow
def test_the_comparison_of_positions_can_fail(worlds, traded):
    universe, *_ = worlds
    one, noise = traded
    end = universe.prices.index[-1]
    with pytest.raises(AssertionError):
        assert_same(until(one, end), until(noise, end))


def faulty(prices, cut):
    """Raw closes with a wrong close and an unadjusted split on each side of the cut."""
    raw = prices.copy()
    days = raw.index
    at = days.get_indexer([cut], method="ffill")[0]
    raw.iloc[at - 300, 0] *= 1.8
    raw.iloc[at + 300, 1] *= 1.8
    raw.iloc[: at - 200, 2] *= 2
    raw.iloc[: at + 200, 3] *= 2  # found after the cut: earlier closes are divided by 2
    raw.iloc[at, 4] *= 1.8  # shows as wrong only by what follows
    return raw


def test_the_past_is_mended_from_itself_alone(tmp_path):
    table = toy.companies()
    raw = faulty(toy.prices(table), CUT)
    other = raw.copy()
    late = other.index > CUT
    other.loc[late] = other.loc[late].to_numpy()[::-1] * 3
    table.reset_index().to_csv(tmp_path / "companies.csv", index=False)
    cuts = []
    for name, closes in (("raw", raw), ("other", other)):
        closes.to_parquet(tmp_path / f"{name}.parquet")
        found = read_universe(tmp_path / "companies.csv", tmp_path / f"{name}.parquet")
        cuts.append((found, found.cut(CUT)))
    (whole, (past, future)), (_, (again, _)) = cuts
    pd.testing.assert_frame_equal(past.prices, again.prices)
    pd.testing.assert_frame_equal(past.monthly, again.monthly)
    pd.testing.assert_frame_equal(past.repairs, again.repairs)
    split = past.prices.columns[3]
    assert split not in set(past.repairs["ticker"]) and split in set(whole.repairs["ticker"])
    # The later closes continue the past's scale: a spread formed before is traded after.
    joined = pd.concat([past.prices[split], future.prices[split]])
    assert np.log(joined).diff().abs().max() < 0.2
    assert future.prices[split].iloc[0] == pytest.approx(
        2 * whole.prices.loc[future.prices.index[0], split]
    )


@pytest.fixture
def filed(tmp_path):
    """A universe read from files, with a span of events over the cut."""
    table = toy.companies()
    table.reset_index().to_csv(tmp_path / "companies.csv", index=False)
    faulty(toy.prices(table), CUT).to_parquet(tmp_path / "prices.parquet")
    first = table.index[7]
    (tmp_path / "events.csv").write_text(
        f"ticker,date,kind,factor\n{first},2014-12-01,when_issued,\n"
        f"{first},2015-02-02,when_issued_end,\n"
    )
    places = (tmp_path / name for name in ("companies.csv", "prices.parquet"))
    return first, read_universe(*places, events=tmp_path / "events.csv")


def test_a_past_cannot_be_cut_later_nor_a_future_earlier(filed):
    _, universe = filed
    past, future = universe.cut(CUT)
    assert past.cut("2016-12-30").past.prices.index[-1] <= CUT
    assert future.cut("2016-12-30").past.prices.index[0] > CUT
    window = universe.between("2013-01-01", "2015-12-31")
    again = window.cut(CUT).past.prices.index
    assert again[0] >= pd.Timestamp("2013-01-01") and again[-1] <= CUT


def test_an_event_that_ends_after_the_cut_lasts_until_the_cut(filed):
    ticker, universe = filed
    december = universe.cut(CUT).past.prices.loc["2014-12-01":, ticker]
    assert len(december) > 20 and december.isna().all()


def test_a_cut_before_all_prices_has_no_past_prices(filed):
    _, universe = filed
    undated = universe.companies.assign(date=pd.NaT)
    early = replace(universe, companies=undated).cut("2001-01-01")
    assert early.past.prices.empty and not len(early.past.monthly)
