"""What workers of a data-parallel training send per step, sparse against dense, and how far apart
their SAE is from that of one process.

    python tests/benchmarks/data_parallel.py --out reports/benchmarks

Gloo and processes of one computer: bytes are those that the loopback device counts beyond the
first step, so that everything else is in them; run it where nothing else uses the loopback.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from finsae.sae import TopK, Training, data_parallel, workers
from finsae.sae.trainer import Trainer

WIDTH = 384
SIZES = [(8192, 32, 4096), (32768, 32, 1024), (65536, 32, 512)]


def tokens(count, seed=0):
    """Sums of a few of 20,000 directions, used as often as words are (Zipf)."""
    random = np.random.default_rng(seed)
    directions = random.standard_normal((20_000, WIDTH), dtype=np.float32)
    often = 1 / np.arange(1, 20_001)
    drawn = random.choice(20_000, (count, 20), p=often / often.sum())
    x = np.empty((count, WIDTH), np.float32)
    for start in range(0, count, 2048):
        rows = slice(start, start + 2048)
        x[rows] = directions[drawn[rows]].sum(1)
    return x


def loopback():
    """Bytes sent on the loopback device."""
    (line,) = [li for li in Path("/proc/net/dev").read_text().splitlines() if "lo:" in li]
    return int(line.split()[9])


def measured(latents, k, batch, *, steps):
    """One training of `steps` steps: bytes per step, and the SAE."""
    x = tokens(max(steps * batch + 64, 8192))
    torch.manual_seed(0)
    coder = TopK(latents, k, training=Training(batch=batch), device="cpu")
    trainer = Trainer(coder, x)
    together, found = trainer.workers, []
    for step in range(steps):
        rows = torch.from_numpy(x[step * batch : (step + 1) * batch][together.share(batch)])
        if together.count > 1:
            dist.barrier()
        before = loopback(), together.sent
        trainer.advance(rows, step=step, steps=1000)
        if together.count > 1:
            dist.barrier()
        after = loopback(), together.sent
        found.append([b - a for a, b in zip(before, after, strict=True)])
    sent, counted = np.median(found[1:], axis=0)
    return {
        "bytes": sent / max(1, together.count),
        "gradients": counted,
        "W_dec": trainer.weights["W_dec"].detach().numpy(),
    }


def work(folder, steps):
    torch.set_num_threads(1)
    with data_parallel() as together:
        for number, size in enumerate(SIZES):
            for way in ("sparse", "dense"):
                if way == "dense":  # every row counts as touched
                    kept = workers.Workers.average_gradients
                    workers.Workers.average_gradients = dense
                found = measured(*size, steps=steps)
                if way == "dense":
                    workers.Workers.average_gradients = kept
                weights = found.pop("W_dec")
                if together.lead:
                    np.save(folder / f"{number}-{way}.npy", weights)
                    (folder / f"{number}-{way}.json").write_text(json.dumps(found))


def dense(self, gradients):
    for name in sorted(gradients):
        gradients[name].div_(self.count)
        dist.all_reduce(gradients[name])
        self.sent += 2 * (self.count - 1) * gradients[name].nbytes // self.count


def launch(folder, count, steps):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    common = {**os.environ, "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, "--worker", str(folder), "--steps", str(steps)],
            env={**common, "WORLD_SIZE": str(count), "RANK": str(r), "LOCAL_RANK": str(r)},
        )
        for r in range(count)
    ]
    if any(process.wait() for process in processes):
        raise SystemExit("a worker failed")


def written(rows, count):
    lines = [
        "# What data-parallel workers send",
        "",
        f"{count} workers on one computer (gloo, one thread each), width {WIDTH}, synthetic tokens "
        f"whose directions are as frequent as words; torch {torch.__version__}; medians of the "
        "steps after the first, per step and worker. MB on the wire are those that the loopback "
        "device counted, with all that goes beside gradients. A dense sum sends every row of both "
        "matrices; the engine sends rows that the worker's own tokens touch, where that is less. "
        "Seconds say nothing here: memory is the wire, and the workers share two cores.",
        "",
        "| latents | k | tokens per batch | dense, MB on the wire | sparse, MB on the wire | less "
        "| largest difference of a decoder weight from one process |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['latents']:,} | {row['k']} | {row['batch']:,} | {row['dense'] / 1e6:,.1f} | "
            f"{row['sparse'] / 1e6:,.1f} | {1 - row['sparse'] / row['dense']:.0%} | "
            f"{row['apart']:.1e} |"
        )
    return "\n".join([*lines, "", "    python tests/benchmarks/data_parallel.py"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="reports/benchmarks")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--worker", help="be one of the workers, and write to this folder")
    args = parser.parse_args()
    if args.worker:
        work(Path(args.worker), args.steps)
        return
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        launch(folder, args.workers, args.steps)
        for number, size in enumerate(SIZES):
            alone = measured(*size, steps=args.steps)["W_dec"]
            row = dict(zip(("latents", "k", "batch"), size, strict=True))
            for way in ("sparse", "dense"):
                found = json.loads((folder / f"{number}-{way}.json").read_text())
                row[way] = found["bytes"]
            row["apart"] = float(np.abs(np.load(folder / f"{number}-sparse.npy") - alone).max())
            rows.append(row)
    text = written(rows, args.workers)
    print(text)
    Path(args.out).mkdir(parents=True, exist_ok=True)
    (Path(args.out) / "data_parallel.md").write_text(text)


if __name__ == "__main__":
    main()
