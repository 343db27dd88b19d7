"""Conditions under which probes are tried: few companies, wrong labels, rare classes; the tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from finsae.benchmark.probes import BoolArray, IntArray

SCARCE = (8, 16, 32, 64, 128, 256)
NOISE = (0.1, 0.2, 0.3, 0.4)
IMBALANCE = (0.05, 0.1, 0.2)
FEW = 128
"""Training companies under label noise and imbalance."""
MOST = 1024
"""Training companies at most, as in the reference."""
TRAIN_SHARE = 0.6
FOLDS, FOLDS_OF_ALL = 5, 3


class Regime(NamedTuple):
    """Conditions of training: how many companies, how many of the class, how many wrong labels."""

    name: str
    n: int | None
    share: float
    flipped: float


class Draw(NamedTuple):
    """A training set of one task: positions, labels as the probe is told them, and folds."""

    train: IntArray
    labels: BoolArray
    folds: BoolArray


EVERYTHING = Regime("normal", None, 0.0, 0.0)


def industry_tasks(labels: Mapping[str, pd.Series], *, least: int) -> dict[str, pd.Series]:
    """Make a binary task of every industry that enough companies are in, and enough are not.

    Parameters
    ----------
    labels : mapping of str to Series
        Classifications by name, such as major groups and divisions.
    least : int
        Companies on either side.

    Returns
    -------
    dict of str to Series of bool
        "major-group 28", ...; industries that are the same companies are one task.
    """
    found: dict[str, pd.Series] = {}
    for name, column in labels.items():
        for industry, count in column.value_counts().sort_index().items():
            if count < least or len(column) - count < least:
                continue
            task = column == industry
            if not any(task.equals(other) for other in found.values()):
                found[f"{name} {industry}"] = task
    return found


def split(n: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Split companies into those to train on and those to test on."""
    order = rng.permutation(n)
    size = min(int(TRAIN_SHARE * n), MOST)
    return order[:size], order[size:]


def stresses(pool: int) -> list[Regime]:
    """List the regimes of stress that so many training companies allow."""
    few = min(FEW, max((n for n in SCARCE if n <= pool), default=0))
    found = [Regime(f"scarce {n}", n, 0.5, 0.0) for n in SCARCE if n <= pool]
    if few:
        found += [Regime(f"noise {p:g}", few, 0.5, p) for p in NOISE]
        found += [Regime(f"imbalance {p:g}", few, p, 0.0) for p in IMBALANCE]
    return found


def draw(
    regime: Regime, pool: IntArray, labels: BoolArray, rng: np.random.Generator
) -> Draw | None:
    """Draw training companies; None where there are not two of either class to learn from."""
    mine, others = rng.permutation(pool[labels[pool]]), rng.permutation(pool[~labels[pool]])
    train = pool
    if regime.n is not None:
        wanted = round(regime.share * regime.n)
        if len(mine) < wanted and regime.name.startswith("imbalance"):
            return None
        few = min(wanted, len(mine))
        train = np.concatenate([mine[:few], others[: regime.n - few]])
        if len(train) < regime.n:
            return None
    told = labels[train] ^ (rng.random(len(train)) < regime.flipped)
    least = min(told.sum(), (~told).sum())
    if least < 2:
        return None
    return Draw(train, told, _folds(told, rng, most=FOLDS_OF_ALL if regime.n is None else FOLDS))


def _folds(labels: BoolArray, rng: np.random.Generator, *, most: int) -> BoolArray:
    """Rows that each fold trains on, [n, folds]; both classes are spread over the folds."""
    least = int(min(labels.sum(), (~labels).sum()))
    count = min(most, least)
    place = np.empty(len(labels), dtype=np.int64)
    for side in (labels, ~labels):
        rows = rng.permutation(np.flatnonzero(side))
        place[rows] = np.arange(len(rows)) % count
    return np.column_stack([place != part for part in range(count)])
