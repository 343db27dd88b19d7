"""Tables of volumes and of factors: layouts, and what is wrong with them."""

import pandas as pd
import pytest

from finsae.checks import DataError
from finsae.sources import read_factors, read_volume

DAYS = pd.DatetimeIndex(["2015-01-02", "2015-01-05"], name="date")


def test_volumes_long_and_wide_are_the_same(tmp_path):
    long, wide = tmp_path / "long.csv", tmp_path / "wide.csv"
    long.write_text(
        "Date,Ticker,Close,Volume\n2015-01-05,A,9,30\n2015-01-02,A,9,10\n2015-01-02,B,7,\n"
    )
    wide.write_text("date,A,B\n2015-01-02,10,\n2015-01-05,30,\n")
    expected = pd.DataFrame({"A": [10.0, 30.0], "B": float("nan")}, index=DAYS)
    pd.testing.assert_frame_equal(read_volume(long), expected)
    pd.testing.assert_frame_equal(read_volume(wide), expected)


def test_volumes_of_numbered_tickers_and_given_twice(tmp_path):
    path = tmp_path / "v.parquet"
    rows = {"date": ["2015-01-02", "2015-01-05"], "ticker": [700, 700], "volume": [1, 2]}
    pd.DataFrame(rows).to_parquet(path)
    assert read_volume(path)["700"].tolist() == [1.0, 2.0]
    pd.DataFrame(rows | {"ticker": ["A", " A"], "date": ["2015-01-02"] * 2}).to_parquet(path)
    with pytest.raises(DataError, match="volumes given twice: A on 2015-01-02"):
        read_volume(path)


def test_factors_are_read_from_parquet_with_dates_in_the_index(tmp_path):
    table = pd.DataFrame({"SMB": [0.01, -0.002]}, index=DAYS)
    table.to_parquet(tmp_path / "factors.parquet")
    pd.testing.assert_frame_equal(read_factors(tmp_path / "factors.parquet"), table)
    (tmp_path / "french.csv").write_text("date,SMB\n20150105,-0.002\n20150102,0.01\n")
    pd.testing.assert_frame_equal(read_factors(tmp_path / "french.csv"), table)


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (read_factors, "date,SMB\n2015-01-02,1.3\n", "write 1 % as 0.01"),
        (read_factors, "date,alpha\n2015-01-02,0.1\n", "name that column otherwise"),
        (read_factors, "date,SMB\n2015-01-02,x\n", "not numbers, on: 2015-01-02"),
        (read_factors, "dte,SMB\n2015-01-02,0.1\n", 'no column "date"'),
        (read_factors, "date\n2015-01-02\n", "no column of factor returns"),
        (read_volume, "date,A\n2015-01-02,-5\n", "volumes below zero, on: 2015-01-02"),
        (read_volume, "date,A\n2015-01-02,5\n2015-01-02,6\n", "occur twice: 2015-01-02"),
        (read_volume, "date,A\n02/01/2015,5\n", "not written as 2013-06-30"),
        (
            read_volume,
            "date,ticker,volume\n2015-01-02,A,5\n2015-01-02,A,6\n",
            "volumes given twice: A on 2015-01-02",
        ),
    ],
)
def test_what_is_wrong_is_named(read, text, said, tmp_path):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        read(tmp_path / "table.csv")
