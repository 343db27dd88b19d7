"""Companies with several filings: what was known when, under which ticker, and whose closes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finsae.checks import DataError
from finsae.config import Data, Reading
from finsae.filings import keyed, known_by, of_companies, ticker_spans, to_companies
from finsae.pipeline import build_features, open_universe
from finsae.sources import read_universe
from finsae.universe import Universe

# FB became META; X was one company's ticker and, years later, another's; OLD was delisted in 2015.
FILINGS = """\
ticker,cik,name,sic,form,filed,accepted,description
FB,1326801,Facebook,7370,10-K,2013-02-01,2013-02-01T16:20:00,A social network sells advertising.
FB,1326801,Facebook,,10-K,2014-01-31,2014-01-31T18:05:33,The social network sells more ads.
META,1326801,Meta,7372,10-K,2022-02-03,2022-02-02T19:40:01,Headsets and a social network.
X,0000100,Steel X,3312,10-K,2013-03-01,2013-03-01T09:00:00,Makes steel.
X,200,Crosses,7389,10-K,2019-03-01,2019-03-01T09:00:00,Processes payments.
X,200,Crosses,7389,10-K,2020-03-02,2020-03-02T09:00:00,Processes payments online.
OLD,300,Old Mines,1000,10-K,2014-05-05,2014-05-05T08:00:00,Digs copper.
OLD,300,Old Mines,1000,10-K,2014-08-01,,Digs copper and gold.
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "filings.csv"
    path.write_text(FILINGS)
    return path


@pytest.fixture
def prices(tmp_path):
    days = pd.bdate_range("2012-12-31", "2022-06-30", name="date")
    walk = 50 * np.exp(np.random.default_rng(0).normal(0, 0.004, (len(days), 4)).cumsum(axis=0))
    table = pd.DataFrame(walk, days, ["FB", "META", "X", "OLD"])
    table.loc["2022-02-04":, "FB"] = np.nan
    table.loc[:"2022-02-03", "META"] = np.nan
    table.loc["2013-11-01":"2018-06-01", "X"] = np.nan
    table.loc["2015-03-02":, "OLD"] = np.nan
    path = tmp_path / "prices.csv"
    table.to_csv(path)
    return path


def test_a_filing_counts_a_day_after_its_acceptance(file):
    """Accepted in the evening of a day on which the market was open until four."""
    early = read_universe(file).described("2014-01-31").companies.loc["META"]
    late = read_universe(file).described("2014-02-01").companies.loc["META"]
    assert "more" not in early["description"] and "more" in late["description"]
    patient = read_universe(file, lag=30)
    assert "more" not in patient.described("2014-03-01").companies.loc["META", "description"]
    assert "more" in patient.described("2014-03-02").companies.loc["META", "description"]
    assert patient.provenance["lag"] == 30


def test_a_plain_date_is_taken_as_given(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("ticker,description,date\nA,One.,2013-03-31\n")
    assert read_universe(path).companies.loc["A", "date"] == pd.Timestamp("2013-03-31")


def test_the_last_filing_known_at_a_date_says_name_code_and_ticker(file):
    universe = read_universe(file)
    assert universe.companies.loc["META", ["name", "sic", "symbol"]].tolist() == [
        "Meta", "7372", "META",
    ]  # fmt: skip
    then = universe.described("2021-12-31").companies.loc["META"]
    assert then[["name", "sic", "symbol"]].tolist() == ["Facebook", "7370", "FB"]
    assert then["cik"] == "0001326801"


def test_a_code_is_carried_forward_and_never_back():
    rows = pd.DataFrame(
        {
            "ticker": "A",
            "cik": "1",
            "date": pd.to_datetime(["2011-01-01", "2012-01-01", "2013-01-01"]),
            "sic": [None, "2834", None],
            "description": ["a", "b", "c"],
        }
    )
    assert keyed(rows)["sic"].tolist()[1:] == ["2834", "2834"]
    assert pd.isna(keyed(rows)["sic"].iloc[0])


def test_a_recycled_ticker_is_two_companies(file, prices):
    universe = read_universe(file, prices)
    assert universe.companies.index.tolist() == ["META", "X.0000000100", "OLD", "X"]
    steel, crosses = universe.prices["X.0000000100"], universe.prices["X"]
    assert steel.last_valid_index() == pd.Timestamp("2013-10-31")
    assert crosses.first_valid_index() == pd.Timestamp("2018-06-04")
    assert universe.prices["META"].notna().all()  # joined over the change of its ticker


def test_delisted_companies_stay(file, prices):
    universe = read_universe(file, prices)
    then = universe.as_of("2014-12-31")
    assert then.prices["OLD"].notna().any()
    assert "OLD" in universe.as_of("2020-12-31").companies.index
    assert then.companies.loc["OLD", "description"] == "Digs copper and gold."


def test_as_of_is_the_past_of_a_cut(file, prices):
    universe = read_universe(file, prices)
    then, cut = universe.as_of("2019-06-28"), universe.cut("2019-06-28")
    pd.testing.assert_frame_equal(then.companies, cut.past.companies)
    pd.testing.assert_frame_equal(then.companies, cut.future.companies)
    pd.testing.assert_frame_equal(then.prices, cut.past.prices)
    assert then.prices.index[-1] == pd.Timestamp("2019-06-28") < cut.future.prices.index[0]
    assert then.filings is None  # nothing later can be read from it
    with pytest.raises(DataError, match=r"first is of 2013-02-02.*later cut"):
        universe.as_of("2013-01-31")


def test_as_of_without_filings_is_the_past_too():
    companies = pd.DataFrame(
        {"description": ["a", "b"], "date": ["2013-01-01", "2015-01-01"]}, index=["A", "B"]
    )
    assert Universe.build(companies).as_of("2014-01-01").companies.index.tolist() == ["A"]
    with pytest.raises(DataError, match="a row per filing"):
        Universe.build(companies).yearly()


def test_a_panel_has_a_row_per_company_and_year(file):
    panel = read_universe(file).yearly()
    assert panel.companies.index.tolist() == [
        "X.0000000100 2013", "X 2019", "X 2020", "OLD 2014", "META 2013", "META 2014", "META 2022",
    ]  # fmt: skip
    old = panel.companies.loc["OLD 2014"]
    assert (old["company"], old["year"], old["description"]) == (
        "OLD", 2014, "Digs copper and gold.",
    )  # fmt: skip
    features = build_features(panel, Reading(model="tfidf"))
    assert features.companies.index.equals(panel.companies.index)


def test_features_of_a_run_are_read_from_what_was_known_at_its_cut(file, prices):
    data = Data(companies=str(file), prices=str(prices), cut="2021-12-31")
    found = open_universe(data)
    assert found.companies.loc["META", "symbol"] == "FB"
    assert found.prices.index[-1] == pd.Timestamp("2022-06-30")
    assert found.cut("2013-12-31").past.companies.index.tolist() == ["X.0000000100"]


def test_events_find_the_company_that_had_the_ticker(file):
    filings = read_universe(file).filings
    events = pd.DataFrame(
        {"ticker": ["X", "X", "FB", "ZZ"], "date": pd.to_datetime(["2013-05-01"] * 4)}
    )
    events.loc[1, "date"] = pd.Timestamp("2020-05-01")
    found = of_companies(events, filings)["ticker"].tolist()
    assert found == ["X.0000000100", "X", "META", "ZZ"]


def test_a_vendor_that_keeps_all_history_under_the_last_ticker():
    rows = pd.DataFrame(
        {
            "ticker": ["FB", "META"],
            "cik": "1",
            "date": pd.to_datetime(["2013-02-01", "2022-02-03"]),
            "description": ["a", "b"],
        }
    )
    days = pd.bdate_range("2012-01-02", "2022-12-30")
    closes = pd.DataFrame({"META": np.arange(1.0, len(days) + 1)}, days)
    pd.testing.assert_frame_equal(to_companies(closes, keyed(rows)), closes)


def test_rows_without_a_number_or_a_ticker(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(
        "ticker,cik,filed,flags,description\n"
        "A,7,2013-02-01,,One.\nA,,2014-02-01,,Two.\n,9,2013-02-01,,Gone.\n,9,2014-02-01,,Going.\n"
        "B,8,2013-02-01,no_item,\nB,8,2014-02-01,short,Three.\nB,8,2015-02-01,,Four.\n"
    )
    universe = read_universe(path)
    assert universe.companies["description"].to_dict() == {
        "A": "Two.", "CIK0000000009": "Going.", "B": "Four.",
    }  # fmt: skip
    assert universe.filings["key"].tolist() == ["A", "A", "B", "CIK0000000009", "CIK0000000009"]


def test_a_company_that_changes_its_number_is_two_unless_the_file_gives_it_one():
    """A holding company that takes another's place files under a number of its own."""
    rows = pd.DataFrame(
        {
            "ticker": ["GOOGL", "GOOGL"],
            "cik": ["1288776", "1652044"],
            "date": pd.to_datetime(["2015-02-09", "2016-02-11"]),
            "description": ["a", "b"],
        }
    )
    days = pd.bdate_range("2015-01-01", "2016-12-30")
    closes = pd.DataFrame({"GOOGL": np.arange(1.0, len(days) + 1)}, days)
    two = to_companies(closes, keyed(rows))
    assert set(two.columns) == {"GOOGL.0001288776", "GOOGL"}
    assert (two.notna().sum(axis=1) == 1).all()  # no day's close is of both
    assert two["GOOGL"].first_valid_index() == pd.Timestamp("2016-02-11")
    one = to_companies(closes, keyed(rows.assign(cik="1652044")))
    pd.testing.assert_frame_equal(one, closes)


def test_share_classes_of_one_day_are_one_company():
    rows = pd.DataFrame(
        {
            "ticker": ["GOOG", "GOOGL"] * 2,
            "cik": "1652044",
            "date": pd.to_datetime(["2019-02-04"] * 2 + ["2020-02-03"] * 2),
            "description": ["a", "a", "b", "b"],
        }
    )
    assert known_by(keyed(rows)).index.tolist() == ["GOOG"]


def test_filings_without_dates_are_refused(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text("ticker,filed,description\nA,2013-02-01,One.\nA,,Two.\n")
    with pytest.raises(DataError, match=r"more than once \(A\): 1, 2; if they are filings, date"):
        read_universe(path)


def some_filings(rng, count):
    days = pd.Timestamp("2010-01-01") + pd.to_timedelta(rng.integers(0, 3000, count), unit="D")
    return pd.DataFrame(
        {
            "ticker": [f"T{n}" for n in rng.integers(0, 12, count)],
            "cik": [str(n) for n in rng.integers(1, 10, count)],
            "date": days,
            "sic": rng.choice(["2834", "1311", None], count),
            "description": [f"Text {n}." for n in range(count)],
        }
    )


def by_number(universe):
    """Companies by their number: a name may change with a later filing, knowledge may not."""
    table = universe.companies.reset_index(drop=True).set_index("cik").sort_index()
    return table.astype(object).where(table.notna(), None)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(200, 2900))
def test_no_filing_after_a_date_changes_what_was_known_before(seed, after):
    rng = np.random.default_rng(seed)
    day = pd.Timestamp("2010-01-01") + pd.Timedelta(days=after)
    rows = some_filings(rng, 60)
    later = rows["date"] > day
    if later.all():
        return
    altered = rows.copy()
    altered.loc[later, "description"] = "Something else entirely."
    altered.loc[later, "sic"] = "9999"
    planted = some_filings(rng, 20)
    planted["date"] = day + pd.to_timedelta(rng.integers(1, 900, 20), unit="D")
    worlds = []
    for table in (rows, rows[~later], pd.concat([altered, planted], ignore_index=True)):
        filings = keyed(table)
        worlds.append(by_number(Universe.build(known_by(filings), filings=filings).as_of(day)))
    for other in worlds[1:]:
        pd.testing.assert_frame_equal(worlds[0], other[worlds[0].columns])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_tickers_closes_belong_to_one_company_at_a_time(seed):
    filings = keyed(some_filings(np.random.default_rng(seed), 40))
    spans = ticker_spans(filings)
    spans = spans[~(spans["until"] < spans["since"])]  # of two first filings on a day one has none
    for _, own in spans.sort_values("since", na_position="first").groupby("ticker"):
        since, until = own["since"].iloc[1:], own["until"].iloc[:-1]
        assert pd.isna(own["since"].iloc[0]) and pd.isna(own["until"].iloc[-1])
        assert (since.to_numpy() - until.to_numpy() == np.timedelta64(1, "D")).all()
