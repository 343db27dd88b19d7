"""What all z-score rules share: bands at which positions are opened, closed and given up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finsae.checks import DataError

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]

CONVERGED, STOP, TIME, MISSING = 1, 2, 3, 4
EXITS = ("", "converged", "stop", "time", "missing price")
"""Why a rule gives a position up; a rule's `exits` holds places in this list."""


class Bands(ABC):
    """Open against a spread that is far from its mean, close when it is back.

    A position opens on the day |z| rises from below `entry` to it or above, and closes on the day z
    reaches `exit` on its way to zero. A pair given up for any other reason than a missing price
    rests until z has done so as well. A position keeps the hedge ratio it was opened with: to refit
    it inside a trade would trade every day, and move the mean to where the loss is.

    Parameters
    ----------
    entry, exit : float
        In standard deviations; 2 and 0 are those of Gatev, Goetzmann and Rouwenhorst (2006).
    stop : float, optional
        |z| at which a position is given up, and from which none is opened.
    max_days : int, optional
        Days after which a position is given up.
    """

    def __init__(
        self,
        entry: float = 2.0,
        exit: float = 0.0,
        *,
        stop: float | None = 4.0,
        max_days: int | None = None,
    ) -> None:
        self.entry = entry
        self.exit = exit
        self.stop = stop
        self.max_days = max_days

    @abstractmethod
    def signal(self, y: ArrayLike, x: ArrayLike) -> tuple[Floats, Floats]:
        """Standardised spread and hedge ratio at each close of the trading window.

        Parameters
        ----------
        y, x : array, days x pairs
            Prices of the trading window.

        Returns
        -------
        tuple of array, days x pairs
            z, NaN where a leg has no price, and the hedge ratio a position opened there would have,
            NaN where none may be opened. Row t depends on prices up to day t only.
        """

    def positions(self, y: ArrayLike, x: ArrayLike) -> Floats:
        """Leg weights decided at each day's close.

        Parameters
        ----------
        y, x : array, days x pairs
            Prices of the trading window.

        Returns
        -------
        array, days x pairs x 2
            Weights of y and x: 1 and -hedge (or -1 and hedge), scaled so that their sizes add up to
            1; 0 where flat. Row t depends on prices up to day t only.
        """
        z, hedge = self.signal(y, x)
        side = walk(z, np.isfinite(hedge), self)[0].astype(np.float64)
        opened = (side != 0.0) & (side != np.concatenate([np.zeros_like(side[:1]), side[:-1]]))
        days = np.maximum.accumulate(np.where(opened, np.arange(len(side))[:, None], 0), axis=0)
        hedge = np.take_along_axis(hedge, days, axis=0)
        size = 1.0 + np.abs(hedge)
        legs = np.stack([1.0 / size, -hedge / size], axis=-1)
        return np.where(side[..., None] == 0.0, 0.0, side[..., None] * legs)

    def exits(self, y: ArrayLike, x: ArrayLike) -> Codes:
        """Why a position was given up at each day's close, days x pairs: places in `EXITS`."""
        z, hedge = self.signal(y, x)
        return walk(z, np.isfinite(hedge), self)[1]

    def check(self) -> None:
        """Refuse bands and days that no position can have.

        Raises
        ------
        DataError
        """
        if not 0.0 <= self.exit < self.entry < (np.inf if self.stop is None else self.stop):
            raise DataError(
                f"z-score bands must be ordered 0 <= exit < entry < stop, not exit {self.exit:g}, "
                f"entry {self.entry:g}, stop {self.stop}"
            )
        if self.max_days is not None and self.max_days < 1:
            raise DataError(f"max_days must be at least 1, not {self.max_days}")


class Line(NamedTuple):
    """Least squares of log y on log x over each pair's common days."""

    days: NDArray[np.int64]
    mean_y: Floats
    mean_x: Floats
    spread_x: Floats  # sum of squares of x about its mean
    hedge: Floats
    sd: Floats  # of the residual; NaN where the legs do not move or have no three common days


def least_squares(log_y: Floats, log_x: Floats) -> Line:
    """Fit one line per pair, days x pairs."""
    common = np.isfinite(log_y) & np.isfinite(log_x)
    days = common.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_y = np.where(common, log_y, 0.0).sum(axis=0) / days
        mean_x = np.where(common, log_x, 0.0).sum(axis=0) / days
        from_y = np.where(common, log_y - mean_y, 0.0)
        from_x = np.where(common, log_x - mean_x, 0.0)
        spread_x = (from_x * from_x).sum(axis=0)
        moves = np.where(spread_x > 1e-24 * days, spread_x, np.nan)  # not rounding alone
        hedge = (from_y * from_x).sum(axis=0) / moves
        residual = from_y - hedge * from_x
        sd = np.sqrt((residual * residual).sum(axis=0) / (days - 1))
    sd[(days < 3) | ~(sd > 1e-12)] = np.nan
    return Line(days, mean_y, mean_x, spread_x, hedge, sd)


def walk(z: Floats, openable: NDArray[np.bool_], bands: Bands) -> tuple[Codes, Codes]:
    """Side held after each close (1: long the spread) and the reason of each exit."""
    stop = np.inf if bands.stop is None else bands.stop
    longest = np.inf if bands.max_days is None else bands.max_days
    pairs = z.shape[1]
    side = np.zeros(z.shape, dtype=np.int8)
    reason = np.zeros(z.shape, dtype=np.int8)
    held = np.zeros(pairs, dtype=np.int8)
    resting = np.zeros(pairs, dtype=np.int8)  # side of a position stopped and not yet converged
    age = np.zeros(pairs)
    before = np.full(pairs, np.nan)
    for day, now in enumerate(z):
        age += 1
        # A position's own z is negative while it waits; it has converged at -exit or above.
        own = held * now
        why = np.zeros(pairs, dtype=np.int8)
        why[age >= longest] = TIME
        why[own <= -stop] = STOP
        why[own >= -bands.exit] = CONVERGED
        why[np.isnan(now)] = MISSING
        why[held == 0] = 0
        resting[resting * now >= -bands.exit] = 0
        resting = np.where((why == STOP) | (why == TIME), held, resting)
        free = (held == 0) & (resting == 0) & openable[day]
        held[why > 0] = 0
        size = np.abs(now)
        opening = free & (np.abs(before) < bands.entry) & (size >= bands.entry) & (size < stop)
        held[opening] = -np.sign(now[opening]).astype(np.int8)
        age[opening] = 0
        side[day], reason[day], before = held, why, now
    return side, reason
