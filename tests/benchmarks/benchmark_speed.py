"""How fast the benchmark is: correlation with gaps, peers, spanning tree, metrics, resamples.

    python tests/benchmarks/benchmark_speed.py [--companies 10000] [--out reports/benchmarks]

Three parts, each in a process of its own so that its memory can be told apart:

``scale``       10,000 companies x 120 months with gaps: correlation, ten peers, spanning tree, and
                every metric of one method on the data as they are.
``bootstrap``   1,000 two-way resamples of the benchmark's peer metrics on 3,000 companies x 60
                months, three methods.
``race``        the same work by pandas, scikit-learn and networkx on 1,000 companies, in one run,
                CPU seconds; results are compared before times are.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from finsae.benchmark import find_peers
from finsae.benchmark.clusters import Clusters, cluster_correlation
from finsae.benchmark.draws import Draws
from finsae.benchmark.industry import industry_lift
from finsae.benchmark.leaderboard import Sample, market_residuals
from finsae.benchmark.panel import Panel
from finsae.benchmark.peers import Peers, peer_correlation
from finsae.benchmark.prediction import PeerReturns, hedged_variance, peer_r2
from finsae.cluster import MinimumSpanningTree
from finsae.config import Benchmark
from finsae.similarity import pairwise_correlation, peer_index

K, GAPS = 10, 0.03


def returns(companies: int, months: int, *, seed: int = 0) -> pd.DataFrame:
    """A market, forty industries and noise; 3 % of the returns are missing."""
    rng = np.random.default_rng(seed)
    industry = np.arange(companies) % 40
    x = rng.normal(0, 0.03, (months, 1)) + rng.normal(0, 0.03, (months, 40))[:, industry]
    x += rng.normal(0, 0.08, (months, companies))
    late = rng.random(companies) < 2 * GAPS  # newcomers: the gaps of real tables
    for company in np.flatnonzero(late):
        x[: rng.integers(1, months), company] = np.nan
    index = pd.date_range("2008-01-31", periods=months, freq="ME")
    return pd.DataFrame(x, index=index, columns=[f"C{i:05d}" for i in range(companies)])


def timed(call):
    wall, cpu = time.perf_counter(), time.process_time()
    found = call()
    return found, time.perf_counter() - wall, time.process_time() - cpu


def scale(companies: int) -> dict[str, float]:
    data = returns(companies, 120)
    steps: dict[str, float] = {}
    started = time.perf_counter()

    def step(name, call):
        found, wall, _ = timed(call)
        steps[name] = round(wall, 2)
        return found

    values = data.to_numpy()
    correlation = step("correlation", lambda: pairwise_correlation(values).astype(np.float32))
    index = step("peers", lambda: peer_index(correlation, K, np.random.default_rng(0)))
    tree = MinimumSpanningTree(threshold=0.6)
    distance = 1 - np.nan_to_num(correlation)
    np.fill_diagonal(distance, 0)
    labels = step("spanning tree", lambda: tree.fit_predict(distance))
    peers = Peers(("past",), np.zeros(1, dtype=np.int64), index[None])
    itself = Draws.none(60, companies)
    before, after = data.iloc[:60], data.iloc[60:]
    industry = np.arange(companies) % 40

    def metrics():
        later = PeerReturns.of(after, peers)
        groups = Clusters.of({"tree": pd.Series(labels)}, companies)
        inside = peers_inside_of(index, industry)
        return [
            peer_r2(peers, later, itself),
            peer_correlation(peers, Panel.of(after), itself),
            peer_correlation(peers, Panel.of(market_residuals(after)), itself, worst=False),
            hedged_variance(peers, PeerReturns.of(before.iloc[-36:], peers), later, itself),
            cluster_correlation(groups, Panel.of(after), itself),
            industry_lift(inside, industry, Panel.of(after), itself),
        ]

    step("all metrics", metrics)
    steps["total"] = round(time.perf_counter() - started, 2)
    return steps


def peers_inside_of(index, industry):
    """Peers inside the industry, from a similarity that is dealt at random (its speed is meant)."""
    rng = np.random.default_rng(0)
    chosen = np.empty_like(index)
    for code in np.unique(industry):
        inside = np.flatnonzero(industry == code)
        block = rng.random((len(inside), len(inside)))
        chosen[inside] = inside[peer_index(block, K, rng)]
    return Peers(("past",), np.zeros(1, dtype=np.int64), chosen[None])


def bootstrap(companies: int) -> dict[str, float]:
    data = returns(companies, 60)
    rng = np.random.default_rng(1)
    names = data.columns
    tables = {
        name: pd.DataFrame(rng.random((companies, companies)), index=names, columns=names)
        for name in ("sae", "sic", "tfidf")
    }
    settings = Benchmark(k=K, resamples=1000)
    peers = find_peers(tables, data, settings=settings)
    del tables
    panel = Panel.of(data)
    measures = [
        lambda draws: peer_r2(peers, PeerReturns.of(data, peers), draws),
        lambda draws: peer_correlation(peers, panel, draws),
        lambda draws: cluster_correlation(
            Clusters.of({"industry": pd.Series(np.arange(companies) % 40)}, companies), panel, draws
        ),
    ]
    sample, wall, cpu = timed(lambda: Sample.of(measures, data, settings.resamples, seed=0))
    assert len(sample.rows())
    return {"wall": round(wall, 2), "cpu": round(cpu, 2)}


def race(companies: int = 1000) -> dict[str, dict[str, float]]:
    import networkx
    from sklearn.neighbors import NearestNeighbors

    data = returns(companies, 120)
    found: dict[str, dict[str, float]] = {}

    def compare(name, ours, theirs, same, rounds=3):
        mine, others = [], []
        for _ in range(rounds):
            a, _, cpu = timed(ours)
            mine.append(cpu)
            b, _, cpu = timed(theirs)
            others.append(cpu)
        assert same(a, b), name
        own, other = min(mine), min(others)
        found[name] = {
            "finsae": round(own, 3),
            "peer": round(other, 3),
            "ratio": round(other / own, 1),
        }

    correlation = data.corr(min_periods=12).to_numpy(copy=True)
    compare(
        "correlation with gaps: pandas",
        lambda: pairwise_correlation(data.to_numpy()),
        lambda: data.corr(min_periods=12).to_numpy(),
        lambda a, b: np.allclose(a, b, atol=1e-10, equal_nan=True),
    )
    np.fill_diagonal(correlation, 1)
    distance = np.clip(1 - np.nan_to_num(correlation), 0, 2)

    def neighbours():
        fitted = NearestNeighbors(n_neighbors=K, metric="precomputed").fit(distance)
        return fitted.kneighbors(return_distance=False)

    compare(
        "ten peers: scikit-learn",
        lambda: peer_index(-distance, K, np.random.default_rng(0)),
        neighbours,
        lambda a, b: np.allclose(*(np.take_along_axis(distance, i, axis=1) for i in (a, b))),
    )

    def tree_of_networkx():
        rows, columns = np.triu_indices(companies, 1)
        graph = networkx.Graph()
        graph.add_weighted_edges_from(
            zip(rows.tolist(), columns.tolist(), distance[rows, columns].tolist(), strict=True)
        )
        tree = networkx.minimum_spanning_tree(graph)
        tree.remove_edges_from([(a, b) for a, b, w in tree.edges(data="weight") if w > 0.6])
        labels = np.empty(companies, dtype=int)
        for number, group in enumerate(networkx.connected_components(tree)):
            labels[list(group)] = number
        return labels

    compare(
        "spanning tree clusters: networkx",
        lambda: MinimumSpanningTree(threshold=0.6).fit_predict(distance),
        tree_of_networkx,
        lambda a, b: len({*zip(a.tolist(), b.tolist(), strict=True)}) == len(set(a.tolist())),
        rounds=1,
    )
    return found


def peak() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--companies", type=int, default=10_000)
    parser.add_argument("--out", default="reports/benchmarks")
    parser.add_argument("--part")
    options = parser.parse_args()
    parts = {
        "scale": lambda: scale(options.companies),
        "bootstrap": lambda: bootstrap(min(3000, options.companies)),
        "race": lambda: race(min(1000, options.companies)),
    }
    if options.part:
        print(json.dumps({**parts[options.part](), "gigabytes": peak()}))
        return
    results = {}
    for part in parts:
        command = [sys.executable, __file__, "--part", part, "--companies", str(options.companies)]
        one = {"OMP_NUM_THREADS": "1"} if part == "race" else {}  # the others use one, too
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env={**os.environ, **one}
        )
        results[part] = json.loads(done.stdout.splitlines()[-1])
        print(part, results[part], flush=True)
    target = Path(options.out)
    target.mkdir(parents=True, exist_ok=True)
    (target / "benchmark_speed.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
