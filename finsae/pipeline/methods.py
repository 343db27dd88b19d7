"""The seven methods at a cut: similarities and clusters, fitted on what was known by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from finsae.cluster import choose_threshold
from finsae.config import Reading, build
from finsae.features import Features, idf
from finsae.features.pooling import Matrix
from finsae.methods import METHODS
from finsae.pipeline.reading import embed
from finsae.plugins import make
from finsae.similarity import cosine, past_correlation, shared_prefix, uninformed
from finsae.universe import Universe

CLUSTERED = ("sae", "tfidf", "embedding", "past-correlation")
"""Methods whose clusters are cut from their similarities; codes bring their own."""


MIN_IDF = 20


def reading_of(features: Features) -> Reading:
    """How a features folder was read from its texts."""
    return build(Reading, features.provenance["reading"], where="provenance.json [reading]")


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
    features: Features,
    tickers: Sequence[str],
    *,
    methods: Sequence[str] = METHODS,
    past_months: int = 60,
) -> dict[str, pd.DataFrame]:
    """Similarity tables of the methods, tickers x tickers.

    Whatever is fitted (idf, vocabulary) is fitted on all companies known by the cut; past
    correlation reads the daily returns of the last `past_months` months before it.

    Parameters
    ----------
    past : Universe
        The universe before the cut.
    features : Features
        Unweighted features; companies that are not in the past are left out before weighting.
    tickers : sequence of str
        The companies to compare.
    methods : sequence of str
        Names to return, in this order.
    past_months : int
        Months of daily returns for past correlation.
    """
    wanted = list(tickers)
    known = known_companies(past, features)
    texts = past.companies.loc[known, "description"].tolist()
    sic = past.companies.loc[wanted, "sic"]

    def among(matrix: Matrix) -> pd.DataFrame:
        chosen: pd.DataFrame = cosine(matrix, known).loc[wanted, wanted]
        return chosen

    def dense_model() -> str:
        model = reading_of(features).model
        return "minilm" if model == "tfidf" else model

    def recent() -> pd.DataFrame:
        start = past.prices.index[-1] - pd.DateOffset(months=past_months)
        daily = past.select(wanted).daily()
        later: pd.DataFrame = daily.loc[daily.index > start]
        return later

    makers = {
        "sae": lambda: among(rows(weighted(features, known), known)),
        "sic": lambda: shared_prefix(sic),
        "major-group": lambda: shared_prefix(sic, digits=(2,)),
        "tfidf": lambda: among(make("embedder", "tfidf").fit(texts).transform(texts)),
        "embedding": lambda: among(embed(texts, dense_model())),
        "past-correlation": lambda: past_correlation(recent()),
        "random": lambda: uninformed(wanted),
    }
    return {method: makers[method]() for method in methods}


def clusterings(
    past: Universe,
    features: Features,
    similarity: Mapping[str, pd.DataFrame],
    *,
    past_months: int = 60,
    seed: int = 0,
) -> dict[str, pd.Series]:
    """Clusters of every method, and of the SAE under the other clusterers.

    Average linkage cuts each similarity into as many clusters as there are 4-digit SIC codes, so
    that no method wins by making more and smaller clusters; `random` shuffles the SIC labels.
    The spanning tree's threshold is the one with the best past correlation (see
    `finsae.cluster.choose_threshold`).

    Returns
    -------
    dict of str to Series
        Labels by ticker; keys are a method's name, or "sae (mst)", "sae (kmeans)", "division".
    """
    tickers = next(iter(similarity.values())).index
    companies = past.companies.loc[tickers]
    labels = {
        "sic": make("clusterer", "sic").fit_predict(companies),
        "major-group": make("clusterer", "major-group").fit_predict(companies),
        "division": make("clusterer", "division").fit_predict(companies),
    }
    count = len(np.unique(labels["sic"]))
    for method in CLUSTERED:
        average = make("clusterer", "average", n_clusters=count)
        labels[method] = average.fit_predict(distance(similarity[method]))
    labels["random"] = np.random.default_rng(seed).permutation(labels["sic"])
    months = past.monthly[tickers].iloc[-past_months:]
    threshold = choose_threshold(
        distance(similarity["sae"]), past_correlation(months).to_numpy(), min_coverage=0.6
    )
    tree = make("clusterer", "mst", threshold=threshold)
    labels["sae (mst)"] = tree.fit_predict(distance(similarity["sae"]))
    known = known_companies(past, features)
    kmeans = make("clusterer", "kmeans", n_clusters=count, random_state=seed)
    labels["sae (kmeans)"] = kmeans.fit_predict(rows(weighted(features, known), tickers.tolist()))
    return {name: pd.Series(found, index=tickers) for name, found in labels.items()}


def known_companies(past: Universe, features: Features) -> list[str]:
    """Companies described by the cut that have features, in the universe's order."""
    read = set(features.companies.index)
    return [ticker for ticker in past.companies.index if ticker in read]


def distance(similarity: pd.DataFrame) -> np.ndarray:
    """Distance 1 - similarity; a missing similarity counts as 0."""
    return np.asarray(1 - similarity.fillna(0).to_numpy(dtype=np.float64))
