"""Linear probes: can a label be read off a representation? Regularised, chosen on training folds.

All probes are logistic regressions. A ridge penalty cares for nothing but the products of rows, so
that one matrix of products serves every training set, and training rows can be turned so that
their second moments are diagonal: then the diagonal bound of Boehning and Lindsay (1988,
"Monotonicity of quadratic-approximation algorithms", Annals of the ISM 40) makes every step a
matrix product, for all tasks, folds and penalties at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import expit
from scipy.stats import rankdata
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

GRID = (0.1, 1.0, 10.0, 100.0, 1_000.0)
"""Inverse penalties to choose from, of rows whose mean square is 1."""
STEPS, CHECKED, TOLERANCE = 150, 10, 1e-3
SMALLEST = 1e-6  # share of the largest second moment below which a direction is rounding
FLAT = 1e-6  # spread below which a feature is constant
COMPONENTS = (5, 20, 100)
"""Numbers of principal components to choose from."""


class Reading(NamedTuple):
    """What a probe says: its AUC on validation folds [tasks], and its scores [tasks, test]."""

    validation: FloatArray
    scores: FloatArray


class Coordinates(NamedTuple):
    """Rows turned and scaled: training rows are centred, orthogonal in columns, of mean square 1.

    Attributes
    ----------
    train, test : ndarray [rows, r], float32
        Directions by falling second moment.
    moments : ndarray [r]
        Sums of squares of the training columns.
    """

    train: FloatArray
    test: FloatArray
    moments: FloatArray


def from_products(products: FloatArray, train: IntArray, test: IntArray) -> Coordinates:
    """Give coordinates to rows of which only the products with one another are known.

    Parameters
    ----------
    products : ndarray [n, n]
        Products of all rows.
    train, test : ndarray
        Positions; nothing but the training rows decides on centre, scale and directions.
    """
    inner = products[np.ix_(train, train)].astype(np.float64)
    mean = inner.mean(axis=0)
    cross = products[np.ix_(test, train)].astype(np.float64)
    cross += mean.mean() - mean - cross.mean(axis=1, keepdims=True)
    inner += mean.mean() - mean - mean[:, None]
    size = max(np.trace(inner) / len(train), np.finfo(float).tiny)
    moments, turn = np.linalg.eigh(inner / size)
    keep = np.flatnonzero(moments > SMALLEST * max(moments[-1], 0))[::-1]
    root = np.sqrt(moments[keep])
    return Coordinates(
        (turn[:, keep] * root).astype(np.float32),
        (cross @ (turn[:, keep] / root) / size).astype(np.float32),
        moments[keep],
    )


def from_columns(train: FloatArray, test: FloatArray) -> Coordinates:
    """Give coordinates to rows of a few columns, each centred and scaled to the same variance."""
    centre, spread = train.mean(axis=0), train.std(axis=0)
    scale = np.where(spread > 0, spread, np.inf) * np.sqrt(max((spread > 0).sum(), 1))
    rows = (train - centre) / scale
    moments, turn = np.linalg.eigh(rows.T @ rows)
    keep = np.flatnonzero(moments > SMALLEST * max(moments[-1], 0))[::-1]
    turned = (rows @ turn[:, keep], (test - centre) / scale @ turn[:, keep])
    return Coordinates(
        turned[0].astype(np.float32), turned[1].astype(np.float32), np.asarray(moments[keep])
    )


# Vector kernels of BLAS also compute lanes beyond a matrix's edge and raise the flag for these.
@np.errstate(invalid="ignore")
def logistic(
    rows: Coordinates, labels: FloatArray, counted: FloatArray, inverse_penalty: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Fit logistic regressions with ridge penalty, one per column, by accelerated steps.

    Minimises the sum over counted rows of log loss plus ``||w||^2 / (2 C)``, with an intercept that
    is not penalised, as scikit-learn's `LogisticRegression` does.

    Parameters
    ----------
    rows : Coordinates
    labels, counted : ndarray [n, fits]
        0 or 1; which rows a fit sees.
    inverse_penalty : ndarray [fits]
        C.

    Returns
    -------
    weights : ndarray [r, fits]
    intercepts : ndarray [fits]
    """
    z, fits = rows.train, labels.shape[1]
    found_w, found_b = np.zeros((z.shape[1], fits), np.float32), np.zeros(fits, np.float32)
    penalty = (1 / inverse_penalty).astype(np.float32)
    step_0 = np.float32(4 / len(z))
    alive = np.arange(fits)
    w: FloatArray = found_w
    b: FloatArray = found_b
    ahead_w, ahead_b, age = w, b, np.zeros(fits, dtype=np.float32)
    for number in range(1, STEPS + 1):
        error = counted * (expit(z @ ahead_w + ahead_b) - labels)
        slope, slope_0 = z.T @ error + ahead_w * penalty, error.sum(axis=0)
        bend = rows.moments.astype(np.float32)[:, None] / 4 + penalty
        next_w, next_b = ahead_w - slope / bend, ahead_b - step_0 * slope_0
        moved_w, moved_b = next_w - w, next_b - b
        uphill = (slope * moved_w).sum(axis=0) + slope_0 * moved_b > 0  # the momentum overshot
        age = np.where(uphill, 0, age + 1).astype(np.float32)
        push, w, b = age / (age + 3), next_w, next_b
        ahead_w, ahead_b = w + push * moved_w, b + push * moved_b
        if number % CHECKED and number < STEPS:
            continue
        found_w[:, alive], found_b[alive] = w, b
        most = np.maximum(np.abs(moved_w).max(axis=0, initial=0), np.abs(moved_b))
        on = most > TOLERANCE * np.maximum(np.abs(w).max(axis=0, initial=0), 1)
        if not on.any():
            break
        alive, w, b, age, penalty = alive[on], w[:, on], b[on], age[on], penalty[on]
        ahead_w, ahead_b = ahead_w[:, on], ahead_b[on]
        labels, counted = labels[:, on], counted[:, on]
    assert np.isfinite(found_w).all() and np.isfinite(found_b).all()
    return found_w, found_b


def probe(rows: Coordinates, labels: BoolArray, folds: BoolArray) -> Reading:
    """Choose the penalty on validation folds, fit on all training rows, and score the test rows.

    Parameters
    ----------
    rows : Coordinates
    labels : ndarray [n, tasks], bool
    folds : ndarray [n, tasks, folds], bool
        Which rows a fold trains on; it is validated on the others.
    """
    n, tasks, parts = folds.shape
    counted = np.concatenate([folds, np.ones((n, tasks, 1), dtype=bool)], axis=2)
    shape = (tasks, parts + 1, len(GRID))
    fits = np.prod(shape)
    spread = np.broadcast_to(labels[:, :, None, None], (n, *shape)).reshape(n, fits)
    seen = np.broadcast_to(counted[..., None], (n, *shape)).reshape(n, fits)
    penalties = np.broadcast_to(np.array(GRID), shape).reshape(fits)
    w, b = logistic(rows, spread.astype(np.float32), seen.astype(np.float32), penalties)
    fitted = (rows.train @ w).reshape(n, *shape)
    found = np.full((tasks, parts, len(GRID)), np.nan)
    for task in range(tasks):
        for part in range(parts):
            held = ~folds[:, task, part]
            found[task, part] = auc(labels[held, task], fitted[held, task, part])
    validation = _mean_over_folds(found)
    best = validation.argmax(axis=1)
    scores = (rows.test @ w + b).reshape(-1, *shape)[:, np.arange(tasks), -1, best]
    return Reading(validation[np.arange(tasks), best], scores.T)


def principal_components(rows: Coordinates, labels: BoolArray, folds: BoolArray) -> Reading:
    """Probe on the first principal components, their number chosen on validation folds, too."""
    sizes = sorted({min(k, len(rows.moments)) for k in COMPONENTS})
    found = [
        probe(
            Coordinates(rows.train[:, :k], rows.test[:, :k], rows.moments[:k]),
            labels,
            folds,
        )
        for k in sizes
    ]
    best = np.array([reading.validation for reading in found]).argmax(axis=0)
    tasks = np.arange(len(best))
    return Reading(
        np.array([reading.validation for reading in found])[best, tasks],
        np.array([reading.scores for reading in found])[best, tasks],
    )


def k_sparse(
    train: FloatArray | sparse.csr_array,
    test: FloatArray | sparse.csr_array,
    labels: BoolArray,
    folds: BoolArray,
    *,
    sizes: Sequence[int],
) -> dict[int, Reading]:
    """Probe on the few features whose means differ most between the classes of the training rows.

    The difference is taken in standard deviations of the feature (the reference divides by the
    feature's mean, which signed dimensions cannot be divided by). Each fold chooses its own
    features: chosen once, they would have seen what they are validated on.

    Parameters
    ----------
    train, test : CSR or ndarray [rows, F]
    labels : ndarray [n], bool
    folds : ndarray [n, folds], bool
    sizes : sequence of int
        Numbers of features to probe on.

    Returns
    -------
    dict of int to Reading
    """
    seen = np.column_stack([folds, np.ones(len(labels), dtype=bool)])
    order = _most_different(train, labels, seen)[: max(sizes)]
    found = {}
    for k in sizes:
        by_fold = []
        for part in range(folds.shape[1]):
            mask, rows = folds[:, part], _dense(train[:, order[:k, part]])
            turned = from_columns(rows[mask], rows[~mask])
            w, b = _fits(turned, labels[mask])
            by_fold.append(auc(labels[~mask], turned.test @ w + b))
        validation = _mean_over_folds(np.array(by_fold)[None])[0]
        best = validation.argmax()
        last = order[:k, -1]
        turned = from_columns(_dense(train[:, last]), _dense(test[:, last]))
        w, b = _fits(turned, labels)
        found[k] = Reading(validation[[best]], (turned.test @ w + b)[:, best][None])
    return found


def lasso(
    train: FloatArray | sparse.csr_array,
    test: FloatArray | sparse.csr_array,
    labels: BoolArray,
    folds: BoolArray,
) -> Reading:
    """Probe under a lasso penalty (scikit-learn's liblinear), chosen on the first fold.

    Parameters
    ----------
    train, test, labels, folds
        As `k_sparse`.
    """
    rows = sparse.csr_matrix(train, dtype=np.float64)
    scale = 1 / np.sqrt(max(rows.multiply(rows).sum() / rows.shape[0], np.finfo(float).tiny))
    mask = folds[:, 0]

    def fit(seen: BoolArray, c: float) -> LogisticRegression:
        model = LogisticRegression(
            C=c, l1_ratio=1.0, solver="liblinear", random_state=0, max_iter=100, tol=1e-3
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of the weakest penalties
            return model.fit(rows[seen] * scale, labels[seen])

    held = rows[~mask] * scale
    by_penalty = np.array(
        [auc(labels[~mask], fit(mask, c).decision_function(held)[:, None])[0] for c in GRID[1:]]
    )
    validation = np.where(np.isfinite(by_penalty), by_penalty, 0.5)
    best = fit(np.ones(len(labels), dtype=bool), GRID[1:][int(validation.argmax())])
    outer = sparse.csr_matrix(test, dtype=np.float64) * scale
    return Reading(validation.max(keepdims=True), best.decision_function(outer)[None])


def _fits(rows: Coordinates, labels: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Fit one label with every penalty."""
    shape = (len(labels), len(GRID))
    spread = np.broadcast_to(labels[:, None].astype(np.float32), shape)
    return logistic(rows, spread, np.ones(shape, dtype=np.float32), np.array(GRID))


def _most_different(
    rows: FloatArray | sparse.csr_array, labels: BoolArray, seen: BoolArray
) -> IntArray:
    """Order the features by the difference of their means, in each set of seen rows: [F, sets]."""
    squares = rows.multiply(rows) if isinstance(rows, sparse.csr_array) else rows**2
    all_, mine = seen.astype(float), (seen & labels[:, None]).astype(float)
    count, count_mine = all_.sum(axis=0), mine.sum(axis=0)
    total, total_mine = rows.T @ all_, rows.T @ mine
    mean = total / count
    spread = np.sqrt(np.maximum(squares.T @ all_ / count - mean**2, 0))
    gap = total_mine / np.maximum(count_mine, 1)
    gap = np.abs(gap - (total - total_mine) / np.maximum(count - count_mine, 1))
    size = np.where(spread > FLAT, gap / np.where(spread > FLAT, spread, 1), 0)
    return np.asarray(np.argsort(-size, axis=0, kind="stable"))


def _dense(rows: FloatArray | sparse.csr_array) -> FloatArray:
    return np.asarray(rows.toarray() if sparse.issparse(rows) else rows, dtype=np.float64)


def _mean_over_folds(by_fold: FloatArray) -> FloatArray:
    """Mean over folds [tasks, folds, fits]; 0.5 where no fold has both classes to tell apart."""
    seen = np.isfinite(by_fold)
    total = np.where(seen, by_fold, 0).sum(axis=1)
    return np.asarray(np.where(seen.any(axis=1), total / np.maximum(seen.sum(axis=1), 1), 0.5))


def auc(labels: BoolArray, scores: FloatArray) -> FloatArray:
    """Area under the ROC curve of each column of scores [n, fits]; ties count half.

    It is the chance that a company with the label is ranked above one without; NaN where all have
    it, or none.
    """
    mine = int(labels.sum())
    others = len(labels) - mine
    if not mine or not others:
        return np.full(scores.shape[1], np.nan)
    ranks = rankdata(scores, axis=0)
    return np.asarray((ranks[labels].sum(axis=0) - mine * (mine + 1) / 2) / (mine * others))


def resampled_auc(labels: BoolArray, scores: FloatArray, weights: FloatArray) -> FloatArray:
    """AUC with every company drawn ``weights[r]`` times, [resamples]; NaN without either class."""
    mine, others = scores[labels], scores[~labels]
    above = (mine[:, None] > others).astype(np.float32) + 0.5 * (mine[:, None] == others)
    w_mine, w_others = weights[:, labels], weights[:, ~labels]
    total = w_mine.sum(axis=1) * w_others.sum(axis=1)
    won = ((w_mine @ above.astype(np.float32)) * w_others).sum(axis=1)
    return np.asarray(np.where(total > 0, won / np.where(total > 0, total, 1), np.nan))
