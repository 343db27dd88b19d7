"""The explorer's answers, beside the package's own, and what its server refuses."""

import http.client
import json
import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import toy
import toy_features

from finsae.checks import DataError
from finsae.config import Data, Reading
from finsae.explorer import Explorer, Server, open_explorer
from finsae.explorer.later import Later
from finsae.explorer.pairs import compared
from finsae.explorer.server import answered
from finsae.pipeline import build_features, company_peers
from finsae.similarity import cosine

EVIL = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def universe():
    return toy.universe()


@pytest.fixture(scope="module")
def features(universe):
    return build_features(universe, Reading(model="tfidf"))


@pytest.fixture(scope="module")
def explorer(universe, features):
    vectors = np.random.default_rng(0).normal(size=(len(features.companies), 8))
    labels = pd.DataFrame({"id": [0], "score": [0.75], "labeller": ["words"], "label": ["x"]})
    opened = Explorer(
        features,
        labels=lambda: labels,
        embed=lambda: vectors,
        later=lambda: Later(universe, toy.CUT),
    )
    opened.prepare()
    assert opened.waiting == {}
    return opened


@pytest.fixture(scope="module")
def server(explorer):
    with Server(explorer) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def ask(server, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    with connection.sock, connection.getresponse() as answer:
        return answer.status, answer.headers, answer.read().decode()


def peers_of(found, name="features"):
    method = next(item for item in found["methods"] if item["name"] == name)
    return [peer["ticker"] for peer in method["peers"]]


def test_peers_are_those_of_the_package(explorer, features):
    found = explorer.company("T0A", weights={}, k=5)
    own = company_peers(features, "T0A", 5)["peers"]
    assert peers_of(found) == [peer["ticker"] for peer in own]
    shown = found["methods"][0]["peers"]
    assert [p["similarity"] for p in shown] == pytest.approx([p["similarity"] for p in own])
    for mine, theirs in zip(shown, own, strict=True):
        assert [f["id"] for f in mine["features"]] == [f["id"] for f in theirs["features"]]


def test_peers_move_when_a_feature_is_switched_off_as_the_package_says(explorer, features):
    before = explorer.company("T0A", weights={}, k=5)
    off = [feature["id"] for feature in before["features"][:6]]
    found = explorer.company("T0A", weights=dict.fromkeys(off, 0.0), k=5)
    own = company_peers(features, "T0A", 5, without=off)["peers"]
    assert peers_of(found) == [peer["ticker"] for peer in own] != peers_of(before)
    shown = found["methods"][0]
    for peer in shown["peers"]:
        rank = peers_of(before).index(peer["ticker"]) + 1 if peer["before"] else None
        assert peer["before"] == rank
    assert {peer["ticker"] for peer in shown["gone"]} == set(peers_of(before)) - set(
        peers_of(found)
    )


def test_a_weight_multiplies_a_feature(explorer):
    known = explorer.known
    number = explorer.company("T1A", weights={}, k=3)["features"][0]["id"]
    weights = np.ones(len(known.names))
    weights[number] = 2.5
    table = cosine(known.weighted(weights).matrix, known.companies.index)
    found = explorer.company("T1A", weights={number: 2.5}, k=3)["methods"][0]["peers"]
    expected = [table.loc["T1A", peer["ticker"]] for peer in found]
    assert [peer["similarity"] for peer in found] == pytest.approx(expected, abs=1e-6)


def test_embedding_and_code_columns(explorer):
    found = explorer.company("T0A", weights={}, k=7)
    unit = explorer._unit
    row = explorer.known.position("T0A")
    nearest = np.argsort(-(unit @ unit[row]))[1]
    assert peers_of(found, "embedding")[0] == explorer.known.companies.index[nearest]
    assert peers_of(found, "sic") == [f"T0{letter}" for letter in "BCDEFGH"]
    sic = next(item for item in found["methods"] if item["name"] == "sic")
    assert {peer["similarity"] for peer in sic["peers"]} == {4.0} and ": 7;" in sic["note"]


def test_later_is_after_the_cut_alone(universe, explorer):
    monthly = universe.cut(toy.CUT).future.monthly
    expected = monthly["T0A"].corr(monthly["T0B"])
    assert explorer._later.correlation("T0A", ["T0B", "NONE"]) == [pytest.approx(expected), None]
    shown = explorer.later(["T0A", "T0B", "T0A"])
    assert shown["tickers"] == ["T0A", "T0B"] and shown["mean"] == pytest.approx(expected)
    assert min(shown["days"]) > toy.CUT and shown["lines"]["T0A"][0] == 100
    assert shown["lines"]["T0B"][-1] == pytest.approx(
        100 * universe.prices["T0B"].iloc[-1] / universe.prices.loc[shown["days"][0], "T0B"],
        rel=1e-3,
    )


def test_clusters_hold_every_company_once(explorer):
    listed = explorer.clusters()["clusters"]
    sizes = {item["label"]: item["size"] for item in listed}
    opened = [explorer.cluster(label) for label in sizes]
    members = [item["ticker"] for cluster in opened for item in cluster["members"]]
    assert len(members) == len(set(members)) == sum(sizes.values())
    assert all(item["inside"] > item["outside"] for c in opened for item in c["features"])
    here = explorer.company("T0A", weights={}, k=1)["cluster"]
    assert here not in sizes or "T0A" in [m["ticker"] for m in explorer.cluster(here)["members"]]


def test_a_feature_is_opened_with_its_score_and_places(explorer):
    found = explorer.feature(0)
    assert found["label_score"] == {"score": 0.75, "labeller": "words"}
    assert explorer.feature(1)["label_score"] is None
    assert all(f"[[{found['label']}]]" in item["evidence"].lower() for item in found["strongest"])


def test_segments_are_the_text_and_mark_what_is_shared():
    features = toy_features.toy()
    found = compared(features, "OIL", "GAS")
    for side, ticker in enumerate(("OIL", "GAS")):
        assert "".join(part[0] for part in found["texts"][side]) == toy_features.TEXTS[ticker]
    marked = {text: strength for text, strength, _ in found["texts"][0] if strength}
    assert set(marked) == {"drills", "wells", "gas"} and max(marked.values()) == 1
    assert found["similarity"] == pytest.approx(
        sum(item["contribution"] for item in found["features"])
    )
    with pytest.raises(DataError, match="given twice"):
        compared(features, "OIL", "OIL")


def test_what_is_missing_says_so(features):
    bare = replace(features, companies=features.companies.assign(sic=None))
    opened = Explorer(bare)
    assert opened.company("T0A", weights={}, k=2)["methods"][2]["waiting"] == "is being made"
    opened.prepare()
    assert set(opened.waiting) == {"returns", "embedding"}
    assert "--prices" in opened.state()["waiting"]["returns"]
    assert "no SIC code" in opened.company("T0A", weights={}, k=2)["methods"][1]["note"]
    with pytest.raises(DataError, match="--prices"):
        opened.later(["T0A"])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/api/company?ticker=T0AA", 'did you mean "T0A"'),
        ("/api/company", "ticker is missing"),
        ("/api/company?ticker=T0A&k=-3", "no whole number"),
        ("/api/company?ticker=T0A&weights=5:much", "no number"),
        ("/api/company?ticker=T0A&weights=99999:0", "no feature 99999"),
        ("/api/company?ticker=T0A&weights=5:nan", "from 0 (off)"),
        ("/api/company?ticker=T0A&weights=5:1e9", "from 0 (off)"),
        ("/api/feature?id=-1", "no whole number"),
        ("/api/feature?id=99999", "no feature 99999"),
        ("/api/cluster?label=99999", "no cluster 99999"),
        ("/api/pair?a=T0A&b=T0A", "given twice"),
        ("/api/later?tickers=T0A,NONE", "unknown ticker"),
    ],
)
def test_a_wrong_question_is_answered_with_the_reason(server, path, message):
    status, _, text = ask(server, path)
    assert status == 400 and message in json.loads(text)["error"]


@pytest.mark.parametrize("path", ["/etc/passwd", "/../../etc/passwd", "/%2e%2e/x", "/api/"])
def test_no_path_opens_a_file(server, path):
    status, headers, text = ask(server, path)
    assert status == 404 and "json" in headers["Content-Type"] and "root" not in text


def test_the_page_is_served_with_headers_that_lock_it(server):
    for path, kind in (("/", "html"), ("/explorer.css", "css"), ("/explorer.js", "javascript")):
        status, headers, text = ask(server, path)
        assert status == 200 and kind in headers["Content-Type"] and text
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:8600"}, 200),
        ({"Host": "127.0.0.1"}, 200),
        ({"Host": "[::1]:8600"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:8600"}, 403),
        ({"Host": "localhost@evil.example"}, 403),
        ({"Host": "[nonsense"}, 403),
        ({"Host": ""}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
    ],
)
def test_only_this_machine_is_answered(server, headers, status):
    found, _, text = ask(server, "/api/state", **headers)
    assert found == status and ("companies" in text) == (status == 200)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_written(server, method):
    assert ask(server, "/api/state", method)[0] == 501


def test_markup_in_a_description_leaves_as_json_text(features):
    companies = features.companies.copy()
    companies.loc["T0A", ["name", "description"]] = [EVIL, EVIL]
    opened = Explorer(replace(features, companies=companies))
    status, found = answered(opened, "/api/company", {"ticker": "T0A"})
    assert status == 200 and found["name"] == found["description"] == EVIL


def test_a_folder_is_opened_with_its_prices(universe, features, tmp_path):
    features.save(tmp_path / "features")
    universe.prices.to_parquet(tmp_path / "prices.parquet")
    data = Data(prices=str(tmp_path / "prices.parquet"), cut=toy.CUT)
    opened = open_explorer(str(tmp_path / "features"), data)
    opened._embed = None  # that would load the language model
    opened.prepare()
    assert opened.state()["returns"]["cut"] == toy.CUT
    assert opened.state()["method"] == "Word features"
    with pytest.raises(DataError, match="nowhere"):
        open_explorer(str(tmp_path / "nowhere"), Data())
    with pytest.raises((DataError, OSError), match="missing"):
        open_explorer(str(tmp_path / "features"), Data(prices=str(tmp_path / "missing.csv")))
