"""Race of TopK training on a GPU: finsae against SAELens and sparsify, and against the hardware.

Synthetic activations, made on the device; same data, initial weights, batch, k, Adam and learning
rate, no dead-latent loss; rounds are interleaved, each engine in a process of its own. Then every
engine trains for the same number of tokens, and is judged by one formula on unseen ones. The table
of parts gives, for each part of a step of finsae, the time that its arithmetic and its memory
traffic cannot do without at the rates measured here, the time it takes, and the gap.

    python tests/benchmarks/sae_gpu.py --site FOLDER --out reports/benchmarks

finsae is taken from this checkout and needs torch, numpy, pandas and scipy; Triton where there is
one. FOLDER holds peers (``pip install --target FOLDER --no-deps sae-lens eai-sparsify ...``); those
that cannot be imported are left out, and the table says why. ``--device cpu --small`` runs all of
it in a minute, as a test of this program.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from sae_peers import LR, saelens, sparsify

ENGINES = {
    "finsae": "finsae",
    "finsae, not recorded": "finsae-eager",
    "finsae without Triton": "finsae-torch",
    "finsae, float32 throughout": "finsae-exact",
    "SAELens, bf16 autocast": "saelens-bf16",
    "SAELens": "saelens",
    "sparsify (Adam), bf16 autocast": "sparsify-adam",
    "sparsify (signum), bf16 autocast": "sparsify",
}


# -- data and weights, the same in every process


def made(args, torch):
    """Training tokens, unseen ones and unit decoder rows, on the device."""
    random = torch.Generator(args.device).manual_seed(0)
    on = {"device": args.device, "generator": random}
    features = 4 * args.width
    directions = torch.nn.functional.normalize(torch.randn(features, args.width, **on), dim=1)

    def tokens(count):
        out = torch.empty(count, args.width, dtype=torch.float16, device=args.device)
        for part in out.split(args.batch):
            active = torch.rand(len(part), features, **on) < 2 * args.k / features
            x = (active * (0.5 + torch.rand(len(part), features, **on))) @ directions
            x += 0.05 * torch.randn(len(part), args.width, **on)
            part.copy_(x * (args.width / (2 * args.k)) ** 0.5)
        return out

    x, new = tokens(args.pool * args.batch), tokens(2 * args.batch)
    rows = torch.nn.functional.normalize(
        torch.randn(args.latents, args.width, **on), dim=1
    ).contiguous()
    return x, new.float(), {"W": rows, "b_dec": x.float().mean(0)}


# -- the engines: each makes a function step(x) and one that gives its weights


def trainer_of(args, start, x):
    import torch

    from finsae.sae import kernels
    from finsae.sae.architectures.topk import TopK
    from finsae.sae.screening import Screen
    from finsae.sae.settings import Training
    from finsae.sae.trainer import Trainer

    if args.child == "finsae-torch":
        kernels.usable = lambda tensor: False
    settings = Training(epochs=1, batch=args.batch, lr=LR, warmup=0, decay=0, aux_coefficient=0)
    coder = TopK(args.latents, args.k, training=settings, device=args.device)
    trainer = Trainer(coder, x[: 2 * args.batch].float().cpu().numpy())
    trainer.scales = torch.ones(1, device=args.device)
    if args.child == "finsae-exact":
        trainer.screen = Screen("float32")
    elif args.device == "cpu":
        trainer.screen = Screen("bf16")
    if args.child == "finsae-eager":
        trainer.replay = None
    with torch.no_grad():
        for name, value in (
            ("W_enc", start["W"]),
            ("W_dec", start["W"]),
            ("b_dec", start["b_dec"]),
        ):
            trainer.weights[name].copy_(value)
        trainer.weights["b_enc"].zero_()
        trainer.optimiser.refresh()
    return trainer


def finsae(args, start, x):
    trainer = trainer_of(args, start, x)
    steps = iter(range(10**9))

    def step(batch):
        trainer.advance(batch, step=next(steps), steps=10**9)

    return step, lambda: {n: w.detach() for n, w in trainer.weights.items()}


def engine(args, start, x):
    kind = args.child.partition("-")[0]
    if kind == "saelens":
        return saelens(start, x, k=args.k, batch=args.batch, bf16=args.child == "saelens-bf16")
    if kind == "sparsify":
        return sparsify(start, k=args.k, adam=args.child == "sparsify-adam", bf16=True)
    return finsae(args, start, x)


# -- one engine in a process of its own


def fvu(weights, x, *, k):
    """Fraction of variance unexplained by exact TopK codes of these weights."""
    error = 0.0
    for part in x.split(1024):
        u = (part - weights["b_dec"]) @ weights["W_enc"].T + weights["b_enc"]
        top, at = u.topk(k)
        picked = weights["W_dec"][at.flatten()].view(len(part), k, -1)
        rebuilt = (top.relu()[:, None] @ picked)[:, 0] + weights["b_dec"]
        error += float((rebuilt - part).square().sum())
    return error / float((x - x.mean(0)).square().sum())


class Clock:
    """Milliseconds per call of a function, with the device idle before and after."""

    def __init__(self, args, torch):
        self.args, self.torch = args, torch

    def wait(self):
        if self.args.device == "cuda":
            self.torch.cuda.synchronize()

    def __call__(self, run, *, times, warm=2):
        for _ in range(warm):
            run()
        self.wait()
        begun = time.perf_counter()
        for _ in range(times):
            run()
        self.wait()
        return 1000 * (time.perf_counter() - begun) / times


def child(args):
    import torch

    x, new, start = made(args, torch)
    batches = x.split(args.batch)
    clock = Clock(args, torch)
    if args.child == "parts":
        print(json.dumps(parts(args, torch, clock, start, batches)))
        return
    held = memory(torch, args, reset=True)
    step, weights = engine(args, start, x)
    numbers = iter(range(10**9))

    def one():
        step(batches[next(numbers) % len(batches)])

    took = [clock(one, times=args.steps, warm=args.warm) for _ in range(3)]
    found = {
        "ms": statistics.median(took),
        "tokens_per_second": 1000 * args.batch / statistics.median(took),
        "peak_mb": memory(torch, args) - held,
    }
    if args.tokens:
        while next(numbers) * args.batch < args.tokens:
            step(batches[next(numbers) % len(batches)])
        found["fvu"] = fvu(weights(), new, k=args.k)
    print(json.dumps(found))


def memory(torch, args, *, reset=False):
    """Largest memory held so far, MB; after a reset, the present one."""
    if args.device == "cuda":
        if reset:
            torch.cuda.reset_peak_memory_stats()
        return torch.cuda.max_memory_allocated() / 2**20
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def parts(args, torch, clock, start, batches):
    """Time each part of a step alone, with the work that it cannot do without."""
    from finsae.sae import losses, selection, shortlist
    from finsae.sae.codes import ByLatent, fixed, sampled

    args.child = "finsae"
    trainer = trainer_of(args, start, torch.cat(batches[:2]))
    B, n, d, k = args.batch, args.latents, args.width, args.k
    with torch.no_grad(), trainer.screen.used():
        trainer.screen.calls = 1  # without the check
        w = {name: weight.detach() for name, weight in trainer.weights.items()}
        x = batches[0].float() - w["b_dec"]
        short, rounded, bias = x.bfloat16(), w["W_enc"].bfloat16(), w["b_enc"].bfloat16()
        codes = fixed(*selection.top_k(x, w["W_enc"], w["b_enc"], k))
        found = losses.fit(codes, x, w["W_dec"])
        by_latent = ByLatent(codes, n)
        gradients = losses.through(w, x, codes, d_pre=found.d_values, pull=found.pull)
        tile = next(selection.tiles(short, rounded, bias))[1].clone()
        some = shortlist.listed(tile, k, signed=False)
        share = B / len(tile)

        def product():
            for _ in selection.tiles(short, rounded, bias):
                pass

        def rescored():
            shortlist.best(x[: len(some)], w["W_enc"], w["b_enc"], some, k=k, signed=False)

        numbers = iter(range(1, 10**9))  # not 0: that step is checked

        def whole():
            number = next(numbers)
            trainer.advance(batches[number % len(batches)], step=number, steps=10**9)

        row, code, matrix = 4 * d, B * k, 4 * n * d
        work = {  # name: function, calls per step, FLOPs, bytes
            "encoder product, bf16": (product, 1, 2 * B * n * d, n * d * 2 + B * n * 2),
            "filter": (lambda: shortlist.listed(tile, k, signed=False), share, 0, B * n * 2),
            "float32 scores of the listed": (rescored, share, 0, 1.2 * code * row),
            "reconstruction, residual, loss": (
                lambda: losses.compare(codes, x, w["W_dec"]), 1, 0, code * row + 3 * B * row),
            "gradient of the values": (
                lambda: sampled(codes, found.pull, w["W_dec"]), 1, 0, min(code * row, matrix)),
            "index by latent": (lambda: ByLatent(codes, n), 1, 0, 24 * code),
            "gradients of both matrices": (
                lambda: (by_latent.sum(codes.values, found.pull),
                         by_latent.sum(found.d_values, x)), 1, 0, 2 * (matrix + B * row)),
            "Adam, unit rows, bf16 copy": (
                lambda: trainer.optimiser.step(dict(gradients)), 1, 0, 2 * 7 * matrix + n * d * 2),
        }  # fmt: skip
        times = args.steps
        plain = clock(
            lambda: torch.mm(short[: len(tile)], rounded.T, out=tile), times=times, warm=5
        )
        rate = 2 * len(tile) * n * d / plain * 1e3
        bandwidth = copied(args, torch, clock)
        rows = []
        for name, (run, calls, flops, traffic) in work.items():
            floor = 1e3 * max(flops / rate, traffic / bandwidth)
            rows.append([name, floor, calls * clock(run, times=times)])
        step = clock(whole, times=times, warm=args.warm)
    return {
        "rate": rate,
        "product": share * plain,
        "bandwidth": bandwidth,
        "step": step,
        "rows": rows,
    }


def copied(args, torch, clock):
    """Bytes a second that a copy reads and writes."""
    source = torch.empty(2**28 if args.device == "cuda" else 2**22, device=args.device)
    copy = torch.empty_like(source)
    return 2 * source.nbytes / clock(lambda: copy.copy_(source), times=args.steps) * 1e3


# -- all of them


def one_run(args, name, *, judge):
    command = [sys.executable, __file__, "--child", name, "--device", args.device]
    for option in ("width", "latents", "k", "batch", "pool", "steps", "warm"):
        command += [f"--{option}", str(getattr(args, option))]
    command += ["--tokens", str(args.tokens if judge else 0)]
    places = [str(Path(__file__).resolve().parents[2]), *args.site]
    places.append(os.environ.get("PYTHONPATH", ""))
    env = os.environ | {"PYTHONPATH": os.pathsep.join(places), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["it was killed"])[-1][:200]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def race(args):
    found, failed = {}, {}
    for number in range(args.rounds):
        for label, name in ENGINES.items():
            if label in failed or not name.startswith(args.only):
                continue
            run = one_run(args, name, judge=number == 0)
            print(number, label, run, file=sys.stderr, flush=True)
            if "error" in run:
                failed[label] = run["error"]
            else:
                found.setdefault(label, []).append(run)
    return found, failed


def race_table(found, failed, args):
    lines = [
        f"| engine | tokens / second (rounds) | ms per step | FVU at {args.tokens:,} tokens | "
        "peak memory beyond data, MB |",
        "|---|---|---|---|---|",
    ]
    for label, runs in found.items():
        rounds = " / ".join(f"{run['tokens_per_second']:,.0f}" for run in runs)
        lines.append(
            f"| {label} | {rounds} | {statistics.median(run['ms'] for run in runs):.2f} | "
            f"{runs[0]['fvu']:.4f} | {max(run['peak_mb'] for run in runs):,.0f} |"
        )
    lines += [f"| {label} | did not run: {why} | | | |" for label, why in failed.items()]
    return "\n".join(lines) + "\n"


def parts_table(found):
    lines = ["| part | floor, ms | time, ms | gap |", "|---|---|---|---|"]
    for name, floor, took in found["rows"]:
        lines.append(f"| {name} | {floor:.3f} | {took:.3f} | {took / max(floor, 1e-9):.1f}x |")
    floor = sum(row[1] for row in found["rows"])
    took = sum(row[2] for row in found["rows"])
    lines.append(f"| sum | {floor:.3f} | {took:.3f} | {took / floor:.1f}x |")
    lines.append(f"| the whole step | | {found['step']:.3f} | |")
    return "\n".join(lines) + (
        f"\n\nEncoder product alone: {found['rate'] / 1e12:.1f} TFLOP/s; copying: "
        f"{found['bandwidth'] / 1e9:,.0f} GB/s. The step runs at "
        f"{found['product'] / found['step']:.0%} of the product's own rate.\n"
    )


def machine(args):
    import torch

    name = torch.cuda.get_device_name() if args.device == "cuda" else "CPU, no GPU"
    with contextlib.suppress(ImportError):
        import triton

        return f"{name}, torch {torch.__version__}, Triton {triton.__version__}"
    return f"{name}, torch {torch.__version__}, no Triton"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--width", type=int, default=2304)
    parser.add_argument("--latents", type=int, default=65_536)
    parser.add_argument("--k", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8192)
    parser.add_argument("--pool", type=int, default=16, help="Batches held on the device.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warm", type=int, default=6)
    parser.add_argument("--tokens", type=int, default=2**21)
    parser.add_argument("--site", action="append", default=[], help="Folder with packages.")
    parser.add_argument("--only", default="", help="Engines whose name begins so.")
    parser.add_argument("--out")
    parser.add_argument("--child")
    args = parser.parse_args()
    if args.small:
        args.width, args.latents, args.k, args.batch = 32, 1024, 4, 128
        args.pool, args.rounds, args.steps, args.warm, args.tokens = 4, 1, 2, 4, 2048
    return args


def main():
    args = arguments()
    if args.child:
        return child(args)
    found, failed = race(args)
    what = one_run(args, "parts", judge=False)
    text = (
        f"{machine(args)}; d {args.width}, {args.latents} latents, k {args.k}, batch {args.batch}"
        f"\n\n{race_table(found, failed, args)}\n" + (what.get("error") or parts_table(what))
    )
    print(text)
    if args.out:
        place = Path(args.out)
        place.mkdir(parents=True, exist_ok=True)
        facts = {"machine": machine(args), "results": found, "failed": failed, "parts": what}
        (place / "sae_gpu.json").write_text(json.dumps(facts, indent=1) + "\n")
        (place / "sae_gpu.md").write_text(text)
    return None


if __name__ == "__main__":
    main()
