"""Trading similar companies against each other: tests, selection, rules, money, statistics."""

from finsae.pairs.backtest import propose, scores, tables, trade, warnings
from finsae.pairs.cointegration import engle_granger, half_life
from finsae.pairs.engine import Backtest, simulate
from finsae.pairs.rules import ZScore
from finsae.pairs.select import LowestPValue, candidates, pair_tests, same_issuer

VERSION = 2  # raised when books of the same similarities and prices change

__all__ = [
    "Backtest",
    "LowestPValue",
    "ZScore",
    "candidates",
    "engle_granger",
    "half_life",
    "pair_tests",
    "propose",
    "same_issuer",
    "scores",
    "simulate",
    "tables",
    "trade",
    "warnings",
]
