"""What became of companies after the cut: prices from 100, correlations of monthly returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from finsae.similarity import pairwise_correlation
from finsae.store import plain
from finsae.universe import Universe

MIN_MONTHS = 12
"""Months that two companies must have in common."""
POINTS = 260
"""Days at most that a line is drawn through."""


class Later:
    """Prices and returns after a cut.

    Parameters
    ----------
    universe : Universe
        With prices.
    cut : str or Timestamp
        The day by which descriptions were known; nothing up to it is shown.
    """

    def __init__(self, universe: Universe, cut: str | pd.Timestamp) -> None:
        self.cut = pd.Timestamp(cut)
        future = universe.cut(self.cut).future
        self._monthly, self._prices = future.monthly, future.prices
        self._column = {str(name): i for i, name in enumerate(self._monthly.columns)}
        self._values = self._monthly.to_numpy(dtype=np.float64)

    def period(self) -> dict[str, Any]:
        """Say which months these are."""
        months = self._monthly.index
        first, last = (f"{months[i]:%Y-%m}" for i in (0, -1)) if len(months) else ("", "")
        return {"cut": f"{self.cut:%Y-%m-%d}", "months": len(months), "first": first, "last": last}

    def correlation(self, ticker: str, others: list[str]) -> list[float | None]:
        """Correlate a company's monthly returns with those of others; None where too few."""
        square = self._square([ticker, *others])
        return list(plain(square[0, 1:]))

    def mean(self, tickers: list[str]) -> float | None:
        """Mean correlation over all pairs of some companies."""
        square = self._square(tickers)
        pairs = square[np.triu_indices(len(tickers), 1)]
        return float(np.nanmean(pairs)) if np.isfinite(pairs).any() else None

    def shown(self, tickers: list[str]) -> dict[str, Any]:
        """Give lines of prices, 100 on the first day that all have, and all correlations."""
        known = [ticker for ticker in tickers if ticker in self._prices.columns]
        closes = self._prices[known].dropna()
        closes = (
            closes.iloc[np.unique(np.linspace(0, len(closes) - 1, POINTS).astype(int))]
            if len(closes) > POINTS
            else closes
        )
        lines = closes / closes.iloc[0] * 100 if len(closes) else closes
        return {
            **self.period(),
            "tickers": tickers,
            "days": [f"{day:%Y-%m-%d}" for day in lines.index],
            "lines": {str(name): np.round(lines[name], 2).tolist() for name in lines},
            "correlation": plain(np.round(self._square(tickers), 4)),
            "mean": self.mean(tickers),
        }

    def _square(self, tickers: list[str]) -> np.ndarray:
        values = np.full((len(self._values), len(tickers)), np.nan)
        for i, ticker in enumerate(tickers):
            if ticker in self._column:
                values[:, i] = self._values[:, self._column[ticker]]
        return pairwise_correlation(values, min_obs=MIN_MONTHS)
