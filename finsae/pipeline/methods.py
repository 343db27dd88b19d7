"""The methods at a cut: similarities and clusters, fitted on what was known by then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse

from finsae.checks import DataError, one_of
from finsae.cluster import choose_threshold
from finsae.config import Reading, build
from finsae.features import Features, idf, standing_out
from finsae.features.pooling import Matrix
from finsae.methods import BASELINES, CENTRED, CONTROLS, LABELS, READINGS, SCHEMES, in_order
from finsae.pipeline.reading import build_features, embed
from finsae.plugins import make
from finsae.similarity import (
    centred,
    cosine,
    effective_dimension,
    past_correlation,
    principal_components,
    shared_label,
    shared_prefix,
    uninformed,
)
from finsae.universe import Universe

VERSION = 3  # raised when similarities or clusters of the same features and prices change

CLUSTERED = (*READINGS, "pca", "tfidf", "embedding", *CENTRED, "past-correlation")
"""Methods whose clusters are cut from their similarities; codes bring their own."""

BY_CODE = ("sic", "major-group")
PER_CLUSTER = 8  # companies a cluster where no SIC codes say how many clusters there are

MIN_IDF = 20
"""Companies below which a share of owners says too little to weigh a feature by."""

UNTRAINED = "untrained:"  # before the name of an SAE: random directions instead of its own

Readings = Mapping[str, Features]
Makers = dict[str, Callable[[], pd.DataFrame]]


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
    if how.sae.startswith(UNTRAINED):
        return {"untrained": features}
    groups = features.provenance.get("autoencoder", {}).get("groups")
    return {"sae-group" if groups else "sae": features}


def weighted(features: Features, known: Sequence[str]) -> Features:
    """Weight features by their idf among the companies known by a date, and keep the strongest.

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
        All companies of `features`; of each, as many features as its reading says
        (`finsae.features.standing_out`).
    """
    return as_compared(features, rows(features, known), reading_of(features))


def as_compared(features: Features, teachers: Matrix, how: Reading) -> Features:
    """Weight features and keep each company's strongest: rows whose cosines are similarities.

    Parameters
    ----------
    features : Features
        Unweighted.
    teachers : CSR or ndarray [n, F]
        Unweighted rows of the companies that teach the idf.
    how : Reading
        Of the teachers.
    """
    if how.idf and teachers.shape[0] >= MIN_IDF:
        features = features.weighted(idf(teachers))
    return replace(features, matrix=standing_out(features.matrix, how.strongest))


def rows(features: Features, tickers: Sequence[str]) -> sparse.csr_array:
    """Rows of the given companies, in the given order.

    Raises
    ------
    DataError
        If a company has no features.
    """
    places = features.companies.index.get_indexer(pd.Index(list(tickers)))
    if (places < 0).any():
        lost = [ticker for ticker, place in zip(tickers, places, strict=True) if place < 0]
        raise DataError(f"no features of {', '.join(lost[:5])} ({len(lost)} companies)")
    return features.matrix[places]


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
    tables = list(own.values())
    known = [
        ticker
        for ticker in known_companies(past, tables[0])
        if all(ticker in table.companies.index for table in tables[1:])
    ]
    makers: Makers = {
        **_from_text(past, own, known, tickers),
        **_from_codes(past.companies.loc[list(tickers), "sic"]),
        "past-correlation": lambda: past_correlation(recent_returns(past, tickers, past_months)),
        "random": lambda: uninformed(tickers),
    }
    for name in methods or ():
        if name in (*BY_CODE, *SCHEMES) and name not in makers:
            raise DataError(f"no company has a SIC code: {name} has nothing to go by")
    asked = methods or [name for name in (*own, *BASELINES) if name in makers]
    names = [one_of("method", name, makers) for name in asked]
    return {name: makers[name]() for name in names}


def _from_text(
    past: Universe, own: Readings, known: Sequence[str], wanted: Sequence[str]
) -> Makers:
    """Methods that read descriptions; fitted on all known companies, returned for some."""
    texts = past.companies.loc[list(known), "description"].tolist()
    model = reading_of(next(iter(own.values()))).model
    sentences = "minilm" if model == "tfidf" else model

    def among(matrix: Matrix, *, without_mean: bool = False) -> pd.DataFrame:
        table = cosine(matrix, known)
        table = centred(table) if without_mean else table
        chosen: pd.DataFrame = table.loc[list(wanted), list(wanted)]
        return chosen

    def words() -> Matrix:
        found: Matrix = make("embedder", "tfidf").fit(texts).transform(texts)
        return found

    def read(name: str) -> pd.DataFrame:
        return among(rows(weighted(own[name], known), known))

    def components() -> pd.DataFrame:
        """As many dimensions as the SAE uses, so that neither wins by having more."""
        sparse_rows = rows(weighted(own["sae"], known), known)
        count = effective_dimension(cosine(sparse_rows, known).to_numpy())
        return among(principal_components(rows(own["activations"], known).toarray(), count))

    makers: Makers = {
        **{name: partial(read, name) for name in own},
        "tfidf": lambda: among(words()),
        "embedding": lambda: among(embed(texts, sentences)),
        "tfidf-centred": lambda: among(words(), without_mean=True),
        "embedding-centred": lambda: among(embed(texts, sentences), without_mean=True),
    }
    if {"sae", "activations"} <= set(own):
        makers["pca"] = components
    return makers


def _from_codes(sic: pd.Series) -> Makers:
    """Methods by industry code, where any company has one."""
    if not sic.fillna("").ne("").any():
        return {}
    companies = sic.to_frame("sic")

    def same_class(name: str) -> pd.DataFrame:
        labels = make("clusterer", name).fit_predict(companies)
        return shared_label(pd.Series(labels, index=sic.index))

    return {
        "sic": lambda: shared_prefix(sic),
        "major-group": lambda: shared_prefix(sic, digits=(2,)),
        **{name: partial(same_class, name) for name in SCHEMES},
    }


def chosen(methods: str, own: Readings, *, coded: bool) -> list[str]:
    """Read which methods are to be compared: "main", "all", or names with commas between them.

    "main" are the features given and every baseline; "all" adds the controls (raw activations,
    their principal components, an untrained SAE) where the first features are an SAE's, the text
    baselines without the texts' lengths, and the coarser classes of industry codes. Where no
    company has a code (`coded` is false), both leave out the methods by code.

    Raises
    ------
    DataError
        If a name is unknown.
    """
    codes = (*BY_CODE, *SCHEMES)
    main = [name for name in (*own, *BASELINES) if coded or name not in codes]
    if methods == "main":
        return main
    if methods == "all":
        controls = [name for name in CONTROLS if "sae" in own and name not in own]
        return in_order([*main, *controls, *CENTRED, *(SCHEMES if coded else ())])
    return [one_of("method", name.strip(), LABELS) for name in methods.split(",")]


def with_controls(universe: Universe, own: Readings, names: Sequence[str]) -> Readings:
    """Read the texts as the controls among `names` need it, with the first features' own model."""
    needed = {name for name in CONTROLS if name in names and name not in own}
    if not needed:
        return own
    if "sae" not in own:
        raise DataError(f"{', '.join(sorted(needed))}: controls of an SAE's features, not of these")
    how = reading_of(own["sae"])
    found = dict(own)
    if needed & {"activations", "pca"} and "activations" not in own:
        plain = Reading(model=how.model, layer=how.layer, sae="none")
        found["activations"] = build_features(universe, plain)
    if "untrained" in needed:
        found["untrained"] = build_features(universe, replace(how, sae=f"{UNTRAINED}{how.sae}"))
    return found


def recent_returns(past: Universe, tickers: Sequence[str], months: int) -> pd.DataFrame:
    """Daily log returns of the last months before the cut; monthly ones where there is no more."""
    if not len(past.prices) and len(past.monthly):
        return past.monthly[list(tickers)].iloc[-months:]
    if past.prices.empty:
        raise DataError("there are no prices up to the cut: choose a later one")
    start = past.prices.index[-1] - pd.DateOffset(months=months)
    daily = past.select(tickers).daily()
    later: pd.DataFrame = daily.loc[daily.index > start]
    return later


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
    that no method wins by making more and smaller clusters and none's clusters depend on what else
    is compared; `random` shuffles the SIC labels.
    The spanning tree's threshold is the one with the best past correlation (see
    `finsae.cluster.choose_threshold`).

    Returns
    -------
    dict of str to Series
        Labels by ticker; keys are a method's name, or "division", "sae (mst)", "sae (kmeans)" (or
        whatever the first features' method is; without it among the similarities, neither).
    """
    tickers = next(iter(similarity.values())).index
    companies = past.companies.loc[tickers]
    labels: dict[str, np.ndarray] = {}
    asked = [name for name in (*BY_CODE, *SCHEMES) if name in similarity]
    if asked:
        for name in dict.fromkeys((*BY_CODE, "division", *asked)):
            labels[name] = make("clusterer", name).fit_predict(companies)
    codes = labels["sic"] if labels else _by_sic(companies)
    count = max(2, len(tickers) // PER_CLUSTER if codes is None else len(np.unique(codes)))
    for method in (name for name in CLUSTERED if name in similarity):
        average = make("clusterer", "average", n_clusters=count)
        labels[method] = average.fit_predict(distance(similarity[method]))
    sizes = np.arange(len(tickers)) % count if codes is None else codes
    labels["random"] = np.random.default_rng(seed).permutation(sizes)
    own, table = next(iter(readings(features).items()))
    if own not in similarity:
        return {name: pd.Series(found, index=tickers) for name, found in labels.items()}
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


def _by_sic(companies: pd.DataFrame) -> np.ndarray | None:
    """Classes of the SIC codes, which set the number of clusters whatever methods are asked for."""
    if not companies["sic"].fillna("").ne("").any():
        return None
    return np.asarray(make("clusterer", "sic").fit_predict(companies))


def known_companies(past: Universe, features: Features) -> list[str]:
    """Companies described by the cut that have features, in the universe's order."""
    read = set(features.companies.index)
    return [ticker for ticker in past.companies.index if ticker in read]


def distance(similarity: pd.DataFrame) -> np.ndarray:
    """Distance 1 - similarity; a missing similarity counts as 0."""
    return np.asarray(1 - similarity.fillna(0).to_numpy(dtype=np.float64))
