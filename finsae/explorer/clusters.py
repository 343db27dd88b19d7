"""The clusters of a features folder: a list, and one of them opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
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
NEAR = 8
"""Outsiders shown."""


class Clusters:
    """Clusters with what sets each apart.

    Attributes
    ----------
    labels : ndarray [n]
        0 is the largest cluster.
    excess : ndarray [clusters, F], float32
        Share of members that have a feature, less the share of all others.
    """

    def __init__(self, features: Features, labels: npt.NDArray[np.int64]) -> None:
        self.features, self.labels = features, labels
        n, count = len(labels), int(labels.max(initial=-1)) + 1
        member = sparse.csr_array((np.ones(n), (labels, np.arange(n))), shape=(count, n))
        has = sparse.csr_array(features.matrix > 0).astype(np.float32)
        self.sizes = np.bincount(labels, minlength=count)
        inside = (member @ has).toarray().astype(np.float32)
        whole = inside.sum(axis=0)
        others = np.maximum(n - self.sizes, 1)[:, None].astype(np.float32)
        self.share = inside / np.maximum(self.sizes, 1)[:, None].astype(np.float32)
        self.excess = self.share - (whole - inside) / others

    @classmethod
    def of(cls, features: Features) -> Clusters:
        """Cluster companies by their features (`finsae.pipeline.reasons.own_clusters`)."""
        codes, _ = pd.factorize(own_clusters(features).to_numpy(), sort=True)
        return cls(features, np.asarray(codes, dtype=np.int64))

    def of_company(self, row: int) -> int:
        """Label of a company's cluster."""
        return int(self.labels[row])

    def listed(self, industries: Mapping[str, str]) -> list[dict[str, Any]]:
        """List clusters of two or more; `industries` has their names by ticker."""
        index, found = self.features.companies.index, []
        for label in np.flatnonzero(self.sizes > 1):
            members = index[self.labels == label]
            mix = Counter(industries[t] for t in members if industries[t]).most_common(2)
            found.append(
                {
                    "label": int(label),
                    "size": int(self.sizes[label]),
                    "name": "; ".join(item["label"] for item in self._shared(label, NAMED)),
                    "industries": mix,
                    "members": [str(ticker) for ticker in members[:NEAR]],
                }
            )
        return found

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
            "name": cluster_name(self.features, rows),
            "features": self._shared(label, SHARED),
            "members": _listed(inside),
            "outsiders": _listed(outside.head(NEAR)),
        }

    def _shared(self, label: int, top: int) -> list[dict[str, Any]]:
        excess, labels = self.excess[label], self.features.names["label"]
        best = [int(i) for i in np.argsort(-excess, kind="stable")[:top] if excess[i] > 0]
        return [
            {
                "id": i,
                "label": str(labels.iloc[i]),
                "inside": float(self.share[label, i]),
                "outside": float(self.share[label, i] - excess[i]),
            }
            for i in best
        ]


def _listed(similarity: pd.Series) -> list[dict[str, Any]]:
    return [{"ticker": str(t), "similarity": float(value)} for t, value in similarity.items()]
