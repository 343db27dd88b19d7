"""Simulated closes, and known faults that are put into closes whose truth is known.

Nothing here looks at the detector: companies, days, sizes, ratios and directions are drawn evenly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from finsae.sources.hygiene import repair
from finsae.sources.jumps import LISTED, MENDED, Limits

EDGE, APART, SHARE = 45, 150, 0.3  # rows kept free at the ends, between faults; companies struck
RATIOS = ("3:2", "2:1", "3:1", "4:1", "5:1", "10:1")
ODD_RATIOS = ("5:4", "7:1", "8:1", "12:1", "15:1", "20:1", "30:1")


class Fault(NamedTuple):
    """One fault: where, how large, and the last row that it may be logged at."""

    column: int
    row: int
    size: str
    last: int


def simulate(rng, days=2500, companies=400):
    """Closes with a market, GARCH(1,1) moves with t(4) shocks, and true jumps; and the dates.

    Four earnings a year move a company by t(5) times two usual moves; news comes every other year,
    of 3.5 usual moves on average (two-sided exponential), and leaves the next moves larger; a
    company in a hundred a year is bid for (20 to 60 % up, then still) and gone after 80 days. One
    whose close falls below 2 is gone too.
    """
    usual = np.exp(rng.normal(np.log(0.014), 0.45, companies))
    market = _garch(rng, days, np.array([0.009]))
    shocks = _garch(rng, days, usual, news=rng.random((days, companies)) < 1 / 500)
    earnings = (np.arange(days)[:, None] + rng.integers(0, 63, companies)) % 63 == 0
    shocks += earnings * rng.standard_t(5, shocks.shape) * 2 * usual
    logs = np.cumsum(shocks + market * rng.uniform(0.6, 1.4, companies), axis=0)
    closes = np.exp(logs + rng.uniform(np.log(8), np.log(150), companies))
    for column in np.flatnonzero(rng.random(companies) < 0.01 * days / 250):
        row = int(rng.integers(100, days - 100))
        bid = closes[row - 1, column] * rng.uniform(1.2, 1.6)
        closes[row:, column] = bid * np.exp(np.cumsum(rng.normal(0, 0.0015, days - row)))
        closes[row + 80 :, column] = np.nan
    closes[np.maximum.accumulate(closes < 2, axis=0)] = np.nan  # delisted
    names = [f"C{column:03d}" for column in range(companies)]
    return pd.DataFrame(closes.round(2), _days(days), names)


def _garch(rng, days, usual, news=None):
    alpha, beta = 0.07, 0.91
    shock = rng.standard_t(4, (days, len(usual))) / np.sqrt(2)
    jump = np.zeros((days, len(usual)))
    if news is not None:
        jump[news] = rng.laplace(0, 3.5, int(news.sum()))
        jump *= usual
    variance, moves = usual**2, np.empty((days, len(usual)))
    for day in range(days):
        own = np.sqrt(variance) * shock[day]
        moves[day] = own + jump[day]
        felt = own**2 + np.minimum(jump[day] ** 2, (8 * usual) ** 2)
        variance = (1 - alpha - beta) * usual**2 + alpha * felt + beta * variance
        variance = np.minimum(variance, (8 * usual) ** 2)
    return moves


def _days(count):
    return pd.bdate_range("2005-01-03", periods=count, name="date")


def places(values, rng, width):
    """Rows and columns for faults: companies drawn, rows far apart, closes all around."""
    there = np.isfinite(values)
    for column in rng.choice(values.shape[1], int(SHARE * values.shape[1]), replace=False):
        row = int(rng.integers(EDGE, APART))
        while row < len(values) - EDGE - width:
            if there[row - 25 : row + width + 25, column].all():
                yield int(column), row
            row += int(rng.integers(APART, 4 * APART))


def by_close(values, rng, sizes, change, width=1):
    faults = []
    for column, row in places(values, rng, width):
        size = str(rng.choice(sizes))
        last = change(values[:, column], row, size, rng)
        faults.append(Fault(column, row, size, last))
    return faults


def ticks(values, rng):
    """One close off by a percentage, up or down; the next is right again."""

    def change(line, row, size, rng):
        low, high = (float(part) / 100 for part in size.removesuffix(" %").split("-"))
        off = rng.uniform(low, high)
        line[row] *= 1 + off if rng.random() < 0.5 else 1 / (1 + off)
        return row

    return by_close(values, rng, ["5-10 %", "10-20 %", "20-30 %", "30-50 %", "50-900 %"], change)


def runs(values, rng):
    """Closes of 2 to 12 days at half, a third, twice or three times their value."""

    def change(line, row, size, rng):
        first, last = (int(part) for part in size.split()[0].split("-"))
        length = int(rng.integers(first, last + 1))
        line[row : row + length] *= rng.choice([1 / 3, 0.5, 2, 3])
        return row + length - 1

    return by_close(values, rng, ["2-5 closes", "6-12 closes"], change, width=12)


def splits(values, rng):
    """Earlier closes left as they were before a split (the price falls)."""
    return _splits(values, rng, lambda ratio: ratio)


def reverse_splits(values, rng):
    return _splits(values, rng, lambda ratio: 1 / ratio)


def twice(values, rng):
    """Earlier closes divided by the ratio once more (the price rises)."""
    return _splits(values, rng, lambda ratio: 1 / ratio)


def inverted(values, rng):
    """Earlier closes multiplied by the ratio instead of divided (it falls by its square)."""
    return _splits(values, rng, lambda ratio: ratio**2)


def odd_splits(values, rng):
    """As the first two, in a direction drawn by lot, at ratios that are rare."""
    return _splits(values, rng, lambda ratio: ratio ** rng.choice([-1, 1]), ODD_RATIOS)


def _splits(values, rng, factor, ratios=RATIOS):
    struck = rng.choice(values.shape[1], int(SHARE * values.shape[1]), replace=False)
    faults = []
    for column in struck:
        own = np.flatnonzero(np.isfinite(values[:, column]))
        if len(own) < 3 * EDGE:
            continue
        row = int(rng.choice(own[EDGE:-EDGE]))
        size = str(rng.choice(ratios))
        new, old = (float(part) for part in size.split(":"))
        values[:row, column] *= factor(new / old)
        faults.append(Fault(int(column), row, size, row))
    return faults


def stale(values, rng):
    """A close repeated on the next days."""

    def change(line, row, size, rng):
        line[row : row + int(size.split()[0])] = line[row - 1]
        return row + int(size.split()[0]) - 1

    sizes = ["1 repeat", "3 repeats", "5 repeats", "9 repeats", "20 repeats"]
    return by_close(values, rng, sizes, change, width=20)


def gaps(values, rng):
    def change(line, row, size, rng):
        line[row : row + int(size.split()[0])] = np.nan
        return row + int(size.split()[0])

    return by_close(values, rng, ["1 close", "5 closes", "20 closes"], change, width=20)


def swaps(values, rng):
    """Two companies' closes exchanged from a day on, by how far apart they are."""
    faults = []
    for one, other in rng.permutation(values.shape[1])[
        : int(SHARE * values.shape[1]) // 2 * 2
    ].reshape(-1, 2):
        both = np.flatnonzero(np.isfinite(values[:, [one, other]]).all(axis=1))
        if len(both) < 3 * EDGE:
            continue
        row = int(rng.choice(both[EDGE:-EDGE]))
        apart = float(np.exp(abs(np.log(values[row - 1, one] / values[row - 1, other]))))
        size = (
            "under 1.25 times" if apart < 1.25 else "1.25-2 times" if apart < 2 else "over 2 times"
        )
        values[row:, [one, other]] = values[row:, [other, one]]
        faults += [Fault(int(column), row, size, row) for column in (one, other)]
    return faults


def short_swaps(values, rng):
    """Two companies' closes exchanged for one day."""
    faults, rows = [], rng.choice(np.arange(EDGE, len(values) - EDGE, 5), 60, replace=False)
    for row in rows:
        there = np.flatnonzero(np.isfinite(values[row - 25 : row + 25]).all(axis=0))
        one, other = rng.choice(there, 2, replace=False)
        apart = float(np.exp(abs(np.log(values[row, one] / values[row, other]))))
        size = (
            "under 1.25 times" if apart < 1.25 else "1.25-2 times" if apart < 2 else "over 2 times"
        )
        values[row, [one, other]] = values[row, [other, one]]
        faults += [Fault(int(column), int(row), size, int(row)) for column in (one, other)]
    return faults


def doubled_days(values, rng):
    """A day's closes written on a later day too: of all, of some, of neighbours in the file."""
    faults, companies = [], values.shape[1]
    rows = rng.choice(np.arange(EDGE, len(values) - EDGE, 25), 15, replace=False)
    for number, row in enumerate(rows):
        whose, back = (
            ("all", 1),
            ("a tenth", 1),
            ("a stretch", 1),
            ("all", 5),
            ("a tenth", 5),
        )[number % 5]
        chosen = rng.random(companies) < (0.1 if whose == "a tenth" else 1)
        if whose == "a stretch":
            chosen[:] = False
            first = int(rng.integers(0, companies - companies // 10))
            chosen[first : first + companies // 10] = True
        struck = np.flatnonzero(chosen)
        struck = struck[np.isfinite(values[[row, row - back]][:, struck]).all(axis=0)]
        struck = struck[values[row, struck] != values[row - back, struck]]
        values[row, struck] = values[row - back, struck]
        size = f"{whose}, {back} day{'s' if back > 1 else ''} later"
        faults += [Fault(int(column), int(row), size, int(row)) for column in struck]
    return faults


def spin_offs(values, rng):
    """A lasting fall by what the shareholders were given: true, but no return."""

    def change(line, row, size, rng):
        low, high = (float(part) / 100 for part in size.removesuffix(" %").split("-"))
        line[row:] *= 1 - rng.uniform(low, high)
        return row

    faults = []
    for column in rng.choice(values.shape[1], int(SHARE * values.shape[1]), replace=False):
        own = np.flatnonzero(np.isfinite(values[:, column]))
        if len(own) < 3 * EDGE:
            continue
        row = int(rng.choice(own[EDGE:-EDGE]))
        size = str(rng.choice(["5-15 %", "15-25 %", "25-70 %"]))
        faults.append(Fault(int(column), row, size, change(values[:, column], row, size, rng)))
    return faults


FAULTS = {
    "bad tick that reverses": ticks,
    "wrong run at a split ratio": runs,
    "split not adjusted": splits,
    "reverse split not adjusted": reverse_splits,
    "split adjusted twice": twice,
    "split adjusted the wrong way": inverted,
    "split at an odd ratio": odd_splits,
    "stale closes": stale,
    "gap": gaps,
    "tickers swapped for good": swaps,
    "tickers swapped for a day": short_swaps,
    "day written twice": doubled_days,
    "spin-off (true)": spin_offs,
}
SPLITS = ("split not adjusted", "reverse split not adjusted", "split adjusted twice",
          "split adjusted the wrong way")  # fmt: skip
RESCALED = (*SPLITS, "split at an odd ratio")
ROUNDS = {kind: 3 if kind in (*RESCALED, "spin-off (true)") else 1 for kind in FAULTS}
COLUMNS = ["fault", "size", "calm", "mended", "listed", "changed"]


def usual_moves(clean):
    """Robust standard deviation of each company's moves around each day, the market taken out."""
    moves = np.log(clean).diff()
    own = moves.sub(moves.median(axis=1), axis=0).abs()
    return 1.4826 * own.rolling(41, center=True, min_periods=20).median().to_numpy()


def measure(clean, kind, rng, *, usual, limits=None):
    """Put faults of a kind into clean closes: what became of each, and repairs of anything else.

    Mended: the returns from the day before the fault to the day after it are right, or missing.
    """
    broken = clean.to_numpy(dtype=float, copy=True)
    faults = FAULTS[kind](broken, rng)
    mended, log = repair(pd.DataFrame(broken, clean.index, clean.columns), limits=limits)
    off = np.abs(
        np.diff(np.log(mended.to_numpy()), axis=0) - np.diff(np.log(clean.to_numpy()), axis=0)
    )
    rows = log.assign(
        column=clean.columns.get_indexer(log["ticker"]), row=clean.index.get_indexer(log["date"])
    )
    by_column = dict(tuple(rows.groupby("column")))
    told, own, most = [], set(), 1e-3 if kind in RESCALED else 0.06
    for fault in faults:
        near = by_column.get(fault.column, rows[:0])
        near = near[(near["row"] >= fault.row - 1) & (near["row"] <= fault.last + 1)]
        own |= set(near.index)
        changed = near["kind"].isin(MENDED).any()
        wrong = (off[fault.row - 1 : fault.last + 1, fault.column] > most).any()
        listed = near["kind"].isin(LISTED).any()
        calm = usual[fault.row, fault.column] <= Limits().calm
        told.append((kind, fault.size, calm, changed and not wrong, listed, changed))
    other = rows[rows["kind"].isin(MENDED) & ~rows.index.isin(own)]
    return pd.DataFrame(told, columns=COLUMNS), other["kind"].value_counts().to_dict()
