"""Many rules on the same pairs: what the choice among them is worth, and what it costs in luck."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from finsae.pairs.backtest import (
    PLACEBO,
    Books,
    Proposals,
    Tests,
    Window,
    shared_tests,
    walk_forward,
)
from finsae.pairs.book import Backtest
from finsae.pairs.stats.selection import MIN_CONFIGURATIONS, overfitting
from finsae.pairs.terms import Terms
from finsae.plugins import PairSelector, TradingRule

BLOCKS = 16
"""Into which the days are cut for the probability of overfitting."""


class Trader(NamedTuple):
    """How pairs are chosen, when they are held, and what it costs; None: as `trade` has it."""

    selector: PairSelector | None = None
    rule: TradingRule | None = None
    terms: Terms | None = None


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
    prices: pd.DataFrame | Callable[[Window], tuple[pd.DataFrame, pd.DataFrame]],
    *,
    windows: Sequence[Window],
    traders: Mapping[str, Trader],
    test: Tests = shared_tests,
) -> Iterator[tuple[str, dict[str, list[Backtest]]]]:
    """Let several traders trade the same candidates, and test no pair twice.

    Every book is a trial: record it in the ledger.

    Parameters
    ----------
    candidates, prices, windows, test
        As for `walk_forward`.
    traders : mapping of str to Trader
        Such as z-scores at several bands.

    Yields
    ------
    str, dict of str to list of Backtest
        A trader's name and what `walk_forward` returns, as soon as it has traded.
    """
    shared = remembered(test)
    proposed: dict[tuple[object, ...], Proposals] = {}

    def once(formation: pd.DataFrame) -> Proposals:
        window = (formation.index[0], formation.index[-1])
        if window not in proposed:
            proposed[window] = candidates(formation)
        return proposed[window]

    for name, trader in traders.items():
        yield (
            name,
            walk_forward(once, prices, windows=windows, **trader._asdict(), test=shared),
        )


def net_of(books: Books) -> pd.DataFrame:
    """Average net returns over draws, days x methods; without the placebo."""
    found = {
        method: pd.Series(
            np.mean([book.returns["net"].to_numpy() for book in drawn], axis=0),
            index=drawn[0].returns.index,
        )
        for method, drawn in books.items()
        if method != PLACEBO
    }
    return pd.DataFrame(found)


def overfitting_of(swept: pd.DataFrame) -> float:
    """Probability of backtest overfitting of choosing the best of all that were run.

    Parameters
    ----------
    swept : DataFrame, days x configurations
        Daily net returns, as from `net_of`, side by side.

    Returns
    -------
    float
        NaN for fewer than 16 configurations, or fewer than 32 days: too few to say.
    """
    days, configurations = swept.shape
    if configurations < MIN_CONFIGURATIONS or days < 2 * BLOCKS:
        return np.nan
    return overfitting(swept, blocks=BLOCKS)
