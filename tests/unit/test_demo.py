"""The main job, as a new user meets it."""

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from finsae.methods import METHODS

ROOT = Path(__file__).parents[2]
CALL = "from finsae.cli import main; main()"


def finsae(*argv, cache, where=ROOT, path=ROOT):
    environment = {**os.environ, "FINSAE_CACHE": str(cache), "PYTHONPATH": str(path)}
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", CALL, *argv],
        capture_output=True,
        text=True,
        env=environment,
        cwd=where,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, time.monotonic() - start


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    shown, seconds = finsae("demo", "--out", str(folder / "out"), cache=folder / "cache")
    return folder, shown, seconds


@pytest.mark.slow
def test_demo_scores_all_methods_with_intervals_and_writes_the_page(demo):
    folder, shown, _ = demo
    scores = json.loads((folder / "out" / "scores.json").read_text())["scores"]
    chance = {"peer_correlation": "random", "sharpe_net": "placebo"}
    for metric, name in chance.items():
        rows = {
            row["method"]: row for row in scores if row["metric"] == metric if not row["versus"]
        }
        assert set(rows) == {*METHODS, "sae-group"} - {"random"} | {name}
        assert all(row["low"] < row["value"] < row["high"] and row["n"] for row in rows.values())
    page = folder / "out" / "index.html"
    assert page.stat().st_size < 8_000_000
    assert str(page) in shown.replace("\n", "") and "not separated" in shown


@pytest.mark.slow
def test_a_second_run_finds_what_the_first_made(demo):
    folder, _, first = demo
    before = (folder / "out" / "scores.json").read_bytes()
    _, second = finsae("demo", "--out", str(folder / "out"), cache=folder / "cache")
    assert (folder / "out" / "scores.json").read_bytes() == before
    assert second < first / 2  # the target is 20 s; other work may share this machine


@pytest.mark.slow
def test_the_wheel_carries_the_sample_and_the_autoencoder(tmp_path, demo):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
    subprocess.run([*build, str(tmp_path), str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("finsae-*.whl")
    assert wheel.stat().st_size < 40_000_000  # two sets of weights, 12 MB each
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shown, _ = finsae(
        "peers", "KO", "-k", "2", "--json",
        cache=demo[0] / "cache", where=elsewhere, path=tmp_path / "site",
    )  # fmt: skip
    assert len(json.loads(shown)["peers"]) == 2
    code = "import finsae; print(finsae.__file__)"
    where = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=elsewhere, env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
    )  # fmt: skip
    assert str(tmp_path / "site") in where.stdout
