"""What the explorer can be asked; every answer is made of JSON's own values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.checks import DataError
from finsae.cluster import major_group_name
from finsae.explain import describe, shared_features
from finsae.explorer.clusters import Clusters
from finsae.explorer.later import Later
from finsae.explorer.pairs import compared
from finsae.features import Features
from finsae.methods import label as method_label
from finsae.pipeline.answers import weigh_all
from finsae.pipeline.methods import reading_of, readings
from finsae.similarity.methods import TINY
from finsae.store import plain

FloatArray = npt.NDArray[np.floating[Any]]
Weights = tuple[tuple[int, float], ...]
Answer = dict[str, Any]

SHOWN = 24
"""Features of a company, the strongest first."""
PARTS = ("returns", "labels", "clusters", "embedding")
"""What is made after the start, in this order."""
CARRIERS = 3
"""Features named beside a peer."""
OWNERS = 15
"""Companies shown that have most of a feature."""
MOST_PEERS = 50
HEAVIEST = 10.0
"""Largest weight that a feature can be given."""
DIGITS = (4, 3, 2)
"""Leading digits of SIC codes that count, as in `finsae.similarity.shared_prefix`."""


class Explorer:
    """Questions about the companies of a features folder.

    Parameters
    ----------
    features : Features
        As `finsae.build_features` returns them.
    labels : callable, optional
        Gives the table of `finsae label` (``id, labeller, score``), or None where there is none.
    embed : callable, optional
        Gives the descriptions' embeddings [n, d].
    later : callable, optional
        Gives the returns after the cut (`Later`), or None where there are no prices. All three are
        called once, by `prepare`.

    Attributes
    ----------
    method : str
        How the features call themselves: "SAE", "Word features", ...
    waiting : dict of str to str
        What is still being made (of `PARTS`), or why it cannot be had.
    """

    def __init__(
        self,
        features: Features,
        *,
        labels: Callable[[], pd.DataFrame | None] | None = None,
        embed: Callable[[], FloatArray] | None = None,
        later: Callable[[], Later | None] | None = None,
    ) -> None:
        reading = {**vars(reading_of(features)), "idf": False, "strongest": 0}
        # weighed once; whatever weighs features itself must not do so again
        known = replace(weigh_all(features), provenance={**features.provenance, "reading": reading})
        self.known = known
        self.method = method_label(next(iter(readings(features))))
        self.waiting = dict.fromkeys(PARTS, "is being made")
        self._embed, self._read_later, self._read_labels = embed, later, labels
        self._matrix = sparse.csr_array(known.matrix.astype(np.float64))
        self._squares = self._matrix.power(2)
        self._names, self._industries = _named(known.companies), _industry(known.companies)
        self._labels: pd.DataFrame | None = None
        self._unit: FloatArray | None = None
        self._later: Later | None = None
        self._clusters: Clusters | None = None
        self._altered = lru_cache(maxsize=2)(self._alter)

    def prepare(self) -> None:
        """Make what takes longer than an answer may.

        What cannot be had leaves its reason in `waiting`; everything else is answered meanwhile.
        """
        for name in PARTS:
            try:
                getattr(self, f"_make_{name}")()
                self.waiting.pop(name)
            except (DataError, OSError) as error:
                self.waiting[name] = str(error)

    def _make_labels(self) -> None:
        found = self._read_labels() if self._read_labels else None
        self._labels = None if found is None else found.set_index("id")

    def _make_embedding(self) -> None:
        if self._embed is None:
            raise DataError("there is no embedding of these descriptions")
        vectors = np.asarray(self._embed(), dtype=np.float64)
        self._unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), TINY)

    def _make_returns(self) -> None:
        found = self._read_later() if self._read_later else None
        if found is None:
            raise DataError("there are no prices: start with --prices FILE")
        self._later = found

    def _make_clusters(self) -> None:
        made = Clusters(self.known, self._industries)
        made.opened(0)  # the first one opened loads what the others need
        self._clusters = made

    def state(self) -> Answer:
        """Say what is explored, and what is not ready yet."""
        universe = self.known.provenance.get("universe", {})
        return {
            "method": self.method,
            "companies": len(self.known.companies),
            "features": int((self.known.names["companies"] > 0).sum()),
            "source": universe.get("name"),
            "returns": None if self._later is None else self._later.period(),
            "waiting": dict(self.waiting),
        }

    def companies(self) -> list[list[str]]:
        """List all companies: ticker, name, industry."""
        return [[t, name, self._industries[t]] for t, name in self._names.items()]

    def company(self, ticker: str, *, weights: Mapping[int, float], k: int = 10) -> Answer:
        """Show a company's features, and its peers by every method.

        Parameters
        ----------
        ticker : str
        weights : mapping of int to float
            Features switched off (0) or weighted; the others weigh 1.
        k : int
            Peers by each method, at most 50.
        """
        row = self.known.position(ticker)
        altered = self._checked(weights)
        k = min(max(k, 1), MOST_PEERS)
        return {
            **self._card(ticker),
            "description": str(self.known.companies["description"].iloc[row]),
            "cluster": self._clusters.of_company(row) if self._clusters else None,
            "features": self._own(row, weights),
            "methods": [
                self._by_features(row, altered, k),
                self._by_code(row, k),
                self._by_embedding(row, k),
            ],
        }

    def features(self) -> list[list[Any]]:
        """List the features that any company has, the commonest first: id, label, companies."""
        names = self.known.names
        names = names[names["companies"] > 0].sort_values(
            "companies", ascending=False, kind="stable"
        )
        columns = names.index, names["label"], names["companies"]
        return [[int(i), str(label), int(count)] for i, label, count in zip(*columns, strict=True)]

    def feature(self, number: int) -> Answer:
        """Open a feature: its label and score, the companies that have it, where it fires."""
        found = describe(self.known, number, top=OWNERS)
        owners = np.flatnonzero(self.known.matrix[:, [number]].toarray().ravel())
        tickers = self.known.companies.index[owners]
        industries = Counter(self._industries[str(ticker)] for ticker in tickers)
        names = self.known.names
        return {
            **found,
            "companies": int(names["companies"].iloc[number]),
            "compared": len(owners),
            "of": len(self.known.companies),
            "idf": float(names["idf"].iloc[number]),
            "label_score": self._scored(number),
            "industries": industries.most_common(5),
            "strongest": [
                {**owner, "name": self._names[owner["ticker"]]} for owner in found["strongest"]
            ],
        }

    def pair(self, a: str, b: str, *, weights: Mapping[int, float]) -> Answer:
        """Compare two companies: what carries their similarity, and both texts with marks."""
        found = compared(self._altered(self._checked(weights)), a, b)
        later = None if self._later is None else self._later.correlation(a, [b])[0]
        return {**found, "cards": [self._card(a), self._card(b)], "later": later}

    def clusters(self) -> Answer:
        """List the clusters, the largest first."""
        if self._clusters is None:
            return {"waiting": self.waiting.get("clusters"), "clusters": []}
        return {"waiting": None, "clusters": self._clusters.listed}

    def cluster(self, label: int) -> Answer:
        """Open a cluster: its members, what they share, who is nearly in it."""
        if self._clusters is None:
            raise DataError(f"clusters: {self.waiting.get('clusters')}")
        found = self._clusters.opened(label)
        for name in ("members", "outsiders"):
            found[name] = [{**self._card(item["ticker"]), **item} for item in found[name]]
        if self._later is not None:
            found["later"] = self._later.mean([item["ticker"] for item in found["members"]])
        return found

    def later(self, tickers: Sequence[str]) -> Answer:
        """Show prices and correlations of some companies after the cut."""
        for ticker in tickers:
            self.known.position(ticker)
        if self._later is None:
            raise DataError(f"returns: {self.waiting.get('returns')}")
        return self._later.shown(list(dict.fromkeys(tickers)))

    def _own(self, row: int, weights: Mapping[int, float]) -> list[Answer]:
        values = self._squares[[row]].toarray().ravel()
        best = np.argsort(-values, kind="stable")[:SHOWN]
        shown = [int(i) for i in best if values[i] > 0]
        shown += [i for i in weights if i not in shown]
        names, whole = self.known.names, max(float(values.sum()), TINY)
        return [
            {
                "id": i,
                "label": str(names["label"].iloc[i]),
                "share": float(values[i]) / whole,
                "companies": int(names["companies"].iloc[i]),
            }
            for i in shown
        ]

    def _by_features(self, row: int, weights: Weights, k: int) -> Answer:
        before = self._near(self._similar(row, ()), row, k)
        similarity = self._similar(row, weights) if weights else self._similar(row, ())
        peers = self._near(similarity, row, k)
        rows = [row, *peers]
        part = sparse.csr_array(self.known.matrix[rows] @ self._diagonal(weights))
        few = Features(part, self.known.companies.iloc[rows], self.known.names)
        tickers = [str(ticker) for ticker in few.companies.index]
        because = shared_features(few, tickers[0], tickers[1:], top=CARRIERS)
        found = self._listed(row, peers, similarity)
        for item, old in zip(found, peers, strict=True):
            item["features"] = because[item["ticker"]]
            item["before"] = before.index(old) + 1 if old in before else None
        gone = [self._card(self.known.companies.index[i]) for i in before if i not in peers]
        return self._method("features", self.method, found, gone=gone)

    def _by_code(self, row: int, k: int) -> Answer:
        codes = self.known.companies["sic"].astype("string")
        mine = codes.iloc[row]
        if pd.isna(mine):
            return {**self._method("sic", "SIC", []), "note": "This company has no SIC code."}
        shared = np.zeros(len(codes))
        for digits in sorted(DIGITS):
            same = codes.str[:digits] == mine[:digits]
            shared[same.fillna(False).to_numpy(dtype=bool)] = digits
        peers = [i for i in self._near(shared, row, k) if shared[i] > 0]
        found = self._method("sic", "SIC", self._listed(row, peers, shared))
        found["note"] = f"Code {mine}; of equals, the first by ticker."
        if peers:
            last = int(shared[peers[-1]])
            ties = int((shared == last).sum()) - (last == len(mine))
            found["note"] = (
                f"Code {mine}. Companies that share {last} digits with it: {ties}; of these the "
                "first by ticker are shown, since the code says no more."
            )
        return found

    def _by_embedding(self, row: int, k: int) -> Answer:
        if self._unit is None:
            why = self.waiting.get("embedding", "")
            return {**self._method("embedding", "Embedding", []), "waiting": why}
        similarity = np.asarray(self._unit @ self._unit[row])
        peers = self._near(similarity, row, k)
        return self._method("embedding", "Embedding", self._listed(row, peers, similarity))

    def _method(
        self, name: str, label: str, peers: list[Answer], *, gone: Sequence[Answer] = ()
    ) -> Answer:
        known = [item["later"] for item in peers if item["later"] is not None]
        mean = float(np.mean(known)) if known else None
        return {"name": name, "label": label, "peers": peers, "gone": list(gone), "later": mean}

    def _listed(self, row: int, peers: Sequence[int], similarity: FloatArray) -> list[Answer]:
        index = self.known.companies.index
        tickers = [str(index[i]) for i in peers]
        later: Sequence[float | None] = [None] * len(tickers)
        if self._later is not None:
            later = self._later.correlation(str(index[row]), tickers)
        return [
            {**self._card(ticker), "similarity": float(similarity[i]), "later": value}
            for ticker, i, value in zip(tickers, peers, later, strict=True)
        ]

    def _similar(self, row: int, weights: Weights) -> FloatArray:
        """Cosine of a company with all, features weighted: two products of a sparse matrix."""
        squared = self._diagonal(weights).diagonal() ** 2
        mine = self._matrix[[row]].toarray().ravel() * squared
        lengths = np.sqrt(self._squares @ squared)
        return np.asarray(self._matrix @ mine / np.maximum(lengths * lengths[row], TINY))

    def _near(self, similarity: FloatArray, row: int, k: int) -> list[int]:
        order = np.argsort(-similarity, kind="stable")
        return [int(i) for i in order[: k + 1] if i != row][:k]

    def _diagonal(self, weights: Weights) -> sparse.dia_array:
        values = np.ones(len(self.known.names))
        for number, weight in weights:
            values[number] = weight
        return sparse.diags_array(values)

    def _alter(self, weights: Weights) -> Features:
        return self.known.weighted(self._diagonal(weights).diagonal()) if weights else self.known

    def _checked(self, weights: Mapping[int, float]) -> Weights:
        count = len(self.known.names)
        for number, weight in weights.items():
            if not 0 <= number < count:
                raise DataError(f"no feature {number}: ids go from 0 to {count - 1}")
            if not 0 <= weight <= HEAVIEST:
                raise DataError(f"weight {weight} of feature {number}: from 0 (off) to {HEAVIEST}")
        return tuple(sorted((number, weight) for number, weight in weights.items() if weight != 1))

    def _scored(self, number: int) -> Answer | None:
        if self._labels is None or number not in self._labels.index:
            return None
        row = self._labels.loc[number]
        return dict(plain({"score": row["score"], "labeller": row["labeller"]}))

    def _card(self, ticker: Any) -> Answer:  # noqa: ANN401 - an index label
        return {
            "ticker": str(ticker),
            "name": self._names[ticker],
            "industry": self._industries[ticker],
        }


def _named(companies: pd.DataFrame) -> dict[str, str]:
    """Names by ticker; "" where there is none."""
    named = companies["name"].astype(object).fillna("").astype(str)
    return {str(ticker): name for ticker, name in named.items()}


def _industry(companies: pd.DataFrame) -> dict[str, str]:
    """Names of major groups by ticker; "" where there is none."""
    codes = companies["sic"].astype(object).fillna("").astype(str)
    return {str(ticker): major_group_name(code) for ticker, code in codes.items()}
