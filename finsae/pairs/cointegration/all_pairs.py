"""Every pair of a universe, both directions, from matrix products that all pairs share.

The residual of one series on another is ``y - h x``, so each sum of products of residuals is a
quadratic form in the slope h, ``S_yy - h (S_yx + S_xy) + h^2 S_xx``, and the S of all pairs are
matrix products of the series with their own lags. No residual is formed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from finsae.pairs.cointegration.dickey_fuller import Floats, Integers, Moments, as_rows, check_lags
from finsae.pairs.cointegration.mackinnon import mackinnon_pvalue
from finsae.pairs.cointegration.two_step import (
    allowed_lag,
    as_frame,
    engle_granger,
    outcome,
)

_SQUARE = 128
"""Series on either side of a block of pairs."""

_NEAR = 1.0 - 1e-4
"""R-squared from which the quadratic forms cancel too many digits, and residuals are formed."""

_CHUNK = 1 << 13


class _Series(NamedTuple):
    """Series without gaps, less their means, and the sums that each brings to all its pairs."""

    rows: Floats  # [series, days]
    mean: Floats
    square: Floats  # [series]: sums of squares
    lagged: Floats  # [lag + 1, series]: sums of d_t d_(t-k) over the days t >= lag


def all_pairs(
    series: ArrayLike, *, maxlag: int | None = None, autolag: str | None = "aic"
) -> pd.DataFrame:
    """Test every ordered pair of series for no cointegration, as `engle_granger` with a constant.

    Parameters
    ----------
    series : array, days x series
        Log prices. Pairs of series without gaps share their matrix products; a pair with gaps is
        tested on its common days.
    maxlag, autolag : optional
        See `engle_granger`.

    Returns
    -------
    DataFrame, one row per ordered pair
        y, x (positions of the series; of each two, first the one with the smaller y), then
        the columns of `engle_granger`. All pairs with y < x come first, in order of y and x, then
        the same pairs the other way round.

    Raises
    ------
    DataError
        An unknown option, or a `maxlag` too large for the number of days.
    """
    rows = np.ascontiguousarray(as_rows(series))
    days = rows.shape[1]
    check_lags(maxlag, autolag, days=days)
    y, x = np.triu_indices(len(rows), 1)
    result, nobs = np.full((2, 5, len(y)), np.nan), np.full((2, len(y)), days)
    whole = np.flatnonzero(np.isfinite(rows).all(axis=1))
    whole = whole[np.ptp(rows[whole], axis=1) > 0.0]
    lag = allowed_lag(days, maxlag)
    if lag is not None and len(whole):
        # Place of pair (y, x) in the list of all, less x.
        first = np.arange(len(rows)) * (2 * len(rows) - np.arange(len(rows)) - 3) // 2 - 1
        for one, two, found in _lifted(_series(rows[whole], lag), autolag):
            result[:, :, first[whole[one]] + whole[two]] = found
    alone = np.flatnonzero(np.isnan(result[:, 2]).any(axis=0))
    for at in range(0, len(alone), _CHUNK):
        some = alone[at : at + _CHUNK]
        for way, (a, b) in enumerate(((y, x), (x, y))):
            tests = engle_granger(rows[a[some]].T, rows[b[some]].T, maxlag=maxlag, autolag=autolag)
            nobs[way, some] = tests.pop("nobs")
            result[way][:, some] = tests.to_numpy(dtype=np.float64).T
    frame = as_frame(np.concatenate(list(result), axis=1), nobs.ravel())
    frame.insert(0, "y", np.concatenate([y, x]))
    frame.insert(1, "x", np.concatenate([x, y]))
    return frame


def _series(rows: Floats, lag: int) -> _Series:
    mean = rows.mean(axis=1)
    left = rows - mean[:, None]
    d = np.diff(left, axis=1)
    last = d.shape[1]
    lagged = [np.einsum("st,st->s", d[:, lag:], d[:, lag - k : last - k]) for k in range(lag + 1)]
    return _Series(left, mean, np.einsum("st,st->s", left, left), np.stack(lagged))


def _lifted(s: _Series, autolag: str | None) -> Iterator[tuple[Integers, Integers, Floats]]:
    """Blocks of pairs y < x, with the results of both directions [2, 5, pairs]."""
    lag, count = len(s.lagged) - 1, len(s.rows)
    d = np.diff(s.rows, axis=1)
    last = d.shape[1]
    for start, other in combinations_with_replacement(range(0, count, _SQUARE), 2):
        one, two = (np.arange(at, min(at + _SQUARE, count)) for at in (start, other))
        y, x = np.repeat(one, len(two)), np.tile(two, len(one))
        left, right = (slice(at, at + _SQUARE) for at in (start, other))
        cross = (s.rows[left] @ s.rows[right].T).ravel()
        sums = np.empty((lag + 1, len(y)))
        for k in range(lag + 1):
            before = slice(lag - k, last - k)
            both = d[left, lag:] @ d[right, before].T + d[left, before] @ d[right, lag:].T
            sums[k] = both.ravel()
        if start == other:
            above = np.flatnonzero(y < x)
            y, x, cross, sums = y[above], x[above], cross[above], sums[:, above]
        if len(y):
            ways = [
                _direction(s, *legs, products=(cross, sums), autolag=autolag)
                for legs in ((y, x), (x, y))
            ]
            yield y, x, np.stack(ways)


def _direction(
    s: _Series, y: Integers, x: Integers, *, products: tuple[Floats, Floats], autolag: str | None
) -> Floats:
    """stat, pvalue, hedge, intercept, lags [5, pairs] of y on x; NaN where digits would be lost."""
    cross, sums = products
    lag, days = len(s.lagged) - 1, s.rows.shape[1]
    hedge = cross / s.square[x]
    r_squared = hedge * cross / s.square[y]
    heads = np.ascontiguousarray(s.rows[:, : lag + 1].T)
    tails = np.ascontiguousarray(s.rows[:, days - 1 - lag :].T)
    found = Moments(*(np.empty((lag + 1, len(y))) for _ in range(4)))
    found = found._replace(level=s.square[y] - hedge * cross)
    for at in range(0, len(y), _CHUNK // 4):
        block = slice(at, at + _CHUNK // 4)
        h, a, b = hedge[block], y[block], x[block]
        found.lagged[:, block] = s.lagged[:, a] + h * (h * s.lagged[:, b] - sums[:, block])
        head = found.head[:, block] = heads[:, a] - h * heads[:, b]
        tail = found.tail[:, block] = tails[:, a] - h * tails[:, b]
        # All days but those before the regression's first and after its last.
        found.level[block] -= np.einsum("tp,tp->p", head[:lag], head[:lag]) + tail[-1] ** 2
    near = r_squared > _NEAR
    stat, lags, sure = outcome(found, np.where(near, 1.0, r_squared), days=days, autolag=autolag)
    intercept = s.mean[y] - hedge * s.mean[x]
    result = np.stack([stat, mackinnon_pvalue(stat), hedge, intercept, lags])
    result[:, near | ~sure] = np.nan
    return result
