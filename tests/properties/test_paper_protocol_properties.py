"""The paper's protocol against plain loops, and under renaming."""

from itertools import combinations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from finsae.benchmark.paper import METRICS, score_as_published


def case(seed, n=9, years=3):
    rng = np.random.default_rng(seed)
    months = pd.date_range("2001-01-31", periods=12 * years, freq="ME")
    returns = rng.normal(size=(12 * years, n)) + rng.normal(size=(12 * years, 1))
    returns[rng.random(returns.shape) < 0.01] = np.nan
    names = [f"T{i}" for i in range(n)]
    tables = [
        pd.DataFrame(
            {
                "year": 2001 + y,
                "company": names,
                "cluster": np.array(["a", "b", "c", "d", None], dtype=object)[
                    rng.integers(5, size=n)
                ],
            }
        )
        for y in range(years)
    ]
    tables[0].loc[:3, "cluster"] = ["a", "a", "b", "b"]
    return pd.concat(tables, ignore_index=True), pd.DataFrame(returns, months, names)


def by_loops(table, monthly):
    """MC as one would write it down: loops and pandas' own correlation."""
    found = []
    for year, rows in table.groupby("year"):
        months = monthly[monthly.index.year == year]
        correlation = months.corr(min_periods=12)
        means = []
        for _, members in rows.dropna().groupby("cluster"):
            pairs = [correlation.at[a, b] for a, b in combinations(members["company"], 2)]
            pairs = [value for value in pairs if not np.isnan(value)]
            if pairs:
                means.append(sum(pairs) / len(pairs))
        if means:
            found.append(sum(means) / len(means))
    return sum(found) / len(found)


def values(table, monthly):
    scores, _ = score_as_published({"x": table}, monthly, resamples=5)
    return scores[scores["versus"] == ""].set_index("metric")["value"][list(METRICS)].to_numpy()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_mc_equals_plain_loops(seed):
    table, monthly = case(seed)
    np.testing.assert_allclose(values(table, monthly)[0], by_loops(table, monthly), rtol=1e-9)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_neither_order_nor_names_matter(seed):
    table, monthly = case(seed)
    rng = np.random.default_rng(seed)
    plain = values(table, monthly)
    shuffled = table.sample(frac=1, random_state=seed)
    columns = monthly[rng.permutation(monthly.columns)]
    np.testing.assert_allclose(values(shuffled, columns), plain, rtol=1e-9)
    renamed = table.assign(cluster=table["cluster"].map({"a": "9", "b": "a", "c": "x", "d": "y"}))
    np.testing.assert_allclose(values(renamed, monthly), plain, rtol=1e-9)


def test_the_same_seed_gives_the_same_scores_and_another_table_beside_changes_no_value():
    table, monthly = case(3)
    one, _ = score_as_published({"x": table}, monthly, resamples=40, seed=1)
    two, _ = score_as_published({"x": table}, monthly, resamples=40, seed=1)
    pd.testing.assert_frame_equal(one, two)
    other = table.assign(cluster="all")
    both, _ = score_as_published({"x": table, "other": other}, monthly, resamples=40, seed=1)
    mine = both[(both["method"] == "x") & (both["versus"] == "")]
    assert mine["value"].tolist() == one[one["versus"] == ""]["value"].tolist()
    everyone = both[(both["method"] == "other") & (both["versus"] == "")].set_index("metric")
    assert np.isclose(everyone.at["mc", "value"], everyone.at["population", "value"])
