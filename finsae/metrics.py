"""What every metric is called in print, what it means, and how its values are written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple


class Metric(NamedTuple):
    """A metric as a reader meets it; percentages are kept as fractions and shown times 100.

    `counted` says what a score's n are.
    """

    name: str
    meaning: str
    digits: int = 3
    scale: float = 1.0
    counted: str = "companies"


PEERS: dict[str, Metric] = {
    "peer_r2": Metric(
        "Peer R²",
        "adjusted R-squared of each month's cross-section of returns after the cut, regressed on "
        "the average return of each company's nearest peers, averaged over months",
        counted="company-months",
    ),
    "peer_correlation": Metric(
        "Peer correlation",
        "mean correlation of a company's monthly log returns after the cut with those of its "
        "nearest peers, averaged over companies",
    ),
    "peer_correlation_worst_decile": Metric(
        "Worst decile", "the same for the company that a tenth of all companies fall below"
    ),
    "peer_correlation_placebo_p": Metric(
        "Placebo p",
        "share of random renamings of the companies whose peers do at least as well",
        counted="renamings",
    ),
    "peer_residual_correlation": Metric(
        "Residual correlation",
        "the same as peer correlation of what is left of the returns after a regression on the "
        "mean company's",
    ),
    "hedged_variance": Metric(
        "Hedged variance",
        "variance that is left of a company's later returns when it is hedged with the basket of "
        "its peers, the hedge ratio fitted before the cut; median over companies, lower is better",
    ),
    "length_correlation": Metric(
        "Length",
        "correlation of similarity with the lengths of the two descriptions, over all pairs: how "
        "much a method takes companies for alike because much is written about both",
    ),
    "industry_lift": Metric(
        "Lift inside industry",
        "mean correlation with the nearest peers inside the own major group, less that with all "
        "others of the group",
        counted="companies with others in their group",
    ),
}

CLUSTERS: dict[str, Metric] = {
    "mc": Metric(
        "Mean correlation (MC)",
        "mean correlation inside each cluster, averaged over clusters of whatever size, the "
        "paper's measure; many tiny clusters flatter it",
        counted="clusters",
    ),
    "pair_weighted": Metric(
        "Pair-weighted", "mean correlation over all pairs that share a cluster", counted="pairs"
    ),
    "coverage_adjusted": Metric(
        "Coverage-adjusted",
        "mean over companies of their cluster's mean correlation; who is left alone counts as the "
        "mean of all pairs",
    ),
    "ari": Metric("ARI", "adjusted Rand index with the major groups; 0 by chance, 1 the same"),
    "ami": Metric("AMI", "adjusted mutual information with the major groups; 0 by chance"),
    "coverage": Metric("Coverage, %", "share of companies in a cluster of two or more", 0, 100),
}

MONEY: dict[str, Metric] = {
    "sharpe_net": Metric(
        "Net Sharpe",
        "mean over standard deviation of daily returns after costs, times the root of 252; idle "
        "days count, and a method without trades has none; brackets of random pairs hold the "
        "middle 95 % of their draws, all others a bootstrap interval",
        2,
        counted="days",
    ),
    "sharpe_gross": Metric("Gross Sharpe", "the same before costs", 2),
    "return_annual": Metric(
        "Net return a year, %", "on committed capital, one unit per pair, not compounded", 2, 100
    ),
    "max_drawdown": Metric(
        "Deepest drawdown, %", "largest fall of the summed net returns from a peak", 1, 100
    ),
    "placebo_percentile": Metric(
        "Above random, %",
        "share of the draws of random pairs (100 by default) with a lower net Sharpe ratio",
        0,
        100,
    ),
    "psr": Metric(
        "PSR", "probability that the true Sharpe ratio is above 0, moments considered", 2
    ),
    "dsr": Metric(
        "DSR", "the same above what the best of all configurations tried would have by luck", 2
    ),
    "trades": Metric("Trades", "positions opened and closed, averaged over draws", 0),
    "turnover": Metric("Turnover a year", "value bought and sold over committed capital", 1),
    "alpha": Metric(
        "Alpha a year, %",
        "net return a year that the market does not explain: the equal-weighted mean of all "
        "companies that may be traded; with a Newey-West interval",
        2,
        100,
    ),
    "beta": Metric("Beta", "change of the net return with that market's return", 3),
    "capacity": Metric(
        "Capacity, millions",
        "committed capital at which nineteen of twenty opening legs are at most 1 % of the median "
        "value traded a day, in the currency of the prices; only where volumes are given",
        3,
        1e-6,
    ),
    "break_even_bps": Metric(
        "Break-even cost, bp", "costs per leg and side that would eat the whole profit", 1
    ),
    "fdr": Metric(
        "False discoveries, %",
        "estimated share of the traded pairs that only look cointegrated, because so many were "
        "tested (Benjamini-Hochberg, for tests that depend on one another mildly)",
        0,
        100,
    ),
    "fdr_by": Metric(
        "False discoveries (any dependence), %",
        "the estimate that holds however the tests depend on one another (Benjamini-Yekutieli); "
        "pairs that share a leg do",
        0,
        100,
    ),
}

HEDGING: dict[str, Metric] = {
    "variance_removed": Metric(
        "Variance removed, %",
        "share of a company's later variance that a hedge with the basket of its peers removes; "
        "median over companies",
        1,
    ),
}


METRICS: dict[str, Metric] = {**PEERS, **CLUSTERS, **MONEY}
"""All that a score's ``metric`` may be in a benchmark or a backtest."""


def interval(row: Mapping[str, Any], *, signed: bool = False, digits: int = 3) -> str:
    """Write a score with its interval, ``0.431 [0.402, 0.460]``.

    Parameters
    ----------
    row : mapping
        A row of the scores: value, low, high.
    signed : bool
        Show the sign of positive numbers too, as differences want it.
    digits : int
        Digits after the point.

    Returns
    -------
    str
        The value alone where there is no interval, "not available" where there is no value.
    """
    if not known(row["value"]):
        return "not available"
    form = f"{'+' if signed else ''}z.{digits}f"  # z: what rounds to nothing has no sign
    value = f"{row['value']:{form}}"
    return f"{value} [{row['low']:{form}}, {row['high']:{form}}]" if has_interval(row) else value


def has_interval(row: Mapping[str, Any]) -> bool:
    """Whether a score has a value and both ends of its interval."""
    return all(known(row[name]) for name in ("value", "low", "high"))


def known(value: Any) -> bool:  # noqa: ANN401 - a number, None or NaN
    """Whether a score is there: neither None nor NaN."""
    return value is not None and not math.isnan(float(value))
