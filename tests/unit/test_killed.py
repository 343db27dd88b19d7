"""A killed run loses nothing that was finished."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from finsae.features import Features

RUN = [sys.executable, "-c", "from finsae.cli import main; main()", "build-features"]


def start(cache, out):
    environment = {**os.environ, "FINSAE_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*RUN, "--out", str(out)], env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )


def finish(cache, out):
    process = start(cache, out)
    _, error = process.communicate(timeout=600)
    assert process.returncode == 0, error.decode()
    return Features.load(out)


@pytest.mark.slow
def test_features_after_a_kill_are_those_of_an_uninterrupted_run(tmp_path):
    cache = tmp_path / "killed"
    process = start(cache, tmp_path / "features")
    deadline = time.monotonic() + 300
    while not any(path.stat().st_size for path in cache.glob("activations/*/tokens.f16")):
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (folder,) = cache.glob("activations/*")
    assert not (folder / "meta.json").exists(), "the run was over before it was killed"
    kept = (folder / "tokens.f16").stat().st_size
    assert kept > 0

    resumed = finish(cache, tmp_path / "features")
    whole = finish(tmp_path / "whole", tmp_path / "features2")
    assert (resumed.matrix != whole.matrix).nnz == 0
    for name in ("values", "indices", "offsets", "spans"):
        np.testing.assert_array_equal(getattr(resumed.codes, name), getattr(whole.codes, name))
