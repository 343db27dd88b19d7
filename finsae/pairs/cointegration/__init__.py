"""Cointegration tests for many pairs at once, and what to know of a spread."""

from finsae.pairs.cointegration.all_pairs import all_pairs
from finsae.pairs.cointegration.dickey_fuller import adf, schwert_lag
from finsae.pairs.cointegration.mackinnon import mackinnon_pvalue
from finsae.pairs.cointegration.spread import half_life
from finsae.pairs.cointegration.two_step import engle_granger, log_prices

__all__ = [
    "adf",
    "all_pairs",
    "engle_granger",
    "half_life",
    "log_prices",
    "mackinnon_pvalue",
    "schwert_lag",
]
