"""Companies into clusters: by distance, by features, by code."""

from finsae.cluster.average import AverageLinkage
from finsae.cluster.codes import (
    Division,
    GivenLabels,
    IndustryGroup,
    MajorGroup,
    Sic,
    division,
    division_name,
    industry_group,
    major_group,
    major_group_name,
)
from finsae.cluster.fama_french import SCHEMES, FamaFrench, fama_french
from finsae.cluster.kmeans import FeatureKMeans
from finsae.cluster.mst import MinimumSpanningTree, choose_threshold

__all__ = [
    "SCHEMES",
    "AverageLinkage",
    "Division",
    "FamaFrench",
    "FeatureKMeans",
    "GivenLabels",
    "IndustryGroup",
    "MajorGroup",
    "MinimumSpanningTree",
    "Sic",
    "choose_threshold",
    "division",
    "division_name",
    "fama_french",
    "industry_group",
    "major_group",
    "major_group_name",
]
