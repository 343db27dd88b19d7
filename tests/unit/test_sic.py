"""SIC codes as they come, and of the day they were in force."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finsae.checks import DataError
from finsae.cluster import division, fama_french, industry_group, major_group
from finsae.sources import codes_as_of, read_codes, read_universe
from finsae.sources.companies import UNDATED
from finsae.sources.sic import as_sic

# Codes that the SEC gives out and the 1987 manual does not have: whole groups and its own.
ROLLED_UP = ["0100", "0200", "0700", "0800", "0900", "1000", "2000", "2800", "3570", "4400"]
OWN = ["6189", "6770", "6795", "8888", "9995", "9721", "8880"]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([100, 3711, 971]),
        pd.Series([100.0, 3711.0, 971.0]),
        pd.Series(["100", "3711", "971"]),
        pd.Series(["0100", " 3711 ", "0971"]),
        pd.Series(["100.0", "3711.0", "0971"]),
        pd.Series([100, 3711, 971], dtype="Int64"),
        pd.Series(["0100", "3711", "0971"], dtype="category"),
    ],
)
def test_codes_are_four_digits_however_they_were_held(column):
    found = as_sic(column)
    assert found.sic.tolist() == ["0100", "3711", "0971"] and not found.wrong.any()


def test_restored_zeros_are_noted_and_missing_codes_are_none(tmp_path):
    path = tmp_path / "c.parquet"
    table = pd.DataFrame({"ticker": list("ABCD"), "description": "Text.",
                          "sic": [100.0, 3711.0, None, 0.0]})  # fmt: skip
    table.to_parquet(path)
    universe = read_universe(path)
    assert universe.companies["sic"].tolist() == ["0100", "3711", None, None]
    assert universe.provenance["notes"] == [
        "c.parquet: SIC codes that had lost their leading zero were restored (1): A 0100"
    ]


@pytest.mark.parametrize(
    "code", ["28", "371", "5", "12345", "28x1", "-100", "1e3", "28.5", "\uff13\uff17\uff11\uff11"]
)
def test_what_is_no_code(code):
    found = as_sic(pd.Series([code]))
    assert found.wrong.tolist() == [True] and found.sic.tolist() == [None]


def test_the_secs_own_codes_are_accepted_everywhere(tmp_path):
    rows = "".join(f"T{code},Text.,{code}\n" for code in ROLLED_UP + OWN)
    path = tmp_path / "c.csv"
    path.write_text("ticker,description,sic\n" + rows)
    sic = read_universe(path).companies["sic"]
    assert sic.tolist() == ROLLED_UP + OWN
    letters = division(sic)
    assert letters.loc[["T0100", "T2800", "T3570", "T6770", "T9995"]].tolist() == [*"ADDHJ"]
    assert letters.loc[["T8880", "T8888"]].isna().all()  # 88 is private households
    assert major_group(sic).loc["T2800"] == "28" and major_group(sic).loc["T8888"] is None
    assert industry_group(sic).loc[["T0100", "T2800", "T6770"]].tolist() == ["010", "280", "677"]
    for scheme in (5, 10, 12, 17, 30, 38, 48, 49):
        fama_french(sic, scheme)
    assert fama_french(sic, 48).loc[["T0100", "T2800", "T6770"]].tolist() == [
        "Agric", "Chems", "Fin",
    ]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.integers(100, 9999))
def test_a_number_and_its_text_are_the_same_code(number):
    one, two = as_sic(pd.Series([number])), as_sic(pd.Series([f"{number:04d}"]))
    if not one.wrong.any():
        assert one.sic.tolist() == two.sic.tolist() == [f"{number:04d}"]
    else:  # 300 is no code of agriculture, and what it was nobody knows
        assert number < 1000 and f"{number:04d}"[:2] not in ("01", "02", "07", "08", "09")


CODES = "ticker,date,sic\nA,1990-01-01,3711\nA,2005-06-30,7372\nB,2010-01-01,100\nA,2012-01-01,\n"


@pytest.fixture
def codes(tmp_path):
    path = tmp_path / "codes.csv"
    path.write_text(CODES)
    return path


def test_the_code_of_a_filing_is_that_of_its_day(codes):
    table = read_codes(codes)
    for ticker, day, sic in (
        ("A", "2005-06-29", "3711"), ("A", "2005-06-30", "7372"), ("A", "1989-12-31", None),
        ("A", "2013-01-01", None), ("B", "2011-01-01", "0100"), ("B", None, "0100"),
        ("C", "2011-01-01", None),
    ):  # fmt: skip
        found = codes_as_of(table, pd.Series([pd.Timestamp(day)], index=[ticker]))
        assert found.tolist() == [sic], (ticker, day)


def test_codes_of_a_file_of_their_own(codes, tmp_path):
    path = tmp_path / "c.csv"
    path.write_text(
        "ticker,description,date,sic\nB,Text.,2009-12-31,9999\nA,Text.,2006-01-01,9999\n"
    )
    assert read_universe(path, codes=codes).companies["sic"].tolist() == [None, "7372"]


def test_several_rows_of_a_company_with_dated_codes(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text(
        "ticker,description,date,sic,sic_date\nA,Text.,2006-01-01,7372,2005-06-30\n"
        "A,Text.,2006-01-01,3711,1990-01-01\nA,Text.,2006-01-01,6770,2010-01-01\n"
        "B,Text.,2006-01-01,6770,2024-01-01\nC,Text.,2006-01-01,2834,\n"
    )
    universe = read_universe(path)
    assert universe.companies["sic"].to_dict() == {"A": "7372", "B": None, "C": "2834"}
    assert universe.provenance["notes"] == [
        "c.csv: companies whose codes are all of a later day than their description have none "
        "(1): B"
    ]


def test_dated_codes_that_contradict_each_other(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text(
        "ticker,description,sic,sic_date\nA,Text.,7372,2005-06-30\nA,Text.,3711,2005-06-30\n"
        "B,One.,3711,2005-01-01\nB,Two.,3711,2006-01-01\n"
    )
    with pytest.raises(DataError) as error:
        read_universe(path)
    assert error.value.problems == [
        "c.csv: rows whose ticker occurs more than once (B): 3, 4" + UNDATED,
        "c.csv: companies with two codes on the same sic_date: A",
    ]
    path.write_text(
        "ticker,date,sic\nA,2005-06-30,7372\nA,2005-06-30,3711\nB,soon,28\n,2005-06-30,1000\n"
    )
    with pytest.raises(DataError) as error:
        read_codes(path)
    assert error.value.problems == [
        "c.csv: rows without a ticker, on: 2005-06-30",
        "c.csv: dates that are not written as 2013-06-30: B on soon",
        "c.csv: codes that are not SIC codes of four digits: B on soon",
        "c.csv: days with two codes: A on 2005-06-30",
    ]
    path.write_text("ticker,day,sic\nA,2005-06-30,7372\n")
    with pytest.raises(DataError, match='no column "date"'):
        read_codes(path)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 40), st.integers(1000, 9999)),
             min_size=1, max_size=12, unique_by=lambda row: row[:2]),
    st.integers(-5, 45),
)  # fmt: skip
def test_nothing_dated_later_changes_the_code_of_a_day(rows, day):
    start = pd.Timestamp("2010-01-01")
    table = pd.DataFrame(
        {"ticker": [r[0] for r in rows], "date": [start + pd.Timedelta(days=r[1]) for r in rows],
         "sic": [str(r[2]) for r in rows]}
    )  # fmt: skip
    asked = pd.Series([start + pd.Timedelta(days=day)] * 2, index=["A", "B"])
    known = table[table["date"] <= asked.iloc[0]]
    found = codes_as_of(table, asked)
    for ticker in "AB":
        mine = known[known["ticker"] == ticker].sort_values("date")
        assert found[ticker] == (mine["sic"].iloc[-1] if len(mine) else None)


def test_codes_of_a_crsp_file_by_permno(tmp_path):
    codes = tmp_path / "crsp.csv"
    codes.write_text(
        "PERMNO,date,TICKER,RET,PRC,SICCD\n7,20050103,AAA,C,20,100\n7,20050104,AAA,0.1,22,100\n"
        "7,20050105,AAA,0.1,24.2,7372\n8,20050103,BBB,C,5,0\n"
    )
    assert read_codes(codes).to_numpy().tolist() == [
        ["7", pd.Timestamp("2005-01-03"), "0100"],
        ["7", pd.Timestamp("2005-01-05"), "7372"],
        ["8", pd.Timestamp("2005-01-03"), None],
    ]
    path = tmp_path / "c.csv"
    path.write_text(
        "ticker,description,date,permno\nX,Text.,2005-01-04,7\nY,Text.,2005-02-01,8\n"
        "Z,Text.,2006-01-01,7\n"
    )
    assert read_universe(path, codes=codes).companies["sic"].tolist() == ["0100", None, "7372"]
