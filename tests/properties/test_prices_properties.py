"""What holds for any prices: order, layout and format of a file change nothing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finsae.sources.crsp import read_crsp
from finsae.sources.prices import clean_prices
from finsae.sources.returns import Returns, monthly_log_returns, wealth

FEW = settings(max_examples=8, deadline=None)


def history(seed, days=30, companies=3, missing=0.2):
    """Returns and prices of a few companies, some missing, each ending when it likes."""
    draw = np.random.default_rng(seed)
    dates = pd.bdate_range("2012-01-02", periods=days)
    rows = []
    for company in range(companies):
        price = 20.0
        for number, day in enumerate(dates[: draw.integers(3, days + 1)]):
            ret = float(np.clip(draw.normal(0, 0.03), -0.5, 0.5))
            if number == 0 or draw.random() < missing:
                known = number == 0
                rows.append((str(100 + company), day, np.nan, price if known else np.nan))
                continue
            price *= 1 + ret
            rows.append((str(100 + company), day, ret, price))
    return pd.DataFrame(rows, columns=["permno", "date", "ret", "prc"])


def ciz(table):
    return table.rename(columns={"date": "dlycaldt", "ret": "dlyret", "prc": "dlyprc"})


@FEW
@given(st.integers(0, 10_000))
def test_wealth_compounds_the_returns_it_was_made_of(seed):
    table = history(seed)
    index, notes = wealth(read_crsp(table, "f"))
    assert notes == []
    for permno, rows in table.groupby("permno"):
        mine = index[permno].dropna()
        known = rows.dropna(subset="ret")
        expected = rows["prc"].iloc[0] * (1 + known["ret"]).prod()
        assert mine.iloc[-1] == pytest.approx(expected)
        assert mine.pct_change().iloc[1:].to_numpy() == pytest.approx(known["ret"].to_numpy())


@FEW
@given(st.integers(0, 10_000))
def test_the_order_of_rows_repeated_rows_and_the_format_change_nothing(seed):
    table = history(seed)
    known, _ = wealth(read_crsp(table, "f"))
    shuffled = table.sample(frac=1, random_state=seed)
    twice = pd.concat([shuffled, table.sample(3, random_state=seed)])
    upper = table.rename(columns=str.upper)
    for other in (shuffled, twice, upper, ciz(table)):
        read = read_crsp(other, "f")
        assert read.problems == []
        pd.testing.assert_frame_equal(wealth(read)[0], known)


@FEW
@given(st.integers(0, 10_000), st.floats(-0.95, 0.5))
def test_a_delisting_return_is_the_same_in_both_formats(seed, dlret):
    table = history(seed, companies=1, missing=0.0)
    last = table.index[-1]
    legacy = table.assign(dlret=np.nan)
    legacy.loc[last, "dlret"] = dlret
    new = table.copy()
    new.loc[last, "ret"] = (1 + new.loc[last, "ret"]) * (1 + dlret) - 1
    pd.testing.assert_frame_equal(
        wealth(read_crsp(legacy, "f"))[0], wealth(read_crsp(ciz(new), "f"))[0]
    )


@FEW
@given(st.integers(0, 10_000))
def test_a_sign_of_prices_or_a_split_factor_changes_no_return(seed):
    table = history(seed)
    known, _ = wealth(read_crsp(table, "f"))
    draw = np.random.default_rng(seed)
    quoted = table.assign(prc=table["prc"] * draw.choice([-1, 1], len(table)), cfacpr=2.0)
    pd.testing.assert_frame_equal(wealth(read_crsp(quoted, "f"))[0], known)


@FEW
@given(st.integers(0, 10_000))
def test_monthly_returns_are_those_of_the_file(seed):
    draw = np.random.default_rng(seed)
    months = pd.date_range("2011-01-31", periods=14, freq="ME")
    values = draw.uniform(-0.9, 1.5, len(months))
    table = pd.DataFrame({"key": "A", "day": months, "ret": values})
    found = monthly_log_returns(Returns(table, True, "", [], []))
    assert np.expm1(found["A"].to_numpy()) == pytest.approx(values)


@FEW
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3]))
def test_long_and_wide_are_the_same_market(seed, holes):
    draw = np.random.default_rng(seed)
    days = pd.bdate_range("2012-01-02", periods=25, name="date")
    wide = pd.DataFrame(draw.uniform(5, 50, (25, 3)), days, list("ABC"))
    wide = wide.mask(draw.random(wide.shape) < holes)
    wide.iloc[[0, -1]] = 7.0
    long = wide.reset_index().melt("date", var_name="ticker", value_name="close")
    one = clean_prices(wide.reset_index().sample(frac=1, random_state=seed), "f")
    two = clean_prices(long.sample(frac=1, random_state=seed), "f")
    assert one.problems == two.problems == []
    pd.testing.assert_frame_equal(
        one.closes[list("ABC")], two.closes[list("ABC")], check_index_type=False, check_freq=False
    )
    again = clean_prices(two.long(), "f")
    written = two.closes[list("ABC")].dropna(how="all")  # a long table has no empty days
    pd.testing.assert_frame_equal(again.closes[list("ABC")], written)
