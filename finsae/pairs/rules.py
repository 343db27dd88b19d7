"""When to hold a pair: rules from prices to leg weights, learnt before the first trade."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finsae.checks import DataError
from finsae.pairs.cointegration import log_prices

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]

CONVERGED, STOP, TIME, MISSING = 1, 2, 3, 4
EXITS = ("", "converged", "stop", "time", "missing price")
"""Why a rule gives a position up; a rule's `exits` holds places in this list."""


class ZScore:
    """Trade a spread's return to its formation mean.

    The spread is ``log y - hedge * log x - intercept`` by least squares over the formation window;
    z is the spread over its standard deviation there; none of it is fitted again. A position opens
    against the spread on the day |z| rises from below `entry` to it or above, and closes on the day
    z reaches `exit` on its way to zero. A pair given up for any other reason than a missing price
    rests until z has done so as well.

    Parameters
    ----------
    entry, exit : float
        In formation standard deviations; 2 and 0 are those of Gatev, Goetzmann and Rouwenhorst
        (2006).
    stop : float, optional
        |z| at which a position is given up, and from which none is opened.
    max_days : int, optional
        Days after which a position is given up.

    Attributes
    ----------
    hedge_, intercept_, sd_ : array, one value per pair
        NaN, and the pair never traded, where the legs have no three common days or do not move.
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

    def fit(self, y: ArrayLike, x: ArrayLike) -> Self:
        """Learn hedge ratio, intercept and standard deviation of each pair's spread.

        Parameters
        ----------
        y, x : array, days x pairs
            Formation prices of the two legs; a pair is fitted on its common days.

        Raises
        ------
        DataError
            If not 0 <= exit < entry < stop, or a price is not above zero.
        """
        if not 0.0 <= self.exit < self.entry < (np.inf if self.stop is None else self.stop):
            raise DataError(
                f"z-score bands must be ordered 0 <= exit < entry < stop, not exit {self.exit:g}, "
                f"entry {self.entry:g}, stop {self.stop}"
            )
        if self.max_days is not None and self.max_days < 1:
            raise DataError(f"max_days must be at least 1, not {self.max_days}")
        log_y, log_x = log_prices(y), log_prices(x)
        common = np.isfinite(log_y) & np.isfinite(log_x)
        days = common.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean_y = np.where(common, log_y, 0.0).sum(axis=0) / days
            mean_x = np.where(common, log_x, 0.0).sum(axis=0) / days
            from_y = np.where(common, log_y - mean_y, 0.0)
            from_x = np.where(common, log_x - mean_x, 0.0)
            self.hedge_ = (from_y * from_x).sum(axis=0) / (from_x * from_x).sum(axis=0)
            spread = from_y - self.hedge_ * from_x
            self.sd_ = np.sqrt((spread * spread).sum(axis=0) / (days - 1))
        self.sd_[(days < 3) | (self.sd_ < 1e-12)] = np.nan
        self.intercept_ = mean_y - self.hedge_ * mean_x
        return self

    def z(self, y: ArrayLike, x: ArrayLike) -> Floats:
        """Standardised spread of prices, days x pairs; NaN where a leg has no price."""
        spread = log_prices(y) - self.hedge_ * log_prices(x) - self.intercept_
        return np.asarray(spread / self.sd_)

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
        side = self._walk(self.z(y, x))[0]
        with np.errstate(invalid="ignore"):
            legs = np.stack([np.ones_like(self.hedge_), -self.hedge_], axis=-1)
            legs /= np.abs(legs).sum(axis=-1, keepdims=True)
        return np.asarray(np.where(side[..., None] == 0, 0.0, side[..., None] * legs))

    def exits(self, y: ArrayLike, x: ArrayLike) -> Codes:
        """Why a position was given up at each day's close, days x pairs: places in `EXITS`."""
        return self._walk(self.z(y, x))[1]

    def _walk(self, z: Floats) -> tuple[Codes, Codes]:
        """Side held after each close (1: long the spread) and the reason of each exit."""
        stop = np.inf if self.stop is None else self.stop
        longest = np.inf if self.max_days is None else self.max_days
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
            why[own >= -self.exit] = CONVERGED
            why[np.isnan(now)] = MISSING
            why[held == 0] = 0
            resting[resting * now >= -self.exit] = 0
            resting = np.where((why == STOP) | (why == TIME), held, resting)
            free = (held == 0) & (resting == 0)
            held[why > 0] = 0
            size = np.abs(now)
            opening = free & (np.abs(before) < self.entry) & (size >= self.entry) & (size < stop)
            held[opening] = -np.sign(now[opening]).astype(np.int8)
            age[opening] = 0
            side[day], reason[day], before = held, why, now
        return side, reason
