"""Other tests of a chosen few pairs, by the libraries that have them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from finsae.checks import DataError
from finsae.pairs.cointegration.two_step import log_prices

MAX_PAIRS = 1000
"""Pairs beyond which one by one takes too long."""


def johansen(prices: pd.DataFrame, pairs: pd.DataFrame, *, lags: int = 1) -> pd.DataFrame:
    """Test pairs by Johansen's method (1991), which knows no left and right side.

    Parameters
    ----------
    prices : DataFrame, dates x tickers
        Closes of the formation window; a pair is tested on its common days.
    pairs : DataFrame
        Columns ``y, x``.
    lags : int
        Lagged differences of the vector error-correction model (with a constant).

    Returns
    -------
    DataFrame, on the index of `pairs`
        trace and max_eigen (statistics of no cointegration), trace_5pct and max_eigen_5pct (their
        critical values), rank (relations that the trace test finds at 5 %: 0, 1, or 2 where the
        legs are stationary themselves), hedge (of the first relation). NaN and rank -1 where a pair
        cannot be tested.

    Raises
    ------
    DataError
        More than 1,000 pairs: they are tested one by one.
    """
    from statsmodels.tsa.vector_ar.vecm import coint_johansen  # half a second to import

    rows = []
    for legs in _legs(prices, pairs):
        if _untestable(legs, 4 * (lags + 2)):
            rows.append([np.nan] * 4 + [-1, np.nan])
            continue
        found = coint_johansen(legs, 0, lags)
        beaten = found.trace_stat > found.trace_stat_crit_vals[:, 1]
        rank = 2 if beaten.all() else int(beaten[0])
        relation = found.evec[:, 0]
        rows.append(
            [
                found.trace_stat[0],
                found.trace_stat_crit_vals[0, 1],
                found.max_eig_stat[0],
                found.max_eig_stat_crit_vals[0, 1],
                rank,
                -relation[1] / relation[0],
            ]
        )
    names = ["trace", "trace_5pct", "max_eigen", "max_eigen_5pct", "rank", "hedge"]
    return pd.DataFrame(rows, columns=names, index=pairs.index).astype({"rank": int})


def phillips_ouliaris(
    prices: pd.DataFrame, pairs: pd.DataFrame, *, trend: str = "c"
) -> pd.DataFrame:
    """Test the residuals of y on x by Phillips and Ouliaris (1990), which chooses no lags.

    Parameters
    ----------
    prices, pairs
        As for `johansen`.
    trend : {"c", "ct", "ctt", "n"}
        Terms of the regression.

    Returns
    -------
    DataFrame, on the index of `pairs`
        stat (Zt) and pvalue (of `arch`, simulated); NaN where a pair cannot be tested.

    Raises
    ------
    DataError
        More than 1,000 pairs: they are tested one by one.
    """
    from arch.unitroot.cointegration import phillips_ouliaris as tested

    rows = []
    for legs in _legs(prices, pairs):
        if _untestable(legs, 20):
            rows.append((np.nan, np.nan))
            continue
        found = tested(legs[:, 0], legs[:, 1], trend=trend, test_type="Zt")
        rows.append((float(found.stat), float(found.pvalue)))
    return pd.DataFrame(rows, columns=["stat", "pvalue"], index=pairs.index, dtype=float)


def _legs(prices: pd.DataFrame, pairs: pd.DataFrame) -> list[np.ndarray]:
    """Log prices of each pair on its common days [days, 2]."""
    if len(pairs) > MAX_PAIRS:
        raise DataError(
            f"{len(pairs)} pairs are too many to be tested one by one (at most {MAX_PAIRS}): "
            "choose by engle_granger first"
        )
    both = (prices[[y, x]].dropna() for y, x in zip(pairs["y"], pairs["x"], strict=True))
    return [log_prices(legs) for legs in both]


def _untestable(legs: np.ndarray, least: int) -> bool:
    """Say whether the days are too few, or the legs still or collinear."""
    if len(legs) < least or (np.ptp(legs, axis=0) == 0.0).any():
        return True
    return bool(np.corrcoef(legs.T)[0, 1] ** 2 > 1.0 - 1e-9)
