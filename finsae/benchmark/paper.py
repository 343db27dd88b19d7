"""MC as it was published: the clusters of a year scored on the returns of that same year.

Molinari et al. (2025, "Interpretable company similarity with sparse autoencoders", ACL Industry
Track, arXiv 2412.02605) score a clustering by the mean correlation inside its clusters (MC): per
year Pearson correlations of twelve monthly log returns, averaged over the pairs of each cluster of
two or more, then over clusters and over years, everything weighing the same. This says how
clusters go with the returns of their own time. It is no statement on later returns (that is
`finsae.benchmark.score`), and it can be won by making pairs of near-duplicates and leaving everyone
else alone, which is why other weightings and the coverage stand beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.benchmark.interval import bounds
from finsae.checks import DataError, nearest
from finsae.result import SCORE_COLUMNS
from finsae.similarity import pairwise_correlation

FloatArray = npt.NDArray[np.floating[Any]]

MONTHS = 12
METRICS = ("mc", "pair_weighted", "coverage_adjusted", "coverage", "population")
COUNTS = {"mc": "clusters", "pair_weighted": "pairs", "population": "all_pairs"}
"""What the n of a metric counts; company-years for the others."""


class YearScore(NamedTuple):
    """One clustering in one year: values, counts, and the values under resampling.

    Attributes
    ----------
    values : ndarray [metrics]
    drawn : ndarray [resamples, metrics]
        With the year's clusters drawn with replacement.
    counts : dict
        ``clusters, companies, pairs, all_pairs, skipped_pairs, without_returns``.
    """

    values: FloatArray
    drawn: FloatArray
    counts: dict[str, int]


def score_as_published(
    clusterings: Mapping[str, pd.DataFrame],
    monthly: pd.DataFrame,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score clusterings of several years on the returns of the same years.

    ``mc``
        As published, see the module. Nothing is clipped, winsorised or adjusted for the market.
    ``pair_weighted``
        Mean over the year's pairs that share a cluster, then over years: a cluster counts by its
        pairs.
    ``coverage_adjusted``
        Mean over companies of the mean correlation with those of the same cluster, a company alone
        counting as the population's mean, then over years: who covers few gains little.
    ``coverage``
        Share of companies that share a cluster with another.
    ``population``
        Mean correlation of all pairs of the same years, whatever the clusters.

    A company needs all twelve returns of a year to be there in it, as in the published data; pairs
    of others, and of companies whose return never changed, are skipped and counted. The companies
    of a year are those that any of the clusterings names; one that does not name a company leaves
    it alone. Years without twelve months of returns are left out.

    Intervals (95 %): years are drawn with replacement, and within each drawn year its clusters
    (companies alone among them), anew for every draw; of a single year, its clusters only. The
    percentiles are recentred and expanded for few years, see `finsae.benchmark.interval.bounds`.
    In 200 simulated markets (80 companies, new clusters every year) they covered the true MC in
    0.92 with three years, 0.95 with nine and 0.98 with 25: with many years they are rather too
    wide, since clusters are noise of their years, too; with few they are too narrow.

    Differences between clusterings (`versus`) are taken over the years that both have, in the same
    drawn years; versus "population" is the lift over all pairs of these years.

    Parameters
    ----------
    clusterings : mapping of str to DataFrame
        By name: ``year, company, cluster`` (None: alone).
    monthly : DataFrame
        Monthly log returns, month ends x companies.
    resamples, seed : int

    Returns
    -------
    scores : DataFrame
        ``method, metric, value, low, high, n, interval, versus``; n counts clusters, pairs, or
        companies, over all years.
    by_year : DataFrame
        Per clustering and year the values and counts; ``skipped_pairs`` shared a cluster but have
        no correlation, ``without_returns`` are companies without the year's twelve returns.

    Raises
    ------
    DataError
        If no company has returns, no year has twelve months, or one cluster is all there is.
    """
    _check(clusterings, monthly)
    found: dict[str, dict[int, YearScore]] = {name: {} for name in clusterings}
    for year in _years(clusterings, monthly):
        mine = {n: table[table["year"] == year] for n, table in clusterings.items()}
        mine = {name: table for name, table in mine.items() if len(table)}
        returns = monthly[pd.DatetimeIndex(monthly.index).year == year]
        named = pd.unique(pd.concat([table["company"] for table in mine.values()]))
        rng = np.random.default_rng([seed, year])
        for name, score in _score_year(mine, returns, named, draws=resamples, rng=rng).items():
            found[name][year] = score
    rng = np.random.default_rng(seed)
    rows = [_row(name, "", found[name], rng) for name in found]
    rows += [_lift(name, found[name], rng) for name in found]
    rows += [_difference(a, b, found, rng) for a, b in combinations(found, 2)]
    table = [
        {"method": name, "year": year, **dict(zip(METRICS, score.values, strict=True))}
        | score.counts
        for name, years in found.items()
        for year, score in years.items()
    ]
    return pd.concat(rows, ignore_index=True)[list(SCORE_COLUMNS)], pd.DataFrame(table)


def complete_years(monthly: pd.DataFrame) -> list[int]:
    """Calendar years of which a table holds twelve months."""
    months = pd.Series(pd.DatetimeIndex(monthly.index).year).value_counts()
    return sorted(int(year) for year in months.index[months == MONTHS])


def _years(clusterings: Mapping[str, pd.DataFrame], monthly: pd.DataFrame) -> list[int]:
    named = {int(year) for table in clusterings.values() for year in table["year"]}
    return [year for year in complete_years(monthly) if year in named]


def _check(clusterings: Mapping[str, pd.DataFrame], monthly: pd.DataFrame) -> None:
    problems = []
    for name, table in clusterings.items():
        known = table["company"].isin(monthly.columns)
        if not known.any():
            first = table["company"].iloc[0]
            problems.append(
                f'"{name}" names no company that has prices, "{first}"'
                f"{nearest(first, monthly.columns)}: companies are named by ticker, as prices are"
            )
        elif not _years({name: table}, monthly):
            have = complete_years(monthly)
            span = f"{have[0]} to {have[-1]}" if have else "in no year"
            problems.append(
                f'no year of "{name}" ({table["year"].min()} to {table["year"].max()}) has twelve '
                f"monthly returns: the prices have them {span}"
            )
    if problems:
        raise DataError(problems)


def _score_year(
    clusterings: Mapping[str, pd.DataFrame],
    returns: pd.DataFrame,
    named: npt.NDArray[np.object_],
    *,
    draws: int,
    rng: np.random.Generator,
) -> dict[str, YearScore]:
    """Score every clustering of a year on the correlations of that year."""
    whole = returns.columns[returns.notna().all()]
    companies = pd.Index(named)[pd.Index(named).isin(whole)]
    correlation = pairwise_correlation(returns[companies].to_numpy(float), min_obs=MONTHS)
    np.fill_diagonal(correlation, np.nan)
    everyone = int(np.isfinite(correlation).sum() // 2)
    scores = {}
    for name, table in clusterings.items():
        labels = table.set_index("company")["cluster"]
        codes = _codes(labels.reindex(companies))
        units = _units(codes, correlation)
        sizes = labels.value_counts()
        counts = {
            "clusters": int((units["pairs"] > 0).sum()),
            "companies": len(companies),
            "pairs": int(units["pairs"].sum()),
            "all_pairs": everyone,
            "skipped_pairs": int((sizes * (sizes - 1) // 2).sum() - units["pairs"].sum()),
            "without_returns": len(named) - len(companies),
        }
        weights = rng.multinomial(len(units), np.full(len(units), 1 / len(units)), size=draws)
        once = np.ones((1, len(units)), dtype=np.int64)
        mean = float(np.nanmean(correlation)) if everyone else np.nan
        scores[name] = YearScore(
            _metrics(units, once, mean)[0], _metrics(units, weights, mean), counts
        )
    return {name: score for name, score in scores.items() if score.counts["companies"]}


def _codes(labels: pd.Series) -> npt.NDArray[np.int64]:
    """Give every cluster a number; a company without a label is a cluster of its own."""
    codes, groups = pd.factorize(labels)
    alone = np.flatnonzero(codes < 0)
    codes = codes.astype(np.int64)
    codes[alone] = len(groups) + np.arange(len(alone))
    return codes


def _units(codes: npt.NDArray[np.int64], correlation: FloatArray) -> pd.DataFrame:
    """Sum up each cluster: pairs and their correlation, companies, those covered and their sum.

    `own` sums over the covered companies the mean correlation with those of the same cluster.
    """
    n, k = len(codes), int(codes.max(initial=-1)) + 1
    member = sparse.csr_array((np.ones(n), (np.arange(n), codes)), shape=(n, k))
    seen = np.isfinite(correlation)
    total = (np.where(seen, correlation, 0) @ member)[np.arange(n), codes]
    peers = (seen.astype(float) @ member)[np.arange(n), codes]
    covered = peers > 0
    own = np.where(covered, total / np.maximum(peers, 1), 0)
    columns = {
        "sum": total / 2,
        "pairs": peers / 2,
        "companies": np.ones(n),
        "covered": covered,
        "own": own,
    }
    return pd.DataFrame(
        {name: np.bincount(codes, values, minlength=k) for name, values in columns.items()}
    )


def _metrics(
    units: pd.DataFrame, weights: npt.NDArray[np.int64], population: float
) -> npt.NDArray[np.float64]:
    """Compute the metrics of one year, [draws, metrics], with each cluster drawn so often."""
    pairs = units["pairs"].to_numpy()
    scored = pairs > 0
    means = np.where(scored, units["sum"].to_numpy() / np.where(scored, pairs, 1), 0)
    sums = {name: weights @ units[name].to_numpy() for name in units}
    with np.errstate(divide="ignore", invalid="ignore"):
        mc = (weights @ means) / (weights @ scored)
        pair_weighted = sums["sum"] / sums["pairs"]
    alone = sums["companies"] - sums["covered"]
    adjusted = (sums["own"] + population * alone) / sums["companies"]
    coverage = sums["covered"] / sums["companies"]
    everyone = np.full(len(weights), population)
    return np.column_stack([mc, pair_weighted, adjusted, coverage, everyone])


def _row(
    name: str, versus: str, years: Mapping[int, YearScore], rng: np.random.Generator
) -> pd.DataFrame:
    """Average over years, with the intervals of all metrics."""
    scores = list(years.values())
    clusters = sum(score.counts["clusters"] for score in scores)
    if len(scores) == 1 and clusters < 2:
        raise DataError(
            f'"{name}" has {clusters} clusters of two or more in one year: '
            "an interval needs two clusters, or two years"
        )
    points = np.stack([score.values for score in scores])
    drawn = np.stack([score.drawn for score in scores])
    draws, count = drawn.shape[1], len(scores)
    year = rng.integers(count, size=(draws, count))
    again = rng.integers(draws, size=(draws, count))  # a year drawn twice draws its clusters anew
    value, resampled = _mean(points, 0), _mean(drawn[year, again], 1)
    low, high = bounds(value, resampled, months=count if count > 1 else clusters)
    n = [sum(s.counts[COUNTS.get(metric, "companies")] for s in scores) for metric in METRICS]
    return pd.DataFrame(
        {
            "method": name,
            "metric": METRICS,
            "value": value,
            "low": low,
            "high": high,
            "n": n,
            "interval": "year and cluster" if count > 1 else "cluster",
            "versus": versus,
        }
    )


def _mean(values: FloatArray, axis: int) -> FloatArray:
    """Mean over years; a year that has no cluster of two or more has no MC to average."""
    seen = np.isfinite(values)
    count = seen.sum(axis=axis)
    total = np.where(seen, values, 0).sum(axis=axis)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _lift(name: str, years: Mapping[int, YearScore], rng: np.random.Generator) -> pd.DataFrame:
    """Say how far a clustering lies above all pairs of its own years."""
    last = METRICS.index("population")
    lifted = {
        year: score._replace(
            values=score.values - score.values[last], drawn=score.drawn - score.drawn[:, [last]]
        )
        for year, score in years.items()
    }
    rows = _row(name, "population", lifted, rng)
    return rows[rows["metric"].isin(["mc", "pair_weighted", "coverage_adjusted"])]


def _difference(
    a: str, b: str, found: Mapping[str, Mapping[int, YearScore]], rng: np.random.Generator
) -> pd.DataFrame:
    """Compare two clusterings in the years that both have."""
    common = {
        year: mine._replace(
            values=mine.values - found[b][year].values,
            drawn=mine.drawn - found[b][year].drawn,
            counts={k: min(n, found[b][year].counts[k]) for k, n in mine.counts.items()},
        )
        for year, mine in found[a].items()
        if year in found[b]
    }
    if not common:
        return pd.DataFrame(columns=list(SCORE_COLUMNS))
    rows = _row(a, b, common, rng)
    return rows[rows["metric"] != "population"]
