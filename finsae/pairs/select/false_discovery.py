"""The pairs that pass a bound on false discoveries."""

from __future__ import annotations

import pandas as pd

from finsae.checks import one_of
from finsae.pairs.select.base import Filters, Selector


class FalseDiscovery(Selector):
    """Select pairs of which at most a given share is expected to be no discovery.

    Honest, and often empty: among some hundred candidates on two years of daily prices the bound is
    seldom met, and then nothing is traded. `outcome` says so.

    Parameters
    ----------
    n, coverage, min_leg, filters
        As for every selector.
    level : float
        Largest share of false discoveries.
    method : {"bh", "by"}
        Benjamini and Hochberg (1995), or Benjamini and Yekutieli (2001), which holds under any
        dependence of the tests.
    """

    def __init__(
        self,
        n: int = 50,
        *,
        level: float = 0.1,
        method: str = "bh",
        coverage: float = 0.95,
        min_leg: float = 0.1,
        filters: Filters | None = None,
    ) -> None:
        super().__init__(n, coverage=coverage, min_leg=min_leg, filters=filters)
        self.level = level
        self.method = method

    def _ranked(self, prices: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
        column = {"bh": "q", "by": "q_by"}[one_of("method", self.method, ("bh", "by"))]
        found = pairs[pairs[column] <= self.level]
        lowest = f" (lowest {pairs[column].min():.2f})" if len(pairs) and found.empty else ""
        self.passed_[f"with {column} <= {self.level:g}{lowest}"] = len(found)
        return found
