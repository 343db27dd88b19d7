"""P-values of unit-root and cointegration statistics: MacKinnon's response surfaces."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from finsae.checks import one_of

Floats = NDArray[np.float64]

# MacKinnon (1994), one and two I(1) variables: upper and lower end of the table, the point where
# the two polynomials meet, and their coefficients, lowest power first.
_SURFACES = {
    1: {
        "n": (np.inf, -19.04, -1.04, (0.6344, 1.2378, 0.032496),
              (0.4797, 0.93557, -0.06999, 0.033066)),
        "c": (2.74, -18.83, -1.61, (2.1659, 1.4412, 0.038269),
              (1.7339, 0.93202, -0.12745, -0.010368)),
        "ct": (0.7, -16.18, -2.89, (3.2512, 1.6047, 0.049588),
               (2.5261, 0.61654, -0.37956, -0.060285)),
        "ctt": (0.54, -17.17, -3.21, (4.0003, 1.658, 0.048288),
                (3.0778, 0.49529, -0.41477, -0.059359)),
    },
    2: {
        "n": (1.51, -19.62, -1.53, (1.9129, 1.3857, 0.035322),
              (1.5578, 0.8558, -0.2083, -0.033549)),
        "c": (0.92, -18.86, -2.62, (2.92, 1.5012, 0.039796),
              (2.1945, 0.64695, -0.29198, -0.042377)),
        "ct": (0.63, -21.15, -3.19, (3.6646, 1.5419, 0.036448),
               (2.85, 0.5272, -0.36622, -0.051695)),
        "ctt": (0.79, -21.1, -3.51, (4.3534, 1.6016, 0.037947),
                (3.4713, 0.5967, -0.32507, -0.042286)),
    },
}  # fmt: skip

TRENDS = tuple(_SURFACES[2])
"""None, a constant, with a linear, with a quadratic trend."""


def mackinnon_pvalue(stat: ArrayLike, *, trend: str = "c", variables: int = 2) -> Floats:
    """Asymptotic p-value of a Dickey-Fuller statistic (MacKinnon, 1994).

    Parameters
    ----------
    stat : array
        Student's t of the level; NaN stays NaN.
    trend : {"c", "ct", "ctt", "n"}
        Deterministic terms.
    variables : {2, 1}
        Of which the statistic was taken: 2 for the residual of one series on another
        (Engle-Granger), 1 for a series itself.
    """
    upper, lower, meeting, left, right = _SURFACES[variables][one_of("trend", trend, TRENDS)]
    value = np.asarray(stat, dtype=np.float64)
    inside = np.clip(value, lower, upper)
    with np.errstate(invalid="ignore"):
        score = np.where(
            inside <= meeting, np.polyval(left[::-1], inside), np.polyval(right[::-1], inside)
        )
    return np.asarray(np.where(value > upper, 1.0, np.where(value < lower, 0.0, ndtr(score))))
