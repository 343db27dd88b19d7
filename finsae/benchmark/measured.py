"""What a measure returns: one number per method and draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from finsae.benchmark.draws import Draws

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Measured:
    """A metric of some methods.

    Attributes
    ----------
    metric : str
    methods : tuple of str
    values : ndarray [methods, R], float64
        NaN where there is nothing to measure.
    n : ndarray [methods]
        Companies, pairs, clusters or months behind each value.
    interval : str
        What its draws are of: "two-way" (companies and months) or "firm".
    """

    metric: str
    methods: tuple[str, ...]
    values: FloatArray
    n: npt.NDArray[np.int64]
    interval: str = "two-way"


Measure = Callable[[Draws], Sequence[Measured]]
"""Measures everything it knows of on draws; `Draws.none` gives the estimates themselves."""
