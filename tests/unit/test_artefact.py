"""Artefacts on disk survive writers side by side, kills, full disks; damage is found and named."""

import json
import os
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import faults
import numpy as np
import pandas as pd
import pytest

from finsae import artefact
from finsae.artefact import DamagedError, check_seal, reading, replacing, seal
from finsae.checks import DataError
from finsae.features import Features
from finsae.result import Result

ROOT = Path(__file__).resolve().parents[2]


def fault(name, folder, *wrapped):
    """Run one of `faults` in processes of its own."""
    command = [*wrapped, sys.executable, str(ROOT / "tests" / "faults.py"), name, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def no_file_beyond(size):
    """Let the system refuse to write further, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def whole(found):
    """Whether each artefact is of one version alone."""
    return all(isinstance(kind, list) and len(kind) == 1 for kind in found)


@pytest.mark.slow
def test_two_processes_that_write_the_same_leave_one_version_and_readers_see_no_other(tmp_path):
    told = fault("race", tmp_path)
    assert told["codes"] == [0, 0]
    assert all(whole(found) for found in told["found"]), told["found"]
    assert {found[0][0] for found in told["found"]} <= {1, 2}


@pytest.mark.slow
def test_a_kill_while_writing_leaves_the_last_finished_version(tmp_path):
    told = fault("kill", tmp_path)
    assert all(whole(found) for found in told["found"]), told["found"]
    assert told["last"] == [[99], [99]] and told["left"] == []


def test_a_full_disk_leaves_what_was_finished_and_is_named(tmp_path):
    mounted = ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size=3m t {tmp_path} && "$@"', "-"]
    try:
        subprocess.run([*mounted, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no small file system may be mounted here")
    told = fault("full", tmp_path, *mounted)
    assert all("No space left on device" in said for said in told["said"])
    assert told["found"] == [[1], [1]] and told["after"] == [[3], [3]]


def test_a_write_that_the_system_refuses_leaves_what_was_finished(tmp_path):
    faults.write(tmp_path, 1)
    with no_file_beyond(60_000):
        for artefact_of in (faults.features, faults.run):
            with pytest.raises(OSError, match="File too large"):
                artefact_of(2).save(tmp_path / artefact_of.__name__)
    assert faults.versions(tmp_path) == [[1], [1]]
    assert not list(tmp_path.glob(f"*/{artefact.NEW}*"))


def test_an_sae_that_cannot_be_written_leaves_the_one_before(tmp_path):
    from finsae import sae

    coder = sae.load("demo")
    sae.save(coder, tmp_path, dtype="float16")
    before = (tmp_path / "sae_weights.safetensors").read_bytes()
    coder.b_dec_ = coder.b_dec_ + 1
    with no_file_beyond(1_000_000), pytest.raises(OSError, match=r"cannot be written: .*too large"):
        sae.save(coder, tmp_path, dtype="float16")
    assert (tmp_path / "sae_weights.safetensors").read_bytes() == before
    np.testing.assert_array_equal(sae.load(tmp_path).b_dec_ + 1, coder.b_dec_)
    damage(tmp_path / "sae_weights.safetensors", at=-1000)
    with pytest.raises(DataError, match=r"sae_weights.safetensors is damaged.*train or copy it"):
        sae.load(tmp_path)


def test_the_rest_of_a_committed_version_is_put_in_place_by_who_opens_it_next(tmp_path):
    """As if the writer had been killed in the middle of moving, or before it began."""
    for moved in (0, 1, 4):
        folder = tmp_path / str(moved)
        faults.features(1).save(folder)
        (folder / "labels.parquet").write_bytes(b"of version 1")
        faults.features(2).save(folder / "new")
        (folder / "new" / ".lock").unlink()
        (folder / "new" / artefact.GONE).write_text("labels.parquet")
        (folder / "new").rename(folder / artefact.COMMITTED)
        files = sorted(p for p in (folder / artefact.COMMITTED).rglob("*.*") if p.is_file())
        for file in [f for f in files if f.name != artefact.GONE][:moved]:
            file.replace(folder / file.relative_to(folder / artefact.COMMITTED))
        found = Features.load(folder)
        assert found.provenance == {"version": 2} and set(found.codes.values) == {2}
        assert not (folder / artefact.COMMITTED).exists()


def damage(file, at=None):
    """Turn one bit, by default in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2 if at is None else at] ^= 1
    file.write_bytes(content)


def truncated(file):
    os.truncate(file, file.stat().st_size - 1)


FEATURES = ["features.npz", "companies.parquet", "names.parquet", "codes/spans.npy"]


@pytest.mark.parametrize("how", [damage, truncated, Path.unlink])
@pytest.mark.parametrize("name", FEATURES)
def test_damage_to_features_is_named_with_the_way_out(tmp_path, name, how):
    faults.features(1).save(tmp_path)
    how(tmp_path / name)
    with pytest.raises(DataError) as error:
        Features.load(tmp_path)
    assert name in str(error.value) and "finsae build-features" in str(error.value)


def test_damage_to_the_words_of_how_features_were_made_is_named(tmp_path):
    faults.features(1).save(tmp_path)
    file = tmp_path / "provenance.json"
    file.write_text(file.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(DataError, match=r"provenance.json is damaged.*build-features"):
        Features.load(tmp_path)


@pytest.mark.parametrize("how", [damage, truncated])
def test_damage_to_a_run_is_named_with_the_way_out(tmp_path, how):
    faults.run(1).save(tmp_path)
    how(tmp_path / "trades.parquet")
    with pytest.raises(DataError, match=r"trades.parquet (is damaged|has).*delete the folder"):
        Result.load(tmp_path)
    (tmp_path / "trades.parquet").unlink()
    assert list(Result.load(tmp_path).tables) == ["only1"]  # taken away, not damaged
    file = tmp_path / "scores.json"
    file.write_text(file.read_text().replace('"value": 1', '"value": 3'))
    with pytest.raises(DataError, match=r"scores.json is damaged.*delete the folder"):
        Result.load(tmp_path)


@pytest.mark.parametrize(("schema", "says"), [(0, "an older finsae"), (9, "a newer .*update")])
def test_another_schema_is_named_with_the_way_out(tmp_path, schema, says):
    faults.write(tmp_path, 1)
    for file, load in (
        (tmp_path / "features" / "provenance.json", Features.load),
        (tmp_path / "run" / "scores.json", Result.load),
    ):
        content = json.loads(file.read_text())
        assert content[artefact.SEAL]["schema"] == 1
        content[artefact.SEAL]["schema"] = schema
        file.write_text(json.dumps(content))
        with pytest.raises(DataError, match=rf"schema {schema}, of {says}.*make (it|them) again"):
            load(file.parent)


def test_what_was_written_before_there_were_seals_is_read(tmp_path):
    faults.write(tmp_path, 1)
    for name in ("features/provenance.json", "run/scores.json"):
        content = json.loads((tmp_path / name).read_text())
        del content[artefact.SEAL]
        (tmp_path / name).write_text(json.dumps(content))
    assert faults.versions(tmp_path) == [[1], [1]]


def test_a_seal_counts_every_byte(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(b"abc" * artefact.BLOCK)
    made = seal(tmp_path, ["sub/a"], schema=3, content={"x": 1.0})
    check_seal(tmp_path, made, schema=3, content={"x": 1.0})
    check_seal(tmp_path, None, schema=4)
    for at in (0, artefact.BLOCK, -1):
        damage(tmp_path / "sub" / "a", at)
        with pytest.raises(DamagedError, match="sub/a is damaged"):
            check_seal(tmp_path, made, schema=3)
        damage(tmp_path / "sub" / "a", at)
    with pytest.raises(DamagedError, match=r"h\.json is damaged"):
        check_seal(tmp_path, made, schema=3, content={"x": 2.0}, holder="h.json")


def test_files_of_others_stay_and_those_gone_are_taken_away(tmp_path):
    for name in ("mine", "old", "kept"):
        (tmp_path / name).write_text("before")
    with replacing(tmp_path, gone=["old", "kept", "never"]) as staging:
        (staging / "kept").write_text("now")
    assert {f.name: f.read_text() for f in tmp_path.glob("[!.]*")} == {
        "mine": "before",
        "kept": "now",
    }


def test_what_is_read_only_can_be_read(tmp_path):
    faults.features(1).save(tmp_path / "kept")
    shutil.copytree(tmp_path / "kept", tmp_path / "copy", ignore=lambda *_: [".lock"])
    (tmp_path / "copy").chmod(0o555)
    with reading(tmp_path / "copy"):
        assert Features.load(tmp_path / "copy").provenance == {"version": 1}
    assert sorted(p.name for p in (tmp_path / "copy").glob(".*")) == []


def test_a_table_alone_has_checksums_in_its_pages(tmp_path):
    from finsae.sources.tables import read_table
    from finsae.store import write_table

    file = tmp_path / "prices.parquet"
    days = pd.bdate_range("2015-01-01", periods=500).astype(str)
    write_table(file, pd.DataFrame({"date": days, "AAA": np.random.default_rng(1).random(500)}))
    assert len(read_table(file)) == 500
    damage(file)
    with pytest.raises(DataError, match=r"prices.parquet .*CRC checksum.*copy or make it again"):
        read_table(file)
    truncated(file)
    with pytest.raises(DataError, match=r"prices.parquet .*copy or make it again"):
        read_table(file)
