"""The tables that a report draws beside the scores: a map, a cluster, a pair explained."""

from __future__ import annotations

from collections.abc import Sequence

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
PAIRS = 5  # pairs of companies explained


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
    pairs = telling_pairs(similarity, past.companies["sic"])
    return {
        "companies": companies.reset_index(),
        "features": feature_table(known, tickers, top=TOP_FEATURES),
        "heat": heat(similarity, labels, future.monthly),
        **explained(known, similarity, pairs),
        "firing": firing(features),
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


def explained(
    known: Features, similarity: pd.DataFrame, pairs: Sequence[tuple[str, str]]
) -> dict[str, pd.DataFrame]:
    """Say why pairs are alike, each table with the columns ``a, b`` (tickers).

    Returns
    -------
    dict of str to DataFrame
        ``explained`` (by features, with the similarity), ``pair_words``, ``pair_sentences``, and
        ``pair_texts``: every sentence of both texts (``leg`` "a" or "b") with what it adds.
    """
    found: dict[str, list[pd.DataFrame]] = {}
    for a, b in pairs:
        value = float(similarity[a].to_numpy()[similarity.index.get_loc(b)])
        tables = {"explained": explain(known, a, b).assign(similarity=value)}
        tables |= by_text(known, a, b)
        for name, table in tables.items():
            found.setdefault(name, []).append(table.assign(a=a, b=b))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in found.items()}


def by_text(known: Features, a: str, b: str) -> dict[str, pd.DataFrame]:
    """Divide a pair's similarity among words and sentences; see `explained`."""
    words = word_pairs(known, a, b).rename(columns={"a": "word_a", "b": "word_b"})
    view = sentence_view(known, a, b, top=SENTENCES)
    texts = []
    for leg, ticker, sentences in (("a", a, view.a), ("b", b, view.b)):
        text = str(known.companies.at[ticker, "description"])
        mine = sentences[sentences["sentence"] >= 0]
        spans = zip(mine["start"], mine["end"], strict=True)
        told = [text[start:end] for start, end in spans]
        texts.append(mine[["contribution"]].assign(leg=leg, text=told))
    return {
        "pair_words": words,
        "pair_sentences": view.pairs.head(SENTENCES)[
            ["contribution", "features", "quote_a", "quote_b"]
        ],
        "pair_texts": pd.concat(texts, ignore_index=True),
    }


def firing(features: Features) -> pd.DataFrame:
    """Count how often latents fire on the tokens of these companies' descriptions.

    Returns
    -------
    DataFrame
        ``density`` (a power of ten, as `finsae.sae.metrics.density_histogram`), ``latents``, and
        in every row ``tokens, l0`` (active latents per token) and ``dead`` (share of latents that
        never fire). Empty for features that are no token codes.
    """
    codes = features.codes
    if codes is None or len(codes.starts) < 2:
        return pd.DataFrame(columns=["density", "latents", "tokens", "l0", "dead"])
    from finsae.sae.metrics import density_histogram

    tokens = len(codes.starts) - 1
    fired = np.bincount(np.asarray(codes.indices), minlength=len(features.names))
    bars = density_histogram(fired / tokens)
    table = pd.DataFrame({"density": bars.index, "latents": bars.to_numpy()})
    return table.assign(
        tokens=tokens, l0=len(codes.indices) / tokens, dead=float((fired == 0).mean())
    )


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


def telling_pairs(
    similarity: pd.DataFrame, sic: pd.Series, *, count: int = PAIRS
) -> list[tuple[str, str]]:
    """Name the most similar pairs that SIC puts in different major groups, no company twice.

    Where there are too few of them, pairs of the same group follow; the first is always there.
    """
    values = np.nan_to_num(similarity.to_numpy(dtype=float), copy=True, nan=-np.inf)
    np.fill_diagonal(values, -np.inf)
    groups = sic.reindex(similarity.index).str[:2].fillna("").to_numpy()
    known = groups != ""  # a company without a code is in no other group than another
    apart = np.where((groups[:, None] != groups) & known & known[:, None], values, -np.inf)
    found: list[tuple[str, str]] = []
    for table in (apart, values):
        while len(found) < count and table.max() > (-np.inf if not found else 0.0):
            a, b = divmod(int(table.argmax()), len(table))
            found.append((str(similarity.index[a]), str(similarity.index[b])))
            for used in (apart, values):
                used[[a, b]] = used[:, [a, b]] = -np.inf
    return found


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
