"""What a user asks of a features folder: who is like this company, and why are these two alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from finsae.checks import DataError, one_of
from finsae.explain import explain, explained_json, shared_features
from finsae.features import Features
from finsae.pipeline.methods import rows, weighted
from finsae.similarity import cosine, peers
from finsae.store import plain

CARRIERS = 3
"""Features named beside each peer."""


def weigh_all(features: Features) -> Features:
    """Weight features by their idf among all companies at hand: for questions without a date."""
    return weighted(features, features.companies.index.tolist())


def all_peers(features: Features, k: int = 10) -> pd.DataFrame:
    """Peers of every company: ``ticker, rank, peer, similarity``.

    Parameters
    ----------
    features : Features
        As `build_features` returns them.
    k : int
        Peers per company.
    """
    known = weigh_all(features)
    return peers(cosine(known.matrix, known.companies.index), k, random_state=0)


def company_peers(features: Features, ticker: str, k: int = 10) -> dict[str, Any]:
    """Find a company's nearest peers and the features that carry each similarity.

    Parameters
    ----------
    features : Features
        As `build_features` returns them.
    ticker : str
    k : int
        Number of peers.

    Returns
    -------
    dict
        ``{"ticker", "peers": [{"ticker", "similarity", "features": [{"id", "label",
        "contribution"}, ...]}, ...]}``

    Raises
    ------
    DataError
        If the ticker is unknown, with the nearest one.
    """
    if k < 1:
        raise DataError(f"k is {k}: ask for at least one peer")
    known = weigh_all(features)
    place = known.position(ticker)
    similarity = cosine_with(known, place).drop(ticker).sort_values(ascending=False, kind="stable")
    nearest = similarity.head(k)
    because = shared_features(known, ticker, nearest.index.tolist(), top=CARRIERS)
    found = [
        {"ticker": peer, "similarity": value, "features": because[str(peer)]}
        for peer, value in nearest.items()
    ]
    return {"ticker": ticker, "peers": plain(found)}


def cosine_with(features: Features, place: int) -> pd.Series:
    """Cosine of one company's row with every row."""
    tickers = features.companies.index
    pair = rows(features, [tickers[place]])
    products = (features.matrix @ pair.T).toarray().ravel()
    norms = (features.matrix.multiply(features.matrix)).sum(axis=1) ** 0.5
    scale = norms * norms[place]
    found: pd.Series = pd.Series(products / np.where(scale > 0, scale, 1.0), index=tickers)
    return found.clip(-1, 1)


def explain_pair(features: Features, a: str, b: str, *, top: int = 8) -> dict[str, Any]:
    """Say why two companies are alike; the contributions sum to the similarity.

    Parameters
    ----------
    features : Features
        As `build_features` returns them.
    a, b : str
        Two tickers.
    top : int
        Features to name; the others are summed in a last row with id -1.

    Returns
    -------
    dict
        ``{"a", "b", "similarity", "features": [{"id", "label", "contribution", "evidence":
        {"a", "b"}}, ...]}``; evidence marks the words a feature fires on as ``[[word]]``.

    Raises
    ------
    DataError
        If a ticker is unknown, or both are the same.
    """
    known = weigh_all(features)
    for ticker in (a, b):
        one_of("ticker", ticker, known.companies.index)
    if a == b:
        raise DataError(f'"{a}" is given twice: name two companies')
    return explained_json(a, b, explain(known, a, b, top=top))
