import numpy as np
import pandas as pd
import pytest

from finsae.checks import DataError
from finsae.universe import Universe, monthly_returns


@pytest.fixture
def universe():
    days = pd.bdate_range("2019-12-02", "2020-06-30")
    prices = pd.DataFrame(
        {"A": np.linspace(10, 20, len(days)), "B": np.linspace(30, 15, len(days))}, index=days
    )
    companies = pd.DataFrame(
        {
            "description": ["a", "b", "c"],
            "date": ["2020-01-10", None, "2020-05-10"],
            "sic": ["0100", None, "2834"],
        },
        index=["A", "B", "C"],
    )
    repairs = pd.DataFrame(
        [
            ["A", "2020-02-03", "tick", 1.1, "repaired"],
            ["A", "2020-05-04", "tick", 1.1, "repaired"],
        ],
        columns=["ticker", "date", "kind", "factor", "action"],
    )
    return Universe.build(companies, prices, repairs=repairs)


def test_missing_optional_columns_are_added_empty():
    made = Universe.build(pd.DataFrame({"description": ["x"]}, index=["A"]))
    assert list(made.companies.columns) == ["description", "name", "sic", "cik", "date"]
    assert made.companies["date"].isna().all() and made.prices.empty and made.monthly.empty


def test_monthly_returns_are_of_whole_months_and_telescope(universe):
    assert list(universe.monthly.index.strftime("%Y-%m-%d")) == [
        "2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30", "2020-05-31", "2020-06-30",
    ]  # fmt: skip
    first = universe.prices["A"].loc[:"2019-12-31"].iloc[-1]
    total = np.log(universe.prices["A"].iloc[-1] / first)
    assert universe.monthly["A"].sum() == pytest.approx(total)


def test_a_last_month_that_is_cut_short_is_left_out():
    days = pd.bdate_range("2020-01-01", "2020-03-18")
    prices = pd.DataFrame({"A": 1.0 + np.arange(len(days))}, index=days)
    assert list(monthly_returns(prices).index.month) == [2]


def test_a_month_without_a_close_is_missing_and_so_is_the_next():
    days = pd.bdate_range("2020-01-01", "2020-05-29")
    prices = pd.DataFrame({"A": 1.0 + np.arange(len(days))}, index=days)
    prices.loc["2020-03", "A"] = np.nan
    assert monthly_returns(prices)["A"].isna().tolist() == [False, True, True, False]


def test_cut_leaves_nothing_on_both_sides(universe):
    past, future = universe.cut("2020-03-31")
    assert past.prices.index[-1] < future.prices.index[0]
    assert len(past.prices) + len(future.prices) == len(universe.prices)
    assert len(past.monthly) + len(future.monthly) == len(universe.monthly)
    assert past.monthly.index[-1] <= pd.Timestamp("2020-03-31") < future.monthly.index[0]
    assert len(past.repairs) == len(future.repairs) == 1


def test_a_month_that_straddles_the_cut_is_on_neither_side(universe):
    past, future = universe.cut("2020-03-15")
    assert past.monthly.index[-1] == pd.Timestamp("2020-02-29")
    assert future.monthly.index[0] == pd.Timestamp("2020-04-30")


def test_companies_described_after_the_cut_are_in_neither_side(universe):
    past, future = universe.cut("2020-03-31")
    assert list(past.companies.index) == list(future.companies.index) == ["A", "B"]


def test_a_cut_before_every_description_says_so(universe):
    early = Universe.build(universe.companies.loc[["A", "C"]], universe.prices)
    with pytest.raises(DataError, match="choose a later cut"):
        early.cut("2019-12-31")
    with pytest.raises(DataError, match="cannot read the date"):
        universe.cut("June")


def test_select_and_between_keep_what_is_asked(universe):
    assert list(universe.select(["B"]).prices.columns) == ["B"]
    with pytest.raises(DataError, match="unknown tickers: Z"):
        universe.select(["A", "Z"])
    part = universe.between("2020-02-01", "2020-04-15")
    assert list(part.monthly.index.month) == [2, 3]
    assert part.prices.index[0] >= pd.Timestamp("2020-02-01")
    assert len(part.daily()) == len(part.prices) - 1


def test_altering_what_comes_after_the_cut_changes_nothing_before_it(universe):
    past, _ = universe.cut("2020-03-31")
    altered = universe.prices.copy()
    altered.loc["2020-04-01":] *= 7.0
    again, _ = Universe.build(universe.companies, altered, repairs=universe.repairs).cut(
        "2020-03-31"
    )
    pd.testing.assert_frame_equal(past.prices, again.prices)
    pd.testing.assert_frame_equal(past.monthly, again.monthly)
