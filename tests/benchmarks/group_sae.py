"""What grouping layers saves and costs: one SAE per group at every number of groups.

All SAEs see the same tokens, as many as one per layer would, in one reading. The baseline is one
SAE per layer.

    python tests/benchmarks/group_sae.py --activations FOLDER --layers 1-5 --out reports/benchmarks
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from finsae.activations import Activations
from finsae.sae import TopK, Training, evaluate
from finsae.sae.batches import Rows
from finsae.sae.group import Member
from finsae.sae.groups import layer_distances, saving, table
from finsae.sae.job import split
from finsae.sae.run import fit_together
from finsae.sae.settings import LONG_RUN

COMMAND = "python tests/benchmarks/group_sae.py --activations FOLDER --out reports/benchmarks"


class Some:
    """Chosen layers of a few tokens, in memory."""

    def __init__(self, tokens, rows, places):
        self.tokens = np.stack([np.asarray(tokens[rows, p]) for p in places], axis=1)

    @property
    def shape(self):
        return self.tokens.shape

    def __getitem__(self, rows):
        return self.tokens[rows]


def run(args):
    source = Activations.open(args.activations)
    first, _, last = args.layers.partition("-")
    layers = list(range(int(first), int(last or first) + 1))
    places = [source.layers.index(layer) for layer in layers]
    learn, judge = split(np.asarray(source.offsets), seed=0)
    learn, judge = learn[: args.tokens], judge[: args.judged]
    data = Some(source.tokens, learn, places)
    distance = layer_distances(data)
    listed = table(distance, cluster_on=args.cluster_on)
    groups = sorted({group for partition in listed["groups"] for group in partition})
    settings = Training(epochs=args.epochs, lr=Training().full_rate(args.latents, LONG_RUN))
    coders = [TopK(args.latents, args.k, training=settings) for _ in groups]
    begun = time.process_time()
    scales = fit_together(coders, data, layers=groups, fold=False)
    seconds = (time.process_time() - begun) / len(groups)
    fvu = {}
    for coder, group, scale in zip(coders, groups, scales, strict=True):
        member = Member(coder, tuple(layers[i] for i in group), scale)
        fvu[group] = {
            layer: evaluate(member.at(layer), Rows(source.layer(layer), judge)).fvu
            for layer in member.layers
        }
    return layers, distance, listed, fvu, seconds


def report(args, found):
    layers, _, listed, fvu, seconds = found
    singles = {layer: fvu[(i,)][layer] for i, layer in enumerate(layers)}
    lines = [
        "| G | AMAD | groups (layers) | tokens trained on | CPU-seconds | saved, SAEs only | "
        "saved in all | FVU, mean (lost) | FVU, worst layer (lost) |",
        "|---" * 9 + "|",
    ]
    records = []
    for row in listed.itertuples():
        by_layer = {layer: value for group in row.groups for layer, value in fvu[group].items()}
        lost = {layer: by_layer[layer] - singles[layer] for layer in layers}
        worst = max(by_layer, key=by_layer.get)
        saved = saving(len(layers), row.count, activations=args.collecting, sae=seconds)
        names = " ".join(f"{{{','.join(str(layers[i]) for i in group)}}}" for group in row.groups)
        mean = np.mean(list(by_layer.values()))
        record = {
            "groups": names, "amad": row.amad, "count": row.count, "fvu": by_layer, "lost": lost,
            "cpu_seconds": seconds * row.count, "saved_training": saved.training,
            "saved_total": saved.total,
        }  # fmt: skip
        records.append(record)
        lines.append(
            f"| {row.count} | {row.amad:.3f} | {names} | {row.count * args.seen:,} | "
            f"{seconds * row.count:,.0f} | {saved.training:.0%} | {saved.total:.0%} | "
            f"{mean:.4f} ({np.mean(list(lost.values())):+.4f}) | "
            f"layer {worst}: {by_layer[worst]:.4f} ({max(lost.values()):+.4f} on layer "
            f"{max(lost, key=lost.get)}) |"
        )
    return "\n".join(lines) + "\n", records


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--activations", required=True)
    parser.add_argument("--layers", default="1-5")
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--judged", type=int, default=50_000)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--latents", type=int, default=8192)
    parser.add_argument("--k", type=int, default=16)
    parser.add_argument("--cluster-on", default="distance")
    parser.add_argument("--collecting", type=float, default=0.0, help="CPU-seconds of the model.")
    parser.add_argument("--out")
    args = parser.parse_args()
    found = run(args)
    args.seen = int(args.epochs * args.tokens)
    written, records = report(args, found)
    print(written)
    if args.out:
        place = Path(args.out)
        place.mkdir(parents=True, exist_ok=True)
        (place / "group_sae.md").write_text(f"{written}\n    {COMMAND}\n")
        facts = {"arguments": {**vars(args), "activations": None, "out": None}, "table": records}
        facts["distance"] = np.round(found[1], 5).tolist()
        (place / "group_sae.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
