"""`finsae fetch edgar` at the shell."""

import sys

import pandas as pd
import pytest
from edgar_site import Made, add_filing, submissions, tickers
from layouts import ELSEWHERE, Writer, html_report

from finsae import cli

ACME, SELF = "0000000001", "0000000002"
AGENT = "Jane Doe jane@example.org"


@pytest.fixture
def site(https, monkeypatch):
    pages = https.pages
    pages["/files/company_tickers.json"] = tickers([(ACME, "ACME", "Acme"), (SELF, "SELF", "Self")])
    w = Writer(1)
    texts = {ACME: html_report(w), SELF: html_report(w, body=[ELSEWHERE])}
    for cik, text in texts.items():
        filing = Made(f"{cik}-20-000001", "10-K", "2020-02-05", "20200205080000", "a.htm", text)
        pages[f"/submissions/CIK{cik}.json"] = submissions(str(int(cik)), [filing])
        add_filing(pages, cik, filing)
    monkeypatch.setenv("SSL_CERT_FILE", str(https.authority))
    monkeypatch.delenv("EDGAR_IDENTITY", raising=False)
    https.truth = w.truth
    return https


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FINSAE_CACHE", str(tmp_path / "cache"))


def call(*argv, at=None, out=None):
    before = sys.argv
    where = [] if at is None else ["--address", at.address, "--out", str(out)]
    sys.argv = ["finsae", "fetch", "edgar", *argv, *where]
    try:
        cli.main()
    except SystemExit as stop:
        return stop.code or 0
    finally:
        sys.argv = before
    return 0


def test_a_universe_of_filings(site, tmp_path, capsys):
    (tmp_path / "u.csv").write_text("ticker,cik\nACME,\nSELF,2\nNIX,\n")
    argv = ("--universe", str(tmp_path / "u.csv"), "--years", "2020", "--user-agent", AGENT)
    assert call(*argv, at=site, out=tmp_path / "out") == 0
    said = capsys.readouterr()
    assert "1 companies: " in said.out
    assert "7 requests, 0 answers from the cache" in said.err
    assert "1 companies have no ticker at the SEC today (NIX)" in said.err
    assert "1 companies without a fit report: SELF" in said.err
    companies = pd.read_parquet(tmp_path / "out" / "companies.parquet")
    assert companies["description"].tolist() == [site.truth]
    filings = pd.read_parquet(tmp_path / "out" / "filings.parquet").set_index("cik")
    assert filings.loc[SELF, "flags"] == "by_reference,short"
    assert set(site.agents) == {AGENT}

    assert call(*argv, at=site, out=tmp_path / "out") == 0
    assert "0 requests, 7 answers from the cache" in capsys.readouterr().err


def test_a_damaged_copy_is_mentioned(site, tmp_path, capsys):
    argv = ("--tickers", "ACME", "--years", "2020", "--user-agent", AGENT)
    assert call(*argv, at=site, out=tmp_path / "out") == 0
    for file in (tmp_path / "cache" / "edgar").rglob("*.raw"):
        file.write_bytes(file.read_bytes()[:-1])
    assert call(*argv, at=site, out=tmp_path / "out") == 0
    assert "4 damaged copies fetched again: https://localhost" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--tickers", "ACME", "--years", "2020"), "the SEC asks who fetches"),
        (("--tickers", "ACME", "--user-agent", AGENT), '--years "" are no filing years'),
        (("--tickers", "ACME", "--years", "2020:2010", "--user-agent", AGENT), "the first before"),
        (("--tickers", "ACME", "--years", "20:22", "--user-agent", AGENT), "are no filing years"),
        (("--years", "2020", "--user-agent", AGENT), "give --tickers AAPL,MSFT or --universe"),
        (("--tickers", "ACNE", "--years", "2020", "--user-agent", AGENT), 'did you mean "ACME"'),
        (("--tickers", "SELF", "--years", "2020", "--user-agent", AGENT), "see the column flags"),
        (("--universe", "nowhere.csv", "--years", "2020", "--user-agent", AGENT), "no file"),
    ],
)
def test_mistakes_are_answered_in_one_line(site, tmp_path, capsys, argv, message):
    assert call(*argv, at=site, out=tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_an_address_without_tls_is_refused(tmp_path, capsys):
    argv = ("--tickers", "A", "--years", "2020", "--user-agent", AGENT)
    assert call(*argv, "--address", "http://localhost:1", "--out", str(tmp_path)) == 2
    assert "is no https address" in capsys.readouterr().err


def test_too_many_missing_filings_end_the_run(site, tmp_path, capsys):
    filings = [
        Made(f"{ACME}-20-{number:06}", "10-K", "2020-02-05", "20200205080000", "gone.htm", "")
        for number in range(11)
    ]
    site.pages[f"/submissions/CIK{ACME}.json"] = submissions("1", filings)
    argv = ("--tickers", "ACME", "--years", "2020", "--user-agent", AGENT)
    assert call(*argv, at=site, out=tmp_path / "out") == 2
    assert "11 filings could not be had" in capsys.readouterr().err
    assert not (tmp_path / "out" / "filings.parquet").exists()
