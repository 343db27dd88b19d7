"""Bands around a spread whose hedge ratio is fitted once, before the first trade."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from finsae.pairs.cointegration import log_prices
from finsae.pairs.rules.bands import Bands, Floats, least_squares


class ZScore(Bands):
    """Trade a spread's return to its formation mean.

    The spread is ``log y - hedge * log x - intercept`` by least squares over the formation window;
    z is the spread over its standard deviation there; none of it is fitted again. Parameters and
    bands are those of `Bands`.

    Attributes
    ----------
    hedge_, intercept_, sd_ : array, one value per pair
        NaN, and the pair never traded, where the legs have no three common days or do not move.
    """

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
        self.check()
        line = least_squares(log_prices(y), log_prices(x))
        self.hedge_, self.sd_ = line.hedge, line.sd
        self.intercept_ = line.mean_y - line.hedge * line.mean_x
        return self

    def z(self, y: ArrayLike, x: ArrayLike) -> Floats:
        """Standardised spread of prices, days x pairs; NaN where a leg has no price."""
        spread = log_prices(y) - self.hedge_ * log_prices(x) - self.intercept_
        return np.asarray(spread / self.sd_)

    def signal(self, y: ArrayLike, x: ArrayLike) -> tuple[Floats, Floats]:
        """Z at each close, and the one hedge ratio; see `Bands.signal`."""
        z = self.z(y, x)
        return z, np.broadcast_to(self.hedge_, z.shape)
