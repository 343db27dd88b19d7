"""Which pairs are worth trading: candidates by similarity, chosen on the formation window alone."""

from finsae.pairs.select.base import Filters
from finsae.pairs.select.candidates import candidate_draws, candidates, within_clusters
from finsae.pairs.select.distance import Distance
from finsae.pairs.select.false_discovery import FalseDiscovery
from finsae.pairs.select.issuers import same_issuer
from finsae.pairs.select.lowest_pvalue import LowestPValue
from finsae.pairs.select.sarmento_horta import SarmentoHorta
from finsae.pairs.select.tested import false_discoveries, pair_tests

__all__ = [
    "Distance",
    "FalseDiscovery",
    "Filters",
    "LowestPValue",
    "SarmentoHorta",
    "candidate_draws",
    "candidates",
    "false_discoveries",
    "pair_tests",
    "same_issuer",
    "within_clusters",
]
