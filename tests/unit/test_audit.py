"""The check of installed packages against known vulnerabilities, on a server of the tests' own."""

import json

import audit
import pytest
from https_server import Reply

PATH = "/v1/querybatch"


def answers(found):
    """An answer of the recorded shape: one entry per package, empty where nothing is known."""
    results = [
        {"vulns": [{"id": number, "modified": "2024-01-01T00:00:00Z"} for number in found[name]]}
        if name in found
        else {}
        for name, _ in audit.installed()
    ]
    return Reply(200, json.dumps({"results": results}).encode())


def test_a_known_vulnerability_is_named(https, capsys):
    https.pages[PATH] = answers({"numpy": ["GHSA-x", "PYSEC-1"]})
    assert audit.main(https.address, https.context) == 1
    out = capsys.readouterr().out
    assert "numpy" in out and "GHSA-x, PYSEC-1" in out and "1 with known" in out
    sent = json.loads(https.bodies[0])["queries"]
    assert [(q["package"]["name"], q["version"]) for q in sent] == audit.installed()
    assert {q["package"]["ecosystem"] for q in sent} == {"PyPI"}


def test_nothing_known_is_no_failure(https):
    https.pages[PATH] = answers({})
    assert audit.main(https.address, https.context) == 0


@pytest.mark.parametrize(
    "reply",
    [
        Reply(503),
        Reply(200, b"<html>"),
        Reply(200, b"[]"),
        Reply(200, b'{"results": [{}]}'),
        Reply(how="hang up"),
    ],
)
def test_without_an_answer_nothing_is_called_sound(https, capsys, reply):
    https.pages[PATH] = reply
    assert audit.main(https.address, https.context) == 2
    assert "NOT CHECKED" in capsys.readouterr().out
