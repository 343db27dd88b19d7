"""Which companies are alike, how much, and why: sparse, named features of company descriptions.

    >>> import finsae
    >>> universe = finsae.sample()
    >>> features = finsae.build_features(universe, finsae.Reading())
    >>> finsae.company_peers(features, "KO", k=3)  # doctest: +SKIP

Names are imported when first used, so that ``import finsae`` stays fast and loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finsae.config import Data, Reading, Run
    from finsae.features import Features
    from finsae.pipeline import (
        build_features,
        company_peers,
        explain_pair,
        run,
        run_backtest,
        run_benchmark,
    )
    from finsae.pipeline.changes import changes
    from finsae.result import Result
    from finsae.sources import read_universe, sample
    from finsae.universe import Universe

__version__ = "0.1.0"

HOMES = {
    "Data": "config",
    "Features": "features",
    "Reading": "config",
    "Result": "result",
    "Run": "config",
    "Universe": "universe",
    "build_features": "pipeline",
    "changes": "pipeline",
    "company_peers": "pipeline",
    "explain_pair": "pipeline",
    "read_universe": "sources",
    "run": "pipeline",
    "run_backtest": "pipeline",
    "run_benchmark": "pipeline",
    "sample": "sources",
}

__all__ = [
    "Data",
    "Features",
    "Reading",
    "Result",
    "Run",
    "Universe",
    "build_features",
    "changes",
    "company_peers",
    "explain_pair",
    "read_universe",
    "run",
    "run_backtest",
    "run_benchmark",
    "sample",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Import the home of a public name."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"finsae.{HOMES[name]}"), name)
