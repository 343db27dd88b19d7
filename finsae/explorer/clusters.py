"""The clusters of a features folder: a list, and one of them opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from finsae.checks import DataError
from finsae.explain.cluster import cluster_name, mean_similarity
from finsae.features import Features
from finsae.pipeline.reasons import own_clusters

SHARED = 12
"""Features shown of an opened cluster."""
NAMED = 2
"""Features that name a cluster in the list."""
READ = 8
"""Members whose texts name an opened cluster: those most like the others."""
NEAR = 8
"""Outsiders shown."""


class Clusters:
    """Companies clustered by their features (`finsae.pipeline.reasons.own_clusters`).

    Parameters
    ----------
    features : Features
        As compared.
    industries : mapping of str to str
        By ticker.

    Attributes
    ----------
    labels : ndarray [n]
        0 is the largest cluster.
    listed : list of dict
        Clusters of two or more, the largest first.
    """

    def __init__(self, features: Features, industries: Mapping[str, str]) -> None:
        self.features = features
        codes, _ = pd.factorize(own_clusters(features).to_numpy(), sort=True)
        self.labels = np.asarray(codes, dtype=np.int64)
        n, count = len(codes), int(codes.max(initial=-1)) + 1
        member = sparse.csr_array((np.ones(n), (codes, np.arange(n))), shape=(count, n))
        has = sparse.csr_array(features.matrix > 0).astype(np.float32)
        self.sizes = np.bincount(codes, minlength=count)
        inside = (member @ has).toarray().astype(np.float32)
        others = np.maximum(n - self.sizes, 1)[:, None].astype(np.float32)
        self._share = inside / np.maximum(self.sizes, 1)[:, None].astype(np.float32)
        self._excess = self._share - (inside.sum(axis=0) - inside) / others
        self.listed = [
            self._listed(label, industries) for label in range(count) if self.sizes[label] > 1
        ]

    def of_company(self, row: int) -> int:
        """Label of a company's cluster."""
        return int(self.labels[row])

    def _listed(self, label: int, industries: Mapping[str, str]) -> dict[str, Any]:
        members = [str(t) for t in self.features.companies.index[self.labels == label]]
        return {
            "label": label,
            "size": len(members),
            "name": "; ".join(item["label"] for item in self._shared(label, NAMED)),
            "industries": Counter(industries[t] for t in members if industries[t]).most_common(2),
            "members": members[:NEAR],
        }

    def opened(self, label: int) -> dict[str, Any]:
        """Say who is in a cluster and who nearly, and what its members share.

        Raises
        ------
        DataError
            If there is no such cluster.
        """
        if not 0 <= label < len(self.sizes):
            raise DataError(f"no cluster {label}: they go from 0 to {len(self.sizes) - 1}")
        rows = np.flatnonzero(self.labels == label)
        similarity = mean_similarity(self.features, rows)
        inside = similarity.iloc[rows].sort_values(ascending=False, kind="stable")
        outside = similarity.drop(inside.index).sort_values(ascending=False, kind="stable")
        return {
            "label": label,
            "name": cluster_name(self.features, rows[np.argsort(-similarity.iloc[rows])[:READ]]),
            "features": self._shared(label, SHARED),
            "members": _listed(inside),
            "outsiders": _listed(outside.head(NEAR)),
        }

    def _shared(self, label: int, top: int) -> list[dict[str, Any]]:
        excess, labels = self._excess[label], self.features.names["label"]
        best = [int(i) for i in np.argsort(-excess, kind="stable")[:top] if excess[i] > 0]
        return [
            {
                "id": i,
                "label": str(labels.iloc[i]),
                "inside": float(self._share[label, i]),
                "outside": float(self._share[label, i] - excess[i]),
            }
            for i in best
        ]


def _listed(similarity: pd.Series) -> list[dict[str, Any]]:
    return [{"ticker": str(t), "similarity": float(value)} for t, value in similarity.items()]
