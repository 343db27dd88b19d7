"""How alike companies are, and who is nearest: a method is a square table of similarities."""

from finsae.similarity.components import effective_dimension, principal_components
from finsae.similarity.correlation import pairwise_correlation
from finsae.similarity.learning import PairRegression, blend, learnt_weights
from finsae.similarity.methods import (
    centred,
    cosine,
    cosine_to,
    past_correlation,
    shared_label,
    shared_prefix,
    uninformed,
)
from finsae.similarity.nearest import has_ties, peer_index, peer_sets, peers

__all__ = [
    "PairRegression",
    "blend",
    "centred",
    "cosine",
    "cosine_to",
    "effective_dimension",
    "has_ties",
    "learnt_weights",
    "pairwise_correlation",
    "past_correlation",
    "peer_index",
    "peer_sets",
    "peers",
    "principal_components",
    "shared_label",
    "shared_prefix",
    "uninformed",
]
