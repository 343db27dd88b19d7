"""Engle-Granger cointegration tests for many pairs at once.

The numbers are those of `statsmodels.tsa.stattools.coint`; the arithmetic is shared by all pairs of
a block. Two facts make that cheap. The Dickey-Fuller regressions with 0, 1, .. lags are nested, so
one triangular factor of the cross-products of the largest gives the residual sum of squares of
each. And the cross-product of two lagged differences equals that of the next older two up to one
day at either end, so only the first row of the matrix costs a pass over the days.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from finsae.checks import DataError, one_of

Floats = NDArray[np.float64]

COLLINEAR = 1.0 - 100.0 * np.sqrt(np.finfo(np.float64).eps)
"""R-squared from which two series count as one (statsmodels' limit)."""

SINGULAR = 1e-12
"""A regressor whose unexplained share of variance is below this adds nothing to those before it."""

_BLOCK = 1 << 18
"""Values per array and block of pairs: small enough for the processor's cache."""

# MacKinnon (1994), two I(1) variables: upper and lower end of the table, the point where the two
# polynomials meet, and their coefficients, lowest power first.
_MACKINNON = {
    "n": (1.51, -19.62, -1.53, (1.9129, 1.3857, 0.035322), (1.5578, 0.8558, -0.2083, -0.033549)),
    "c": (0.92, -18.86, -2.62, (2.92, 1.5012, 0.039796), (2.1945, 0.64695, -0.29198, -0.042377)),
    "ct": (0.63, -21.15, -3.19, (3.6646, 1.5419, 0.036448), (2.85, 0.5272, -0.36622, -0.051695)),
    "ctt": (0.79, -21.1, -3.51, (4.3534, 1.6016, 0.037947), (3.4713, 0.5967, -0.32507, -0.042286)),
}

_CRITERIA = ("aic", "bic")


def engle_granger(
    y: ArrayLike,
    x: ArrayLike,
    *,
    trend: str = "c",
    maxlag: int | None = None,
    autolag: str | None = "aic",
) -> pd.DataFrame:
    """Test each pair of columns for no cointegration (Engle and Granger, 1987).

    ``y`` is regressed on ``x`` and the deterministic terms; the residual is tested for a unit root
    by an augmented Dickey-Fuller regression without constant. The test is not symmetric in ``y``
    and ``x``.

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

    Returns
    -------
    DataFrame, one row per pair
        stat (t statistic of the residual's level), pvalue (MacKinnon 1994, asymptotic), hedge
        (slope on ``x``), intercept, lags (-1 where no regression was run), nobs (common days).
        Collinear legs (R-squared of 1 up to 1.5e-6) have stat -inf and pvalue 0. Both are NaN for a
        leg that never moves, for too few common days, and for a residual that its own past explains
        exactly.

    Raises
    ------
    DataError
        Shapes that differ, an unknown option, or a `maxlag` too large for the number of days.
    """
    one_of("trend", trend, tuple(_MACKINNON))
    if autolag is not None:
        one_of("autolag", autolag, _CRITERIA)
    rows_y, rows_x = _rows(y), _rows(x)
    if rows_y.shape != rows_x.shape:
        raise DataError(f"y and x differ in shape: {rows_y.T.shape} and {rows_x.T.shape}")
    most = rows_y.shape[1] // 2 - 1
    if maxlag is not None and not 0 <= maxlag <= most:
        raise DataError(f"maxlag must be from 0 to {most} (half the days less 1), not {maxlag}")
    common = np.isfinite(rows_y) & np.isfinite(rows_x)
    nobs = common.sum(axis=1)
    result = np.full((5, len(nobs)), np.nan)
    for days in np.unique(nobs):
        members = np.flatnonzero(nobs == days)
        for block in np.array_split(members, 1 + len(members) * int(days) // _BLOCK):
            a, b = rows_y[block], rows_x[block]
            if days < a.shape[1]:
                a = a[common[block]].reshape(len(block), days)
                b = b[common[block]].reshape(len(block), days)
            result[:, block] = _test_block(a, b, trend=trend, maxlag=maxlag, autolag=autolag)
    frame = pd.DataFrame(result.T, columns=["stat", "pvalue", "hedge", "intercept", "lags"])
    return frame.assign(lags=frame["lags"].fillna(-1).astype(int), nobs=nobs)


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


def half_life(spread: ArrayLike) -> Floats:
    """Days in which half of a deviation is expected to vanish.

    ``ln(1/2) / ln(phi)``, with phi the slope of the spread on its value of the day before (with a
    constant).

    Parameters
    ----------
    spread : array, days x pairs (or days)
        Days next to a missing value are left out.

    Returns
    -------
    array, one value per pair
        inf where phi >= 1 (no reversion), 0 where phi <= 0 (gone in a day), NaN where the spread
        does not move.
    """
    values = np.asarray(spread, dtype=np.float64)
    before, after = values[:-1], values[1:]
    known = np.isfinite(before) & np.isfinite(after)
    count = np.maximum(known.sum(axis=0), 1)
    before = np.where(known, before, 0.0)
    after = np.where(known, after, 0.0)
    before = np.where(known, before - before.sum(axis=0) / count, 0.0)
    variance = (before * before).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        phi = (before * after).sum(axis=0) / variance
        days = np.log(0.5) / np.log(phi)
    days = np.where(phi >= 1.0, np.inf, np.where(phi <= 0.0, 0.0, days))
    return np.asarray(np.where(variance > 0.0, days, np.nan))


def mackinnon_pvalue(stat: ArrayLike, *, trend: str = "c") -> Floats:
    """Asymptotic p-value of an Engle-Granger statistic of two variables (MacKinnon, 1994)."""
    upper, lower, meeting, left, right = _MACKINNON[one_of("trend", trend, tuple(_MACKINNON))]
    value = np.asarray(stat, dtype=np.float64)
    inside = np.clip(value, lower, upper)
    score = np.where(
        inside <= meeting, np.polyval(left[::-1], inside), np.polyval(right[::-1], inside)
    )
    return np.asarray(np.where(value > upper, 1.0, np.where(value < lower, 0.0, ndtr(score))))


def schwert_lag(days: int) -> int:
    """Largest lag tried by default: Schwert's (1989) rule, capped at half the days less one."""
    return min(days // 2 - 1, int(np.ceil(12.0 * (days / 100.0) ** 0.25)))


def _rows(values: ArrayLike) -> Floats:
    """Pairs as contiguous rows."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise DataError(f"Expected an array days x pairs, not one of {array.ndim} dimensions.")
    return np.ascontiguousarray(array.T)


def _test_block(
    a: Floats, b: Floats, *, trend: str, maxlag: int | None, autolag: str | None
) -> Floats:
    """stat, pvalue, hedge, intercept, lags [5, pairs] of complete legs [pairs, days]."""
    result = np.full((5, len(a)), np.nan)
    days = a.shape[1]
    lag = schwert_lag(days) if maxlag is None else maxlag
    # The regression of the largest lag must leave a degree of freedom.
    if days < 3 or days - 1 - lag <= lag + 1:
        return result
    moving = (np.ptp(a, axis=1) > 0.0) & (np.ptp(b, axis=1) > 0.0)
    residual, hedge, intercept, r_squared = _first_regression(a[moving], b[moving], trend)
    stat, lags = np.full(len(hedge), -np.inf), np.full(len(hedge), np.nan)
    apart = r_squared < COLLINEAR
    stat[apart], lags[apart] = _dickey_fuller(residual[apart], lag, autolag)
    pvalue = mackinnon_pvalue(stat, trend=trend)
    result[:, moving] = stat, pvalue, hedge, intercept, lags
    return result


def _first_regression(a: Floats, b: Floats, trend: str) -> tuple[Floats, Floats, Floats, Floats]:
    """Residual of a on b and the trend (projected out first), slope, constant, R-squared."""
    constant = trend != "n"
    mean_a = a.mean(axis=1) if constant else np.zeros(len(a))
    mean_b = b.mean(axis=1) if constant else np.zeros(len(b))
    a, b = a - mean_a[:, None], b - mean_b[:, None]
    total = np.einsum("pt,pt->p", a, a)
    base = np.zeros(len(a))
    if len(trend) > 1:
        time = np.arange(1.0, a.shape[1] + 1.0)
        terms = np.stack([time**power for power in range(1, len(trend))], axis=1)
        basis, triangle = np.linalg.qr(terms - terms.mean(axis=0))
        on_a, on_b = a @ basis, b @ basis
        a, b = a - on_a @ basis.T, b - on_b @ basis.T
        # What the trend's own mean adds to the fit is taken back from the constant.
        shift = np.linalg.solve(triangle.T, terms.mean(axis=0))
        base, mean_b = -on_a @ shift, mean_b - on_b @ shift
    with np.errstate(divide="ignore", invalid="ignore"):
        hedge = np.einsum("pt,pt->p", a, b) / np.einsum("pt,pt->p", b, b)
    residual = a - hedge[:, None] * b
    r_squared = 1.0 - np.einsum("pt,pt->p", residual, residual) / total
    intercept = base + mean_a - hedge * mean_b if constant else base
    return residual, hedge, intercept, r_squared


def _dickey_fuller(e: Floats, maxlag: int, autolag: str | None) -> tuple[Floats, Floats]:
    """Unit-root t statistics and the lags used, for series e [pairs, days], without constant."""
    d = np.diff(e, axis=1)
    if autolag is None:
        return _level_statistic(e, d, maxlag), np.full(len(e), float(maxlag))
    lags = _choose_lags(e, d, maxlag, autolag)
    stat = np.full(len(e), np.nan)
    for lag in np.unique(lags):
        # The chosen model is fitted again on the longer sample that fewer lags allow.
        members = lags == lag
        stat[members] = _level_statistic(e[members], d[members], int(lag))
    return stat, lags.astype(np.float64)


def _products(e: Floats, d: Floats, lag: int) -> Floats:
    """Cross-products of d_t, d_{t-1}, .., d_{t-lag}, e_t over days t >= lag [.., .., pairs]."""
    pairs, last = d.shape
    level = e[:, lag:last]
    products = np.empty((lag + 2, lag + 2, pairs))
    for k in range(lag + 1):
        shifted = d[:, lag - k : last - k]
        products[0, k] = np.einsum("pt,pt->p", d[:, lag:], shifted)
        products[-1, k] = np.einsum("pt,pt->p", level, shifted)
    products[-1, -1] = np.einsum("pt,pt->p", level, level)
    head = d[:, :lag].T[::-1]
    tail = d[:, last - lag :].T[::-1]
    products[1:-1, 0] = products[0, 1:-1]
    for j in range(lag):
        entering, leaving = head[j] * head, tail[j] * tail
        products[j + 1, 1:-1] = products[j, :-2] + entering - leaving
    products[:-1, -1] = products[-1, :-1]
    return products


def _choose_lags(e: Floats, d: Floats, maxlag: int, criterion: str) -> NDArray[np.int64]:
    """Lags of the smallest criterion, all models on the days that the largest one leaves."""
    order = [maxlag + 1, *range(1, maxlag + 1), 0]
    explained, unexplained, _ = _factor(_products(e, d, maxlag)[np.ix_(order, order)])
    # From the smallest model's point of view backwards: sums of positive terms lose no digits.
    rss = unexplained + np.concatenate(
        [np.cumsum(explained[:0:-1] ** 2, axis=0)[::-1], np.zeros((1, len(e)))]
    )
    observations = d.shape[1] - maxlag
    penalty = 2.0 if criterion == "aic" else np.log(observations)
    with np.errstate(divide="ignore"):
        value = observations * np.log(rss) + penalty * np.arange(1.0, maxlag + 2.0)[:, None]
    return np.asarray(value.argmin(axis=0))


def _level_statistic(e: Floats, d: Floats, lag: int) -> Floats:
    """Student's t of e_t in the regression of d_t on it and `lag` lagged differences."""
    order = [*range(1, lag + 1), lag + 1, 0]
    products = _products(e, d, lag)[np.ix_(order, order)]
    total = products[-1, -1].copy()
    explained, rss, regular = _factor(products)
    freedom = d.shape[1] - 2 * lag - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        stat = explained[-1] / np.sqrt(rss / freedom)
    return np.asarray(np.where(regular & (rss > SINGULAR * total), stat, np.nan))


def _factor(products: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Regress the last variable on the others, in order, from cross-products [m, m, pairs].

    Returns what each regressor adds (the last row of the Cholesky factor, [m - 1, pairs]), the
    residual sum of squares, and whether the last regressor is independent of the others. A
    regressor that depends on those before it adds nothing, as under a pseudo-inverse. Overwrites
    its input.
    """
    size = len(products)
    floor = SINGULAR * products[np.arange(size), np.arange(size)]
    added = np.empty((size - 1, products.shape[2]))
    for j in range(size - 1):
        pivot = products[j, j]
        regular = pivot > floor[j]
        scale = np.zeros_like(pivot)
        np.divide(1.0, np.sqrt(pivot, where=regular, out=scale), where=regular, out=scale)
        column = products[j + 1 :, j] * scale
        added[j] = column[-1]
        products[j + 1 :, j + 1 :] -= column[:, None] * column
    return added, np.maximum(products[-1, -1], 0.0), regular
