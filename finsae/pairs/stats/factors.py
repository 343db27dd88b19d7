"""How much of what was earned the market, or factors of the user's own, would have earned."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finsae.checks import DataError
from finsae.pairs.stats.sharpe import PERIODS

FACTOR_DAYS = 30
"""Common days below which no regression is run."""


def exposures(daily: pd.Series, factors: pd.DataFrame) -> pd.DataFrame:
    """Regress daily returns on factor returns.

    Parameters
    ----------
    daily : Series
        Net returns by date.
    factors : DataFrame, dates x factors
        Daily returns in the same unit (0.01 is one per cent): the market's, or a file's. Days that
        either lacks are left out.

    Returns
    -------
    DataFrame
        One row per factor, and the first one, ``alpha``, of what no factor explains (a year):
        ``factor, beta, error, t, r2, n``; standard errors are robust to autocorrelation and
        heteroscedasticity (Newey and West, 1987; the lags of Newey and West, 1994,
        ``4 (n / 100) ** (2 / 9)``).

    Raises
    ------
    DataError
        If fewer than 30 days are common, or the factors are collinear.
    """
    from statsmodels.regression.linear_model import OLS

    days = _common(factors, daily.dropna().index)
    design, returns = _design(factors, days), daily[days].to_numpy(dtype=np.float64)
    lags = int(np.floor(4.0 * (len(days) / 100.0) ** (2.0 / 9.0)))
    fit = OLS(returns, design).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    scale = np.array([PERIODS] + [1.0] * len(factors.columns))
    return pd.DataFrame(
        {
            "factor": ["alpha", *map(str, factors.columns)],
            "beta": fit.params * scale,
            "error": fit.bse * scale,
            "t": fit.tvalues,
            "r2": fit.rsquared,
            "n": len(days),
        }
    )


def check_factors(factors: pd.DataFrame, days: pd.Index) -> None:
    """Refuse factors that returns of these days cannot be regressed on.

    Raises
    ------
    DataError
        If fewer than 30 days are common, or the factors are collinear.
    """
    _design(factors, _common(factors, days))


def _common(factors: pd.DataFrame, days: pd.Index) -> pd.Index:
    found = days.intersection(factors.dropna().index).sort_values()
    if len(found) < FACTOR_DAYS:
        raise DataError(
            f"the factors share {len(found)} days with the backtest; at least {FACTOR_DAYS} are "
            "needed"
        )
    return found


def _design(factors: pd.DataFrame, days: pd.Index) -> NDArray[np.float64]:
    """Factors beside a constant, days x (1 + factors)."""
    values = factors.loc[days].to_numpy(dtype=np.float64)
    design = np.column_stack([np.ones(len(days)), values])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise DataError("the factors are collinear, or one never moves: leave one of them out")
    return design
