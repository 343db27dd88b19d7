"""Are SAE features useful? Industries read off companies by probes, under good and bad conditions.

The protocol of Kantamneni et al. (2025, "Are sparse autoencoders useful? A case study in sparse
probing", arXiv 2502.16681) on companies: one binary task per industry (it against all others),
probes on the autoencoder's features against probes on dense representations of the same texts, with
all the training companies, with few of them, with wrong labels, and with a rare class; and the
question whether somebody who chooses the method by validation gains by having the autoencoder's
among those to choose from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.benchmark.interval import bounds
from finsae.benchmark.probes import (
    BoolArray,
    FloatArray,
    IntArray,
    Reading,
    from_products,
    k_sparse,
    lasso,
    principal_components,
    probe,
    resampled_auc,
)
from finsae.benchmark.regimes import EVERYTHING, Draw, draw, split, stresses
from finsae.checks import DataError
from finsae.result import SCORE_COLUMNS
from finsae.store import progress

SPARSITIES = (1, 2, 5, 20, 100)
STRESS_SPARSITY = 20
CHOSEN, CHOSEN_WITH = "chosen", "chosen with sae"


@dataclass(frozen=True)
class Outcome:
    """What came of a probe: by regime and method the AUC of every task, and under resampling."""

    auc: dict[tuple[str, str], dict[str, list[FloatArray]]] = field(default_factory=dict)
    """(regime, method) to task to one array per split: the value, then the resamples."""

    def add(self, regime: str, method: str, task: str, values: FloatArray) -> None:
        """Note the AUC of one split."""
        self.auc.setdefault((regime, method), {}).setdefault(task, []).append(values)


def probe_industries(
    representations: Mapping[str, npt.NDArray[np.floating[Any]] | sparse.csr_array],
    tasks: Mapping[str, pd.Series],
    *,
    own: str,
    stress: bool = True,
    splits: int = 2,
    resamples: int = 300,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Probe representations of companies for industries, and compare `own` with every other.

    Companies are split into training (60 %, at most 1,024) and test companies; the test companies
    of a split are the same for all methods, regimes and tasks. Regimes: ``normal`` (all training
    companies); ``scarce N`` (N, half of them of the industry, or as many as there are);
    ``noise P`` (128, labels turned over with probability P, in training and validation, not in
    test); ``imbalance P`` (128, a share P of them of the industry). Methods:

    - every representation under a ridge penalty (`finsae.benchmark.probes`), rows centred and
      scaled as one; scaling each dimension changed AUC by less than 0.003 either way;
    - ``pca``: the same on the first 5, 20 or 100 principal components of ``activations``;
    - ``<name> k=1`` ...: k-sparse probes of `own` and of ``activations``; k = 20 under stress.
    - ``<own> l1``: `own` under a lasso penalty, in the normal regime.
    - ``chosen`` and ``chosen with sae``: for each task the method with the best validation AUC,
      among all but `own`'s, and among all.

    Penalties, components and features are chosen on validation folds of the training companies:
    three where there are all, five otherwise, fewer of very few (the reference holds out a single
    fifth of 128 and more, in which a rare industry has two or three companies).

    Intervals (95 %): tasks are drawn with replacement and, crossed with them, test companies; the
    same draws serve all methods, so that differences are paired. They do not hold the noise of
    which companies were trained on beyond averaging over splits, and a division's task shares its
    companies with those of its major groups.

    Parameters
    ----------
    representations : mapping of str to CSR or ndarray [n, F]
        Rows in the order of the tasks' companies. `own` is the autoencoder's.
    tasks : mapping of str to Series of bool [n]
    own : str
    stress : bool
        Whether to try the regimes besides ``normal``.
    splits, resamples, seed : int

    Returns
    -------
    scores : DataFrame
        ``regime`` and the columns of scores. ``auc`` by method; with `versus` the paired
        difference; ``win_share`` is the share of tasks won, a tie half. n counts tasks.
    by_task : DataFrame
        ``regime, method, task, auc``.

    Raises
    ------
    DataError
        If there are fewer than two tasks.
    """
    if len(tasks) < 2:
        raise DataError(
            f"{len(tasks)} industries have enough companies: two are needed; lower --min-companies"
        )
    n = len(next(iter(tasks.values())))
    products = {name: np.asarray(_products(rows)) for name, rows in representations.items()}
    weights = _draws_of_companies(n, resamples, seed)
    outcome = Outcome()
    labels = np.array([task.to_numpy(dtype=bool) for task in tasks.values()])
    everything = _Study(representations, products, labels, list(tasks), own, stress)
    with progress("Probing", splits * (len(tasks) + 1)) as (bar, step):
        for number in range(splits):
            pool, test = split(n, np.random.default_rng([seed, number]))
            for _ in everything.run(pool, test, weights, outcome, seed=(seed, number)):
                bar.advance(step)
    return _scores(outcome, everything, resamples, seed), _by_task(outcome)


def _products(rows: npt.NDArray[np.floating[Any]] | sparse.csr_array) -> FloatArray:
    if isinstance(rows, np.ndarray):
        return np.asarray(rows, dtype=np.float64) @ rows.T
    return np.asarray((rows @ rows.T).toarray(), dtype=np.float64)


def _draws_of_companies(n: int, resamples: int, seed: int) -> npt.NDArray[np.float32]:
    """How often each company is drawn: once each in the first row, the value itself."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=resamples)
    return np.vstack([np.ones((1, n)), drawn]).astype(np.float32)


@dataclass(frozen=True)
class _Study:
    """Everything that stays the same from split to split."""

    representations: Mapping[str, npt.NDArray[np.floating[Any]] | sparse.csr_array]
    products: Mapping[str, FloatArray]
    labels: BoolArray
    tasks: Sequence[str]
    own: str
    stress: bool

    def run(
        self,
        pool: IntArray,
        test: IntArray,
        weights: npt.NDArray[np.float32],
        outcome: Outcome,
        *,
        seed: tuple[int, int],
    ) -> Iterator[None]:
        """Probe all tasks of a split, under every regime that its companies allow."""
        note = _Note(self, test, weights[:, test], outcome)
        draws = [
            draw(EVERYTHING, pool, row, np.random.default_rng([*seed, t]))
            for t, row in enumerate(self.labels)
        ]
        self._normal(pool, test, draws, note)
        yield
        for t, row in enumerate(self.labels):
            for number, regime in enumerate(stresses(len(pool)) if self.stress else []):
                drawn = draw(regime, pool, row, np.random.default_rng([*seed, t, number + 1]))
                if drawn is not None:
                    self._stress(regime.name, t, drawn, note=note)
            yield

    def _normal(
        self, pool: IntArray, test: IntArray, draws: Sequence[Draw | None], note: _Note
    ) -> None:
        """Probe all tasks at once where all of them train on the same companies."""
        usable = [t for t, drawn in enumerate(draws) if drawn is not None]
        known = [drawn for drawn in draws if drawn is not None]
        if not known:
            return
        labels = np.array([drawn.labels for drawn in known]).T
        folds = np.stack([drawn.folds for drawn in known], axis=1)
        found: dict[str, list[Reading]] = {}
        for name, how in self._ridge(pool, test).items():
            reading = how(labels, folds)
            found[name] = [
                Reading(reading.validation[[i]], reading.scores[[i]]) for i in range(len(known))
            ]
        for name in self._sparse_of():
            rows = self.representations[name]
            inner, outer = rows[pool], rows[test]
            readings = [
                k_sparse(inner, outer, labels[:, i], folds[:, i], sizes=SPARSITIES)
                for i in range(len(known))
            ]
            for k in SPARSITIES:
                found[f"{name} k={k}"] = [reading[k] for reading in readings]
        rows = self.representations[self.own]
        found[f"{self.own} l1"] = [
            lasso(rows[pool], rows[test], labels[:, i], folds[:, i]) for i in range(len(known))
        ]
        for place, t in enumerate(usable):
            note.down("normal", t, {name: readings[place] for name, readings in found.items()})

    def _stress(self, regime: str, t: int, drawn: Draw, *, note: _Note) -> None:
        labels, folds = drawn.labels[:, None], drawn.folds[:, None]
        ridge = self._ridge(drawn.train, note.test)
        found = {name: how(labels, folds) for name, how in ridge.items()}
        for name in self._sparse_of():
            rows, k = self.representations[name], STRESS_SPARSITY
            inner, outer = rows[drawn.train], rows[note.test]
            found[f"{name} k={k}"] = k_sparse(inner, outer, drawn.labels, drawn.folds, sizes=[k])[k]
        note.down(regime, t, found)

    def _sparse_of(self) -> list[str]:
        return [name for name in (self.own, "activations") if name in self.representations]

    def _ridge(self, train: IntArray, test: IntArray) -> dict[str, Callable[..., Reading]]:
        """Ridge probes of every representation, and of the activations' components."""
        found: dict[str, Callable[..., Reading]] = {}
        for name, products in self.products.items():
            rows = from_products(products, train, test)
            found[name] = partial(probe, rows)
            if name == "activations":
                found["pca"] = partial(principal_components, rows)
        return found


@dataclass(frozen=True)
class _Note:
    """Where the AUC of a split's test companies is written down."""

    study: _Study
    test: IntArray
    weights: npt.NDArray[np.float32]
    outcome: Outcome

    def down(self, regime: str, t: int, found: Mapping[str, Reading]) -> None:
        """Score what was read on the test companies, and what would have been chosen."""
        labels = self.study.labels[t, self.test]
        values = {
            name: resampled_auc(labels, reading.scores[0], self.weights)
            for name, reading in found.items()
        }
        mine = {name for name in found if name.split(" ")[0] == self.study.own}
        best = {name: float(reading.validation[0]) for name, reading in found.items()}
        others = [name for name in found if name not in mine]
        if others:
            values[CHOSEN] = values[max(others, key=best.__getitem__)]
            values[CHOSEN_WITH] = values[max(best, key=best.__getitem__)]
        for name, auc in values.items():
            self.outcome.add(regime, name, self.study.tasks[t], auc)


def _scores(outcome: Outcome, study: _Study, resamples: int, seed: int) -> pd.DataFrame:
    """Average over tasks, with intervals, and compare the autoencoder's probes with the others."""
    rows = []
    for regime in dict.fromkeys(name for name, _ in outcome.auc):
        by_method = {
            method: np.array([np.mean(splits, axis=0) for splits in tasks.values()])
            for (name, method), tasks in outcome.auc.items()
            if name == regime
        }
        count = len(next(iter(by_method.values())))
        drawn = np.random.default_rng(seed).integers(count, size=(resamples, count))
        drawn = np.vstack([np.arange(count), drawn])
        for method, by_task in by_method.items():
            rows.append((regime, method, "auc", *_average(by_task, drawn, within=(0, 1)), ""))
        for a, b in _comparisons(list(by_method), study.own):
            gap = by_method[a] - by_method[b]
            wins = np.where(np.isfinite(gap), (np.sign(gap) + 1) / 2, np.nan)
            rows.append((regime, a, "auc", *_average(gap, drawn, within=(-1, 1)), b))
            rows.append((regime, a, "win_share", *_average(wins, drawn, within=(0, 1)), b))
    return pd.DataFrame(rows, columns=["regime", *SCORE_COLUMNS])


def _average(
    by_task: FloatArray, drawn: IntArray, *, within: tuple[float, float]
) -> tuple[float, float, float, int, str]:
    """Average over tasks [tasks, 1 + resamples]: value, low, high, n and what was drawn."""
    picked = np.take_along_axis(by_task.T, drawn, axis=1)
    seen = np.isfinite(picked)
    means = np.where(seen, picked, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    low, high = bounds(means[:1], means[1:, None], months=max(len(by_task), 2))
    lowest, highest = within
    return (
        float(means[0]),
        float(low[0].clip(lowest, highest)),
        float(high[0].clip(lowest, highest)),
        len(by_task),
        "task and firm",
    )


def _comparisons(methods: Sequence[str], own: str) -> list[tuple[str, str]]:
    """Pair the autoencoder's probes with every other, and the two ways of choosing."""
    aside = (own, f"{own} l1", CHOSEN, CHOSEN_WITH)
    plain = [m for m in methods if " k=" not in m and m not in aside]
    pairs = [(own, other) for other in plain]
    for k in SPARSITIES:
        mine, theirs = f"{own} k={k}", f"activations k={k}"
        if mine in methods and theirs in methods and own != "activations":
            pairs.append((mine, theirs))
    return pairs + ([(CHOSEN_WITH, CHOSEN)] if CHOSEN in methods else [])


def _by_task(outcome: Outcome) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"regime": regime, "method": method, "task": task, "auc": np.mean(splits, axis=0)[0]}
            for (regime, method), tasks in outcome.auc.items()
            for task, splits in tasks.items()
        ]
    )
