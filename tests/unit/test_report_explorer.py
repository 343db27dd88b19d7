"""The explorer inside the report: its data, and that the page holds them."""

import gzip
import json
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import toy_features
from report_run import EVIL, make_run

from finsae.explain import contributions
from finsae.explain.marks import strongest_marks
from finsae.report import build
from finsae.report.explorer import content, explorer
from finsae.result import Result


def with_marks(folder, n=60):
    """Give a run of random numbers the table of marks: each text's own words."""
    result = Result.load(make_run(folder, n=n))
    rows = []
    for ticker, text in result.tables["companies"][["ticker", "description"]].to_numpy():
        words = text.removesuffix(".").split()
        for number, word in enumerate(words[-3:]):
            start = text.index(word)
            value = 0.5 - 0.1 * number
            rows.append((ticker, hash_of(word), word, value, start, start + len(word)))
    columns = ["ticker", "id", "label", "value", "start", "end"]
    marks = pd.DataFrame(rows, columns=columns)
    peers = result.tables["peers"]
    peers = pd.concat([peers, peers[peers["method"] == "sae"].assign(method="sic")])
    return replace(result, tables={**result.tables, "marks": marks, "peers": peers})


def hash_of(word):
    return sum(map(ord, word))


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return with_marks(tmp_path_factory.mktemp("run"))


def test_marks_are_the_strongest_features_and_their_words():
    features = toy_features.toy()
    marks = strongest_marks(features, ["OIL", "GAS", "VOID"])
    oil = marks[marks["ticker"] == "OIL"]
    text = toy_features.TEXTS["OIL"]
    shown = {(row.label, text[row.start : row.end]) for row in oil.itertuples()}
    assert shown == {(word, word) for word in ("wells", "drills", "gas", "offshore")}
    values = {
        t: own.drop_duplicates("id").set_index("id")["value"] for t, own in marks.groupby("ticker")
    }
    assert sorted(values) == ["GAS", "OIL"]  # a text without features has no row
    assert values["OIL"].is_monotonic_decreasing
    rows = [features.position(ticker) for ticker in ("OIL", "GAS")]
    summands = contributions(features, features.matrix[[rows[0]]], [rows[1]])
    assert (values["OIL"] * values["GAS"]).sum() == pytest.approx(summands.sum())
    assert np.linalg.norm(values["OIL"]) == pytest.approx(1)


def test_a_token_inside_a_word_marks_the_word():
    features = toy_features.toy()
    spans = features.codes.spans.copy()
    spans[:, 1] -= (spans[:, 1] - spans[:, 0]) // 2  # the first halves of the words
    halved = replace(features, codes=replace(features.codes, spans=spans))
    assert strongest_marks(halved, ["OIL"]).equals(strongest_marks(features, ["OIL"]))


def test_content_is_what_the_tables_say(result):
    found = content(result)
    tickers = [row[0] for row in found["companies"]]
    tables = result.tables
    assert tickers == tables["companies"]["ticker"].tolist()
    assert found["methods"][0] == "SAE" and "SIC" in found["methods"]
    _, name, industry, cluster, text, features, peers = found["companies"][1]
    assert (name, text) == ("Company 1 Inc.", "It is in drilling, wells.")
    assert industry and cluster.startswith("1: ")
    own = tables["peers"].query("ticker == 'T001' and method == 'sae'").sort_values("rank")
    assert [tickers[i] for i in peers[0][::2]] == own["peer"].tolist()[:8]
    for position, value, start, end in features:
        assert text[start:end] == found["labels"][position] and 0 < value <= 1000


def test_the_page_holds_the_data_and_no_markup_of_a_text(result, tmp_path):
    page = build(result.save(tmp_path)).read_text()
    found = explorer(result)
    assert f'id="explore-data">{found.data}</script>' in page and 'id="explore"' in page
    assert json.loads(gzip.decompress(b64decode(found.data))) == content(result)
    assert EVIL not in page
    assert content(result)["companies"][0][1] == EVIL
    assert explorer(result) == found  # nothing reads a clock


@pytest.mark.slow
def test_a_run_without_marks_has_no_explorer(tmp_path):
    folder = make_run(tmp_path)
    assert explorer(Result.load(folder)) is None
    assert 'id="explore"' not in build(folder).read_text()
