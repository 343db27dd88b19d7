"""Why two companies are alike: their similarity, divided among the features they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.checks import DataError
from finsae.explain.quotes import quote_tokens, quote_word
from finsae.features import Features

OTHER_ID, OTHER_LABEL = -1, "other features"


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
        ``id, label, contribution, evidence_a, evidence_b``, the largest contribution first. The
        evidence is the sentence in which the feature is strongest, with its words marked
        ``[[so]]``, as plain text; empty where a feature has no place in the text. The row of all
        other features has the id -1. No rows where nothing is shared.

    Raises
    ------
    DataError
        If a ticker is unknown, or `top` is below 1.
    """
    if top < 1:
        raise DataError(f"top, the number of features shown, must be at least 1, not {top}")
    rows = features.position(a), features.position(b)
    shared = _contributions(features, rows[0], [rows[1]])
    order = np.lexsort((shared.indices, -shared.data))
    ids, contribution = shared.indices[order], shared.data[order]
    shown = ids[:top]
    table = pd.DataFrame(
        {
            "id": shown.astype(np.int64),
            "label": features.names["label"].to_numpy()[shown],
            "contribution": contribution[:top],
            "evidence_a": [evidence(features, rows[0], int(feature)) for feature in shown],
            "evidence_b": [evidence(features, rows[1], int(feature)) for feature in shown],
        }
    )
    if len(ids) > top:
        table.loc[len(table)] = [OTHER_ID, OTHER_LABEL, contribution[top:].sum(), "", ""]
    return table


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
            "evidence": {"a": row["evidence_a"], "b": row["evidence_b"]},
        }
        for row in table.to_dict("records")
    ]
    return {"a": a, "b": b, "similarity": float(table["contribution"].sum()), "features": rows}


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
    rows = [features.position(peer) for peer in peers]
    shared = _contributions(features, features.position(a), rows)
    labels = features.names["label"].to_numpy()
    row, column, value = _strongest(shared, top)
    found: dict[str, list[dict[str, Any]]] = {peer: [] for peer in peers}
    for i, feature, contribution in zip(row, column, value, strict=True):
        item = {"id": int(feature), "label": labels[feature], "contribution": float(contribution)}
        found[peers[i]].append(item)
    return found


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


def describe(features: Features, feature_id: int, *, top: int = 5) -> dict[str, Any]:
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
    return {
        "id": feature_id,
        "label": features.names["label"].iloc[feature_id],
        "companies": int((column != 0).sum()),
        "strongest": strongest,
    }


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
    text = str(features.companies["description"].iloc[row])
    codes = features.codes
    if codes is None:
        return quote_word(text, str(features.names["label"].iloc[feature_id]))
    tokens = slice(int(codes.offsets[row]), int(codes.offsets[row + 1]))
    spans = np.asarray(codes.spans[tokens])
    return quote_tokens(text, spans, codes.of_company(row, feature_id))


def _contributions(features: Features, row: int, others: Sequence[int]) -> sparse.csr_array:
    """Summands of the cosine of one company with each of the others, others x features."""
    matrix = sparse.csr_array(features.matrix)
    mine, their = matrix[[row]].astype(np.float64), matrix[list(others)].astype(np.float64)
    lengths = np.sqrt(their.multiply(their).sum(axis=1) * mine.multiply(mine).sum())
    summands = sparse.csr_array(their.multiply(mine))
    summands.data /= np.repeat(lengths, np.diff(summands.indptr))
    summands.eliminate_zeros()
    return summands


def _strongest(
    matrix: sparse.csr_array, top: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Row, column and value of the largest entries of every row, the largest first."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, rows))
    rank = np.arange(len(rows)) - matrix.indptr[rows]
    kept = order[rank < top]
    return rows[kept], matrix.indices[kept], matrix.data[kept]
