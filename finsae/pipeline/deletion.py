"""Is the evidence true? Texts are read again without it, and the similarity has to fall."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse, stats

from finsae.checks import DataError
from finsae.explain import company_row, contributions
from finsae.explain.places import Places, places
from finsae.features import Features
from finsae.pipeline.answers import weigh_all
from finsae.pipeline.query import read_like, weighed_like
from finsae.similarity import cosine_to

KINDS = {
    "strongest": "the sentence that adds most to the similarity (the evidence)",
    "feature": "the sentence quoted for the strongest shared feature",
    "random": "another sentence of the text, drawn at random",
    "weakest": "the sentence that adds least",
}
"""What is deleted."""


class _Case(NamedTuple):
    row: int
    peer: int
    similarity: float
    read: Places
    sentences: dict[str, int]


def deletion_check(features: Features, *, pairs: int = 120, seed: int = 0) -> pd.DataFrame:
    """Read texts again without one sentence, and compare them with the nearest peer again.

    Companies are drawn without replacement; each is paired with its nearest peer, whose text stays
    whole. Model, autoencoder and idf weights are as they were. A sentence's removal also shortens
    the company's vector and changes what the model reads in the other sentences, so that nothing
    here is true by construction.

    Parameters
    ----------
    features : Features
        As `build_features` returns them, with token codes or of words.
    pairs : int, default 120
        Companies drawn; texts of a single sentence, and companies like nobody, are left out.
    seed : int

    Returns
    -------
    DataFrame
        Of each company and kind of sentence (see `KINDS`): ``a, b, kind, sentence`` (its number),
        ``sentences`` (how many there are), ``characters`` (its share of the text),
        ``contribution`` (its share of the similarity), ``similarity, after``.

    Raises
    ------
    DataError
        If no company can be drawn, or the texts cannot be read again (see `read_like`).
    """
    known = weigh_all(features)
    rng = np.random.default_rng(seed)
    cases: list[_Case] = []
    for row in rng.permutation(len(known.companies)):
        if len(cases) == pairs:
            break
        case = _case(known, int(row), rng)
        if case:
            cases.append(case)
    if not cases:
        raise DataError("no company has a text of two sentences and a peer: nothing to delete")
    rows = [_row(known, case, kind) for case in cases for kind in KINDS]
    texts = [_without(case.read, case.sentences[kind]) for case in cases for kind in KINDS]
    again = weighed_like(features, read_like(features, list(dict.fromkeys(texts))))
    places_of = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    table = pd.DataFrame(rows)
    peers = known.companies.index.get_indexer(pd.Index(table["b"]))
    table["after"] = _cosines(
        again.matrix[[places_of[text] for text in texts]], known.matrix[peers]
    )
    return table


def deletion_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Count how often a deletion lowers the similarity.

    Parameters
    ----------
    table : DataFrame
        Of `deletion_check`.

    Returns
    -------
    DataFrame
        Index ``kind``: ``lower`` (share of companies whose similarity falls), ``low, high`` (its
        95 % interval, Wilson 1927: companies are drawn once each), ``n``, ``fall`` (mean of the
        similarity before less after, relative to before), ``characters, contribution`` (means).
    """
    found = []
    for kind in KINDS:
        mine = table[table["kind"] == kind]
        fell = int((mine["after"] < mine["similarity"]).sum())
        interval = stats.binomtest(fell, len(mine)).proportion_ci(method="wilson")
        found.append(
            {
                "kind": kind,
                "lower": fell / len(mine),
                "low": float(interval.low),
                "high": float(interval.high),
                "n": len(mine),
                "fall": float((1 - mine["after"] / mine["similarity"]).mean()),
                "characters": float(mine["characters"].mean()),
                "contribution": float(mine["contribution"].mean()),
            }
        )
    return pd.DataFrame(found).set_index("kind")


def _case(known: Features, row: int, rng: np.random.Generator) -> _Case | None:
    """Find a company's peer and the sentences to delete; None where there is none of either."""
    ticker = str(known.companies.index[row])
    similarity = cosine_to(known.matrix, company_row(known, ticker), known.companies.index)
    near = similarity.drop(ticker)
    peer = known.position(str(near.index[int(near.to_numpy().argmax())]))
    value = float(similarity.iloc[peer])
    read = places(known, row)
    if value <= 0 or len(read.sentences) < 2:
        return None
    summands = contributions(known, company_row(known, ticker), [peer]).toarray().ravel()
    added = read.by_sentence() @ summands
    strongest = int(added.argmax())
    tokens = read.shares[:, [int(summands.argmax())]].toarray().ravel()
    others = np.delete(np.arange(len(added)), strongest)
    chosen = {
        "strongest": strongest,
        "feature": int(read.sentence[tokens.argmax()]) if len(tokens) else strongest,
        "random": int(rng.choice(others)),
        "weakest": int(others[added[others].argmin()]),
    }
    return _Case(row, peer, value, read, chosen)


def _row(known: Features, case: _Case, kind: str) -> dict[str, Any]:
    number = case.sentences[kind]
    start, end = case.read.sentences[number]
    a, b = (str(known.companies.index[row]) for row in (case.row, case.peer))
    summands = contributions(known, company_row(known, a), [case.peer]).toarray().ravel()
    added = case.read.by_sentence()[[number]] @ summands
    return {
        "a": a,
        "b": b,
        "kind": kind,
        "sentence": number,
        "sentences": len(case.read.sentences),
        "characters": (end - start) / len(case.read.text),
        "contribution": float(added[0]) / case.similarity,
        "similarity": case.similarity,
    }


def _without(read: Places, number: int) -> str:
    start, end = read.sentences[number]
    return read.text[:start] + read.text[end:]


def _cosines(one: sparse.csr_array, other: sparse.csr_array) -> np.ndarray:
    """Cosine of each row with the row of the same number; 0 for a row of zeros."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    lengths = np.sqrt(a.multiply(a).sum(axis=1) * b.multiply(b).sum(axis=1))
    products = np.asarray(a.multiply(b).sum(axis=1)).ravel()
    cosines: np.ndarray = np.divide(
        products, lengths, out=np.zeros_like(products), where=lengths > 0
    )
    return cosines
