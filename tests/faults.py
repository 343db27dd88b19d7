"""Processes that write the same artefact, are killed at it, or run out of disk.

    python tests/faults.py race|kill|full FOLDER

forks its writers before any library starts a thread; says what readers found, as JSON.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from finsae.checks import DataError
from finsae.features import Features, TokenCodes
from finsae.result import SCORE_COLUMNS, Result

COMPANIES, LATENTS = 40, 50


def features(version):
    """Features of which every file says its version."""
    companies = pd.DataFrame(
        {"name": [f"v{version}"] * COMPANIES},
        index=pd.Index([f"T{n}" for n in range(COMPANIES)], name="ticker"),
    )
    matrix = sparse.csr_array(np.full((COMPANIES, LATENTS), version, np.float32))
    codes = TokenCodes(
        np.full(20_000, version, np.float16),
        np.zeros(20_000, np.int32),
        np.arange(20_001),
        np.linspace(0, 20_000, COMPANIES + 1).astype(np.int64),
        np.full((20_000, 2), version, np.int32),
    )
    labels = [f"v{version}"] * LATENTS
    return Features.build(matrix, companies, labels, codes=codes, provenance={"version": version})


def run(version):
    """A run of which every file says its version."""
    scores = pd.DataFrame(
        [["sae", "peer_correlation", version, 0.0, 1.0, 9.0, "", ""]], columns=list(SCORE_COLUMNS)
    )
    noise = np.random.default_rng(version).random(50_000)  # which cannot be packed
    table = pd.DataFrame({"version": version, "noise": noise})
    return Result(scores, {"trades": table, f"only{version}": table}, {"version": version})


def versions(folder):
    """Which versions of the artefacts a reader finds; a mixture would have two."""
    found, result = Features.load(folder / "features"), Result.load(folder / "run")
    seen = {
        *np.unique(found.matrix.data),
        *np.unique(found.codes.values),
        *np.unique(found.codes.spans),
        *(int(name[1:]) for name in {*found.companies["name"], *found.names["label"]}),
        found.provenance["version"],
    }
    tables = {value for table in result.tables.values() for value in table["version"].unique()}
    ran = {*tables, result.provenance["version"], *result.scores["value"]}
    assert set(result.tables) == {"trades", f"only{result.provenance['version']}"}
    return [sorted(int(value) for value in kind) for kind in (seen, ran)]


def write(folder, version):
    features(version).save(folder / "features")
    run(version).save(folder / "run")


def forked(work):
    """Run in a process of its own; its number."""
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def read_in_child(folder):
    """What a fresh process finds; "none" where nothing is finished, else what was wrong."""
    reads, writes = os.pipe()

    def look():
        try:
            answer = versions(folder)
        except DataError as error:
            answer = str(error)
        os.write(writes, json.dumps(answer).encode())

    child = forked(look)
    os.close(writes)
    with os.fdopen(reads) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return json.loads(answer)


def many(folder, version, times):
    for _ in range(times):
        write(folder, version)


def race(folder):
    """Two writers and, meanwhile, readers."""
    os.waitpid(forked(lambda: write(folder, 1)), 0)
    writers = [forked(lambda v=version: many(folder, v, 15)) for version in (1, 2)]
    found, codes = [], []
    while writers:
        found.append(read_in_child(folder))
        for child in list(writers):
            done, code = os.waitpid(child, os.WNOHANG)
            if done:
                writers.remove(child)
                codes.append(code)
    return {"found": found, "codes": codes}


def kill(folder, times=6):
    """A writer over a finished artefact, killed at a random moment, again and again."""
    os.waitpid(forked(lambda: write(folder, 1)), 0)
    rng, found = np.random.default_rng(0), []
    for version in range(2, 2 + times):
        child = forked(lambda v=version: many(folder, v, 10**6))
        time.sleep(0.2 + 0.6 * rng.random())
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found.append(read_in_child(folder))
    os.waitpid(forked(lambda: write(folder, 99)), 0)
    left = sorted(p.name for p in folder.glob("**/.*") if p.name != ".lock")
    return {"found": found, "last": read_in_child(folder), "left": left}


def full(folder):
    """A disk with room for one version and a half."""
    os.waitpid(forked(lambda: write(folder, 1)), 0)
    wasted = folder / "wasted"
    space = os.statvfs(folder)
    room = space.f_bavail * space.f_frsize
    wasted.write_bytes(b"x" * (room - 200_000))
    said = []
    for work in (
        lambda: features(2).save(folder / "features"),
        lambda: run(2).save(folder / "run"),
    ):
        reads, writes = os.pipe()

        def attempt(work=work, writes=writes):
            try:
                work()
            except OSError as error:
                os.write(writes, str(error.strerror or error).encode())

        child = forked(attempt)
        os.close(writes)
        with os.fdopen(reads) as pipe:
            said.append(pipe.read())
        os.waitpid(child, 0)
    found = read_in_child(folder)
    wasted.unlink()
    os.waitpid(forked(lambda: write(folder, 3)), 0)
    return {"said": said, "found": found, "after": read_in_child(folder)}


if __name__ == "__main__":
    fault = {"race": race, "kill": kill, "full": full}[sys.argv[1]]
    sys.stdout.write(json.dumps(fault(Path(sys.argv[2]))))
