"""Many rules on the same pairs: what the choice among them is worth, and what it costs in luck."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from finsae.pairs.backtest import PLACEBO, Proposals, Tests, Window, shared_tests, walk_forward
from finsae.pairs.stats.selection import MIN_CONFIGURATIONS, overfitting
from finsae.pairs.terms import Terms
from finsae.plugins import PairSelector, TradingRule


def remembered(test: Tests = shared_tests) -> Tests:
    """Make a test that tests no pair of a formation window twice.

    For runs that form pairs on the same windows: several rules, terms or protocols.
    """
    tables: dict[tuple[object, ...], pd.DataFrame] = {}

    def look_up(formation: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
        window = (formation.index[0], formation.index[-1], tuple(formation.columns))
        table = tables.get(window)
        wanted = pd.MultiIndex.from_frame(pairs[["a", "b"]])
        if table is None:
            new = pairs[["a", "b"]]
        else:
            new = pairs.loc[~wanted.isin(table.index), ["a", "b"]]
        if len(new):
            tested = test(formation, new.reset_index(drop=True)).set_index(["a", "b"])
            if table is not None:
                tested = pd.concat([table, tested[~tested.index.isin(table.index)]])
            table = tested
            tables[window] = table
        found = pairs.iloc[:0] if table is None else table.loc[wanted].reset_index()
        return found.set_axis(pairs.index, axis=0)

    return look_up


def sweep(
    candidates: Callable[[pd.DataFrame], Proposals],
    prices: pd.DataFrame,
    *,
    windows: Sequence[Window],
    rules: Mapping[str, TradingRule],
    selector: PairSelector | None = None,
    terms: Terms | None = None,
    test: Tests = shared_tests,
) -> pd.DataFrame:
    """Trade the same pairs by every rule.

    Each column is a trial: record them in the ledger.

    Parameters
    ----------
    candidates, prices, windows, selector, terms, test
        As for `walk_forward`.
    rules : mapping of str to TradingRule
        Such as z-scores at several bands.

    Returns
    -------
    DataFrame, days x (method, rule)
        Daily net returns, averaged over a method's draws; without the placebo.
    """
    shared = remembered(test)
    found: dict[tuple[str, str], pd.Series] = {}
    for name, rule in rules.items():
        books = walk_forward(
            candidates,
            prices,
            windows=windows,
            selector=selector,
            rule=rule,
            terms=terms,
            test=shared,
        )
        for method, drawn in books.items():
            if method != PLACEBO:
                net = np.mean([book.returns["net"].to_numpy() for book in drawn], axis=0)
                found[method, name] = pd.Series(net, index=drawn[0].returns.index)
    return pd.DataFrame(found)


def overfitting_of(swept: pd.DataFrame) -> pd.Series:
    """Probability of backtest overfitting of each method's choice among its rules.

    Parameters
    ----------
    swept : DataFrame, days x (method, rule)
        As from `sweep`.

    Returns
    -------
    Series by method
        NaN for fewer than 16 rules: too few to say.
    """
    methods = swept.columns.get_level_values(0).unique()
    return pd.Series(
        {
            method: overfitting(swept[method])
            if swept[method].shape[1] >= MIN_CONFIGURATIONS
            else np.nan
            for method in methods
        }
    )
