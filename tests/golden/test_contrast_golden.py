"""Log-odds and exact tests against statsmodels and scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from statsmodels.stats.contingency_tables import Table2x2, mcnemar
from statsmodels.stats.multitest import multipletests

from finsae.explain.contrast import contrast, paired_contrast
from finsae.features import Features


def features(rng, n=60, width=40):
    rows = (rng.random((n, width)) < rng.random(width)).astype(float)
    companies = pd.DataFrame({"description": [""] * n}, index=[f"T{i}" for i in range(n)])
    return Features.build(sparse.csr_array(rows), companies, [f"f{i}" for i in range(width)])


def test_log_odds_and_intervals_are_those_of_statsmodels():
    made = features(np.random.default_rng(0))
    found = contrast(made, np.arange(15), np.arange(15, 60))
    p = []
    for row in found.to_dict("records"):
        counts = np.array(
            [[row["inside"], 15 - row["inside"]], [row["outside"], 45 - row["outside"]]]
        )
        table = Table2x2(counts + 0.5, shift_zeros=False)
        assert row["log_odds"] == pytest.approx(table.log_oddsratio)
        assert (row["low"], row["high"]) == pytest.approx(table.log_oddsratio_confint())
        tails = [
            stats.fisher_exact(counts, alternative=side).pvalue for side in ("less", "greater")
        ]
        p.append(min(1, 2 * min(tails)))
    assert (np.diff(p) >= -1e-12).all()
    np.testing.assert_allclose(found["q"], multipletests(p, method="fdr_bh")[1], rtol=1e-9)


def test_changes_of_the_same_companies_are_mcnemars():
    rng = np.random.default_rng(1)
    before, after = features(rng), features(rng)
    found = paired_contrast(before, after, list(before.companies.index))
    p = []
    for row in found.to_dict("records"):
        table = [[0, row["lost"]], [row["gained"], 0]]
        p.append(mcnemar(table, exact=True).pvalue)
    np.testing.assert_allclose(found["q"], multipletests(p, method="fdr_bh")[1], rtol=1e-9)
