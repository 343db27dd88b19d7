"""Inference-time decomposition of activations (Leask et al. 2025, arXiv 2505.17769)."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from finsae.checks import DataError
from finsae.sae.batches import Rows, Tokens, batches, check, sample
from finsae.sae.coder import Coder
from finsae.sae.codes import decode
from finsae.sae.pursuit import Pursuit, matching_pursuit
from finsae.sae.settings import Training
from finsae.sae.start import geometric_median
from finsae.sae.stream import Stream

SAMPLE = 32_768  # tokens behind b_dec


class ITDA(Pursuit):
    """A dictionary of tokens as they are, read by matching pursuit; nothing is trained.

    Tokens come in mixed order. One of which k steps of pursuit leave more than `tolerance` of its
    squared length becomes an atom, at unit length; within a batch each is looked at with the atoms
    of those before it. One pass, about a hundredth of an SAE's training (the paper), and every
    latent is a token that can be shown. The paper's codes are signed; here a token can only
    resemble an atom, as in SAELens' ``matching_pursuit``, which reads the folder with the same
    codes: what is unlike an atom has room for one of its own.

    Parameters
    ----------
    latents : int
        Atoms at most; once fitted, how many there are.
    k : int
        Steps of pursuit, active latents per token at most.
    tolerance : float
        Share of a token's squared length, from ``b_dec``, that may be left (the paper's tau).
    training : Training, optional
        Only its batch is used.
    random_state : int
        Seed of the tokens' order.
    device : str, optional
        As `Coder`.
    """

    NAME = "itda"

    def __init__(
        self,
        latents: int = 8192,
        k: int = 16,
        *,
        tolerance: float = 0.2,
        training: Training | None = None,
        random_state: int = 0,
        device: str | None = None,
    ) -> None:
        super().__init__(
            latents,
            k,
            method="matching",
            training=training,
            random_state=random_state,
            device=device,
        )
        self.tolerance = tolerance

    def check(self) -> None:
        """Refuse a tolerance that is no share, or a k that makes no dictionary."""
        super().check()
        if not 0 < self.tolerance < 1:
            raise DataError(f"tolerance must lie between 0 and 1, not {self.tolerance}")

    def fit(
        self,
        activations: Tokens | Stream,
        *,
        checkpoint: str | Path | None = None,
        init_from: Coder | None = None,
    ) -> Self:
        """Collect atoms in one pass over token activations.

        Parameters
        ----------
        activations : array, memory map or Stream
            Tokens x width.
        checkpoint : path, optional
            Not used: a killed pass begins again.
        init_from : Coder, optional
            Refused: no weights are learnt.

        Raises
        ------
        DataError
            As `Coder.fit`; or if no more than k tokens are worth keeping.
        """
        self.check()
        batch = (self.training or Training()).batch
        check(activations, batch)
        if init_from is not None or len(activations.shape) != 2:
            raise DataError("an itda keeps tokens x width as they are: no layers, no init_from")
        seed, device = self.random_state, self.place()
        some = torch.from_numpy(sample(activations, SAMPLE, seed=seed)).to(device)
        growing = _Growing(geometric_median(some), self)
        stream = batches(activations, batch, seed=seed)
        steps = stream.steps_per_pass
        arrived = [np.arange(step * batch, (step + 1) * batch) for step in range(steps)]
        if not isinstance(activations, Stream):
            every = np.arange(activations.shape[0])
            numbers = activations.rows if isinstance(activations, Rows) else every
            arrived = list(islice(batches(numbers, batch, seed=seed).since(0), steps))
        for numbers, rows in zip(arrived, stream.since(0), strict=False):
            growing.read(torch.from_numpy(np.asarray(rows, np.float32)).to(device), numbers)
        if len(growing.atoms) <= self.k:
            raise DataError(
                f"{len(growing.atoms)} atoms leave at most {self.tolerance:g} of every token: no "
                f"more than k ({self.k}); lower k or tolerance"
            )
        self.latents = len(growing.atoms)
        self.set_weights(
            {"W_dec": growing.W_dec.cpu().numpy(), "b_dec": growing.b_dec.cpu().numpy()}
        )
        self.history_ = pd.DataFrame(growing.history)
        self.provenance_ = {"atoms": growing.atoms}
        return self

    @property
    def atoms_(self) -> npt.NDArray[np.int64]:
        """Row of the activations that each atom is; of a `Stream`, its number as it arrived.

        After `finsae.sae.train`, of the whole layer, held-out texts included.

        Raises
        ------
        DataError
            If the folder it was loaded from does not say.
        """
        if "atoms" not in self.provenance_:
            raise DataError("this itda does not say which tokens its atoms are")
        return np.array(self.provenance_["atoms"], dtype=np.int64)


class _Growing:
    """A dictionary while it is collected."""

    def __init__(self, b_dec: Tensor, settings: ITDA) -> None:
        self.b_dec, self.settings = b_dec, settings
        self.room = b_dec.new_zeros(settings.latents, len(b_dec))
        self.atoms: list[int] = []
        self.history: list[dict[str, float]] = []

    @property
    def W_dec(self) -> Tensor:  # noqa: N802 - the weight's name
        """Atoms so far x width."""
        return self.room[: len(self.atoms)]

    def read(self, x: Tensor, numbers: npt.NDArray[np.int64]) -> None:
        """Take the atoms of a batch, and note how the batch was rebuilt without them."""
        began, centred = time.monotonic(), x - self.b_dec
        rest, l0 = self.rest(centred)
        squares, whole = rest.square().sum(1), centred.square().sum(1)
        known = len(self.atoms)
        for at in (squares > self.settings.tolerance * whole).nonzero().flatten().tolist():
            if len(self.atoms) == self.settings.latents:
                break
            one, left = centred[at : at + 1], squares[at]
            if len(self.atoms) > known:
                left = self.rest(one)[0].square().sum()
            if left > self.settings.tolerance * whole[at]:
                self.room[len(self.atoms)] = one[0] / one.norm()
                self.atoms.append(int(numbers[at]))
        variation = (centred - centred.mean(0)).square().sum().clamp_min(1e-30)
        step = len(self.history) + 1
        seconds = max(time.monotonic() - began, 1e-9)
        row = {"step": step, "tokens": step * len(x), "fvu": float(squares.sum() / variation)}
        rates = {"extra_loss": 0.0, "l0": l0, "dead": 0.0, "tokens_per_second": len(x) / seconds}
        self.history.append(row | rates | {"recall": 1.0})

    def rest(self, centred: Tensor) -> tuple[Tensor, float]:
        """Give what pursuit leaves of tokens, and the mean number of atoms used."""
        if not self.atoms:
            return centred, 0.0
        codes = matching_pursuit(centred, self.W_dec, self.settings.k)
        used = float((codes.values != 0).sum()) / len(centred)
        return centred - decode(codes, self.W_dec), used


def shared_atoms(one: ITDA, other: ITDA) -> float:
    """Jaccard index of the tokens that two dictionaries of the same tokens kept, 0 to 1.

    The paper's likeness of two layers or models: their spaces need not be comparable.

    Parameters
    ----------
    one, other : ITDA
        Fitted on the same tokens in the same order.
    """
    a, b = set(one.atoms_.tolist()), set(other.atoms_.tolist())
    return len(a & b) / len(a | b)
