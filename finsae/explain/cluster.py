"""Why these companies are a cluster: what they share against the rest, who is nearly in, or out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from finsae.checks import DataError
from finsae.explain.contrast import contrast
from finsae.features import Features

SURE = 0.05  # largest q of a feature that may name a cluster
NAMED = 2  # features in a name


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
        that are commoner inside); ``industries`` (list of ``{"major_group", "companies"}``, None
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
        "name": cluster_name(shared, len(rows)) or _by_industry(mix),
        "members": features.companies.index[rows].tolist(),
        "others": len(outside),
        "features": shared.head(top).to_dict("records"),
        "industries": mix,
        "outsiders": _listed(near.head(top)),
        "insiders": _listed(loose.head(top)),
    }


def cluster_name(shared: pd.DataFrame, size: int) -> str:
    """Name a cluster by the two features that tell it most clearly from the rest.

    Only features count that at least half of the members have and whose q is at most 0.05; of
    several with a word in common the first stands for all. Empty where there is none.

    Parameters
    ----------
    shared : DataFrame
        Rows of `finsae.explain.contrast`, the clearest first.
    size : int
        Members.
    """
    sure = shared[(shared["inside"] * 2 >= size) & (shared["q"] <= SURE) & (shared["log_odds"] > 0)]
    chosen: list[str] = []
    said: set[str] = set()
    for label in sure["label"].astype(str):
        stems = {word.rstrip("s") for word in label.split(", ")}
        if not stems & said:
            chosen.append(label)
            said |= stems
        if len(chosen) == NAMED:
            break
    return " / ".join(chosen)


def mean_similarity(features: Features, rows: np.ndarray) -> pd.Series:
    """Mean cosine of every company with some companies, itself left out.

    Parameters
    ----------
    features : Features
        As compared.
    rows : ndarray
        Positions of the companies.
    """
    matrix = sparse.csr_array(features.matrix).astype(np.float64)
    lengths = np.sqrt(matrix.multiply(matrix).sum(axis=1))
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    unit = sparse.csr_array(sparse.diags_array(scale) @ matrix)
    total = unit @ np.asarray(unit[rows].sum(axis=0)).ravel()
    own = np.zeros(len(total))
    own[rows] = lengths[rows] > 0
    among = np.isin(np.arange(len(total)), rows)
    mean = (total - own) / np.where(among, max(len(rows) - 1, 1), len(rows))
    return pd.Series(mean, index=features.companies.index)


def industries(sic: pd.Series) -> list[dict[str, Any]]:
    """Count major groups (the first two digits of SIC codes), the commonest first."""
    counts = sic.astype(object).where(sic.notna(), None).str[:2].value_counts(dropna=False)
    mix = [
        {"major_group": None if pd.isna(group) else str(group), "companies": int(count)}
        for group, count in counts.items()
    ]
    return sorted(mix, key=lambda item: (-item["companies"], item["major_group"] or "~"))


def _by_industry(mix: list[dict[str, Any]]) -> str:
    group = mix[0]["major_group"]
    return f"major group {group}" if group else "no common feature"


def _listed(similarity: pd.Series) -> list[dict[str, Any]]:
    return [{"ticker": str(t), "similarity": float(s)} for t, s in similarity.items()]
