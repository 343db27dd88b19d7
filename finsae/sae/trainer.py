"""The training of one or several SAEs on one stream of activations."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from finsae.checks import DataError
from finsae.sae import checkpoint as checkpoints
from finsae.sae import losses, watch, workers
from finsae.sae.batches import Batches, Tokens, batches, check, sample
from finsae.sae.coder import Coder
from finsae.sae.losses import Moment
from finsae.sae.screening import Screen
from finsae.sae.settings import Training
from finsae.sae.start import geometric_median, initial_weights, scales
from finsae.sae.stream import Passes, Stream
from finsae.sae.transfer import transferred
from finsae.store import atomic_path, progress

SAMPLE = 32_768  # tokens behind the starting b_dec and the scale
LOGS = 100  # rows of the history
CHECKPOINT_SECONDS = 180.0
# Steps between looks at which latents are dead: on a GPU each look waits for the device.
LOOK_FOR_DEAD = 16
TRANSFER_RATE = 1 / 3  # of the learning rate, for an SAE that begins with another's weights
LIVE = "history.jsonl"  # beside the checkpoint
HISTORY = ("step", "tokens", "fvu", "extra_loss", "l0", "dead", "tokens_per_second", "recall")


class Trainer:
    """One SAE in training: its weights, optimiser and counters.

    Activations are multiplied by a scale per layer, so that learning rates mean the same for every
    model. With one layer, a token then lies sqrt(width) from the centre in the mean. With several
    (Group-SAE, Ghilardi et al. 2024, arXiv 2410.21508) every layer has the mean norm sqrt(width),
    and each token is read at one of them, drawn anew at every step.

    Parameters
    ----------
    coder : Coder
        Says architecture, size, settings and seed.
    activations : Tokens
        Tokens x width, or tokens x layers x width.
    layers : sequence of int, optional
        Positions on the second axis of the layers to train on; by default the only one.
    init_from : Coder, optional
        A fitted SAE of the same architecture and size to begin with, see `finsae.sae.transfer`;
        the learning rate is then a third.
    """

    def __init__(
        self,
        coder: Coder,
        activations: Tokens | Stream,
        *,
        layers: Sequence[int] | None = None,
        init_from: Coder | None = None,
    ) -> None:
        self.coder, self.layers = coder, tuple(layers or (0,))
        self.training = coder.training or Training()
        self.device = coder.place()
        seed = coder.random_state
        some = torch.from_numpy(sample(activations, SAMPLE, seed=seed)).to(self.device)
        if some.ndim == 2:
            some = some[:, None]
        self.scales, centre = scales(some[:, self.layers])
        self.chosen = torch.tensor(self.layers, device=self.device)
        self.workers = workers.current()
        some = self.view(some, step=-1)
        centre = geometric_median(some) if centre is None else centre * self.scales[0]
        self.weights = initial_weights(coder.latents, coder.k, some=some, centre=centre, seed=seed)
        coder.start(self.weights, some)
        self.memory: dict[str, Tensor] = {}
        self.lr = self.training.full_rate(coder.latents)
        if init_from is not None:
            self.weights, self.memory = transferred(init_from, self.weights, coder)
            self.lr *= TRANSFER_RATE
        self.workers.begin_alike(self.weights)
        self.optimiser = torch.optim.Adam(
            [w.requires_grad_() for w in self.weights.values()],
            lr=self.lr,
            eps=6.25e-10,
            fused=True,
        )
        self.idle = torch.zeros(coder.latents, dtype=torch.int64, device=self.device)
        self.dead = self.idle.nonzero().flatten()
        self.screen = Screen()
        self.history: list[tuple[float, ...]] = []
        self.totals = torch.zeros(3, device=self.device)

    def view(self, rows: Tensor, *, step: int) -> Tensor:
        """Read each token at one of the layers, scaled: tokens x width, float32.

        Parameters
        ----------
        rows : Tensor
            Tokens x width, or tokens x layers x width.
        step : int
            Decides the draw of layers, together with the seed; -1 before the first, when every
            worker has all rows and not a share of them.
        """
        if rows.ndim == 2:
            return rows.to(torch.float32) * self.scales[0]
        if len(self.layers) == 1:
            return rows[:, self.layers[0]].to(torch.float32) * self.scales[0]
        random = np.random.default_rng([self.coder.random_state, 3, step + 1])
        together = self.workers if step >= 0 else workers.Workers()
        size = len(rows) * together.count
        drawn = torch.from_numpy(random.integers(len(self.layers), size=size)[together.share(size)])
        drawn = drawn.to(self.device)
        picked = rows[torch.arange(len(rows), device=self.device), self.chosen[drawn]]
        return picked.to(torch.float32) * self.scales[drawn, None]

    @torch.no_grad()
    def advance(self, rows: Tensor, *, step: int, steps: int) -> None:
        """Take one optimiser step with this worker's share of a batch."""
        limit = self.training.idle_limit(steps)
        if step % LOOK_FOR_DEAD == 0:
            self.dead = (self.idle > limit).nonzero().flatten()
        x = self.view(rows, step=step)
        moment = Moment(step, steps, self.training, self.dead, self.memory)
        with self.screen.used():
            found = self.coder.step(self.weights, x, moment)
        self.workers.average_gradients(found.gradients)
        if self.coder.UNIT_ROWS:
            losses.project_gradient(self.weights, found.gradients)
        for name, weight in self.weights.items():
            weight.grad = found.gradients[name]
        self.optimiser.param_groups[0]["lr"] = self.lr * self.training.rate(step, steps)
        self.optimiser.step()
        if self.coder.UNIT_ROWS:
            losses.normalise_rows(self.weights["W_dec"])
        fires = found.codes.values != 0
        fired = torch.zeros_like(self.idle)
        fired.scatter_reduce_(0, found.codes.latents, fires.to(fired.dtype), "amax")
        self.idle.add_(len(x) * self.workers.count).mul_(1 - self.workers.largest(fired))
        self.totals += torch.stack([found.fvu, found.extra, fires.sum() / len(x)])

    def log(self, step: int, *, steps: int, since: int, seconds: float) -> None:
        """Add a row to the history: means over the last `since` steps.

        Raises
        ------
        DataError
            If the training diverged.
        """
        together, news = self.workers, self.totals.new_tensor(self.screen.news())
        means = together.average(torch.cat([self.totals / since, news]))
        fvu, extra, l0 = means[:3].tolist()
        self.screen.agree((means[3:] * together.count).tolist())
        self.totals.zero_()
        if not np.isfinite(fvu):
            raise DataError(
                f"training diverged by step {step:,}: lower Training(lr=...) from {self.lr:.2e}"
            )
        dead = float((self.idle > self.training.idle_limit(steps)).float().mean())
        batch = self.training.batch
        rate, recall = since * batch / seconds, self.screen.recall
        self.history.append((step, step * batch, fvu, extra, l0, dead, rate, recall))

    def note(self) -> str:
        """Say in a few words how the training goes."""
        row = dict(zip(HISTORY, self.history[-1], strict=True))
        return (
            f"FVU {row['fvu']:.3f}, L0 {row['l0']:.1f}, dead {row['dead']:.1%}, "
            f"{row['tokens_per_second']:,.0f} tokens/s"
        )

    def finish(self, *, fold: bool | None = None) -> Coder:
        """Hand weights and history to the coder.

        Parameters
        ----------
        fold : bool, optional
            Whether the coder is to read raw activations, or else ``scale * x`` (see `scales`), as
            one of several layers must. By default it folds where there is one layer.
        """
        folds = len(self.layers) == 1 if fold is None else fold
        self.coder.take(self.weights, self.memory, scale=float(self.scales[0]) if folds else 1.0)
        self.coder.history_ = pd.DataFrame(self.history, columns=list(HISTORY)).astype(
            {"step": int}
        )
        return self.coder

    def identity(self) -> str:
        """Say which run this is: a checkpoint of another one is refused."""
        facts = {
            **asdict(self.training),
            "coder": {n: v for n, v in vars(self.coder).items() if not n.endswith("_")},
            "name": self.coder.NAME,
            "layers": self.layers,
            "lr": self.lr,
            "scales": self.scales.tolist(),
            "history": HISTORY,
        }
        return repr(sorted(facts.items()))

    def state(self) -> dict[str, Any]:
        """Everything that the rest of the training depends on."""
        return {
            "identity": self.identity(),
            "weights": {name: weight.detach() for name, weight in self.weights.items()},
            "optimiser": self.optimiser.state_dict(),
            "idle": self.idle,
            "dead": self.dead,
            "memory": self.memory,
            "screen": self.screen.state(),
            "history": self.history,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(state["weights"][name])
        self.optimiser.load_state_dict(state["optimiser"])
        self.idle, self.dead = state["idle"], state["dead"]
        self.memory = state["memory"]
        self.screen.restore(state["screen"])
        self.history = [tuple(row) for row in state["history"]]


def fit_together(
    coders: Sequence[Coder],
    activations: Tokens | Stream,
    *,
    layers: Sequence[Sequence[int] | None] | None = None,
    checkpoint: Path | None = None,
    init_from: Sequence[Coder | None] | None = None,
    fold: bool | None = None,
) -> list[tuple[float, ...]]:
    """Train several SAEs to the end in one reading of the activations.

    Parameters
    ----------
    coders : sequence of Coder
        Fitted in place; of the same batch and passes. The first one's seed decides the order of
        the tokens.
    activations : Tokens
        Tokens x width, or tokens x layers x width.
    layers : sequence, optional
        Per coder, the positions on the second axis of the layers that it learns from.
    checkpoint : path, optional
        Written every few minutes; a killed run goes on from it and ends with the same bits.
    init_from : sequence, optional
        Per coder, a fitted SAE to begin with, or None.
    fold : bool, optional
        See `Trainer.finish`.

    Returns
    -------
    list of tuple of float
        Per coder, the scales of its layers.

    Raises
    ------
    DataError
        If settings make no SAE or differ in batch or passes, if the activations cannot be learnt
        from, or if a training diverges.
    """
    for coder in coders:
        coder.check()
    settings = {
        ((c.training or Training()).batch, (c.training or Training()).epochs) for c in coders
    }
    if len(settings) > 1:
        raise DataError(f"SAEs trained together need one batch and epochs, not {sorted(settings)}")
    check(activations, settings.pop()[0])
    none = [None] * len(coders)
    plan = zip(coders, layers or none, init_from or none, strict=True)
    trainers = [Trainer(c, activations, layers=r, init_from=i) for c, r, i in plan]
    run(trainers, activations, checkpoint=checkpoint)
    for trainer in trainers:
        trainer.finish(fold=fold)
    return [tuple(float(scale) for scale in trainer.scales) for trainer in trainers]


def run(
    trainers: Sequence[Trainer], activations: Tokens | Stream, *, checkpoint: Path | None = None
) -> None:
    """Take all steps of all trainers; see `fit_together`."""
    first = trainers[0]
    training = first.training
    together = first.workers
    stream = batches(
        activations,
        training.batch,
        seed=first.coder.random_state,
        part=together.share(training.batch),
    )
    steps = max(1, round(training.epochs * stream.steps_per_pass))
    step = 0
    if checkpoint is not None and checkpoint.exists():
        step = _restore(checkpoint, trainers)
    saved = logged = time.monotonic()
    every, since = max(1, steps // LOGS), 0
    with progress("training the SAE", steps, shown=together.lead) as (bar, task):
        bar.advance(task, step)
        for rows in _inputs(stream, step, steps, first.device):
            for trainer in trainers:
                trainer.advance(rows, step=step, steps=steps)
            step, since = step + 1, since + 1
            bar.advance(task)
            if step % every == 0:
                now = time.monotonic()
                for trainer in trainers:
                    trainer.log(step, steps=steps, since=since, seconds=now - logged)
                bar.update(task, note=first.note())
                logged, since = now, 0
                if together.lead:
                    _note(trainers, checkpoint)
                if checkpoint is not None and together.lead and now - saved > CHECKPOINT_SECONDS:
                    _save(checkpoint, trainers, step)
                    saved = now


def _inputs(
    stream: Batches | Passes, step: int, steps: int, device: torch.device
) -> Iterator[Tensor]:
    for _, rows in zip(range(step, steps), stream.since(step), strict=False):
        yield torch.from_numpy(rows).to(device, non_blocking=True)


def _note(trainers: Sequence[Trainer], checkpoint: Path | None) -> None:
    """Write for whoever looks on: beside the checkpoint, one JSON object per line; TensorBoard."""
    histories = [[dict(zip(HISTORY, row, strict=True)) for row in t.history] for t in trainers]
    if checkpoint is not None:
        with (
            atomic_path(checkpoint.with_name(LIVE)) as temporary,
            temporary.open("w") as handle,
        ):
            for number, history in enumerate(histories):
                handle.writelines(json.dumps({"sae": number, **row}) + "\n" for row in history)
    onlooker = watch.current()
    if onlooker is not None:
        for number, history in enumerate(histories):
            onlooker.note(f"sae-{number}", history[-1])


def _save(checkpoint: Path, trainers: Sequence[Trainer], step: int) -> None:
    checkpoints.save(checkpoint, {"step": step, "states": [t.state() for t in trainers]})


def _restore(checkpoint: Path, trainers: Sequence[Trainer]) -> int:
    kept = checkpoints.load(checkpoint, trainers[0].device)
    states = kept["states"]
    if [s["identity"] for s in states] != [t.identity() for t in trainers]:
        raise DataError(
            f"{checkpoint} belongs to a run with other settings or activations: "
            "delete it or train into another folder"
        )
    for trainer, state in zip(trainers, states, strict=True):
        trainer.restore(state)
    return int(kept["step"])
