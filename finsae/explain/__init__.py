"""What a feature means, and why two companies are alike, with the words that say so."""

from finsae.explain import answers
from finsae.explain.answers import Answer
from finsae.explain.cluster import cluster_name, explain_cluster
from finsae.explain.contrast import contrast, difference
from finsae.explain.pair import (
    carriers,
    company_row,
    contributions,
    describe,
    evidence,
    explain,
    explained_json,
    feature_table,
    leave_out,
    shared_features,
    unshared,
    without,
)
from finsae.explain.sentences import SentenceView, sentence_view
from finsae.explain.together import npmi
from finsae.explain.words import word_pairs

__all__ = [
    "Answer",
    "SentenceView",
    "answers",
    "carriers",
    "cluster_name",
    "company_row",
    "contrast",
    "contributions",
    "describe",
    "difference",
    "evidence",
    "explain",
    "explain_cluster",
    "explained_json",
    "feature_table",
    "leave_out",
    "npmi",
    "sentence_view",
    "shared_features",
    "unshared",
    "without",
    "word_pairs",
]
