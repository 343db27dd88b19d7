"""Mending of jumps: wrong closes and runs, splits."""

from __future__ import annotations

import numpy as np

from finsae.sources.jumps import (
    AFTERMATH,
    Closes,
    Floats,
    Jump,
    Limits,
    Places,
    blocks,
    find_jumps,
    lasting,
    lone,
    undone,
)

Found = tuple[int, str, float, str]  # row, kind, factor, action

RATIOS = np.array([2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 20, 25, 30, 40, 50, 100], dtype=float)
"""Split ratios, and the squares that arise where one is applied twice or the wrong way round."""
THREE_FOR_TWO = 1.5


def mend(closes: Closes, columns: Places, limits: Limits) -> dict[int, list[Found]]:
    """Mend the jumps of some companies in place, once.

    Per company, of the first of these that there are: one-day wrong closes; wrong runs; splits.
    What is mended changes what the rest looks like, so the rest is for the next call.

    Returns
    -------
    dict
        Column to what was found: row, kind, factor, action.
    """
    found = {}
    for block in blocks(columns):
        for column, every in find_jumps(closes, block, limits).items():
            line = closes.values[:, column]
            jumps = [jump for jump in every if (jump.row, column) not in closes.confirmed]
            mended = _runs(line, jumps, limits, longest=1)
            mended = mended or _runs(line, jumps, limits, longest=limits.run)
            taken = {row for row, other in closes.swapped if other == column}
            mended = mended or _splits(line, jumps, taken, limits=limits)
            if mended:
                found[column] = mended
    return found


def _runs(line: Floats, jumps: list[Jump], limits: Limits, *, longest: int) -> list[Found]:
    """Mend closes between two jumps that take each other back."""
    found, at = list[Found](), 0
    while at < len(jumps):
        first, at = jumps[at], at + 1
        for later in range(at, len(jumps)):
            second = jumps[later]
            days = int(np.isfinite(line[first.row : second.row]).sum())
            if days > longest:
                break
            if _taken_back(first, second, limits, days=days):
                mended = _put_right(line, first, second, days=days, limits=limits)
                if mended:
                    found.append(mended)
                    at = later + 1
                    break
    return found


def _taken_back(first: Jump, second: Jump, limits: Limits, *, days: int) -> bool:
    """Whether two jumps are the ends of wrong closes."""
    if undone(first, second, share=limits.undone, times=limits.tick):
        return True
    return days == 1 and undone(first, second, share=limits.undone / 2, times=limits.exact)


def _put_right(
    line: Floats, first: Jump, second: Jump, *, days: int, limits: Limits
) -> Found | None:
    """Multiply wrong closes by the split ratio they show; without one, set them missing."""
    span = slice(first.row, second.row)
    kind = "wrong_close" if days == 1 else "wrong_run"
    if kind not in limits.kinds:
        return None
    size, usual = (first.move - second.move) / 2, max(first.usual, second.usual)
    ratio = _nearest_ratio(size, min(max(0.02, 2 * usual), 0.05))
    if ratio:
        line[span] *= ratio
        return first.row, kind, ratio, f"{counted(days)} x {ratio:g}"
    if days == 1 or (abs(size) >= limits.split * usual and 3 * days <= limits.run):
        line[span] = np.nan
        return first.row, kind, np.nan, f"{counted(days)} set missing"
    return None


def _splits(line: Floats, jumps: list[Jump], taken: set[int], *, limits: Limits) -> list[Found]:
    """Divide the closes before a lone, lasting jump at a split ratio by the ratio.

    Not where the company takes another's level (`taken`, rows): such a jump has any ratio.
    """
    found = list[Found]()
    if "split" not in limits.kinds:
        return found
    for jump in jumps:
        if jump.row in taken:
            continue
        ratio = _split_ratio(jump, limits) if lone(jump, jumps, limits) else 0.0
        ratio = ratio or _reverse_ratio(line, jump, jumps, limits)
        if ratio:
            line[: jump.row] /= ratio
            earlier = counted(int(np.isfinite(line[: jump.row]).sum()))
            found.append((jump.row, "split", ratio, f"{earlier} before / {ratio:g}"))
    return found


def _split_ratio(jump: Jump, limits: Limits) -> float:
    """Ratio by which the log return is to be corrected, or 0.

    News moves a price by 40 % now and then and by 100 % hardly ever; so 3:2 must be met within one
    usual move, by a company that is calmer still before and after, and not by one that hardly
    moves any more: bids of half the price above it are common.
    """
    if not lasting(jump, limits):
        return 0.0
    if jump.usual > limits.calm and -np.log(limits.fall) < jump.move < np.log(limits.rise):
        return 0.0
    off = min(max(0.02, 5 * jump.usual), limits.off * abs(jump.move))
    ratio = _nearest_ratio(jump.move, off)
    calmer = abs(jump.move) >= 1.5 * limits.split * jump.usual and jump.hush >= limits.hush
    if not ratio and calmer and 1.33 * jump.after <= limits.quiet * jump.usual:
        close = abs(abs(jump.move) - np.log(THREE_FOR_TWO)) <= min(jump.usual, off)
        ratio = float(THREE_FOR_TWO ** -np.sign(jump.move)) if close else 0.0
    return ratio


def _reverse_ratio(line: Floats, jump: Jump, jumps: list[Jump], limits: Limits) -> float:
    """Ratio of a reverse split of any ratio, by a company however restless, or 0.

    Where no ratio is near, the closes before are brought to the level after: the day's own return
    is taken for the market's.
    """
    after = line[jump.row : jump.row + 2 * AFTERMATH]
    after = after[np.isfinite(after)][:AFTERMATH]
    if jump.move < np.log(limits.reverse) or len(after) < AFTERMATH:
        return 0.0
    before = line[: jump.row][np.isfinite(line[: jump.row])][-AFTERMATH:]
    if np.log(np.median(after) / np.median(before)) < jump.move / 2:
        return 0.0
    if any(later.row > jump.row and undone(jump, later, share=limits.undone) for later in jumps):
        return 0.0
    return _nearest_ratio(jump.move, limits.off) or float(np.exp(-jump.move))


def _nearest_ratio(move: float, tolerance: float) -> float:
    """Ratio that undoes a log move (2 for a fall by half), or 0 if none is within tolerance."""
    off = np.abs(np.log(RATIOS) - abs(move))
    best = int(off.argmin())
    return float(RATIOS[best] ** -np.sign(move)) if off[best] <= tolerance else 0.0


def counted(closes: int) -> str:
    """Write a number of closes."""
    return "1 close" if closes == 1 else f"{closes} closes"
