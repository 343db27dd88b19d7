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


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(DataError, match="no run in"):
        Result.load(tmp_path)
