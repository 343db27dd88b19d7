"""Trading similar companies against each other: tests, selection, rules, money, statistics."""

from finsae.pairs.backtest import propose, scores, tables, trade, warnings
from finsae.pairs.cointegration import (
    adf,
    all_pairs,
    engle_granger,
    half_life,
    johansen,
    phillips_ouliaris,
    spread_statistics,
)
from finsae.pairs.engine import Backtest, simulate
from finsae.pairs.rules import ZScore
from finsae.pairs.select import (
    Distance,
    FalseDiscovery,
    Filters,
    LowestPValue,
    SarmentoHorta,
    candidates,
    pair_tests,
    same_issuer,
    within_clusters,
)

VERSION = 3  # raised when books of the same similarities and prices change

__all__ = [
    "Backtest",
    "Distance",
    "FalseDiscovery",
    "Filters",
    "LowestPValue",
    "SarmentoHorta",
    "ZScore",
    "adf",
    "all_pairs",
    "candidates",
    "engle_granger",
    "half_life",
    "johansen",
    "pair_tests",
    "phillips_ouliaris",
    "propose",
    "same_issuer",
    "scores",
    "simulate",
    "spread_statistics",
    "tables",
    "trade",
    "warnings",
    "within_clusters",
]
