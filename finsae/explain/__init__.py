"""What a feature means, and why two companies are alike, with the words that say so."""

from finsae.explain.pair import (
    describe,
    evidence,
    explain,
    explained_json,
    feature_table,
    shared_features,
)

__all__ = [
    "describe",
    "evidence",
    "explain",
    "explained_json",
    "feature_table",
    "shared_features",
]
