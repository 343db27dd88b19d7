"""Every method through the same benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from finsae.benchmark import (
    by_year,
    cluster_sizes,
    eligible,
    find_peers,
    length_correlation,
    monthly,
    over_months,
    periods,
    score,
    stretches,
)
from finsae.checks import DataError
from finsae.config import Run
from finsae.features import Features
from finsae.methods import LABELS
from finsae.pipeline.footing import at_least, made_of, windows, with_features
from finsae.pipeline.methods import (
    Readings,
    chosen,
    clusterings,
    readings,
    similarities,
    with_controls,
)
from finsae.result import Result
from finsae.similarity import peers as peer_table
from finsae.similarity import shared_label
from finsae.store import hash_frame
from finsae.universe import Universe, as_day

YEAR = 12  # months


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
        Labels of the user's own by ticker, scored beside the others, as peers and as clusters.

    Returns
    -------
    Result
        Scores; tables ``peers, clusters, cluster_sizes, excluded, by_year, periods`` are what they
        rest on.

    Raises
    ------
    DataError
        If the dates are impossible or too few companies can be compared.
    """
    run = run or Run()
    compared = compare(universe, features, run, cut=windows(universe, run).cut, labels=labels)
    return scored(universe, compared, run)


class Compared(NamedTuple):
    """Methods at a cut, ready to be scored."""

    cut: pd.Timestamp
    past: Universe
    future: Universe
    features: Readings
    similarity: Mapping[str, pd.DataFrame]
    labels: Mapping[str, pd.Series]
    excluded: pd.DataFrame

    @property
    def tickers(self) -> list[str]:
        """The companies that every method knows."""
        return next(iter(self.similarity.values())).index.tolist()


def compare(
    universe: Universe,
    features: Features | Readings,
    run: Run,
    *,
    cut: pd.Timestamp,
    labels: Mapping[str, pd.Series] | None = None,
    months: int | None = None,
) -> Compared:
    """Make every method's similarity at a cut, on the same companies; labels are methods, too.

    Companies have returns in most of the `months` after it that are scored; None: in most of all.
    """
    settings = run.benchmark
    at_least(k=settings.k, draws=settings.draws, resamples=settings.resamples)
    past, future = universe.cut(cut)
    returns = pd.concat([past.monthly, future.monthly])
    end = None if months is None else future.monthly.index[:months].max()
    tickers, excluded = eligible(
        past.companies, returns, cut=cut, past_months=settings.past_months, future_end=end
    )
    coded = bool(past.companies["sic"].reindex(tickers).fillna("").ne("").any())
    names = chosen(settings.methods, readings(features), coded=coded)
    own = with_controls(universe, readings(features), names)
    tickers = with_features(tickers, own, past)
    similarity = similarities(past, own, tickers, methods=names, past_months=settings.past_months)
    given = _own_labels(labels or {}, tickers)
    similarity |= {name: shared_label(column) for name, column in given.items()}
    return Compared(cut, past, future, own, similarity, given, excluded)


def scored(universe: Universe, compared: Compared, run: Run) -> Result:
    """Score what was compared on the months after the cut."""
    settings, tickers = run.benchmark, compared.tickers
    similarity, past, features = compared.similarity, compared.past, compared.features
    clusters = clusterings(
        past, features, similarity, past_months=settings.past_months, seed=run.seed
    )
    clusters |= compared.labels
    returns, before = compared.future.monthly[tickers], past.monthly[tickers]
    peers = find_peers(similarity, returns, settings=settings, seed=run.seed)
    scores = score(
        similarity, clusters, returns, past=before, settings=settings, peers=peers, seed=run.seed
    )
    length = length_correlation(similarity, past.companies["description"], seed=run.seed)
    scores = pd.concat([scores, length], ignore_index=True)
    sizes = [cluster_sizes(found).assign(clusterer=name) for name, found in clusters.items()]
    tables = {
        **_long(similarity, clusters, run),
        "cluster_sizes": pd.concat(sizes, ignore_index=True),
        "excluded": compared.excluded,
        "by_year": by_year(peers, returns),
        "periods": periods(peers, stretches(before, returns), settings=settings, seed=run.seed),
    }
    dates = windows(universe, run)
    made = made_of(universe, features, run, dates=dates, tickers=tickers)
    return Result(scores, tables, {**made, "returns_hash": hash_frame(returns)})


def walk_forward(
    universe: Universe,
    features: Features | Readings,
    run: Run | None = None,
    *,
    cuts: Sequence[str | pd.Timestamp],
) -> Result:
    """Score every method on the year after each of several cuts.

    At each cut everything is chosen and fitted anew on what was known by then: the companies, idf
    weights, vocabularies, past correlations.

    Parameters
    ----------
    universe, features, run
        As for `run_benchmark`; the run's own cut is not looked at.
    cuts : sequence of dates

    Returns
    -------
    Result
        Scores over all cuts: ``peer_r2`` by month with Newey and West's intervals, levels and
        paired differences. Table ``walk_forward``: the scores after each cut, with a column `cut`.

    Raises
    ------
    DataError
        If there is no cut, or a cut leaves too few companies or months.
    """
    run = run or Run()
    if not len(cuts):
        raise DataError("walk-forward needs at least one cut: 2010-12-31,2011-12-31")
    parts, series, tickers = [], [], []
    for cut in sorted(as_day(cut) for cut in cuts):
        compared = compare(universe, features, run, cut=cut, months=YEAR)
        year = compared.future.monthly[compared.tickers].iloc[:YEAR]
        settings = run.benchmark
        peers = find_peers(compared.similarity, year, settings=settings, seed=run.seed)
        found = periods(peers, {"year": year}, settings=settings, seed=run.seed)
        parts.append(found.drop(columns="period").assign(cut=f"{cut:%Y-%m-%d}"))
        series.append(monthly(peers, year))
        tickers = compared.tickers
    dates = windows(universe, replace(run, data=replace(run.data, cut=str(cuts[0]))))
    made = made_of(universe, features, run, dates=dates, tickers=tickers)
    table = pd.concat(parts, ignore_index=True)
    return Result(over_months(pd.concat(series)), {"walk_forward": table}, made)


def _own_labels(labels: Mapping[str, pd.Series], tickers: Sequence[str]) -> dict[str, pd.Series]:
    """Take the user's clusterings, unless one has a method's name or none of the companies."""
    for name, column in labels.items():
        if name.partition(" ")[0] in LABELS:
            raise DataError(f'the labels "{name}" have the name of a method: rename their file')
        if not len(column.index.intersection(list(tickers))):
            raise DataError(f'the labels "{name}" name none of the {len(tickers)} companies')
    return {name: column.reindex(list(tickers)) for name, column in labels.items()}


def _long(
    similarity: Mapping[str, pd.DataFrame], clusters: Mapping[str, pd.Series], run: Run
) -> dict[str, pd.DataFrame]:
    """Peers and cluster labels of all methods, one below the other."""
    nearest = [
        peer_table(table, run.benchmark.k, random_state=run.seed).assign(method=name)
        for name, table in similarity.items()
    ]
    labels = [
        pd.DataFrame({"clusterer": name, "ticker": found.index, "label": found.astype(str)})
        for name, found in clusters.items()
    ]
    return {"peers": pd.concat(nearest), "clusters": pd.concat(labels)}
