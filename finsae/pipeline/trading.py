"""Every method through the same backtest."""

from __future__ import annotations

from collections.abc import Sequence

from finsae import pairs
from finsae.benchmark import eligible
from finsae.config import Run
from finsae.features import Features
from finsae.pipeline.footing import at_least, made_of, windows, with_features
from finsae.pipeline.methods import Readings, similarities
from finsae.plugins import make
from finsae.result import Result
from finsae.universe import Universe


def run_backtest(
    universe: Universe,
    features: Features | Readings,
    run: Run | None = None,
    *,
    methods: Sequence[str] | None = None,
) -> Result:
    """Trade each method's most cointegrated candidate pairs after the cut.

    Companies, candidates, hedge ratios and bands are all chosen on what was known at the cut: a
    company that later disappears stays in.

    Parameters
    ----------
    universe : Universe
    features : Features or mapping of str to Features
        As for `run_benchmark`.
    run : Run, optional
        Windows, numbers of pairs, bands, costs and seed.
    methods : sequence of str, optional
        Which methods to trade; by default the features' own and every baseline.

    Returns
    -------
    Result
        Scores; tables ``returns`` (daily, per method and draw), ``trades`` and ``pairs``.

    Raises
    ------
    DataError
        If the windows are impossible or too few companies can be compared.
    """
    run = run or Run()
    settings = run.backtest
    at_least(candidates=settings.candidates, pairs=settings.pairs, draws=settings.draws)
    dates = windows(universe, run)
    past, future = universe.cut(dates.cut)
    months = run.benchmark.past_months
    tickers, _ = eligible(
        past.companies, past.monthly, cut=dates.cut, past_months=months, min_future=None
    )
    tickers = with_features(tickers, features, past)
    similarity = similarities(past, features, tickers, methods=methods, past_months=months)
    formation = past.between(*dates.formation).prices[tickers]
    proposals = pairs.propose(
        similarity,
        formation,
        n=settings.candidates,
        draws=settings.draws,
        seed=run.seed,
        exclude=pairs.same_issuer(past.companies.loc[tickers]),
    )
    books = pairs.trade(
        proposals,
        formation=formation,
        later=future.between(*dates.trade).prices[tickers],
        selector=make("selector", "lowest-pvalue", n=settings.pairs),
        rule=make("rule", "zscore", entry=settings.entry, exit=settings.exit, stop=settings.stop),
        terms=pairs.Terms(settings.cost_bps, settings.borrow_bps),
    )
    scores = pairs.scores(books, resamples=settings.resamples, seed=run.seed)
    made = made_of(universe, features, run, dates=dates, tickers=tickers)
    warnings = [*pairs.warnings(scores), *_alike(len(tickers), settings.candidates)]
    return Result(scores, pairs.tables(books), {**made, "warnings": warnings})


def _alike(companies: int, candidates: int) -> list[str]:
    """Warn where every pair is a candidate: then all methods trade one and the same book."""
    possible = companies * (companies - 1) // 2
    if candidates < possible:
        return []
    return [
        f"{companies} companies have {possible} pairs, no more than the {candidates} candidates of "
        "each method: all methods trade the same pairs, and their differences mean nothing"
    ]
