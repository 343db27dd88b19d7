"""What all selectors share: the tests, the filters, and the account of what was left out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import pandas as pd

from finsae.checks import DataError
from finsae.pairs.cointegration import log_prices, spread_statistics
from finsae.pairs.select.tested import false_discoveries, pair_tests


@dataclass(frozen=True)
class Filters:
    """What a pair must fulfil beside a selector's own rule, on the formation window; None: nothing.

    Attributes
    ----------
    half_life : (float, float) or None
        Bounds in days, both excluded.
    hurst : float or None
        The Hurst exponent must be below it.
    crossings : float or None
        Least number of crossings of the mean a year.
    volume : DataFrame or None
        Value traded, dates x tickers; a pair counts by the median day of its less traded leg.
        Without it liquidity is not judged.
    min_volume : float
        Least value traded, in the units of `volume`.
    """

    half_life: tuple[float, float] | None = None
    hurst: float | None = None
    crossings: float | None = None
    volume: pd.DataFrame | None = None
    min_volume: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.half_life or (0.0, np.inf)
        least = {"crossings": self.crossings, "min_volume": self.min_volume}
        problems = [
            f"{name}, the least there must be, cannot be {value:g}"
            for name, value in least.items()
            if value is not None and not 0.0 <= value < np.inf
        ]
        if not 0.0 <= low < high:
            problems.append(f"no half-life is above {low:g} and below {high:g} days")
        if self.hurst is not None and not 0.0 < self.hurst <= 1.0:
            problems.append(f"Hurst exponents lie between 0 and 1; the bound is {self.hurst:g}")
        if problems:
            raise DataError(problems)

    def keep(self, pairs: pd.DataFrame, days: pd.Index) -> dict[str, pd.Series]:
        """Say of each pair which filters it passes, by the filter's name."""
        passed = {}
        if self.half_life is not None:
            low, high = self.half_life
            passed[f"half-life in {low:g}-{high:g} days"] = pairs["half_life"].between(
                low, high, inclusive="neither"
            )
        if self.hurst is not None:
            passed[f"Hurst below {self.hurst:g}"] = pairs["hurst"] < self.hurst
        if self.crossings is not None:
            passed[f"{self.crossings:g} crossings a year"] = pairs["crossings"] >= self.crossings
        if self.volume is not None:
            traded = self.volume.reindex(days).median()
            less = np.minimum(*(traded.reindex(pairs[leg]).to_numpy() for leg in ("y", "x")))
            enough = pd.Series(less >= self.min_volume, index=pairs.index)
            passed[f"value traded of {self.min_volume:g}"] = enough
        return passed


class Selector(ABC):
    """Choose pairs among candidates, by a rule and filters, on the formation window alone.

    Left out are pairs with too few common days, pairs whose legs are collinear (one security under
    two names), and pairs that are no bet on a difference: with a negative hedge ratio, legs of 1
    and -hedge are long or short of both companies; with one close to zero, or very large, they are
    a bet on one company alone.

    Parameters
    ----------
    n : int
        Most pairs to select.
    coverage : float
        Share of the formation days on which both legs must have a price.
    min_leg : float
        Smallest share of a position's value that either leg may have.
    filters : Filters, optional
        Further conditions.

    Attributes
    ----------
    passed_ : dict of str to int
        Of the last selection: how many pairs were left after each step, in order.
    """

    def __init__(
        self,
        n: int = 50,
        *,
        coverage: float = 0.95,
        min_leg: float = 0.1,
        filters: Filters | None = None,
    ) -> None:
        self.n = n
        self.coverage = coverage
        self.min_leg = min_leg
        self.filters = filters

    def select(self, prices: pd.DataFrame, candidates: pd.DataFrame) -> pd.DataFrame:
        """Test the candidates and keep the best.

        Parameters
        ----------
        prices : DataFrame, dates x tickers
            Closes of the formation window; nothing later is looked at.
        candidates : DataFrame
            Columns ``a, b``; if it comes from `pair_tests` (on these prices), its tests are used.

        Returns
        -------
        DataFrame
            As `pair_tests`, best first, with ``q, q_by`` (`false_discoveries` over all candidates
            that could be tested; their largest estimates the share of false discoveries among the
            selected) and ``hurst, crossings, variance`` of the spread.
        """
        if self.n < 1:
            raise DataError(f"n, the number of pairs to select, must be at least 1, not {self.n}")
        tests = candidates if "pvalue" in candidates else pair_tests(prices, candidates)
        self.passed_ = {"candidates": len(tests)}
        enough = tests["nobs"] >= self.coverage * len(prices)
        tested = false_discoveries(tests[enough & np.isfinite(tests["stat"])])
        self.passed_["tested"] = len(tested)
        smaller = np.minimum(tested["hedge"], 1.0) / (1.0 + tested["hedge"].abs())
        hedged = tested[smaller >= self.min_leg]
        self.passed_["hedged"] = len(hedged)
        ranked = self._ranked(prices, hedged.sort_values(["pvalue", "stat", "y", "x"]))
        if self.filters is None:
            return self._described(prices, ranked.head(self.n))
        described = self._described(prices, ranked)
        for name, kept in self.filters.keep(described, prices.index).items():
            described = described[kept.reindex(described.index)]
            self.passed_[name] = len(described)
        return described.head(self.n).reset_index(drop=True)

    def outcome(self) -> str:
        """Say in one line how many pairs the last selection left at each step."""
        steps = [f"{count} {name}" for name, count in self.passed_.items()]
        last = min(self.n, list(self.passed_.values())[-1])
        end = f"{last} selected" if last else "none is selected"
        return f"{', '.join(steps)}: {end}"

    @abstractmethod
    def _ranked(self, prices: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
        """Keep the pairs that the rule allows, best first; they come by p-value."""

    def _described(self, prices: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
        """Add what is known of the spreads."""
        values = prices.to_numpy(dtype=np.float64)
        y, x = (
            log_prices(values[:, prices.columns.get_indexer(pd.Index(pairs[leg]))])
            for leg in ("y", "x")
        )
        found = spread_statistics(y, x, pairs["hedge"])
        return pairs.reset_index(drop=True).assign(**{str(name): found[name] for name in found})
