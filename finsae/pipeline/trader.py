"""From the settings of a backtest to the parts that do the work: selector, rule and terms."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from finsae import pairs
from finsae.checks import DataError
from finsae.config import Backtest
from finsae.plugins import PairSelector, TradingRule, make

SHOWN = ("resamples", "placebo")  # how a book is judged, not what is in it
LATER = (
    "max_days",
    "per_share",
    "gross_cap",
    "net_cap",
    "patience",
    "delisting_loss",
    "min_half_life",
    "max_half_life",
    "max_hurst",
    "min_crossings",
    "min_volume",
)
"""Settings that the first ledgers do not know."""


def trader_of(
    settings: Backtest, prices: pd.DataFrame, value: pd.DataFrame | None = None
) -> pairs.Trader:
    """Make all three, as `selector_of`, `rule_of` and `terms_of` do; nothing is traded yet."""
    return pairs.Trader(selector_of(settings, value), rule_of(settings), terms_of(settings, prices))


def terms_of(settings: Backtest, prices: pd.DataFrame) -> pairs.Terms:
    """Make the terms of trading.

    Parameters
    ----------
    settings : Backtest
    prices : DataFrame, dates x tickers
        All closes there are: who never trades again is seen in what follows a window.

    Raises
    ------
    DataError
        If a cost, a cap, the patience or the loss is impossible.
    """
    terms = pairs.Terms(
        settings.cost_bps,
        settings.borrow_bps,
        settings.per_share,
        gross_cap=settings.gross_cap or None,
        net_cap=settings.net_cap or None,
        patience=settings.patience,
        delisting_loss=settings.delisting_loss,
    )
    return replace(terms, ended=pairs.last_prices(prices, patience=settings.patience))


def rule_of(settings: Backtest) -> TradingRule:
    """Make the trading rule.

    Raises
    ------
    DataError
        If there is none of that name, or its bands are not ordered.
    """
    rule = make(
        "rule",
        settings.rule,
        entry=settings.entry,
        exit=settings.exit,
        stop=settings.stop or None,
        max_days=settings.max_days or None,
    )
    rule.check()
    made: TradingRule = rule
    return made


def selector_of(settings: Backtest, value: pd.DataFrame | None = None) -> PairSelector:
    """Make the selector; filters that are set take the place of its own, one by one.

    Parameters
    ----------
    settings : Backtest
    value : DataFrame, dates x tickers, optional
        Value traded a day.

    Raises
    ------
    DataError
        If there is none of that name, a bound is impossible, or volumes are asked for and lacking.
    """
    given: dict[str, Any] = {}
    if settings.min_half_life or settings.max_half_life:
        given["half_life"] = (settings.min_half_life, settings.max_half_life or np.inf)
    if settings.max_hurst:
        given["hurst"] = settings.max_hurst
    if settings.min_crossings:
        given["crossings"] = settings.min_crossings
    if settings.min_volume:
        if value is None:
            raise DataError(
                f"min_volume = {settings.min_volume:g} needs the shares traded a day: give "
                "--volume FILE, or volume under [data]"
            )
        given |= {"volume": value, "min_volume": settings.min_volume}
    selector = make("selector", settings.selector, n=settings.pairs)
    if given:
        selector.filters = replace(selector.filters or pairs.Filters(), **given)
    made: PairSelector = selector
    return made


def noted(settings: Backtest) -> dict[str, Any]:
    """Write what makes a trial for the ledger.

    Settings that came after the first ledgers are noted where they are set: with what they are by
    default a run is the trial that it was before.
    """
    default = asdict(Backtest())
    return {
        name: value
        for name, value in asdict(settings).items()
        if name not in SHOWN and not (name in LATER and value == default[name])
    }
