"""From the published protocol to an honest one, one defect removed at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from finsae.pairs import stats
from finsae.pairs.book import Backtest
from finsae.pairs.published.paper import LEVEL, Defects, enact, level_pairs
from finsae.pairs.select import pair_tests
from finsae.pairs.terms import Terms

REPAIRS = (
    ("overwritten", "all pairs added up, each marked at its own prices"),
    ("duplicates", "each pair traded once"),
    ("survivors", "firms that will vanish kept"),
    ("whole_window", "hedge, mean and deviation from the formation window"),
    ("same_close", "orders filled at the next close"),
    ("slope_one", "pairs chosen, and spreads made, by Engle-Granger on log prices"),
    ("equal_dollars", "positions hedged as the spread is"),
)
"""What each defect is replaced by, in the order of removal; costs and re-formation follow."""


def steps(
    candidates: Sequence[pd.DataFrame],
    formation: pd.DataFrame,
    later: pd.DataFrame,
    *,
    honest: Backtest | None = None,
    terms: Terms | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Walk from the published protocol to the honest one, and see what each defect was worth.

    Parameters
    ----------
    candidates : sequence of DataFrame
        Pairs ``a, b`` of each year's clusters, as the published rules take them.
    formation, later : DataFrame, dates x tickers
        Closes of the formation window and of the trading window.
    honest : Backtest, optional
        What the same method earned walking forward, for the last row.
    terms : Terms, optional
        Costs of the rows that have them; by default those of every backtest.
    resamples, seed : int
        Of the stationary bootstrap of days.

    Returns
    -------
    DataFrame
        ``step`` (what is mended in this row, all rows above still hold), ``sharpe_gross,
        sharpe_net``, ``low, high`` (95 % interval of sharpe_net), ``worth`` (by how much sharpe_net
        fell in this row), ``trades, pairs, days``. A row without pairs has no Sharpe ratio.

    Notes
    -----
    What a defect is worth depends on the order of removal. Pairs chosen by Engle-Granger are those
    with p < 0.01 in the better direction (doubled), whatever their number.
    """
    terms = Terms() if terms is None else terms
    defects, pairs = Defects(), level_pairs(candidates, formation)
    rows = [_row("as published", enact(pairs, formation, later, defects=defects), resamples, seed)]
    for name, words in REPAIRS:
        defects = replace(defects, **{name: False})
        if name == "slope_one":
            pairs = _engle_granger_pairs(candidates, formation)
        book = enact(pairs, formation, later, defects=defects)
        rows.append(_row(words, book, resamples, seed))
    dealing = replace(terms, borrow_bps=0.0)
    for paid, words in (
        (dealing, f"{terms.cost_bps:g} basis points per leg and side"),
        (terms, f"{terms.borrow_bps:g} basis points a year for borrowing"),
    ):
        book = enact(pairs, formation, later, defects=defects, terms=paid)
        rows.append(_row(words, book, resamples, seed))
    if honest is not None:
        words = "formed anew for each window, a fixed number of pairs, the honest rule's bands"
        rows.append(_row(words, honest, resamples, seed))
    table = pd.DataFrame(rows)
    return table.assign(worth=-table["sharpe_net"].diff())


def _engle_granger_pairs(
    candidates: Sequence[pd.DataFrame], formation: pd.DataFrame
) -> pd.DataFrame:
    named = pd.concat([frame[["a", "b"]] for frame in candidates])
    tests = pair_tests(formation, named.drop_duplicates(ignore_index=True))
    passed = (tests["pvalue"] < LEVEL) & (tests["hedge"] > 0.0) & np.isfinite(tests["stat"])
    chosen: pd.DataFrame = tests[passed].reset_index(drop=True)
    return chosen


def _row(words: str, book: Backtest, resamples: int, seed: int) -> dict[str, object]:
    net = book.returns["net"]
    low, high = stats.intervals(net, resamples=resamples, seed=seed)[0]
    return {
        "step": words,
        "sharpe_gross": float(stats.sharpe(book.returns["gross"])),
        "sharpe_net": float(stats.sharpe(net)),
        "low": float(low),
        "high": float(high),
        "trades": len(book.trades),
        "pairs": len(book.pairs),
        "days": len(net),
    }
