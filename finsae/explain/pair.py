"""Why two companies are alike: their similarity, divided among the features they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.checks import DataError
from finsae.explain import answers
from finsae.explain.answers import Answer
from finsae.explain.places import spans_of, text_of
from finsae.explain.quotes import quote_tokens, quote_word
from finsae.features import Features

OTHER_ID, OTHER_LABEL = -1, "other features"
EXPLAINED = ("id", "label", "contribution", "companies", "without", "evidence_a", "evidence_b")


def explain(features: Features, a: str, b: str, *, top: int = 10) -> pd.DataFrame:
    """Divide the similarity of two companies among the features that both have.

    A feature's contribution is w_f(a) w_f(b) / (|a| |b|), the summand of the cosine: contributions
    sum to the similarity, and nothing is left unexplained.

    Parameters
    ----------
    features : Features
        As compared: weighted, if the similarity is of weighted features.
    a, b : str
        Tickers.
    top : int, default 10
        Features shown; the rest is one last row.

    Returns
    -------
    DataFrame
        ``id, label, contribution, companies, without, evidence_a, evidence_b``, the largest
        contribution first. ``companies`` is how many have the feature, ``without`` the similarity
        if nobody had it: the lengths change too, so it is not the similarity less the contribution.
        The evidence is the sentence in which the feature is strongest, with its words marked
        ``[[so]]``, as plain text; empty where a feature has no place in the text. The row of all
        other features has the id -1, and neither of the two figures. No rows where nothing is
        shared.

    Raises
    ------
    DataError
        If a ticker is unknown, or `top` is below 1.
    """
    if top < 1:
        raise DataError(f"top, the number of features shown, must be at least 1, not {top}")
    rows = features.position(a), features.position(b)
    shared = contributions(features, company_row(features, a), [rows[1]])
    order = np.lexsort((shared.indices, -shared.data))
    ids, contribution = shared.indices[order], shared.data[order]
    shown = ids[:top]
    table = pd.DataFrame(
        {
            **_named(features, shown),
            "contribution": contribution[:top],
            "without": [without(features, a, b, [int(feature)]) for feature in shown],
            "evidence_a": [evidence(features, rows[0], int(feature)) for feature in shown],
            "evidence_b": [evidence(features, rows[1], int(feature)) for feature in shown],
        },
        columns=list(EXPLAINED),
    )
    if len(ids) > top:
        rest = [OTHER_ID, OTHER_LABEL, contribution[top:].sum(), None, np.nan, "", ""]
        table.loc[len(table)] = rest
    return table.astype({"id": np.int64, "companies": "Int64", "without": np.float64})


def explained_json(a: str, b: str, table: pd.DataFrame) -> dict[str, Any]:
    """Turn an explanation into JSON values: ``a, b, similarity, features``.

    Parameters
    ----------
    a, b : str
        The tickers.
    table : DataFrame
        From `explain`.
    """
    rows = [
        {
            "id": int(row["id"]),
            "label": row["label"],
            "contribution": float(row["contribution"]),
            "companies": None if row["id"] == OTHER_ID else int(row["companies"]),
            "without": None if row["id"] == OTHER_ID else float(row["without"]),
            "evidence": {"a": row["evidence_a"], "b": row["evidence_b"]},
        }
        for row in table.to_dict("records")
    ]
    return {"a": a, "b": b, "similarity": float(table["contribution"].sum()), "features": rows}


def unshared(features: Features, a: str, b: str, *, top: int = 5) -> pd.DataFrame:
    """List the strongest features that one company has and the other lacks.

    Parameters
    ----------
    features : Features
        As compared.
    a, b : str
        Tickers: features of `a` that `b` has nothing of.
    top : int, default 5

    Returns
    -------
    DataFrame
        ``id, label, companies, share, evidence``, the strongest first; none that fires in the
        other's text at all. ``share`` is the feature's
        part of the squared length of `a`: over all its features these sum to 1.
    """
    row, other = features.position(a), features.position(b)
    squares = _squares(features, row)
    own = np.where(features.matrix[[other]].toarray().ravel() == 0, squares, 0.0)
    if features.codes is not None:  # a feature may be in the text and yet not stand out there
        there = features.codes.company(other, len(own))
        own[there.indices[there.data > 0]] = 0.0
    ids = np.argsort(-own, kind="stable")[:top]
    ids = ids[own[ids] > 0]
    return pd.DataFrame(
        {
            **_named(features, ids),
            "share": own[ids] / squares.sum(),
            "evidence": [evidence(features, row, int(feature)) for feature in ids],
        }
    )


def without(features: Features, a: str, b: str, ids: Sequence[int]) -> float:
    """Similarity of two companies if nobody had some features; 0 where nothing else is left.

    Parameters
    ----------
    features : Features
        As compared.
    a, b : str
        Tickers.
    ids : sequence of int
        Features to leave out, as in `Features.names`.

    Raises
    ------
    DataError
        If a ticker or a feature is unknown.
    """
    kept = _mask(features, ids)
    rows = [features.matrix[[features.position(t)]].toarray().ravel() * kept for t in (a, b)]
    one, other = (row.astype(np.float64) for row in rows)
    length = np.sqrt((one @ one) * (other @ other))
    return float(one @ other / length) if length > 0 else 0.0


def leave_out(features: Features, ids: Sequence[int]) -> Features:
    """Return features of which nobody has the given ones.

    Raises
    ------
    DataError
        If there is no such feature.
    """
    return features.weighted(_mask(features, ids))


def company_row(features: Features, ticker: str) -> sparse.csr_array:
    """Features of one company, 1 x features.

    Raises
    ------
    DataError
        If the ticker is unknown, with the nearest one.
    """
    return sparse.csr_array(features.matrix)[[features.position(ticker)]]


def carriers(
    features: Features, mine: sparse.csr_array, others: Sequence[str], *, top: int = 3
) -> dict[str, list[dict[str, Any]]]:
    """Name the features that carry the similarity of a vector and each of some companies.

    Parameters
    ----------
    features : Features
        As compared.
    mine : CSR [1, F]
        A company's row, a basket's, or a query's.
    others : sequence of str
        Tickers.
    top : int, default 3
        Features per company, the largest contribution first.

    Returns
    -------
    dict
        By company, a list of ``{"id", "label", "contribution"}``.
    """
    shared = contributions(features, mine, [features.position(other) for other in others])
    labels = features.names["label"].to_numpy()
    row, column, value = _strongest(shared, top)
    found: dict[str, list[dict[str, Any]]] = {other: [] for other in others}
    for i, feature, contribution in zip(row, column, value, strict=True):
        item = {"id": int(feature), "label": labels[feature], "contribution": float(contribution)}
        found[others[i]].append(item)
    return found


def shared_features(
    features: Features, a: str, peers: Sequence[str], *, top: int = 3
) -> dict[str, list[dict[str, Any]]]:
    """Name the features that carry the similarity of a company and each of its peers.

    Parameters
    ----------
    features : Features
        As compared.
    a : str
        Ticker.
    peers : sequence of str
        Tickers.
    top : int, default 3
        Features per peer, the largest contribution first.

    Returns
    -------
    dict
        By peer, a list of ``{"id", "label", "contribution"}``.
    """
    return carriers(features, company_row(features, a), peers, top=top)


def feature_table(
    features: Features, tickers: str | Sequence[str] | None = None, *, top: int = 12
) -> pd.DataFrame:
    """List the strongest features of companies.

    Parameters
    ----------
    features : Features
        Weighted or not.
    tickers : str or sequence of str, optional
        One company or several; by default all.
    top : int, default 12
        Features per company.

    Returns
    -------
    DataFrame
        ``ticker, id, label, value``, the strongest first.
    """
    known = features.companies.index
    wanted = [tickers] if isinstance(tickers, str) else known if tickers is None else tickers
    rows = np.array([features.position(ticker) for ticker in wanted], dtype=np.int64)
    row, column, value = _strongest(sparse.csr_array(features.matrix)[rows], top)
    return pd.DataFrame(
        {
            "ticker": known.to_numpy()[rows[row]],
            "id": column.astype(np.int64),
            "label": features.names["label"].to_numpy()[column],
            "value": value,
        }
    )


def describe(features: Features, feature_id: int, *, top: int = 5) -> Answer:
    """Describe a feature by the companies that have most of it.

    Parameters
    ----------
    features : Features
        Weighted or not.
    feature_id : int
        As in `Features.names`.
    top : int, default 5
        Companies shown.

    Returns
    -------
    dict
        ``id, label, companies`` (how many have it), and ``strongest``: a list of
        ``{"ticker", "value", "evidence"}``.

    Raises
    ------
    DataError
        If there is no such feature.
    """
    if not 0 <= feature_id < len(features.names):
        raise DataError(f"no feature {feature_id}: ids go from 0 to {len(features.names) - 1}")
    column = sparse.csr_array(features.matrix[:, [feature_id]]).toarray().ravel()
    order = np.argsort(-column, kind="stable")[:top]
    strongest = [
        {
            "ticker": str(features.companies.index[row]),
            "value": float(column[row]),
            "evidence": evidence(features, int(row), feature_id),
        }
        for row in order
        if column[row] != 0
    ]
    found = {
        "id": feature_id,
        "label": features.names["label"].iloc[feature_id],
        "companies": int((column != 0).sum()),
        "strongest": strongest,
    }
    return Answer(found, answers.feature)


def evidence(features: Features, row: int, feature_id: int) -> str:
    """Quote where a company's text has a feature: by its token codes, else by its label as a word.

    Parameters
    ----------
    features : Features
        With the companies' descriptions.
    row : int
        The company's position.
    feature_id : int
        As in `Features.names`.
    """
    text = text_of(features, row)
    codes = features.codes
    if codes is None:
        return quote_word(text, str(features.names["label"].iloc[feature_id]))
    spans = spans_of(codes, row)
    return quote_tokens(text, spans, codes.of_company(row, feature_id))


def contributions(
    features: Features, mine: sparse.csr_array, others: Sequence[int]
) -> sparse.csr_array:
    """Summands of the cosine of a vector (1 x F) with some companies' rows: others x F, float64."""
    one = mine.astype(np.float64)
    their = sparse.csr_array(features.matrix)[list(others)].astype(np.float64)
    lengths = np.sqrt(their.multiply(their).sum(axis=1) * one.multiply(one).sum())
    summands = sparse.csr_array(their.multiply(one))
    summands.data /= np.repeat(lengths, np.diff(summands.indptr))
    summands.eliminate_zeros()
    return summands


def _named(features: Features, ids: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    names = features.names.iloc[ids]
    return {
        "id": ids.astype(np.int64),
        "label": names["label"].to_numpy(),
        "companies": names["companies"].to_numpy(),
    }


def _squares(features: Features, row: int) -> npt.NDArray[np.float64]:
    return np.asarray(features.matrix[[row]].toarray().ravel().astype(np.float64) ** 2)


def _mask(features: Features, ids: Sequence[int]) -> npt.NDArray[np.float64]:
    """1 for features that stay, 0 for the given ones."""
    count = len(features.names)
    wrong = [feature for feature in ids if not 0 <= feature < count]
    if wrong:
        raise DataError(f"no feature {wrong[0]}: ids go from 0 to {count - 1}")
    kept = np.ones(count)
    kept[list(ids)] = 0
    return kept


def _strongest(
    matrix: sparse.csr_array, top: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Row, column and value of the largest entries of every row, the largest first."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, rows))
    rank = np.arange(len(rows)) - matrix.indptr[rows]
    kept = order[rank < top]
    return rows[kept], matrix.indices[kept], matrix.data[kept]
