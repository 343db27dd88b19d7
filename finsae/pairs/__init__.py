"""Trading similar companies against each other: tests, selection, rules, money, statistics."""

from finsae.pairs import stats
from finsae.pairs.backtest import (
    PLACEBO,
    Window,
    follow,
    propose,
    tables,
    trade,
    walk_forward,
    walk_windows,
)
from finsae.pairs.book import Backtest, Book
from finsae.pairs.cointegration import (
    adf,
    all_pairs,
    engle_granger,
    half_life,
    johansen,
    phillips_ouliaris,
    spread_statistics,
)
from finsae.pairs.engine import simulate
from finsae.pairs.rules import Kalman, RollingOLS, ZScore
from finsae.pairs.scoring import by_year, empty_windows, exposures, scores, warnings
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
from finsae.pairs.sweep import Trader, net_of, overfitting_of, remembered, sweep
from finsae.pairs.terms import Terms, last_prices

VERSION = 7  # raised when books of the same similarities and prices change

__all__ = [
    "PLACEBO",
    "Backtest",
    "Book",
    "Distance",
    "FalseDiscovery",
    "Filters",
    "Kalman",
    "LowestPValue",
    "RollingOLS",
    "SarmentoHorta",
    "Terms",
    "Trader",
    "Window",
    "ZScore",
    "adf",
    "all_pairs",
    "by_year",
    "candidates",
    "empty_windows",
    "engle_granger",
    "exposures",
    "follow",
    "half_life",
    "johansen",
    "last_prices",
    "net_of",
    "overfitting_of",
    "pair_tests",
    "phillips_ouliaris",
    "propose",
    "remembered",
    "same_issuer",
    "scores",
    "simulate",
    "spread_statistics",
    "stats",
    "sweep",
    "tables",
    "trade",
    "walk_forward",
    "walk_windows",
    "warnings",
    "within_clusters",
]
