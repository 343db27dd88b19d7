"""The chain from descriptions to scores, and the questions a user asks of its results."""

from finsae.pipeline.answers import all_peers, axis_peers, basket_peers, company_peers
from finsae.pipeline.chain import (
    load_features,
    open_inputs,
    open_universe,
    run,
    score_files,
    sweep_files,
    trade_files,
    tune_files,
    walk_forward_files,
)
from finsae.pipeline.changes import changes
from finsae.pipeline.deletion import deletion_check, deletion_summary
from finsae.pipeline.footing import Windows, windows
from finsae.pipeline.labelling import label_features, score_labels
from finsae.pipeline.methods import clusterings, similarities
from finsae.pipeline.pictures import pictures
from finsae.pipeline.query import read_like, search
from finsae.pipeline.reading import activate, build_features, embed
from finsae.pipeline.reasons import explain_pair, group_difference, why_cluster
from finsae.pipeline.scoring import run_benchmark, walk_forward
from finsae.pipeline.trading import run_backtest, run_published
from finsae.pipeline.training import train_sae
from finsae.pipeline.tuning import tune

__all__ = [
    "Windows",
    "activate",
    "all_peers",
    "axis_peers",
    "basket_peers",
    "build_features",
    "changes",
    "clusterings",
    "company_peers",
    "deletion_check",
    "deletion_summary",
    "embed",
    "explain_pair",
    "group_difference",
    "label_features",
    "load_features",
    "open_inputs",
    "open_universe",
    "pictures",
    "read_like",
    "run",
    "run_backtest",
    "run_benchmark",
    "run_published",
    "score_files",
    "score_labels",
    "search",
    "similarities",
    "sweep_files",
    "trade_files",
    "train_sae",
    "tune",
    "tune_files",
    "walk_forward",
    "walk_forward_files",
    "why_cluster",
    "windows",
]
