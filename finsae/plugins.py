"""The sockets, and the menu of what fits them.

Three ways in, by effort: hand over a table (labels, similarities); pass an object with the socket's
methods; add a name to `MENU`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.checks import one_of

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]


class Embedder(Protocol):
    """Texts to one vector each."""

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn from texts."""
        ...

    def transform(self, texts: Sequence[str]) -> FloatArray | sparse.csr_matrix:
        """Return one row per text; an empty text gives a row of zeros. Learns nothing."""
        ...


class Coder(Protocol):
    """Token activations to sparse codes."""

    def fit(self, activations: FloatArray) -> Self:
        """Learn from activations, tokens x width."""
        ...

    def encode(self, tokens: FloatArray) -> sparse.csr_array:
        """Return each token's active latents, tokens x latents."""
        ...


class Clusterer(Protocol):
    """Companies to labels; `reads` says what it wants: "distance", "features" or "companies"."""

    reads: str

    def fit_predict(self, X: Any) -> IntArray:  # noqa: ANN401 - what `reads` names
        """Return one label per company."""
        ...


class PairSelector(Protocol):
    """Candidate pairs to the pairs worth trading, on prices before the cut only."""

    def select(self, prices: pd.DataFrame, candidates: pd.DataFrame) -> pd.DataFrame:
        """Return the chosen pairs, with the reasons as columns."""
        ...


class TradingRule(Protocol):
    """Prices of both legs (days x pairs each) to target leg weights in [-1, 1]; causal."""

    def fit(self, y: FloatArray, x: FloatArray) -> Self:
        """Learn from formation prices."""
        ...

    def positions(self, y: FloatArray, x: FloatArray) -> FloatArray:
        """Return weights, days x pairs x 2, decided at each day's close; flat on NaN."""
        ...


class Labeller(Protocol):
    """What is known of features (`finsae.explain.meaning.Meaning`) to a short name of each.

    `usage` counts what the answers took (`finsae.explain.labellers.answers.Usage`); `settings` says
    who gives them, as JSON without secrets, "model" among it.
    """

    usage: Any

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the answers."""
        ...

    def label(self, meanings: Sequence[Any]) -> list[str]:
        """Return one name per feature; empty where it finds none."""
        ...

    def judge(self, questions: Sequence[Any]) -> list[list[bool] | None]:
        """Say for each text of each question whether the label fits; None: unreadable."""
        ...


MENU: dict[str, dict[str, str]] = {
    "embedder": {
        "tfidf": "finsae.embed.tfidf:Tfidf",
        "transformer": "finsae.embed.transformer:Transformer",
    },
    "coder": {
        "topk": "finsae.sae.architectures.topk:TopK",
        "batch-topk": "finsae.sae.architectures.batch_topk:BatchTopK",
        "matryoshka": "finsae.sae.architectures.matryoshka:Matryoshka",
        "abs-topk": "finsae.sae.architectures.abs_topk:AbsTopK",
        "jumprelu": "finsae.sae.architectures.jumprelu:JumpReLU",
        "gated": "finsae.sae.architectures.gated:Gated",
        "l1": "finsae.sae.architectures.l1:L1",
        "g-sae": "finsae.sae.architectures.g_sae:GradientSAE",
        "gba": "finsae.sae.architectures.gba:GroupBias",
        "top-afa": "finsae.sae.architectures.top_afa:TopAFA",
        "feature-choice": "finsae.sae.architectures.feature_choice:FeatureChoice",
        "itda": "finsae.sae.architectures.itda:ITDA",
    },
    "clusterer": {
        "mst": "finsae.cluster.mst:MinimumSpanningTree",
        "average": "finsae.cluster.average:AverageLinkage",
        "kmeans": "finsae.cluster.kmeans:FeatureKMeans",
        "sic": "finsae.cluster.codes:Sic",
        "industry-group": "finsae.cluster.codes:IndustryGroup",
        "major-group": "finsae.cluster.codes:MajorGroup",
        "division": "finsae.cluster.codes:Division",
        **{f"ff{n}": f"finsae.cluster.fama_french:FF{n}" for n in (5, 10, 12, 17, 30, 38, 48, 49)},
    },
    "labeller": {
        "words": "finsae.explain.labellers.words:Words",
        "local": "finsae.explain.labellers.local:Local",
        "openai": "finsae.explain.labellers.endpoint:Endpoint",
    },
    "selector": {
        "lowest-pvalue": "finsae.pairs.select.lowest_pvalue:LowestPValue",
        "fdr": "finsae.pairs.select.false_discovery:FalseDiscovery",
        "distance": "finsae.pairs.select.distance:Distance",
        "sarmento-horta": "finsae.pairs.select.sarmento_horta:SarmentoHorta",
    },
    "rule": {
        "zscore": "finsae.pairs.rules:ZScore",
        "rolling-ols": "finsae.pairs.rules:RollingOLS",
        "kalman": "finsae.pairs.rules:Kalman",
    },
}


def make(socket: str, name: str, **params: Any) -> Any:  # noqa: ANN401 - the plug-in's own
    """Make a plug-in from the menu; only then is its module imported.

    Parameters
    ----------
    socket : str
        "embedder", "coder", "clusterer", "labeller", "selector" or "rule".
    name : str
        Its name on the menu.
    **params
        Passed to its constructor.

    Raises
    ------
    DataError
        If the socket or the name is unknown, with the nearest valid name.
    """
    entries = MENU[one_of("socket", socket, MENU)]
    module, attribute = entries[one_of(socket, name, entries)].split(":")
    return getattr(import_module(module), attribute)(**params)
