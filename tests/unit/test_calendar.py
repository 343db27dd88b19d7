"""Trading days from closes: what is left out, what is kept, what is said."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finsae.checks import DataError
from finsae.sources import PriceFile, open_prices
from finsae.sources.calendar import spacing, trading_days

NAMES = ["A", "B", "C", "D", "E", "F"]


def walk(days, names=NAMES, seed=0):
    moves = np.random.default_rng(seed).normal(0, 0.01, (len(days), len(names)))
    return pd.DataFrame(50 * np.exp(moves.cumsum(axis=0)), pd.DatetimeIndex(days), names)


def weekdays(first="2012-01-02", periods=120):
    return pd.bdate_range(first, periods=periods)


def test_a_clean_market_is_left_as_it_is():
    closes = walk(weekdays())
    kept, notes = trading_days(closes)
    pd.testing.assert_frame_equal(kept, closes)
    assert notes == []


def test_a_holiday_is_a_day_on_which_nearly_nothing_trades():
    closes = walk(weekdays(), names=[f"T{n}" for n in range(40)])
    closes.iloc[30] = np.nan
    closes.iloc[31, 1:] = np.nan  # one close of forty
    closes.iloc[32, 3:] = np.nan  # three of forty: somebody trades
    kept, notes = trading_days(closes)
    assert closes.index.difference(kept.index).tolist() == closes.index[30:32].tolist()
    assert notes == [
        "2 days on which nearly nothing trades left out: 2012-02-13, 2012-02-14",
    ]


def test_companies_that_are_not_listed_yet_do_not_make_a_holiday():
    closes = walk(weekdays(), names=[f"T{n}" for n in range(40)])
    closes.iloc[:60, 6:] = np.nan
    assert trading_days(closes).notes == []


def test_a_gap_of_a_few_companies_is_no_holiday():
    closes = walk(weekdays(), names=["A", "B"])
    closes.iloc[30] = np.nan
    assert len(trading_days(closes).closes) == len(closes)


def test_weekends_filled_with_fridays_closes_are_left_out():
    closes = walk(weekdays(periods=100))
    daily = closes.asfreq("D").ffill()
    kept, notes = trading_days(daily)
    pd.testing.assert_frame_equal(kept, closes, check_freq=False)
    assert notes[0].startswith("38 days of a weekend with the closes of the day before left out")


def test_a_special_session_on_a_saturday_is_kept_and_said():
    days = weekdays().append(pd.DatetimeIndex(["2012-03-03"])).sort_values()
    kept, notes = trading_days(walk(days))
    assert len(kept) == len(days)
    assert notes == [
        "1 day of weekends on which this market trades (special sessions?): 2012-03-03"
    ]


def test_days_on_which_all_closes_stand_still_are_left_to_hygiene():
    closes = walk(weekdays())
    closes.iloc[40] = closes.iloc[39]
    assert len(trading_days(closes).closes) == len(closes)


def test_a_week_from_sunday_to_thursday_is_a_market_and_is_said():
    days = pd.date_range("2012-01-01", periods=120, freq="D")
    days = days[~days.day_of_week.isin([4, 5])]
    kept, notes = trading_days(walk(days))
    assert len(kept) == len(days)
    assert len(notes) == 1 and notes[0].startswith("closes on Sundays and none on Fridays")


def test_long_gaps_are_said():
    days = weekdays()
    days = days[(days < "2012-03-01") | (days > "2012-03-20")]
    assert trading_days(walk(days)).notes == ["no rows for 21 days, 2012-02-29 to 2012-03-21"]


def test_unsorted_and_repeated_days_are_refused():
    closes = walk(weekdays())
    for wrong in (closes[::-1], pd.concat([closes, closes.iloc[-1:]])):
        with pytest.raises(DataError, match="not increasing, each once"):
            trading_days(wrong)


def test_spacing():
    assert spacing(weekdays()) == "daily"
    assert spacing(pd.date_range("2012-01-06", periods=9, freq="W")) == "weekly"
    assert spacing(pd.date_range("2012-01-31", periods=9, freq="ME")) == "monthly"
    assert spacing(pd.DatetimeIndex(["2012-01-31", "2012-02-29"])) == "daily"


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), holes=st.floats(0, 0.6), late=st.integers(0, 60))
def test_no_close_is_moved_altered_or_lost_but_on_days_left_out(seed, holes, late):
    closes = walk(weekdays(periods=80), names=[f"T{n}" for n in range(8)], seed=seed)
    draw = np.random.default_rng(seed)
    closes = closes.mask(draw.random(closes.shape) < holes)
    closes.iloc[:late, 4:] = np.nan
    kept, _ = trading_days(closes)
    pd.testing.assert_frame_equal(kept, closes.loc[kept.index], check_freq=False)
    left_out = closes.drop(index=kept.index)
    assert left_out.notna().sum(axis=1).max() < 1 if len(left_out) else True
    again, notes = trading_days(kept)
    assert len(again) == len(kept) and not [n for n in notes if "left out" in n]


# Time zones ---------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    def written(table, name="p.csv"):
        table.to_csv(tmp_path / name) if name.endswith("csv") else table.to_parquet(tmp_path / name)
        return tmp_path / name

    return written


def stamped(local, utc):
    closes = walk(weekdays(), names=["A", "B"])
    index = closes.index.tz_localize(local)
    return closes, closes.set_axis(index.tz_convert("UTC") if utc else index).rename_axis("date")


@pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
@pytest.mark.parametrize("local", ["Asia/Tokyo", "America/New_York", "Europe/London", "UTC"])
def test_midnight_of_the_market_is_its_own_day(file, local, name):
    closes, table = stamped(local, utc=False)
    found = open_prices(file(table, name)).market.closes
    pd.testing.assert_frame_equal(found, closes, check_names=False, check_freq=False,
                                  check_index_type=False)  # fmt: skip


@pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
def test_tokyo_in_utc_is_refused_and_read_with_its_zone(file, name):
    closes, table = stamped("Asia/Tokyo", utc=True)
    path = file(table, name)
    with pytest.raises(DataError, match=r"in UTC and fall on weekends.*--zone Asia/Tokyo"):
        open_prices(path)
    found = open_prices(PriceFile(path, zone="Asia/Tokyo")).market.closes
    pd.testing.assert_frame_equal(found, closes, check_names=False, check_freq=False,
                                  check_index_type=False)  # fmt: skip
    with pytest.raises(DataError, match='no time zone "Tokio"'):
        open_prices(PriceFile(path, zone="Tokio"))


@pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
def test_new_york_in_utc_and_closing_times_keep_their_day(file, name):
    closes, table = stamped("America/New_York", utc=True)  # 04:00 and 05:00 of the same day
    late = table.set_axis(table.index + pd.Timedelta(hours=16))  # the close, in UTC
    for given_ in (table, late):
        for zone in (None, "America/New_York"):
            found = open_prices(PriceFile(file(given_, name), zone=zone)).market.closes
            assert found.index.tolist() == closes.index.tolist()


@pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
def test_a_summer_in_utc_is_refused_though_the_winter_is_right(file, name):
    closes, table = stamped("Europe/London", utc=True)  # 23:00 of the day before, from March on
    assert {*table.index.hour} == {0, 23}
    path = file(table, name)
    with pytest.raises(DataError, match="in UTC and fall on weekends"):
        open_prices(path)
    found = open_prices(PriceFile(path, zone="Europe/London")).market.closes
    assert found.index.tolist() == closes.index.tolist()


def test_a_zone_leaves_plain_days_alone(file):
    closes = walk(weekdays(), names=["A", "B"]).rename_axis("date")
    found = open_prices(PriceFile(file(closes), zone="Asia/Tokyo")).market.closes
    assert found.index.tolist() == closes.index.tolist()
