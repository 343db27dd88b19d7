"""The probes' own solver against scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from finsae.benchmark.probes import auc, from_columns, from_products, logistic


def case(n=260, width=40, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, width)) * np.geomspace(3, 0.1, width)
    labels = rows[:, 0] + 2 * rows[:, 4] + rng.normal(size=n) * 3 > 1
    return rows, labels, np.arange(180), np.arange(180, n)


@pytest.mark.parametrize("c", [0.1, 1.0, 10.0, 100.0])
def test_ridge_probes_equal_logistic_regression(c):
    rows, labels, train, test = case()
    centred = rows - rows[train].mean(axis=0)
    centred /= np.sqrt((centred[train] ** 2).sum(axis=1).mean())
    folds = np.ones((180, 2), dtype=np.float32)
    folds[:60, 1] = 0
    told = np.repeat(labels[train, None], 2, axis=1).astype(np.float32)
    turned = from_products(rows @ rows.T, train, test)
    w, b = logistic(turned, told, folds, np.array([c, c]))
    scores = turned.test @ w + b
    for column in range(2):
        seen = train[folds[:, column] > 0]
        model = LogisticRegression(C=c, tol=1e-8, max_iter=5000).fit(centred[seen], labels[seen])
        expected = model.decision_function(centred[test])
        # a probe stops where its ranking has settled; weak penalties would need more steps
        assert np.corrcoef(scores[:, column], expected)[0, 1] > 0.9999
        np.testing.assert_allclose(scores[:, column], expected, atol=0.05 * expected.std())


def test_a_few_columns_equal_logistic_regression_on_standardised_ones():
    rows, labels, train, test = case(width=5)
    turned = from_columns(rows[train], rows[test])
    told = labels[train, None].astype(np.float32)
    w, b = logistic(turned, told, np.ones_like(told), np.array([10.0]))
    standard = (rows - rows[train].mean(axis=0)) / rows[train].std(axis=0) / np.sqrt(5)
    model = LogisticRegression(C=10, tol=1e-8).fit(standard[train], labels[train])
    expected = model.decision_function(standard[test])
    np.testing.assert_allclose((turned.test @ w + b)[:, 0], expected, atol=0.01 * expected.std())


def test_auc_equals_scikit_learn_with_ties():
    rng = np.random.default_rng(0)
    labels, scores = rng.random(80) < 0.3, rng.integers(0, 5, size=(80, 3)).astype(float)
    expected = [roc_auc_score(labels, column) for column in scores.T]
    np.testing.assert_allclose(auc(labels, scores), expected)
    assert np.isnan(auc(np.ones(80, dtype=bool), scores)).all()
