"""The four rules of Sarmento and Horta."""

from __future__ import annotations

import pandas as pd

from finsae.pairs.select.base import Filters, Selector

RULES = Filters(half_life=(1.0, 252.0), hurst=0.5, crossings=12.0)


class SarmentoHorta(Selector):
    """Select pairs by four rules (Sarmento and Horta, 2020), of those the lowest p-values.

    A p-value below 0.05, a Hurst exponent below 0.5, a half-life between 1 and 252 days and at
    least 12 crossings of the mean a year. The last three say little: together they pass 61 % of
    independent walks, and with the better direction's own p-value all four pass 8 %. Of true pairs
    with a half-life of 34 days they find a quarter. Here the p-value is paid for first.

    Parameters
    ----------
    n, coverage, min_leg, filters
        As for every selector; the filters are the published ones unless others are given.
    pvalue : float
        What the p-value, doubled for the choice of the direction, must be below.
    """

    def __init__(
        self,
        n: int = 50,
        *,
        pvalue: float = 0.05,
        coverage: float = 0.95,
        min_leg: float = 0.1,
        filters: Filters | None = RULES,
    ) -> None:
        super().__init__(n, coverage=coverage, min_leg=min_leg, filters=filters)
        self.pvalue = pvalue

    def _ranked(self, prices: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
        found = pairs[pairs["pvalue"] < self.pvalue]
        self.passed_[f"with p < {self.pvalue:g}"] = len(found)
        return found
