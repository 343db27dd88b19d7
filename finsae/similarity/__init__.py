"""How alike companies are, and who is nearest: a method is a square table of similarities."""

from finsae.similarity.correlation import pairwise_correlation
from finsae.similarity.methods import cosine, cosine_to, past_correlation, shared_prefix, uninformed
from finsae.similarity.nearest import has_ties, peer_index, peers

__all__ = [
    "cosine",
    "cosine_to",
    "has_ties",
    "pairwise_correlation",
    "past_correlation",
    "peer_index",
    "peers",
    "shared_prefix",
    "uninformed",
]
