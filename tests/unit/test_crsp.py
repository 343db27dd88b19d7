"""CRSP files, worked by hand."""

import numpy as np
import pandas as pd
import pytest

from finsae.checks import DataError
from finsae.sources import open_prices, read_universe

DAYS = ["2012-03-01", "2012-03-02", "2012-03-05", "2012-03-06"]


@pytest.fixture
def read(tmp_path):
    def opened(text, name="crsp.csv"):
        path = tmp_path / name
        path.write_text(text)
        return open_prices(path).market

    return opened


def test_legacy_daily_returns_become_wealth_and_the_delisting_counts(read):
    market = read(
        "PERMNO,date,TICKER,RET,PRC,DLRET,SICCD\n"
        "10001,20120301,ABC,C,20,,100\n"
        "10001,20120302,ABC,0.10,22,,100\n"
        "10001,20120305,ABC,-0.05,-20.9,,100\n"
        "10001,20120306,ABC,0.02,21.318,-0.30,100\n"
    )
    assert market.layout == "CRSP legacy daily"
    # 20, 20 x 1.1, x 0.95, x 1.02 x 0.7 by hand
    assert market.closes["10001"].tolist() == pytest.approx([20, 22, 20.9, 14.9226])
    assert market.closes.index.strftime("%Y-%m-%d").tolist() == DAYS
    assert "crsp.csv: prices that are quotes, midpoints of bid and ask: 1" in market.notes
    assert market.permnos == {"ABC": ["10001"]}


def test_a_delisting_return_stands_alone_where_the_day_has_no_return(read):
    market = read(
        "permno,date,ret,prc,dlret\n10001,2012-03-01,C,10,\n10001,2012-03-02,0.5,15,\n"
        "10001,2012-03-05,,,-0.8\n"
    )
    assert market.closes["10001"].tolist() == pytest.approx([10, 15, 3])


def test_a_delisting_return_repeated_on_every_row_is_applied_on_its_day_once(read):
    rows = (
        "permno,date,ret,prc,dlret,dlstdt\n10001,2012-03-01,C,10,-0.5,2012-03-05\n"
        "10001,2012-03-02,0.0,10,-0.5,2012-03-05\n10001,2012-03-05,0.0,10,-0.5,2012-03-05\n"
    )
    assert read(rows).closes["10001"].tolist() == pytest.approx([10, 10, 5])
    without = rows.replace(",dlstdt", "").replace(",2012-03-05\n", "\n")
    with pytest.raises(DataError, match=r"several days of a permno \(keep the column dlstdt\)"):
        read(without)


def test_a_delisting_of_a_saturday_counts_on_the_last_row_of_its_month(read):
    rows = (
        "permno,date,ret,prc,dlret,dlstdt\n1,2012-03-01,C,10,-0.5,2012-03-03\n"
        "1,2012-03-02,0.1,11,-0.5,2012-03-03\n2,2012-03-02,C,5,,\n2,2012-03-05,0,5,,\n2,2012-04-04,0.1,5.5,,\n"
    )
    market = read(rows)
    assert market.closes["1"].dropna().tolist() == pytest.approx([10, 5.5])
    elsewhere = read(rows.replace("2012-03-03", "2012-04-02"))  # none of its rows is of April
    assert elsewhere.closes["1"].dropna().tolist() == pytest.approx([10, 11])
    said = "crsp.csv: delisting returns left aside, of permnos without a row in that month: 1"
    assert said in elsewhere.notes and said not in market.notes
    after = read(rows.replace("2012-03-03", "2013-04-02"))  # the file ends before
    assert said not in after.notes


def test_a_loss_of_everything_keeps_a_hundredth(read):
    market = read(
        "permno,date,ret,prc,dlret\n10001,2012-03-01,C,10,\n10001,2012-03-02,0,10,\n"
        "10001,2012-03-05,,,-1\n"
    )
    assert market.closes["10001"].tolist() == pytest.approx([10, 10, 0.1])


@pytest.mark.parametrize("code", ["B", "C", ".B", "-66.0", "-99", ""])
def test_letters_and_their_numbers_are_missing_returns(read, code):
    # without a price the day has no value, and the next return spans it
    market = read(
        "permno,date,ret,prc\n10001,2012-03-01,C,10\n10001,2012-03-02,0.1,11\n"
        f"10001,2012-03-05,{code},\n10001,2012-03-06,0.2,13.2\n"
    )
    assert market.closes["10001"].tolist() == pytest.approx([10, 11, np.nan, 13.2], nan_ok=True)


def test_a_gap_that_crsp_does_not_link_is_linked_by_prices_or_cut(read):
    rows = (
        "permno,date,ret,prc{c}\n10001,2012-03-01,C,10{one}\n10001,2012-03-02,0.1,11{one}\n"
        "10001,2012-06-01,B,-6{two}\n10001,2012-06-04,0.5,9{two}\n10001,2012-06-05,0.0,9{two}\n"
    )
    # a two-for-one split in the gap: 6 is worth 12 of the old scale, 12/11 - 1 over the gap
    linked = read(rows.format(c=",cfacpr", one=",2", two=",1"))
    assert linked.closes["10001"].tolist() == pytest.approx([10, 11, 12, 18, 18])
    assert any("linked by prices over cfacpr: 1" in note for note in linked.notes)
    cut = read(rows.format(c="", one="", two=""))
    assert cut.closes["10001"].tolist() == pytest.approx([np.nan, np.nan, 6, 9, 9], nan_ok=True)
    assert any("longest stretch is kept: 10001" in note for note in cut.notes)


def test_factors_without_prices_link_nothing(read):
    returns = "permno,date,ret{c}\n1,2012-03-01,0.5{f}\n1,2012-03-02,0.1{f}\n"
    with_factors = read(returns.format(c=",cfacpr", f=",2")).closes
    pd.testing.assert_frame_equal(with_factors, read(returns.format(c="", f="")).closes)


def test_ciz_daily_holds_the_delisting_return_already(read):
    market = read(
        "permno,ticker,dlycaldt,dlyret,dlyprc,dlyprcflg,dlydelflg,siccd\n"
        "10001,ABC,2012-03-01,,20,TR,N,3711\n"
        "10001,ABC,2012-03-02,0.10,22,BA,N,3711\n"
        "10001,ABC,2012-03-05,-0.05,20.9,TR,N,3711\n"
        "10001,ABC,2012-03-06,-0.30,,DP,Y,3711\n"
    )
    assert market.layout == "CIZ daily"
    assert market.closes["10001"].tolist() == pytest.approx([20, 22, 20.9, 14.63])
    assert any("quotes, midpoints of bid and ask: 1" in note for note in market.notes)


def test_both_formats_of_the_same_history_agree(read):
    legacy = read(
        "permno,date,ret,prc,dlret\n1,2012-03-01,C,20,\n1,2012-03-02,0.1,-22,\n"
        "1,2012-03-05,,,-0.4\n"
    )
    ciz = read(
        "permno,dlycaldt,dlyret,dlyprc\n1,2012-03-01,,20\n1,2012-03-02,0.1,22\n1,2012-03-05,-0.4,\n"
    )
    pd.testing.assert_frame_equal(legacy.closes, ciz.closes)


def test_a_delisting_return_is_not_applied_twice_to_ciz(read):
    market = read(
        "permno,dlycaldt,dlyret,dlyprc,dlret\n1,2012-03-01,,20,\n1,2012-03-02,-0.4,12,-0.4\n"
    )
    assert market.closes["1"].tolist() == pytest.approx([20, 12])
    assert any("CIZ returns hold it already" in note for note in market.notes)


@pytest.mark.parametrize(
    ("header", "layout"),
    [("permno,mthcaldt,mthret", "CIZ monthly"), ("permno,date,ret", "CRSP legacy monthly")],
)
def test_monthly_files_give_monthly_log_returns(read, header, layout):
    market = read(
        f"{header}\n1,2012-01-31,0.10\n1,2012-02-29,-0.20\n1,2012-03-30,0.05\n"
        "2,2012-02-29,0.01\n2,2012-03-30,\n"
    )
    assert market.layout == layout
    assert len(market.closes) == 0 and market.closes.columns.tolist() == ["1", "2"]
    months = pd.to_datetime(["2012-01-31", "2012-02-29", "2012-03-31"])
    expected = pd.DataFrame(
        {"1": np.log([1.1, 0.8, 1.05]), "2": [np.nan, np.log(1.01), np.nan]}, index=months
    )
    pd.testing.assert_frame_equal(market.monthly, expected, check_names=False, check_freq=False,
                                  check_index_type=False)  # fmt: skip


def test_the_delisting_month_compounds_both_returns(read):
    market = read(
        "permno,date,ret,dlret,dlstdt\n1,2012-01-31,0.10,,\n1,2012-02-29,0.04,-0.25,2012-02-17\n"
        "1,2012-03-30,,,\n"
    )
    assert np.expm1(market.monthly["1"].iloc[1]) == pytest.approx(1.04 * 0.75 - 1)


def test_rows_that_a_merge_repeated_count_once_and_contradictions_are_said(read):
    rows = "permno,date,ret,prc\n1,2012-03-01,C,20\n1,2012-03-02,0.1,22\n1,2012-03-02,0.1,22\n"
    assert read(rows).closes["1"].tolist() == pytest.approx([20, 22])
    with pytest.raises(DataError, match="days with two returns: 1 on 2012-03-02"):
        read(rows + "1,2012-03-02,0.2,24\n")


def test_what_is_no_return_is_said(read):
    with pytest.raises(DataError) as error:
        read("permno,date,ret,prc\n1,2012-03-01,C,20\n1,2012-03-02,x1,22\n1,someday,-1.5,22\n")
    assert error.value.problems == [
        "crsp.csv: dates that are not written as 2013-06-30: 1 on someday",
        "crsp.csv: returns that are neither numbers nor CRSP's letters: 1 on 2012-03-02",
        "crsp.csv: returns below -100 %: 1 on someday",
    ]
    with pytest.raises(DataError, match="returns without end: 1 on 2012-03-02"):
        read("permno,date,ret,prc\n1,2012-03-01,C,20\n1,2012-03-02,inf,22\n")
    with pytest.raises(DataError, match='no column "dlycaldt"'):
        read("permno,date,dlyret\n1,2012-03-01,0.1\n")


def companies(tmp_path, text):
    path = tmp_path / "companies.csv"
    path.write_text(text)
    return path


CRSP = (
    "permno,date,ticker,ret,prc\n1,2012-03-01,AAA,C,20\n1,2012-03-02,AAA,0.1,22\n"
    "2,2012-03-01,BBB,C,5\n2,2012-03-02,BBB,0.2,6\n"
)


def test_companies_find_their_permnos(tmp_path):
    prices = tmp_path / "crsp.csv"
    prices.write_text(CRSP)
    by_permno = companies(tmp_path, "ticker,description,permno\nX,Text.,2\nY,Text.,1\nZ,Text.,9\n")
    universe = read_universe(by_permno, prices)
    assert universe.prices.iloc[-1].to_dict() == pytest.approx({"X": 6, "Y": 22})
    assert universe.provenance["dropped"] == ["Z"]
    by_ticker = companies(tmp_path, "ticker,description\nBBB,Text.\nAAA,Text.\n")
    assert read_universe(by_ticker, prices).prices.iloc[-1].to_dict() == pytest.approx(
        {"BBB": 6, "AAA": 22}
    )
    prices.write_text(CRSP.replace("\n1,", "\n1.0,").replace("\n2,", "\n2.0,"))
    by_permno.write_text("ticker,description,permno\nX,Text.,2\nY,Text.,1.0\n")
    assert read_universe(by_permno, prices).prices.iloc[-1].to_dict() == pytest.approx(
        {"X": 6, "Y": 22}
    )
    keyed = companies(tmp_path, "ticker,description\n1,Text.\n2,Text.\n")
    assert read_universe(keyed, prices).prices.columns.tolist() == ["1", "2"]


def test_a_ticker_that_two_companies_had_needs_permnos(tmp_path):
    prices = tmp_path / "crsp.csv"
    prices.write_text(CRSP + "3,2012-03-01,AAA,C,7\n")
    path = companies(tmp_path, "ticker,description\nAAA,Text.\nBBB,Text.\n")
    with pytest.raises(DataError, match=r"several permnos \(give .* a column permno\): AAA"):
        read_universe(path, prices)


def test_hygiene_is_not_for_what_is_built_from_returns(tmp_path):
    days = pd.bdate_range("2012-01-02", periods=80).strftime("%Y-%m-%d")
    moves = np.random.default_rng(0).normal(0, 0.01, 80)
    rows = [f"1,{day},{move:.6f},10,\n" for day, move in zip(days, moves, strict=True)]
    rows[-2] = f"1,{days[-2]},0,10,-0.5\n"  # exactly a split's ratio
    prices = tmp_path / "crsp.csv"
    prices.write_text("permno,date,ret,prc,dlret\n" + "".join(rows[:-1]))
    universe = read_universe(companies(tmp_path, "ticker,description\n1,Text.\n"), prices)
    assert universe.prices["1"].iloc[-1] / universe.prices["1"].iloc[-2] == pytest.approx(0.5)
    assert universe.repairs.empty and universe.provenance["repaired"] is False
    assert open_prices(prices).mender is None
