"""Bring-your-own files: what is read, and what is said when it cannot be."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finsae.checks import DataError
from finsae.sources import read_labels, read_prices, read_universe

COMPANIES = 'ticker,description\nAAA,"Makes steel, and sells it."\nBBB,Runs trains.\n'
PRICES = "date,AAA,BBB\n2013-01-02,10,20\n2013-01-03,10.5,\n2013-01-04,11,21\n"


@pytest.fixture
def write(tmp_path):
    def written(name, content):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content, encoding="utf-8")
        return path

    return written


def problems(function, *args, **kwargs):
    with pytest.raises(DataError) as error:
        function(*args, **kwargs)
    return error.value.problems


def test_companies_with_only_what_is_required(write):
    universe = read_universe(write("c.csv", COMPANIES))
    assert universe.companies.index.tolist() == ["AAA", "BBB"]
    assert universe.companies["description"].tolist() == [
        "Makes steel, and sells it.",
        "Runs trains.",
    ]
    assert universe.companies[["name", "sic", "cik", "date"]].isna().all(axis=None)
    assert universe.prices.empty
    assert universe.provenance["source"] == "files"


def test_tickers_that_look_like_something_else_stay_text(write):
    rows = ["NA", "NAN", "TRUE", "None", "null", "1E5", "0700", "inf"]
    content = "ticker,description\n" + "".join(f"{t},Text of {t}.\n" for t in rows)
    prices = "date," + ",".join(rows) + "\n" + "2013-01-02" + ",7" * len(rows) + "\n"
    universe = read_universe(write("c.csv", content), write("p.csv", prices))
    assert universe.companies.index.tolist() == rows
    assert universe.prices.columns.tolist() == rows
    long = "date,ticker,close\n" + "".join(f"2013-01-02,{t},7\n" for t in rows)
    assert read_prices(write("long.csv", long))[0].columns.tolist() == rows


@pytest.mark.parametrize("sic", [[100, 3711], [100.0, 3711.0], ["100", "3711"], ["0100", " 3711 "]])
def test_sic_becomes_four_digits(tmp_path, sic):
    table = pd.DataFrame({"ticker": ["A", "B"], "description": "Text.", "sic": sic, "cik": [1, 22]})
    table.to_parquet(tmp_path / "c.parquet")
    table.to_csv(tmp_path / "c.csv", index=False)
    for name in ("c.parquet", "c.csv"):
        found = read_universe(tmp_path / name).companies
        assert found["sic"].tolist() == ["0100", "3711"]
        assert found["cik"].tolist() == ["1", "22"]


def test_missing_sic_is_none_and_other_columns_are_kept(tmp_path):
    table = pd.DataFrame(
        {"ticker": [7, 8], "description": "Text.", "sic": [100, None], "employees": [3, 4]}
    )
    table.to_parquet(tmp_path / "c.parquet")
    found = read_universe(tmp_path / "c.parquet").companies
    assert found.index.tolist() == ["7", "8"]
    assert found["sic"].tolist() == ["0100", None]
    assert found["employees"].tolist() == [3, 4]


def test_byte_order_mark_semicolons_case_blanks_and_decimal_commas(write):
    companies = "\ufeffTicker ; Description\n AAA ;Makes steel, and sells it.\n;\n"
    prices = "Date;AAA\n2013-01-02;1.234,50\n2013-01-03;1234,75\n2013-01-04;12,5\n"
    universe = read_universe(write("c.csv", companies), write("p.csv", prices), repair=False)
    assert universe.companies.index.tolist() == ["AAA"]
    assert universe.prices["AAA"].tolist() == [1234.5, 1234.75, 12.5]


def test_windows_and_old_line_ends(write):
    path = write("c.csv", COMPANIES.replace("\n", "\r\n").encode())
    assert read_universe(path).companies.index.tolist() == ["AAA", "BBB"]


def test_dates_are_days_without_time_and_zone(write, tmp_path):
    for date in ("2013-03-31", "2013-03-31T00:00:00+09:00", "2013/3/31", "20130331"):
        content = f"ticker,description,date\nAAA,Text.,{date}\nBBB,Text.,\n"
        found = read_universe(write("c.csv", content)).companies["date"]
        assert found.tolist() == [pd.Timestamp("2013-03-31"), pd.NaT]
    dates = pd.to_datetime(["2013-01-02 16:00", "2013-01-03 16:00"]).tz_localize("Asia/Tokyo")
    pd.DataFrame({"AAA": [7.0, 8.0]}, index=dates).to_parquet(tmp_path / "p.parquet")
    found = read_prices(tmp_path / "p.parquet")[0].index
    assert found.tolist() == [pd.Timestamp("2013-01-02"), pd.Timestamp("2013-01-03")]


def test_wide_and_long_files_are_the_same(write, tmp_path):
    wide, _ = read_prices(write("wide.csv", PRICES), repair=False)
    long = wide.reset_index().melt("date", var_name="ticker", value_name="Close")
    long = long.sample(frac=1, random_state=0).assign(volume=3)
    long.to_csv(tmp_path / "long.csv", index=False)
    long.to_parquet(tmp_path / "long.parquet")
    for name in ("long.csv", "long.parquet"):
        found, _ = read_prices(tmp_path / name, repair=False)
        pd.testing.assert_frame_equal(found[wide.columns], wide, check_freq=False)
    wide[::-1].to_csv(tmp_path / "unsorted.csv")
    pd.testing.assert_frame_equal(read_prices(tmp_path / "unsorted.csv", repair=False)[0], wide)
    wide.rename_axis(None).to_csv(tmp_path / "unnamed.csv")
    pd.testing.assert_frame_equal(read_prices(tmp_path / "unnamed.csv", repair=False)[0], wide)


def test_companies_without_prices_are_dropped_and_listed(write):
    companies = COMPANIES + "CCC,Bakes bread.\nDDD,Digs coal.\n"
    prices = PRICES.replace("BBB\n", "BBB,DDD\n").replace(",20\n", ",20,\n")
    prices = prices.replace("10.5,\n", "10.5,,\n").replace(",21\n", ",21,\n")
    universe = read_universe(write("c.csv", companies), write("p.csv", prices))
    assert universe.companies.index.tolist() == ["AAA", "BBB"]
    assert universe.provenance["dropped"] == ["CCC", "DDD"]


def faulty_prices():
    dates = pd.bdate_range("2013-01-01", periods=80, name="date")
    moves = np.random.default_rng(0).normal(0, 0.01, (80, 2))
    prices = pd.DataFrame(50 * np.exp(moves.cumsum(axis=0)), dates, ["AAA", "BBB"])
    prices.iloc[40, 0] *= 10
    return prices


def test_prices_are_repaired_unless_told_otherwise(write, tmp_path):
    faulty_prices().to_csv(tmp_path / "p.csv")
    companies = write("c.csv", COMPANIES)
    events = write("e.csv", "ticker,date,kind,factor,note\nBBB,2013-02-01,spin_off,1.25,x\n")
    mended = read_universe(companies, tmp_path / "p.csv", events=events)
    assert mended.repairs["kind"].tolist() == ["wrong_close", "spin_off"]
    given = read_universe(companies, tmp_path / "p.csv", repair=False)
    assert given.repairs.empty
    assert given.prices.iloc[40, 0] / mended.prices.iloc[40, 0] == pytest.approx(10)
    ratio = given.prices["BBB"] / mended.prices["BBB"]
    assert ratio.loc[:"2013-01-31"].to_numpy() == pytest.approx(1.25)
    assert ratio.loc["2013-02-01":].to_numpy() == pytest.approx(1)


def test_a_true_move_of_the_events_file_is_no_suspect(write, tmp_path):
    prices = faulty_prices()
    prices.iloc[60:, 1] *= 0.6
    prices.to_csv(tmp_path / "p.csv")
    closes, mender = read_prices(tmp_path / "p.csv")
    assert "suspect" in mender(closes)[1]["kind"].tolist()
    events = write(
        "e.csv", f"ticker,date,kind,factor\nBBB,{prices.index[60]:%Y-%m-%d},true_move,\n"
    )
    closes, mender = read_prices(tmp_path / "p.csv", events=events)
    log = mender(closes)[1]
    assert log["kind"].tolist() == ["wrong_close", "true_move"]


def test_all_problems_are_said_at_once(write):
    companies = (
        "ticker,description,sic,date\nAAA,Text.,12345,2012\nAAA,Text.,3711,31/12/2012\n,Text.,,\n"
        "BBB,,37x1,2012-13-01\n"
    )
    prices = "date,AAA,BBB\n2013-01-02,10,0\n02/01/2013,x,5\n2013-01-02,-1,5\n"
    events = "ticker,date,kind,factor\nAAA,soon,spinoff,0\n"
    found = problems(
        read_universe,
        write("c.csv", companies),
        write("p.csv", prices),
        events=write("e.csv", events),
    )
    text = "\n".join(found)
    for part in (
        "c.csv: rows without a ticker: 3",
        "c.csv: rows whose ticker occurs more than once (AAA): 1, 2",
        "c.csv: rows with an empty description: 4",
        "c.csv: rows whose sic is not a code of up to four digits (12345, 37x1): 1, 4",
        "c.csv: rows whose date is not written as 2013-06-30 (2012, 31/12/2012, 2012-13-01)",
        "p.csv: dates that are empty or not written as 2013-06-30: 02/01/2013",
        "p.csv: dates that occur twice: 2013-01-02",
        "p.csv: closes that are not numbers: AAA on 02/01/2013",
        "p.csv: closes that are not positive: BBB on 2013-01-02, AAA on 2013-01-02",
        'unknown kind "spinoff"; did you mean "spin_off"?',
        'the first is "soon"',
    ):
        assert part in text, part
    assert len(found) == 11


def test_many_problems_of_a_kind_are_counted(write):
    content = "ticker,description\n" + "".join(f"T{n},\n" for n in range(1200))
    assert problems(read_universe, write("c.csv", content)) == [
        "c.csv: rows with an empty description: 1, 2, 3, 4, 5, ... (1,200 in all)"
    ]


def test_missing_columns_with_the_nearest_name(write):
    found = problems(read_universe, write("c.csv", "tickers,descripton\nA,Text.\n"))
    assert found == [
        'c.csv: no column "ticker" among tickers, descripton; did you mean "tickers"?',
        'c.csv: no column "description" among tickers, descripton; did you mean "descripton"?',
    ]
    long = write("p.csv", "date,ticker,closing\n2013-01-02,A,3\n")
    assert problems(read_prices, long)[0].endswith('did you mean "closing"?')
    wide = write("p.csv", "dates,AAA\n2013-01-02,3\n")
    assert problems(read_prices, wide) == [
        'p.csv: no column "date" among dates, AAA; did you mean "dates"?'
    ]
    events = write("e.csv", "ticker,date,type,factor\nA,2013-01-02,spin_off,2\n")
    prices = write("p.csv", PRICES)
    assert 'no column "kind"' in problems(read_prices, prices, events=events)[0]


def test_prices_of_other_companies(write):
    prices = write("p.csv", PRICES.replace("AAA", "AAA.N").replace("BBB", "BBB.N"))
    found = problems(read_universe, write("c.csv", COMPANIES), prices)
    assert found == ['p.csv: no prices of any company, "AAA"; did you mean "AAA.N"?']


def test_files_that_are_no_tables(write, tmp_path):
    good = write("c.csv", COMPANIES)
    for path, part in (
        (tmp_path / "companies.csv", 'no file "'),
        (tmp_path, "no file"),  # neither a file of companies nor a folder of filings
        (write("c.xlsx", "x"), "no .csv or .parquet"),
        (write("empty.csv", ""), "is empty"),
        (write("blank.csv", "\n\n"), "is empty"),
        (write("header.csv", "ticker,description\n"), "no rows"),
        (write("c.parquet", b"PAR1 this is not parquet"), "cannot be read as parquet"),
        (write("latin.csv", "ticker,description\nA,Caf\xe9\n".encode("latin-1")), "not UTF-8"),
        (write("ragged.csv", "ticker,description\nA,One, two.\n"), "double quotes"),
        (write("quote.csv", 'ticker,description\nA,"never closed\n'), "quote.csv: "),
        (write("twice.csv", "ticker,ticker,description\nA,B,Text.\n"), "more than once"),
        (write("nul.csv", b"ticker,description\nA,\x00\xff\xfe"), "nul.csv"),
    ):
        for found in (problems(read_universe, path), problems(read_universe, good, path)):
            assert len(found) == 1
            assert part in found[0], (path.name, found)
    assert 'did you mean "c.csv"?' in problems(read_universe, tmp_path / "cc.csv")[0]


def test_long_prices_given_twice_or_without_ticker(write):
    content = (
        "date,ticker,close\n2013-01-02,A,3\n2013-01-02,A,4\n2013-01-03,,5\n,,\n2013-01-04,A,-\n"
    )
    assert problems(read_prices, write("p.csv", content)) == [
        "p.csv: rows without a ticker, on: 2013-01-03",
        "p.csv: closes that are given twice: A on 2013-01-02",
    ]


@settings(max_examples=60, deadline=None)
@given(content=st.text(st.sampled_from('abt,;\t"\n1. -\ufeff€NA'), max_size=80))
def test_nothing_fails_but_with_a_data_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "any.csv"
    path.write_text(content, encoding="utf-8")
    for function in (read_universe, read_prices, read_labels):
        try:
            function(path)
        except DataError as error:
            assert error.problems


def test_number_that_could_be_two_is_none(write):
    path = write("p.csv", 'date,ticker,close\n2013-01-02,A,"1,234"\n')
    assert problems(read_prices, path) == ["p.csv: closes that are not numbers: A on 2013-01-02"]


def test_labels(write, tmp_path):
    labels = read_labels(write("l.csv", "ticker,label\nNA,3\nBBB,steel\nCCC,\n"))
    assert labels.to_dict() == {"NA": "3", "BBB": "steel"}
    table = pd.DataFrame({"Company": ["A", "B"], "Cluster": [1.0, 2.0]})
    table.to_parquet(tmp_path / "l.parquet")
    assert read_labels(tmp_path / "l.parquet").to_dict() == {"A": "1", "B": "2"}


def test_labels_of_a_year_are_the_latest_known_by_then(write):
    path = write("l.csv", "ticker,label,year\nA,1,2010\nA,2,2012\nB,7,2012\nA,3,2015\n")
    assert read_labels(path).to_dict() == {"A": "3"}
    assert read_labels(path, year=2013).to_dict() == {"A": "2", "B": "7"}
    assert read_labels(path, year=2010).to_dict() == {"A": "1"}
    assert "the first is 2010" in problems(read_labels, path, year=2009)[0]


def test_labels_that_cannot_be_used(write):
    found = problems(read_labels, write("l.csv", "tick,lab\nA,1\n"))
    assert [part.split(" among")[0] for part in found] == [
        'l.csv: no column "ticker"',
        'l.csv: no column "label"',
    ]
    assert "two labels: A" in problems(read_labels, write("l.csv", "ticker,label\nA,1\nA,2\n"))[0]
    assert "no company" in problems(read_labels, write("l.csv", "ticker,label\nA,\n"))[0]
    assert "no year" in problems(read_labels, write("l.csv", "ticker,label,year\nA,1,x\n"))[0]


# Cells that could be two things ------------------------------------------------------------------


@pytest.mark.parametrize("day", ["201312", "2013123", "2013-0630", "130630"])
def test_a_day_that_could_be_two_is_none(write, day):
    path = write("c.csv", f"ticker,date,description\nA,{day},Text.\n")
    assert problems(read_universe, path) == [
        f"c.csv: rows whose date is not written as 2013-06-30 ({day}): 1"
    ]


def test_points_part_thousands_where_commas_are_decimals(write):
    rows = "2013-01-02;999,50;1.001\n2013-01-03;1.234;1.002\n2013-01-04;1.234,5;1.003.004\n"
    closes = read_prices(write("p.csv", "date;A;B\n" + rows), repair=False)[0]
    assert closes["A"].tolist() == [999.5, 1234.0, 1234.5]
    assert closes["B"].tolist() == [1001.0, 1002.0, 1_003_004.0]
    plain = "date;A\n2013-01-02;1.234\n2013-01-03;1.250\n"  # nothing says that these are thousands
    assert read_prices(write("p.csv", plain), repair=False)[0]["A"].tolist() == [1.234, 1.25]
    both = "date;A\n2013-01-02;999.50\n2013-01-03;1,234\n"
    assert problems(read_prices, write("p.csv", both)) == [
        "p.csv: closes that are not numbers: A on 2013-01-03"
    ]


def test_a_file_that_is_cut_short_is_said(write):
    cut = PRICES[: PRICES.rindex(",")]
    assert problems(read_prices, write("p.csv", cut)) == [
        "p.csv ends in the middle of a row: it is cut short; copy or make it again"
    ]
    for whole in (PRICES.rstrip(), PRICES.rstrip() + "\n2013-01-07,12,", cut + "\n"):
        assert len(read_prices(write("p.csv", whole))[0]) >= 3


def test_text_of_two_bytes_a_letter_is_said(write):
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        found = problems(read_prices, write("p.csv", PRICES.encode(encoding)))
        assert found == ["p.csv is not UTF-8 text: save it as CSV UTF-8"]


def test_closes_of_another_century_are_said(write):
    found = problems(read_prices, write("p.csv", PRICES + "2199-01-03,1,1\n0013-01-08,1,1\n"))
    assert found == ["p.csv: dates in the future, or before 1700: 0013-01-08, 2199-01-03"]


def test_a_long_file_of_many_columns_is_long(write):
    others = [f"x{n}" for n in range(12)]
    header = ",".join(["date", "ticker", "close", *others])
    rows = "\n".join(",".join([f"2013-01-0{n}", "A", str(n), *others]) for n in (2, 3, 4))
    closes = read_prices(write("p.csv", f"{header}\n{rows}\n"), repair=False)[0]
    assert closes["A"].tolist() == [2.0, 3.0, 4.0]


@pytest.mark.parametrize("none", ["0", "0000000000", "", "n/a"])
def test_companies_without_a_number_stay_apart(write, none):
    header = "ticker,cik,date,description\n"
    rows = f"A,{none},2010-01-01,a\nB,{none},2011-01-01,b\nA,{none},2012-01-01,c\n"
    universe = read_universe(write("c.csv", header + rows))
    assert universe.companies["description"].to_dict() == {"A": "c", "B": "b"}


def test_what_is_no_number_of_a_company_is_said(write):
    header = "ticker,cik,date,description\n"
    rows = "A,1.67E+06,2010-01-01,a\nB,-99,2011-01-01,b\nC,CIK0000320193,2010-01-01,c\n"
    (said,) = problems(read_universe, write("c.csv", header + rows))
    assert "cik is no number of up to ten digits (leave it empty" in said
    assert said.endswith("(1.67E+06, -99): 1, 2")
    same = "A,CIK0000320193,2010-01-01,a\nA,320193.0,2011-01-01,b\nB,7,2010-01-01,c\n"
    companies = read_universe(write("c.csv", header + same)).companies
    assert companies["cik"].to_dict() == {"A": "0000320193", "B": "0000000007"}


def test_days_of_no_time_crash_nothing(write):
    header = "ticker,sic,sic_date,date,description\n"
    rows = "A,2834,9999-12-31,2010-01-01,a\nA,2835,0001-01-01,2010-01-01,a\n"
    assert read_universe(write("c.csv", header + rows)).companies["sic"].tolist() == ["2835"]
    codes = write("s.csv", "ticker,date,sic\nAAA,0001-01-01,2834\nAAA,9999-12-31,2835\n")
    assert read_universe(write("c.csv", COMPANIES), codes=codes).companies["sic"]["AAA"] == "2835"


def test_no_filing_counts_before_it_is_accepted(write):
    path = write("c.csv", "ticker,filed,description\nA,2010-03-01,Text.\n")
    assert problems(read_universe, path, lag=-1) == [
        "lag -1: a filing cannot count before it is accepted; choose 0 or more"
    ]
    assert str(read_universe(path, lag=0).companies.loc["A", "date"].date()) == "2010-03-01"


def test_a_cell_of_several_values_is_said(tmp_path):
    path = tmp_path / "c.parquet"
    pd.DataFrame({"ticker": ["A"], "description": [["a", "b"]]}).to_parquet(path)
    assert "holds several values" in problems(read_universe, path)[0]
    table = {"ticker": ["A"], "description": ["a"], "tags": [["x", "y"]], "sic": [2834]}
    pd.DataFrame(table | {"sic_date": ["2010-01-01"]}).to_parquet(path)
    assert read_universe(path).companies["sic"].tolist() == ["2834"]


def test_events_of_numbered_tickers_count_and_endless_factors_do_not(write, tmp_path):
    prices = write("p.csv", PRICES.replace("AAA", "700"))
    event = {"ticker": [700], "date": ["2013-01-04"], "kind": ["spin_off "], "factor": [2.0]}
    pd.DataFrame(event).to_parquet(tmp_path / "e.parquet")
    closes, mender = read_prices(prices, events=tmp_path / "e.parquet")
    assert mender(closes)[0]["700"].tolist() == [5.0, 5.25, 11.0]
    pd.DataFrame(event | {"factor": [np.inf]}).to_parquet(tmp_path / "e.parquet")
    assert "no positive numbers" in problems(read_prices, prices, events=tmp_path / "e.parquet")[0]
