import json

import numpy as np
import pandas as pd
import pytest

from finsae import store


def test_key_depends_on_parameters_inputs_and_version_but_not_on_their_order():
    base = store.key({"a": 1, "b": 2}, ["x"], 1)
    assert base == store.key({"b": 2, "a": 1}, ["x"], 1)
    assert len({base, store.key({"a": 1}, ["x"], 1), store.key({"a": 1, "b": 2}, ["y"], 1)}) == 3
    assert base != store.key({"a": 1, "b": 2}, ["x"], 2)


def test_hash_of_texts_sees_where_one_text_ends():
    assert store.hash_texts(["ab", "c"]) != store.hash_texts(["a", "bc"])
    assert store.hash_texts(["ab", "c"]) != store.hash_texts(["c", "ab"])


def test_hash_of_a_table_sees_labels_and_values():
    table = pd.DataFrame({"a": [1.0, 2.0]}, index=["x", "y"])
    assert store.hash_frame(table) == store.hash_frame(table.copy())
    assert store.hash_frame(table) != store.hash_frame(table.rename(columns={"a": "b"}))
    assert store.hash_frame(table) != store.hash_frame(table.rename(index={"x": "z"}))
    assert store.hash_frame(table) != store.hash_frame(table + 1e-9)


def test_atomic_path_leaves_the_old_file_and_no_rubbish_when_the_writer_fails(tmp_path):
    target = tmp_path / "deep" / "table.txt"
    with store.atomic_path(target) as path:
        path.write_text("old")
    with pytest.raises(RuntimeError), store.atomic_path(target) as path:
        path.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [item.name for item in target.parent.iterdir()] == ["table.txt"]


def test_json_has_null_for_nan_and_plain_values_for_numpy(tmp_path):
    content = {
        "nan": float("nan"),
        "none": None,
        "int": np.int64(3),
        "float": np.float32(0.5),
        "array": np.array([1.0, np.nan]),
        "date": pd.Timestamp("2013-06-30"),
        "path": tmp_path / "x",
        "flag": np.bool_(True),
    }
    store.write_json(tmp_path / "a.json", content)
    read = json.loads((tmp_path / "a.json").read_text())
    assert read["nan"] is None and read["array"] == [1.0, None]
    assert read["int"] == 3 and read["float"] == 0.5 and read["flag"] is True
    assert read["date"] == "2013-06-30" and read["path"].endswith("x")


def test_provenance_names_versions_and_facts():
    made = store.provenance(seed=3, when=pd.Timestamp("2020-01-01"))
    assert made["seed"] == 3 and made["when"] == "2020-01-01"
    assert {"numpy", "pandas", "torch"} <= set(made["libraries"])
    assert made["python"].startswith("3.")


def test_cache_dir_is_named_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("FINSAE_CACHE", str(tmp_path))
    assert store.cache_dir() == tmp_path
    monkeypatch.delenv("FINSAE_CACHE")
    assert store.cache_dir().name == "finsae"


def test_progress_is_silent_where_there_is_no_terminal(capsys):
    with store.progress("working", 3) as (bar, task):
        bar.advance(task, 3)
    assert capsys.readouterr() == ("", "")
