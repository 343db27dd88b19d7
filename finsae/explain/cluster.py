"""Why these companies are a cluster: what they share against the rest, who is nearly in, or out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from finsae.checks import DataError
from finsae.explain.contrast import contrast
from finsae.explain.pair import evidence
from finsae.explain.places import places
from finsae.explain.words import by_word
from finsae.features import Features

NAMED = 3  # words in a name
READ = 25  # members whose texts name a cluster


def explain_cluster(features: Features, members: Sequence[str], *, top: int = 8) -> dict[str, Any]:
    """Say what the members of a cluster share, and who is nearest to its border.

    The features are compared with those of all other companies (`finsae.explain.contrast`). Where
    the cluster was found by the same features, it differs in some of them by construction: the
    intervals then order and size what is shared, they do not prove that the cluster exists.

    Parameters
    ----------
    features : Features
        As compared, of members and of all others.
    members : sequence of str
        Tickers, two at least.
    top : int, default 8
        Features, outsiders and insiders listed.

    Returns
    -------
    dict
        ``name``; ``members``; ``others`` (how many companies); ``features`` (rows of `contrast`
        that are commoner inside, with the ``ticker`` of the member that has most of it and the
        ``evidence`` in its text); ``industries`` (list of ``{"major_group", "companies"}``, None
        for those without a code); ``outsiders`` (nearest first) and ``insiders`` (loosest first),
        lists of ``{"ticker", "similarity"}``: the mean cosine with the members, itself left out.

    Raises
    ------
    DataError
        If a ticker is unknown, if there are fewer than two members, or if nobody is left outside.
    """
    rows = np.array([features.position(ticker) for ticker in dict.fromkeys(members)], dtype=int)
    outside = np.setdiff1d(np.arange(len(features.companies)), rows)
    if len(rows) < 2:
        raise DataError(f"a cluster needs two companies at least; {', '.join(members)} is alone")
    if not len(outside):
        raise DataError("all companies are in this cluster: there is nobody to compare it with")
    shared = contrast(features, rows, outside)
    shared = shared[shared["log_odds"] > 0]
    similarity = mean_similarity(features, rows)
    near = similarity.iloc[outside].sort_values(ascending=False, kind="stable")
    loose = similarity.iloc[rows].sort_values(kind="stable")
    mix = industries(features.companies["sic"].iloc[rows])
    return {
        "name": cluster_name(features, rows) or _by_industry(mix),
        "members": features.companies.index[rows].tolist(),
        "others": len(outside),
        "features": [_shown(features, rows, row) for row in shared.head(top).to_dict("records")],
        "industries": mix,
        "outsiders": _listed(near.head(top)),
        "insiders": _listed(loose.head(top)),
    }


def cluster_name(features: Features, rows: np.ndarray) -> str:
    """Name a cluster by the words that carry its members' similarity with one another.

    Every member's similarity with the others is divided among its words (as in
    `finsae.explain.word_pairs`), and summed over the members; a word names the cluster if half of
    them have it. Of large clusters the first 25 members are read.

    Parameters
    ----------
    features : Features
        As compared.
    rows : ndarray
        The members' positions.

    Returns
    -------
    str
        Up to three words, the strongest first; empty where features have no place in the texts.
    """
    unit = _unit(features)
    whole = np.asarray(unit[rows].sum(axis=0)).ravel()
    added: defaultdict[str, float] = defaultdict(float)
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows[:READ]:
        own = unit[[row]].toarray().ravel()
        for word, part in _parts(features, int(row), own * (whole - own)).items():
            singular = word.lower().removesuffix("s")
            added[singular] += part
            forms[singular][word] += 1
    half = min(len(rows), READ) / 2
    common = [word for word in added if forms[word].total() >= half]
    best = sorted(common, key=lambda word: (-added[word], word))[:NAMED]
    return ", ".join(max(forms[word], key=lambda form: (forms[word][form], form)) for word in best)


def _parts(features: Features, row: int, summands: np.ndarray) -> dict[str, float]:
    """Say what each word of a text adds, of those that could name something."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    shares, words = by_word(places(features, row))
    return {
        word: part
        for word, part in zip(words, shares @ summands, strict=True)
        if part > 0 and word.isalpha() and word.lower() not in ENGLISH_STOP_WORDS
    }


def mean_similarity(features: Features, rows: np.ndarray) -> pd.Series:
    """Mean cosine of every company with some companies, itself left out.

    Parameters
    ----------
    features : Features
        As compared.
    rows : ndarray
        Positions of the companies.
    """
    unit = _unit(features)
    total = unit @ np.asarray(unit[rows].sum(axis=0)).ravel()
    own = np.zeros(len(total))
    own[rows] = np.diff(unit.indptr)[rows] > 0
    among = np.isin(np.arange(len(total)), rows)
    mean = (total - own) / np.where(among, max(len(rows) - 1, 1), len(rows))
    return pd.Series(mean, index=features.companies.index)


def industries(sic: pd.Series) -> list[dict[str, Any]]:
    """Count major groups (the first two digits of SIC codes), the commonest first."""
    counts = sic.fillna("").astype(str).str[:2].value_counts()
    mix = [{"major_group": str(g) or None, "companies": int(count)} for g, count in counts.items()]
    return sorted(mix, key=lambda item: (-item["companies"], item["major_group"] or "~"))


def _unit(features: Features) -> sparse.csr_array:
    """Rows of length 1."""
    matrix = sparse.csr_array(features.matrix).astype(np.float64)
    matrix.eliminate_zeros()
    lengths = np.sqrt(matrix.multiply(matrix).sum(axis=1))
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return sparse.csr_array(sparse.diags_array(scale) @ matrix)


def _shown(features: Features, rows: np.ndarray, row: dict[Any, Any]) -> dict[str, Any]:
    """Add the member that has most of a feature, and where its text has it."""
    column = features.matrix[:, [int(row["id"])]].toarray().ravel()[rows]
    best = int(rows[int(column.argmax())])
    quote = evidence(features, best, int(row["id"]))
    return {**row, "ticker": str(features.companies.index[best]), "evidence": quote}


def _by_industry(mix: list[dict[str, Any]]) -> str:
    group = mix[0]["major_group"]
    return f"major group {group}" if group else "no common feature"


def _listed(similarity: pd.Series) -> list[dict[str, Any]]:
    return [{"ticker": str(t), "similarity": float(s)} for t, s in similarity.items()]
