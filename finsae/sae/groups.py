"""Which layers of a model one SAE can serve: groups of layers whose activations point alike.

Group-SAE (Ghilardi, Belotti, Molinari 2024, arXiv 2410.21508): layers are clustered by the mean
angle between their activations of the same tokens, and one SAE is trained per group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist, squareform

from finsae.checks import DataError, one_of
from finsae.sae.batches import Tokens

THETA = 0.2  # the paper's, calibrated on Pythia models
SAMPLE = 200_000  # tokens behind the distances
PIECE = 4_194_304  # numbers held at once

FloatArray = npt.NDArray[np.float64]
Partition = tuple[tuple[int, ...], ...]


class Grouping(NamedTuple):
    """Layers divided into groups.

    Attributes
    ----------
    groups : tuple of tuple of int
        Positions of the layers, each group ascending, groups by their first layer.
    amad : float
        Average over the groups of the largest angular distance inside each.
    contiguous : bool
        Whether every group is a run of neighbouring layers.
    """

    groups: Partition
    amad: float
    contiguous: bool


def layer_distances(tokens: Tokens, *, centred: bool = True, seed: int = 0) -> FloatArray:
    """Mean angle between the activations of two layers at the same token, over pi.

    ``D_ij = mean_t arccos(cos(h_i,t , h_j,t)) / pi``, between 0 (same direction) and 1 (opposite).

    Parameters
    ----------
    tokens : Tokens
        Tokens x layers x width; at most 200,000 rows, drawn by `seed`, are read.
    centred : bool
        Take each layer's mean over these tokens off first, so that a direction common to all tokens
        does not hide the differences. (The paper uses a running mean, which tends to the same.)
    seed : int
        Of the draw.

    Returns
    -------
    ndarray
        Layers x layers, symmetric, diagonal 0.

    Raises
    ------
    DataError
        If there is no axis of layers.
    """
    if len(tokens.shape) != 3 or 0 in tokens.shape:
        raise DataError(
            f"layer distances need tokens x layers x width, not an array of shape {tokens.shape}"
        )
    count, layers, width = tokens.shape
    rows = np.arange(count)
    if count > SAMPLE:
        rows = np.sort(np.random.default_rng([seed, 1]).choice(count, SAMPLE, replace=False))
    mean = np.zeros((layers, width))
    for part in _pieces(tokens, rows) if centred else ():
        mean += part.sum(axis=0, dtype=np.float64) / len(rows)
    total = np.zeros((layers, layers))
    for part in _pieces(tokens, rows):
        part -= mean.astype(np.float32)
        part /= np.maximum(np.linalg.norm(part, axis=2, keepdims=True), 1e-12)
        cosines = part @ part.transpose(0, 2, 1)
        total += np.arccos(np.clip(cosines, -1, 1, dtype=np.float64)).sum(axis=0)
    distance = total / (len(rows) * np.pi)
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0)
    return distance


def group_layers(
    distance: npt.NDArray[np.floating],
    *,
    theta: float = THETA,
    count: int | None = None,
    cluster_on: str = "distance",
) -> Grouping:
    """Divide layers into the smallest number of groups whose AMAD is below `theta`.

    Parameters
    ----------
    distance : ndarray
        Of `layer_distances`; a triangle of it will do.
    theta : float
        Bound on AMAD. The paper's 0.2 was found on Pythia models; other models have other angles.
    count : int, optional
        So many groups instead.
    cluster_on : str
        "distance": complete linkage on the distances. "rows": complete linkage on the Euclidean
        distances between rows of the matrix, as the published code does.

    Raises
    ------
    DataError
        If the matrix is not square or holds NaN, `count` is impossible, or `theta` not positive.
    """
    square = _symmetric(distance)
    layers = len(square)
    if count is not None:
        if not 1 <= count <= layers:
            raise DataError(f"{layers} layers cannot be divided into {count} groups")
        return _grouping(square, _partition(square, count, cluster_on))
    if not theta > 0:
        raise DataError(f"theta is {theta}: it bounds a distance and must be positive")
    for number in range(1, layers + 1):
        found = _grouping(square, _partition(square, number, cluster_on))
        if found.amad < theta:
            break
    return found


def amad(distance: npt.NDArray[np.floating], groups: Sequence[Sequence[int]]) -> float:
    """Average maximum angular distance: mean over groups of the largest distance inside each.

    A layer on its own counts 0, and a group counts once whatever its size (section 3 of the paper).
    """
    square = _symmetric(distance)
    return float(np.mean([square[np.ix_(group, group)].max() for group in groups]))


def table(distance: npt.NDArray[np.floating], *, cluster_on: str = "distance") -> pd.DataFrame:
    """AMAD and partition at every number of groups: ``count, amad, groups, contiguous``."""
    rows = []
    for count in range(1, len(distance) + 1):
        found = group_layers(distance, count=count, cluster_on=cluster_on)
        rows.append((count, found.amad, found.groups, found.contiguous))
    return pd.DataFrame(rows, columns=["count", "amad", "groups", "contiguous"])


class Saving(NamedTuple):
    """What training one SAE per group saves against one per layer, as shares of the cost."""

    training: float  # of the SAEs alone
    total: float  # with the model's own pass over the tokens


def saving(layers: int, groups: int, *, activations: float, sae: float) -> Saving:
    """Apply the cost model ``activations + groups * sae`` against ``activations + layers * sae``.

    Parameters
    ----------
    layers, groups : int
        SAEs without and with grouping.
    activations : float
        Cost of reading the tokens with the model once, all layers; in any unit. 0 if they are kept.
    sae : float
        Cost of training one SAE, in the same unit: a group's SAE sees as many tokens as any other.
    """
    return Saving(
        1 - groups / layers, 1 - (activations + groups * sae) / (activations + layers * sae)
    )


def _pieces(tokens: Tokens, rows: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.float32]]:
    """Read chosen rows a few at a time: all layers of many tokens would not fit into memory."""
    at_once = max(1, PIECE // int(np.prod(tokens.shape[1:])))
    for start in range(0, len(rows), at_once):
        yield np.array(tokens[rows[start : start + at_once]], dtype=np.float32)


def _symmetric(distance: npt.NDArray[np.floating]) -> FloatArray:
    square = np.asarray(distance, dtype=np.float64)
    if square.ndim != 2 or square.shape[0] != square.shape[1] or not len(square):
        raise DataError(f"distances must be layers x layers, not of shape {square.shape}")
    if not np.isfinite(square).all():
        raise DataError("a distance between layers is NaN or infinite: are their activations?")
    return np.maximum(square, square.T)


def _partition(square: FloatArray, count: int, cluster_on: str) -> Partition:
    one_of("cluster_on", cluster_on, ("distance", "rows"))
    layers = len(square)
    members: dict[int, tuple[int, ...]] = {layer: (layer,) for layer in range(layers)}
    if layers > 1:
        apart = squareform(square, checks=False) if cluster_on == "distance" else pdist(square)
        # scipy merges the first of equal distances: the same matrix gives the same groups.
        steps = linkage(apart, "complete")
        for number, (a, b, *_) in enumerate(steps[: layers - count]):
            members[layers + number] = tuple(sorted(members.pop(int(a)) + members.pop(int(b))))
    return tuple(sorted(members.values()))


def _grouping(square: FloatArray, groups: Partition) -> Grouping:
    together = all(group[-1] - group[0] == len(group) - 1 for group in groups)
    return Grouping(groups, amad(square, groups), together)
