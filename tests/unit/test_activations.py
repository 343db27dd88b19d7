"""Activations on disk: what is stored, and that a killed collection ends with the same bytes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from contextlib import suppress

import numpy as np
import pytest
from toy_words import Words

from finsae import activations
from finsae.activations import Activations, activations_key, collect
from finsae.checks import DataError

TEXTS = [f"company {number} makes {'very ' * (number % 7)}good things" for number in range(40)]
TEXTS[11] = TEXTS[39] = ""


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(activations, "SHARD", 8)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "meta.json"}


def test_tokens_are_stored_by_text_layer_and_width(tmp_path):
    held = collect(Words(), TEXTS, tmp_path / "a", layers=(5, 2))
    assert len(held) == 40 and held.layers == (5, 2) and held.tokens.dtype == np.float16
    assert held.layer(2).shape == (sum(len(text.split()) for text in TEXTS), 3)
    for number, text in enumerate(TEXTS):
        rows = slice(held.offsets[number], held.offsets[number + 1])
        assert [text[start:end] for start, end in held.spans[rows]] == text.split()
        assert (held.layer(5)[rows, 1] == 5).all() and (held.layer(2)[rows, 1] == 2).all()
        hashes = [zlib.crc32(word.encode()) % 997 for word in text.split()]
        assert held.layer(2)[rows, 0].tolist() == hashes
    assert isinstance(held.layer(5), np.memmap) and not held.layer(5).flags.writeable
    assert held.meta["model"] == "words" and held.meta["model_hash"] == "abc"
    assert held.meta["texts"] == 40 and held.meta["tokens"] == held.offsets[-1]
    assert held.meta["version"] == activations.VERSION and "finsae" in held.meta["provenance"]
    with pytest.raises(DataError, match=r"layer 3 was not collected: the layers are \[5, 2\]"):
        held.layer(3)


def test_a_finished_folder_is_opened_without_the_model(tmp_path):
    collect(Words(), TEXTS, tmp_path, layers=(1,))
    again = Words(dies_at=0)
    assert len(collect(again, TEXTS, tmp_path, layers=(1,))) == 40 and again.seen == []


@pytest.mark.parametrize("dies_at", [0, 7, 8, 21, 39])
def test_a_stopped_collection_goes_on_and_ends_with_the_same_bytes(tmp_path, dies_at):
    collect(Words(), TEXTS, tmp_path / "whole", layers=(1, 3))
    with pytest.raises(KeyboardInterrupt):
        collect(Words(dies_at), TEXTS, tmp_path / "stopped", layers=(1, 3))
    with pytest.raises(DataError, match="unfinished"):
        Activations.open(tmp_path / "stopped")
    for name in ("tokens.f16", "spans.i32"):  # half a shard that no note speaks of
        with (tmp_path / "stopped" / name).open("ab") as handle:
            handle.write(b"half a shard")
    rest = Words()
    collect(rest, TEXTS, tmp_path / "stopped", layers=(1, 3))
    assert len(rest.seen) == 40 - dies_at // 8 * 8
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


@pytest.mark.parametrize("change", ["layers", "texts", "order", "model_hash", "settings"])
@pytest.mark.parametrize("finished", [True, False])
def test_a_folder_of_another_key_is_refused_and_left_alone(tmp_path, change, finished):
    with suppress(KeyboardInterrupt):
        collect(Words(None if finished else 20), TEXTS, tmp_path, layers=(1,))
    before = contents(tmp_path)
    other, texts, layers = Words(), list(TEXTS), (1,)
    if change == "layers":
        layers = (2,)
    elif change == "texts":
        texts[0] += "."
    elif change == "order":
        texts.reverse()
    else:
        setattr(other, change, {"model_hash": "abd", "settings": {"window": 5}}[change])
    with pytest.raises(DataError, match="another model, layer or list of texts"):
        collect(other, texts, tmp_path, layers=layers)
    assert contents(tmp_path) == before


def test_the_key_is_stable_and_follows_the_stage_version(monkeypatch):
    before = activations_key(Words(), TEXTS, (1,))
    assert before == activations_key(Words(), list(TEXTS), [np.int64(1)])
    monkeypatch.setattr(activations, "VERSION", activations.VERSION + 1)
    assert activations_key(Words(), TEXTS, (1,)) != before


def test_foreign_empty_and_damaged_folders_are_named(tmp_path):
    with pytest.raises(DataError, match="holds no activations"):
        Activations.open(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty and holds no activations"):
        collect(Words(), TEXTS, tmp_path, layers=(1,))
    collect(Words(), TEXTS, tmp_path / "cut", layers=(1,))
    os.truncate(tmp_path / "cut" / "tokens.f16", 10)
    with pytest.raises(DataError, match=r"has 10 bytes, not .* delete the folder"):
        Activations.open(tmp_path / "cut")
    meta = tmp_path / "cut" / "meta.json"
    meta.write_text(meta.read_text().replace('"version": 1', '"version": 0'))
    with pytest.raises(DataError, match=r"schema 0, of another finsae; .*delete the folder"):
        Activations.open(tmp_path / "cut")


def test_no_texts_and_no_words_give_empty_activations(tmp_path):
    none = collect(Words(), [], tmp_path / "none", layers=(1,))
    assert len(none) == 0 and none.layer(1).shape[0] == 0
    blank = collect(Words(), ["", ""], tmp_path / "blank", layers=(1,))
    assert len(blank) == 2 and blank.layer(1).shape == (0, 3) and blank.spans.shape == (0, 2)


def test_two_collections_at_once_wait_for_each_other(tmp_path):
    """The second finds the first one's work and reads nothing."""
    first_is_reading, second_has_started = threading.Event(), threading.Event()
    first, second = Words(), Words()
    read = first.tokens

    def slowly(texts, layers):
        first_is_reading.set()
        second_has_started.wait(10)
        time.sleep(0.02)
        return read(texts, layers)

    first.tokens = slowly
    runs = [
        threading.Thread(target=collect, args=(words, TEXTS, tmp_path), kwargs={"layers": (1,)})
        for words in (first, second)
    ]
    runs[0].start()
    first_is_reading.wait(10)
    runs[1].start()
    second_has_started.set()
    for run in runs:
        run.join()
    assert len(first.seen) == 40 and second.seen == []
    collect(Words(), TEXTS, tmp_path.with_name("whole"), layers=(1,))
    assert contents(tmp_path) == contents(tmp_path.with_name("whole"))


KILLED = """
import sys
from finsae import activations
from finsae.embed.transformer import Transformer
activations.SHARD = 4
texts = [f"Company {i} sells insurance to farmers in county {i % 7}. " * (1 + i % 5)
         for i in range(60)]
activations.collect(Transformer("minilm"), texts, sys.argv[1], layers=(2, 4))
"""


@pytest.mark.slow
def test_a_killed_process_goes_on_and_ends_with_the_same_bytes(tmp_path):
    command = [sys.executable, "-c", KILLED]
    subprocess.run([*command, tmp_path / "whole"], check=True)
    kills = 0
    for shards in (2, 5, 9):
        process = subprocess.Popen([*command, tmp_path / "killed"])
        note = tmp_path / "killed" / "progress.json"
        while process.poll() is None:
            if note.is_file() and json.loads(note.read_text())["texts"] >= 4 * shards:
                process.send_signal(signal.SIGKILL)
            time.sleep(0.005)
        kills += process.returncode == -signal.SIGKILL
    assert kills >= 2
    subprocess.run([*command, tmp_path / "killed"], check=True)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_damaged_notes_are_told_and_nothing_is_made_up(tmp_path):
    collect(Words(), TEXTS[:8], tmp_path / "a", layers=(1,))
    for file in ("meta.json", "offsets.npy"):
        held = (tmp_path / "a" / file).read_bytes()
        (tmp_path / "a" / file).write_bytes(b"201302")
        with pytest.raises(DataError, match="cannot be read"):
            Activations.open(tmp_path / "a")
        (tmp_path / "a" / file).write_bytes(held)
    sound = np.load(tmp_path / "a" / "offsets.npy")
    for wrong in (sound[1:], sound[::-1], sound.astype(np.uint8), np.delete(sound, 3), sound + 1):
        np.save(tmp_path / "a" / "offsets.npy", wrong)
        with pytest.raises(DataError, match="does not divide"):
            Activations.open(tmp_path / "a")


def test_damaged_progress_is_told_and_nothing_is_made_up(tmp_path):

    with suppress(KeyboardInterrupt):
        collect(Words(dies_at=TEXTS[20]), TEXTS, tmp_path / "b", layers=(1,))
    tokens = tmp_path / "b" / "tokens.f16"
    note = tmp_path / "b" / "progress.json"
    held = json.loads(note.read_text())
    assert held["texts"] == 16
    for wrong in ({"texts": 24}, {"texts": 0}, {"tokens": -1}, {"sizes": {"tokens.f16": -6}}):
        note.write_text(json.dumps(held | wrong))
        with pytest.raises(DataError, match="contradicts itself"):
            collect(Words(), TEXTS, tmp_path / "b", layers=(1,))
    note.write_text(json.dumps(held))
    tokens.write_bytes(tokens.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"tokens.f16 is shorter than the [0-9]+ bytes written"):
        collect(Words(), TEXTS, tmp_path / "b", layers=(1,))
