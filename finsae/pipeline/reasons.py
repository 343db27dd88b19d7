"""Why two companies are alike, why these are a cluster, and what sets two groups apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from finsae import explain as reasons
from finsae.checks import DataError, nearest, one_of
from finsae.cluster import major_group_name
from finsae.explain import Answer, answers
from finsae.explain.cluster import explain_cluster
from finsae.explain.contrast import contrast, difference
from finsae.explain.sentences import NOWHERE, sentence_view
from finsae.explain.words import OTHER_WORDS, word_pairs
from finsae.features import Features
from finsae.pipeline.answers import company_peers, weigh_all
from finsae.pipeline.methods import PER_CLUSTER, distance
from finsae.plugins import make
from finsae.similarity import cosine
from finsae.store import plain

ONLY = 3  # features named that one of two companies lacks
WORD_PAIRS = 10
SENTENCE_PAIRS = 3


def explain_pair(
    features: Features, a: str, b: str, *, top: int = 8, without: Sequence[int] = (), k: int = 10
) -> Answer:
    """Say why two companies are alike; the contributions sum to the similarity.

    Parameters
    ----------
    features : Features
        As `build_features` returns them.
    a, b : str
        Two tickers.
    top : int
        Features to name; the others are summed in a last row with id -1.
    without : sequence of int
        Features to leave out, all at once, for the counterfactual.
    k : int
        Peers of the counterfactual.

    Returns
    -------
    dict
        ``a, b, similarity, of`` (companies in all);

        ``features``: list of ``{"id", "label", "contribution", "companies", "without", "evidence":
        {"a", "b"}}``; evidence marks the words a feature fires on as ``[[word]]``, ``without`` is
        the similarity if nobody had the feature, ``companies`` how many have it;

        ``words``: list of ``{"a", "b", "contribution"}``: pairs of words, a last one without words
        for the rest; ``sentences``: ``{"a", "b"}``, lists of ``{"contribution", "quote"}`` in the
        order of the texts, and ``"pairs"``, the three that add most, with what they share.
        Features, words, sentences of a, and sentences of b each sum to the similarity;

        ``shared``: how many features both have, and the share of the similarity that the named
        features, the word pairs and the sentence pairs carry;

        ``only``: ``{"a", "b"}``, lists of ``{"id", "label", "companies", "share", "evidence"}``:
        the strongest features that the other lacks;

        ``counterfactual``: None, or ``{"features", "similarity", "peers": {"before", "after"}}``.

    Raises
    ------
    DataError
        If a ticker or a feature is unknown, or both tickers are the same.
    """
    known = weigh_all(features)
    for ticker in (a, b):
        one_of("ticker", ticker, known.companies.index)
    if a == b:
        raise DataError(f'"{a}" is given twice: name two companies')
    found = reasons.explained_json(a, b, reasons.explain(known, a, b, top=top))
    row = known.position(b)
    shared = reasons.contributions(known, reasons.company_row(known, a), [row]).nnz
    found |= {"of": len(known.companies), **_by_text(known, a, b)}
    found["shared"] = {"features": int(shared), **_carried(found)}
    found["only"] = {
        "a": plain(reasons.unshared(known, a, b, top=ONLY).to_dict("records")),
        "b": plain(reasons.unshared(known, b, a, top=ONLY).to_dict("records")),
    }
    found["counterfactual"] = counterfactual(features, a, b, without, k=k) if len(without) else None
    return Answer(found, answers.pair)


def _by_text(known: Features, a: str, b: str) -> dict[str, Any]:
    view = sentence_view(known, a, b, top=SENTENCE_PAIRS)
    columns = ["contribution", "quote"]
    pairs = view.pairs[(view.pairs["a"] != NOWHERE) & (view.pairs["b"] != NOWHERE)]
    shown = pairs.head(SENTENCE_PAIRS)[["contribution", "features", "quote_a", "quote_b"]]
    sentences = {
        "a": plain(view.a[columns].to_dict("records")),
        "b": plain(view.b[columns].to_dict("records")),
        "pairs": plain(shown.to_dict("records")),
    }
    words = word_pairs(known, a, b, top=WORD_PAIRS)
    return {"words": plain(words.to_dict("records")), "sentences": sentences}


def _carried(found: Mapping[str, Any]) -> dict[str, float]:
    """Shares of the similarity carried by what is shown; 0 where there is none."""
    whole = found["similarity"]
    shown = {
        "named": [row["contribution"] for row in found["features"] if row["id"] >= 0],
        "words": [row["contribution"] for row in found["words"] if row["a"] != OTHER_WORDS],
        "sentences": [row["contribution"] for row in found["sentences"]["pairs"]],
    }
    return {name: sum(parts) / whole if whole > 0 else 0.0 for name, parts in shown.items()}


def counterfactual(
    features: Features, a: str, b: str, without: Sequence[int], *, k: int = 10
) -> dict[str, Any]:
    """Say what would be without some features: the similarity of a pair, and the peers of `a`.

    Parameters
    ----------
    features : Features
        As `build_features` returns them.
    a, b : str
        Two tickers.
    without : sequence of int
        Features that nobody is to have.
    k : int
        Peers listed.

    Returns
    -------
    dict
        ``{"features": [{"id", "label"}], "similarity", "peers": {"before", "after"}}``; peers are
        lists of tickers, nearest first.
    """
    known = weigh_all(features)
    similarity = reasons.without(known, a, b, without)
    labels = features.names["label"]
    found = {
        when: [peer["ticker"] for peer in company_peers(features, a, k, without=ids)["peers"]]
        for when, ids in (("before", ()), ("after", without))
    }
    return {
        "features": [{"id": int(i), "label": str(labels.iloc[i])} for i in without],
        "similarity": similarity,
        "peers": found,
    }


def why_cluster(
    features: Features, label: str, *, labels: pd.Series | None = None, top: int = 8
) -> Answer:
    """Say why the companies of a cluster are together (see `finsae.explain.explain_cluster`).

    Parameters
    ----------
    features : Features
        As `build_features` returns them.
    label : str
        A label, or a ticker: the cluster that it is in.
    labels : Series, optional
        Labels by ticker; by default the features are clustered here, by average linkage (see
        `own_clusters`). Companies without features are left out.
    top : int

    Returns
    -------
    dict
        As of `explain_cluster`, with ``label``, and the industries' names.

    Raises
    ------
    DataError
        If there is no such cluster, or only one company is in it.
    """
    known = weigh_all(features)
    given = own_clusters(features) if labels is None else labels
    given = given[given.index.isin(known.companies.index)].astype(str)
    chosen = given[label] if label in given.index else label
    if chosen not in set(given):
        largest = ", ".join(given.value_counts().head(5).index)
        raise DataError(
            f'no cluster or company "{label}" (largest clusters: {largest})'
            f"{nearest(label, {*given, *given.index})}"
        )
    found = explain_cluster(known, given.index[given == chosen].tolist(), top=top)
    for item in found["industries"]:
        group = item["major_group"]
        item["name"] = major_group_name(group) if group else "without a code"
    return Answer({"label": chosen, **plain(found)}, answers.cluster)


def own_clusters(features: Features) -> pd.Series:
    """Cluster all companies by average linkage of their features.

    There are as many clusters as different SIC codes, as in the benchmark; one per eight companies
    where there are no codes.
    """
    known = weigh_all(features)
    tickers = known.companies.index
    codes = known.companies["sic"].dropna().nunique()
    count = codes if codes > 1 else max(2, len(tickers) // PER_CLUSTER)
    average = make("clusterer", "average", n_clusters=count)
    return pd.Series(average.fit_predict(distance(cosine(known.matrix, tickers))), index=tickers)


def group_difference(features: Features, a: Sequence[str], b: Sequence[str]) -> pd.DataFrame:
    """Say which features one group of companies has more often than another.

    Parameters
    ----------
    features : Features
    a, b : sequence of str
        Tickers; no company may be in both.

    Returns
    -------
    DataFrame
        As of `finsae.explain.contrast`: inside is `a`, outside is `b`.
    """
    both = sorted(set(a) & set(b))
    if both:
        raise DataError(f"{', '.join(both)} is in both groups: name it in one")
    rows = [np.array([features.position(ticker) for ticker in dict.fromkeys(g)]) for g in (a, b)]
    return contrast(features, *rows)


__all__ = [
    "counterfactual",
    "difference",
    "explain_pair",
    "group_difference",
    "own_clusters",
    "why_cluster",
]
