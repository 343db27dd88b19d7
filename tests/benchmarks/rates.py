"""What the learning rate is worth, by the length of the run.

    python tests/benchmarks/rates.py --activations FOLDER --out reports/benchmarks

FOLDER holds activations as `finsae.activations.collect` writes them. A rate stays as given whatever
the number of steps; "published" is 2e-4 / sqrt(latents / 2**14).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from finsae.activations import Activations
from finsae.sae import TopK, Training, evaluate
from finsae.sae.batches import Rows
from finsae.sae.job import split
from finsae.sae.settings import LONG_RUN


def run(args):
    source = Activations.open(args.activations)
    learn, judge = split(np.asarray(source.offsets), seed=0)
    place = source.layers.index(args.layer)
    unseen = Rows(source.layer(args.layer), judge[: args.judged])
    lines = [
        "| steps | rate | FVU, unseen | FVU after a quarter of the steps | dead, % | default |",
        "|---" * 6 + "|",
    ]
    for length in args.runs.split(","):
        tokens, epochs = (float(part) for part in length.split("x"))
        data = np.asarray(source.tokens[learn[: int(tokens)], place])
        for lr in [None, *map(float, args.rates.split(","))]:
            rate = lr or Training().full_rate(args.latents, LONG_RUN)
            coder = TopK(args.latents, args.k, training=Training(epochs=epochs, lr=rate))
            begun = time.process_time()
            found = evaluate(coder.fit(data), unseen)
            steps = round(epochs * (len(data) // coder.training.batch))
            history = coder.history_
            quarter = history.loc[history["step"] >= steps / 4, "fvu"].iloc[0]
            usual = Training().full_rate(args.latents, steps)
            lines.append(
                f"| {steps:,} | {rate:.2g}{'' if lr else ' (published)'} | {found.fvu:.4f} | "
                f"{quarter:.3f} | {100 * found.dead:.0f} | {usual:.2g} |"
            )
            print(lines[-1], f"{time.process_time() - begun:.0f} CPU-s", flush=True)
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--activations", required=True)
    parser.add_argument("--layer", type=int, default=5)
    parser.add_argument("--latents", type=int, default=8192)
    parser.add_argument("--k", type=int, default=16)
    parser.add_argument("--judged", type=int, default=10_000)
    parser.add_argument("--runs", default="500e3x1,757e3x4", help="TOKENSxPASSES, and so on.")
    parser.add_argument("--rates", default="1e-3,3e-3,1e-2", help="Beside the published one.")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    table = run(args)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "rates.md").write_text(table)


if __name__ == "__main__":
    main()
