"""Bands around the innovation of a Kalman filter, whose state is hedge ratio and intercept."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from finsae.checks import DataError
from finsae.pairs.cointegration import log_prices
from finsae.pairs.rules.bands import Bands, Floats, least_squares


class Kalman(Bands):
    """Trade the standardised innovation of ``log y = hedge * log x + intercept + noise``.

    Hedge ratio and intercept follow random walks. The filter starts from the least-squares fit of
    the formation window: its estimate, its covariance, and its residual variance as that of the
    noise. Day t's innovation is what the state of day t - 1 did not foresee, over the standard
    deviation it foresaw; only then is the state updated. While the estimated hedge ratio is not
    above zero no position is opened.

    Parameters
    ----------
    delta : float
        Variance of a day's step of the state over that of the noise, with ``log x`` in its own
        formation standard deviations; the filter's memory is about 1 / sqrt(delta) days, 100 at
        1e-4.
    entry, exit, stop, max_days
        As for `Bands`.

    Attributes
    ----------
    state_ : array, 2 x pairs
        Hedge ratio and intercept (of centred log prices) after the formation window.
    noise_ : array, one value per pair
        Variance of the noise; NaN, and the pair never traded, where the legs do not move.

    Notes
    -----
    Innovations need not come back to zero by a fall of the spread: a filter with a short memory
    follows it instead. That is a property of the rule, common in practice, and not a saving.
    """

    def __init__(
        self,
        entry: float = 2.0,
        exit: float = 0.0,
        *,
        delta: float = 1e-4,
        stop: float | None = 4.0,
        max_days: int | None = None,
    ) -> None:
        super().__init__(entry, exit, stop=stop, max_days=max_days)
        self.delta = delta

    def fit(self, y: ArrayLike, x: ArrayLike) -> Self:
        """Start the state from the formation window.

        Parameters
        ----------
        y, x : array, days x pairs
            Formation prices of the two legs; a pair is fitted on its common days.

        Raises
        ------
        DataError
            If the bands are not ordered, delta is not in (0, 1), or a price is not above zero.
        """
        self.check()
        if not 0.0 < self.delta < 1.0:
            raise DataError(f"delta must be between 0 and 1, such as 1e-4, not {self.delta:g}")
        line = least_squares(log_prices(y), log_prices(x))
        self._centre = np.stack([line.mean_y, line.mean_x])
        self.state_ = np.stack([line.hedge, np.zeros_like(line.hedge)])
        self.noise_ = line.sd**2
        with np.errstate(divide="ignore", invalid="ignore"):
            self._variance = self.noise_ * np.stack([1.0 / line.spread_x, 1.0 / line.days])
        self._step = self.delta * self._variance * line.days
        return self

    def signal(self, y: ArrayLike, x: ArrayLike) -> tuple[Floats, Floats]:
        """Innovation and hedge ratio at each close, both of the state of the close before."""
        rows_y = log_prices(y) - self._centre[0]
        rows_x = log_prices(x) - self._centre[1]
        hedge, level = self.state_
        var_h, var_l = self._variance
        cov = np.zeros_like(hedge)
        z, ratio = np.full(rows_y.shape, np.nan), np.empty(rows_y.shape)
        for day, (now_y, now_x) in enumerate(zip(rows_y, rows_x, strict=True)):
            var_h, var_l = var_h + self._step[0], var_l + self._step[1]
            ratio[day] = np.where(hedge > 0.0, hedge, np.nan)
            seen = np.isfinite(now_y) & np.isfinite(now_x)
            a, b = np.where(seen, now_x, 0.0), np.where(seen, 1.0, 0.0)
            error = np.where(seen, now_y, 0.0) - hedge * a - level * b
            gain_h, gain_l = var_h * a + cov * b, cov * a + var_l * b
            scale = gain_h * a + gain_l * b + self.noise_
            z[day] = np.where(seen, error / np.sqrt(scale), np.nan)
            hedge, level = hedge + gain_h / scale * error, level + gain_l / scale * error
            var_h, var_l, cov = (
                var_h - gain_h**2 / scale,
                var_l - gain_l**2 / scale,
                cov - gain_h * gain_l / scale,
            )
        return z, ratio
