"""Race of TopK training on a CPU: finsae against SAELens, sparsify and dictionary_learning.

Same activations, initial weights, batch, k, Adam and learning rate, no dead-latent loss, but for
the rows that name settings of their own; rounds are interleaved, each engine in a process of its
own with one thread, timed in CPU seconds. Afterwards every engine trains on for the same number of
tokens and, again from the start, for the same number of CPU seconds, and all are judged by one
formula on tokens that none of them has seen.

    python tests/benchmarks/sae_cpu.py --activations FOLDER --layer 5 --out reports/benchmarks

FOLDER holds activations as `finsae.activations.collect` writes them; without it, synthetic ones are
used. ``--python`` names an interpreter that has the peers; those it lacks are left out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sae_peers import LR, saelens, sparsify

K, LATENTS, BATCH = 32, 8192, 4096
UNSEEN = 8192
ENGINES = {
    "finsae": "finsae",
    "finsae, float32 throughout": "finsae-exact",
    "finsae at its own defaults": "finsae-own",
    "SAELens": "saelens",
    "SAELens, bf16 autocast": "saelens-bf16",
    "sparsify (signum)": "sparsify",
    "sparsify (Adam)": "sparsify-adam",
    "sparsify (signum), bf16 autocast": "sparsify-bf16",
    "dictionary_learning": "dictionary-learning",
}


# -- the engines: each makes a function step(x) and one that gives its weights


def finsae(start, x, *, steps, exact=False, own=False):
    """As the others are trained; or at its `own` rate, schedule and loss of dead latents."""
    import torch

    from finsae.sae import TopK, Training
    from finsae.sae.screening import Screen
    from finsae.sae.trainer import Trainer

    settings = Training(epochs=1, batch=BATCH, lr=LR, warmup=0, decay=0, aux_coefficient=0)
    if own:
        settings = Training(epochs=1, batch=BATCH, lr=Training().full_rate(LATENTS, steps))
    trainer = Trainer(TopK(LATENTS, K, training=settings, device="cpu"), x[: 2 * BATCH].numpy())
    trainer.scales = torch.ones(1)
    if exact:
        trainer.screen = Screen("float32")
    with torch.no_grad():
        trainer.weights["W_enc"].copy_(start["W"])
        trainer.weights["W_dec"].copy_(start["W"])
        trainer.weights["b_dec"].copy_(start["b_dec"])
        trainer.weights["b_enc"].zero_()
    counted = iter(range(10**9))

    def step(batch):
        trainer.advance(batch, step=min(next(counted), steps - 1), steps=steps)

    return step, lambda: {n: w.detach() for n, w in trainer.weights.items()}


def dictionary_learning(start, x):
    import torch
    from dictionary_learning.trainers.top_k import TopKTrainer

    trainer = TopKTrainer(
        steps=10**6, activation_dim=x.shape[1], dict_size=LATENTS, k=K, layer=0, lm_name="",
        lr=LR, warmup_steps=0, decay_start=None, device="cpu", seed=0,
    )  # fmt: skip
    sae = trainer.ae
    with torch.no_grad():
        sae.encoder.weight.copy_(start["W"])
        sae.encoder.bias.zero_()
        sae.decoder.weight.copy_(start["W"].T)
        sae.b_dec.copy_(start["b_dec"])
    steps = iter(range(1, 10**9))  # step 0 would replace b_dec

    def step(batch):
        trainer.update(next(steps), batch)

    return step, lambda: {
        "W_enc": sae.encoder.weight.detach(),
        "b_enc": sae.encoder.bias.detach(),
        "W_dec": sae.decoder.weight.detach().T,
        "b_dec": sae.b_dec.detach(),
    }


def engine(name, start, x, *, steps=10**9):
    peer = {"k": K, "bf16": name.endswith("bf16")}
    makers = {
        "finsae": lambda: finsae(start, x, steps=steps),
        "finsae-exact": lambda: finsae(start, x, steps=steps, exact=True),
        "finsae-own": lambda: finsae(start, x, steps=steps, own=True),
        "saelens": lambda: saelens(start, x, batch=BATCH, **peer),
        "sparsify": lambda: sparsify(start, **peer),
        "sparsify-adam": lambda: sparsify(start, adam=True, **peer),
        "dictionary-learning": lambda: dictionary_learning(start, x),
    }
    return makers[name.removesuffix("-bf16")]()


# -- one engine in a process of its own


def fvu(weights, x):
    """Fraction of variance unexplained by exact TopK codes of these weights."""
    import torch

    error = 0.0
    for part in x.split(2048):
        u = (part - weights["b_dec"]) @ weights["W_enc"].T + weights["b_enc"]
        top, at = u.topk(K)
        z = torch.zeros_like(u).scatter(1, at, top.relu())
        error += float((z @ weights["W_dec"] + weights["b_dec"] - part).square().sum())
    return error / float((x - x.mean(0)).square().sum())


def peak_mb(*, reset=False):
    """Largest resident memory so far; after a reset, the present one."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def child(args):
    import torch

    torch.set_num_threads(args.threads)
    data = np.load(args.data)
    x, new = (torch.from_numpy(data[part]) for part in ("x", "new"))
    start = {name: torch.from_numpy(data[name]) for name in ("W", "b_dec")}
    before = peak_mb(reset=True)
    wanted = args.tokens // BATCH or args.warm + args.steps
    step, weights = engine(args.child, start, x, steps=wanted)
    batches = x.split(BATCH)
    cpu, wall = [], []
    for number in range(args.warm + args.steps):
        one, other = time.process_time(), time.perf_counter()
        step(batches[number % len(batches)])
        cpu.append(time.process_time() - one)
        wall.append(time.perf_counter() - other)
    done = args.warm + args.steps
    found = {
        "tokens_per_cpu_second": BATCH / statistics.median(cpu[args.warm :]),
        "tokens_per_second": BATCH / statistics.median(wall[args.warm :]),
        "peak_mb": peak_mb() - before,
    }
    if args.tokens:
        while done * BATCH < args.tokens:
            step(batches[done % len(batches)])
            done += 1
        found["fvu_at_tokens"] = fvu(weights(), new)
        expected = max(1, round(args.seconds / statistics.median(cpu[args.warm :])))
        step, weights = engine(args.child, start, x, steps=expected)
        done, begun = 0, time.process_time()
        while time.process_time() - begun < args.seconds:
            step(batches[done % len(batches)])
            done += 1
        found["fvu_at_seconds"], found["tokens_at_seconds"] = fvu(weights(), new), done * BATCH
    print(json.dumps(found))


# -- all of them


def activations(args):
    """Training tokens and unseen ones, of mean length sqrt(width) about their mean."""
    if args.activations is None:
        random = np.random.default_rng(0)
        directions = random.normal(size=(2048, 384)).astype(np.float32)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        x = np.empty((args.pool + UNSEEN, 384), np.float32)
        for part in np.array_split(x, len(x) // UNSEEN):
            active = random.random((len(part), 2048)) < 16 / 2048
            part[:] = (active * (0.5 + random.random(active.shape))).astype(np.float32) @ directions
            part += 0.05 * random.normal(size=part.shape).astype(np.float32)
    else:
        from finsae.activations import Activations

        tokens = Activations.open(args.activations).layer(args.layer)
        if len(tokens) < BATCH + UNSEEN:
            raise SystemExit(f"{len(tokens):,} tokens are too few: {BATCH + UNSEEN:,} at least")
        rows = np.sort(np.random.default_rng(0).permutation(len(tokens))[: args.pool + UNSEEN])
        x = np.asarray(tokens[rows], dtype=np.float32)
        x = x[np.random.default_rng(1).permutation(len(x))]
    x *= x.shape[1] ** 0.5 / np.linalg.norm(x - x.mean(0), axis=1).mean()
    return x[:-UNSEEN], x[-UNSEEN:]


def available(python, name):
    if name.endswith("bf16") and "bf16" not in Path("/proc/cpuinfo").read_text():
        return False  # emulated there: no peer's best precision
    module = {
        "saelens": "sae_lens",
        "sparsify": "sparsify",
        "dictionary-learning": "dictionary_learning",
    }
    wanted = next((m for prefix, m in module.items() if name.startswith(prefix)), "finsae")
    return not subprocess.run([python, "-c", f"import {wanted}"], capture_output=True).returncode


def one_run(args, name, data, *, judge):
    command = [
        args.python,
        __file__,
        "--child",
        name,
        "--data",
        data,
        "--threads",
        str(args.threads),
    ]
    command += ["--steps", str(args.steps), "--seconds", str(args.seconds)]
    command += ["--tokens", str(args.tokens if judge else 0)]
    env = os.environ | {"OMP_NUM_THREADS": str(args.threads), "PYTHONWARNINGS": "ignore"}
    env["PYTHONPATH"] = str(
        Path(__file__).resolve().parents[2]
    )  # finsae, where it is not installed
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def race(args):
    x, new = activations(args)
    random = np.random.default_rng(0)
    W = random.normal(size=(LATENTS, x.shape[1])).astype(np.float32)
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    names = {label: name for label, name in ENGINES.items() if available(args.python, name)}
    found = {label: [] for label in names}
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "data.npz")
        np.savez(data, x=x, new=new, W=W, b_dec=x.mean(0))
        for number in range(args.rounds):
            for label, name in names.items():
                found[label].append(one_run(args, name, data, judge=number == 0))
                print(number, label, found[label][-1], file=sys.stderr, flush=True)
    return found


def times(found, label, other):
    """Speed as a multiple of another engine's in the same round; the median over rounds."""
    if other not in found:
        return "-"
    pairs = zip(found[label], found[other], strict=True)
    key = "tokens_per_cpu_second"
    return f"{statistics.median(mine[key] / its[key] for mine, its in pairs):.1f}"


def table(found, args):
    lines = [
        "| engine | tokens / CPU-second (rounds) | times SAELens | times sparsify (Adam) | "
        f"FVU at {args.tokens:,} tokens | FVU after {args.seconds} CPU-seconds (tokens) | "
        "peak memory beyond data, MB |",
        "|---" * 7 + "|",
    ]
    for label, runs in found.items():
        rounds = " / ".join(f"{run['tokens_per_cpu_second']:,.0f}" for run in runs)
        first = runs[0]
        lines.append(
            f"| {label} | {rounds} | {times(found, label, 'SAELens')} | "
            f"{times(found, label, 'sparsify (Adam)')} | {first['fvu_at_tokens']:.4f} | "
            f"{first['fvu_at_seconds']:.4f} ({first['tokens_at_seconds']:,}) | "
            f"{max(run['peak_mb'] for run in runs):,.0f} |"
        )
    return "\n".join(lines) + "\n"


def processor():
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--activations")
    parser.add_argument("--layer", type=int, default=5)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--warm", type=int, default=2)
    parser.add_argument("--pool", type=int, default=786_432, help="Training tokens held in memory.")
    parser.add_argument("--tokens", type=int, default=163_840)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out")
    parser.add_argument("--child")
    parser.add_argument("--data")
    args = parser.parse_args()
    if args.child:
        return child(args)
    found = race(args)
    written = table(found, args)
    print(written)
    if args.out:
        place = Path(args.out)
        place.mkdir(parents=True, exist_ok=True)
        facts = {"cpu": processor(), "threads": args.threads, "results": found}
        (place / "sae_cpu.json").write_text(json.dumps(facts, indent=1) + "\n")
        (place / "sae_cpu.md").write_text(
            f"{processor()}, {args.threads} thread; d 384, {LATENTS} latents, k {K}, batch {BATCH}"
            f"\n\n{written}"
        )
    return None


if __name__ == "__main__":
    main()
