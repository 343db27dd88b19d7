"""Yahoo, through yfinance itself, and Stooq, against a server over TLS with real faults."""

import base64
import datetime
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from https_server import Reply, serve

from finsae.checks import DataError
from finsae.cli import main
from finsae.sources import open_prices
from finsae.sources.download import download, write_prices
from finsae.sources.http import Manners
from finsae.sources.stooq import Stooq, read_csv, symbol_of

START, END = datetime.date(2012, 1, 2), datetime.date(2012, 1, 10)
QUICK = {"per_second": 10_000.0, "timeout": 5.0, "tries": 3, "limit": 200_000}
ZONES = {"7203.T": "Asia/Tokyo", "VOD.L": "Europe/London"}
MONEY = {"7203.T": "JPY", "VOD.L": "GBp", "SAP.DE": "EUR"}
OPENS = {"Asia/Tokyo": 9, "Europe/London": 8, "America/New_York": 9.5}


BOMB = gzip.compress(bytes(30_000_000))


def days():
    return pd.bdate_range(START, END)


def closes(ticker):
    return np.round(10 + len(ticker) + np.arange(len(days())) * 0.5, 4)


def chart(ticker, asked):
    """An answer as Yahoo's chart interface gives it: stamps of the open, adjusted closes beside."""
    zone = ZONES.get(ticker, "America/New_York")
    stamps = [
        int((day.tz_localize(zone) + pd.Timedelta(hours=OPENS[zone])).timestamp()) for day in days()
    ]
    first, last = int(asked.get("period1", ["0"])[0]), int(asked.get("period2", ["9999999999"])[0])
    rows = [n for n, stamp in enumerate(stamps) if first <= stamp < last]
    price = [float(closes(ticker)[n]) for n in rows]
    quote = {name: price for name in ("open", "high", "low", "close")} | {"volume": [7] * len(rows)}
    meta = {
        "currency": MONEY.get(ticker, "USD"), "symbol": ticker, "exchangeName": "NMS",
        "instrumentType": "EQUITY", "firstTradeDate": 345479400, "regularMarketTime": stamps[-1],
        "gmtoffset": 0, "timezone": "EST", "exchangeTimezoneName": zone, "priceHint": 2,
        "regularMarketPrice": price[-1] if price else None, "dataGranularity": "1d", "range": "",
        "validRanges": ["1d", "5d", "1mo", "max"], "currentTradingPeriod": {},
    }  # fmt: skip
    result = {
        "meta": meta,
        "timestamp": [stamps[n] for n in rows],
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": [p / 2 for p in price]}]},
    }
    return Reply(200, json.dumps({"chart": {"result": [result], "error": None}}).encode())


def unknown(ticker):
    error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
    return Reply(404, json.dumps({"chart": {"result": None, "error": error}}).encode())


class Pages(dict):
    """Yahoo's and Stooq's addresses; a ticker that begins with GONE is unknown."""

    def get(self, path, default=None):
        parts = urlsplit(path)
        asked = parse_qs(parts.query)
        if parts.path.startswith("/v8/finance/chart/"):
            ticker = parts.path.rpartition("/")[2]
            planned = dict.get(self, ticker)
            if planned and "period1" in asked:
                return planned.pop(0) if isinstance(planned, list) else planned
            return unknown(ticker) if ticker.startswith("GONE") else chart(ticker, asked)
        if parts.path == "/v1/test/getcrumb":
            return Reply(200, b"crumb")
        if parts.path == "/q/d/l/":
            symbol = asked["s"][0]
            return dict.get(self, symbol) or stooq(symbol)
        return default


def stooq(symbol):
    if symbol.startswith("gone"):
        return Reply(200, b"No data")
    rows = "".join(
        f"{day:%Y-%m-%d},1,1,1,{close},700\r\n"
        for day, close in zip(days(), closes(symbol), strict=True)
    )
    return Reply(200, f"Date,Open,High,Low,Close,Volume\r\n{rows}".encode())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture
def server(certificates, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "STOOQ_API_KEY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with serve(certificates) as found:
        found.pages = Pages()
        yield found


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def yahoo(server, pauses):
    pytest.importorskip("yfinance", reason="needs finsae[fetch]")
    from finsae.sources.yahoo import Yahoo

    return Yahoo(
        base=server.address,
        authorities=str(server.authority),
        manners=Manners(**QUICK, sleep=pauses.append),
    )


@pytest.fixture
def stooqs(server, tmp_path, pauses):
    def made(**manners):
        return Stooq(
            tmp_path / "client",
            base=server.address,
            context=server.context,
            manners=Manners(**{**QUICK, "sleep": pauses.append, **manners}),
        )

    return made


def fetch(source, tickers, tmp_path, **more):
    wanted = {"start": START, "end": END, "batch": 2, **more}
    return download(source, tickers, folder=tmp_path / "kept", **wanted)


def series(found, ticker):
    mine = found.closes[found.closes["ticker"] == ticker]
    return mine.set_index("date")["close"]


# Yahoo --------------------------------------------------------------------------------------------


def test_yfinance_reads_adjusted_closes_on_the_exchanges_own_days(yahoo, tmp_path):
    found = fetch(yahoo, ["AAPL", "7203.T", "VOD.L", "GONE1"], tmp_path)
    for ticker, scale in (("AAPL", 1), ("7203.T", 1), ("VOD.L", 0.01)):
        mine = series(found, ticker)
        assert mine.index.tolist() == days().tolist(), ticker
        assert mine.tolist() == pytest.approx(closes(ticker) / 2 * scale)
    money = found.closes.drop_duplicates("ticker").set_index("ticker")["currency"].to_dict()
    assert money == {"7203.T": "JPY", "AAPL": "USD", "VOD.L": "GBP"}
    assert found.failed == {"GONE1": "No data found, symbol may be delisted"}
    assert found.again == []


def test_a_share_class_is_written_as_yahoo_does_and_kept_as_the_user_does(server, yahoo, tmp_path):
    found = fetch(yahoo, ["BRK.B", "bf-a"], tmp_path)
    assert set(found.closes["ticker"]) == {"BRK.B", "bf-a"}
    charts = {urlsplit(path).path.rpartition("/")[2] for path in server.requests}
    assert {"BRK-B", "BF-A"} <= charts


def test_each_currency_has_its_own_file_which_can_be_read(yahoo, tmp_path):
    found = fetch(yahoo, ["AAPL", "KO", "SAP.DE", "GONE1"], tmp_path)
    files = write_prices(found, tmp_path / "p.parquet")
    assert [file.name for file in files] == ["p.EUR.parquet", "p.USD.parquet"]
    market = open_prices(files[1]).market
    assert market.currency == "USD" and sorted(market.closes.columns) == ["AAPL", "KO"]
    beside = json.loads((tmp_path / "p.USD.json").read_text())
    assert beside["failed"] == found.failed and beside["adjusted"] == "splits and dividends"
    assert beside["end"] == "2012-01-10" and beside["tickers"] == ["AAPL", "KO"]


def test_finished_batches_are_not_fetched_again(server, yahoo, tmp_path):
    tickers = ["A", "B", "GONE1", "C", "D"]
    first = fetch(yahoo, tickers, tmp_path)
    assert first.asked == 5
    before = len(server.requests)
    second = fetch(yahoo, tickers, tmp_path, batch=3)
    assert second.asked == 0 and len(server.requests) == before
    pd.testing.assert_frame_equal(first.closes, second.closes)
    assert first.failed == second.failed


def test_a_fetch_that_is_killed_goes_on_where_it_stopped(server, yahoo, tmp_path):
    class Killed(BaseException):
        pass

    asked = yahoo.closes

    def dies(ticker, start, end):
        if ticker == "D":
            raise Killed
        return asked(ticker, start, end)

    yahoo.closes = dies
    with pytest.raises(Killed):
        fetch(yahoo, ["A", "B", "C", "D", "E"], tmp_path)
    del yahoo.closes
    server.requests.clear()
    found = fetch(yahoo, ["A", "B", "C", "D", "E"], tmp_path)
    assert found.asked == 2 and sorted(found.closes["ticker"].unique()) == list("ABCDE")
    charts = {urlsplit(path).path.rpartition("/")[2] for path in server.requests}
    assert charts & set("ABCDE") == {"D", "E"}


def test_too_many_requests_stop_the_fetch_and_keep_what_is_finished(
    server, yahoo, tmp_path, pauses
):
    server.pages["C"] = Reply(429, b"Too Many Requests", {"Retry-After": "7"})
    with pytest.raises(DataError, match=r"too many requests.*2 of 4 tickers are finished"):
        fetch(yahoo, ["A", "B", "C", "D"], tmp_path)
    assert pauses[-2:] == [7.0, 14.0]
    del server.pages["C"]
    assert fetch(yahoo, ["A", "B", "C", "D"], tmp_path).asked == 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Reply(200, b""), "an empty answer (status 200) at each of 3 tries"),
        (Reply(200, b"<html>Will be right back</html>"), "a page, no JSON (status 200)"),
        (Reply(200, b'{"chart": {"result": [{"me'), "a broken answer, no JSON (status 200)"),
        (Reply(503, b"busy"), "status 503 at each of 3 tries"),
        (Reply(200, b'{"chart": {}}', how="truncated"), "no answer ("),
        (Reply(200, b"x" * 300_000), "no answer ("),
        (Reply(200, BOMB, {"Content-Encoding": "gzip"}), "no answer ("),
        (Reply(302, b"", {"Location": "https://evil.example/x"}), "redirected to evil.example"),
        (Reply(200, b'{"chart": {"result": [{"meta": {}}], "error": null}}'), "unreadable"),
    ],
)
def test_a_fault_of_one_ticker_is_listed_and_asked_again(server, yahoo, tmp_path, fault, reason):
    server.pages["B"] = fault
    found = fetch(yahoo, ["A", "B", "C"], tmp_path)
    assert list(found.failed) == ["B"] == found.again
    assert found.failed["B"].startswith(reason)
    del server.pages["B"]
    later = fetch(yahoo, ["A", "B", "C"], tmp_path)
    assert later.asked == 1 and later.failed == {}
    assert sorted(later.closes["ticker"].unique()) == list("ABC")


def test_a_fault_that_passes_costs_a_pause(server, yahoo, tmp_path, pauses):
    server.pages["A"] = [Reply(500), Reply(200, b"{")]
    found = fetch(yahoo, ["A"], tmp_path)
    assert found.failed == {} and [pause for pause in pauses if pause >= 1] == [2.0, 4.0]


def test_a_silent_server_is_left(server, pauses, tmp_path):
    pytest.importorskip("yfinance", reason="needs finsae[fetch]")
    from finsae.sources.yahoo import Yahoo

    manners = Manners(**{**QUICK, "timeout": 1.0, "tries": 1}, sleep=pauses.append)
    source = Yahoo(base=server.address, authorities=str(server.authority), manners=manners)
    server.pages["A"] = Reply(how="silent")
    assert fetch(source, ["A"], tmp_path).failed == {"A": "no answer (Timeout) at each of 1 tries"}


def test_an_authority_that_is_not_trusted_stops_the_fetch(server, tmp_path):
    pytest.importorskip("yfinance", reason="needs finsae[fetch]")
    from finsae.sources.yahoo import Yahoo

    with pytest.raises(DataError, match="certificate not trusted"):
        fetch(Yahoo(base=server.address, manners=Manners(**QUICK)), ["A"], tmp_path)
    with pytest.raises(DataError, match="no https address"):
        Yahoo(base="http://localhost")


def test_yfinance_keeps_nothing_on_disk(yahoo, tmp_path, monkeypatch):
    from yfinance import cache

    fetch(yahoo, ["A"], tmp_path)
    assert cache.get_cookie_cache().lookup("curlCffi") is None
    assert cache.get_tz_cache().lookup("A") is None


def test_the_rate_is_kept(server, tmp_path):
    pytest.importorskip("yfinance", reason="needs finsae[fetch]")
    from finsae.sources.yahoo import Yahoo

    manners = Manners(**{**QUICK, "per_second": 20.0})
    source = Yahoo(base=server.address, authorities=str(server.authority), manners=manners)
    fetch(source, ["A", "B"], tmp_path)
    assert len(server.times) >= 5
    assert np.diff(server.times).min() > 0.03


def test_without_the_extra_the_way_out_is_said(monkeypatch):
    from finsae.sources.yahoo import Yahoo

    monkeypatch.setitem(sys.modules, "yfinance", None)
    with pytest.raises(DataError, match=r"pip install 'finsae\[fetch\]'"):
        Yahoo()


# Stooq --------------------------------------------------------------------------------------------


def test_stooq_csv_is_read(server, stooqs, tmp_path):
    found = fetch(stooqs(), ["AAPL", "BRK.B", "7203.JP", "GONE"], tmp_path)
    assert series(found, "AAPL").tolist() == pytest.approx(closes("aapl.us"))
    assert found.failed == {"GONE": "no data"}
    money = found.closes.drop_duplicates("ticker").set_index("ticker")["currency"].to_dict()
    assert money == {"7203.JP": "JPY", "AAPL": "USD", "BRK.B": "USD"}
    asked = [parse_qs(urlsplit(path).query) for path in server.requests]
    assert [query["s"][0] for query in asked] == ["aapl.us", "brk-b.us", "7203.jp", "gone.us"]
    assert asked[0]["d1"] == ["20120102"] and asked[0]["d2"] == ["20120110"]
    assert fetch(stooqs(), ["AAPL", "BRK.B", "7203.JP", "GONE"], tmp_path).asked == 0


def test_symbols():
    assert [symbol_of(t) for t in ("BRK.B", "brk-b", "CDR.PL", "VOD.UK", "^SPX")] == [
        "brk-b.us", "brk-b.us", "cdr.pl", "vod.uk", "^spx",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Reply(200, b""), "an empty answer"),
        (Reply(200, b"<html><body>busy</body></html>"), "a page, no table"),
        (Reply(200, b"Date,Open\r\n2012-01-02,1\r\n"), "not a table of closes"),
        (Reply(200, b"Date,Close\r\n2012-01-02,1\r\n2012-01-0"), "a table that is cut short"),
        (Reply(200, b"Date,Close\r\n2012-01-02,1\r\n2012-01-03,4"), "a table that is cut short"),
        (Reply(200, b"Date,Close\r\n2012-01-02,x\r\n"), "a table with cells that are no days"),
        (Reply(200, b"Date,Close\r\n", how="truncated"), "truncated"),
        (Reply(500), "status 500"),
        (Reply(302, b"", {"Location": "https://evil.example/x"}), "redirects to elsewhere"),
        (Reply(200, b"\xff\xfe\x00"), "not a table of closes"),
    ],
)
def test_stooqs_faults_are_listed_and_asked_again(server, stooqs, tmp_path, fault, reason):
    server.pages["b.us"] = fault
    found = fetch(stooqs(tries=1), ["A", "B"], tmp_path)
    assert found.again == ["B"] and reason in found.failed["B"]
    del server.pages["b.us"]
    later = fetch(stooqs(), ["A", "B"], tmp_path)
    assert later.asked == 1 and later.failed == {}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Reply(200, b"Exceeded the daily hits limit"), "exceeded the daily hits limit"),
        (Reply(429), "status 429"),
        (
            Reply(200, b"Get your apikey:\n1. Open https://stooq.com/q/d/?s=x&get_apikey\n"),
            "wants a key.*set STOOQ_API_KEY",
        ),
    ],
)
def test_stooq_stops_where_it_answers_nobody(server, stooqs, tmp_path, fault, reason):
    server.pages["b.us"] = fault
    with pytest.raises(DataError, match=f"{reason}.*1 of 3 tickers are finished"):
        fetch(stooqs(tries=1), ["A", "B", "C"], tmp_path)


def test_the_key_is_sent_and_written_nowhere(server, stooqs, tmp_path, monkeypatch):
    monkeypatch.setenv("STOOQ_API_KEY", "s3cr3t/key+")
    server.pages["b.us"] = Reply(500)
    found = fetch(stooqs(tries=1), ["A", "B"], tmp_path)
    assert all("apikey=s3cr3t%2Fkey%2B" in path for path in server.requests)
    assert "s3cr3t" not in str(found) and "apikey=***" in found.failed["B"]
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and b"s3cr3t" in p.read_bytes()]


def test_any_bytes_give_closes_or_a_reason():
    from hypothesis import given, settings
    from hypothesis import strategies as st

    from finsae.sources.download import NoPricesError, PassingError, StopError

    good = stooq("a.us").body

    @settings(max_examples=30, deadline=None)
    @given(st.binary(max_size=60), st.integers(0, len(good)), st.integers(0, 30))
    def check(noise, at, cut):
        try:
            found = read_csv(good[:at] + noise + good[at + cut :])
        except (NoPricesError, PassingError, StopError):
            return
        assert isinstance(found.index, pd.DatetimeIndex) and found.dtype == float

    check()


# Batches ------------------------------------------------------------------------------------------


def test_a_damaged_batch_is_fetched_again(stooqs, tmp_path):
    fetch(stooqs(), ["A", "B", "C"], tmp_path)
    (part,) = (tmp_path / "kept").rglob("part-000001.parquet")
    part.write_bytes(part.read_bytes()[:100])
    found = fetch(stooqs(), ["A", "B", "C"], tmp_path)
    assert found.asked == 2 and sorted(found.closes["ticker"].unique()) == ["A", "B", "C"]


def test_a_batch_with_another_number_in_it_is_fetched_again(stooqs, tmp_path):
    before = fetch(stooqs(), ["A", "B"], tmp_path)
    (part,) = (tmp_path / "kept").rglob("part-000001.parquet")
    raw = bytearray(part.read_bytes())
    pages = pq.ParquetFile(part).metadata.row_group(0).column(2)
    begin = pages.dictionary_page_offset or pages.data_page_offset
    raw[begin + pages.total_compressed_size - 3] ^= 1
    part.write_bytes(raw)
    found = fetch(stooqs(), ["A", "B"], tmp_path)
    assert found.asked == 2
    pd.testing.assert_frame_equal(found.closes, before.closes)


@pytest.mark.parametrize(
    ("sound", "damaged"),
    [(b"datetime64[ms]", b"datetime64[mr]"), (b'"name": "close"', b'"name": "clowe"'),
     (b'"name": "date"', b'"name": "bate"')],
)  # fmt: skip
def test_a_batch_whose_columns_are_damaged_is_fetched_again(stooqs, tmp_path, sound, damaged):
    before = fetch(stooqs(), ["A", "B"], tmp_path)
    (part,) = (tmp_path / "kept").rglob("part-000001.parquet")
    raw = part.read_bytes()
    schema = max(re.findall(rb"[A-Za-z0-9+/=]{400,}", raw), key=len)  # in base64
    changed = base64.b64decode(schema).replace(sound, damaged)
    part.write_bytes(raw.replace(schema, base64.b64encode(changed)))
    found = fetch(stooqs(), ["A", "B"], tmp_path)
    assert found.asked == 2
    pd.testing.assert_frame_equal(found.closes, before.closes)


class Planned:
    """A source that answers from a list."""

    name, settings = "planned", {}

    def __init__(self, answers):
        self.answers = answers

    def closes(self, ticker, start, end):
        days, values = self.answers[ticker]
        return pd.Series(values, index=pd.DatetimeIndex(days), dtype=float), "USD"


def test_what_a_service_sends_is_put_in_order(tmp_path):
    source = Planned(
        {
            "A": (["2012-01-04", "2012-01-03", "2012-01-04", "2011-12-30"], [5, 3, 6, 1]),
            "B": (["2012-01-03", "2012-01-04"], [0, np.inf]),
        }
    )
    found = fetch(source, ["A", "B", "A"], tmp_path)
    expected = {pd.Timestamp("2012-01-03"): 3.0, pd.Timestamp("2012-01-04"): 6.0}
    assert series(found, "A").to_dict() == expected
    assert found.failed == {"B": "no closes from 2012-01-02 to 2012-01-10"}


def test_a_currency_that_is_none_names_no_file(tmp_path):
    class Paid(Planned):
        def closes(self, ticker, start, end):
            days, values, money = self.answers[ticker]
            return pd.Series(values, index=pd.DatetimeIndex(days), dtype=float), money

    odd = dict(zip("ABCD", ["../../x", "US/D", "USD\x1b[2J", "D" * 400], strict=True))
    money = {**odd, "E": "EUR", "F": "USD", "G": ""}
    source = Paid({ticker: (["2012-01-03"], [3.0], paid) for ticker, paid in money.items()})
    found = fetch(source, list(money), tmp_path)
    assert found.again == list(odd) == list(found.failed)
    for reason in found.failed.values():
        assert "which is no currency" in reason and reason.isprintable()
    files = write_prices(found, tmp_path / "p.parquet")
    assert [file.name for file in files] == [f"p.{c}.parquet" for c in ("EUR", "USD", "unknown")]


def test_without_an_end_the_first_runs_day_holds_until_it_is_finished(tmp_path, monkeypatch):
    from finsae.sources import download as module

    ends = []

    class Source(Planned):
        def closes(self, ticker, start, end):
            ends.append(end)
            if ticker == "B" and len(ends) < 3:
                raise module.PassingError("busy")
            return super().closes(ticker, start, end)

    source = Source({"A": (days(), closes("A")), "B": (days(), closes("B"))})
    clock = [datetime.datetime(2012, 2, 1, tzinfo=datetime.UTC)]

    class Now(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return clock[0]

    monkeypatch.setattr(module.datetime, "datetime", Now)
    assert fetch(source, ["A", "B"], tmp_path, end=None).again == ["B"]
    clock[0] += datetime.timedelta(days=1)
    assert fetch(source, ["A", "B"], tmp_path, end=None).asked == 1
    assert {str(end) for end in ends} == {"2012-02-01"}
    assert fetch(source, ["A", "B"], tmp_path, end=None).asked == 2
    assert str(ends[-1]) == "2012-02-02"


def test_requests_that_make_no_sense(tmp_path):
    source = Planned({})
    for tickers, match in ((["../etc"], 'etc" is no ticker'), ([" "], "no tickers")):
        with pytest.raises(DataError, match=match):
            fetch(source, tickers, tmp_path)
    with pytest.raises(DataError, match="holds none"):
        fetch(source, ["A"], tmp_path, batch=0)
    with pytest.raises(DataError, match="before the first"):
        download(source, ["A"], start=END, end=START, folder=tmp_path)


# The command --------------------------------------------------------------------------------------


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr("sys.argv", ["finsae", *map(str, words)])
    try:
        main()
    except SystemExit as done:
        code = done.code or 0
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_fetches_lists_what_failed_and_goes_on(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FINSAE_CACHE", str(tmp_path / "cache"))
    words = ["fetch", "prices", "--source", "stooq", "--tickers", "A,GONE,B", "--start", START,
             "--end", END, "--address", server.address, "--authorities", server.authority,
             "--per-second", 10, "--out", tmp_path / "p.parquet"]  # fmt: skip
    code, out, err = run(monkeypatch, capsys, *words)
    assert code == 0 and "p.parquet" in out
    assert "2 tickers with closes, 1 without; 3 asked now" in err and "GONE: no data" in err
    assert "0 asked now" in run(monkeypatch, capsys, *words)[2]
    assert sorted(open_prices(tmp_path / "p.parquet").market.closes.columns) == ["A", "B"]


@pytest.mark.slow
@pytest.mark.parametrize("source", ["stooq", "yahoo"])
def test_a_process_that_is_killed_is_resumed_without_downloading_again(server, tmp_path, source):
    if source == "yahoo":
        pytest.importorskip("yfinance", reason="needs finsae[fetch]")
    wanted = [f"T{n}" for n in range(12)]
    words = [sys.executable, "-c", "from finsae.cli import main; main()", "fetch", "prices",
             "--source", source, "--tickers", ",".join(wanted), "--start", START, "--end", END,
             "--address", server.address, "--authorities", server.authority, "--batch", "3",
             "--per-second", "10", "--out", tmp_path / "p.parquet"]  # fmt: skip
    words = [str(word) for word in words]
    environment = {**os.environ, "FINSAE_CACHE": str(tmp_path / "cache")}
    first = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE)
    asked = lambda: {ticker for path in server.requests for ticker in ticker_of(path)}  # noqa: E731
    until = time.monotonic() + 120
    while len(asked()) < 8 and first.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert first.returncode == -signal.SIGKILL and not (tmp_path / "p.parquet").exists()
    before = asked()
    assert 8 <= len(before) < 12
    server.requests.clear()
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert "12 tickers with closes, 0 without; 6 asked now" in done.stderr
    assert asked() == set(wanted[6:])  # two batches of three were finished
    assert sorted(open_prices(tmp_path / "p.parquet").market.closes.columns) == sorted(wanted)


def ticker_of(path):
    parts = urlsplit(path)
    if parts.path.startswith("/v8/finance/chart/"):
        return [parts.path.rpartition("/")[2]]
    return [parse_qs(parts.query)["s"][0].removesuffix(".us").upper()] if "s=" in path else []


def test_the_command_brings_a_file_into_one_layout(tmp_path, monkeypatch, capsys):
    path = tmp_path / "crsp.csv"
    path.write_text("permno,date,ret,prc\n1,2012-01-03,C,-20\n1,2012-01-04,0.1,22\n")
    to = tmp_path / "p.parquet"
    code, out, err = run(
        monkeypatch, capsys, "fetch", "prices", "--source", "files", "--file", path, "--out", to
    )
    assert code == 0 and "CRSP legacy daily: 2 daily closes of 1 companies" in out
    assert "quotes" in err
    assert open_prices(to).market.closes["1"].tolist() == pytest.approx([20, 22])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--source", "files"], "--source files goes with --file"),
        (["--source", "stooq"], "give --tickers"),
        (["--source", "stooq", "--tickers", "A", "--start", "soon"], '--start "soon" is no day'),
        (["--source", "stooq", "--tickers", "A", "--file", "x"], "go with --source files"),
        (["--source", "stooq", "--tickers", "A", "--out", "x.csv"], "written as .parquet"),
        (["--source", "stooq", "--universe", "none.csv"], "no file"),
    ],
)
def test_mistakes_are_answered_in_a_line(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FINSAE_CACHE", str(tmp_path / "cache"))
    code, _, err = run(monkeypatch, capsys, "fetch", "prices", *words)
    assert code == 2 and said in err
