"""Is the evidence true, and how much of a similarity does what is shown carry?

Texts are read again without one sentence (`finsae.pipeline.deletion`), and the similarity of
companies with their nearest peers is divided among features, words and sentences.

    python tests/benchmarks/deletion.py --out reports/benchmarks/deletion.md
    python tests/benchmarks/deletion.py --features FOLDER --pairs 120 --name us_equities
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from finsae.pipeline import (
    company_peers,
    deletion_check,
    deletion_summary,
    explain_pair,
    load_features,
)
from finsae.pipeline.deletion import KINDS
from finsae.store import commit, provenance

NAMES = {"named": "10 features", "words": "10 pairs of words", "sentences": "3 pairs of sentences"}


def carried(features, pairs):
    """Share of a similarity that what is shown carries, for companies and their nearest peers."""
    rows = []
    for a in pairs:
        peer = company_peers(features, a, 1)["peers"][0]["ticker"]
        rows.append(explain_pair(features, a, peer, top=10)["shared"])
    return pd.DataFrame(rows)


def deletions(table):
    summary = deletion_summary(table)
    lines = [
        "| deleted | similarity falls | 95 % interval | mean fall | share of the text "
        "| share of the similarity |",
        "|---|---|---|---|---|---|",
    ]
    for kind, row in summary.iterrows():
        lines.append(
            f"| {KINDS[kind]} | {row['lower']:.1%} | [{row['low']:.1%}, {row['high']:.1%}] "
            f"| {row['fall']:.1%} | {row['characters']:.0%} | {row['contribution']:.0%} |"
        )
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", help="folder of build-features; default: the sample's")
    parser.add_argument("--pairs", type=int, default=350)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="the bundled sample")
    parser.add_argument("--out", help="file to which the tables are added")
    asked = parser.parse_args()
    features = load_features(asked.features)
    table = deletion_check(features, pairs=asked.pairs, seed=asked.seed)
    companies = table["a"].unique()
    shares = carried(features, companies)
    lines = [
        f"## {asked.name}",
        "",
        f"{len(companies)} companies of {len(features.companies):,}, each with its nearest peer; "
        f"seed {asked.seed}; {provenance()['made'][:10]}, commit {commit()}.",
        "",
        *deletions(table),
        "",
        f"| shown (both have {shares['features'].median():.0f} features, median) "
        "| share of the similarity, mean | 10 % to 90 % of the pairs |",
        "|---|---|---|",
        *(
            f"| {name} | {shares[kind].mean():.1%} "
            f"| {np.quantile(shares[kind], 0.1):.0%} to {np.quantile(shares[kind], 0.9):.0%} |"
            for kind, name in NAMES.items()
        ),
    ]
    print("\n".join(lines))
    if asked.out:
        with Path(asked.out).open("a") as report:
            report.write("\n".join(["", *lines, ""]))


if __name__ == "__main__":
    main()
