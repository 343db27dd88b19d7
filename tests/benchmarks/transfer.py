"""Tokens that a transferred SAE needs to come as far as one trained from scratch.

An SAE is trained on one layer and carried to its neighbour, forward and backward, with and without
a rotation. "Reached" is the training FVU's mean over the steps since the row before in the history
(one row per hundredth of the run) coming within ``--near`` of the scratch run's last row and
staying there.

    python tests/benchmarks/transfer.py --activations FOLDER --layers 4,5 --out reports/benchmarks
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from finsae.activations import Activations
from finsae.sae import TopK, Training, evaluate, rotated, rotation
from finsae.sae.batches import Rows
from finsae.sae.job import split
from finsae.sae.run import fit_together
from finsae.sae.settings import LONG_RUN
from finsae.sae.transfer import tokens_to_reach


def run(args):
    source = Activations.open(args.activations)
    one, other = (int(layer) for layer in args.layers.split(","))
    learn, judge = split(np.asarray(source.offsets), seed=0)
    learn, judge = learn[: args.tokens], judge[: args.judged]
    places = [source.layers.index(layer) for layer in (one, other)]
    data = np.stack([np.asarray(source.tokens[learn, p]) for p in places], axis=1)
    usual = Training().full_rate(args.latents, LONG_RUN)

    def fresh(rate=1.0, share=1.0):
        """Of a share of the tokens, at so many times the rate that belongs to the width."""
        settings = Training(epochs=args.epochs * share, lr=rate * usual)
        return TopK(args.latents, args.k, training=settings)

    scratch = [fresh(), fresh()]
    fit_together(scratch, data, layers=[(0,), (1,)])
    rows = []
    for start, end, name in ((0, 1, f"{one} to {other}"), (1, 0, f"{other} to {one}")):
        unseen = Rows(source.layer((one, other)[end]), judge)
        target = scratch[end].history_["fvu"].iloc[-1] + args.near
        for align in (False, True):
            begun = scratch[start]
            if align:
                begun = rotated(begun, rotation(data[:, start], data[:, end]))
            rescaled = rescale(begun, scratch[end].scale_)
            coder = fresh(args.rate)
            fit_together([coder], data, layers=[(end,)], init_from=[begun])
            total = args.epochs * len(data)
            short = fresh(args.rate, args.share)
            fit_together([short], data, layers=[(end,)], init_from=[begun])
            rows.append(
                {
                    "layers": name,
                    "rotated": align,
                    "zero_shot_fvu": evaluate(rescaled, unseen).fvu,
                    "short_fvu": evaluate(short, unseen).fvu,
                    "fvu": evaluate(coder, unseen).fvu,
                    "scratch_fvu": evaluate(scratch[end], unseen).fvu,
                    "tokens": reached(coder.history_, target),
                    "scratch_tokens": reached(scratch[end].history_, target),
                    "total": total,
                }
            )
            print(rows[-1], flush=True)
    return rows


def reached(history, fvu):
    """Tokens to reach a value; None where it never was."""
    found = tokens_to_reach(history, fvu)
    return found if np.isfinite(found) else None


def rescale(coder, scale):
    """The SAE as it begins on the other layer: its weights in that layer's unit."""
    factor = coder.scale_ / scale
    weights = {name: getattr(coder, f"{name}_") for name in coder.WEIGHTS}
    found = TopK(coder.latents, coder.k).set_weights(
        {n: w if n in coder.UNSCALED else w * np.float32(factor) for n, w in weights.items()}
    )
    return found


def written(tokens):
    return "never" if tokens is None else f"{tokens:,.0f}"


def percent(share):
    return "-" if np.isnan(share) else f"{share:.0%}"


def report(rows, args):
    lines = [
        "| layers | rotated | FVU before any training | tokens to scratch's last FVU + "
        f"{args.near} | scratch's own | share of scratch's run | with the source's training | "
        f"FVU, unseen, after {args.share:.0%} of scratch's tokens | after all of them | "
        "scratch's |",
        "|---" * 10 + "|",
    ]
    for row in rows:
        share = row["tokens"] / row["total"] if row["tokens"] else float("nan")
        lines.append(
            f"| {row['layers']} | {'yes' if row['rotated'] else 'no'} | {row['zero_shot_fvu']:.4f} "
            f"| {written(row['tokens'])} | {written(row['scratch_tokens'])} | {percent(share)} | "
            f"{percent(1 + share)} | {row['short_fvu']:.4f} | {row['fvu']:.4f} | "
            f"{row['scratch_fvu']:.4f} |"
        )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--activations", required=True)
    parser.add_argument("--layers", default="4,5")
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--judged", type=int, default=50_000)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--latents", type=int, default=8192)
    parser.add_argument("--k", type=int, default=16)
    parser.add_argument("--near", type=float, default=0.01)
    parser.add_argument(
        "--rate", type=float, default=1.0, help="Times the published rate, of which a third."
    )
    parser.add_argument("--share", type=float, default=0.25, help="Of scratch's tokens.")
    parser.add_argument("--out")
    args = parser.parse_args()
    rows = run(args)
    table = report(rows, args)
    print(table)
    if args.out:
        place = Path(args.out)
        place.mkdir(parents=True, exist_ok=True)
        (place / "transfer.md").write_text(table)
        facts = {"arguments": {**vars(args), "activations": None, "out": None}, "table": rows}
        (place / "transfer.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
