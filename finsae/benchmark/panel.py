"""Correlations of many pairs over many draws of months, by matrix products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MIN_OBS = 12
"""Months that a pair must share to have a correlation."""
CLIP = 0.5
"""Monthly log returns are clipped at this size, so that no single month makes a correlation."""
FLAT = 1e-4
"""A series whose variance falls below this share of its full one has no correlation."""
CELLS = 2_000_000  # pairs x draws at once: what stays in the cache


@dataclass(frozen=True)
class Panel:
    """Monthly returns made ready for the correlations of thousands of draws.

    Attributes
    ----------
    standard : ndarray [n, T]
        Returns centred and scaled by company, 0 where missing.
    present : ndarray [n, T], bool
        Where there is a return.
    gaps : ndarray [n], bool
        Companies with missing months: only theirs are sums over common months.
    min_obs : int
        Months that a pair must share.
    """

    standard: npt.NDArray[np.float64]
    present: BoolArray
    gaps: BoolArray
    min_obs: int

    @classmethod
    def of(cls, returns: pd.DataFrame, *, min_obs: int = MIN_OBS) -> Panel:
        """Prepare returns, months x companies, NaN where missing; clipped at +-0.5."""
        values = returns.clip(-CLIP, CLIP).to_numpy(dtype=np.float64).T
        present = np.isfinite(values)
        count = np.maximum(present.sum(axis=1, keepdims=True), 1)
        mean = np.where(present, values, 0).sum(axis=1, keepdims=True) / count
        centred = np.where(present, values - mean, 0)
        spread = np.sqrt((centred**2).sum(axis=1, keepdims=True) / count)
        # Below the last digits of the returns, variation is rounding and nothing else.
        varies = spread > 1e-12 * np.maximum(np.abs(mean), 1e-300)
        standard = np.where(varies, centred / np.where(varies, spread, 1), 0)
        return cls(standard, present, ~present.all(axis=1), min_obs)

    def over(self, months: FloatArray) -> Drawn:
        """Prepare draws of months, [T, R] counts, in whose precision everything is computed."""
        standard = self.standard.astype(months.dtype)
        total = months.sum(axis=0)
        mean = (standard @ months) / total
        variance = (standard**2) @ months / total - mean**2
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.where(variance > FLAT, 1 / np.sqrt(variance), np.nan)
        return Drawn(self, months, standard, mean, scale.astype(months.dtype))


@dataclass(frozen=True)
class Drawn:
    """A panel of which months were drawn R times.

    Attributes
    ----------
    panel : Panel
    months : ndarray [T, R]
        Counts.
    standard : ndarray [n, T]
        The panel's, in the draws' precision.
    mean, scale : ndarray [n, R]
        Mean and inverse standard deviation of every company in every draw; NaN for a series that
        stands still. They say nothing of companies with gaps.
    """

    panel: Panel
    months: FloatArray
    standard: FloatArray
    mean: FloatArray
    scale: FloatArray

    def correlations(self, first: IntArray, second: IntArray) -> FloatArray:
        """Correlate pairs of companies in every draw.

        Parameters
        ----------
        first, second : ndarray [P]
            Positions.

        Returns
        -------
        ndarray [P, R]
            Over the months that both have. NaN where they share too few in the data, or one stands
            still in the draw.
        """
        found = (self.standard[first] * self.standard[second]) @ self.months
        found /= self.months.sum(axis=0)
        found -= self.mean[first] * self.mean[second]
        found *= self.scale[first]
        found *= self.scale[second]
        gappy = np.flatnonzero(self.panel.gaps[first] | self.panel.gaps[second])
        if len(gappy):
            found[gappy] = self._over_common_months(first[gappy], second[gappy])
        return np.clip(found, -1, 1, out=found)

    @property
    def whole(self) -> BoolArray:
        """Companies without gaps that move in every draw, [n]."""
        return np.asarray(~self.panel.gaps & np.isfinite(self.scale).all(axis=1))

    def mean_correlations(self, rows: IntArray, others: IntArray) -> FloatArray:
        """Mean correlation of companies with some others, all of them `whole`.

        With x standardised and m and s the mean and inverse deviation of a draw, the mean over j of
        s_i s_j (x_i . x_j / T - m_i m_j) takes one product per pair and draw less than `k`
        correlations do.

        Parameters
        ----------
        rows : ndarray [p]
        others : ndarray [p, k]

        Returns
        -------
        ndarray [p, R]
        """
        k = others.shape[1]
        products = (self.standard[rows][:, None] * self.standard[others]).reshape(len(rows) * k, -1)
        moments = (products @ self.months).reshape(len(rows), k, -1)
        moments = np.einsum("ikr,ikr->ir", moments, self.scale[others])
        levels = (self.mean * self.scale)[others].sum(axis=1)
        total = self.months.sum(axis=0)
        return np.asarray(self.scale[rows] * (moments / total - self.mean[rows] * levels) / k)

    def _over_common_months(self, first: IntArray, second: IntArray) -> FloatArray:
        """Correlate pairs of which one has gaps, each over the months that both have."""
        both = self.panel.present[first] & self.panel.present[second]
        x, y = self.standard[first] * both, self.standard[second] * both
        common = both.astype(x.dtype) @ self.months
        with np.errstate(divide="ignore", invalid="ignore"):
            x_mean, y_mean = x @ self.months / common, y @ self.months / common
            x_variance = (x**2) @ self.months / common - x_mean**2
            y_variance = (y**2) @ self.months / common - y_mean**2
            covariance = (x * y) @ self.months / common - x_mean * y_mean
            found = covariance / np.sqrt(x_variance * y_variance)
        known = (x_variance > FLAT) & (y_variance > FLAT)
        known &= (both.sum(axis=1) >= self.panel.min_obs)[:, None]
        return np.asarray(np.where(known, found, np.nan))

    def units(self, draw: int) -> FloatArray:
        """Vectors [n, T] whose products are one draw's correlations; 0 for gaps and flat series."""
        root = np.sqrt(self.months[:, draw] / self.months[:, draw].sum())
        centred = (self.standard - self.mean[:, [draw]]) * root * self.scale[:, [draw]]
        usable = np.isfinite(self.scale[:, [draw]]) & ~self.panel.gaps[:, None]
        return np.where(usable, centred, 0)


def pieces(rows: int, draws: int, *, per_row: int = 1) -> Iterator[slice]:
    """Cut rows into pieces of about `CELLS` cells, a row having `per_row` x `draws` of them."""
    size = max(1, CELLS // max(per_row * draws, 1))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))
