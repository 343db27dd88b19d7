"""EDGAR against a server that answers as EDGAR does."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pyarrow.parquet as pq
import pytest
from edgar_site import Made, add_filing, header_page, submissions, tickers
from https_server import Reply
from layouts import Writer, html_report, text_report

from finsae.checks import DataError
from finsae.sources.edgar import Edgar, fetch_filings, find_companies, read_wanted, write_filings
from finsae.sources.edgar.fetch import COLUMNS
from finsae.sources.edgar.records import read_company, read_filings, read_header, read_tickers
from finsae.sources.files import read_universe
from finsae.sources.http import FetchError, Manners

AGENT = "Jane Doe jane@example.org"
ACME, OLDCO = "0000320193", "0000012345"
OLD = Writer(1)
NEW = Writer(2)
FILINGS = [
    Made("0000320193-24-000002", "10-K", "2024-02-05", "20240202180821", "acme-20231231.htm",
         html_report(NEW), listed="2024-02-02T23:08:21.000Z"),
    Made("0000320193-24-000001", "8-K", "2024-01-05", "20240105120000", "acme8k.htm", "an event"),
    Made("0000320193-23-000001", "10-K", "2023-02-03", "20230203080000", "acme-20221231.htm",
         html_report(OLD), sic="0111", name="OLD ACME CORP"),
]  # fmt: skip
OLDER = [
    Made("0000320193-98-000007", "10-K405", "1998-03-30", "19980330120000", "", text_report(OLD),
         sic="3570", name="OLDEST ACME CORP"),
    Made("0000320193-97-000004", "10-K", "1997-03-28", "19970328120000", "", text_report(OLD)),
]  # fmt: skip
FORMER = [
    ("OLD ACME CORP", "1999-05-01", "2023-06-30"),
    ("OLDEST ACME", "1994-01-01", "1999-05-01"),
]


@pytest.fixture
def site(https):
    """A listed company with a page of older filings, and one that is no longer listed."""
    pages = https.pages
    pages["/files/company_tickers.json"] = tickers(
        [(ACME, "ACME", "Acme Inc."), (ACME, "ACM-B", "Acme Inc.")]
    )
    page = "CIK0000320193-submissions-001.json"
    pages[f"/submissions/CIK{ACME}.json"] = submissions(
        "320193", FILINGS, tickers=["ACME", "ACM-B"], former=FORMER, older=[(page, OLDER)]
    )
    pages[f"/submissions/{page}"] = json.dumps(
        json.loads(submissions("320193", OLDER))["filings"]["recent"]
    ).encode()
    for filing in (*FILINGS, *OLDER):
        add_filing(pages, ACME, filing)
    gone = Made("0000012345-24-000001", "10-K", "2024-03-01", "20240301090000", "gone.htm",
                html_report(NEW), sic=None, name="GONE INC")  # fmt: skip
    pages[f"/submissions/CIK{OLDCO}.json"] = submissions(
        OLDCO, [gone], name="GONE INC", sic="800", tickers=[]
    )
    add_filing(pages, OLDCO, gone)
    return https


def edgar(site, tmp_path, **manners):
    return Edgar(
        user_agent=AGENT,
        cache=tmp_path / "raw",
        address=site.address,
        context=site.context,
        manners=Manners(per_second=1_000, timeout=5.0, sleep=lambda _: None, **manners),
    )


def fetch(source, names, years):
    return list(fetch_filings(source, find_companies(names, source.tickers()), years))


def test_filings_with_what_they_said_on_their_day(site, tmp_path):
    source = edgar(site, tmp_path)
    rows = pd.DataFrame(fetch(source, ["ACME"], (1998, 2024)))
    assert rows["accession"].tolist() == [
        "0000320193-98-000007", "0000320193-23-000001", "0000320193-24-000002",
    ]  # fmt: skip
    assert rows["form"].tolist() == ["10-K405", "10-K", "10-K"]
    assert rows["sic"].tolist() == ["3570", "0111", "3571"]
    assert set(rows["sic_source"]) == {"filing"}
    assert rows["name"].tolist() == ["OLDEST ACME CORP", "OLD ACME CORP", "ACME INC"]
    # The header's clock is New York's; a filing accepted in the evening is dated the next day.
    assert rows["accepted"].tolist()[-1] == "2024-02-02T18:08:21"
    assert rows["date"].tolist() == ["1998-03-30", "2023-02-03", "2024-02-05"]
    assert rows["description"].tolist() == [OLD.truth, OLD.truth, NEW.truth]
    assert set(rows["flags"]) == {""}
    assert rows["former_names"][0].startswith("OLD ACME CORP (1999-05-01 to 2023-06-30); OLDEST")


def test_only_the_pages_of_the_years_asked_for_are_read(site, tmp_path):
    fetch(edgar(site, tmp_path), ["ACME"], (2023, 2024))
    assert not [path for path in site.requests if "submissions-001" in path or "-98-" in path]


def test_nothing_is_fetched_twice(site, tmp_path):
    first = fetch(edgar(site, tmp_path), ["ACME"], (1997, 2024))
    asked = list(site.requests)
    assert len(asked) == len(set(asked)) == 1 + 2 + 2 * 2 + 2
    again = edgar(site, tmp_path)
    assert fetch(again, ["ACME"], (1997, 2024)) == first
    assert site.requests == asked
    assert again.www.sent + again.data.sent == 0


def test_a_delisted_company_is_found_by_its_cik_and_says_whose_code_it_has(site, tmp_path):
    (row,) = fetch(edgar(site, tmp_path), ["12345"], (2024, 2024))
    assert (row["ticker"], row["cik"]) == ("CIK0000012345", "0000012345")
    assert (row["sic"], row["sic_source"]) == ("0800", "today")


def test_without_a_header_the_list_of_filings_speaks(site, tmp_path):
    for path in [path for path in site.pages if path.endswith("-index-headers.html")]:
        del site.pages[path]
    rows = fetch(edgar(site, tmp_path), ["ACME"], (2023, 2024))
    assert [row["name"] for row in rows] == ["OLD ACME CORP", "ACME INC"]
    assert [row["sic_source"] for row in rows] == ["today", "today"]
    assert rows[1]["accepted"] == "2024-02-02T23:08:21"


def test_a_document_that_is_missing_is_taken_from_the_whole_submission_or_flagged(site, tmp_path):
    folder = "/Archives/edgar/data/320193/"
    del site.pages[f"{folder}000032019324000002/acme-20231231.htm"]
    del site.pages[f"{folder}000032019323000001/acme-20221231.htm"]
    add_filing(site.pages, ACME, FILINGS[0]._replace(document=""))
    rows = fetch(edgar(site, tmp_path), ["ACME"], (2023, 2024))
    assert [row["flags"] for row in rows] == ["missing", ""]
    assert rows[1]["description"] == NEW.truth


def test_a_page_of_excuses_is_not_kept(site, tmp_path):
    document = "/Archives/edgar/data/320193/000032019324000002/acme-20231231.htm"
    for path in ("/files/company_tickers.json", f"/submissions/CIK{ACME}.json"):
        site.faults[path] = [Reply(200, b"<html>We are busy</html>")]
        with pytest.raises(DataError, match="no JSON"):
            fetch(edgar(site, tmp_path), ["ACME"], (2024, 2024))
    site.faults[document] = [Reply(200, b"")]
    (row,) = fetch(edgar(site, tmp_path), ["ACME"], (2024, 2024))
    assert row["flags"] == "missing"
    (row,) = fetch(edgar(site, tmp_path), ["ACME"], (2024, 2024))
    assert row["description"] == NEW.truth


def test_a_page_of_excuses_is_no_header_and_no_submission(site, tmp_path):
    excuse = Reply(200, b"<html><p>We are being maintained.</p></html>")
    header = next(p for p in site.pages if "24000002" in p and p.endswith("-headers.html"))
    whole = "/Archives/edgar/data/320193/0000320193-98-000007.txt"
    site.faults |= {header: [excuse], whole: [excuse]}
    rows = fetch(edgar(site, tmp_path), ["ACME"], (1998, 2024))
    assert [row["flags"] for row in rows] == ["missing", "", "missing"]
    rows = fetch(edgar(site, tmp_path), ["ACME"], (1998, 2024))
    assert [row["sic"] for row in rows] == ["3570", "0111", "3571"]
    assert {(row["flags"], row["sic_source"]) for row in rows} == {("", "filing")}


def test_days_and_moments_that_are_none_date_no_filing():
    columns = {
        "accessionNumber": ["0000000001-10-000001", "0000000001-10-000002"],
        "form": ["10-K", "10-K"],
        "filingDate": ["2010-02-30", "2010-03-01"],
        "acceptanceDateTime": ["2010-03-01T10:00:00.000Z", "soon"],
        "primaryDocument": ["a.htm", "a.htm"],
    }
    (filing,) = read_filings(columns, ACME)
    assert (filing.filed, filing.accepted) == ("2010-03-01", "")
    page = header_page(FILINGS[0], ACME).decode()
    assert read_header(page, ACME).accepted == "2024-02-02T18:08:21"
    for stamp in ("99999999999999", "20240231080000", "99990101000000"):
        assert read_header(page.replace("20240202180821", stamp), ACME).accepted is None


def test_a_page_of_filings_without_its_days_is_read(site, tmp_path):
    path = f"/submissions/CIK{ACME}.json"
    content = json.loads(site.pages[path])
    for page in content["filings"]["files"]:
        del page["filingFrom"], page["filingTo"]
    site.pages[path] = json.dumps(content).encode()
    rows = fetch(edgar(site, tmp_path), ["ACME"], (1997, 1998))
    assert [row["filed"] for row in rows] == ["1997-03-28", "1998-03-30"]


def test_amendments_and_repeated_lines_add_no_filing(site, tmp_path):
    part_three = FILINGS[0]._replace(
        accession="0000320193-24-000009", form="10-K/A", filed="2024-04-20", document="amend.htm"
    )
    listed = [part_three, *FILINGS, FILINGS[0]]
    page = "CIK0000320193-submissions-001.json"
    site.pages[f"/submissions/CIK{ACME}.json"] = submissions(
        "320193", listed, tickers=["ACME"], older=[(page, [FILINGS[2], *OLDER])]
    )
    site.pages[f"/submissions/{page}"] = json.dumps(
        json.loads(submissions("320193", [FILINGS[2], *OLDER]))["filings"]["recent"]
    ).encode()
    rows = fetch(edgar(site, tmp_path), ["ACME"], (1998, 2024))
    assert [row["filed"] for row in rows] == ["1998-03-30", "2023-02-03", "2024-02-05"]


def test_share_classes_are_one_company_and_tickers_are_spelt_as_people_do():
    known = {"ACME": ACME, "ACM-B": ACME}
    assert [tuple(found) for found in find_companies(["acm.b", "ACME"], known)] == [(ACME, "acm.b")]


def test_an_unknown_ticker_is_named_with_the_nearest():
    with pytest.raises(DataError, match='no ticker "ACNE" today; did you mean "ACME"'):
        find_companies(["ACNE"], {"ACME": ACME})


def test_a_universe_file_names_companies_by_cik_or_ticker(tmp_path):
    file = tmp_path / "universe.csv"
    file.write_text("Ticker,CIK\nACME,320193\nGONE,12345\nACM.B,\nNIX,\n")
    wanted, unknown = read_wanted(file, {"ACME": ACME, "ACM-B": ACME})
    assert [tuple(found) for found in wanted] == [(ACME, "ACME"), (OLDCO, "GONE")]
    assert unknown == ["NIX"]
    file.write_text("name\nAcme\n")
    with pytest.raises(DataError, match='neither a column "cik"'):
        read_wanted(file, {})


@pytest.mark.parametrize("agent", ["", "Jane Doe", "jane@example.org", "Mozilla/5.0 (X11)"])
def test_the_sec_wants_to_know_who_asks(tmp_path, agent):
    with pytest.raises(DataError, match="is no name and mail address"):
        Edgar(user_agent=agent, cache=tmp_path)


def test_not_faster_than_the_sec_allows(tmp_path):
    with pytest.raises(DataError, match="10 requests a second at most"):
        Edgar(user_agent=AGENT, cache=tmp_path, manners=Manners(per_second=11))


def test_the_server_counts_ten_requests_a_second_at_most(https, tmp_path):
    source = Edgar(user_agent=AGENT, cache=tmp_path, address=https.address, context=https.context)
    paths = [f"a/{number}" for number in range(14)]
    https.pages |= {f"/{path}": b"x" for path in paths}
    clients = [source.www, source.data] * 7
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda client, path: client.get(path), clients, paths))
    times = sorted(https.times)
    assert len(times) == 14
    assert min(later - first for first, later in zip(times, times[10:], strict=False)) > 0.9


def test_a_block_ends_the_run_with_what_is_finished_kept(site, tmp_path):
    path = "/Archives/edgar/data/320193/000032019324000002/acme-20231231.htm"
    site.faults[path] = [Reply(403)] * 5
    with pytest.raises(FetchError, match="status 403 at each of 5 tries"):
        fetch(edgar(site, tmp_path), ["ACME"], (2023, 2024))
    asked = len(site.requests)
    assert len(fetch(edgar(site, tmp_path), ["ACME"], (2023, 2024))) == 2
    assert len(site.requests) == asked + 2  # that document and its header


def test_an_encoding_that_is_not_as_said(site, tmp_path):
    path = "/Archives/edgar/data/320193/000032019324000002/acme-20231231.htm"
    w = Writer(3)
    w.business[0] += " Caf\u00e9s in Zürich \u201cbuy\u201d our lenses."
    said = {"Content-Type": "text/html; charset=utf-8"}
    site.pages[path] = Reply(200, html_report(w).encode("cp1252"), said)
    (row,) = fetch(edgar(site, tmp_path), ["ACME"], (2024, 2024))
    assert row["description"] == w.truth


def test_bombs_cost_a_filing_and_not_the_run(site, tmp_path):
    folder = "/Archives/edgar/data/320193/"
    packed = gzip.compress(b"<div>" * 10_000_000)
    site.pages[f"{folder}000032019324000002/acme-20231231.htm"] = Reply(
        200, packed, {"Content-Encoding": "gzip"}
    )
    site.pages[f"{folder}000032019323000001/acme-20221231.htm"] = b"<p>" + b"<div><table>" * 20_000
    source = edgar(site, tmp_path, limit=1_000_000)
    rows = fetch(source, ["ACME"], (1998, 2024))
    assert [row["flags"] for row in rows] == ["", "no_item", "missing"]


def test_names_in_answers_do_not_become_paths():
    table = {
        "accessionNumber": ["0000320193-24-000002", "../../etc/passwd", "0000320193-24-000003"],
        "form": ["10-K"] * 3,
        "filingDate": ["2024-02-05"] * 3,
        "primaryDocument": ["../../../x.htm", "a.htm", "https://example.org/a.htm"],
    }
    assert [(f.accession, f.document) for f in read_filings(table, ACME)] == [
        ("0000320193-24-000002", ""), ("0000320193-24-000003", ""),
    ]  # fmt: skip
    content = json.loads(submissions("320193", FILINGS))
    content["filings"]["files"] = [{"name": "../CIK.json", "filingFrom": "1990-01-01"}]
    assert read_company(json.dumps(content).encode(), ACME).pages == ()


@pytest.mark.parametrize(
    "raw",
    [b"", b"<html>busy</html>", b"[]", b'"x"', b"\xff\xfe", b'{"cik": "1"}', b"[" * 100_000,
     b'{"cik": "320193"}', b'{"cik": "320193", "filings": []}'],
)  # fmt: skip
def test_answers_that_are_none_are_named(raw):
    with pytest.raises(DataError):
        read_company(raw, ACME)
    with pytest.raises(DataError):
        read_tickers(raw)


def test_lists_of_odd_shape_lose_the_rows_that_are_unsound():
    content = {
        "cik": 320193,
        "name": None,
        "sic": "",
        "tickers": "ACME",
        "formerNames": [{}, 3],
        "filings": {"recent": {"accessionNumber": [None, 7], "form": ["10-K"]}, "files": 3},
    }
    company = read_company(json.dumps(content).encode(), ACME)
    assert (company.sic, company.tickers, company.former, company.filings) == (None, (), (), ())


def test_a_header_in_either_dialect_and_of_several_filers():
    page = header_page(FILINGS[2], ACME).decode()
    spaced = page[page.index("<PRE>") :]
    for text in (page, spaced):
        found = read_header(text, ACME)
        assert found == ("OLD ACME CORP", "0111", "2023-02-03T08:00:00")
    assert read_header(spaced, "0000999999").sic == "6189"
    assert read_header("nothing", ACME) == (None, None, None)


def test_the_companies_file_is_read_by_finsae(site, tmp_path):
    source = edgar(site, tmp_path)
    wanted = find_companies(["ACME", "12345"], source.tickers())
    latest = write_filings(
        tmp_path / "filings.parquet", fetch_filings(source, wanted, (2023, 2024))
    )
    assert len(pd.read_parquet(tmp_path / "filings.parquet")) == 3
    assert pq.ParquetFile(tmp_path / "filings.parquet").num_row_groups == 1
    latest.to_parquet(tmp_path / "companies.parquet")
    companies = read_universe(tmp_path / "companies.parquet").companies
    assert companies.index.tolist() == ["ACME", "CIK0000012345"]
    assert companies["sic"].tolist() == ["3571", "0800"]
    assert companies["cik"].tolist() == [ACME, OLDCO]
    # Public on the fifth, and counted from the day after, as all filings are.
    assert str(companies.loc["ACME", "date"].date()) == "2024-02-06"


def test_many_filings_are_written_in_groups_and_guarded(tmp_path):
    rows = [
        {name: f"{name} {number}" for name in COLUMNS}
        | {"cik": f"{number % 40:010d}", "flags": "" if number % 3 else "short"}
        for number in range(1_201)
    ]
    path = tmp_path / "filings.parquet"
    latest = write_filings(path, iter(rows))
    groups = pq.ParquetFile(path).metadata
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [500, 500, 201]
    assert pd.read_parquet(path)["accession"].tolist() == [row["accession"] for row in rows]
    fit = {row["cik"]: row["accession"] for row in rows if not row["flags"]}
    assert dict(zip(latest["cik"], latest["accession"], strict=True)) == fit
    raw = bytearray(path.read_bytes())
    pages = groups.row_group(1).column(len(COLUMNS) - 1)
    begin = pages.dictionary_page_offset or pages.data_page_offset
    raw[begin + pages.total_compressed_size - 3] ^= 1
    path.write_bytes(raw)
    with pytest.raises(DataError, match="cannot be read as parquet"):
        read_universe(path)


def command(site, tmp_path, *arguments):
    environment = {
        **os.environ,
        "FINSAE_CACHE": str(tmp_path / "cache"),
        "SSL_CERT_FILE": str(site.authority),
        "EDGAR_IDENTITY": AGENT,
    }
    return subprocess.Popen(
        [sys.executable, "-c", "from finsae.cli import main; main()", "fetch", "edgar",
         "--address", site.address, "--out", str(tmp_path / "out"), *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_a_killed_fetch_goes_on_without_fetching_again(site, tmp_path):
    arguments = ("--tickers", "ACME,12345", "--years", "1997:2024")
    half = "/Archives/edgar/data/320193/000032019323000001/acme-20221231.htm"
    slow = Reply(200, b"x" * 5_000, how="drip")
    site.faults[half] = [slow]
    process = command(site, tmp_path, *arguments)
    deadline = time.monotonic() + 60
    while half not in site.requests:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "out" / "filings.parquet").exists()
    before = list(site.requests)
    assert len(before) >= 5

    process = command(site, tmp_path, *arguments)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert "2 companies" in out
    # Of what was asked before the kill, only what it broke off is asked again.
    twice = {path for path in site.requests if site.requests.count(path) > 1}
    assert half in twice
    assert twice <= {half, *before[-2:]}
    assert len(pd.read_parquet(tmp_path / "out" / "filings.parquet")) == 5
    companies = pd.read_parquet(tmp_path / "out" / "companies.parquet")
    assert companies["ticker"].tolist() == ["ACME", "CIK0000012345"]
