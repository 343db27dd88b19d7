"""The tables that a report draws beside the scores: a map, a cluster, a pair explained."""

from __future__ import annotations

import numpy as np
import pandas as pd

from finsae.explain import cluster_name, explain, feature_table, sentence_view, word_pairs
from finsae.explain.marks import strongest_marks
from finsae.features import Features
from finsae.pipeline.methods import distance, known_companies, similarities, weighted
from finsae.result import Result
from finsae.similarity import pairwise_correlation
from finsae.universe import Universe

VERSION = 3  # raised when the tables of the same result change
HEAT_SIZE = (6, 24)  # companies of a cluster whose heat map can be read
TOP_FEATURES = 12
SENTENCES = 5  # pairs of sentences of an explained pair


def pictures(
    universe: Universe, features: Features, result: Result, *, seed: int = 0
) -> dict[str, pd.DataFrame]:
    """Make the tables that the report draws beside a benchmark's scores.

    Parameters
    ----------
    universe, features : Universe, Features
        What the benchmark was run on.
    result : Result
        Of `finsae.pipeline.run_benchmark`; its companies and clusters are the ones drawn.
    seed : int
        Of the map's layout.
    """
    past, future = universe.cut(result.provenance["cut"])
    own = result.provenance["method"]
    clusters = result.tables["clusters"]
    labels = clusters[clusters["clusterer"] == own].set_index("ticker")["label"]
    tickers = labels.index.tolist()
    similarity = similarities(past, {own: features}, tickers, methods=[own])[own]
    known = weighted(features, known_companies(past, features))
    companies = past.companies.loc[tickers, ["name", "sic", "description"]].assign(cluster=labels)
    companies["cluster_name"] = cluster_names(known, labels)
    companies[["x", "y"]] = layout(similarity, seed=seed)
    a, b = telling_pair(similarity, past.companies["sic"])
    value = float(similarity[a].to_numpy()[similarity.index.get_loc(b)])
    return {
        "companies": companies.reset_index(),
        "features": feature_table(known, tickers, top=TOP_FEATURES),
        "heat": heat(similarity, labels, future.monthly),
        "explained": explain(known, a, b).assign(a=a, b=b, similarity=value),
        **by_text(known, a, b),
        "marks": strongest_marks(known, tickers),
        "repairs": universe.repairs,
    }


def cluster_names(known: Features, labels: pd.Series) -> pd.Series:
    """Name the cluster of every company by words (see `finsae.explain.cluster_name`), by ticker.

    Empty for companies that are alone.
    """
    names = pd.Series("", index=labels.index)
    for _, members in labels.groupby(labels):
        if len(members) > 1:
            rows = known.companies.index.get_indexer(members.index)
            names[members.index] = cluster_name(known, rows)
    return names


def by_text(known: Features, a: str, b: str) -> dict[str, pd.DataFrame]:
    """Divide a pair's similarity among words and sentences: ``pair_words, pair_sentences``."""
    words = word_pairs(known, a, b).rename(columns={"a": "word_a", "b": "word_b"})
    pairs = sentence_view(known, a, b, top=SENTENCES).pairs.head(SENTENCES)
    return {
        "pair_words": words.assign(a=a, b=b),
        "pair_sentences": pairs[["contribution", "features", "quote_a", "quote_b"]].assign(
            a=a, b=b
        ),
    }


def layout(similarity: pd.DataFrame, *, seed: int = 0) -> np.ndarray:
    """Lay companies out in the plane by t-SNE, so that neighbours stay neighbours [n, 2].

    Distances between far groups mean nothing (van der Maaten and Hinton 2008).
    """
    from sklearn.manifold import TSNE  # slow to import, and wanted for reports only

    count = len(similarity)
    if count < 5:
        return np.column_stack([np.arange(count, dtype=float), np.zeros(count)])
    tsne = TSNE(
        metric="precomputed",
        init="random",
        perplexity=min(30.0, (count - 1) / 3),
        random_state=seed,
    )
    return np.asarray(tsne.fit_transform(np.maximum(distance(similarity), 0)))


def telling_pair(similarity: pd.DataFrame, sic: pd.Series) -> tuple[str, str]:
    """Name the most similar pair that SIC puts in different major groups, if there is one."""
    values = similarity.to_numpy(dtype=float).copy()
    np.fill_diagonal(values, -np.inf)
    groups = sic.reindex(similarity.index).str[:2].fillna("").to_numpy()
    apart = np.where(groups[:, None] != groups, values, -np.inf)
    best = apart if np.isfinite(apart).any() else values
    a, b = divmod(int(best.argmax()), len(best))
    return str(similarity.index[a]), str(similarity.index[b])


def heat(similarity: pd.DataFrame, labels: pd.Series, monthly: pd.DataFrame) -> pd.DataFrame:
    """Similarity and later correlation within one cluster, long: ``a, b, similarity, correlation``.

    The cluster is the largest of at most 24 companies, so that names stay readable.
    """
    sizes = labels.value_counts()
    readable = sizes[sizes.between(*HEAT_SIZE)]
    chosen = (readable if len(readable) else sizes).index[0]
    members = labels.index[labels == chosen][: HEAT_SIZE[1]]
    square = similarity.loc[members, members]
    later = pairwise_correlation(monthly[members].to_numpy(dtype=float))
    return pd.DataFrame(
        {
            "a": np.repeat(members, len(members)),
            "b": np.tile(members, len(members)),
            "similarity": square.to_numpy(dtype=float).ravel(),
            "correlation": later.ravel(),
        }
    )
