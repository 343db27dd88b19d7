"""Training one or several SAEs to the end: one reading of the activations, log, checkpoints."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from finsae.checks import DataError
from finsae.sae import checkpoint as checkpoints
from finsae.sae import watch
from finsae.sae.batches import Tokens, batches, check
from finsae.sae.coder import Coder
from finsae.sae.reader import moved
from finsae.sae.replay import full_float32
from finsae.sae.settings import Training
from finsae.sae.stream import Stream
from finsae.sae.trainer import HISTORY, Trainer
from finsae.store import atomic_path, progress

LOGS = 100  # rows of the history
CHECKPOINT_SECONDS = 180.0
LIVE = "history.jsonl"  # beside the checkpoint


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
    step = _restore(checkpoint, trainers) if checkpoint and checkpoint.exists() else 0
    saved = logged = time.monotonic()
    every, since = max(1, steps // LOGS), 0
    wanted = (rows for _, rows in zip(range(step, steps), stream.since(step), strict=False))
    with (
        full_float32(first.device),
        closing(moved(wanted, first.device)) as inputs,
        progress("training the SAE", steps, shown=together.lead) as (bar, task),
    ):
        bar.advance(task, step)
        for rows in inputs:
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
