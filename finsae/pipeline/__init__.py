"""The chain from descriptions to scores, and the questions a user asks of its results."""

from finsae.pipeline.answers import all_peers, company_peers, explain_pair
from finsae.pipeline.chain import (
    load_features,
    open_inputs,
    open_universe,
    run,
    score_files,
    trade_files,
)
from finsae.pipeline.comparison import Windows, run_backtest, run_benchmark, windows
from finsae.pipeline.labelling import label_features, score_labels
from finsae.pipeline.methods import clusterings, similarities
from finsae.pipeline.pictures import pictures
from finsae.pipeline.reading import activate, build_features, embed
from finsae.pipeline.training import train_sae

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
    "windows",
]
