"""Every method through the same benchmark and the same backtest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

import pandas as pd

from finsae import pairs
from finsae.benchmark import by_year, eligible, horizons, score
from finsae.checks import DataError
from finsae.config import Run
from finsae.features import Features
from finsae.methods import LABELS
from finsae.pipeline.methods import Readings, clusterings, readings, similarities
from finsae.plugins import make
from finsae.result import Result
from finsae.similarity import peers
from finsae.store import provenance
from finsae.universe import Universe, as_day

FORMATION_YEARS = 2


class Windows(NamedTuple):
    """The dates of a run: formation ends at the cut, trading begins the day after."""

    cut: pd.Timestamp
    formation: tuple[pd.Timestamp, pd.Timestamp]
    trade: tuple[pd.Timestamp, pd.Timestamp]


def windows(universe: Universe, run: Run) -> Windows:
    """Read a run's dates, or derive them: two years of formation up to the cut, then trading.

    The cut is the run's own, or the end of the formation window, or the universe's (the sample has
    one), or the day of the last description where all are dated.

    Raises
    ------
    DataError
        If there is no way to know the cut, or trading would begin before it, or no prices follow.
    """
    formation = _span("formation", run.data.formation)
    trade = _span("trade", run.data.trade)
    cut = as_day(run.data.cut) if run.data.cut else _default_cut(universe, formation)
    start = cut - pd.DateOffset(years=FORMATION_YEARS) + pd.Timedelta(days=1)
    formation = formation or (start, cut)
    last = universe.prices.index.max()
    trade = trade or (cut + pd.Timedelta(days=1), last)
    problems = []
    if formation[1] > cut or trade[0] <= cut:
        problems.append(
            f"formation must end by the cut {cut:%Y-%m-%d} and trading begin after it; "
            f"they are {_written(formation)} and {_written(trade)}"
        )
    if pd.isna(last):
        problems.append("there are no prices: give --prices FILE")
    elif last <= cut:
        problems.append(f"there are no prices after the cut {cut:%Y-%m-%d}: choose an earlier one")
    elif trade[0] > last:
        problems.append(f"trading begins {trade[0]:%Y-%m-%d}, but prices end {last:%Y-%m-%d}")
    if problems:
        raise DataError(problems)
    return Windows(cut, formation, trade)


def _default_cut(
    universe: Universe, formation: tuple[pd.Timestamp, pd.Timestamp] | None
) -> pd.Timestamp:
    if formation:
        return formation[1]
    if "cut" in universe.provenance:
        return as_day(universe.provenance["cut"])
    dates = universe.companies["date"]
    if dates.notna().all() and len(dates):
        return as_day(dates.max())
    raise DataError(
        "where is the cut? Give --cut DATE (backtest: --formation START:END), the day by which the "
        "descriptions were known, or date every description in a column date"
    )


def _span(name: str, text: str | None) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    if text is None:
        return None
    start, colon, end = text.partition(":")
    if not colon:
        raise DataError(f'{name} is "{text}": write it as START:END, 2011-07-01:2013-06-30')
    if as_day(start) >= as_day(end):
        raise DataError(f"{name} ends before it begins: {text}")
    return as_day(start), as_day(end)


def _written(span: tuple[pd.Timestamp, pd.Timestamp]) -> str:
    return f"{span[0]:%Y-%m-%d}:{span[1]:%Y-%m-%d}"


def run_benchmark(
    universe: Universe,
    features: Features | Readings,
    run: Run | None = None,
    *,
    labels: Mapping[str, pd.Series] | None = None,
) -> Result:
    """Score every method on monthly returns after the cut.

    Parameters
    ----------
    universe : Universe
    features : Features or mapping of str to Features
        Of the universe's companies; several are named, such as ``{"sae": ..., "sae-group": ...}``.
    run : Run, optional
        Cut, number of peers, resamples and seed.
    labels : mapping of str to Series, optional
        Clusterings of the user's own by ticker, scored beside the others.

    Returns
    -------
    Result
        Scores; tables ``peers, clusters, excluded, by_year, similarity`` are what they rest on.

    Raises
    ------
    DataError
        If the dates are impossible or too few companies can be compared.
    """
    run = run or Run()
    settings = run.benchmark
    at_least(k=settings.k, draws=settings.draws, resamples=settings.resamples)
    dates = windows(universe, run)
    past, future = universe.cut(dates.cut)
    months = pd.concat([past.monthly, future.monthly])
    tickers, excluded = eligible(
        past.companies, months, cut=dates.cut, past_months=settings.past_months
    )
    tickers = _with_features(tickers, features, past)
    similarity = similarities(past, features, tickers, past_months=settings.past_months)
    clusters = clusterings(
        past, features, similarity, past_months=settings.past_months, seed=run.seed
    )
    clusters |= _own_labels(labels or {}, clusters, tickers)
    returns = future.monthly[tickers]
    scores = score(
        similarity,
        clusters,
        returns,
        past=past.monthly[tickers],
        settings=settings,
        seed=run.seed,
    )
    tables = {
        **_long(similarity, clusters, run),
        "excluded": excluded,
        "by_year": by_year(similarity, returns, settings=settings, seed=run.seed),
        "horizons": horizons(similarity, returns, settings=settings, seed=run.seed),
    }
    return Result(
        scores, tables, _provenance(universe, features, run, dates=dates, tickers=tickers)
    )


def _own_labels(
    labels: Mapping[str, pd.Series], clusters: Mapping[str, pd.Series], tickers: Sequence[str]
) -> dict[str, pd.Series]:
    """Take the user's clusterings, unless one has a method's name or none of the companies."""
    for name, column in labels.items():
        if name in clusters or name in LABELS:
            raise DataError(f'the labels "{name}" have the name of a method: rename their file')
        if not len(column.index.intersection(list(tickers))):
            raise DataError(f'the labels "{name}" name none of the {len(tickers)} companies')
    return {name: column.reindex(list(tickers)) for name, column in labels.items()}


def _long(
    similarity: Mapping[str, pd.DataFrame], clusters: Mapping[str, pd.Series], run: Run
) -> dict[str, pd.DataFrame]:
    """Peers and cluster labels of all methods, one below the other."""
    nearest = [
        peers(table, run.benchmark.k, random_state=run.seed).assign(method=name)
        for name, table in similarity.items()
    ]
    labels = [
        pd.DataFrame({"clusterer": name, "ticker": found.index, "label": found.astype(str)})
        for name, found in clusters.items()
    ]
    return {"peers": pd.concat(nearest), "clusters": pd.concat(labels)}


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
    tickers = _with_features(tickers, features, past)
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
    made = _provenance(universe, features, run, dates=dates, tickers=tickers)
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


def at_least(least: int = 1, **numbers: int) -> None:
    """Refuse numbers that are too small to mean anything.

    Raises
    ------
    DataError
        Naming each of them.
    """
    small = [f"{name} is {number}" for name, number in numbers.items() if number < least]
    if small:
        raise DataError([f"{problem}: it must be at least {least}" for problem in small])


def _with_features(
    tickers: Sequence[str], features: Features | Readings, past: Universe
) -> list[str]:
    """Keep the companies that have features; refuse features that were read from other texts."""
    tables = [table.companies for table in readings(features).values()]
    found = [t for t in tickers if all(t in table.index for table in tables)]
    texts = past.companies["description"]
    for table in tables:
        other = [t for t in found if table.at[t, "description"] != texts[t]]
        if other:
            raise DataError(
                f"the features were read from other descriptions than the universe's, those of "
                f"{len(other)} companies ({', '.join(other[:3])}): build them from these companies"
            )
    if len(found) < 3:
        raise DataError(
            f"only {len(found)} companies have prices, a SIC code and features: three are needed"
        )
    return found


def _provenance(
    universe: Universe,
    features: Features | Readings,
    run: Run,
    *,
    dates: Windows,
    tickers: Sequence[str],
) -> dict[str, object]:
    (own, table), *others = readings(features).items()
    return provenance(
        method=own,
        universe=dict(universe.provenance),
        features=dict(table.provenance),
        others={name: dict(other.provenance) for name, other in others},
        run=asdict(run),
        k=run.benchmark.k,
        seed=run.seed,
        cut=dates.cut,
        formation=_written(dates.formation),
        trade=_written(dates.trade),
        companies=len(tickers),
        months_after_cut=len(universe.cut(dates.cut).future.monthly),
    )
