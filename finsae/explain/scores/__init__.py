"""Whether explanations are true: what labels say of companies that they were not made from."""

from finsae.explain.scores.assess import (
    BEFORE,
    LABELS,
    METRICS,
    NEURONS,
    RANDOM,
    Subject,
    assess,
    eligible,
    scorable,
)
from finsae.explain.scores.judge_free import label_auc

__all__ = [
    "BEFORE",
    "LABELS",
    "METRICS",
    "NEURONS",
    "RANDOM",
    "Subject",
    "assess",
    "eligible",
    "label_auc",
    "scorable",
]
