"""How good an SAE is: variance unexplained, sparsity, dead latents, how often each latent fires."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from finsae.checks import DataError
from finsae.sae.batches import Tokens
from finsae.sae.coder import Coder

ROWS = 16_384
LATENTS_AT_ONCE = 4096
DECADES = 6  # bars of the density histogram below 1

FloatArray = npt.NDArray[np.floating[Any]]


class Evaluation(NamedTuple):
    """Measures of an SAE on tokens that it should not have been trained on.

    Attributes
    ----------
    fvu : float
        Fraction of variance unexplained, ``sum |x_hat - x|^2 / sum |x - mean x|^2``: sums over all
        tokens, the mean over these same tokens (not a mean of per-token ratios). Explained
        variance is ``1 - fvu``.
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


def evaluate(coder: Coder, tokens: Tokens, *, scale: float = 1.0) -> Evaluation:
    """Judge `coder` on tokens x width, read in pieces.

    Parameters
    ----------
    coder : Coder
        A fitted SAE.
    tokens : Tokens
        Tokens x width.
    scale : float
        Factor on the tokens, of an SAE of several layers; no measure depends on it otherwise.

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
        raw = np.asarray(tokens[start : start + ROWS], dtype=np.float32) * np.float32(scale)
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


def layer_table(
    coders: Coder | Sequence[Coder],
    activations: Tokens,
    *,
    layers: Sequence[int],
    scales: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Judge SAEs layer by layer.

    Parameters
    ----------
    coders : Coder or sequence of Coder
        One SAE for all layers, or one per layer.
    activations : Tokens
        Tokens x layers x width.
    layers : sequence of int
        Names of the layers, in the order of the second axis.
    scales : sequence of float, optional
        Factor per layer, of an SAE of several layers.

    Returns
    -------
    DataFrame
        One row per layer: fvu, l0, dead, cosine, tokens; see `Evaluation`. A mean over layers
        hides the worst one: say that too (``table["fvu"].idxmax()``).

    Raises
    ------
    DataError
        If layers, SAEs and scales do not match, or a layer cannot be judged.
    """
    many = [coders] * len(layers) if isinstance(coders, Coder) else list(coders)
    factors = [1.0] * len(layers) if scales is None else list(scales)
    lengths = {activations.shape[1], len(layers), len(many), len(factors)}
    if len(activations.shape) != 3 or len(lengths) > 1:
        raise DataError(
            f"activations of shape {tuple(activations.shape)} must be tokens x layers x width; "
            f"given were {len(layers)} layers, {len(many)} SAEs and {len(factors)} scales"
        )
    found = [
        evaluate(coder, activations[:, place], scale=factor).summary()
        for place, (coder, factor) in enumerate(zip(many, factors, strict=True))
    ]
    return pd.DataFrame(found, index=pd.Index(layers, name="layer")).astype({"tokens": int})


def density_histogram(density: FloatArray) -> pd.Series:
    """Count the latents by how often they fire, one bar per power of ten.

    Parameters
    ----------
    density : ndarray
        Share of tokens on which each latent fires.

    Returns
    -------
    Series
        Latents by bar: "never", "under 1e-5", "1e-5 to 1e-4" and so on up to "0.1 to 1".
    """
    edges = 10.0 ** np.arange(1 - DECADES, 1)
    names = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    bar = np.searchsorted(edges, density, side="right")
    bar = np.where(np.asarray(density) > 0, np.minimum(bar, len(names)) + 1, 0)
    index = ["never", f"under {edges[0]:g}", *names]
    return pd.Series(np.bincount(bar, minlength=len(index)), index=index, name="latents")


def mmcs(a: Coder | FloatArray, b: Coder | FloatArray) -> float:
    """Mean maximum cosine similarity: how well the directions of `a` are found in `b`.

    For every decoder row of `a` the largest cosine with any row of `b`, averaged (Sharkey et al.
    2022, "Taking features out of superposition"). It is 1 where each row of `a` is in `b` too,
    and it is not symmetric: a larger `b` can only raise it. Rows of an SAE with signed codes are
    axes: there the absolute cosine counts.

    Parameters
    ----------
    a, b : Coder or ndarray
        Fitted SAEs, or directions as rows, x width: planted ones, for example.

    Raises
    ------
    DataError
        If their widths differ.
    """
    left, right = _directions(a), _directions(b)
    if left.shape[1] != right.shape[1]:
        raise DataError(f"directions of width {left.shape[1]} and {right.shape[1]} do not compare")
    signed = any(isinstance(one, Coder) and one.SIGNED for one in (a, b))
    total = 0.0
    for start in range(0, len(left), LATENTS_AT_ONCE):
        cosines = left[start : start + LATENTS_AT_ONCE] @ right.T
        best = (np.abs(cosines) if signed else cosines).max(axis=1)
        total += float(best.sum(dtype=np.float64))
    return total / len(left)


def _directions(one: Coder | FloatArray) -> FloatArray:
    rows = one.W_dec_ if isinstance(one, Coder) else np.asarray(one, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    directions: FloatArray = rows / np.maximum(lengths, 1e-12)
    return directions
