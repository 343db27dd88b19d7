"""How a sparse autoencoder is trained."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from finsae.checks import DataError

LONG_RUN = 10_000  # steps for which the published rate is high enough
HIGHEST_RATE = 3e-3  # to which shorter runs raise it; at 1e-2 two of three latents die


@dataclass(frozen=True)
class Training:
    """How an SAE is trained; the defaults are Gao et al. 2024, scaled to a small corpus.

    Their learning rate belongs to long runs. One of 120 steps ends with a third of the variance
    unexplained at it and with a seventh at ten times as much (`reports/benchmarks/sae.md`).

    Parameters
    ----------
    epochs : float
        Passes over the tokens.
    batch : int
        Tokens per step.
    lr : float, optional
        Adam's learning rate; ``2e-4 / sqrt(latents / 2**14)`` by default, in runs shorter than
        10,000 steps ``sqrt(10,000 / steps)`` times as much, up to 3e-3.
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
        if self.batch < 2:
            raise DataError("Training.batch is 1: a single token has no variance to explain")
        if self.warmup + self.decay > 1:
            raise DataError("Training.warmup and Training.decay together exceed all steps")

    def full_rate(self, latents: int, steps: int) -> float:
        """Learning rate between warm-up and decay of a run of so many steps."""
        published = 2e-4 / (latents / 2**14) ** 0.5
        raised = published * max(1.0, LONG_RUN / steps) ** 0.5
        return self.lr or max(published, min(raised, HIGHEST_RATE))

    def rate(self, step: int, steps: int) -> float:
        """Learning rate at `step` as a share of its full value."""
        rise = (step + 1) / max(1.0, self.warmup * steps)
        fall = (steps - step) / max(1.0, self.decay * steps)
        return min(1.0, rise, fall)

    def dead_codes(self, width: int) -> int:
        """Dead latents per token in AuxK."""
        return width // 2 if self.k_aux is None else self.k_aux

    def idle_limit(self, steps: int) -> int:
        """Tokens without firing after which a latent is dead."""
        return self.dead_after or min(10_000_000, steps * self.batch // 5)
