"""The pairs with the lowest p-values."""

from __future__ import annotations

import pandas as pd

from finsae.pairs.select.base import Selector


class LowestPValue(Selector):
    """Select the pairs with the lowest Engle-Granger p-values of the formation window.

    A fixed number, not a level of significance: on daily prices few pairs pass a false-discovery
    bound, and none may. The estimate of false discoveries stands beside each pair instead.
    """

    def _ranked(self, prices: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
        return pairs
