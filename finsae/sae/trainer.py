"""One SAE in training: its weights, what a step does to them, and what is known of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from finsae.checks import DataError
from finsae.sae import screening, workers
from finsae.sae.batches import Tokens, sample
from finsae.sae.coder import Coder
from finsae.sae.losses import Moment
from finsae.sae.optimiser import Optimiser
from finsae.sae.replay import Replay
from finsae.sae.screening import Screen
from finsae.sae.settings import Training
from finsae.sae.start import geometric_median, initial_weights, scales
from finsae.sae.stream import Stream
from finsae.sae.transfer import transferred

SAMPLE = 32_768  # tokens behind the starting b_dec and the scale
# Steps between looks at which latents are dead: on a GPU each look waits for the device.
LOOK_FOR_DEAD = 16
LEAST_LIST = 64  # of dead latents, on a GPU: twice as long each time it is too short
TRANSFER_RATE = 1 / 3  # of the learning rate, for an SAE that begins with another's weights
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
        self.share_of_rate = 1.0 if init_from is None else TRANSFER_RATE
        self.lr = math.nan  # of the full rate: known when the number of steps is
        if init_from is not None:
            self.weights, self.memory = transferred(init_from, self.weights, coder)
        self.workers.begin_alike(self.weights)
        self._equip()
        self.idle = torch.zeros(coder.latents, dtype=torch.int64, device=self.device)
        self.dead = self.idle.nonzero().flatten()
        self.padding: Tensor | None = None
        self.history: list[tuple[float, ...]] = []
        self.totals = torch.zeros(3, device=self.device)

    def _equip(self) -> None:
        """Make what takes the steps, as suits the device."""
        on_gpu = self.device.type == "cuda"
        self.screen = Screen(screening.fastest_on_gpu() if on_gpu else None)
        rounds = self.screen.precision == "bf16"
        self.optimiser = Optimiser(self.weights, unit_rows=self.coder.UNIT_ROWS, rounds=rounds)
        if self.optimiser.rounded is not None:
            self.screen.keep(self.weights["W_enc"], self.optimiser.rounded)
        recorded = on_gpu and self.coder.static() and self.workers.count == 1
        self.replay = Replay(self._learn) if recorded else None

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
        if self.device.type == "cuda":
            drawn = drawn.pin_memory().to(self.device, non_blocking=True)
        picked = rows[torch.arange(len(rows), device=self.device), self.chosen[drawn]]
        return picked.to(torch.float32) * self.scales[drawn, None]

    @torch.no_grad()
    def advance(self, rows: Tensor, *, step: int, steps: int) -> None:
        """Take one optimiser step with this worker's share of a batch."""
        if step % LOOK_FOR_DEAD == 0:
            self._look(self.training.idle_limit(steps))
        x = self.view(rows, step=step)
        self.lr = self.share_of_rate * self.training.full_rate(self.coder.latents, steps)
        self.optimiser.set_rate(self.lr * self.training.rate(step, steps))
        self.moment = Moment(step, steps, self.training, self.dead, self.memory, self.padding, rows)
        with self.screen.used():
            if self.replay is None:
                self._learn(x)
                return
            checked = step % screening.EVERY == 0
            if checked:
                self.screen.check_next()
            self.replay(x, key=(len(self.dead), self.screen.precision), plainly=checked)

    def _look(self, limit: int) -> None:
        """Note which latents are dead; on a GPU in a list whose length and place seldom change."""
        dead = (self.idle > limit).nonzero().flatten()
        if self.device.type != "cuda":
            self.dead = dead
            return
        size = max(LEAST_LIST, 1 << (len(dead) - 1).bit_length()) if len(dead) else 0
        if len(self.dead) != size or self.padding is None:
            self.dead, self.padding = dead.new_zeros(size), self.totals.new_empty(size)
        self.dead.zero_()[: len(dead)] = dead
        self.padding.zero_()[: len(dead)] = 1

    def _learn(self, x: Tensor) -> None:
        """Take a step at `moment`; on a GPU nothing in it may wait for the device."""
        found = self.coder.step(self.weights, x, self.moment)
        self.workers.average_gradients(found.gradients)
        self.optimiser.step(found.gradients)
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
        self.coder.learning_rate_ = self.lr
        return self.coder

    def identity(self) -> str:
        """Say which run this is: a checkpoint of another one is refused."""
        facts = {
            **asdict(self.training),
            "coder": {n: v for n, v in vars(self.coder).items() if not n.endswith("_")},
            "name": self.coder.NAME,
            "layers": self.layers,
            "share_of_rate": self.share_of_rate,
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
            "padding": self.padding,
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
        self.padding = state.get("padding")
        if self.replay is not None:
            self.replay.forget()
        self.memory = state["memory"]
        self.screen.restore(state["screen"])
        self.history = [tuple(row) for row in state["history"]]
