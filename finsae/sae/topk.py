"""The TopK sparse autoencoder (Gao et al. 2024, arXiv 2406.04093)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from finsae.checks import DataError
from finsae.sae import core
from finsae.sae.batches import Tokens
from finsae.sae.trainer import Trainer, Training

ROWS = 16_384  # tokens turned to float32 at once
DEVICES = ("cpu", "cuda")

FloatArray = npt.NDArray[np.float32]


class TopK:
    """Write a token's activation as a sum of k of `latents` learnt directions.

    ``z = ReLU(TopK_k(W_enc (x - b_dec) + b_enc))``, ``x_hat = z W_dec + b_dec``, decoder rows of
    unit length. A code's value is the length, in the units of the activations, that its direction
    adds to the token.

    Parameters
    ----------
    latents : int
        Size of the dictionary.
    k : int
        Codes per token.
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
        activations; the scale used in training is folded in.
    history_ : DataFrame
        FVU, AuxK loss, L0, share of dead latents and tokens per second along the training.
    labels_ : DataFrame
        Per latent its label, and the share of tokens it fired on; empty labels until `train`
        or `load` gives them.
    layer_, model_ : int or None, str or None
        Whose activations it reads, set by `train` and `load`.
    """

    W_enc_: FloatArray
    W_dec_: FloatArray
    b_enc_: FloatArray
    b_dec_: FloatArray
    history_: pd.DataFrame
    labels_: pd.DataFrame
    layer_: int | None
    model_: str | None
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

    def fit(self, activations: Tokens, *, checkpoint: str | Path | None = None) -> Self:
        """Learn from token activations.

        Parameters
        ----------
        activations : array or memory map
            Tokens x width, any float type; float16 maps are read in pieces.
        checkpoint : path, optional
            File to keep the state in every few minutes and to go on from.

        Raises
        ------
        DataError
            If the activations are empty, fewer than a batch, constant, or not finite; if k is not
            between 1 and `latents` - 1; if the device is unknown.
        """
        if not 1 <= self.k < self.latents:
            raise DataError(
                f"k must be at least 1 and below latents; k is {self.k}, latents {self.latents}"
            )
        trainer = Trainer(
            activations,
            self.latents,
            k=self.k,
            training=self.training or Training(),
            seed=self.random_state,
            device=self._device(),
        )
        trainer.run(None if checkpoint is None else Path(checkpoint))
        weights = [w.detach().cpu().numpy() for w in trainer.weights]
        # ReLU and top-k commute with a positive factor, so codes are simply divided by the scale.
        self.set_weights(
            weights[0].T, weights[1], weights[2] / trainer.scale, weights[3] / trainer.scale
        )
        self.history_ = trainer.table()
        return self

    def set_weights(
        self,
        W_enc: npt.NDArray[Any],
        W_dec: npt.NDArray[Any],
        b_enc: npt.NDArray[Any],
        b_dec: npt.NDArray[Any],
    ) -> Self:
        """Take weights (see `W_enc_` and so on) instead of learning them.

        Raises
        ------
        DataError
            If their shapes do not belong to one SAE of this many latents, or they are not finite.
        """
        width = len(b_dec)
        wanted = {
            "W_enc": (W_enc, (width, self.latents)),
            "W_dec": (W_dec, (self.latents, width)),
            "b_enc": (b_enc, (self.latents,)),
            "b_dec": (b_dec, (width,)),
        }
        problems = [
            f"{name} has shape {array.shape}, not {shape}"
            for name, (array, shape) in wanted.items()
            if array.shape != shape
        ]
        problems += [
            f"{name} holds NaN or infinite numbers"
            for name, (array, _) in wanted.items()
            if not np.isfinite(array).all()
        ]
        if problems:
            raise DataError(problems)
        for name, (array, _) in wanted.items():
            setattr(self, f"{name}_", np.ascontiguousarray(array, dtype=np.float32))
        self.history_ = pd.DataFrame()
        self.labels_ = pd.DataFrame({"label": [""] * self.latents, "density": np.nan})
        self.layer_ = self.model_ = None
        self.provenance_ = {}
        return self

    def encode(self, tokens: Tokens) -> tuple[FloatArray, npt.NDArray[np.int32]]:
        """Return each token's active codes.

        Parameters
        ----------
        tokens : array or memory map
            Tokens x width.

        Returns
        -------
        values : ndarray
            Tokens x k, float32, descending, 0 where fewer than k latents are positive.
        indices : ndarray
            Tokens x k, int32, the latents of these values.

        Raises
        ------
        DataError
            If the width is not the one learnt, or a token is not finite.
        """
        self._check_fitted()
        width = len(self.b_dec_)
        if len(tokens.shape) != 2 or tokens.shape[1] != width:
            raise DataError(f"this SAE reads tokens x {width}; given was {tuple(tokens.shape)}")
        device = self._device()
        W_enc, b_enc, b_dec = (
            torch.from_numpy(w).to(device) for w in (self.W_enc_, self.b_enc_, self.b_dec_)
        )
        values = np.empty((tokens.shape[0], self.k), dtype=np.float32)
        indices = np.empty((tokens.shape[0], self.k), dtype=np.int32)
        for start in range(0, tokens.shape[0], ROWS):
            rows = slice(start, start + ROWS)
            part = np.array(tokens[rows], dtype=np.float32)
            found = core.select(torch.from_numpy(part).to(device) - b_dec, W_enc.T, b_enc, self.k)
            values[rows], indices[rows] = (tensor.cpu().numpy() for tensor in found)
            if not np.isfinite(values[rows]).all() or not np.isfinite(part.sum()):
                raise DataError(f"activations are NaN or infinite among tokens {start:,} and after")
        return values, indices

    def decode(self, values: FloatArray, indices: npt.NDArray[np.integer[Any]]) -> FloatArray:
        """Rebuild activations from codes: tokens x width, float32."""
        self._check_fitted()
        device = self._device()
        weighted = torch.from_numpy(np.asarray(values, dtype=np.float32)).to(device)
        chosen = torch.from_numpy(np.asarray(indices, dtype=np.int64)).to(device)
        rebuilt = core.decode(weighted, chosen, torch.from_numpy(self.W_dec_).to(device))
        return rebuilt.cpu().numpy() + self.b_dec_

    def _check_fitted(self) -> None:
        if not hasattr(self, "W_enc_"):
            raise DataError("this TopK has learnt nothing yet: call fit, or sae.load(...)")

    def _device(self) -> torch.device:
        if self.device is None:
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self.device.split(":")[0] not in DEVICES:
            raise DataError(f'device must be "cpu" or "cuda", not "{self.device}"')
        return torch.device(self.device)
