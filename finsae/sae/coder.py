"""What every sparse autoencoder is: weights, `fit`, `encode`, `decode`; a subclass says how."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy import sparse
from torch import Tensor

from finsae.checks import DataError
from finsae.sae.batches import Tokens
from finsae.sae.codes import Codes
from finsae.sae.losses import Moment, Step, Weights
from finsae.sae.settings import Training
from finsae.sae.stream import Stream

ROWS = 16_384  # tokens turned to float32 at once
DEVICES = ("cpu", "cuda")

FloatArray = npt.NDArray[np.float32]


class Coder:
    """Write a token's activation as a sum of a few of `latents` learnt directions.

    A subclass is one architecture: it says which latents are active (`select`), what one training
    step is (`step`), and which weights it has.

    Parameters
    ----------
    latents : int
        Size of the dictionary.
    k : int
        Active latents per token, exactly or on average as the architecture says.
    training : Training, optional
        Passes, batch, learning rate and so on.
    random_state : int
        Seed of weights and data order; the same seed and number of threads gives the same SAE.
    device : str, optional
        "cpu" or "cuda"; by default a GPU where there is one.

    Attributes
    ----------
    W_enc_, W_dec_, b_enc_, b_dec_ : ndarray
        Weights, float32: width x latents, latents x width, latents, width. They take raw
        activations; the scale used in training is folded in. `WEIGHTS` names all that the
        architecture has.
    history_ : DataFrame
        FVU, extra loss, L0, share of dead latents and tokens per second along the training, and
        the recall of the fast selection so far: the share that it found of the exact one, in
        sampled tokens; 1 where no faster than exact arithmetic is used.
    learning_rate_ : float
        Between warm-up and decay, of the last training.
    labels_ : DataFrame
        Per latent its label, and the share of tokens it fired on; empty labels until `train`
        or `load` gives them.
    layer_, model_ : int or None, str or None
        Whose activations it reads, set by `train` and `load`.
    scale_ : float
        What activations were multiplied by in training; the weights do not need it any more, but
        a transfer to another layer does. 1 where it is not known.
    """

    NAME: ClassVar[str]  # on the menu
    WEIGHTS: ClassVar[tuple[str, ...]] = ("W_enc", "W_dec", "b_enc", "b_dec")
    SIGNED: ClassVar[bool] = False  # whether values can be negative
    UNIT_ROWS: ClassVar[bool] = True  # whether decoder rows are kept at unit length
    UNSCALED: ClassVar[tuple[str, ...]] = ("W_enc", "W_dec", "r_mag")  # without activations' unit

    W_enc_: FloatArray
    W_dec_: FloatArray
    b_enc_: FloatArray
    b_dec_: FloatArray
    history_: pd.DataFrame
    learning_rate_: float
    labels_: pd.DataFrame
    layer_: int | None
    model_: str | None
    scale_: float
    provenance_: dict[str, Any]

    def __init__(
        self,
        latents: int = 8192,
        k: int = 16,
        *,
        training: Training | None = None,
        random_state: int = 0,
        device: str | None = None,
    ) -> None:
        self.latents, self.k, self.training = latents, k, training
        self.random_state, self.device = random_state, device

    # -- what an architecture writes

    def select(self, weights: Weights, centred: Tensor) -> Codes:
        """Codes of tokens x width, less ``b_dec``, with the weights that `set_weights` took."""
        raise NotImplementedError

    def step(self, weights: Weights, x: Tensor, moment: Moment) -> Step:
        """Loss and gradients of one batch, tokens x width."""
        raise NotImplementedError

    def start(self, weights: Weights, some: Tensor) -> None:
        """Add the architecture's own weights to the common ones; `some` are tokens x width."""

    def finish(self, weights: Weights, memory: dict[str, Tensor]) -> Weights:
        """Turn trained weights into those of `WEIGHTS`."""
        return weights

    def reopen(self, weights: Weights) -> tuple[Weights, dict[str, Tensor]]:
        """Turn the weights of `WEIGHTS` back into those of training, and its memory."""
        return weights, {}

    def static(self) -> bool:
        """Whether no shape in `step` depends on the data: a GPU may then record and replay it.

        Such a step works on nothing of its moment that changes but the lists of dead latents.
        """
        return False

    def check(self) -> None:
        """Refuse settings that make no SAE.

        Raises
        ------
        DataError
            If k is not between 1 and `latents` - 1.
        """
        if not 1 <= self.k < self.latents:
            raise DataError(
                f"k must be at least 1 and below latents; k is {self.k}, latents {self.latents}"
            )

    # -- what all have

    def fit(
        self,
        activations: Tokens | Stream,
        *,
        checkpoint: str | Path | None = None,
        init_from: Coder | None = None,
    ) -> Self:
        """Learn from token activations.

        Parameters
        ----------
        activations : array, memory map or Stream
            Tokens x width, any float type; float16 maps are read in pieces. For any other source
            of arrays see `finsae.sae.stream.Stream`.
        checkpoint : path, optional
            File to keep the state in every few minutes and to go on from.
        init_from : Coder, optional
            Begin with this SAE's weights, of a neighbouring layer or of the same layer and other
            text; see `finsae.sae.transfer`.

        Raises
        ------
        DataError
            If the activations are empty, fewer than a batch, constant, or not finite; if the
            settings make no SAE; if the device is unknown.
        """
        from finsae.sae.run import fit_together

        place = None if checkpoint is None else Path(checkpoint)
        fit_together([self], activations, checkpoint=place, init_from=[init_from])
        return self

    def set_weights(self, weights: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Take weights (see `W_enc_` and so on) instead of learning them.

        Parameters
        ----------
        weights : mapping
            One array per name of `WEIGHTS`.

        Raises
        ------
        DataError
            If one is missing, their shapes do not belong to one SAE of this many latents, or they
            are not finite.
        """
        missing = [name for name in self.WEIGHTS if name not in weights]
        if missing:
            raise DataError(f"a {self.NAME} SAE also needs the weights {', '.join(missing)}")
        width = len(weights["b_dec"])
        shapes = {"W_enc": (width, self.latents), "W_dec": (self.latents, width), "b_dec": (width,)}
        problems = []
        for name in self.WEIGHTS:
            array, shape = weights[name], shapes.get(name, (self.latents,))
            if array.shape != shape:
                problems.append(f"{name} has shape {array.shape}, not {shape}")
            elif not np.isfinite(array).all():
                problems.append(f"{name} holds NaN or infinite numbers")
        if problems:
            raise DataError(problems)
        for name in self.WEIGHTS:
            setattr(self, f"{name}_", np.ascontiguousarray(weights[name], dtype=np.float32))
        self.history_ = pd.DataFrame()
        self.labels_ = pd.DataFrame({"label": [""] * self.latents, "density": np.nan})
        self.layer_ = self.model_ = None
        self.scale_ = 1.0
        self.provenance_ = {}
        return self

    def take(self, weights: Weights, memory: dict[str, Tensor], *, scale: float) -> Self:
        """Take trained weights, which read ``scale * x``.

        Every selection here commutes with a positive factor, so codes are simply divided by it.
        """
        final = {
            name: weight if name in self.UNSCALED else weight / scale
            for name, weight in self.finish(weights, memory).items()
        }
        final["W_enc"] = final["W_enc"].T
        self.set_weights({n: w.detach().cpu().numpy() for n, w in final.items()})
        self.scale_ = scale
        return self

    def encode(self, tokens: Tokens) -> sparse.csr_array:
        """Return each token's active latents.

        Parameters
        ----------
        tokens : array or memory map
            Tokens x width.

        Returns
        -------
        csr_array
            Tokens x latents, float32, without stored zeros. A value is the length, in the units of
            the activations, that its direction adds to the token (decoder rows have unit length).

        Raises
        ------
        DataError
            If the width is not the one learnt, or a token is not finite.
        """
        self._check_fitted()
        width = len(self.b_dec_)
        if len(tokens.shape) != 2 or tokens.shape[1] != width:
            raise DataError(f"this SAE reads tokens x {width}; given was {tuple(tokens.shape)}")
        weights = self.weights()
        parts: list[Any] = [sparse.csr_array((0, self.latents), dtype=np.float32)]
        for start in range(0, tokens.shape[0], ROWS):
            part = np.array(tokens[start : start + ROWS], dtype=np.float32)
            x = torch.from_numpy(part).to(weights["b_dec"].device)
            found = _matrix(self.select(weights, x - weights["b_dec"]), self.latents)
            if not np.isfinite(found.data).all() or not np.isfinite(part.sum()):
                raise DataError(f"activations are NaN or infinite among tokens {start:,} and after")
            parts.append(found)
        return sparse.csr_array(sparse.vstack(parts, format="csr"))

    def decode(self, codes: sparse.csr_array) -> FloatArray:
        """Rebuild activations from codes: tokens x width, float32."""
        self._check_fitted()
        rebuilt: FloatArray = codes @ self.W_dec_ + self.b_dec_
        return rebuilt

    def weights(self) -> Weights:
        """Give the fitted weights as tensors, one row per latent, on the device."""
        device = self.place()
        arrays = {name: getattr(self, f"{name}_") for name in self.WEIGHTS}
        tensors = {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
        if "W_enc" in tensors:
            tensors["W_enc"] = tensors["W_enc"].T
        return tensors

    def place(self) -> torch.device:
        """Give the device to compute on.

        Raises
        ------
        DataError
            If it is neither "cpu" nor "cuda".
        """
        if self.device is None:
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self.device.split(":")[0] not in DEVICES:
            raise DataError(f'device must be "cpu" or "cuda", not "{self.device}"')
        return torch.device(self.device)

    def _check_fitted(self) -> None:
        if not hasattr(self, "W_dec_"):
            raise DataError(
                f"this {type(self).__name__} has learnt nothing yet: call fit, or sae.load(...)"
            )


def _matrix(found: Codes, latents: int) -> sparse.csr_array:
    values, columns, starts = (tensor.cpu().numpy() for tensor in found)
    shape = (len(starts) - 1, latents)
    matrix = sparse.csr_array((values, columns.astype(np.int32), starts), shape=shape)
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix
