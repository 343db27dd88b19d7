"""The chain from descriptions to scores, and the questions a user asks of its results."""

from finsae.pipeline.answers import all_peers, company_peers, explain_pair
from finsae.pipeline.chain import (
    load_features,
    open_inputs,
    open_universe,
    run,
    score_files,
    trade_files,
    tune_files,
    walk_forward_files,
)
from finsae.pipeline.footing import Windows, windows
from finsae.pipeline.labelling import label_features, score_labels
from finsae.pipeline.methods import clusterings, similarities
from finsae.pipeline.pictures import pictures
from finsae.pipeline.reading import activate, build_features, embed
from finsae.pipeline.scoring import run_benchmark, walk_forward
from finsae.pipeline.trading import run_backtest
from finsae.pipeline.training import train_sae
from finsae.pipeline.tuning import tune

__all__ = [
    "Windows",
    "activate",
    "all_peers",
    "build_features",
    "clusterings",
    "company_peers",
    "embed",
    "explain_pair",
    "label_features",
    "load_features",
    "open_inputs",
    "open_universe",
    "pictures",
    "run",
    "run_backtest",
    "run_benchmark",
    "score_files",
    "score_labels",
    "similarities",
    "trade_files",
    "train_sae",
    "tune",
    "tune_files",
    "walk_forward",
    "walk_forward_files",
    "windows",
]
