"""Sparse probing: planted labels are found by the probe that should find them, and by no other."""

import json

import numpy as np
import pandas as pd
import pytest
import toy
from scipy import sparse
from test_cli import call

from finsae.benchmark.probes import from_products, k_sparse, lasso, probe, resampled_auc
from finsae.benchmark.probing import probe_industries
from finsae.benchmark.regimes import EVERYTHING, IMBALANCE, Regime, draw, industry_tasks, stresses
from finsae.checks import DataError
from finsae.pipeline.probing import labelled
from finsae.result import SCORE_COLUMNS

N, LATENTS, WIDTH = 220, 60, 24


def world(seed=0):
    """Sparse latents, and dense activations that mix them with noise."""
    rng = np.random.default_rng(seed)
    latents = np.where(rng.random((N, LATENTS)) < 0.25, rng.gamma(2.0, size=(N, LATENTS)), 0)
    dense = latents @ rng.normal(size=(LATENTS, WIDTH)) + rng.normal(size=(N, WIDTH)) * 3
    return latents, dense


def scores_of(latents, dense, labels, **options):
    tasks = {name: pd.Series(column) for name, column in labels.items()}
    found = {"sae": sparse.csr_array(latents.astype(np.float32)), "activations": dense}
    options = {"splits": 1, "resamples": 60, "stress": False, **options}
    return probe_industries(found, tasks, own="sae", **options)


def normal(scores, method, versus="", metric="auc"):
    rows = scores[(scores["regime"] == "normal") & (scores["metric"] == metric)]
    return rows[(rows["method"] == method) & (rows["versus"] == versus)].iloc[0]


@pytest.fixture(scope="module")
def planted():
    """Labels that are one latent each."""
    latents, dense = world()
    return scores_of(latents, dense, {"a": latents[:, 3] > 0, "b": latents[:, 40] > 0}, stress=True)


def test_a_label_that_is_one_latent_is_found_by_one_latent(planted):
    scores, _ = planted
    assert normal(scores, "sae k=1")["value"] > 0.99
    assert normal(scores, "activations k=1")["value"] < 0.85
    gap = normal(scores, "sae k=1", "activations k=1")
    assert gap["low"] > 0 and normal(scores, "sae l1")["value"] > 0.99
    assert normal(scores, "sae k=1", "activations k=1", "win_share")["value"] == 1
    assert normal(scores, "chosen with sae", "chosen")["low"] > 0


def test_a_label_that_is_a_dense_direction_is_found_by_the_dense_probe():
    latents, dense = world()
    rng = np.random.default_rng(1)
    dense = dense + rng.normal(size=dense.shape) * 5  # of which the latents know nothing
    directions = [dense @ rng.normal(size=WIDTH) for _ in range(2)]
    labels = {str(i): d > np.quantile(d, 0.7) for i, d in enumerate(directions)}
    scores, _ = scores_of(latents, dense, labels)
    assert normal(scores, "activations")["value"] > 0.95
    assert normal(scores, "sae", "activations")["high"] < 0
    assert normal(scores, "sae", "activations", "win_share")["value"] == 0


@pytest.mark.slow
def test_labels_that_mean_nothing_are_read_by_nobody():
    latents, dense = world()
    rng = np.random.default_rng(2)
    labels = {str(i): rng.random(N) < 0.4 for i in range(10)}
    scores, _ = scores_of(latents, dense, labels, splits=2)
    plain = scores[(scores["versus"] == "") & (scores["regime"] == "normal")]
    assert (plain["value"] - 0.5).abs().max() < 0.07  # of ten tasks: standard error 0.02
    assert (plain["value"] - 0.5).abs().mean() < 0.03
    assert ((plain["low"] < 0.5) & (plain["high"] > 0.5)).mean() > 0.7


def test_what_a_table_of_scores_must_be(planted):
    scores, by_task = planted
    assert list(scores.columns) == ["regime", *SCORE_COLUMNS]
    assert not scores.duplicated(["regime", "method", "metric", "versus"]).any()
    assert np.isfinite(scores[["value", "low", "high"]]).all(axis=None)
    assert (scores["low"] <= scores["value"] + 0.02).all()
    assert (scores["high"] >= scores["value"] - 0.02).all()
    wins = scores[scores["metric"] == "win_share"]
    assert wins["low"].ge(0).all() and wins["high"].le(1).all()
    regimes = set(scores["regime"])
    assert {"normal", "scarce 8", "scarce 128", "noise 0.1", "imbalance 0.2"} <= regimes
    assert "scarce 256" not in regimes  # of 132 training companies
    mean = by_task[(by_task["regime"] == "normal") & (by_task["method"] == "sae")]["auc"].mean()
    assert normal(scores, "sae")["value"] == pytest.approx(mean)


def test_noise_and_scarcity_cost_something(planted):
    scores, _ = planted
    values = scores[(scores["method"] == "sae") & (scores["versus"] == "")].set_index("regime")
    assert values.at["noise 0.4", "value"] < values.at["noise 0.1", "value"]
    assert values.at["scarce 8", "value"] < values.at["scarce 128", "value"]


def test_the_same_seed_gives_the_same_scores():
    latents, dense = world()
    labels = {"a": latents[:, 3] > 0, "b": latents[:, 40] > 0}
    one, two = (scores_of(latents, dense, labels, seed=4)[0] for _ in range(2))
    pd.testing.assert_frame_equal(one, two)


def case(seed=0):
    latents, dense = world(seed)
    drawn = draw(EVERYTHING, np.arange(140), latents[:, 3] > 0, np.random.default_rng(seed))
    return sparse.csr_array(latents), dense, drawn, np.arange(140, N)


def test_nothing_of_the_test_companies_is_learnt():
    latents, dense, drawn, test = case()
    other = dense.copy()
    other[test] = other[test][::-1] * 7
    labels, folds = drawn.labels[:, None], drawn.folds[:, None]
    plain, changed = (
        probe(from_products(x @ x.T, drawn.train, test), labels, folds) for x in (dense, other)
    )
    np.testing.assert_allclose(plain.validation, changed.validation)
    alone = probe(from_products(dense @ dense.T, drawn.train, test[:5]), labels, folds)
    np.testing.assert_allclose(alone.scores, plain.scores[:, :5], atol=1e-4)
    inner, outer = latents[drawn.train], latents[test]
    for how in (lambda *a: k_sparse(*a, sizes=[5])[5], lasso):
        whole, part = (how(inner, x, drawn.labels, drawn.folds) for x in (outer, outer[:5]))
        assert whole.validation == part.validation
        np.testing.assert_allclose(whole.scores[:, :5], part.scores, atol=1e-5)


def test_features_are_chosen_inside_each_fold():
    # Of many features that mean nothing the best ones separate the rows they were chosen on.
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(60, 4000)), np.arange(60) % 2 == 0
    folds = np.column_stack([np.arange(60) // 12 != part for part in range(5)])
    reading = k_sparse(rows, rows, labels, folds, sizes=[2, 5])[5]
    assert reading.scores[0, labels].mean() > reading.scores[0, ~labels].mean() + 1  # seen rows
    assert abs(reading.validation[0] - 0.5) < 0.25  # rows not seen


def test_regimes_draw_what_they_say():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 4 == 0
    pool = rng.permutation(400)[:300]
    for regime in stresses(len(pool)):
        drawn = draw(regime, pool, labels, np.random.default_rng(1))
        assert len(drawn.train) == regime.n == len(set(drawn.train)) <= len(pool)
        assert set(drawn.train) <= set(pool)
        many = [draw(regime, pool, labels, np.random.default_rng(seed)) for seed in range(20)]
        wrong = np.mean([(one.labels != labels[one.train]).mean() for one in many])
        assert abs(wrong - regime.flipped) < 0.03 and (regime.flipped > 0 or wrong == 0)
        if regime.name.startswith("imbalance"):
            assert drawn.labels.sum() == round(regime.share * regime.n)
        held = ~drawn.folds
        assert (held.sum(axis=1) == 1).all()  # every row is held out once
        for part in held.T:
            assert 0 < drawn.labels[part].sum() < part.sum()
    rare = np.zeros(400, dtype=bool)
    rare[pool[:5]] = True
    assert draw(Regime("imbalance", 128, IMBALANCE[-1], 0.0), pool, rare, rng) is None
    assert draw(EVERYTHING, pool[1:5], rare[:], rng) is None  # nobody without the label


def test_drawing_a_company_twice_counts_it_twice():
    rng = np.random.default_rng(0)
    labels, scores = rng.random(40) < 0.4, rng.integers(0, 6, size=40).astype(float)
    weights = rng.multinomial(40, np.full(40, 1 / 40), size=5).astype(np.float32)
    found = resampled_auc(labels, scores, weights)
    for value, counts in zip(found, weights.astype(int), strict=True):
        again = np.repeat(np.arange(40), counts)
        mine, others = scores[again[labels[again]]], scores[again[~labels[again]]]
        above = np.sign(mine[:, None] - others).mean() / 2 + 0.5
        assert value == pytest.approx(above, abs=1e-6)


def test_industries_with_enough_companies_are_tasks_once():
    major = pd.Series(["28"] * 6 + ["36"] * 3 + ["13"] * 5)
    division = pd.Series(["D"] * 9 + ["B"] * 5)
    tasks = industry_tasks({"major-group": major, "division": division}, least=5)
    assert list(tasks) == ["major-group 13", "major-group 28", "division D"]
    assert tasks["division D"].sum() == 9  # division B is major group 13
    with pytest.raises(DataError, match="two are needed; lower --min-companies"):
        probe_industries({}, {}, own="sae")


def test_one_company_per_issuer_and_text():
    table = pd.DataFrame(
        {
            "sic": ["2834", "2834", "6770", None, "9995", "7372", "7372"],
            "cik": ["1", "1", "2", "3", "4", None, None],
            "description": ["a", "b", "c", "d", "e", "f", "f"],
        },
        index=list("ABCDEFG"),
    )
    assert labelled(table).index.tolist() == ["A", "F"]


@pytest.mark.slow
def test_the_command(tmp_path, capsys):
    toy.universe().companies.reset_index().to_csv(tmp_path / "companies.csv", index=False)
    folder, target = str(tmp_path / "features"), tmp_path / "probe.json"
    argv = ["--companies", str(tmp_path / "companies.csv"), "--model", "tfidf", "--out", folder]
    assert call("build-features", *argv) == 0
    capsys.readouterr()
    argv = ["--features", folder, "--min-companies", "8", "--splits", "1", "--no-stress"]
    argv += ["--json", str(target)]
    assert call("probe", *argv) == 0
    shown = capsys.readouterr()
    assert "AUC by regime" in shown.out and "words minus embedding" in shown.out
    assert "40 companies, 6 industries" in shown.err
    content = json.loads(target.read_text())
    assert set(content["scores"][0]) == {"regime", *SCORE_COLUMNS}
    assert {row["task"] for row in content["by_task"]} >= {"major-group 28", "division D"}
    assert call("probe", "--features", folder, "--min-companies", "30") == 2
    assert capsys.readouterr().err.count("\n") == 1
