"""Architectures with a sparsity penalty, whose weight is moved until k latents are active."""

from __future__ import annotations

import torch
from torch import Tensor

from finsae.checks import DataError
from finsae.sae import workers
from finsae.sae.coder import Coder
from finsae.sae.losses import Moment
from finsae.sae.settings import Training

RATE = 0.02  # of the logarithm of the weight, per step and share of the target
START = 0.1  # of the fraction of variance unexplained, at k latents of the token's own length


class Penalised(Coder):
    """A coder that pays for active latents.

    Parameters
    ----------
    latents, training, random_state, device
        As `Coder`.
    k : int
        Active latents per token to aim at.
    penalty : float, optional
        Weight of the penalty; by default it is moved during training until k latents are active.
    """

    def __init__(
        self,
        latents: int = 8192,
        k: int = 16,
        *,
        penalty: float | None = None,
        training: Training | None = None,
        random_state: int = 0,
        device: str | None = None,
    ) -> None:
        super().__init__(latents, k, training=training, random_state=random_state, device=device)
        self.penalty = penalty

    def check(self) -> None:
        """Refuse a penalty that is not positive, or a wrong k."""
        super().check()
        if self.penalty is not None and not self.penalty > 0:
            raise DataError(f"penalty must be positive, not {self.penalty}")

    def weight(self, moment: Moment, device: torch.device) -> Tensor | float:
        """Give the penalty's weight at this step: the user's, or the controller's."""
        if self.penalty is not None:
            return self.penalty
        return moment.memory.setdefault("penalty", torch.tensor(START, device=device))

    def adapt(self, moment: Moment, *, l0: Tensor) -> None:
        """Raise the weight where more than k latents are active, lower it where fewer are.

        An integral controller in the logarithm: ``log w += 0.02 clip(L0 / k - 1, -1, 1)``. It uses
        the batch just seen only, and no waiting for the device.
        """
        if self.penalty is None:
            error = (workers.current().average(l0) / self.k - 1).clamp(-1, 1)
            moment.memory["penalty"] = moment.memory["penalty"] * (RATE * error).exp()
