"""Returns, months and currencies in files of prices."""

import numpy as np
import pandas as pd
import pytest

from finsae.checks import DataError
from finsae.config import read_run
from finsae.pipeline import open_universe
from finsae.sources import PriceFile, mend_prices, open_prices, read_prices, read_universe

COMPANIES = "ticker,description\nA,Makes steel.\nB,Runs trains.\n"


@pytest.fixture
def write(tmp_path):
    def written(text, name="p.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return written


def months(values, index):
    return pd.Series(np.log1p(values), index=pd.to_datetime(index))


MONTHS = ["2012-01-31", "2012-02-29", "2012-03-31"]
LAYOUTS = {
    "long": "month,ticker,ret\n2012-01,A,0.1\n2012-02,A,-0.2\n2012-03,A,0.05\n2012-02,B,0.01\n",
    "digits": "date,ticker,ret\n201201,A,0.1\n201202,A,-0.2\n201203,A,0.05\n201202,B,0.01\n",
    "days": "Date,Ticker,Return\n2012-03-30,A,0.05\n2012-01-31,A,0.1\n2012-02-29,A,-0.2\n"
    "2012-02-29,B,0.01\n",
    "wide": "month,A,B\n2012-01,0.1,\n2012-02,-0.2,0.01\n2012-03,0.05,\n",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_monthly_returns_in_any_layout(write, layout):
    market = open_prices(write(LAYOUTS[layout])).market
    assert len(market.closes) == 0
    expected = np.log1p(np.array([[0.1, np.nan], [-0.2, 0.01], [0.05, np.nan]]))
    assert market.monthly.index.strftime("%Y-%m-%d").tolist() == MONTHS
    assert market.monthly[["A", "B"]].to_numpy() == pytest.approx(expected, nan_ok=True)


def test_monthly_closes_give_monthly_returns(write):
    rows = "date,A,B\n2012-01-31,10,\n2012-02-29,11,5\n2012-03-30,9.9,5\n"
    market = open_prices(write(rows)).market
    assert market.monthly["A"].tolist() == pytest.approx(np.log([1.1, 0.9]))
    assert market.monthly["B"].tolist() == pytest.approx([np.nan, 0], nan_ok=True)


def test_a_universe_of_months_can_be_cut_selected_and_not_traded(write):
    months_ = pd.date_range("2010-01-31", periods=24, freq="ME").strftime("%Y-%m")
    rows = "".join(f"{m},A,0.0{n % 9 + 1}\n{m},B,-0.01\n" for n, m in enumerate(months_))
    prices = write("month,ticker,ret\n" + rows)
    universe = read_universe(write(COMPANIES, "c.csv"), prices)
    assert universe.prices.shape == (0, 2) and universe.monthly.shape == (24, 2)
    past, future = universe.cut("2010-12-31")
    assert (len(past.monthly), len(future.monthly)) == (12, 12)
    assert universe.select(["B"]).monthly.columns.tolist() == ["B"]
    assert len(universe.between("2010-03-01", "2010-05-31").monthly) == 3
    with pytest.raises(DataError, match="has monthly returns, no daily closes"):
        read_prices(prices)


def test_daily_returns_become_an_index_of_wealth(write):
    rows = "date,ticker,ret\n2012-01-03,A,0.5\n2012-01-04,A,0.1\n2012-01-05,A,-0.2\n"
    closes = open_prices(write(rows)).market.closes
    assert closes["A"].tolist() == pytest.approx([100, 110, 88])


def test_returns_that_cannot_be(write):
    rows = "month,ticker,ret\n2012-01,A,-3.5\n2012-02,A,x\n2012-02,A,0.1\n"
    with pytest.raises(DataError) as error:
        open_prices(write(rows))
    assert error.value.problems == [
        "p.csv: rets that are not numbers: A on 2012-02",
        "p.csv: rets below -100 % (write 1 % as 0.01): A on 2012-01",
        "p.csv: rets that are given twice: A on 2012-02",
    ]


def test_a_few_good_months_are_returns_and_percents_are_refused(write):
    market = open_prices(write("month,A\n2012-01,0.1\n2012-02,0.2\n2012-03,0.05\n")).market
    assert market.monthly["A"].tolist() == pytest.approx(np.log([1.1, 1.2, 1.05]))
    with pytest.raises(DataError, match=r"below -100 % \(write 1 % as 0.01\): A on 2012-02"):
        open_prices(write("month,A\n2012-01,1.5\n2012-02,-2.5\n2012-03,3.0\n"))


MIXED = (
    "date,ticker,close,currency\n2012-01-03,A,10,USD\n2012-01-04,A,11,USD\n"
    "2012-01-03,B,20,EUR\n2012-01-04,B,21,EUR\n2012-01-03,C,500,GBp\n2012-01-04,C,5.1,GBP\n"
)


def test_currencies_are_not_mixed(write):
    path = write(MIXED)
    with pytest.raises(DataError) as error:
        open_prices(path)
    assert error.value.problems == [
        "p.csv: closes in EUR (1 tickers), GBP (1 tickers), USD (1 tickers): returns in different "
        "currencies are not comparable; choose one: finsae fetch prices --source files --file "
        "p.csv --currency EUR, or currency in a --config file's [data]"
    ]
    market = open_prices(PriceFile(path, currency="USD")).market
    assert market.currency == "USD" and market.closes.columns.tolist() == ["A"]
    with pytest.raises(DataError, match="no closes in JPY, but in EUR, GBP, USD"):
        open_prices(PriceFile(path, currency="JPY"))


def test_a_universe_and_a_run_take_one_currency(write, tmp_path):
    companies, prices = write(COMPANIES, "c.csv"), write(MIXED)
    with pytest.raises(DataError, match="choose one"):
        read_universe(companies, prices)
    universe = read_universe(companies, PriceFile(prices, currency="USD"))
    assert universe.prices.columns.tolist() == ["A"] and universe.provenance["dropped"] == ["B"]
    text = f'[data]\ncompanies = "{companies}"\nprices = "{prices}"\ncurrency = "EUR"\n'
    named = open_universe(read_run(write(text, "run.toml")).data)
    assert named.prices.columns.tolist() == ["B"] and named.provenance["currency"] == "EUR"
    closes, _ = mend_prices(PriceFile(prices, currency="GBP"))
    assert closes.columns.tolist() == ["C"]


def test_pence_are_pounds(write):
    market = open_prices(PriceFile(write(MIXED), currency="GBP")).market
    assert market.closes["C"].tolist() == pytest.approx([5.0, 5.1])
    assert open_prices(PriceFile(write(MIXED), currency="GBp")).market.currency == "GBP"


def test_rows_without_a_currency_are_not_mixed_in(write):
    path = write("date,ticker,close,currency\n2012-01-03,A,10,USD\n2012-01-03,B,20,\n")
    with pytest.raises(DataError, match=r"USD \(1 tickers\), unknown \(1 tickers\)"):
        open_prices(path)


def test_the_universe_says_its_currency_and_layout(write):
    rows = MIXED.replace("EUR", "USD").replace("GBp", "USD").replace("GBP", "USD")
    universe = read_universe(write(COMPANIES, "c.csv"), write(rows))
    assert universe.provenance["currency"] == "USD" and universe.provenance["layout"] == "long"


@pytest.mark.parametrize("layout", ["long", "wide"])
def test_what_is_written_long_reads_the_same(write, tmp_path, layout):
    market = open_prices(write(LAYOUTS[layout])).market
    market.long().to_parquet(tmp_path / "again.parquet")
    again = open_prices(tmp_path / "again.parquet").market
    pd.testing.assert_frame_equal(
        again.monthly, market.monthly[again.monthly.columns], check_index_type=False
    )


def test_closes_built_from_returns_are_not_mended_when_they_are_read_again(write, tmp_path):
    days = pd.bdate_range("2012-01-02", periods=80)
    moves = np.random.default_rng(0).normal(0, 0.005, 80)
    moves[40] = -0.5  # exactly a split's ratio
    rows = [f"{day:%Y-%m-%d},A,{move:.6f}" for day, move in zip(days, moves, strict=True)]
    path = write("date,ticker,ret\n" + "\n".join(rows) + "\n")
    open_prices(path).market.long().to_parquet(tmp_path / "again.parquet")
    again = open_prices(tmp_path / "again.parquet")
    assert again.market.returns and again.mender is None
    with pytest.raises(DataError, match=r"p.csv has returns, .*: nothing is to be mended"):
        mend_prices(path)


# What yfinance saves ------------------------------------------------------------------------------


def downloaded(fields=("Close", "High", "Low", "Open", "Volume"), swap=False):
    """The table that yfinance.download returns: fields and tickers in two levels."""
    days = pd.DatetimeIndex(["2012-01-03", "2012-01-04"], name="Date")
    columns = pd.MultiIndex.from_product([fields, ["NA", "KO"]], names=["Price", "Ticker"])
    values = np.arange(1.0, 1 + 2 * len(columns)).reshape(2, -1)
    table = pd.DataFrame(values, index=days, columns=columns)
    return table.swaplevel(axis=1) if swap else table


@pytest.mark.parametrize("swap", [False, True])
def test_saved_downloads_are_read(tmp_path, swap):
    downloaded(swap=swap).to_parquet(tmp_path / "p.parquet")
    files = [tmp_path / "p.parquet"]
    if not swap:
        downloaded().to_csv(tmp_path / "p.csv")
        files.append(tmp_path / "p.csv")
    for file in files:
        closes = open_prices(file).market.closes
        assert closes.index.strftime("%Y-%m-%d").tolist() == ["2012-01-03", "2012-01-04"]
        assert closes.to_dict("list") == {"NA": [1.0, 11.0], "KO": [2.0, 12.0]}


def test_adjusted_closes_count_where_there_are_both(tmp_path, write):
    downloaded(fields=("Close", "Adj Close")).to_csv(tmp_path / "p.csv")
    assert open_prices(tmp_path / "p.csv").market.closes["KO"].tolist() == [4.0, 8.0]
    rows = "Date,Ticker,Open,Close,Adj Close\n2012-01-03,A,1,10,9\n2012-01-04,A,1,11,10\n"
    assert open_prices(write(rows)).market.closes["A"].tolist() == [9.0, 10.0]


def test_quotes_of_one_company_without_its_name(tmp_path, write):
    path = write("Date,Open,High,Low,Close,Volume\n2012-01-03,1,1,1,1,0\n2012-01-04,1,1,1,1,0\n")
    with pytest.raises(DataError, match='no column "ticker" among'):
        open_prices(path)
    downloaded(fields=("Open", "High")).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(DataError, match='two levels, none of which has "Close"'):
        open_prices(tmp_path / "p.parquet")


@pytest.mark.parametrize("rest", ["", "Date,,\n", "\n\n", '"', "x,y\n" * 3])
def test_tables_that_only_begin_like_a_download(write, rest):
    with pytest.raises(DataError):
        open_prices(write("Price,Close,Close\nTicker,A,B\n" + rest))
