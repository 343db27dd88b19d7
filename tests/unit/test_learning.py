"""Weights taught by past returns, and blends: against brute force over all pairs."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, sparse

from finsae.checks import DataError
from finsae.similarity import (
    blend,
    cosine,
    effective_dimension,
    learnt_weights,
    principal_components,
)

N, F = 24, 6
NAMES = [f"C{i:02d}" for i in range(N)]


def world(seed=0):
    """Six features, of which the first two say who moves with whom."""
    rng = np.random.default_rng(seed)
    matrix = rng.gamma(0.5, 1.0, (N, F)) * (rng.random((N, F)) < 0.6)
    matrix[:, 5] += 0.1
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    target = unit[:, :2] @ unit[:, :2].T + 0.05 * rng.normal(size=(N, N))
    target = (target + target.T) / 2 + 0.3
    np.fill_diagonal(target, 1)
    return sparse.csr_array(matrix), unit, target


def brute_force(unit, target, ridge):
    """The same regression with every pair written down, by a general solver."""
    i, j = np.triu_indices(N, 1)
    products, wanted = unit[i] * unit[j], target[i, j] - target[i, j].mean()
    products = products - products.mean(axis=0)
    total = products.sum(axis=1)
    slope = (wanted @ products).sum() / (products.T @ total).sum()
    pull = np.sqrt(ridge * (products**2).sum(axis=0).mean())
    left = np.vstack([products, pull * np.eye(F)])
    right = np.concatenate([wanted / slope, np.full(F, pull)])
    return optimize.nnls(left, right)[0]


@pytest.mark.parametrize("ridge", [0.05, 0.3, 10.0])
def test_weights_are_those_of_a_regression_over_all_pairs(ridge):
    matrix, unit, target = world()
    found = learnt_weights(matrix, target, ridge=ridge)
    np.testing.assert_allclose(found, brute_force(unit, target, ridge), rtol=5e-3, atol=2e-3)
    np.testing.assert_allclose(found, learnt_weights(matrix.toarray(), target, ridge=ridge), 1e-5)


def test_what_moves_together_gains_and_a_strong_ridge_learns_nothing():
    matrix, _, target = world()
    weights = learnt_weights(matrix, target, ridge=0.1)
    assert weights[:2].min() > 2 * weights[2:].max()
    np.testing.assert_allclose(learnt_weights(matrix, target, ridge=1e6), 1, atol=1e-3)


def test_missing_pairs_and_rare_features_are_left_alone():
    matrix, _, target = world()
    rare = sparse.csr_array(sparse.hstack([matrix, np.eye(N)[:, :1] + np.eye(N)[:, 1:2]]))
    assert learnt_weights(rare, target, ridge=0.1)[-1] == 1
    assert (learnt_weights(matrix, np.full((N, N), np.nan), ridge=0.1) == 1).all()
    assert (learnt_weights(matrix, -target, ridge=0.1) == 1).all()  # nothing to be learnt from it


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, t: learnt_weights(m, t, ridge=0), "ridge is 0: it must be above 0"),
        (lambda m, t: learnt_weights(m, t[:3, :3], ridge=1), "24 companies have a target of"),
        (lambda m, t: blend(cosine(m, NAMES), cosine(m, NAMES), 1.2), "between 0 and 1, not 1.2"),
        (lambda m, t: blend(cosine(m, NAMES), cosine(m[:5], NAMES[:5]), 0.5), "same companies"),
    ],
)
def test_what_cannot_be_learnt_is_refused(call, message):
    matrix, _, target = world()
    with pytest.raises(DataError, match=message):
        call(matrix, target)


def test_a_blend_is_of_standard_deviations():
    matrix, _, target = world()
    text, past = cosine(matrix, NAMES), pd.DataFrame(target, index=NAMES, columns=NAMES)
    i, j = np.triu_indices(N, 1)

    def standard(table):
        cells = table.to_numpy()[i, j].astype(float)
        return (cells - cells.mean()) / cells.std()

    mixed = blend(text, past, 0.3).to_numpy()
    np.testing.assert_allclose(mixed[i, j], 0.7 * standard(text) + 0.3 * standard(past), atol=1e-6)
    np.testing.assert_array_equal(mixed, mixed.T)
    past.iloc[0, 1:] = past.iloc[1:, 0] = np.nan  # a newcomer is ranked by its text alone
    newcomer = blend(text, past, 0.9).iloc[0, 1:]
    assert newcomer.rank().equals(text.iloc[0, 1:].rank())


def test_the_effective_dimension_is_that_of_equal_variances():
    rng = np.random.default_rng(0)
    points = np.zeros((4000, 12))
    points[:, :5] = rng.normal(size=(4000, 5))
    assert effective_dimension(points @ points.T) == 5
    assert effective_dimension(np.ones((4, 4))) == 1


def test_principal_components_keep_what_varies_most():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(30, 8)) * np.array([5, 4, 3, 1, 1, 1, 1, 1])
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    centred = unit - unit.mean(axis=0)
    scores = principal_components(matrix, 3)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    expected = centred @ vectors[:, ::-1][:, :3]
    np.testing.assert_allclose(np.abs(scores), np.abs(expected), atol=1e-10)
    assert principal_components(matrix, 99).shape == (30, 8)
