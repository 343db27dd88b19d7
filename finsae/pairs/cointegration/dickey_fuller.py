"""Augmented Dickey-Fuller regressions for many series at once, from sums of products.

Three facts make them cheap. The regressions with 0, 1, .. lags are nested, so one triangular factor
of the cross-products of the largest gives the residual sum of squares of each. The cross-product of
two lagged differences equals that of the next older two up to one day at either end, so only the
first row of the matrix costs a pass over the days. And a level is the level of the day before plus
a difference, so the products with the level follow from the same row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from finsae.checks import DataError, one_of
from finsae.pairs.cointegration.mackinnon import TRENDS, mackinnon_pvalue

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SINGULAR = 1e-12
"""A regressor whose unexplained share of variance is below this adds nothing to those before it."""

UNSURE = 1e-3
"""Unexplained share below which products of sums lose digits, and the regression is run itself."""

_CACHED = 1 << 17
"""Values of a block of matrices: small enough for the processor's cache."""

_CRITERIA = ("aic", "bic")


class Moments(NamedTuple):
    """What a regression with up to `lag` lags needs of series e, with d_t = e_(t+1) - e_t."""

    lagged: Floats  # [lag + 1, series]: sums of d_t d_(t-k) over the days t >= lag
    level: Floats  # [series]: sums of e_t squared over the same days
    head: Floats  # [lag + 1, series]: the first values, e_0 to e_lag
    tail: Floats  # [lag + 1, series]: the last ones

    def take(self, members: slice | Integers) -> Moments:
        """Keep some of the series."""
        head, tail = self.head[:, members], self.tail[:, members]
        return Moments(self.lagged[:, members], self.level[members], head, tail)

    def shortened(self, lag: int) -> Moments:
        """Moments for fewer lags, on the days that these allow."""
        most = len(self.lagged) - 1
        if lag == most:
            return self
        d = np.diff(self.head, axis=0)
        lagged = self.lagged[: lag + 1].copy()
        for k in range(lag + 1):
            lagged[k] += np.einsum("ts,ts->s", d[lag:], d[lag - k : most - k])
        earlier = self.head[lag:most]
        level = self.level + np.einsum("ts,ts->s", earlier, earlier)
        return Moments(lagged, level, self.head[: lag + 1], self.tail[most - lag :])


def moments(e: Floats, lag: int) -> Moments:
    """Moments of series e [series, days]."""
    d = np.diff(e, axis=1)
    last = d.shape[1]
    recent, level = d[:, lag:], e[:, lag:last]
    lagged = np.empty((lag + 1, len(e)))
    for k in range(lag + 1):
        lagged[k] = np.einsum("st,st->s", recent, d[:, lag - k : last - k])
    return Moments(
        lagged,
        np.einsum("st,st->s", level, level),
        np.ascontiguousarray(e[:, : lag + 1].T),
        np.ascontiguousarray(e[:, last - lag :].T),
    )


def unit_root(
    found: Moments, days: int, autolag: str | None
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Student's t of the level, without deterministic terms; the lags used; which are sure.

    Parameters
    ----------
    found : Moments
        For the largest number of lags (with `autolag` None: for the number wanted).
    days : int
        Length of the series.
    autolag : {"aic", "bic", None}
        Criterion that chooses the lags: all models on the days that the largest one leaves, then
        the chosen one again on the longer sample that fewer lags allow.
    """
    most, count = len(found.lagged) - 1, len(found.level)
    stat, sure = np.empty(count), np.ones(count, dtype=bool)
    lags = np.full(count, most)
    if autolag is not None:
        for block in _blocks(count, most + 2):
            fit = _by_products(_products(found.take(block), level_first=True))
            lags[block] = _best(fit, observations=days - 1 - most, autolag=autolag)
            sure[block] = fit.share > UNSURE
    for lag in np.unique(lags):
        members = np.flatnonzero(lags == lag)
        chosen = found.take(members).shortened(int(lag))
        for block in _blocks(len(members), int(lag) + 2):
            fit = _by_products(_products(chosen.take(block), level_first=False))
            stat[members[block]] = _student(fit, freedom=days - 2 * int(lag) - 2)
            sure[members[block]] &= fit.share > UNSURE
    return stat, lags.astype(np.float64), sure


def unit_root_alone(e: Floats, lag: int, autolag: str | None, *, terms: int = 0) -> Floats:
    """Student's t of the level and lags used [2, series], of series e [series, days].

    The regressions themselves, by orthogonal transformation: slower, and exact where the products
    lose digits, as for short series with many lags. `terms` counts the deterministic ones.
    """
    days = e.shape[1]
    lags = np.full(len(e), lag)
    if autolag is not None and len(e):
        fit = _by_triangle(_regressors(e, lag, terms, level_first=True))
        lags = _best(fit, observations=days - 1 - lag, autolag=autolag)
    stat = np.empty(len(e))
    for used in np.unique(lags):
        members = lags == used
        fit = _by_triangle(_regressors(e[members], int(used), terms, level_first=False))
        stat[members] = _student(fit, freedom=days - 2 * int(used) - 2 - terms)
    return np.stack([stat, lags])


def adf(
    series: ArrayLike, *, trend: str = "c", maxlag: int | None = None, autolag: str | None = "aic"
) -> pd.DataFrame:
    """Test each series for a unit root (augmented Dickey-Fuller), as `statsmodels` does.

    Not for residuals of a fitted regression: their p-values are those of `engle_granger`; these
    would call 16 % of unrelated walks cointegrated at 5 %.

    Parameters
    ----------
    series : array, days x series (or days, for one)
        A series is tested on its days with a value, closed up as if consecutive.
    trend : {"c", "ct", "ctt", "n"}
        Terms of the regression: constant, with linear, with quadratic trend, none.
    maxlag : int, optional
        Largest number of lagged differences, or their number when `autolag` is None; by default
        Schwert's rule, see `schwert_lag`.
    autolag : {"aic", "bic", None}
        Criterion that chooses the lags.

    Returns
    -------
    DataFrame, one row per series
        stat, pvalue (MacKinnon 1994, asymptotic), lags (-1 where no regression was run), nobs (days
        with a value). NaN for a series that never moves, has too few days, or is explained exactly
        by its own past.

    Raises
    ------
    DataError
        An unknown option, or a `maxlag` too large for the number of days.
    """
    one_of("trend", trend, TRENDS)
    rows = as_rows(series)
    terms = 0 if trend == "n" else len(trend)
    check_lags(maxlag, autolag, days=rows.shape[1], terms=terms)
    there = np.isfinite(rows)
    nobs = there.sum(axis=1)
    result = np.full((2, len(rows)), np.nan)
    for days in np.unique(nobs):
        lag = schwert_lag(int(days), terms) if maxlag is None else maxlag
        # The regression of the largest lag must leave a degree of freedom.
        if lag < 0 or days - 1 - lag <= lag + 1 + terms:
            continue
        members = np.flatnonzero(nobs == days)
        for block in np.array_split(members, 1 + len(members) * (lag + 2) * int(days) // _CACHED):
            e = rows[block][there[block]].reshape(len(block), days)
            tested = unit_root_alone(e, lag, autolag, terms=terms)
            result[:, block] = np.where(np.ptp(e, axis=1) > 0.0, tested, np.nan)
    stat, lags = result
    return pd.DataFrame(
        {
            "stat": stat,
            "pvalue": mackinnon_pvalue(stat, trend=trend, variables=1),
            "lags": np.where(np.isnan(lags), -1, lags).astype(int),
            "nobs": nobs,
        }
    )


def schwert_lag(days: int, terms: int = 0) -> int:
    """Largest lag tried by default: Schwert's (1989) rule, ``ceil(12 (days / 100) ** 0.25)``.

    Capped at half the days less the deterministic terms less one.
    """
    return min(days // 2 - terms - 1, int(np.ceil(12.0 * (days / 100.0) ** 0.25)))


def check_lags(maxlag: int | None, autolag: str | None, *, days: int, terms: int = 0) -> None:
    """Refuse an unknown criterion and lags that the days do not allow.

    Raises
    ------
    DataError
        Naming the largest possible.
    """
    if autolag is not None:
        one_of("autolag", autolag, _CRITERIA)
    most = days // 2 - terms - 1
    if maxlag is not None and not 0 <= maxlag <= most:
        raise DataError(
            f"maxlag must be from 0 to {most} (half the {days} days, less the deterministic terms, "
            f"less 1), not {maxlag}"
        )


def trend_basis(days: int, terms: int) -> Floats:
    """Orthonormal columns that span 1, t, t squared, .. (`terms` of them) over the days."""
    # Chebyshev polynomials of the days: powers lose digits.
    time = np.linspace(-1.0, 1.0, days) if days > 1 else np.zeros(days)
    return np.asarray(np.linalg.qr(np.polynomial.chebyshev.chebvander(time, terms - 1))[0])


def as_rows(values: ArrayLike) -> Floats:
    """Series as rows (a view), from days x series or from one series."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise DataError(f"expected an array days x pairs, not one of {array.ndim} dimensions")
    return array.T


def _blocks(count: int, size: int) -> Iterator[slice]:
    """Slices of series whose matrices [size, size] fit the cache together."""
    step = max(64, _CACHED // size**2)
    for at in range(0, count, step):
        yield slice(at, min(count, at + step))


def _products(found: Moments, *, level_first: bool) -> Floats:
    """Cross-products of e_t, d_(t-1), .., d_(t-lag) and, last, d_t [lag + 2, lag + 2, series].

    Only the lower triangle is filled. The level comes first, or after the differences.
    """
    lag, series = len(found.lagged) - 1, len(found.level)
    level, first = (0, 1) if level_first else (lag, 0)
    products = np.empty((lag + 2, lag + 2, series))
    differences = products[first : first + lag, first : first + lag]
    entering = np.diff(found.head, axis=0)[::-1]
    leaving = np.diff(found.tail, axis=0)[::-1]
    column = found.lagged
    for j in range(lag):
        column = column[: lag - j] + entering[j] * entering[j:] - leaving[j] * leaving[j:]
        differences[j:, j] = column
    products[-1, first : first + lag] = found.lagged[1:]
    products[-1, -1] = found.lagged[0]
    # e_t d_t is half of what the square of e grows by, less half the square of d_t.
    own = (found.tail[-1] ** 2 - found.head[-1] ** 2 - found.lagged[0]) / 2.0
    products[-1, level] = own
    products[level, level] = found.level
    if lag:
        edges = found.head[-2] * entering - found.tail[-2] * leaving
        with_level = own + np.cumsum(edges + differences[:, 0], axis=0)
        if level_first:
            products[1 : lag + 1, 0] = with_level
        else:
            products[lag, :lag] = with_level
    return products


class _Fit(NamedTuple):
    """A regression of the last variable on the others, in order."""

    explained: Floats  # [regressors, series]: square roots of what each adds to the explained sum
    rss: Floats  # [series]: the residual sum of squares
    total: Floats  # [series]: the sum of squares
    regular: NDArray[np.bool_]  # [series]: whether the last regressor is independent of the others
    share: Floats  # [series]: smallest unexplained share of a regressor or of the last variable


def _best(fit: _Fit, *, observations: int, autolag: str) -> Integers:
    """Lags of the smallest criterion; the first regressor, the level, is in every model."""
    # From the smallest model's point of view backwards: sums of positive terms lose no digits.
    rss = np.concatenate([fit.rss[None], fit.explained[:0:-1] ** 2]).cumsum(axis=0)[::-1]
    penalty = 2.0 if autolag == "aic" else np.log(observations)
    with np.errstate(divide="ignore"):
        value = observations * np.log(rss) + penalty * np.arange(float(len(rss)))[:, None]
    return np.asarray(value.argmin(axis=0))


def _student(fit: _Fit, *, freedom: int) -> Floats:
    """Student's t of the last regressor; NaN where it, or the residual, is nothing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        stat = fit.explained[-1] / np.sqrt(fit.rss / freedom)
    there = fit.regular & (fit.rss > SINGULAR * fit.total)
    return np.asarray(np.where(there, stat, np.nan))


def _by_products(products: Floats) -> _Fit:
    """Fit from cross-products [m, m, series], by their Cholesky factor.

    A regressor that depends on those before it adds nothing, as under a pseudo-inverse. Overwrites
    the lower triangle of its input, and reads nothing else.
    """
    size = len(products)
    total = products[-1, -1].copy()
    share = np.ones_like(total)
    for j in range(size - 1):
        before, own = products[j:, :j], products[j, j].copy()
        products[j:, j] -= np.einsum("ims,ms->is", before, before[0])
        pivot = products[j, j]
        regular = pivot > SINGULAR * own
        share = np.minimum(share, np.divide(pivot, own, where=regular, out=np.zeros_like(own)))
        scale = np.zeros_like(pivot)
        np.divide(1.0, np.sqrt(pivot, where=regular, out=scale), where=regular, out=scale)
        products[j + 1 :, j] *= scale
    added = products[-1, :-1]
    rss = np.maximum(total - np.einsum("ms,ms->s", added, added), 0.0)
    left = np.divide(rss, total, where=total > 0.0, out=np.zeros_like(total))
    return _Fit(added, rss, total, regular, np.minimum(share, left))


def _by_triangle(table: Floats) -> _Fit:
    """Fit from the variables themselves [series, days, m], by orthogonal transformation."""
    triangle: Floats = np.moveaxis(np.asarray(np.linalg.qr(table, mode="r")), 0, -1)
    square = np.einsum("stm,stm->ms", table, table)
    pivots = np.einsum("mms->ms", triangle) ** 2
    own = pivots > SINGULAR**2 * square
    sign = np.sign(np.einsum("mms->ms", triangle[:-1, :-1]))
    added = np.where(own[:-1], sign * triangle[:-1, -1], 0.0)
    return _Fit(added, pivots[-1], square[-1], own[-2], np.ones(len(table)))


def _regressors(e: Floats, lag: int, terms: int, *, level_first: bool) -> Floats:
    """e_t, d_(t-1), .., d_(t-lag) and, last, d_t [series, days, lag + 2], less the trend."""
    e = e - e.mean(axis=1, keepdims=True) if terms else e
    d = np.diff(e, axis=1)
    last = d.shape[1]
    columns = [d[:, lag - k : last - k] for k in range(1, lag + 1)]
    columns.insert(0 if level_first else lag, e[:, lag:last])
    table = np.stack([*columns, d[:, lag:]], axis=2)
    if terms:
        basis = trend_basis(last - lag, terms)
        table -= basis @ (basis.T @ table)
    return table
