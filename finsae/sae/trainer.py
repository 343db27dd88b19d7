"""The training loop: data order, optimiser, schedule, dead latents, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from finsae.checks import DataError
from finsae.sae import core
from finsae.sae.batches import Batches, Tokens, check, sample
from finsae.store import atomic_path, progress

SAMPLE = 32_768  # tokens behind the starting b_dec and the scale
LOGS = 100  # rows of the history
CHECKPOINT_SECONDS = 180.0
HISTORY = ("step", "tokens", "fvu", "aux_loss", "l0", "dead", "tokens_per_second")


@dataclass(frozen=True)
class Training:
    """How an SAE is trained; the defaults are Gao et al. 2024, scaled to a small corpus.

    Parameters
    ----------
    epochs : float
        Passes over the tokens.
    batch : int
        Tokens per step.
    lr : float, optional
        Adam's learning rate; ``2e-4 / sqrt(latents / 2**14)`` by default.
    warmup, decay : float
        Shares of the steps in which the rate rises from and falls to 0.
    aux_coefficient : float
        Weight of AuxK, the loss that revives dead latents; 0 turns it off.
    k_aux : int, optional
        Dead latents per token in AuxK; half the width by default.
    dead_after : int, optional
        A latent is dead once it has not fired for so many tokens; ``min(10 million, 0.2 of all)``
        by default.
    """

    epochs: float = 6.0
    batch: int = 4096
    lr: float | None = None
    warmup: float = 0.05
    decay: float = 0.2
    aux_coefficient: float = 1 / 32
    k_aux: int | None = None
    dead_after: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name in {"warmup", "decay", "aux_coefficient", "k_aux"} else None
            if value is None:
                continue
            if value < 0 or (least is None and value == 0) or not np.isfinite(value):
                raise DataError(f"Training.{field.name} must be positive, not {value}")
        if self.warmup + self.decay > 1:
            raise DataError("Training.warmup and Training.decay together exceed all steps")

    def full_rate(self, latents: int) -> float:
        """Learning rate between warm-up and decay."""
        return self.lr or 2e-4 / (latents / 2**14) ** 0.5

    def rate(self, step: int, steps: int) -> float:
        """Learning rate at `step` as a share of its full value."""
        rise = (step + 1) / max(1.0, self.warmup * steps)
        fall = (steps - step) / max(1.0, self.decay * steps)
        return min(1.0, rise, fall)


class Trainer:
    """One run of training: its weights, optimiser, counters, and place in the data.

    The tokens are multiplied by `scale`, so that a token lies sqrt(width) from their centre in
    the mean; learning rates then mean the same for every model.

    Parameters
    ----------
    tokens : Tokens
        Tokens x width.
    latents, k : int
        Size of the dictionary, codes per token.
    training : Training
        Settings.
    seed : int
        Of the weights and the data order.
    device : torch.device
        Where to compute.
    """

    def __init__(
        self,
        tokens: Tokens,
        latents: int,
        *,
        k: int,
        training: Training,
        seed: int,
        device: torch.device,
    ) -> None:
        check(tokens, training.batch)
        self.k, self.training, self.device = k, training, device
        self.batches = Batches(tokens, training.batch, seed=seed)
        self.steps = max(1, round(training.epochs * self.batches.steps_per_pass))
        width = tokens.shape[1]
        self.k_aux = width // 2 if training.k_aux is None else training.k_aux
        seen = self.steps * training.batch
        self.dead_after = training.dead_after or min(10_000_000, seen // 5)
        some = torch.from_numpy(sample(tokens, SAMPLE, seed=seed)).to(device)
        centre = geometric_median(some)
        self.scale = float(width**0.5 / (some - centre).norm(dim=1).mean())
        some, centre = some * self.scale, centre * self.scale
        self.weights = initial_weights(latents, k, some=some, centre=centre, seed=seed)
        self.lr = training.full_rate(latents)
        self.optimiser = torch.optim.Adam(
            [w.requires_grad_() for w in self.weights], lr=self.lr, eps=6.25e-10, fused=True
        )
        self.idle = torch.zeros(latents, dtype=torch.int64, device=device)
        self.history: list[tuple[float, ...]] = []
        self.step = 0
        facts = asdict(training) | {"tokens": tokens.shape, "latents": latents, "k": k}
        self.identity = repr(sorted((facts | {"seed": seed, "scale": self.scale}).items()))

    def run(self, checkpoint: Path | None = None) -> None:
        """Train to the end, from the checkpoint where there is one of the same run."""
        if checkpoint is not None and checkpoint.exists():
            self._restore(checkpoint)
        saved = logged = time.monotonic()
        every = max(1, self.steps // LOGS)
        totals = torch.zeros(3, device=self.device)
        with progress("training the SAE", self.steps) as (bar, task):
            bar.advance(task, self.step)
            for x in self._inputs():
                totals += self._advance(x)
                bar.advance(task)
                if self.step % every == 0:
                    self._log(totals / every, every, time.monotonic() - logged)
                    bar.update(task, note=f"FVU {self.history[-1][2]:.3f}")
                    totals.zero_()
                    logged = time.monotonic()
                    if checkpoint is not None and logged - saved > CHECKPOINT_SECONDS:
                        self._save(checkpoint)
                        saved = logged
                if self.step == self.steps:
                    break

    def _inputs(self) -> Iterator[Tensor]:
        if self.step < self.steps:
            for rows in self.batches.since(self.step):
                x = torch.from_numpy(rows).to(self.device, torch.float32, non_blocking=True)
                yield x * self.scale

    def _advance(self, x: Tensor) -> Tensor:
        """Take one optimiser step; return FVU, AuxK and L0."""
        training, weights = self.training, self.weights
        dead = (self.idle > self.dead_after).nonzero().flatten()
        found = core.gradients(
            weights,
            x,
            k=self.k,
            dead=dead,
            k_aux=self.k_aux if training.aux_coefficient else 0,
            aux_coefficient=training.aux_coefficient,
        )
        core.project_gradient(weights, found.gradients.W_dec)
        for weight, gradient in zip(weights, found.gradients, strict=True):
            weight.grad = gradient
        self.optimiser.param_groups[0]["lr"] = self.lr * training.rate(self.step, self.steps)
        self.optimiser.step()
        core.normalise_rows(weights.W_dec)
        fires = found.values > 0
        self.idle += len(x)
        self.idle[found.indices[fires]] = 0
        self.step += 1
        return torch.stack([found.fvu, found.aux_loss, fires.sum() / len(x)])

    def _log(self, means: Tensor, steps: int, seconds: float) -> None:
        fvu, aux_loss, l0 = means.tolist()
        if not np.isfinite(fvu):
            raise DataError(
                f"training diverged at step {self.step:,}: lower Training(lr={self.lr:.2e})"
            )
        dead = float((self.idle > self.dead_after).float().mean())
        batch = self.training.batch
        speed = steps * batch / seconds
        self.history.append((self.step, self.step * batch, fvu, aux_loss, l0, dead, speed))

    def table(self) -> pd.DataFrame:
        """History of the run: means over the steps since the row before."""
        return pd.DataFrame(self.history, columns=list(HISTORY)).astype({"step": int})

    def _save(self, checkpoint: Path) -> None:
        state = {
            "identity": self.identity,
            "step": self.step,
            "weights": [w.detach() for w in self.weights],
            "optimiser": self.optimiser.state_dict(),
            "idle": self.idle,
            "history": self.history,
        }
        with atomic_path(checkpoint) as temporary:
            torch.save(state, temporary)

    def _restore(self, checkpoint: Path) -> None:
        state: dict[str, Any] = torch.load(checkpoint, map_location=self.device)
        if state["identity"] != self.identity:
            raise DataError(
                f"{checkpoint} belongs to a run with other settings or activations: "
                "delete it or train into another folder"
            )
        with torch.no_grad():
            for weight, kept in zip(self.weights, state["weights"], strict=True):
                weight.copy_(kept)
        self.optimiser.load_state_dict(state["optimiser"])
        self.idle = state["idle"].to(self.device)
        self.history = [tuple(row) for row in state["history"]]
        self.step = state["step"]


@torch.no_grad()
def geometric_median(points: Tensor, iterations: int = 50) -> Tensor:
    """Point with the least sum of distances to `points` (Weiszfeld's iteration): width."""
    centre = moved = points.mean(0)
    for _ in range(iterations):
        weight = (points - centre).norm(dim=1, keepdim=True).clamp_min_(1e-6).reciprocal_()
        moved = (points * weight).sum(0) / weight.sum()
        if torch.dist(moved, centre) <= 1e-5 * moved.norm():
            break
        centre = moved
    return moved


@torch.no_grad()
def initial_weights(
    latents: int, k: int, *, some: Tensor, centre: Tensor, seed: int
) -> core.Parameters:
    """Draw unit decoder rows in random directions; the encoder is their transpose.

    The encoder is scaled so that the first reconstruction has the best length (least squares):
    k of many random directions overlap, and their plain sum would overshoot.
    """
    random = torch.Generator().manual_seed(seed)
    W_dec = torch.randn(latents, len(centre), generator=random).to(centre)
    core.normalise_rows(W_dec)
    b_enc = torch.zeros(latents, device=centre.device)
    first = some[:4096] - centre
    rebuilt = core.decode(*core.select(first, W_dec, b_enc, k), W_dec)
    length = (first * rebuilt).sum() / rebuilt.square().sum()
    return core.Parameters(W_dec * length, W_dec, b_enc, centre.clone())
