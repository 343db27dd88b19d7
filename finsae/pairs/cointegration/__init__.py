"""Cointegration tests for many pairs at once, and what to know of a spread."""

from finsae.pairs.cointegration.all_pairs import all_pairs
from finsae.pairs.cointegration.crosscheck import johansen, phillips_ouliaris
from finsae.pairs.cointegration.dickey_fuller import adf, schwert_lag
from finsae.pairs.cointegration.mackinnon import mackinnon_pvalue
from finsae.pairs.cointegration.spread import half_life, hurst, mean_crossings, spread_statistics
from finsae.pairs.cointegration.two_step import engle_granger, log_prices

__all__ = [
    "adf",
    "all_pairs",
    "engle_granger",
    "half_life",
    "hurst",
    "johansen",
    "log_prices",
    "mackinnon_pvalue",
    "mean_crossings",
    "phillips_ouliaris",
    "schwert_lag",
    "spread_statistics",
]
