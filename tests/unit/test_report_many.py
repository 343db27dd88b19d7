"""The report of 3,400 companies: its size, and how fast it can be used."""

import json
import os
from pathlib import Path

import pytest
from browser import CHROMIUM, Browser
from large_run import make_large

from finsae.report import build

pytestmark = pytest.mark.slow
PICTURES = Path(__file__).resolve().parents[2] / "reports" / "runs" / "report"
BYTES = 12_000_000
# The aim is 3 seconds, and what is reached stands in reports/benchmarks/report.md. On a machine
# that is throttled and shared the same page takes from 3 to 10: what fails here is far too slow.
SECONDS = 12


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return build(make_large(tmp_path_factory.mktemp("run")))


def test_it_is_under_twelve_megabytes(page):
    assert page.stat().st_size < BYTES


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_it_opens_within_seconds(page, tmp_path):
    with Browser(tmp_path / "profile") as browser:
        found = [browser.opening(page, find="company 3333 inc") for _ in range(3)]
        assert "Company 3333 Inc. (T3333)" in browser.run(
            "document.getElementById('card').textContent"
        )
        assert browser.errors == []
    crowd = max(1, os.getloadavg()[0] / (os.cpu_count() or 1))  # others may share the machine
    PICTURES.mkdir(parents=True, exist_ok=True)
    record = {"bytes": page.stat().st_size, "crowd": crowd, "seconds": found}
    (PICTURES / "opening.json").write_text(json.dumps(record, indent=1))
    assert min(one["answered"] for one in found) < SECONDS * crowd, record
