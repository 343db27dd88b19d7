"""A run of as many companies as the largest universe at hand, made of random words and numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from report_run import SIC, TIES, make_run

from finsae.methods import METHODS
from finsae.result import Result

WORDS, LENGTH, MARKED = 20_000, 165, 24  # vocabulary, words of a text, features with their places
GROUP = 17  # companies of a cluster
DAYS = 1250


def make_large(folder: Path, *, n: int = 3400, seed: int = 0) -> Path:
    """Write a run of `n` companies, whose texts are as long as those of us_equities."""
    rng = np.random.default_rng(seed)
    base = Result.load(make_run(folder))
    companies, drawn = _companies(n, rng)
    tickers = companies["ticker"].to_numpy()
    tables = {
        "companies": companies,
        "features": _features(tickers, drawn, rng),
        "marks": _marks(companies, drawn, rng),
        "peers": _peers(tickers, rng),
        "clusters": pd.DataFrame(
            {"clusterer": "sae", "ticker": tickers, "label": companies["cluster"]}
        ),
        "returns": _returns(rng),
    }
    return replace(base, tables={**base.tables, **tables}).save(folder)


def _companies(n: int, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = np.array(
        ["".join(rng.choice(letters, size=int(s))) for s in rng.integers(3, 11, WORDS)]
    )
    drawn = rng.integers(WORDS, size=(n, LENGTH))
    companies = pd.DataFrame(
        {
            "ticker": [f"T{i:03d}" for i in range(n)],
            "name": [f"Company {i} Inc." for i in range(n)],
            "sic": [SIC[i % len(SIC)] for i in range(n)],
            "description": [" ".join(row) for row in words[drawn]],
            "cluster": np.arange(n) // GROUP,
            "x": rng.normal(size=n),
            "y": rng.normal(size=n),
        }
    )
    return companies, drawn


def _features(tickers: np.ndarray, drawn: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    ids = drawn[:, :12].ravel() % 8192
    return pd.DataFrame(
        {
            "ticker": np.repeat(tickers, 12),
            "id": ids,
            "label": [f"label {i}, of feature {i}" for i in ids],
            "value": rng.gamma(2.0, size=len(ids)),
        }
    )


def _marks(companies: pd.DataFrame, drawn: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    starts = rng.integers(0, 1000, size=(len(companies), MARKED))
    ids = drawn[:, :MARKED].ravel() % 8192
    return pd.DataFrame(
        {
            "ticker": np.repeat(companies["ticker"].to_numpy(), MARKED),
            "id": ids,
            "label": [f"label {i}, of feature {i}" for i in ids],
            "value": np.sort(rng.random((len(companies), MARKED)))[:, ::-1].ravel(),
            "start": starts.ravel(),
            "end": starts.ravel() + 8,
        }
    )


def _peers(tickers: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    frames = []
    for method in METHODS:
        peers = rng.integers(len(tickers), size=(len(tickers), 10))
        frames.append(
            pd.DataFrame(
                {
                    "method": method,
                    "ticker": np.repeat(tickers, 10),
                    "rank": np.tile(np.arange(1, 11), len(tickers)),
                    "peer": tickers[peers].ravel(),
                    "similarity": rng.random(peers.size),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _returns(rng: np.random.Generator) -> pd.DataFrame:
    days = pd.bdate_range("2013-01-02", periods=DAYS)
    frames = []
    for method in METHODS:
        for draw in range(TIES.get(method, 1)):
            gross = rng.normal(0.0002, 0.003, DAYS)
            paid = {"traded": 0.08, "fees": 0.00002, "net": gross - 0.0001}
            held = {name: rng.random(DAYS) for name in ("gross_exposure", "net_exposure")}
            made = {"method": method, "draw": draw, "date": days, "gross": gross, "n_open": 15}
            frames.append(pd.DataFrame({**made, **paid, **held, "employed": 0.3}))
    return pd.concat(frames, ignore_index=True)
