"""What hygiene lists and leaves as it is: closes alone do not say what is right there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from finsae.sources.jumps import (
    COMPANIES_FOR_MARKET,
    WINDOW,
    Closes,
    Jump,
    Limits,
    blocks,
    find_jumps,
    lasting,
    lone,
    undone,
)
from finsae.sources.mending import counted

Row = tuple[str, pd.Timestamp, str, float, str]
LIVELY = 0.05  # a company that stands still every twentieth day says nothing by standing still
EARLIER = 10  # days back among which a day's double is looked for


def unsettled(
    closes: Closes, prices: pd.DataFrame, exchanged: list[Row], *, limits: Limits
) -> list[Row]:
    """List what stays doubtful in mended closes.

    Parameters
    ----------
    closes : Closes
        Mended.
    prices : DataFrame
        As they were given: a gap is the vendor's, not hygiene's.
    exchanged : list of Row
        From `swapped`; their moves are not listed a second time as suspects.
    limits : Limits
    """
    named = {row[:2] for row in exchanged}
    rows = exchanged + duplicates(closes, limits) + equal_closes(closes, limits)
    rows += [row for row in suspects(closes, limits) if row[:2] not in named]
    return rows + gaps(closes, prices, limits)


def swapped(closes: Closes, limits: Limits) -> list[Row]:
    """List two companies that jump on one day, each to where the other was.

    Their moves are noted in `closes`, so that none of them is taken for a split.
    """
    if "swapped" not in limits.kinds:
        return []
    by_row: dict[int, list[tuple[int, Jump]]] = {}
    for block in blocks(np.arange(closes.values.shape[1])):
        for column, jumps in find_jumps(closes, block, limits).items():
            for jump in jumps:
                if abs(jump.move) >= limits.tick * jump.usual:
                    by_row.setdefault(jump.row, []).append((column, jump))
    rows = list[Row]()
    for row, found in by_row.items():
        for one, other in _exchanges(closes, found, limits):
            for column, partner in ((one, other), (other, one)):
                closes.swapped.add((row, column))
                action = f"left as it is (takes the level of {closes.tickers[partner]})"
                rows.append((closes.tickers[column], closes.dates[row], "swapped", np.nan, action))
    return rows


def _exchanges(
    closes: Closes, found: list[tuple[int, Jump]], limits: Limits
) -> list[tuple[int, int]]:
    """Pairs of columns of which each takes the other's level; the move within is the market's."""
    if len(found) < 2:
        return []
    columns = np.array([column for column, _ in found])
    row = found[0][1].row
    move = np.array([jump.move for _, jump in found])
    usual = np.array([jump.usual for _, jump in found])
    after = np.log(closes.values[row, columns]) - closes.market[row]
    before = after - move
    within = limits.same_level * np.maximum(usual[:, None], usual)
    takes = np.abs(after[:, None] - before) <= within
    pairs = np.argwhere(np.triu(takes & takes.T, 1))
    return [(int(columns[one]), int(columns[other])) for one, other in pairs]


def duplicates(closes: Closes, limits: Limits) -> list[Row]:
    """List the closes of days that repeat an earlier day, not the one before (see `repeated`)."""
    if "duplicate" not in limits.kinds:
        return []
    rows, values = list[Row](), closes.values
    there = np.isfinite(values)
    for back in range(2, min(EARLIER, len(values) - 1) + 1):
        same = values[back:] == values[:-back]
        both = (there[back:] & there[:-back]).sum(axis=1)
        count = same.sum(axis=1)
        usual = pd.Series(count).rolling(2 * WINDOW + 1, center=True, min_periods=1).median()
        surely = count - usual > limits.repeats * np.sqrt(usual + 1)
        double = surely & (count >= limits.duplicate * both) & (both >= COMPANIES_FOR_MARKET)
        for day in np.flatnonzero(double).tolist():
            date, earlier = closes.dates[day + back], closes.dates[day]
            action = f"left as it is (as on {earlier:%Y-%m-%d}, as are others)"
            rows += [
                (closes.tickers[column], date, "duplicate", np.nan, action)
                for column in np.flatnonzero(same[day])
            ]
    return rows


def equal_closes(closes: Closes, limits: Limits) -> list[Row]:
    """List runs of identical closes of companies that hardly ever stand still."""
    if "equal" not in limits.kinds:
        return []
    rows = list[Row]()
    same = closes.values[1:] == closes.values[:-1]
    lively = same.sum(axis=0) < LIVELY * np.isfinite(closes.values).sum(axis=0)
    edges = np.diff(same.astype(np.int8), axis=0, prepend=np.int8(0), append=np.int8(0))
    for column in np.flatnonzero(lively & (same.sum(axis=0) >= limits.equal - 1)):
        starts, stops = (np.flatnonzero(edges[:, column] == sign) for sign in (1, -1))
        for start, stop in zip(starts, stops, strict=True):
            if stop - start >= limits.equal - 1:
                action = f"left as it is ({counted(int(stop - start))} repeat the one before)"
                date = closes.dates[int(start) + 1]
                rows.append((closes.tickers[column], date, "equal", np.nan, action))
    return rows


def suspects(closes: Closes, limits: Limits) -> list[Row]:
    """List the large moves that stay, and smaller ones that come near to what is mended."""
    if "suspect" not in limits.kinds:
        return []
    rows = list[Row]()
    for block in blocks(np.arange(closes.values.shape[1])):
        move, apart = closes.moves(block)
        before = np.maximum(np.arange(len(move))[:, None] - apart, 0)
        raw = move + closes.market[:, None] - closes.market[before]
        listed = np.abs(raw) >= limits.suspect
        for column, jumps in find_jumps(closes, block, limits).items():
            doubtful = [j.row for j in jumps if lasting(j, limits) and lone(j, jumps, limits)]
            doubtful += [
                one.row
                for one, other in pairwise(jumps)
                if other.row == one.row + 1
                and undone(one, other, share=limits.undone, times=limits.doubtful)
            ]
            listed[doubtful, int(np.searchsorted(block, column))] = True
        for row, column in np.argwhere(listed):
            ticker = closes.tickers[block[column]]
            action = f"left as it is (log return {raw[row, column]:+.3f})"
            rows.append((ticker, closes.dates[row], "suspect", np.nan, action))
    return rows


def gaps(closes: Closes, prices: pd.DataFrame, limits: Limits) -> list[Row]:
    """List the gaps inside a company's closes as they were given."""
    if "gap" not in limits.kinds:
        return []
    rows = list[Row]()
    there = prices.notna().to_numpy(dtype=bool)
    for column in np.flatnonzero((~there).any(axis=0)):
        own = np.flatnonzero(there[:, column])
        for at in np.flatnonzero(np.diff(own) > 1):
            action = f"{counted(int(own[at + 1] - own[at] - 1))} missing, left missing"
            date = closes.dates[own[at] + 1]
            rows.append((closes.tickers[column], date, "gap", np.nan, action))
    return rows
