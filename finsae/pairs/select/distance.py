"""The distance method."""

from __future__ import annotations

import numpy as np
import pandas as pd

from finsae.pairs.select.base import Selector

_BLOCK = 4096  # pairs whose prices are copied at a time


class Distance(Selector):
    """Select the pairs whose normalised prices stay closest (Gatev, Goetzmann, Rouwenhorst, 2006).

    Prices are divided by their first of the formation window; each company's partner is the
    candidate with the least sum of squared deviations; of these pairs the closest are selected.
    Nothing is estimated, so little can be overfitted. The p-values and false-discovery estimates
    stand beside, and have no part in the choice.

    The result has a column ``ssd``: the sum of squared deviations, of pairs with missing prices
    scaled to all days.
    """

    def _ranked(self, prices: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
        deviation = squared_deviations(prices, pairs)
        ordered = pairs.assign(ssd=deviation).sort_values(["ssd", "y", "x"])
        legs = ordered[["y", "x"]].melt(ignore_index=False, value_name="ticker")
        # Of each company the first pair it is in, that is the nearest partner.
        order = pd.Series(np.arange(len(ordered)), index=ordered.index)
        nearest = order.loc[legs.index].groupby(legs["ticker"].to_numpy()).min()
        found = ordered.iloc[np.unique(nearest.to_numpy())]
        self.passed_["nearest partners"] = len(found)
        return found


def squared_deviations(prices: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Sum of squared deviations of the legs' prices from one another, each beginning at 1."""
    start = prices.bfill().head(1).to_numpy()[0] if len(prices) else np.nan
    values = prices.to_numpy(dtype=np.float64) / start
    y, x = (prices.columns.get_indexer(pd.Index(pairs[leg])) for leg in ("y", "x"))
    found = np.full(len(pairs), np.nan)
    for at in range(0, len(pairs), _BLOCK):
        block = slice(at, at + _BLOCK)
        gap = (values[:, y[block]] - values[:, x[block]]) ** 2
        common = np.isfinite(gap)
        total = np.where(common, gap, 0.0).sum(axis=0)
        found[block] = total * len(prices) / np.maximum(common.sum(axis=0), 1)
    return found
