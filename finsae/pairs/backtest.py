"""Every method through the same backtest: propose, trade, window by window."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from finsae.checks import DataError
from finsae.pairs.book import Backtest, Book
from finsae.pairs.engine import simulate
from finsae.pairs.rules import ZScore
from finsae.pairs.select import LowestPValue, candidate_draws, pair_tests
from finsae.pairs.terms import Terms
from finsae.plugins import PairSelector, TradingRule
from finsae.store import progress

Books = Mapping[str, Sequence[Backtest]]
Proposals = Mapping[str, Sequence[pd.DataFrame]]
Tests = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]
"""Formation prices and pairs (``a, b``) to the tests of at least these, as `pair_tests`."""

PLACEBO = "placebo"
"""Name of the random pairs that every method is set against."""

COVERAGE = 0.95
"""Share of the formation days on which a company must have a price to be in any pair."""

MIN_DAYS = 30
"""Formation days below which nothing is learnt."""

FORMATION_DAYS, TRADING_DAYS = 504, 126


class Window(NamedTuple):
    """First and last day of a formation window, and of the trading window after it."""

    formation: tuple[pd.Timestamp, pd.Timestamp]
    trading: tuple[pd.Timestamp, pd.Timestamp]


def walk_windows(
    dates: pd.DatetimeIndex,
    start: pd.Timestamp,
    *,
    end: pd.Timestamp | None = None,
    formation: int = FORMATION_DAYS,
    trading: int = TRADING_DAYS,
    step: int | None = None,
) -> list[Window]:
    """Cut trading days into windows, each formed on what precedes it.

    Parameters
    ----------
    dates : DatetimeIndex
        Days with prices, in order.
    start, end : Timestamp
        First and last day of trading; by default the last with prices.
    formation, trading : int
        Length of the windows in days. Where fewer days precede the first trading window, it is
        formed on those there are; the last trading window may be shorter.
    step : int, optional
        Days from one window to the next: by default the length of the trading window, so that books
        do not overlap; 21 starts one every month.

    Raises
    ------
    DataError
        If no day is left to trade, fewer than 30 precede it, or a length is below 1.
    """
    step = trading if step is None else step
    if min(formation, trading, step) < 1:
        raise DataError(
            f"windows of {formation} and {trading} days every {step}: each must be at least 1"
        )
    last = len(dates) if end is None else int(dates.searchsorted(end, side="right"))
    first = int(dates.searchsorted(start))
    if first >= last:
        raise DataError(f"there is no trading day from {start:%Y-%m-%d} on: choose an earlier one")
    if first < MIN_DAYS:
        raise DataError(
            f"only {first} days of prices precede {start:%Y-%m-%d}; at least {MIN_DAYS} are needed "
            "to form pairs: begin trading later"
        )
    return [
        Window(
            (dates[max(at - formation, 0)], dates[at - 1]),
            (dates[at], dates[min(at + trading, last) - 1]),
        )
        # A window of one day could only close what it opens.
        for at in range(first, last, step)
        if at == first or last - at > 1
    ]


def propose(
    similarities: Mapping[str, pd.DataFrame],
    formation: pd.DataFrame,
    *,
    n: int = 500,
    draws: int = 20,
    seed: int = 0,
    exclude: pd.DataFrame | None = None,
    placebo: int = 0,
) -> dict[str, list[pd.DataFrame]]:
    """Let every method name the same number of candidate pairs among the same companies.

    Parameters
    ----------
    similarities : mapping of str to DataFrame
        Method to its square table. Companies that not all methods know are left out.
    formation : DataFrame, dates x tickers
        Closes of the formation window; companies without a price on 95 % of its days are left out.
    n : int
        Candidate pairs per method; fewer where a method can name only fewer.
    draws : int
        Random draws of a method of which chance must break ties; the others have one.
    seed : int
        Makes the draws reproducible.
    exclude : DataFrame, optional
        Pairs to leave out, as from `same_issuer`.
    placebo : int
        Draws of as many random pairs of the same companies, named "placebo" beside the methods.

    Returns
    -------
    dict of str to list of DataFrame
        Candidates (``a, b, similarity``) of each method and draw.

    Raises
    ------
    DataError
        If there are fewer than 30 formation days, or no two companies are left.
    """
    if len(formation) < MIN_DAYS:
        raise DataError(
            f"the formation window has {len(formation)} days of prices; at least {MIN_DAYS} are "
            "needed (two years are usual): choose an earlier start"
        )
    covered = formation.columns[formation.notna().mean() >= COVERAGE]
    known = [set(table.index) for table in similarities.values()]
    tickers = sorted(set(covered).intersection(*known))
    if len(tickers) < 2:
        raise DataError(
            f"only {len(tickers)} companies have prices in the formation window and a similarity: "
            "two are needed for a pair"
        )
    tables = {method: table.loc[tickers, tickers] for method, table in similarities.items()}

    def drawn(number: int) -> dict[str, list[pd.DataFrame]]:
        return {
            method: candidate_draws(table, number, draws=draws, seed=seed, exclude=exclude)
            for method, table in tables.items()
        }

    proposals = drawn(n)
    sizes = {len(frames[0]) for frames in proposals.values()}
    # A method without any pair does not trade; it must not leave the others without theirs.
    size = min(sizes - {0}, default=1)
    # A method that lacks similarities must not be compared on fewer pairs than the others.
    if sizes - {0, size}:
        proposals = drawn(size)
    if placebo:
        ties = pd.DataFrame(0.0, index=tickers, columns=tickers)
        proposals[PLACEBO] = candidate_draws(ties, size, draws=placebo, seed=seed, exclude=exclude)
    return proposals


def shared_tests(formation: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Test pairs for all who name them: one by one, or as part of a table of all pairs.

    The tests of all pairs of a universe share matrix products; from a quarter of all pairs on, the
    table of all of them costs less than that quarter alone.

    Parameters
    ----------
    formation : DataFrame, dates x tickers
        Closes of the formation window.
    pairs : DataFrame
        Columns ``a, b``, each pair once.

    Returns
    -------
    DataFrame
        As `pair_tests`, of at least these pairs.
    """
    tickers = sorted(set(pairs["a"]).union(pairs["b"]))
    every = len(tickers) * (len(tickers) - 1) // 2
    ordered = bool((pairs["a"] < pairs["b"]).all())
    if ordered and 4 * len(pairs) > every and not set(tickers).difference(formation.columns):
        return pair_tests(formation[tickers])
    return pair_tests(formation, pairs)


def trade(
    proposals: Proposals,
    *,
    formation: pd.DataFrame,
    later: pd.DataFrame,
    selector: PairSelector | None = None,
    rule: TradingRule | None = None,
    terms: Terms | None = None,
    test: Tests = shared_tests,
) -> dict[str, list[Backtest]]:
    """Choose pairs among each method's candidates and trade them in one window.

    Pairs are chosen, and the rule is fitted, on the formation window alone. A candidate pair is
    tested once, however many methods name it.

    Parameters
    ----------
    proposals : mapping of str to list of DataFrame
        As from `propose`.
    formation, later : DataFrame, dates x tickers
        Closes of the formation window and of the trading window, which must not overlap.
    selector : PairSelector, optional
        By default the 50 pairs with the lowest p-values.
    rule : TradingRule, optional
        By default z-score bands: entry 2, exit 0, stop 4. If it has a method ``exits``, its reasons
        are kept.
    terms : Terms, optional
        Costs, caps and conventions; 10 basis points per leg and side and 50 a year by default.
    test : callable
        Formation prices and named pairs to their tests; `remembered` shares them between runs.

    Returns
    -------
    dict of str to list of Backtest
        One per method and draw; their `pairs` carry the tests and the similarity.

    Raises
    ------
    DataError
        If the windows overlap, or a price is not above zero.
    """
    if not len(later):
        raise DataError("there is no trading day in the trading window: choose a longer one")
    if later.index[0] <= formation.index[-1]:
        raise DataError("the trading window must begin after the formation window's last day")
    selector = LowestPValue() if selector is None else selector
    named = pd.concat([frame[["a", "b"]] for frames in proposals.values() for frame in frames])
    tests = test(formation, named.drop_duplicates(ignore_index=True))
    place = {pair: row for row, pair in enumerate(zip(tests["a"], tests["b"], strict=True))}
    results = tests.drop(columns=["a", "b"])
    chosen: dict[str, list[pd.DataFrame]] = {}
    said: dict[str, list[str]] = {}
    outcome = getattr(selector, "outcome", str)  # a plug-in of others may say nothing
    for method, frames in proposals.items():
        chosen[method], said[method] = [], []
        for frame in frames:
            chosen[method].append(selector.select(formation, _tested(frame, results, place)))
            said[method].append(outcome())
    books = follow(chosen, formation=formation, later=later, rule=rule, terms=terms)
    return {
        method: [
            book if len(book.pairs) else replace(book, empty={later.index[0]: words})
            for book, words in zip(drawn, said[method], strict=True)
        ]
        for method, drawn in books.items()
    }


def follow(
    chosen: Proposals,
    *,
    formation: pd.DataFrame,
    later: pd.DataFrame,
    rule: TradingRule | None = None,
    terms: Terms | None = None,
) -> dict[str, list[Backtest]]:
    """Trade pairs that are already chosen (columns ``y, x``), each method's and draw's as a book.

    A pair that several books hold is followed once, unless caps make a book's pairs depend on one
    another. Parameters are those of `trade`.
    """
    rule = ZScore() if rule is None else rule
    terms = Terms() if terms is None else terms

    def traded(pairs: pd.DataFrame) -> Book:
        return _simulate(pairs, formation, later, rule=rule, terms=terms)

    if terms.capped:
        return {name: [traded(p).summed() for p in frames] for name, frames in chosen.items()}
    every = pd.concat([frame[["y", "x"]] for frames in chosen.values() for frame in frames])
    whole = traded(every.drop_duplicates(ignore_index=True))
    return {name: [whole.take(p).summed() for p in frames] for name, frames in chosen.items()}


def walk_forward(
    candidates: Callable[[pd.DataFrame], Proposals],
    prices: pd.DataFrame | Callable[[Window], tuple[pd.DataFrame, pd.DataFrame]],
    *,
    windows: Sequence[Window],
    selector: PairSelector | None = None,
    rule: TradingRule | None = None,
    terms: Terms | None = None,
    test: Tests = shared_tests,
) -> dict[str, list[Backtest]]:
    """Trade every method through all windows, each book formed on what precedes it.

    Parameters
    ----------
    candidates : callable
        Formation prices to every method's candidates, as from `propose` (``placebo=100`` sets
        random pairs beside them). It is given nothing later.
    prices : DataFrame, dates x tickers, or callable
        Closes, NaN where missing; or a window to the closes of its formation and of its trading
        days, where what is known of the past changes with time (repairs).
    windows : sequence of Window
        As from `walk_windows`.
    selector, rule, terms, test
        As for `trade`.

    Returns
    -------
    dict of str to list of Backtest
        One per method and draw, over all windows; a method with fewer draws in some windows than in
        others repeats them there.
    """
    found: list[dict[str, list[Backtest]]] = []
    with progress("Trading pairs", len(windows)) as (bar, task):
        for window in windows:
            formation, later = _closes(prices, window)
            books = trade(
                candidates(formation),
                formation=formation,
                later=later,
                selector=selector,
                rule=rule,
                terms=terms,
                test=test,
            )
            found.append(books)
            bar.advance(task)
    joined = {}
    for method in found[0]:
        parts = [books[method] for books in found]
        joined[method] = [
            Backtest.join([drawn[draw % len(drawn)] for drawn in parts])
            for draw in range(max(map(len, parts)))
        ]
    return joined


def _closes(
    prices: pd.DataFrame | Callable[[Window], tuple[pd.DataFrame, pd.DataFrame]], window: Window
) -> tuple[pd.DataFrame, pd.DataFrame]:
    if callable(prices):
        return prices(window)
    return prices.loc[slice(*window.formation)], prices.loc[slice(*window.trading)]


def tables(books: Books) -> dict[str, pd.DataFrame]:
    """Lay all books end to end: ``returns, trades, pairs``, each with method and draw."""
    parts: dict[str, list[pd.DataFrame]] = {"returns": [], "trades": [], "pairs": []}
    for method, drawn in books.items():
        for draw, book in enumerate(drawn):
            returns = book.returns.rename_axis("date").reset_index()
            for name, frame in (
                ("returns", returns),
                ("trades", book.trades),
                ("pairs", book.pairs),
            ):
                parts[name].append(
                    frame.assign(method=method, draw=draw)[["method", "draw", *frame.columns]]
                )
    return {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}


def _tested(
    candidates: pd.DataFrame, results: pd.DataFrame, place: Mapping[tuple[str, str], int]
) -> pd.DataFrame:
    """Candidates with the results of their tests, which stand at the pairs' places."""
    named = list(zip(candidates["a"], candidates["b"], strict=True))
    lost = [pair for pair in named if pair not in place]
    if lost:
        raise DataError(f"the pair {lost[0][0]}, {lost[0][1]} was not tested")
    found = results.take([place[pair] for pair in named]).set_axis(candidates.index, axis=0)
    return pd.concat([candidates, found], axis=1)


def _simulate(
    pairs: pd.DataFrame,
    formation: pd.DataFrame,
    later: pd.DataFrame,
    *,
    rule: TradingRule,
    terms: Terms,
) -> Book:
    """Fit the rule before the trading window, follow it in the window, and count the money."""
    later = later.reindex(columns=formation.columns)
    before = [formation[pairs[leg]].to_numpy(dtype=np.float64) for leg in ("y", "x")]
    after = [later[pairs[leg]].to_numpy(dtype=np.float64) for leg in ("y", "x")]
    fitted = copy.deepcopy(rule).fit(before[0], before[1])
    weights = np.asarray(fitted.positions(after[0], after[1]), dtype=np.float64)
    reasons = getattr(fitted, "exits", None)
    exits = reasons(after[0], after[1]) if reasons is not None else None
    return simulate(weights, later, pairs=pairs, terms=terms, exits=exits)
