"""An SAE of one layer as the beginning of its neighbour's.

Layer-wise transfer (Ghilardi, Belotti, Molinari 2024, BlackboxNLP): all parameters of a trained SAE
are copied, the optimiser and the counters of dead latents begin anew, and a third of the learning
rate refines them. The same continues an SAE on new text of the same layer. Scales are carried over:
both layers are read in the unit in which a token has length sqrt(width).

The third is meant for long runs: in short ones ``Training(lr=)``, the rate of which the third is
taken, decides whether transfer pays (`reports/benchmarks/sae.md`).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from torch import Tensor

from finsae.checks import DataError
from finsae.sae.batches import Tokens, sample
from finsae.sae.coder import Coder
from finsae.sae.losses import Weights

ALIGN = 32_768  # tokens behind a rotation

FloatArray = npt.NDArray[np.floating]


class Rotation(NamedTuple):
    """How one layer's activations are carried nearest to another's.

    Attributes
    ----------
    turn : ndarray
        Width x width, orthogonal.
    source, target : ndarray
        Mean activation of each layer: width.
    ratio : float
        Mean distance from the mean at the source over that at the target.
    """

    turn: FloatArray
    source: FloatArray
    target: FloatArray
    ratio: float


def rotation(source: Tokens, target: Tokens, *, seed: int = 0) -> Rotation:
    """Find the rotation that carries one layer's activations nearest to another's.

    ``R = argmin |H_target - H_source R|`` over orthogonal R, both less their means (Procrustes;
    Schoenemann 1966). An addition to the published method.

    Parameters
    ----------
    source, target : Tokens
        Tokens x width: the same tokens at the two layers.
    seed : int
        Of the 32,768 tokens that are read.

    Raises
    ------
    DataError
        If they are not of the same tokens.
    """
    if source.shape != target.shape:
        raise DataError(
            "a rotation needs the same tokens at both layers; "
            f"their shapes are {source.shape} and {target.shape}"
        )
    one, other = (sample(tokens, ALIGN, seed=seed) for tokens in (source, target))
    means = one.mean(0, dtype=np.float64), other.mean(0, dtype=np.float64)
    one, other = one - means[0], other - means[1]
    left, _, right = np.linalg.svd(one.T @ other)
    ratio = np.linalg.norm(one, axis=1).mean() / np.linalg.norm(other, axis=1).mean()
    return Rotation(left @ right, *means, float(ratio))


def rotated(coder: Coder, found: Rotation) -> Coder:
    """Give a copy of an SAE that reads the target layer, in the unit of the source layer.

    Directions are turned, and ``b_dec`` moves with the mean: what ``b_dec`` is to the one layer it
    becomes to the other.

    Parameters
    ----------
    coder : Coder
        Fitted on the source layer.
    found : Rotation
        Of `rotation`.
    """
    turn = found.turn
    weights = {name: getattr(coder, f"{name}_") for name in coder.WEIGHTS}
    turned = {
        "W_dec": weights["W_dec"] @ turn,
        "b_dec": (weights["b_dec"] - found.source) @ turn + found.target * found.ratio,
    }
    if "W_enc" in weights:  # a dictionary of tokens has none
        turned["W_enc"] = turn.T @ weights["W_enc"]
    copied = copy.copy(coder).set_weights(weights | turned)
    copied.layer_, copied.model_, copied.scale_ = coder.layer_, coder.model_, coder.scale_
    return copied


def chain(
    first: Coder,
    activations: Mapping[int, Tokens],
    layers: Sequence[int],
    *,
    align: bool = False,
) -> dict[int, Coder]:
    """Carry an SAE from layer to layer, each beginning with the one before.

    Parameters
    ----------
    first : Coder
        Fitted on ``first.layer_``; the others have its architecture and settings.
    activations : mapping of int to Tokens
        Tokens x width of each layer, the first one's included where `align`.
    layers : sequence of int
        Where to go, in this order: neighbours, forward or backward.
    align : bool
        Rotate each SAE into the next layer's directions first.

    Returns
    -------
    dict of int to Coder
        The SAEs of `layers`.

    Raises
    ------
    DataError
        If a layer's activations are missing.
    """
    missing = [layer for layer in layers if layer not in activations]
    if missing or (align and first.layer_ not in activations):
        raise DataError(f"no activations of layers {missing or [first.layer_]}")
    found: dict[int, Coder] = {}
    source = first
    for layer in layers:
        if align:
            assert source.layer_ is not None
            source = rotated(source, rotation(activations[source.layer_], activations[layer]))
        coder = copy.copy(first)
        coder.fit(activations[layer], init_from=source)
        coder.layer_, coder.model_ = layer, first.model_
        found[layer] = source = coder
    return found


def transferred(source: Coder, fresh: Weights, coder: Coder) -> tuple[Weights, dict[str, Tensor]]:
    """Give all weights of a fitted SAE in the unit of training, and the memory beside them.

    Parameters
    ----------
    source : Coder
        Fitted.
    fresh : Weights
        What a training from scratch would begin with: names, width and device.
    coder : Coder
        To be trained.

    Raises
    ------
    DataError
        If the SAE is of another architecture, size or width.
    """
    width = len(fresh["b_dec"])
    found = (source.NAME, source.latents, len(source.b_dec_))
    if found != (coder.NAME, coder.latents, width):
        raise DataError(
            f"cannot begin a {coder.NAME} SAE of {coder.latents} latents and width {width} with a "
            f"{found[0]} of {found[1]} and width {found[2]}: they must be alike"
        )
    scaled = {
        name: weight if name in source.UNSCALED else weight * source.scale_
        for name, weight in source.weights().items()
    }
    weights, memory = coder.reopen(scaled)
    device = fresh["b_dec"].device
    return {name: weights[name].to(device).clone() for name in fresh}, memory


def tokens_to_reach(history: pd.DataFrame, fvu: float) -> float:
    """Tokens of a training after which its FVU stays at or below a value; infinite if it never is.

    Parameters
    ----------
    history : DataFrame
        `Coder.history_`: ``tokens, fvu``, means since the row before.
    fvu : float
        Fraction of variance unexplained.
    """
    above = np.flatnonzero(~(history["fvu"].to_numpy() <= fvu))
    if not len(above):
        return float(history["tokens"].iloc[0])
    after = above[-1] + 1
    return float(history["tokens"].iloc[after]) if after < len(history) else float("inf")
