"""A run folder made of random numbers, with the columns of a real one and hostile texts in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finsae.methods import METHODS
from finsae.result import Result

EVIL = 'Evil & Sons </script><script>alert("x")</script><img src=x onerror=alert(1)>'
TOPICS = (
    "banks, deposits",
    "drilling, wells",
    "chips, wafers",
    "stores, shoppers",
    "drugs, trials",
)
SIC = ("6021", "1381", "3674", "5311", "2834")
TIES = {"sic": 3, "major-group": 3, "random": 3}


def make_run(folder: Path, *, n: int = 60, seed: int = 0) -> Path:
    """Write a run of `n` companies in five groups."""
    result = Result(_scores(), _tables(n, np.random.default_rng(seed)), _provenance())
    return result.save(folder)


def score(method: str, value: float, half: float, **more: object) -> dict[str, object]:
    row = {"method": method, "metric": "peer_correlation", "n": 60, "interval": "two-way"}
    return {**row, "value": value, "low": value - half, "high": value + half, "versus": "", **more}


def _scores() -> pd.DataFrame:
    levels = dict(zip(METHODS, (0.41, 0.35, 0.34, 0.42, 0.40, 0.44, 0.21), strict=True))
    rows = [score(method, value, 0.03) for method, value in levels.items()]
    methods = list(levels)
    rows += [
        score("sae", levels[b] - levels["sae"], 0.02, versus=b, metric="hedged_variance")
        for b in methods[1:]
    ]
    rows += [
        score(a, levels[a] - levels[b], 0.02, versus=b)
        for a in methods
        for b in methods
        if a != b and b not in ("sae", "major-group")
    ]
    rows += [_explaining(one) for one in rows if one["metric"] == "peer_correlation"]
    for metric, shift in (("mc", 0.02), ("pair_weighted", -0.03)):
        rows += [score(m, v + shift, 0.04, metric=metric) for m, v in levels.items()]
    rows += [score(m, 0.7, 0.02, metric="coverage") for m in METHODS]
    rows += [score(m, 1 - v, 0.03, metric="hedged_variance") for m, v in levels.items()]
    rows += [score(m, 0.3 + v, 0.9, metric="sharpe_net", n=500) for m, v in levels.items()]
    return pd.DataFrame(rows)


def _explaining(row: dict[str, Any]) -> dict[str, Any]:
    """Peer R² of a row of peer correlation."""
    ends = {end: row[end] / 3 for end in ("value", "low", "high")}
    return {**row, **ends, "metric": "peer_r2", "n": 3180}


def _provenance() -> dict[str, object]:
    return {
        "universe": {"source": "sample", "survivorship": "companies chosen with hindsight."},
        "cut": "2013-06-30",
        "formation": ["2011-07-01", "2013-06-30"],
        "trade": ["2013-07-01", "2017-12-08"],
        "method": "sae",
        "features": {"reading": {"model": "minilm", "layer": 5}, "autoencoder": _judged(5)},
        "others": {
            "sae-group": {"autoencoder": {"layers": [_measured(2, 0.2), _measured(1, 0.1)]}}
        },
        "k": 5,
        "run": {"benchmark": {"k": 5}, "seed": 0},
        "sae_provenance": {"sha256": "0" * 64},
        "commit": "abc1234",
        "made": "2026-11-20T00:00:00Z",
        "libraries": {"numpy": "2.4"},
    }


def _measured(layer: int, fvu: float) -> dict[str, object]:
    return {"layer": layer, "fvu": fvu, "l0": 16.0, "dead": 0.05, "cosine": 0.95, "tokens": 1000}


def _judged(layer: int) -> dict[str, object]:
    density = {"never": 2, "0.01 to 0.1": 7, "0.1 to 1": 3}
    return {"evaluation": {**_measured(layer, 0.1), "density": density}}


def _firing() -> pd.DataFrame:
    bars = {"density": ["never", "0.01 to 0.1", "0.1 to 1"], "latents": [4, 7, 1]}
    return pd.DataFrame({**bars, "tokens": 500, "l0": 16.0, "dead": 1 / 3})


def _tables(n: int, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    tickers = [f"T{i:03d}" for i in range(n)]
    group = np.arange(n) % len(TOPICS)
    centre = rng.normal(size=(len(TOPICS), 2)) * 4
    place = centre[group] + rng.normal(size=(n, 2))
    companies = pd.DataFrame(
        {
            "ticker": tickers,
            "name": [EVIL, *(f"Company {i} Inc." for i in range(1, n))],
            "sic": [SIC[g] for g in group],
            "description": [f"{EVIL} makes things."]
            + [f"It is in {TOPICS[g]}." for g in group[1:]],
            "cluster": np.where(np.arange(n) < n - 4, group, -1),
            "x": place[:, 0],
            "y": place[:, 1],
        }
    )
    return {
        "companies": companies,
        "features": _features(tickers, group, rng),
        "peers": _peers(tickers, group),
        "clusters": pd.concat(
            [
                pd.DataFrame({"clusterer": name, "ticker": tickers, "label": group})
                for name in ("mst", "sic")
            ]
        ),
        "heat": _heat([t for t, g in zip(tickers, group, strict=True) if g == 0], rng),
        **_explained(tickers),
        "firing": _firing(),
        "by_year": pd.DataFrame(
            [
                {"method": m, "year": y, "value": rng.uniform(0.2, 0.5), "months": 12}
                for m in METHODS
                for y in (2014, 2015, 2016)
            ]
        ),
        "excluded": pd.DataFrame({"ticker": ["ZZZ"], "reason": ["no SIC code"]}),
        "repairs": pd.DataFrame(
            {
                "ticker": tickers[:4],
                "date": pd.to_datetime(["2010-01-04"] * 4),
                "kind": ["split", "split", "wrong_close", "suspect"],
                "factor": [2.0, 0.5, 1.1, 1.4],
                "action": ["repaired", "repaired", "repaired", "listed"],
            }
        ),
        **_money(tickers, rng),
    }


def _features(tickers: list[str], group: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        {"ticker": t, "id": 10 * j + g, "label": f"{TOPICS[g]} {j}" if j else TOPICS[g], "value": v}
        for t, g in zip(tickers, group, strict=True)
        for j, v in enumerate(np.sort(rng.gamma(2.0, size=4))[::-1])
    ]
    return pd.DataFrame(rows)


def _peers(tickers: list[str], group: np.ndarray) -> pd.DataFrame:
    rows = []
    for t, g in zip(tickers, group, strict=True):
        near = [u for u, h in zip(tickers, group, strict=True) if h == g and u != t][:5]
        rows += [
            {"method": "sae", "ticker": t, "rank": r, "peer": u, "similarity": 0.9 - r / 10}
            for r, u in enumerate(near, 1)
        ]
    return pd.DataFrame(rows)


def _heat(members: list[str], rng: np.random.Generator) -> pd.DataFrame:
    pairs = [(a, b) for i, a in enumerate(members) for b in members[:i]]
    similarity = rng.uniform(0.2, 0.9, len(pairs))
    correlation = similarity / 2 + rng.normal(0, 0.1, len(pairs))
    frame = pd.DataFrame(pairs, columns=["a", "b"])
    return frame.assign(similarity=similarity, correlation=correlation)


def _explained(tickers: list[str]) -> dict[str, pd.DataFrame]:
    """Two pairs; the first with its sentences and texts."""
    parts = [0.30, 0.15, 0.08, 0.04, 0.11]
    first = pd.DataFrame(
        {
            "a": tickers[0],
            "b": tickers[5],
            "similarity": sum(parts),
            "id": [7, 12, 3, 44, -1],
            "label": ["deposits, <b>branches</b>", "loans", "mortgage", "trust", "other features"],
            "contribution": parts,
            "evidence_a": [
                "takes [[deposits]] in <i>12</i> states",
                "[[loans]]",
                "a [[home]]",
                "",
                "",
            ],
            "evidence_b": ["holds [[deposits]] & more", "makes [[loans]]", "", "its [[trust]]", ""],
        }
    )
    pair = {"a": tickers[0], "b": tickers[5]}
    texts = {
        "leg": ["a", "a", "b"],
        "text": ["It takes <i>deposits</i>. ", f"{EVIL} lends.", "It holds deposits."],
        "contribution": [0.4, 0.28, 0.68],
    }
    quotes = {"quote_a": "It takes [[deposits]]", "quote_b": "It holds [[deposits]]"}
    second = {"a": tickers[1], "b": tickers[6]}
    return {
        "explained": pd.concat([first, first.assign(**second)], ignore_index=True),
        "pair_sentences": pd.DataFrame(
            [
                {
                    "contribution": 0.3,
                    "features": "deposits",
                    **{k: v[0] for k, v in quotes.items()},
                    **one,
                }
                for one in (pair, second)
            ]
        ),
        "pair_texts": pd.concat([pd.DataFrame(texts).assign(**one) for one in (pair, second)]),
    }


REASONS = ("converged", "stopped", "window over")


def _money(tickers: list[str], rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    days = pd.bdate_range("2013-07-01", periods=500)
    returns, trades = [], []
    for method in METHODS:
        for draw in range(TIES.get(method, 1)):
            gross = rng.normal(0.0002, 0.003, len(days))
            frame = {"method": method, "draw": draw, "date": days}
            paid = {"traded": 0.08, "fees": 0.00002, "net": gross - 0.0001}
            held = {"gross_exposure": 0.5, "net_exposure": 0.01, "employed": 0.3, "n_open": 15}
            returns.append(pd.DataFrame({**frame, "gross": gross, **paid, **held}))
            pair = {"y": tickers[1], "x": tickers[2], "entry": days[10], "exit": days[40]}
            trades += [
                {"method": method, "draw": draw, **pair, "days": 42 + i, "net": 0.01 * (i - 5),
                 "reason": REASONS[i % 3]}
                for i in range(12)
            ]  # fmt: skip
    steps = pd.DataFrame(
        {
            "step": ["as published", "each pair traded once", "orders filled at the next close"],
            "sharpe_gross": [5.0, 2.0, 0.4],
            "sharpe_net": [5.0, 2.0, 0.1],
            "low": [4.0, 1.0, -0.8],
            "high": [6.0, 3.0, 1.0],
            "worth": [np.nan, 3.0, 1.9],
            "trades": [900, 400, 380],
            "pairs": [90, 60, 60],
            "days": [500, 500, 500],
        }
    )
    years = {"year": 2013, "days": 130, "return_gross": 0.01, "return_net": 0.005}
    years |= {"sharpe_gross": 0.4, "sharpe_net": 0.2, "max_drawdown": 0.02, "trades": 6.5}
    return {
        "trading_years": pd.DataFrame([{"method": method, **years} for method in METHODS]),
        "returns": pd.concat(returns, ignore_index=True),
        "trades": pd.DataFrame(trades),
        "steps": steps,
    }
