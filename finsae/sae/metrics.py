"""How good an SAE is: variance unexplained, sparsity, dead latents, how often each latent fires."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from finsae.checks import DataError
from finsae.sae.batches import Tokens
from finsae.sae.coder import Coder

ROWS = 16_384


class Evaluation(NamedTuple):
    """Measures of an SAE on tokens that it should not have been trained on.

    Attributes
    ----------
    fvu : float
        Fraction of variance unexplained, ``sum |x_hat - x|^2 / sum |x - mean x|^2``: sums over all
        tokens, the mean over these same tokens (not a mean of per-token ratios).
    l0 : float
        Active latents per token.
    dead : float
        Share of the latents that fired on none of the tokens.
    cosine : float
        Mean cosine of token and reconstruction, both less ``b_dec``.
    tokens : int
        Tokens judged.
    density : ndarray
        Share of the tokens on which each latent fires.
    """

    fvu: float
    l0: float
    dead: float
    cosine: float
    tokens: int
    density: npt.NDArray[np.float64]

    def summary(self) -> dict[str, float]:
        """Return the single numbers."""
        return {name: v for name, v in self._asdict().items() if name != "density"}


def evaluate(coder: Coder, tokens: Tokens) -> Evaluation:
    """Judge `coder` on tokens x width, read in pieces.

    Raises
    ------
    DataError
        If there are no tokens, or they are all the same.
    """
    count, width = tokens.shape
    if count == 0:
        raise DataError("there are no tokens to judge the SAE on")
    error = squares = cosine = 0.0
    total = np.zeros(width)
    fired = np.zeros(coder.latents)
    origin = coder.b_dec_  # sums about a centre: no cancellation in the variance
    for start in range(0, count, ROWS):
        raw = np.asarray(tokens[start : start + ROWS], dtype=np.float32)
        codes = coder.encode(raw)
        x = (raw - origin).astype(np.float64)
        x_hat = (coder.decode(codes) - origin).astype(np.float64)
        error += float(np.square(x_hat - x).sum())
        squares += float(np.square(x).sum())
        total += x.sum(axis=0)
        norms = np.linalg.norm(x, axis=1) * np.linalg.norm(x_hat, axis=1)
        cosine += float(((x * x_hat).sum(axis=1) / np.maximum(norms, 1e-12)).sum())
        fired += np.bincount(codes.indices, minlength=coder.latents)
    variation = squares - float(np.square(total).sum()) / count
    if variation <= 1e-12 * squares:
        raise DataError("all tokens are the same: the share of variance is not defined")
    return Evaluation(
        fvu=error / variation,
        l0=float(fired.sum()) / count,
        dead=float((fired == 0).mean()),
        cosine=cosine / count,
        tokens=count,
        density=fired / count,
    )


def density_histogram(
    density: npt.NDArray[Any], bins: int = 40
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Count the latents by the base-10 logarithm of how often they fire.

    Parameters
    ----------
    density : ndarray
        Share of tokens on which each latent fires.
    bins : int
        Bars between the rarest and 1.

    Returns
    -------
    counts, edges : ndarray
        Latents per bar, and the ``bins + 1`` edges, in log10. Latents that never fire are left out.
    """
    logs = np.log10(density[density > 0])
    low = float(np.floor(logs.min())) if len(logs) else -1.0
    counts, edges = np.histogram(logs, bins=bins, range=(min(low, -1.0), 0.0))
    return counts, edges
