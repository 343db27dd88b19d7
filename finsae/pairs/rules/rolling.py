"""Bands around a spread whose hedge ratio is refitted every day on the days before."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from finsae.checks import DataError
from finsae.pairs.cointegration import log_prices
from finsae.pairs.rules.bands import Bands, Floats, least_squares

_STILL = 1e-12
"""Mean square of log prices below which they count as not moving: rounding of running sums."""


class RollingOLS(Bands):
    """Trade the residual of a regression over the last `window` days, the day itself left out.

    On day t, ``log y`` is regressed on ``log x`` over the common days of t - window .. t - 1, and z
    is the residual of day t over that regression's standard error (n - 2). The first windows reach
    back into the formation prices. Where fewer than half of a window's days have both prices there
    is no z; where the regression's hedge ratio is not above zero no position is opened: legs of one
    sign are no bet on a difference.

    Parameters
    ----------
    window : int
        Days of the regression.
    entry, exit, stop, max_days
        As for `Bands`.

    Attributes
    ----------
    traded_ : array of bool, one value per pair
        Whether the legs moved in the formation window.
    """

    def __init__(
        self,
        entry: float = 2.0,
        exit: float = 0.0,
        *,
        window: int = 60,
        stop: float | None = 4.0,
        max_days: int | None = None,
    ) -> None:
        super().__init__(entry, exit, stop=stop, max_days=max_days)
        self.window = window

    def fit(self, y: ArrayLike, x: ArrayLike) -> Self:
        """Keep the formation prices that the first windows reach back to.

        Parameters
        ----------
        y, x : array, days x pairs
            Formation prices of the two legs.

        Raises
        ------
        DataError
            If the bands are not ordered, the window is below 10 days, or a price is not above zero.
        """
        self.check()
        if self.window < 10:
            raise DataError(f"a rolling window needs at least 10 days, not {self.window}")
        log_y, log_x = log_prices(y), log_prices(x)
        line = least_squares(log_y, log_x)
        self.traded_ = np.isfinite(line.sd) & np.isfinite(line.hedge)
        # Centred once, so that running sums of squares keep their digits.
        self._centre = np.where(self.traded_, [line.mean_y, line.mean_x], 0.0)
        self._past = np.stack([log_y, log_x])[:, -self.window :]
        return self

    def signal(self, y: ArrayLike, x: ArrayLike) -> tuple[Floats, Floats]:
        """Z and hedge ratio at each close, of the window up to the close before."""
        later = np.stack([log_prices(y), log_prices(x)])
        logs = np.concatenate([self._past, later], axis=1) - self._centre[:, None]
        common = np.isfinite(logs).all(axis=0)
        a, b = np.where(common, logs, 0.0)
        ones = common.astype(np.float64)
        n, sum_a, sum_b, aa, ab, bb = (
            self._windowed(v, len(later[0])) for v in (ones, a, b, a * a, a * b, b * b)
        )
        n = np.where((n >= self.window / 2.0) & self.traded_, n, np.nan)
        var_b, cov, var_a = bb - sum_b**2 / n, ab - sum_a * sum_b / n, aa - sum_a**2 / n
        var_b = np.where(var_b > n * _STILL, var_b, np.nan)
        hedge = cov / var_b
        error = (var_a - hedge * cov) / (n - 2.0)
        sd = np.sqrt(np.where(error > _STILL, error, np.nan))
        now_y, now_x = logs[:, -len(later[0]) :]
        z = (now_y - sum_a / n - hedge * (now_x - sum_b / n)) / sd
        return z, np.where(hedge > 0.0, hedge, np.nan)

    def _windowed(self, values: Floats, days: int) -> Floats:
        """Sum of the `window` values before each of the last `days` days."""
        total = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
        at = np.arange(len(values) - days, len(values))
        return np.asarray(total[at] - total[np.maximum(at - self.window, 0)])
