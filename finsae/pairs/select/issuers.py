"""Which pairs are one company, or as good as one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from scipy import sparse

from finsae.similarity import past_correlation

Pair = tuple[str, str]

SHARED_TEXT = 0.8
"""Share of all runs of three words that near-identical texts have in common (Jaccard)."""

TRACKING = 0.97
"""Correlation of daily returns from which one share is taken for a tracker of the other."""

_LEGAL = frozenset(
    ("inc", "incorporated", "corp", "corporation", "company", "co", "companies", "ltd", "limited",
     "plc", "llc", "lp", "sa", "nv", "ag", "se", "the", "and")
)  # fmt: skip
_STRUCTURE = frozenset(
    ("partners", "partnership", "tracking", "stock", "series", "class", "units", "common",
     "preferred", "depositary", "shares", "ads", "adr", "trust", "fund", "ii", "iii", "iv",
     "a", "b", "c")
)  # fmt: skip
_OWNER = re.compile(
    r"\b(?:subsidiary of|owned by|controlled by|tracking stock of|tracks) (?:the )?((?:\w+ ?){1,6})"
)


def same_issuer(companies: pd.DataFrame, *, prices: pd.DataFrame | None = None) -> pd.DataFrame:
    """List pairs of tickers that are one company, or as good as one.

    Share classes of one issuer, and a parent and its tracker, move together for no reason that a
    description could tell; they would head every list of pairs. A pair left out in error costs one
    of many candidates, so doubtful ones are listed.

    Parameters
    ----------
    companies : DataFrame
        Index ticker; columns ``cik, name, description``, any of them missing or empty.
    prices : DataFrame, dates x tickers, optional
        Closes before the cut: pairs whose daily returns correlate at 0.97 or more are listed too.

    Returns
    -------
    DataFrame
        Columns ``a, b`` (in alphabetical order) and ``reason``, the first that holds: "cik" (the
        same), "name" or "description" (the same words, in lower case and without punctuation),
        "parent" (names that differ only by a legal form and words such as Partners, Series or
        Class, or a description that calls the company a subsidiary of the other), "text" (four
        fifths of all runs of three words shared), "returns".
    """
    found: dict[Pair, str] = {}
    words = {
        column: _words(companies[column])
        for column in ("cik", "name", "description")
        if column in companies
    }
    for column, values in words.items():
        _note(found, _same(values), column)
    if "name" in words:
        _note(found, _same_root(words["name"]), "parent")
    if "name" in words and "description" in words:
        _note(found, _owned(words["name"], words["description"]), "parent")
    if "description" in words:
        _note(found, _near_identical(words["description"]), "text")
    if prices is not None:
        _note(found, _tracking(prices), "returns")
    rows = [(a, b, reason) for (a, b), reason in found.items()]
    return pd.DataFrame(rows, columns=["a", "b", "reason"], dtype=object)


def _words(column: pd.Series) -> pd.Series:
    """Lower-case words of each entry, one space between; empty entries are left out."""
    words = column.dropna().astype(str).str.casefold()
    words = words.str.replace(r"[\W_]+", " ", regex=True).str.strip()
    return words[words != ""]


def _note(found: dict[Pair, str], pairs: Iterator[Pair], reason: str) -> None:
    for a, b in pairs:
        found.setdefault((min(a, b), max(a, b)), reason)


def _same(values: pd.Series) -> Iterator[Pair]:
    for _, group in values.groupby(values):
        tickers = sorted(group.index)
        for place, a in enumerate(tickers):
            for b in tickers[place + 1 :]:
                yield a, b


def _root(name: str, dropped: frozenset[str]) -> str:
    """Leave legal forms out; L P and L L C count as words."""
    joined = re.sub(r"\bl l c\b", "llc", re.sub(r"\bl p\b", "lp", name))
    return " ".join(word for word in joined.split() if word not in dropped)


def _same_root(names: pd.Series) -> Iterator[Pair]:
    """Names that differ by a word of structure, not by the legal form alone."""
    plain = names.map(lambda name: _root(name, _LEGAL))
    roots = names.map(lambda name: _root(name, _LEGAL | _STRUCTURE))
    for a, b in _same(roots[roots != ""]):
        if plain[a] != plain[b]:
            yield a, b


def _owned(names: pd.Series, texts: pd.Series) -> Iterator[Pair]:
    """Companies of which a description says that the other owns them."""
    owners: Mapping[str, str] = {_root(name, _LEGAL): str(ticker) for ticker, name in names.items()}
    for key, text in texts.items():
        ticker = str(key)
        for match in _OWNER.finditer(text):
            words = _root(match.group(1), _LEGAL).split()
            named = (" ".join(words[:count]) for count in range(len(words), 0, -1))
            owner = next((owners[root] for root in named if root in owners), ticker)
            if owner != ticker:
                yield ticker, owner


def _near_identical(texts: pd.Series) -> Iterator[Pair]:
    """Texts that share most of their runs of three words."""
    runs = texts.str.split().map(lambda w: set(zip(w, w[1:], w[2:], strict=False))).explode()
    runs = runs.dropna()
    own = runs.groupby(level=0).size()
    shared = runs[runs.duplicated(keep=False)]
    if shared.empty:
        return
    rows, columns = own.index.get_indexer(shared.index), pd.factorize(shared)[0]
    table = sparse.csr_array(
        (np.ones(len(shared)), (rows, columns)), shape=(len(own), columns.max() + 1)
    )
    common = sparse.triu(table @ table.T, k=1).tocoo()
    size = own.to_numpy()
    either = size[common.row] + size[common.col] - common.data
    for place in np.flatnonzero(common.data >= SHARED_TEXT * either):
        yield own.index[common.row[place]], own.index[common.col[place]]


def _tracking(prices: pd.DataFrame) -> Iterator[Pair]:
    """Shares whose daily returns are nearly one."""
    alike = past_correlation(pd.DataFrame(np.log(prices)).diff().iloc[1:])
    for a, b in np.argwhere(np.triu(alike.to_numpy() >= TRACKING, k=1)):
        yield alike.index[a], alike.index[b]
