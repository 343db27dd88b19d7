"""Price worlds of which it is known whether pairs trading can earn anything."""

import numpy as np
import pandas as pd


def names(count, prefix="W"):
    return [f"{prefix}{number:03d}" for number in range(count)]


def frame(logs, tickers, start="2010-01-04"):
    days = pd.bdate_range(start, periods=len(logs), name="date")
    return pd.DataFrame(50.0 * np.exp(logs), index=days, columns=tickers)


def walks(days, companies, *, seed, prefix="W"):
    """Independent random walks: no pair of them is worth trading."""
    steps = np.random.default_rng(seed).normal(0, 0.015, (days, companies))
    return frame(np.cumsum(steps, axis=0), names(companies, prefix))


def planted(days, pairs, *, seed, half_life=8.0):
    """Cointegrated pairs A000-B000, A001-B001, ...: a common walk and a spread that reverts."""
    rng = np.random.default_rng(seed)
    common = np.cumsum(rng.normal(0, 0.015, (days, pairs)), axis=0)
    shocks = rng.normal(0, 0.01, (days, pairs))
    spread = np.zeros((days, pairs))
    for day in range(1, days):
        spread[day] = 0.5 ** (1 / half_life) * spread[day - 1] + shocks[day]
    first = frame(common + spread, names(pairs, "A"))
    return first.join(frame(common, names(pairs, "B")))


def side_by_side(first, second):
    """Pairs of the columns of two lists of tickers, in order."""
    return pd.DataFrame({"y": list(first), "x": list(second)})
