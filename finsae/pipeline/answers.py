"""Who is like this company, this basket, or this company on one axis; and who says this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from finsae.checks import DataError
from finsae.explain import Answer, answers, carriers, company_row, leave_out, shared_features
from finsae.explain.search import along, basket, labelled
from finsae.features import Features
from finsae.pipeline.methods import weighted
from finsae.pipeline.query import query_row, query_words
from finsae.similarity import cosine, cosine_to, peers
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


def company_peers(
    features: Features, ticker: str, k: int = 10, *, without: Sequence[int] = ()
) -> Answer:
    """Find a company's nearest peers and the features that carry each similarity.

    Parameters
    ----------
    features : Features
        As `build_features` returns them.
    ticker : str
    k : int
        Number of peers.
    without : sequence of int
        Features that are left out, as if nobody had them.

    Returns
    -------
    dict
        ``{"ticker", "peers": [{"ticker", "similarity", "features": [{"id", "label",
        "contribution"}, ...]}, ...]}``

    Raises
    ------
    DataError
        If the ticker is unknown, with the nearest one, or a feature is.
    """
    known = weigh_all(features)
    known = leave_out(known, without) if len(without) else known
    similarity = cosine_to(known.matrix, company_row(known, ticker), known.companies.index)
    nearest = _nearest(similarity, [ticker], k)
    because = shared_features(known, ticker, nearest.index.tolist(), top=CARRIERS)
    found = {"ticker": ticker, "peers": _listed(nearest, because)}
    return Answer(found, answers.peers)


def basket_peers(
    features: Features, tickers: Sequence[str], weights: Sequence[float] | None = None, k: int = 10
) -> Answer:
    """Find the companies most like a basket, such as a portfolio, that are not in it.

    Parameters
    ----------
    features : Features
        As `build_features` returns them.
    tickers : sequence of str
        The basket's companies.
    weights : sequence of float, optional
        Positive, one per company; by default all the same.
    k : int
        Number of peers.

    Returns
    -------
    dict
        ``{"basket": {ticker: weight}, "peers": [{"ticker", "similarity", "features", "members":
        {ticker: contribution}}, ...]}``: features carry the similarity with the basket as in
        `company_peers`, and so do the members, whose contributions sum to it.

    Raises
    ------
    DataError
        If a ticker is unknown, or the weights do not fit.
    """
    known = weigh_all(features)
    shares = np.ones(len(tickers)) if weights is None else np.asarray(weights, dtype=np.float64)
    row = basket(known, tickers, shares.tolist()).matrix
    index = known.companies.index
    nearest = _nearest(cosine_to(known.matrix, row, index), tickers, k)
    found = _listed(nearest, carriers(known, row, nearest.index.tolist(), top=CARRIERS))
    shares = shares / shares.sum()
    length = float(np.sqrt(row.multiply(row).sum()))
    own = {
        member: share * cosine_to(known.matrix, company_row(known, member), index) / length
        for member, share in zip(tickers, shares, strict=True)
    }
    for peer in found:
        peer["members"] = {member: float(part[peer["ticker"]]) for member, part in own.items()}
    weighed = dict(zip(tickers, shares.tolist(), strict=True))
    return Answer({"basket": weighed, "peers": found}, answers.peers)


def axis_peers(features: Features, ticker: str, query: str, k: int = 10) -> Answer:
    """Find a company's peers on one axis: by the features that a query matches, and no others.

    The axis has the features that fire on the query (see `finsae.pipeline.query`) and those with
    one of its words as a label; the similarity is Tanimoto's over these.

    Parameters
    ----------
    features : Features
        As `build_features` returns them.
    ticker : str
    query : str
        A word or several, such as "distribution".
    k : int
        Number of peers.

    Returns
    -------
    dict
        ``{"ticker", "on", "axis": [{"id", "label", "companies"}, ...], "peers": as of
        company_peers}``. The axis lists the features of it that the company has, strongest first;
        ``"of"`` is how many the axis has in all.

    Raises
    ------
    DataError
        If the ticker is unknown, or its text has nothing of the axis.
    """
    known = weigh_all(features)
    known.position(ticker)
    fired = query_row(features, query)[0].indices
    axis = np.union1d(fired, labelled(known, query_words(query)))
    similarity = along(known, ticker, axis)
    nearest = _nearest(similarity[similarity > 0], [ticker], k)
    mine = known.matrix[[known.position(ticker)]].toarray().ravel()[axis]
    order = axis[np.argsort(-mine, kind="stable")[: int((mine > 0).sum())]]
    kept = np.zeros(len(known.names))
    kept[axis] = 1
    because = shared_features(known.weighted(kept), ticker, nearest.index.tolist(), top=CARRIERS)
    told = known.names.loc[order, ["label", "companies"]].reset_index(names="id").to_dict("records")
    found = {
        "ticker": ticker,
        "on": query,
        "of": len(axis),
        "axis": plain(told),
        "peers": _listed(nearest, because),
    }
    return Answer(found, answers.peers)


def _nearest(similarity: pd.Series, left_out: Sequence[str], k: int) -> pd.Series:
    if k < 1:
        raise DataError(f"k is {k}: ask for at least one peer")
    others = similarity.drop(list(left_out), errors="ignore")
    found: pd.Series = others.sort_values(ascending=False, kind="stable").head(k)
    return found


def _listed(nearest: pd.Series, because: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = plain(
        [
            {"ticker": peer, "similarity": value, "features": because[str(peer)]}
            for peer, value in nearest.items()
        ]
    )
    return found
