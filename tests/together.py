"""What each of several workers does in the tests of data-parallel training.

``python together.py FOLDER`` is one worker, started with the variables that torchrun sets.
"""

import contextlib
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from test_sae_gradients import CASES, DEAD, LATENTS, TRAINING, K, start, tokens

import finsae.sae.run as run_module
from finsae.plugins import make
from finsae.sae import Stream, Training, data_parallel
from finsae.sae.checkpoint import load as load_checkpoint
from finsae.sae.losses import Moment
from finsae.sae.workers import current

SHORT = Training(epochs=2, batch=128, lr=2e-3)
REVIVING = replace(SHORT, lr=1e-2, dead_after=512)
STOP_AT = 12


def clouds(count=2048, width=12, layers=None, seed=0):
    random = np.random.default_rng(seed)
    shape = (20, width) if layers is None else (20, layers, width)
    centres = 3 * random.normal(size=shape)
    x = centres[random.integers(20, size=count)]
    return (x + 0.1 * random.normal(size=x.shape)).astype(np.float32)


def gradients(number):
    """Averaged gradients of one batch in float64, by weight."""
    name, settings, _ = CASES[number]
    coder = make("coder", name, latents=LATENTS, k=K, device="cpu", **settings)
    weights, x = start(coder), tokens()
    own = x[current().share(len(x))]
    found = coder.step(weights, own, Moment(999, 1000, TRAINING, DEAD)).gradients
    current().average_gradients(found)
    return found


def trained(kind):
    """A trainer at its end."""
    if kind == "revived":
        coder = make("coder", "topk", latents=96, k=3, training=REVIVING, device="cpu")
        trainer = run_module.Trainer(coder, clouds())
        with torch.no_grad():  # half the latents start too low to win a selection
            trainer.weights["b_enc"][:48] = -1.5
        return ran(trainer, clouds())
    if kind == "group":
        coder = make("coder", "topk", latents=32, k=3, training=SHORT, device="cpu")
        x = clouds(layers=3)
        return ran(run_module.Trainer(coder, x, layers=(0, 2)), x)
    if kind == "stream":
        coder = make("coder", "topk", latents=32, k=3, training=SHORT, device="cpu")
        x = Stream(lambda: np.split(clouds(), 16), tokens=2048, buffer=512)
        return ran(run_module.Trainer(coder, x), x)
    if kind == "wide":  # few of the latents are touched in a step
        coder = make("coder", "topk", latents=4096, k=2, training=SHORT, device="cpu")
    else:
        coder = make("coder", kind, latents=32, k=3, training=SHORT, device="cpu")
    return ran(run_module.Trainer(coder, clouds()), clouds())


def ran(trainer, x, *, checkpoint=None):
    run_module.run([trainer], x, checkpoint=checkpoint)
    trainer.finish(fold=True)
    return trainer


KINDS = ("topk", "batch-topk", "l1", "jumprelu", "revived", "group", "stream", "wide")


def facts(trainer):
    """What two trainings are compared by."""
    coder = trainer.coder
    return {
        "W_enc": coder.W_enc_,
        "W_dec": coder.W_dec_,
        "b_dec": coder.b_dec_,
        "idle": trainer.idle.numpy(),
        "dead": trainer.dead.numpy(),
        "history": coder.history_.drop(columns="tokens_per_second").to_numpy(float),
    }


def resumed(checkpoint):
    """The training of "topk" killed at a step and gone on with."""
    run_module.CHECKPOINT_SECONDS = 0.0
    advance = run_module.Trainer.advance

    def killed(self, rows, *, step, steps):
        if step == STOP_AT:
            raise KeyboardInterrupt
        advance(self, rows, step=step, steps=steps)

    coder = make("coder", "topk", latents=32, k=3, training=SHORT, device="cpu")
    run_module.Trainer.advance = killed
    with contextlib.suppress(KeyboardInterrupt):
        ran(run_module.Trainer(coder, clouds()), clouds(), checkpoint=checkpoint)
    run_module.Trainer.advance = advance
    torch.distributed.barrier()  # the first worker has written
    assert load_checkpoint(checkpoint, "cpu")["step"] == STOP_AT
    return ran(run_module.Trainer(coder, clouds()), clouds(), checkpoint=checkpoint)


def launch(folder, count):
    """Run `count` workers to the end."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    common = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(count),
        "OMP_NUM_THREADS": "1",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", __file__, str(folder)],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
        )
        for rank in range(count)
    ]
    try:
        for process in processes:
            _, error = process.communicate(timeout=120)
            assert process.returncode == 0, error.decode()
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def work(folder):
    torch.set_num_threads(1)
    found = {}
    with data_parallel() as workers:
        for number in range(len(CASES)):
            for name, gradient in gradients(number).items():
                found[f"gradient/{number}/{name}"] = gradient.numpy()
        for kind in KINDS:
            before = workers.sent
            ended = trained(kind)
            found[f"{kind}/sent"] = (workers.sent - before) / (ended.history[-1][0])
            found |= {f"{kind}/{name}": value for name, value in facts(ended).items()}
        ended = resumed(folder / "checkpoint.safetensors")
        found |= {f"resumed/{name}": value for name, value in facts(ended).items()}
        np.savez(folder / f"worker{workers.rank}.npz", **found)


if __name__ == "__main__":
    work(Path(sys.argv[1]))
