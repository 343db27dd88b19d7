"""The seven methods at a cut: similarities and clusters, fitted on what was known by then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse

from finsae.checks import DataError, one_of
from finsae.cluster import choose_threshold
from finsae.config import Reading, build
from finsae.features import Features, idf
from finsae.features.pooling import Matrix
from finsae.methods import BASELINES, READINGS
from finsae.pipeline.reading import embed
from finsae.plugins import make
from finsae.similarity import cosine, past_correlation, shared_prefix, uninformed
from finsae.universe import Universe

VERSION = 2  # raised when similarities or clusters of the same features and prices change

CLUSTERED = (*READINGS, "tfidf", "embedding", "past-correlation")
"""Methods whose clusters are cut from their similarities; codes bring their own."""

BY_CODE = ("sic", "major-group")
PER_CLUSTER = 8  # companies a cluster where no SIC codes say how many clusters there are

MIN_IDF = 20
"""Companies below which a share of owners says too little to weigh a feature by."""

Readings = Mapping[str, Features]


def reading_of(features: Features) -> Reading:
    """How features were read from their texts.

    Raises
    ------
    DataError
        If they do not say so.
    """
    made = features.provenance.get("reading")
    if not isinstance(made, Mapping):
        raise DataError(
            'the features do not say how they were read: their provenance.json has no "reading"; '
            "make them again: finsae build-features"
        )
    return build(Reading, made, where="provenance.json [reading]")


def readings(features: Features | Readings) -> Readings:
    """Name features by the method that they are; several come with their names."""
    if not isinstance(features, Features):
        return features
    how = reading_of(features)
    if how.model == "tfidf":
        return {"words": features}
    if how.sae == "none":
        return {"activations": features}
    groups = features.provenance.get("autoencoder", {}).get("groups")
    return {"sae-group" if groups else "sae": features}


def weighted(features: Features, known: Sequence[str]) -> Features:
    """Weight features by their idf among the companies known by a date, and among no others.

    Parameters
    ----------
    features : Features
        Unweighted. Those made without idf keep their values, and so do those of fewer than 20
        known companies: what all of them share would weigh nothing, though it is what they share.
    known : sequence of str
        The companies that may teach the weights; a weight learnt from later ones would look ahead.

    Returns
    -------
    Features
        All companies of `features`.
    """
    if not reading_of(features).idf or len(known) < MIN_IDF:
        return features
    return features.weighted(idf(rows(features, known)))


def rows(features: Features, tickers: Sequence[str]) -> sparse.csr_array:
    """Rows of the given companies, in the given order."""
    return features.matrix[features.companies.index.get_indexer(pd.Index(list(tickers)))]


def similarities(
    past: Universe,
    features: Features | Readings,
    tickers: Sequence[str],
    *,
    methods: Sequence[str] | None = None,
    past_months: int = 60,
) -> dict[str, pd.DataFrame]:
    """Similarity tables of the methods, tickers x tickers.

    Whatever is fitted (idf, vocabulary) is fitted on all companies known by the cut; past
    correlation reads the daily returns of the last `past_months` months before it.

    Parameters
    ----------
    past : Universe
        The universe before the cut.
    features : Features or mapping
        Unweighted features, several by method name; companies that are not in the past are left
        out before weighting.
    tickers : sequence of str
        The companies to compare.
    methods : sequence of str, optional
        Names to return, in this order; by default the features' own and every baseline.

    Raises
    ------
    DataError
        If a method is unknown, or is of features that are not given.
    past_months : int
        Months of daily returns for past correlation.
    """
    own = readings(features)
    first = next(iter(own.values()))
    wanted = list(tickers)
    known = known_companies(past, first)
    texts = past.companies.loc[known, "description"].tolist()
    sic = past.companies.loc[wanted, "sic"]

    def among(matrix: Matrix) -> pd.DataFrame:
        chosen: pd.DataFrame = cosine(matrix, known).loc[wanted, wanted]
        return chosen

    def dense_model() -> str:
        model = reading_of(first).model
        return "minilm" if model == "tfidf" else model

    def read(name: str) -> pd.DataFrame:
        return among(rows(weighted(own[name], known), known))

    makers: dict[str, Callable[[], pd.DataFrame]] = {
        **{name: partial(read, name) for name in own},
        "sic": lambda: shared_prefix(sic),
        "major-group": lambda: shared_prefix(sic, digits=(2,)),
        "tfidf": lambda: among(make("embedder", "tfidf").fit(texts).transform(texts)),
        "embedding": lambda: among(embed(texts, dense_model())),
        "past-correlation": lambda: past_correlation(_recent(past, wanted, past_months)),
        "random": lambda: uninformed(wanted),
    }
    if not sic.fillna("").ne("").any():
        makers = _without_codes(makers, methods or ())
    wanted_methods = methods or [name for name in (*own, *BASELINES) if name in makers]
    names = [one_of("method", name, makers) for name in wanted_methods]
    return {name: makers[name]() for name in names}


def _recent(past: Universe, tickers: Sequence[str], months: int) -> pd.DataFrame:
    """Daily log returns of the last months before the cut."""
    if past.prices.empty:
        raise DataError("there are no prices up to the cut: choose a later one")
    start = past.prices.index[-1] - pd.DateOffset(months=months)
    daily = past.select(tickers).daily()
    later: pd.DataFrame = daily.loc[daily.index > start]
    return later


def _without_codes(
    makers: Mapping[str, Callable[[], pd.DataFrame]], asked: Sequence[str]
) -> dict[str, Callable[[], pd.DataFrame]]:
    """Leave out the methods by code where no company has one."""
    for name in BY_CODE:
        if name in asked:
            raise DataError(f"no company has a SIC code: {name} has nothing to go by")
    return {name: maker for name, maker in makers.items() if name not in BY_CODE}


def clusterings(
    past: Universe,
    features: Features | Readings,
    similarity: Mapping[str, pd.DataFrame],
    *,
    past_months: int = 60,
    seed: int = 0,
) -> dict[str, pd.Series]:
    """Clusters of every method, and of the features under the other clusterers.

    Average linkage cuts each similarity into as many clusters as there are 4-digit SIC codes, so
    that no method wins by making more and smaller clusters; `random` shuffles the SIC labels.
    The spanning tree's threshold is the one with the best past correlation (see
    `finsae.cluster.choose_threshold`).

    Returns
    -------
    dict of str to Series
        Labels by ticker; keys are a method's name, or "division", "sae (mst)", "sae (kmeans)" (or
        whatever the first features' method is).
    """
    tickers = next(iter(similarity.values())).index
    companies = past.companies.loc[tickers]
    labels: dict[str, np.ndarray] = {}
    if "sic" in similarity:
        for name in (*BY_CODE, "division"):
            labels[name] = make("clusterer", name).fit_predict(companies)
    count = len(np.unique(labels["sic"])) if labels else max(2, len(tickers) // PER_CLUSTER)
    for method in (name for name in CLUSTERED if name in similarity):
        average = make("clusterer", "average", n_clusters=count)
        labels[method] = average.fit_predict(distance(similarity[method]))
    sizes = labels.get("sic", np.arange(len(tickers)) % count)
    labels["random"] = np.random.default_rng(seed).permutation(sizes)
    own, table = next(iter(readings(features).items()))
    months = past.monthly[tickers].iloc[-past_months:]
    threshold = choose_threshold(
        distance(similarity[own]), past_correlation(months).to_numpy(), min_coverage=0.6
    )
    tree = make("clusterer", "mst", threshold=threshold)
    labels[f"{own} (mst)"] = tree.fit_predict(distance(similarity[own]))
    known = known_companies(past, table)
    kmeans = make("clusterer", "kmeans", n_clusters=count, random_state=seed)
    labels[f"{own} (kmeans)"] = kmeans.fit_predict(rows(weighted(table, known), tickers.tolist()))
    return {name: pd.Series(found, index=tickers) for name, found in labels.items()}


def known_companies(past: Universe, features: Features) -> list[str]:
    """Companies described by the cut that have features, in the universe's order."""
    read = set(features.companies.index)
    return [ticker for ticker in past.companies.index if ticker in read]


def distance(similarity: pd.DataFrame) -> np.ndarray:
    """Distance 1 - similarity; a missing similarity counts as 0."""
    return np.asarray(1 - similarity.fillna(0).to_numpy(dtype=np.float64))
