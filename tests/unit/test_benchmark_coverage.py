"""Do the intervals hold what they promise? Simulated markets whose true correlations are known."""

import numpy as np
import pandas as pd
import pytest

from finsae.benchmark import score
from finsae.benchmark.peers import Peers
from finsae.config import Benchmark

COMPANIES, INDUSTRIES, MONTHS, K = 100, 10, 48, 5
REPLICATES = 200
SETTINGS = Benchmark(k=K, draws=5, resamples=120)
NAMES = [f"C{i:02d}" for i in range(COMPANIES)]
INDUSTRY = np.arange(COMPANIES) % INDUSTRIES


def market(rng, months=MONTHS):
    """A market, ten industries of different strength, companies with loadings of their own."""
    beta = rng.uniform(0.5, 1.3, COMPANIES)
    own = np.linspace(0.3, 1.0, INDUSTRIES)[INDUSTRY] * rng.uniform(0.4, 1.6, COMPANIES)
    noise = rng.uniform(0.8, 2.0, COMPANIES)
    spread = np.sqrt(beta**2 + own**2 + noise**2)
    same = INDUSTRY[:, None] == INDUSTRY
    true = (np.outer(beta, beta) + np.outer(own, own) * same) / np.outer(spread, spread)
    np.fill_diagonal(true, np.nan)
    returns = (
        rng.normal(size=(months, 1)) * beta
        + rng.normal(size=(months, INDUSTRIES))[:, INDUSTRY] * own
        + rng.normal(size=(months, COMPANIES)) * noise
    )
    index = pd.date_range("1900-01-31", periods=months, freq="ME")
    return true, pd.DataFrame(returns * 0.03, index=index, columns=NAMES)


def views(rng):
    """One method knows the industries, two see them through noise, one of these prefers hubs."""
    same = (INDUSTRY[:, None] == INDUSTRY).astype(float)

    def noise(size):
        square = rng.normal(0, size, same.shape)
        return (square + square.T) / np.sqrt(2)

    hub = rng.normal(size=COMPANIES)
    tables = {
        "sic": same,
        "tfidf": same + noise(1.0),
        "sae": same + noise(0.8),
        "embedding": same + noise(0.8) + 0.5 * (hub[:, None] + hub),
    }
    return {name: pd.DataFrame(t, index=NAMES, columns=NAMES) for name, t in tables.items()}


def small_clusters(rng):
    """Pairs, triples and loners inside industries."""
    order = np.lexsort((rng.random(COMPANIES), INDUSTRY))
    breaks = (rng.random(COMPANIES) < 0.45) | (np.diff(INDUSTRY[order], prepend=-1) != 0)
    labels = np.empty(COMPANIES, dtype=int)
    labels[order] = np.cumsum(breaks)
    return pd.Series(labels, index=NAMES)


def truth(methods, clusters, true, seed):
    peers = Peers.of(methods, K, draws=5, seed=seed)
    rows = np.arange(COMPANIES)[:, None]
    levels = peers.average([true[rows, index].mean() for index in peers.index])
    found = {
        (name, "peer_correlation", ""): level for name, level in zip(methods, levels, strict=True)
    }
    for a in methods:
        for b in ("sic", "tfidf", "embedding"):
            if a != b:
                difference = found[a, "peer_correlation", ""] - found[b, "peer_correlation", ""]
                found[a, "peer_correlation", b] = difference
    found["population", "mean_correlation", ""] = np.nanmean(true)
    for name, labels in clusters.items():
        blocks = [
            true[np.ix_(inside, inside)] for inside in labels.groupby(labels).indices.values()
        ]
        blocks = [block[np.triu_indices(len(block), 1)] for block in blocks if len(block) > 1]
        found[name, "mc", ""] = np.mean([block.mean() for block in blocks])
        found[name, "pair_weighted", ""] = np.concatenate(blocks).mean()
    return pd.Series(found)


@pytest.mark.slow
def test_intervals_cover_the_truth_about_as_often_as_they_say():
    truths, scores, explained = [], [], []
    for replicate in range(REPLICATES):
        rng = np.random.default_rng([5, replicate])
        true, returns = market(rng)
        methods = views(rng)
        clusters = {"industries": pd.Series(INDUSTRY, index=NAMES), "small": small_clusters(rng)}
        truths.append(truth(methods, clusters, true, replicate))
        table = score(methods, clusters, returns, settings=SETTINGS, seed=replicate)
        explained.append(table[table["metric"] == "peer_r2"])
        table = table[table["interval"] == "two-way"]
        scores.append(table.set_index(["method", "metric", "versus"])[["value", "low", "high"]])
    expected = pd.concat(truths, axis=1).mean(axis=1)  # over markets: companies are drawn, too
    tables = [table.reindex(expected.index) for table in scores]
    covered = pd.concat(
        [(t["low"] <= expected) & (expected <= t["high"]) for t in tables], axis=1
    ).mean(axis=1)
    values = pd.concat([table["value"] for table in tables], axis=1)
    assert (values.mean(axis=1) - expected).abs().max() < 0.01
    assert covered.min() > 0.87, covered  # nominal 0.95; 0.016 is one standard error
    paired = covered[covered.index.get_level_values(2) != ""]
    assert 0.91 < paired.mean() < 0.985, paired
    clustered = covered[covered.index.get_level_values(1).isin(["mc", "pair_weighted"])]
    assert clustered.min() > 0.90, clustered
    found = pd.concat(explained).set_index(["method", "versus", "interval"])
    mean = found["value"].groupby(level=[0, 1, 2]).mean()  # R-squared has no closed form
    held = (found["low"] <= mean.reindex(found.index)) & (
        mean.reindex(found.index) <= found["high"]
    )
    share = held.groupby(level=[0, 1, 2]).mean()
    assert share.xs("two-way", level=2).between(0.93, 1.0).all(), share
    given = share.xs("newey-west", level=2)  # these companies, not companies drawn anew
    assert given.between(0.80, 0.95).all(), share


def test_the_simulation_knows_its_truth():
    true, returns = market(np.random.default_rng(0), months=4000)
    measured = returns.corr().to_numpy(copy=True)
    np.fill_diagonal(measured, np.nan)
    assert np.nanmax(np.abs(measured - true)) < 0.08  # five standard errors of one correlation
    assert abs(np.nanmean(measured - true)) < 0.02
