"""The GPU race runs to its end, on a CPU and small."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_race_runs_to_its_end(tmp_path):
    program = ROOT / "tests" / "benchmarks" / "sae_gpu.py"
    command = [sys.executable, program, "--device", "cpu", "--small", "--only", "finsae"]
    done = subprocess.run(
        [*command, "--out", tmp_path],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    facts = json.loads((tmp_path / "sae_gpu.json").read_text())
    assert not facts["failed"], facts["failed"]
    fvu = [runs[0]["fvu"] for runs in facts["results"].values()]
    assert len(fvu) == 4 and max(fvu) - min(fvu) < 1e-4  # the same quality in any precision
    assert 0 < fvu[0] < 0.9
    text = (tmp_path / "sae_gpu.md").read_text()
    assert "error" not in facts["parts"] and "| the whole step |" in text
