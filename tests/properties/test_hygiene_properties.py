"""Price hygiene on prices that were made, so that the faults are known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finsae.checks import DataError
from finsae.sources.hygiene import repair

DAYS, COMPANIES = 260, 30
CHANGES = ["split", "wrong_close", "wrong_run", "repeated", "stale"]
few = settings(max_examples=15, deadline=None)
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
@given(seeds, st.floats(1.25, 20), st.booleans(), st.integers(30, DAYS - 30))
def test_one_day_wrong_close_is_put_right_or_gone(seed, factor, up, day):
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
