"""Price hygiene on prices that were made, so that the faults are known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from finsae.checks import DataError
from finsae.sources.hygiene import repair
from finsae.sources.jumps import Limits

DAYS, COMPANIES = 260, 30
CHANGES = ["split", "wrong_close", "wrong_run", "repeated", "stale"]
few = settings(max_examples=10, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def market(seed, days=DAYS, companies=COMPANIES, *, tails=5):
    """Closes that share a market and have moves with fat tails, or with none (tails=0)."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.006, 0.018, companies)
    if tails:
        own = rng.standard_t(tails, (days, companies)) * scale
    else:
        own = rng.uniform(-1.5, 1.5, (days, companies)) * scale
    common = rng.normal(0, 0.006, (days, 1)) * rng.uniform(0.8, 1.2, companies)
    closes = rng.uniform(20, 200, companies) * np.exp(np.cumsum(own + common, axis=0))
    dates = pd.bdate_range("2010-01-04", periods=days, name="date")
    return pd.DataFrame(closes, dates, [f"C{n}" for n in range(companies)])


def changed(log):
    return log[log["kind"].isin(CHANGES)]


@few
@given(seeds, st.floats(1.3, 20), st.booleans(), st.integers(30, DAYS - 30))
def test_one_day_wrong_close_is_put_right_or_gone(seed, factor, up, day):
    # From 1.3 on: the day's own move may take some of it away, and moves below 0.2 are left alone.
    true = market(seed, tails=0)
    wrong = true.copy()
    wrong.iloc[day, 3] *= factor if up else 1 / factor
    mended, log = repair(wrong)
    close = mended.iloc[day, 3]
    assert np.isnan(close) or abs(np.log(close / true.iloc[day, 3])) < 0.05
    rest = mended.mask(mended.isna(), true)
    rest.iloc[day, 3] = true.iloc[day, 3]
    pd.testing.assert_frame_equal(rest, true)
    assert log[["ticker", "date", "kind"]].values.tolist() == [
        ["C3", true.index[day], "wrong_close"]
    ]


@few
@given(seeds, st.sampled_from([2, 3, 4, 5, 10, 0.5, 1 / 3, 0.25, 0.1]), st.integers(30, DAYS - 30))
def test_split_that_was_not_adjusted_is(seed, ratio, day):
    true = market(seed, tails=0)
    wrong = true.copy()
    wrong.iloc[:day, 3] *= ratio
    mended, log = repair(wrong)
    pd.testing.assert_frame_equal(mended, true)
    assert log[["ticker", "date", "kind"]].values.tolist() == [["C3", true.index[day], "split"]]
    assert log["factor"].item() == pytest.approx(ratio)


@few
@given(seeds, st.sampled_from([2, 3, 0.5]), st.integers(30, DAYS - 40), st.integers(2, 12))
def test_wrong_run_at_a_split_ratio_is_put_right(seed, ratio, day, length):
    true = market(seed, tails=0)
    wrong = true.copy()
    wrong.iloc[day : day + length, 3] *= ratio
    mended, log = repair(wrong)
    pd.testing.assert_frame_equal(mended, true)
    assert log["kind"].tolist() == ["wrong_run"]


def test_true_moves_with_fat_tails_are_left_alone():
    """A million closes with tails as fat as those of daily returns: next to none is changed.

    Not none: of moves of twenty and more usual ones, which such tails have, some halve the price.
    """
    mended, log = repair(market(0, days=2500, companies=400, tails=4))
    assert len(changed(log)) <= 3
    assert not mended.isna().any(axis=None)


@few
@given(seeds)
def test_crash_and_rebound_of_a_company_that_does_such_things_stay(seed):
    """The same reversal is a fault in a calm company and a fact in a wild one."""
    true = market(seed)
    wild = np.random.default_rng(seed).normal(0, 0.06, DAYS)
    wild[100:102] = -0.3, 0.28
    true["WILD"] = 20 * np.exp(np.cumsum(wild))
    mended, _ = repair(true)
    pd.testing.assert_series_equal(mended["WILD"], true["WILD"])


def faulty(seed):
    prices = market(seed)
    rng = np.random.default_rng(seed)
    for column in range(6):
        prices.iloc[rng.integers(30, 230), column] *= rng.choice([0.1, 0.5, 0.7, 1.4, 3])
    prices.iloc[: rng.integers(60, 200), 7] *= 2
    prices.iloc[100:115, 8] = prices.iloc[100, 8]
    prices.iloc[rng.integers(30, 230), 9] = np.nan
    prices.iloc[:40, 10] = np.nan
    return prices


@few
@given(seeds)
@example(239)  # a split that shows only once the other faults are out of the market's move
def test_second_repair_changes_nothing(seed):
    once, _ = repair(faulty(seed))
    twice, log = repair(once)
    pd.testing.assert_frame_equal(twice, once)
    assert changed(log).empty


@few
@given(seeds)
def test_order_of_companies_is_irrelevant(seed):
    prices = faulty(seed)
    mended, log = repair(prices)
    shuffled = prices.sample(frac=1, axis=1, random_state=seed % 1000)
    again, same_log = repair(shuffled)
    pd.testing.assert_frame_equal(again[prices.columns], mended)
    pd.testing.assert_frame_equal(same_log, log)


def test_what_is_found_up_to_a_month_before_a_date_does_not_depend_on_what_follows_it():
    prices = faulty(1)
    later = prices.copy()
    later.iloc[200:] *= np.exp(np.random.default_rng(0).normal(0, 0.02, (60, 1)).cumsum(axis=0))
    (before, log), (after, other) = repair(prices), repair(later)
    early = prices.index[170]
    pd.testing.assert_frame_equal(log[log["date"] < early], other[other["date"] < early])
    moves = [np.log(p).diff().loc[:early] for p in (before, after)]
    pd.testing.assert_frame_equal(*moves)


def test_closes_repeated_by_many_companies_on_one_day_go_missing():
    prices = market(5, companies=200).round(2)
    struck = prices.columns[20:50]
    prices.loc[prices.index[150], struck] = prices.loc[prices.index[149], struck]
    mended, log = repair(prices)
    assert mended.iloc[150][struck].isna().all()
    assert mended.isna().sum().sum() < 35  # some companies stand still on their own that day
    assert set(struck) <= set(log.query("kind == 'repeated'")["ticker"])


def test_of_a_stretch_of_repeated_closes_only_the_stretch_goes_missing():
    """Companies that stand still elsewhere on the same day do so by themselves."""
    prices = market(5, companies=300)
    prices.columns = [f"C{n:03d}" for n in range(300)]
    stretch, alone = prices.columns[120:150], prices.columns[[5, 60, 222, 280]]
    day, before = prices.index[[150, 149]]
    for columns in (stretch, alone):
        prices.loc[day, columns] = prices.loc[before, columns]
    for shuffled in (prices, prices.sample(frac=1, axis=1, random_state=1)):
        mended, log = repair(shuffled)
        assert set(log.query("kind == 'repeated'")["ticker"]) == set(stretch)
        assert mended.isna().sum().sum() == len(stretch)


def test_repeated_closes_here_and_there_go_missing_everywhere():
    prices = market(5, companies=300)
    prices.columns = [f"C{n:03d}" for n in range(300)]
    scattered = prices.columns[::12]
    day, before = prices.index[[150, 149]]
    prices.loc[day, scattered] = prices.loc[before, scattered]
    assert set(repair(prices)[1].query("kind == 'repeated'")["ticker"]) == set(scattered)


def test_stale_run_keeps_its_first_close():
    prices = market(2)
    prices.iloc[50:70, 4] = prices.iloc[50, 4]
    mended, log = repair(prices)
    assert np.isfinite(mended.iloc[50, 4])
    assert mended.iloc[51:70, 4].isna().all()
    assert np.isfinite(mended.iloc[70, 4])
    assert log["kind"].tolist() == ["stale"]


def test_gap_stays_missing_and_is_listed():
    prices = market(3)
    prices.iloc[50:53, 4] = np.nan
    mended, log = repair(prices)
    pd.testing.assert_frame_equal(mended, prices)
    assert log[["kind", "action"]].values.tolist() == [["gap", "3 closes missing, left missing"]]


def test_jump_on_the_last_days_is_a_suspect_only():
    prices = market(4)
    prices.iloc[:-2, 4] *= 2  # may still turn out to be a takeover, or two wrong closes
    mended, log = repair(prices)
    pd.testing.assert_frame_equal(mended, prices)
    assert log["kind"].tolist() == ["suspect"]


def test_moves_the_events_file_confirms_stay():
    prices = market(4)
    prices.iloc[:100, 4] *= 2  # looks like a split
    prices.iloc[60, 5] *= 1.5  # looks like a wrong close
    days = prices.index[[100, 60, 61]]
    events = pd.DataFrame({"ticker": ["C4", "C5", "C5"], "date": days}).assign(
        kind="true_move", factor=1.0
    )
    assert sorted(repair(prices)[1]["kind"]) == ["split", "wrong_close"]
    mended, log = repair(prices, events)
    pd.testing.assert_frame_equal(mended, prices)
    assert log["kind"].tolist() == ["true_move"] * 3


def test_few_companies_have_no_market():
    prices = market(6)[["C1", "C2"]]
    wrong = prices.copy()
    wrong.iloc[100, 0] *= 10
    mended, log = repair(wrong)
    pd.testing.assert_frame_equal(mended, prices)
    assert log["kind"].tolist() == ["wrong_close"]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (5, 0), (1, 2), (3, 3)])
def test_next_to_nothing_is_repaired_to_itself(shape):
    dates = pd.bdate_range("2010-01-04", periods=shape[0], name="date")
    prices = pd.DataFrame(np.full(shape, 7.0), dates, [f"C{n}" for n in range(shape[1])])
    mended, log = repair(prices)
    pd.testing.assert_frame_equal(mended, prices)
    assert log.columns.tolist() == ["ticker", "date", "kind", "factor", "action"]


def test_closes_that_cannot_be_are_refused():
    prices = market(0)
    for wrong in (0.0, -3.0, np.inf):
        broken = prices.copy()
        broken.iloc[5, 2] = wrong
        with pytest.raises(DataError, match="C2 has"):
            repair(broken)
    with pytest.raises(DataError, match="increase"):
        repair(prices[::-1])
    with pytest.raises(DataError, match="unique"):
        repair(prices[["C1", "C1"]])


def test_events_are_no_part_of_the_markets_move():
    """Most companies split on one day, as the events file says: the market did not halve."""
    true = market(7)
    wrong, day = true.copy(), 130
    split = list(true.columns[:20])
    wrong.loc[wrong.index < wrong.index[day], split] *= 2
    events = pd.DataFrame(
        {"ticker": split, "date": true.index[day], "kind": "split", "factor": 2.0}
    )
    mended, log = repair(wrong, events)
    pd.testing.assert_frame_equal(mended, true)
    assert set(log["kind"]) == {"split"} and len(log) == len(split)
    assert log["ticker"].tolist() == sorted(split)


@few
@given(seeds, st.integers(60, DAYS - 60), st.floats(1.5, 12))
def test_swapped_tickers_are_listed_and_not_taken_for_a_split(seed, day, apart):
    prices = market(seed, tails=0)
    prices["C4"] *= apart * prices["C3"].iloc[day] / prices["C4"].iloc[day]
    wrong = prices.copy()
    wrong.loc[wrong.index[day] :, ["C3", "C4"]] = prices.loc[
        prices.index[day] :, ["C4", "C3"]
    ].to_numpy()
    mended, log = repair(wrong)
    pd.testing.assert_frame_equal(mended, wrong)
    assert log[["ticker", "date", "kind"]].values.tolist() == [
        [ticker, prices.index[day], "swapped"] for ticker in ("C3", "C4")
    ]
    assert "takes the level of C4" in log["action"].iloc[0]


def test_a_day_that_repeats_the_day_before_goes_missing_whole():
    prices = market(8)
    prices.iloc[120] = prices.iloc[119]
    mended, log = repair(prices)
    assert mended.iloc[120].isna().all()
    assert mended.drop(index=prices.index[120]).notna().all(axis=None)
    assert set(log["kind"]) == {"repeated"} and len(log) == COMPANIES


def test_a_day_that_repeats_an_earlier_one_is_listed():
    prices = market(9)
    prices.iloc[120] = prices.iloc[115]
    mended, log = repair(prices)
    listed = log[log["kind"] == "duplicate"]
    assert len(listed) == COMPANIES and (listed["date"] == prices.index[120]).all()
    assert f"{prices.index[115]:%Y-%m-%d}" in listed["action"].iloc[0]
    pd.testing.assert_frame_equal(mended, prices)


def test_a_short_run_of_equal_closes_is_listed():
    prices = market(2)
    prices.iloc[50:56, 4] = prices.iloc[50, 4]
    mended, log = repair(prices)
    pd.testing.assert_frame_equal(mended, prices)
    assert log[["ticker", "date", "kind"]].values.tolist() == [["C4", prices.index[51], "equal"]]


@few
@given(seeds, st.floats(0.15, 0.27), st.integers(40, DAYS - 40))
def test_a_spin_off_is_a_suspect_and_no_split(seed, given_away, day):
    prices = market(seed, tails=0)
    calm = prices.pow(0.4)  # a fall of 15 % is twenty usual moves in a calm company
    calm.iloc[day:, 3] *= 1 - given_away - 0.03
    mended, log = repair(calm)
    pd.testing.assert_frame_equal(mended, calm)
    assert log[["ticker", "date", "kind"]].values.tolist() == [["C3", calm.index[day], "suspect"]]


def test_a_bid_of_half_the_price_is_no_split():
    """After it the company hardly moves; after a split it moves as before."""
    prices, day = market(3, tails=0).pow(0.5), 130
    level = prices.iloc[day - 1, 3] * 1.5
    split, bid = prices.copy(), prices.copy()
    split.iloc[:day, 3] /= 1.5 * prices.iloc[day - 1, 3] / prices.iloc[day, 3]
    still = np.random.default_rng(0).normal(0, 0.0004, DAYS - day)
    bid.iloc[day:, 3] = level * np.exp(np.cumsum(still))
    assert repair(split)[1]["kind"].tolist() == ["split"]
    assert repair(bid)[1]["kind"].tolist() == ["suspect"]


def restless(power):
    """Closes of which C5 moves so many times as much as it did."""
    prices = market(4, tails=0)
    prices["C5"] = 40 * (prices["C5"] / 40).pow(power)
    return prices


def test_a_reversal_too_small_to_prove_a_fault_is_a_suspect():
    prices = restless(2.5)
    prices.iloc[100, 5] *= 1.24  # seven usual moves
    mended, log = repair(prices)
    pd.testing.assert_frame_equal(mended, prices)
    assert log[["ticker", "date", "kind"]].values.tolist() == [["C5", prices.index[100], "suspect"]]


def test_a_reversal_of_nine_usual_moves_is_a_fault_if_it_is_exact_and_lasts_a_day():
    exact, rough, longer = restless(2), restless(2), restless(2)
    exact.iloc[100, 5] *= 1.22
    assert repair(exact)[1]["kind"].tolist() == ["wrong_close"]
    rough.iloc[100, 5] *= 1.24
    rough.iloc[101:, 5] *= 1.02
    longer.iloc[100:102, 5] *= 1.22
    for prices in (rough, longer):
        mended, log = repair(prices)
        pd.testing.assert_frame_equal(mended, prices)
        assert set(log["kind"]) <= {"suspect"}
    assert repair(exact, limits=Limits(exact=10.0))[1]["kind"].tolist() == ["suspect"]


@pytest.mark.parametrize(
    ("ratio", "kind"),
    [(2, "suspect"), (3, "suspect"), (5, "suspect"), (10, "split"), (1 / 3, "suspect"),
     (1 / 2, "suspect"), (1 / 4, "split"), (1 / 10, "split")],
)  # fmt: skip
def test_only_the_largest_jumps_of_a_restless_company_are_splits(ratio, kind):
    true = restless(2.8)
    wrong = true.copy()
    wrong.iloc[:120, 5] *= ratio
    mended, log = repair(wrong)
    assert log[["ticker", "date", "kind"]].values.tolist() == [["C5", true.index[120], kind]]
    pd.testing.assert_frame_equal(mended, true if kind == "split" else wrong)
    calm = repair(wrong, limits=Limits(calm=0.1))[0]
    pd.testing.assert_frame_equal(calm, true)


@pytest.mark.parametrize(("ratio", "kind"), [(2, "suspect"), (4, "suspect"), (5, "split")])
def test_a_lively_week_after_a_fall_is_the_echo_of_news_unless_the_fall_is_too_large(ratio, kind):
    true = market(4, tails=0)
    week = np.array([0.05, -0.05, 0.06, -0.06, 0.05])
    true.iloc[121:126, 5] *= np.exp(np.cumsum(week))
    true.iloc[126:, 5] *= np.exp(week.sum())
    wrong = true.copy()
    wrong.iloc[:120, 5] *= ratio
    mended, log = repair(wrong)
    assert ["C5", true.index[120], kind] in log[["ticker", "date", "kind"]].values.tolist()
    pd.testing.assert_frame_equal(mended, true if kind == "split" else wrong)
    assert "split" in repair(wrong, limits=Limits(quiet=20.0))[1]["kind"].tolist()


@few
@given(seeds, st.sampled_from([8, 12, 25, 200]), st.floats(-0.25, 0.25), st.integers(60, DAYS - 30))
def test_a_reverse_split_of_a_restless_company_is_one_whatever_its_ratio(seed, ratio, news, day):
    true = market(seed)
    rng = np.random.default_rng(seed)
    true["C3"] = 2 * np.exp(np.cumsum(rng.standard_t(3, DAYS).clip(-6, 6) * 0.05))
    true.iloc[day:, 3] *= np.exp(news)
    wrong = true.copy()
    wrong.iloc[:day, 3] /= ratio
    before, after = wrong.iloc[day - 5 : day, 3].median(), wrong.iloc[day : day + 5, 3].median()
    rise = np.log(wrong.iloc[day, 3] / wrong.iloc[day - 1, 3])
    if rise < np.log(5.5) or np.log(after / before) < 0.6 * rise:
        return  # a fall of the same day hides it
    mended, log = repair(wrong)
    assert ["C3", true.index[day], "split"] in log[["ticker", "date", "kind"]].values.tolist()
    moves = np.log(mended["C3"]).diff().abs()
    assert moves.iloc[day] < 0.6  # of a rise to five times and more nothing is left but the news


def test_only_the_kinds_asked_for_are_looked_for():
    prices = faulty(3)
    _, log = repair(prices)
    assert {"wrong_close", "stale", "gap", "split"} <= set(log["kind"])
    mended, log = repair(prices, limits=Limits(kinds=("stale", "gap")))
    assert set(log["kind"]) == {"stale", "gap"}
    moved = (mended != prices) & mended.notna()
    assert not moved.to_numpy().any()
    with pytest.raises(DataError, match=r'"splitt".*did you mean "split"'):
        Limits(kinds=("splitt",))
