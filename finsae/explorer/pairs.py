"""Two companies beside one another: what carries their similarity, and their texts with marks."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from finsae.checks import DataError
from finsae.explain import company_row, contributions, unshared, word_pairs
from finsae.explain.places import Places, places
from finsae.explain.words import OTHER_WORDS
from finsae.features import Features
from finsae.store import plain

NAMED = 12
"""Shared features shown, the largest contribution first."""
ONLY = 5
"""Features shown that one of the two lacks."""
PER_TOKEN = 4
"""Features noted for each stretch of text."""
FAINT = 0.02
"""Tokens are left unmarked that add less than this share of what the strongest adds."""

Segment = tuple[str, float, dict[int, float]]


def compared(features: Features, a: str, b: str) -> dict[str, Any]:
    """Compare two companies.

    Parameters
    ----------
    features : Features
        As compared.
    a, b : str
        Tickers.

    Returns
    -------
    dict
        ``similarity``; ``shared`` (how many features both have); ``features``: ``{"id", "label",
        "contribution", "companies"}``; ``words``: pairs of words and what they add; ``only``: for
        each side the features the other lacks; ``texts``: both texts cut into segments ``[text,
        strength, {feature: part}]``, where strength is the segment's contribution relative to the
        text's strongest and parts are those of single features.

    Raises
    ------
    DataError
        If a ticker is unknown, or both are the same.
    """
    rows = features.position(a), features.position(b)
    if a == b:
        raise DataError(f'"{a}" is given twice: name two companies')
    summands = contributions(features, company_row(features, a), [rows[1]]).toarray().ravel()
    words = word_pairs(features, a, b, top=NAMED)
    columns = ["id", "label", "companies", "share"]
    return {
        "a": a,
        "b": b,
        "similarity": float(summands.sum()),
        "shared": int((summands != 0).sum()),
        "features": _named(features, summands),
        "words": plain(words[words["a"] != OTHER_WORDS].to_dict("records")),
        "only": [
            plain(unshared(features, *legs, top=ONLY)[columns].to_dict("records"))
            for legs in ((a, b), (b, a))
        ],
        "texts": [segments(places(features, row), summands) for row in rows],
    }


def _named(features: Features, summands: np.ndarray) -> list[dict[str, Any]]:
    best = [int(i) for i in np.argsort(-summands, kind="stable")[:NAMED] if summands[i] > 0]
    names = features.names
    return [
        {
            "id": i,
            "label": str(names["label"].iloc[i]),
            "contribution": float(summands[i]),
            "companies": int(names["companies"].iloc[i]),
        }
        for i in best
    ]


def segments(read: Places, summands: np.ndarray) -> list[Segment]:
    """Cut a text where what it adds to a similarity changes; joined, segments are the text.

    Parameters
    ----------
    read : Places
    summands : ndarray [F]
        What each feature adds.
    """
    parts = sparse.csr_array(read.shares @ sparse.diags_array(summands))
    added = np.asarray(parts.sum(axis=1)).ravel()
    most = max(float(added.max(initial=0.0)), np.finfo(float).tiny)
    found: list[Segment] = []
    at = 0
    for token in np.argsort(read.spans[:, 0], kind="stable"):
        start, end = (int(bound) for bound in read.spans[token])
        if added[token] < FAINT * most or end <= start or start < at or end > len(read.text):
            continue
        if start > at:
            found.append((read.text[at:start], 0.0, {}))
        mine = slice(parts.indptr[token], parts.indptr[token + 1])
        strength = round(float(added[token]) / most, 3)
        found.append((read.text[start:end], strength, _strongest(parts, mine, most)))
        at = end
    if at < len(read.text):
        found.append((read.text[at:], 0.0, {}))
    return found


def _strongest(parts: sparse.csr_array, mine: slice, most: float) -> dict[int, float]:
    ids, values = parts.indices[mine], parts.data[mine]
    best = np.argsort(-values, kind="stable")[:PER_TOKEN]
    return {int(ids[i]): round(float(values[i]) / most, 3) for i in best if values[i] > 0}
