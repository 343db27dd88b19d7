"""Every method through the same backtest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from finsae import pairs
from finsae.benchmark import eligible
from finsae.checks import DataError, one_of
from finsae.config import Run
from finsae.features import Features
from finsae.ledger import Trials, record_trials
from finsae.methods import BASELINES, SCHEMES
from finsae.pairs import published
from finsae.pipeline import exposure
from finsae.pipeline.footing import (
    Windows,
    at_least,
    made_of,
    need_daily_closes,
    windows,
    with_features,
)
from finsae.pipeline.methods import (
    BY_CODE,
    Readings,
    clusterings,
    reading_of,
    readings,
    similarities,
    with_controls,
)
from finsae.pipeline.trader import noted, terms_of, trader_of
from finsae.result import Result
from finsae.similarity import past_correlation
from finsae.store import hash_frame
from finsae.universe import Universe

PROTOCOLS = ("honest", "paper", "paper-revised")
"""How pairs are chosen and traded; the last two re-enact published rules, defects and all."""

PAST = "past-correlation"
DATES = ("cut", "formation", "trade")
Proposing = Callable[[pd.DataFrame], dict[str, list[pd.DataFrame]]]
Pricing = Callable[[pairs.Window], tuple[pd.DataFrame, pd.DataFrame]]


class Traded(NamedTuple):
    """Who may be traded, and how alike they are."""

    past: Universe
    future: Universe
    tickers: list[str]
    similarity: dict[str, pd.DataFrame]
    excluded: pd.DataFrame


def run_backtest(
    universe: Universe,
    features: Features | Readings,
    run: Run | None = None,
    *,
    methods: Sequence[str] | None = None,
    ledger: str | Path | None = None,
    factors: pd.DataFrame | None = None,
    volume: pd.DataFrame | None = None,
) -> Result:
    """Trade each method's most cointegrated candidate pairs after the cut.

    Books are formed anew for each trading window on the days that precede it (504 and 126 days), or
    once, where the run names a formation window. Companies and candidates are chosen on what was
    known at the cut (a company that later disappears stays in); correlation of past returns is that
    of each formation window. Random pairs of the same companies, through the same selection and the
    same rule, stand beside every method as the placebo.

    Parameters
    ----------
    universe : Universe
    features : Features or mapping of str to Features
        As for `run_benchmark`.
    run : Run, optional
        Windows, numbers of pairs, selector, rule, costs and seed.
    methods : sequence of str, optional
        Which methods to trade; by default the features' own and every baseline but random pairs,
        which the placebo draws a hundred times.
    ledger : str or Path, optional
        Where every configuration is noted; the deflated Sharpe ratio counts those on the same
        prices.
    factors : DataFrame, dates x factors, optional
        Daily returns that the books are regressed on, beside the market's.
    volume : DataFrame, dates x tickers, optional
        Shares traded a day, for the filter on liquidity and the capacity.

    Returns
    -------
    Result
        Scores; tables ``returns`` (daily, per method and draw), ``trades``, ``pairs``,
        ``excluded_pairs``, ``trading_years``, ``exposures`` (to the market and the factors), and
        ``steps``: the walk from the published protocol to this one, of the first method.

    Raises
    ------
    DataError
        If the windows are impossible or too few companies can be compared.
    """
    run = run or Run()
    settings = run.backtest
    at_least(candidates=settings.candidates, pairs=settings.pairs, draws=settings.draws)
    need_daily_closes(universe)
    value = exposure.traded_value(universe, volume)
    trader = trader_of(settings, universe.prices, value)
    dates = windows(universe, run)
    if factors is not None:
        pairs.stats.check_factors(factors, universe.prices.loc[slice(*dates.trade)].index)
    names = methods or [name for name in (*readings(features), *BASELINES) if name != "random"]
    features = with_controls(universe, readings(features), names)
    traded = tradable(universe, features, run, dates=dates, methods=names)
    books = pairs.walk_forward(
        *formed(universe, traded, run),
        windows=spans(traded, run, dates),
        **trader._asdict(),
        test=pairs.remembered(),
    )
    # Another cut or other features are another trial on the same prices, not other prices.
    data = hash_frame(universe.prices)
    trials = note(ledger, data, books, run=run, features=features, value=value) if ledger else None
    scores = pairs.scores(books, resamples=settings.resamples, seed=run.seed, trials=trials)
    exposed = exposure.exposures(books, universe.prices[traded.tickers], factors)
    scores = pd.concat([scores, exposure.scores(books, exposed, value)], ignore_index=True)
    steps = _steps(universe, features, traded, run, dates=dates, honest=books)
    made = made_of(universe, features, run, dates=dates, tickers=traded.tickers)
    warnings = [*pairs.warnings(scores), *pairs.empty_windows(books)]
    warnings += _alike(len(traded.tickers), settings.candidates)
    tables = {**_tables(books, traded), "exposures": exposed, "steps": steps}
    return Result(scores, tables, {**made, "warnings": warnings, "prices_hash": data})


def _tables(
    books: Mapping[str, Sequence[pairs.Backtest]], traded: Traded
) -> dict[str, pd.DataFrame]:
    return {
        **pairs.tables({name: book for name, book in books.items() if name != pairs.PLACEBO}),
        "excluded_pairs": traded.excluded,
        "trading_years": pairs.by_year(books),
    }


def tradable(
    universe: Universe,
    features: Features | Readings,
    run: Run,
    *,
    dates: Windows,
    methods: Sequence[str],
) -> Traded:
    """Companies known at the cut, every method's similarity, and the pairs that nobody may name."""
    past, future = universe.cut(dates.cut)
    months = run.benchmark.past_months
    tickers, _ = eligible(
        past.companies, past.monthly, cut=dates.cut, past_months=months, min_future=None
    )
    tickers = with_features(tickers, features, past)
    coded = bool(past.companies["sic"].reindex(tickers).fillna("").ne("").any())
    asked = [name for name in methods if coded or name not in (*BY_CODE, *SCHEMES)]
    if not asked:
        raise DataError(f"no company has a SIC code: {', '.join(methods)} has nothing to go by")
    similarity = similarities(past, features, tickers, methods=asked, past_months=months)
    formation = past.between(*dates.formation).prices[tickers]
    excluded = pairs.same_issuer(past.companies.loc[tickers], prices=formation)
    return Traded(past, future, tickers, similarity, excluded)


def spans(traded: Traded, run: Run, dates: Windows) -> list[pairs.Window]:
    """Windows of formation and trading; one, where the run names its formation."""
    if run.data.formation:
        return [pairs.Window(dates.formation, dates.trade)]
    settings = run.backtest
    days = traded.past.prices.index.append(traded.future.prices.index)
    return pairs.walk_windows(
        pd.DatetimeIndex(days),
        dates.trade[0],
        end=dates.trade[1],
        formation=settings.formation_days,
        trading=settings.trading_days,
        step=settings.step or None,
    )


def formed(universe: Universe, traded: Traded, run: Run) -> tuple[Proposing, Pricing]:
    """Say who proposes pairs for a window, and on which prices: those known when it was formed."""
    settings = run.backtest

    def candidates(formation: pd.DataFrame) -> dict[str, list[pd.DataFrame]]:
        similarity = dict(traded.similarity)
        if PAST in similarity:
            closes = formation[traded.tickers]
            returns = (closes / closes.shift()).apply(np.log).iloc[1:]
            similarity[PAST] = past_correlation(returns)
        return pairs.propose(
            similarity,
            formation,
            n=settings.candidates,
            draws=settings.draws,
            seed=run.seed,
            exclude=traded.excluded,
            placebo=settings.placebo,
        )

    def closes(window: pairs.Window) -> tuple[pd.DataFrame, pd.DataFrame]:
        past, future = universe.cut(window.formation[1])
        formation = past.between(*window.formation).prices[traded.tickers]
        return formation, future.between(*window.trading).prices[traded.tickers]

    return candidates, closes


def note(
    ledger: str | Path,
    data: str,
    books: Mapping[str, Sequence[pairs.Backtest]],
    *,
    run: Run,
    features: Features | Readings,
    value: pd.DataFrame | None = None,
) -> Trials:
    """Append this run's configurations to the ledger, and count all on these prices."""
    net = {
        method: np.column_stack([book.returns["net"].to_numpy() for book in drawn])
        for method, drawn in books.items()
        if method != pairs.PLACEBO
    }
    earned = {method: pairs.stats.sharpe(returns) for method, returns in net.items()}
    sharpes = {
        method: float(found[np.isfinite(found)].mean()) if np.isfinite(found).any() else np.nan
        for method, found in earned.items()
    }
    # Dates decide what is traded; where the files lie does not, and their content is in `data`.
    dates = {name: value for name, value in asdict(run.data).items() if name in DATES}
    settings = {**noted(run.backtest), **dates, "seed": run.seed}
    if run.backtest.min_volume and value is not None:
        settings["value"] = hash_frame(value)  # it decides which pairs are traded
    made = {name: asdict(reading_of(table)) for name, table in readings(features).items()}
    return record_trials(ledger, data, sharpes=sharpes, settings=settings, readings=made)


def _steps(
    universe: Universe,
    features: Features | Readings,
    traded: Traded,
    run: Run,
    *,
    dates: Windows,
    honest: Mapping[str, Sequence[pairs.Backtest]],
) -> pd.DataFrame:
    """Walk from the published protocol to the honest one, with the first method's clusters."""
    own = next(iter(readings(features)))
    if own not in traded.similarity:
        return pd.DataFrame()
    named = _named(traded, features, run, methods=[own])[own]
    if not len(named):
        return pd.DataFrame()
    return published.steps(
        [named],
        *_closes(traded, dates),
        honest=honest[own][0],
        terms=terms_of(run.backtest, universe.prices),
        resamples=run.backtest.resamples,
        seed=run.seed,
    )


def _named(
    traded: Traded, features: Features | Readings, run: Run, *, methods: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """Name all pairs inside each method's clusters."""
    months = run.benchmark.past_months
    labels = clusterings(
        traded.past, features, traded.similarity, past_months=months, seed=run.seed
    )
    return {
        name: published.pairs_within(labels[one_of("method", name, labels)]) for name in methods
    }


def _closes(traded: Traded, dates: Windows) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take the closes of the formation window and those of the trading window."""
    formation = traded.past.between(*dates.formation).prices[traded.tickers]
    return formation, traded.future.between(*dates.trade).prices[traded.tickers]


def run_published(
    universe: Universe,
    features: Features | Readings,
    run: Run | None = None,
    *,
    protocol: str = "paper",
    methods: Sequence[str] | None = None,
) -> Result:
    """Re-enact published trading rules, with their look-ahead and their accounting.

    Parameters
    ----------
    universe, features, run, methods
        As for `run_backtest`; methods are those that have clusters.
    protocol : str
        "paper" or "paper-revised".

    Returns
    -------
    Result
        Scores and tables as from `run_backtest`. They are no result: the warnings say so.
    """
    run = run or Run()
    one_of("protocol", protocol, PROTOCOLS[1:])
    need_daily_closes(universe)
    dates = windows(universe, run)
    names = list(methods or [*readings(features), *BASELINES])
    features = with_controls(universe, readings(features), names)
    traded = tradable(universe, features, run, dates=dates, methods=names)
    trade = published.trade_paper if protocol == "paper" else published.trade_revised
    formation, later = _closes(traded, dates)
    named = _named(traded, features, run, methods=list(traded.similarity))
    books = {name: [trade([mine], formation, later)] for name, mine in named.items()}
    scores = pairs.scores(books, resamples=run.backtest.resamples, seed=run.seed)
    made = made_of(universe, features, run, dates=dates, tickers=traded.tickers)
    warnings = [f"--protocol {protocol} {published.LABEL}.", *pairs.warnings(scores)]
    return Result(scores, pairs.tables(books), {**made, "protocol": protocol, "warnings": warnings})


def _alike(companies: int, candidates: int) -> list[str]:
    """Warn where every pair is a candidate: then all methods trade one and the same book."""
    possible = companies * (companies - 1) // 2
    if candidates < possible:
        return []
    return [
        f"{companies} companies have {possible} pairs, no more than the {candidates} candidates of "
        "each method: all methods trade the same pairs, and their differences mean nothing"
    ]
