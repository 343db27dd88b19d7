"""What is drawn with replacement: months and, independently of them, companies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Draws:
    """Resamples of a panel, all at once.

    The data as they are is one draw more, in which everything occurs once: an estimate and its
    resamples are the same computation.

    Attributes
    ----------
    months : ndarray [T, R]
        How often each month was drawn. All companies share a resample's months, so that common
        shocks stay common.
    companies : ndarray [n, R]
        How often each company was drawn.
    who : ndarray [n, R]
        The companies that were drawn, by position: the same as `companies`, written out.
    """

    months: FloatArray
    companies: FloatArray
    who: IntArray

    @classmethod
    def none(cls, months: int, companies: int) -> Draws:
        """Take every month and company once, in double precision."""
        one = np.ones((companies, 1))
        return cls(np.ones((months, 1)), one, np.arange(companies)[:, None])

    @classmethod
    def two_way(cls, months: int, companies: int, *, resamples: int, seed: int) -> Draws:
        """Draw months and companies with replacement, as many as there are."""
        rng = np.random.default_rng(seed)
        counts = rng.multinomial(months, np.full(months, 1 / months), size=resamples).T
        who = rng.integers(0, companies, (companies, resamples))
        flat = who + np.arange(resamples) * companies
        drawn = np.bincount(flat.ravel(), minlength=companies * resamples)
        times = drawn.reshape(resamples, companies).T
        return cls(
            np.ascontiguousarray(counts, dtype=np.float32),
            np.ascontiguousarray(times, dtype=np.float32),
            who,
        )

    @property
    def size(self) -> int:
        """Number of resamples R."""
        return int(self.months.shape[1])


def weighted_mean(values: FloatArray, weights: FloatArray) -> npt.NDArray[np.float64]:
    """Mean over companies of every draw, [n, R] -> [R]; missing values are left out.

    Parameters
    ----------
    values, weights : ndarray [n, R]

    Returns
    -------
    ndarray [R]
        NaN where nothing is known.
    """
    known = np.isfinite(values)
    weight = np.where(known, weights, 0)
    total = np.einsum("ij,ij->j", np.where(known, values, 0), weight, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / weight.sum(axis=0, dtype=np.float64))


def quantile(values: FloatArray, who: IntArray, share: float) -> npt.NDArray[np.float64]:
    """Smallest value that at least `share` of the drawn companies do not exceed, [n, R] -> [R].

    Parameters
    ----------
    values : ndarray [n, R]
        Missing ones are left out.
    who : ndarray [n, R]
        Positions of the drawn companies.
    share : float
        In (0, 1].

    Returns
    -------
    ndarray [R]
        The quantile by the inverted distribution function; NaN where nothing is known.
    """
    drawn = np.take_along_axis(values, who, axis=0)
    known = np.isfinite(drawn)
    if known.all():
        place = max(int(np.ceil(share * len(drawn) - 1e-9)) - 1, 0)
        return np.asarray(np.partition(drawn, place, axis=0)[place], dtype=np.float64)
    drawn = np.sort(np.where(known, drawn, np.inf), axis=0)
    count = known.sum(axis=0)
    places = np.maximum(np.ceil(share * count - 1e-9).astype(np.int64) - 1, 0)
    found = drawn[places, np.arange(drawn.shape[1])].astype(np.float64)
    return np.where(count > 0, found, np.nan)
