import json

import numpy as np
import pandas as pd
import pytest

from finsae.checks import DataError
from finsae.result import SCORE_COLUMNS, Result


def test_a_run_survives_its_folder(tmp_path):
    scores = pd.DataFrame(
        [["sae", "peer_correlation", 0.4, 0.3, np.nan, 350.0, "two-way", ""]],
        columns=list(SCORE_COLUMNS),
    )
    tables = {"trades": pd.DataFrame({"pair": ["A/B"], "date": [pd.Timestamp("2015-01-02")]})}
    Result(scores, tables, {"seed": 1}).save(tmp_path / "run")
    found = Result.load(tmp_path / "run")
    pd.testing.assert_frame_equal(found.scores, scores)
    pd.testing.assert_frame_equal(found.tables["trades"], tables["trades"], check_dtype=False)
    assert found.provenance == {"seed": 1}
    content = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert content["scores"][0]["high"] is None


def one_score(method):
    row = [method, "peer_correlation", 0.4, 0.3, 0.5, 350.0, "two-way", ""]
    return pd.DataFrame([row], columns=list(SCORE_COLUMNS))


def test_a_folder_holds_one_run_and_keeps_the_files_of_others(tmp_path):
    mine = pd.DataFrame({"AAA": [1.0, 2.0]})
    mine.to_parquet(tmp_path / "prices.parquet")
    table = pd.DataFrame({"pair": ["A/B"]})
    Result(one_score("sae"), {"trades": table, "pairs": table}, {}).save(tmp_path)
    Result(one_score("sic"), {"peers": table}, {}).save(tmp_path)
    found = Result.load(tmp_path)
    assert list(found.tables) == ["peers"] and found.scores["method"].tolist() == ["sic"]
    assert not (tmp_path / "trades.parquet").exists()
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "prices.parquet"), mine)


def test_a_killed_save_leaves_the_run_of_before(tmp_path, monkeypatch):
    table = pd.DataFrame({"pair": ["A/B"]})
    Result(one_score("sae"), {"trades": table}, {}).save(tmp_path)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Result(one_score("sic"), {"peers": table}, {}).save(tmp_path)
    found = Result.load(tmp_path)
    assert list(found.tables) == ["trades"] and found.scores["method"].tolist() == ["sae"]


@pytest.mark.parametrize("content", ["{", "[]", '{"scores": []}', '{"scores": 3, "tables": []}'])
def test_a_damaged_run_is_named_with_the_way_out(tmp_path, content):
    (tmp_path / "scores.json").write_text(content)
    with pytest.raises(DataError, match=r"cannot be read .*make it again"):
        Result.load(tmp_path)
    Result(one_score("sae"), {}, {"seed": 1}).save(tmp_path)
    assert Result.load(tmp_path).provenance == {"seed": 1}


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(DataError, match="no run in"):
        Result.load(tmp_path)


def test_scores_without_any_interval_show_themselves():
    scores = one_score("sae").assign(low=None, high=None)
    assert "0.400" in Result(scores)._repr_html_()
