"""The explorer inside the report: its data, compressed, and the parts of its page.

It needs no network and no second file, so it works from a mail attachment. What it cannot do, any
feature of any company switched off, needs the live one (`finsae explore`).
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup

from finsae.methods import in_order, label
from finsae.report.companies import cluster_names, industry
from finsae.report.parts import packed
from finsae.report.summary import records
from finsae.result import Result

METHODS = ("sic", "tfidf", "embedding", "past-correlation")
"""Whose peers stand beside those of the run's own features."""
PEERS = 8
SCALE = 1000
"""Values are written as whole thousandths."""


class Explorer(NamedTuple):
    """What the template puts into the page.

    Attributes
    ----------
    data : str
        JSON, compressed by gzip, in base64.
    css, script : Markup
    """

    data: str
    css: Markup
    script: Markup


def explorer(result: Result) -> Explorer | None:
    """Make the explorer of a run; None where its tables do not say what companies have.

    Parameters
    ----------
    result : Result
        With the tables ``companies``, ``marks`` and ``peers``.
    """
    known = content(result)
    if not known:
        return None
    text = json.dumps(known, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Explorer(packed(text), _asset("explorer.css"), _asset("explorer.js"))


def content(result: Result) -> dict[str, Any]:
    """Collect what the explorer shows, as JSON's own values; empty where tables are missing.

    Returns
    -------
    dict
        ``methods``: their labels, the run's own first; ``labels``: of features; ``companies``:
        lists of ticker, name, industry, cluster, text, features, peers. Features are ``[label's
        position, value in thousandths, start, end, start, end, ...]``; peers are per method
        ``[company's position, similarity in thousandths, ...]``.
    """
    companies, marks, peers = (result.tables.get(name) for name in ("companies", "marks", "peers"))
    if companies is None or marks is None or peers is None or marks.empty:
        return {}
    tickers = {str(ticker): i for i, ticker in enumerate(companies["ticker"])}
    own = str(result.provenance.get("method", "sae"))
    methods = [own, *(name for name in in_order(peers["method"]) if name in METHODS)]
    labels = {name: i for i, name in enumerate(marks["label"].unique())}
    named = "cluster" in companies
    clusters = cluster_names(companies, result.tables.get("features")) if named else {}
    features = _features(marks, labels)
    near = [_peers(peers[peers["method"] == name], tickers) for name in methods]
    return {
        "methods": [label(name) for name in methods],
        "labels": list(labels),
        "companies": [
            [
                row["ticker"],
                str(row["name"] or ""),
                industry(row["sic"]),
                clusters.get(row.get("cluster"), ""),
                str(row.get("description") or ""),
                features.get(row["ticker"], []),
                [by.get(row["ticker"], []) for by in near],
            ]
            for row in records(companies)
        ],
    }


def _features(marks: pd.DataFrame, labels: dict[str, int]) -> dict[str, list[list[int]]]:
    """By ticker the features in the table's order, each with all of its places."""
    found: dict[str, dict[int, list[int]]] = {}
    columns = ["ticker", "id", "label", "value", "start", "end"]
    for ticker, number, name, value, start, end in marks[columns].itertuples(index=False):
        mine = found.setdefault(ticker, {})
        feature = mine.setdefault(number, [labels[name], _thousandths(value)])
        if end > start:
            feature += [start, end]
    return {ticker: list(features.values()) for ticker, features in found.items()}


def _peers(rows: pd.DataFrame, tickers: dict[str, int]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    near = rows[(rows["rank"] <= PEERS) & rows["peer"].isin(tickers)]
    near = near.sort_values(["ticker", "rank"], kind="stable")
    for ticker, peer, value in near[["ticker", "peer", "similarity"]].itertuples(index=False):
        found.setdefault(ticker, []).extend((tickers[peer], _thousandths(value)))
    return found


def _thousandths(value: Any) -> int:  # noqa: ANN401 - a cell of a frame
    return 0 if pd.isna(value) else round(float(value) * SCALE)


@cache
def _asset(name: str) -> Markup:
    folder = files("finsae.report").joinpath("templates")
    return Markup(folder.joinpath(name).read_text(encoding="utf-8"))
