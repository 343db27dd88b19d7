"""Who is compared: the rules, one by one, and what is said of those left out."""

import numpy as np
import pandas as pd
import pytest

from finsae.benchmark import eligible

CUT = "2012-12-31"
MONTHS = pd.date_range("2008-01-31", "2017-11-30", freq="ME")


def companies(**changes):
    names = ["AAA", "BBB", "CCC", "DDD"]
    table = pd.DataFrame(
        {
            "sic": ["2834", "3674", "6021", "1311"],
            "cik": ["1", "2", "3", None],
            "description": ["makes drugs", "makes chips", "lends money", "drills wells"],
        },
        index=pd.Index(names, name="ticker"),
    )
    for where, value in changes.items():
        ticker, column = where.split("_", 1)
        table.loc[ticker, column] = value
    return table


def monthly(tickers=("AAA", "BBB", "CCC", "DDD")):
    return pd.DataFrame(0.01, index=MONTHS, columns=list(tickers))


def reason(table, ticker):
    return table.set_index("ticker").at[ticker, "reason"]


def test_all_in_when_nothing_is_wrong():
    tickers, excluded = eligible(companies(), monthly(), cut=CUT)
    assert tickers == ["AAA", "BBB", "CCC", "DDD"]
    assert excluded.empty and list(excluded.columns) == ["ticker", "reason"]


@pytest.mark.parametrize(
    ("changes", "ticker", "message"),
    [
        ({"BBB_sic": None}, "BBB", "no SIC code"),
        ({"BBB_sic": "6726"}, "BBB", "SIC 6726 is no operating company (investment offices"),
        ({"BBB_sic": "6770"}, "BBB", "blank checks"),
        ({"BBB_sic": "9995"}, "BBB", "nonclassifiable"),
        ({"BBB_industry": "Asset Management"}, "BBB", "industry Asset Management"),
        ({"BBB_industry": "shell companies"}, "BBB", "industry shell companies"),
        ({"CCC_description": "makes chips"}, "CCC", "the same description as BBB"),
        ({"CCC_cik": "0000000002"}, "CCC", "the same issuer (CIK) as BBB"),
    ],
)
def test_each_rule_leaves_one_out_and_says_why(changes, ticker, message):
    tickers, excluded = eligible(companies(**changes), monthly(), cut=CUT)
    assert tickers == [t for t in companies().index if t != ticker]
    assert message in reason(excluded, ticker)


def test_similar_codes_and_missing_ciks_are_no_reason():
    table = companies(AAA_sic="6211", BBB_sic="6798", CCC_cik=None, DDD_cik="")
    assert eligible(table, monthly(), cut=CUT)[0] == list(table.index)


def test_months_on_each_side_are_counted():
    returns = monthly()
    returns.loc["2008-01":"2008-03", "AAA"] = np.nan  # 57 of 60
    returns.loc["2008-01":"2008-02", "BBB"] = np.nan  # 58 of 60
    returns.loc["2013-01":"2013-05", "CCC"] = np.nan  # 54 of 59
    returns.loc["2013-01":"2013-04", "DDD"] = np.nan  # 55 of 59
    tickers, excluded = eligible(companies(), returns, cut=CUT)
    assert tickers == ["BBB", "DDD"]
    assert reason(excluded, "AAA") == "57 of 60 months before the cut, 58 needed"
    assert reason(excluded, "CCC") == "54 of 59 months after the cut, 55 needed"


def test_a_company_without_prices_is_out():
    tickers, excluded = eligible(companies(), monthly(["AAA", "BBB", "CCC"]), cut=CUT)
    assert tickers == ["AAA", "BBB", "CCC"]
    assert reason(excluded, "DDD") == "0 of 60 months before the cut, 58 needed"


def test_without_a_demand_on_the_future_nothing_after_the_cut_matters():
    returns = monthly()
    returns.loc["2013-01":, ["AAA", "BBB"]] = np.nan
    everyone = eligible(companies(), returns, cut=CUT, min_future=None)
    assert everyone[0] == list(companies().index)
    before_only = eligible(companies(), returns[:CUT], cut=CUT, min_future=None)
    assert before_only[0] == everyone[0]


def test_a_month_that_straddles_the_cut_is_on_neither_side():
    returns = monthly()
    returns.loc["2012-12", "AAA"] = np.nan
    assert "AAA" not in eligible(companies(), returns, cut=CUT, min_past=1, min_future=1)[0]
    assert "AAA" in eligible(companies(), returns, cut="2012-12-15", min_past=1, min_future=1)[0]


def test_the_future_ends_where_it_is_told():
    returns = monthly()
    returns.loc["2015-01":, "AAA"] = np.nan
    assert "AAA" not in eligible(companies(), returns, cut=CUT)[0]
    assert "AAA" in eligible(companies(), returns, cut=CUT, future_end="2014-12-31")[0]


def test_a_share_class_without_returns_does_not_push_out_the_one_that_has_them():
    table = companies(CCC_description="makes chips")
    returns = monthly()
    returns["BBB"] = np.nan
    assert eligible(table, returns, cut=CUT)[0] == ["AAA", "CCC", "DDD"]
