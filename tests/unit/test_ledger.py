import json
import subprocess
import sys

import numpy as np
import pytest

from finsae.ledger import record_trials

SETTINGS = {"formation": 504, "trading": 126, "rule": {"entry": 2.0}}


def test_every_distinct_configuration_is_counted_once(tmp_path):
    path = tmp_path / "reports" / "trials.jsonl"
    first = record_trials(path, "abc", sharpes={"sae": 0.4, "sic": -0.2}, settings=SETTINGS)
    assert first.configurations == 2
    assert first.sd == pytest.approx(np.std([0.4, -0.2], ddof=1))
    again = record_trials(path, "abc", sharpes={"sae": 0.4, "sic": -0.2}, settings=SETTINGS)
    assert again == first and len(path.read_text().splitlines()) == 2
    other = {**SETTINGS, "trading": 63}
    assert record_trials(path, "abc", sharpes={"sae": 0.1}, settings=other).configurations == 3
    elsewhere = record_trials(path, "xyz", sharpes={"sae": 0.1}, settings=SETTINGS)
    assert elsewhere.configurations == 1 and np.isnan(elsewhere.sd)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["data"] for line in lines] == ["abc", "abc", "abc", "xyz"]
    assert lines[0]["settings"] == SETTINGS and lines[0]["method"] == "sae"


def test_a_method_read_otherwise_is_another_trial_and_the_others_are_not(tmp_path):
    path = tmp_path / "trials.jsonl"
    both = {"sae": 0.4, "sic": -0.2}
    for layer, count in ((5, 2), (4, 3), (5, 3)):
        made = {"sae": {"layer": layer}}
        trials = record_trials(path, "abc", sharpes=both, settings=SETTINGS, readings=made)
        assert trials.configurations == count


def test_a_method_that_did_not_trade_is_a_trial_too(tmp_path):
    path = tmp_path / "trials.jsonl"
    sharpes = {"sae": np.nan, "sic": 0.1, "random": 0.3}
    trials = record_trials(path, "abc", sharpes=sharpes, settings=SETTINGS)
    assert trials.configurations == 3 and trials.sd == pytest.approx(np.std([0.1, 0.3], ddof=1))


def test_a_line_cut_short_is_passed_over_and_not_joined(tmp_path):
    path = tmp_path / "trials.jsonl"
    record_trials(path, "abc", sharpes={"sae": 0.4}, settings=SETTINGS)
    path.write_text(path.read_text() + '{"key": "half')
    assert record_trials(path, "abc", sharpes={"sic": 0.1}, settings=SETTINGS).configurations == 2
    assert record_trials(path, "abc", sharpes={"sic": 0.1}, settings=SETTINGS).configurations == 2


def test_runs_at_the_same_time_lose_nothing(tmp_path):
    path = tmp_path / "trials.jsonl"
    code = (
        "import sys; from finsae.store import append_records\n"
        "for run in range(60):\n"
        "    append_records(sys.argv[1], [{'key': f'{sys.argv[2]}-{run % 50}', 'run': run}])"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, str(path), str(n)]) for n in range(2)]
    assert [run.wait() for run in runs] == [0, 0]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == len({line["key"] for line in lines}) == 100
