"""Engle-Granger cointegration tests for many pairs at once.

The numbers are those of `statsmodels.tsa.stattools.coint`; the arithmetic is shared by all pairs of
a block, see `dickey_fuller`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from finsae.checks import DataError, one_of
from finsae.pairs.cointegration.dickey_fuller import (
    Floats,
    Integers,
    Moments,
    as_rows,
    check_lags,
    moments,
    schwert_lag,
    trend_basis,
    unit_root,
    unit_root_alone,
)
from finsae.pairs.cointegration.mackinnon import TRENDS, mackinnon_pvalue

COLUMNS = ("stat", "pvalue", "hedge", "intercept", "lags")

COLLINEAR = 1.0 - 100.0 * np.sqrt(np.finfo(np.float64).eps)
"""R-squared from which two series count as one (statsmodels' limit)."""

_CHUNK = 1 << 14
"""Pairs whose moments are held at a time."""

_BLOCK = 1 << 15
"""Values per array and block of pairs: small enough for the processor's cache."""


def engle_granger(
    y: ArrayLike,
    x: ArrayLike,
    *,
    trend: str = "c",
    maxlag: int | None = None,
    autolag: str | None = "aic",
    both: bool = False,
) -> pd.DataFrame:
    """Test each pair of columns for no cointegration (Engle and Granger, 1987).

    ``y`` is regressed on ``x`` and the deterministic terms; the residual is tested for a unit root
    by an augmented Dickey-Fuller regression without constant. The test is not symmetric in ``y``
    and ``x``: of the better of both directions, see `better_direction`.

    Parameters
    ----------
    y, x : array, days x pairs (or days, for one pair)
        Log prices. A pair is tested on its common days, closed up as if consecutive.
    trend : {"c", "ct", "ctt", "n"}
        Terms of the first regression: constant, with linear, with quadratic trend, none.
    maxlag : int, optional
        Largest number of lagged differences, or their number when `autolag` is None; by default
        Schwert's rule, ``min(days // 2 - 1, ceil(12 (days / 100) ** 0.25))``.
    autolag : {"aic", "bic", None}
        Criterion that chooses the lags.
    both : bool
        Test ``x`` on ``y`` too.

    Returns
    -------
    DataFrame, one row per pair
        stat (t statistic of the residual's level), pvalue (MacKinnon 1994, asymptotic), hedge
        (slope on ``x``), intercept, lags (-1 where no regression was run), nobs (common days).
        Collinear legs (R-squared of 1 up to 1.5e-6) have stat -inf and pvalue 0. Both are NaN for a
        leg that never moves, for too few common days, and for a residual that its own past explains
        exactly. With `both`, the rows' index is ``pair, direction``: all "y on x", then all
        "x on y".

    Raises
    ------
    DataError
        Shapes that differ, an unknown option, or a `maxlag` too large for the number of days.
    """
    one_of("trend", trend, TRENDS)
    a, b = as_rows(y), as_rows(x)
    if a.shape != b.shape:
        raise DataError(f"y and x differ in shape: {a.T.shape} and {b.T.shape}")
    check_lags(maxlag, autolag, days=a.shape[1])
    options = {"trend": trend, "maxlag": maxlag, "autolag": autolag}
    forward = _tested(a, b, **options)  # type: ignore[arg-type]
    if not both:
        return forward
    backward = _tested(b, a, **options)  # type: ignore[arg-type]
    return (
        pd.concat([forward, backward], keys=["y on x", "x on y"])
        .swaplevel()
        .rename_axis(["pair", "direction"])
    )


def log_prices(prices: ArrayLike) -> Floats:
    """Logarithms of prices; NaN stays NaN.

    Raises
    ------
    DataError
        If a price is zero, negative or infinite.
    """
    values = np.asarray(prices, dtype=np.float64)
    wrong = (values <= 0.0) | np.isinf(values)
    if wrong.any():
        raise DataError(
            f"prices must be above zero and finite, but {wrong.sum()} are not (the first is "
            f"{values[wrong][0]:g}): correct them or leave them empty"
        )
    return np.asarray(np.log(values))


def allowed_lag(days: int, maxlag: int | None) -> int | None:
    """Largest lag to try; None where its regression would leave no degree of freedom."""
    lag = schwert_lag(days) if maxlag is None else maxlag
    return lag if days >= 3 and days - 1 - lag > lag + 1 else None


def without_trend(rows: Floats, trend: str) -> tuple[Floats, Floats]:
    """Take the deterministic terms out of series [series, days]; what is left, and the constant.

    The residual and the slope of one series on another and the terms are those of what is left of
    the one on what is left of the other (Frisch and Waugh, 1933).
    """
    if trend == "n":
        return rows, np.zeros(len(rows))
    mean = rows.mean(axis=1)
    left = rows - mean[:, None]
    if trend == "c":
        return left, mean
    days, terms = rows.shape[1], len(trend)
    basis = trend_basis(days, terms)
    fitted = left @ basis
    # The fitted polynomial of t = 1, 2, .. at t = 0 is the constant.
    powers = np.vander(np.arange(1.0, days + 1.0), terms, increasing=True)
    at_zero = np.linalg.lstsq(powers, basis, rcond=None)[0][0]
    return left - fitted @ basis.T, mean + fitted @ at_zero


def outcome(
    found: Moments, r_squared: Floats, *, days: int, autolag: str | None
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Test residuals of which the moments are known: stat, lags, and which of them are sure."""
    sure = np.ones(len(r_squared), dtype=bool)
    stat = np.where(np.isnan(r_squared), np.nan, -np.inf)
    lags = np.full(len(stat), np.nan)
    apart = np.flatnonzero(r_squared < COLLINEAR)
    part = found if len(apart) == len(stat) else found.take(apart)
    stat[apart], lags[apart], sure[apart] = unit_root(part, days, autolag)
    return stat, lags, sure


def as_frame(result: Floats, nobs: int | Integers) -> pd.DataFrame:
    """Rows of `COLUMNS` [5, pairs] as a table."""
    columns = dict(zip(COLUMNS, result, strict=True))
    lags = columns.pop("lags")
    whole = np.where(np.isnan(lags), -1.0, lags).astype(np.int64)
    return pd.DataFrame({**columns, "lags": whole, "nobs": nobs})


class _Legs(NamedTuple):
    """Both legs of all pairs [pairs, days], and the days they have in common (None: all)."""

    y: Floats
    x: Floats
    common: NDArray[np.bool_] | None

    def of(self, pairs: Integers, nobs: int) -> tuple[Floats, Floats]:
        """Both legs of pairs with `nobs` common days, on these."""
        y, x = self.y[pairs], self.x[pairs]
        if self.common is None or nobs == y.shape[1]:
            return y, x
        known, shape = self.common[pairs], (len(pairs), nobs)
        return y[known].reshape(shape), x[known].reshape(shape)


def _tested(
    y: Floats, x: Floats, *, trend: str, maxlag: int | None, autolag: str | None
) -> pd.DataFrame:
    """Test all pairs of rows, those with equally many common days together."""
    common = np.isfinite(y) & np.isfinite(x) if not np.isfinite(y.sum() + x.sum()) else None
    nobs = np.full(len(y), y.shape[1]) if common is None else common.sum(axis=1)
    legs = _Legs(y, x, common)
    result = np.full((5, len(y)), np.nan)
    for count in np.unique(nobs):
        days = int(count)
        lag = allowed_lag(days, maxlag)
        if lag is None:
            continue
        members = np.flatnonzero(nobs == days)
        for at in range(0, len(members), _CHUNK):
            chunk = members[at : at + _CHUNK]
            result[:, chunk] = _test_chunk(legs, chunk, days, lag=lag, trend=trend, autolag=autolag)
    return as_frame(result, nobs)


def _test_chunk(
    legs: _Legs, chunk: Integers, days: int, *, lag: int, trend: str, autolag: str | None
) -> Floats:
    """stat, pvalue, hedge, intercept, lags [5, pairs] of pairs with equally many common days."""
    parts = []
    for block in np.array_split(chunk, 1 + len(chunk) * days // _BLOCK):
        residual, *known = _first_regression(*legs.of(block, days), trend=trend)
        parts.append((*moments(residual, lag), *known))
    lagged, level, head, tail, hedge, intercept, r_squared = (
        np.concatenate(columns, axis=-1) for columns in zip(*parts, strict=True)
    )
    found = Moments(lagged, level, head, tail)
    stat, lags, sure = outcome(found, r_squared, days=days, autolag=autolag)
    unsure = np.flatnonzero(~sure)
    for block in np.array_split(unsure, 1 + len(unsure) * days * (lag + 2) // _BLOCK):
        residual = _first_regression(*legs.of(chunk[block], days), trend=trend)[0]
        stat[block], lags[block] = unit_root_alone(residual, lag, autolag)
    return np.stack([stat, mackinnon_pvalue(stat, trend=trend), hedge, intercept, lags])


def _first_regression(a: Floats, b: Floats, *, trend: str) -> tuple[Floats, Floats, Floats, Floats]:
    """Residual of a on b and the trend [pairs, days], slope, constant and R-squared."""
    moving = _moves(a) & _moves(b)
    a, constant_a = without_trend(a, trend)
    b, constant_b = without_trend(b, trend)
    with np.errstate(divide="ignore", invalid="ignore"):
        hedge = np.einsum("pt,pt->p", a, b) / np.einsum("pt,pt->p", b, b)
        hedge[~moving] = np.nan
        residual = a - hedge[:, None] * b
        r_squared = 1.0 - np.einsum("pt,pt->p", residual, residual) / np.einsum("pt,pt->p", a, a)
    return residual, hedge, constant_a - hedge * constant_b, r_squared


def _moves(rows: Floats) -> NDArray[np.bool_]:
    """Whether a series [series, days] takes more than one value."""
    moves = rows[:, 0] != rows[:, 1]
    still = np.flatnonzero(~moves)
    moves[still] = np.ptp(rows[still], axis=1) > 0.0
    return np.asarray(moves)
