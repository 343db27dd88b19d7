"""Damaged input for every reader: an answer or an error of our own.

Each reader gets sound files with bits flipped, pieces cut out, repeated, joined to another's, and
words that parsers stumble over put in; the same ones wherever the tests run. FINSAE_FUZZ_INPUTS and
FINSAE_FUZZ_SEED ask for more, or others.
"""

import gzip
import json
import os
import time
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
import torch
from edgar_site import Made, header_page, spaced_header, submission_text, submissions, tickers
from https_server import Reply
from layouts import Writer, html_report, text_report
from toy_features import toy
from toy_words import Words

from finsae import sae
from finsae.activations import SHARD, Activations, _Writer, collect
from finsae.checks import DataError
from finsae.config import read_run
from finsae.features import Features
from finsae.parts import read_parts, write_parts
from finsae.result import SCORE_COLUMNS, Result
from finsae.sae import GroupSAE, checkpoint
from finsae.sae.group import Member
from finsae.sources import (
    open_prices,
    read_clusters,
    read_codes,
    read_edgar_corpus,
    read_factors,
    read_labels,
    read_universe,
    read_volume,
)
from finsae.sources.download import NoPricesError, PassingError, StopError
from finsae.sources.edgar import clean_business, extract_business
from finsae.sources.edgar.blocks import decode
from finsae.sources.edgar.records import main_document, read_company, read_header, read_tickers
from finsae.sources.http import Client, Manners
from finsae.sources.raw import RawCache
from finsae.sources.stooq import read_csv

pytestmark = pytest.mark.slow

INPUTS = int(os.environ.get("FINSAE_FUZZ_INPUTS", "400"))
SEED = int(os.environ.get("FINSAE_FUZZ_SEED", "0"))
LONGEST = 8.0  # seconds of one input, on a shared machine
CIK = "0000320193"
FILING = Made("0000320193-23-000001", "10-K", "2023-02-03", "20230203080000", "a.htm", "text")

WORDS = [
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b'"', b'""', b"'", b",", b";", b"\t",
    b"\n", b"\r\n", b"|", b"-", b"-0", b"1e999", b"-1e999", b"nan", b"NaN", b"inf", b"null",
    b"None", b"NaT", b"0000-00-00", b"9999-12-31", b"1677-01-01", b"2262-04-12", b"2013-02-30",
    b"201302", b"2013-06-30T23:00:00+99:99", b"20130630", b"9" * 400, b"0x10", b"1_000", b"1,5",
    b"TRUE", b"{", b"}", b"[", b"[" * 3_000, b"<", b">", b"<!--", b"-->", b"<table>", b"<pre>",
    b"<b " * 50, b"&#x110000;", b"&#99999999999;", b"&lol;", b"<!DOCTYPE x [<!ENTITY a 'b'>]>",
    b"Item 1.", b"Item 1A. Risk Factors", b"</SEC-HEADER>", b"<DOCUMENT>", b"../../etc/passwd",
    b"%00", b"=1+1", b"date", b"ticker", b"close", b"currency", b"permno", b"ret", b"sic",
    b"\\u0000", b"\\ud800",
]  # fmt: skip


def damaged(rng, seeds):
    """A seed, damaged once or several times."""
    raw = bytearray(seeds[rng.integers(len(seeds))])
    for _ in range(1 + rng.geometric(0.5)):
        at, other = (int(place) for place in rng.integers(len(raw) + 1, size=2))
        low, high = sorted((at, min(other, at + 200) if other > at else other))
        kind = rng.integers(7)
        if kind == 0 and raw:
            raw[at % len(raw)] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del raw[low:high]
        elif kind == 2:
            raw[at:at] = raw[low:high] * int(rng.integers(1, 30))
        elif kind == 3:
            raw[at:at] = WORDS[rng.integers(len(WORDS))]
        elif kind == 4:
            word = WORDS[rng.integers(len(WORDS))]
            raw[at : at + len(word)] = word
        elif kind == 5:
            del raw[at:]
        else:
            more = seeds[rng.integers(len(seeds))]
            raw[at:] = more[int(rng.integers(len(more) + 1)) :]
        del raw[2_000_000:]
    return bytes(raw)


def fuzz(read, seeds, *, allowed=(DataError,), sealed=False):
    """Feed damaged seeds to a reader; of what is sealed none need be an answer."""
    rng, answers = np.random.default_rng(SEED), 0
    for seed in seeds:
        read(seed)
    for _ in range(INPUTS):
        raw = damaged(rng, seeds)
        begun = time.process_time()
        try:
            read(raw)
            answers += 1
        except allowed as error:
            assert str(error)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error} from {raw[:4_000]!r}") from error
        assert time.process_time() - begun < LONGEST, raw[:4_000]
    assert answers or sealed


def csv(*rows):
    return "\n".join(rows).encode() + b"\n"


COMPANIES = [
    csv("ticker,name,sic,cik,date,description", 'A,Acme,0111,1,2012-03-01,"Makes steel, and sells"',
        "B,Bolt,3711,2,2012-04-01,Runs trains"),
    csv("ticker;cik;accepted;filed;flags;sic;description",
        "A;1;2012-03-01T18:00:00;2012-03-02;;100;x", "A;1;2013-03-01;2013-03-02;short;2911;y",
        "B;2;;2013-01-01;;;z"),
    csv("ticker,sic,sic_date,date,description", "A,100,2001-01-01,2012-03-01,x",
        "A,2911,2011-01-01,2012-03-01,x"),
]  # fmt: skip
PRICES = [
    csv("date,A,B", "2012-03-01,10,20.5", "2012-03-02,10.5,", "2012-03-05,5.2,21"),
    csv("date,ticker,close,currency", "2012-03-01T15:00:00Z,A,10,USD", "2012-03-02,B,1,GBp"),
    csv("PERMNO,date,TICKER,RET,PRC,DLRET,SICCD", "1,20120301,A,C,20,,100",
        "1,20120302,A,0.1,-22,-0.3,100", "2,20120301,B,.B,5,,2911"),
    csv("permno,dlycaldt,dlyret,dlyprc,dlycumfacpr,dlyprcflg", "1,2012-03-01,0.01,10,1,TR",
        "1,2012-03-02,0.02,11,2,BA"),
    csv("month,ticker,ret", "2012-01,A,0.1", "2012-02,A,-0.5", "2012-01,B,0.2"),
    csv("Price,Close,Close", "Ticker,A,B", "Date,,", "2012-03-01,1,2", "2012-03-02,3,4"),
]  # fmt: skip
TABLES = {
    "companies": (read_universe, COMPANIES),
    "prices": (open_prices, PRICES),
    "labels": (read_labels, [csv("ticker,label,year", "A,x,2001", "B,y,2002")]),
    "clusters": (read_clusters, [csv("year,company,cluster", "2001,A,1", "2001,B,1")]),
    "codes": (read_codes, [csv("ticker,date,sic", "A,2001-01-01,100", "A,2002-01-01,2911")]),
    "volume": (read_volume, [csv("date,ticker,volume", "2001-01-02,A,100", "2001-01-03,A,5e6")]),
    "factors": (read_factors, [csv("date,mkt,hml", "2001-01-02,0.01,0.002", "2001-01-03,-0.1,0")]),
    "corpus": (read_edgar_corpus, [
        csv("filename,cik,year,section_1", '1_2001.txt,1,2001,"Item 1. Business We make steel."')]),
}  # fmt: skip


@pytest.mark.parametrize("name", list(TABLES))
def test_tables_as_csv(name, tmp_path):
    reader, seeds = TABLES[name]

    def read(raw):
        (tmp_path / "file.csv").write_bytes(raw)
        # a table that holds only what flags call unfit, and the like, is an answer too
        reader(tmp_path / "file.csv")

    fuzz(read, [seed for seed in seeds if _sound(read, seed)])


def _sound(read, seed):
    with suppress(DataError):
        read(seed)
        return True
    return False


def test_events_beside_prices(tmp_path):
    prices = tmp_path / "p.csv"
    prices.write_bytes(PRICES[0])

    def read(raw):
        (tmp_path / "events.csv").write_bytes(raw)
        found = open_prices(prices, events=tmp_path / "events.csv")
        found.mender(found.market.closes)

    note = "told by the company " * 30
    fuzz(read, [csv("ticker,date,kind,factor,note", f"A,2012-03-05,spin_off,1.1,{note}")])


def test_tables_as_parquet(tmp_path):
    days = pd.date_range("2012-01-02", periods=40)
    table = pd.DataFrame({"ticker": ["A", "B"] * 20, "date": days, "close": np.linspace(1, 2, 40)})
    table.to_parquet(tmp_path / "sound.parquet", write_page_checksum=True)
    seeds = [(tmp_path / "sound.parquet").read_bytes()]

    def read(raw):
        (tmp_path / "file.parquet").write_bytes(raw)
        open_prices(tmp_path / "file.parquet")

    fuzz(read, seeds)


@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_corpus_as_json(tmp_path, ending):
    filing = {"cik": "1", "company": "A", "filing_type": "10-K", "filing_date": "2001-03-01",
              "sic": "100", "item_1": "Item 1. Business\n\n" + "We make steel. " * 90}  # fmt: skip

    def read(raw):
        (tmp_path / f"file.{ending}").write_bytes(raw)
        read_edgar_corpus(tmp_path / f"file.{ending}", latest=True)

    fuzz(read, [json.dumps(filing).encode()])


def test_lists_of_filings():
    former = [("B", "2001-01-01", "2002-01-01")]
    company = submissions("320193", [FILING], tickers=["A"], former=former)

    def read(raw):
        for reader in (lambda raw: read_company(raw, CIK), read_tickers):
            with suppress(DataError):
                reader(raw)

    fuzz(read, [company, tickers([(CIK, "A", "Acme")])])


def test_documents_and_headers():
    seeds = [
        html_report(Writer(3)).encode()[:60_000],
        text_report(Writer(4)).encode()[:60_000],
        header_page(FILING, CIK),
        spaced_header(FILING, CIK).encode(),
        submission_text(FILING, CIK),
    ]

    def read(raw):
        text = decode(raw)
        for form in ("10-K", "20-F"):
            extract_business(main_document(text, form), form)
        clean_business(text)
        read_header(text, CIK)

    fuzz(read, seeds, allowed=())


def test_copies_in_the_cache(tmp_path):
    cache = RawCache(tmp_path, limit=100_000)
    url, body = "https://localhost/a", b"content " * 100
    cache.write(url, body, pd.Timestamp.now("UTC").to_pydatetime())
    file = cache.path(url)

    def read(raw):
        file.write_bytes(raw)
        assert cache.read(url).body in (None, body)

    fuzz(read, [file.read_bytes()], allowed=())


def test_answers_of_a_server(https, tmp_path):
    client = Client(
        https.address,
        user_agent="Jane jane@example.org",
        cache=tmp_path,
        context=https.context,
        manners=Manners(per_second=1e4, timeout=5.0, tries=1, limit=50_000, sleep=lambda _: None),
    )
    packed = {"Content-Encoding": "gzip"}

    def read(raw):
        https.pages["/a"] = Reply(200, raw, packed)
        assert len(client.ask("a")) <= 50_000

    fuzz(read, [gzip.compress(b"content " * 5_000), gzip.compress(b"x") * 3], sealed=True)


def test_tables_of_stooq():
    rows = b"Date,Open,High,Low,Close,Volume\r\n2012-01-03,1,1,1,2,7\r\n2012-01-04,1,1,1,3,7\r\n"
    fuzz(read_csv, [rows], allowed=(NoPricesError, PassingError, StopError))


def test_settings_of_a_run(tmp_path):
    seed = b'seed = 3\n[data]\ncut = "2013-06-30"\n[reading]\nlayer = 5\n[backtest]\nentry = 2.0\n'

    def read(raw):
        (tmp_path / "run.toml").write_bytes(raw)
        read_run(tmp_path / "run.toml")

    fuzz(read, [seed])


def test_tables_in_parts(tmp_path):
    table = pd.DataFrame({"close": np.arange(40.0)})
    write_parts(tmp_path, table, by=pd.Series(2001 + np.arange(40) // 20, name="year"))
    index = tmp_path / "_parts.json"

    def read(raw):
        index.write_bytes(raw)
        assert set(read_parts(tmp_path).columns) == {"close"}

    fuzz(read, [index.read_bytes()])


@pytest.mark.parametrize("name", ["scores.json", "pairs.parquet"])
def test_runs(tmp_path, name):
    row = ["sae", "peer_correlation", 0.4, 0.3, 0.5, 350.0, "two-way", ""]
    scores = pd.DataFrame([row], columns=list(SCORE_COLUMNS))
    Result(scores, {"pairs": pd.DataFrame({"pair": ["A/B"]})}, {"seed": 3}).save(tmp_path)

    def read(raw):
        (tmp_path / name).write_bytes(raw)
        assert Result.load(tmp_path)._repr_html_()

    fuzz(read, [(tmp_path / name).read_bytes()], sealed=True)


@pytest.mark.parametrize(
    "name", ["provenance.json", "features.npz", "names.parquet", "codes/values.npy"]
)
def test_features(tmp_path, name):
    toy().save(tmp_path)

    def read(raw):
        (tmp_path / name).write_bytes(raw)
        assert Features.load(tmp_path)._repr_html_()

    fuzz(read, [(tmp_path / name).read_bytes()], sealed=True)


@pytest.mark.parametrize("name", ["meta.json", "offsets.npy", "spans.npy"])
def test_activations(tmp_path, name):
    collect(Words(), ["a company", "another"], tmp_path, layers=(5, 2))

    def read(raw):
        (tmp_path / name).write_bytes(raw)
        len(Activations.open(tmp_path))

    # numpy warns of a header that it takes for Python 2's
    fuzz(read, [(tmp_path / name).read_bytes()], allowed=(DataError, UserWarning))


def test_activations_that_are_unfinished(tmp_path):
    state = tmp_path / "progress.json"
    with suppress(KeyboardInterrupt):
        collect(Words(dies_at="dies"), [*["a company"] * SHARD, "dies"], tmp_path, layers=(1,))
    kept = {path: path.read_bytes() for path in tmp_path.iterdir()}
    name = json.loads(kept[state])["key"]

    def read(raw):
        for path, content in kept.items():
            path.write_bytes(content)
        state.write_bytes(raw)
        _Writer(tmp_path, name, layers=1)

    fuzz(read, [kept[state]])


def test_states_of_a_training(tmp_path):
    state = {"step": 3, "history": [(1, 0.5)], "weights": torch.arange(6.0).reshape(2, 3)}
    file = tmp_path / "state.safetensors"
    checkpoint.save(file, state)

    def read(raw):
        file.write_bytes(raw)
        checkpoint.load(file, "cpu")

    fuzz(read, [file.read_bytes()])


def test_groups_of_autoencoders(tmp_path):
    sae.save_groups(
        GroupSAE([Member(coder(), (1, 2), (1.0, 0.5)), Member(coder(), (3,), (1.0,))]), tmp_path
    )

    def read(raw):
        (tmp_path / "groups.json").write_bytes(raw)
        sae.load_groups(tmp_path, device="cpu")

    fuzz(read, [(tmp_path / "groups.json").read_bytes()])


def coder():
    made = sae.TopK(16, 2, training=sae.Training(epochs=2, batch=64), device="cpu")
    return made.fit(np.random.default_rng(0).normal(size=(128, 8)).astype(np.float32))


@pytest.mark.parametrize("name", ["cfg.json", "weights"])
def test_folders_of_autoencoders(tmp_path, name):
    sae.save(coder(), tmp_path)
    ending = ".safetensors" if name == "weights" else ".json"
    (file,) = [path for path in tmp_path.iterdir() if path.suffix == ending][:1]

    def read(raw):
        file.write_bytes(raw)
        sae.load(tmp_path, device="cpu")

    fuzz(read, [file.read_bytes()], sealed=True)
