"""The methods that are compared, in the order in which they are always shown."""

from __future__ import annotations

from collections.abc import Iterable

LABELS: dict[str, str] = {
    "sae": "SAE",
    "sae-group": "Group SAE",
    "words": "Word features",
    "activations": "Activations",
    "pca": "PCA of activations",
    "untrained": "Untrained SAE",
    "sic": "SIC",
    "major-group": "Major group",
    "division": "Division",
    "ff12": "Fama-French 12",
    "ff17": "Fama-French 17",
    "ff30": "Fama-French 30",
    "ff48": "Fama-French 48",
    "ff49": "Fama-French 49",
    "tfidf": "TF-IDF",
    "embedding": "Embedding",
    "tfidf-centred": "TF-IDF, centred",
    "embedding-centred": "Embedding, centred",
    "past-correlation": "Past correlation",
    "random": "Random",
    "placebo": "Random pairs",
}

READINGS = ("sae", "sae-group", "words", "activations", "untrained")
"""Methods that are features of the user's: by the name of how they were read."""
CONTROLS = ("activations", "pca", "untrained")
"""The SAE's own text and model without the SAE, and without what it has learnt."""
CENTRED = ("tfidf-centred", "embedding-centred")
"""Baselines freed of their texts' lengths, as the SAE's features are by default."""
SCHEMES = ("division", "ff12", "ff17", "ff30", "ff48", "ff49")
"""Coarser classes of SIC codes, each company's peers being drawn from its own."""
BASELINES: tuple[str, ...] = (
    "sic",
    "major-group",
    "tfidf",
    "embedding",
    "past-correlation",
    "random",
)
"""What every method is measured against, everywhere."""
METHODS: tuple[str, ...] = ("sae", *BASELINES)
"""What is compared where nothing else is said."""


def in_order(methods: Iterable[str]) -> list[str]:
    """Sort method names as they are always shown; names of the user's own come last.

    Parameters
    ----------
    methods : iterable of str
        Names, repeated or not.

    Returns
    -------
    list of str
        Each name once.
    """
    found = dict.fromkeys(str(method) for method in methods)
    return [m for m in LABELS if m in found] + [m for m in found if m not in LABELS]


def label(method: str) -> str:
    """Name a method as a reader would, "sae (mst)" too; a user's own name is left as it is."""
    name, space, rest = method.partition(" ")
    return LABELS.get(name, name) + space + rest
