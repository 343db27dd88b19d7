"""Trading similar companies against each other: tests, selection, rules, money, statistics."""

from finsae.pairs import ledger, stats
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
from finsae.pairs.cointegration import engle_granger, half_life
from finsae.pairs.engine import simulate
from finsae.pairs.rules import Kalman, RollingOLS, ZScore
from finsae.pairs.scoring import by_year, exposures, scores, warnings
from finsae.pairs.select import LowestPValue, candidates, pair_tests, same_issuer
from finsae.pairs.sweep import overfitting_of, remembered, sweep
from finsae.pairs.terms import Terms

VERSION = 3  # raised when books of the same similarities and prices change

__all__ = [
    "PLACEBO",
    "Backtest",
    "Book",
    "Kalman",
    "LowestPValue",
    "RollingOLS",
    "Terms",
    "Window",
    "ZScore",
    "by_year",
    "candidates",
    "engle_granger",
    "exposures",
    "follow",
    "half_life",
    "ledger",
    "overfitting_of",
    "pair_tests",
    "propose",
    "remembered",
    "same_issuer",
    "scores",
    "simulate",
    "stats",
    "sweep",
    "tables",
    "trade",
    "walk_forward",
    "walk_windows",
    "warnings",
]
