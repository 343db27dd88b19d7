"""Price hygiene: find and mend what a vendor got wrong, from closes alone and from an events file.

Three rules. A close is changed only where the evidence is a multiple of what the company does on
its own around that day. A wrong close is put right where its right value is known (an exact split
ratio), and set missing elsewhere: no price is invented. Whatever is large and not proven wrong is
listed as a suspect, for an events file to settle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finsae.checks import DataError
from finsae.sources.events import apply_events

Floats = NDArray[np.float64]
Row = tuple[str, pd.Timestamp, str, float, str]
LOG_COLUMNS = ["ticker", "date", "kind", "factor", "action"]
RATIOS = np.array([2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 20, 25, 30, 40, 50, 100], dtype=float)
"""Split ratios, and the squares that arise where one is applied twice or the wrong way round."""
THREE_FOR_TWO = 1.5
WINDOW = 20  # days on either side from which a company's usual daily move is taken
LEAST_MOVE = 0.003  # floor of that usual move: pegged and rarely traded closes have a median of 0
COMPANIES_FOR_MARKET = 20  # with fewer, the median move is mostly the company's own
COLUMNS_AT_ONCE = 256  # companies per pass: bounds memory to some tens of MB
ROUNDS = 5  # mending one close can uncover the next; two rounds are the rule


@dataclass(frozen=True)
class Limits:
    """What counts as evidence; usual daily move = robust standard deviation over 41 days.

    Attributes
    ----------
    jump : float
        Smallest log move looked at: a close wrong by 20 % (0.182) less an ordinary opposite move.
    tick : float
        Both sides of a wrong close or run are at least this many usual moves. Real reversals of
        15 % reach 8 (the banks of 2008 and 2009), vendors' faults start at about 10.
    undone : float
        The second jump takes back the first up to this share of the smaller one.
    split : float
        A persistent jump is at least this many usual moves; true moves near a ratio reach 20.
    run : int
        Longest wrong run, in rows.
    stale : int
        Shortest run of identical closes called stale. Pairs and threes are daily bread at low
        prices, fours and fives occur (and were confirmed by second sources).
    repeats : float
        A day repeats closes when so many more companies than usual are unchanged, in standard
        deviations of a Poisson count; quiet days around holidays reach 4.
    suspect : float
        Log moves of this size that stay are listed.
    """

    jump: float = 0.15
    tick: float = 10.0
    undone: float = 0.25
    split: float = 20.0
    run: int = 15
    stale: int = 10
    repeats: float = 6.0
    suspect: float = 0.30


def repair(
    prices: pd.DataFrame, events: pd.DataFrame | None = None, *, limits: Limits | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mend daily closes.

    In this order: events of the file; closes repeated from the day before by many companies at
    once; stale runs; one-day wrong closes and short wrong runs (they reverse); persistent jumps at
    an exact split ratio, by which all earlier closes are divided. The rest is listed: moves that
    stay suspicious, and gaps (they stay missing: a return across a gap belongs to no single day).

    Without events, a second repair changes nothing. Events belong to raw closes: do not apply them
    twice.

    Parameters
    ----------
    prices : DataFrame
        Daily closes, dates (increasing) x tickers; NaN where there is none.
    events : DataFrame, optional
        ``ticker, date, kind, factor``, see `finsae.sources.events`.
    limits : Limits, optional
        What counts as evidence.

    Returns
    -------
    repaired : DataFrame
        Same shape, float64.
    log : DataFrame
        ``ticker, date, kind, factor, action``, one row per action or finding. Where `factor` is
        given, the corrected log return of the date is the raw one plus ``ln(factor)``.

    Raises
    ------
    DataError
        If closes are not positive, dates not increasing, or the events cannot be used.
    """
    limits = limits or Limits()
    _check(prices)
    if events is None:
        frame, rows = prices, list[Row]()
    else:
        frame, used = apply_events(prices, events)
        rows = list(used.itertuples(index=False, name=None))
    closes = _Closes(frame.to_numpy(dtype=float, copy=True), frame.index, frame.columns)
    rows += _repeated(closes, limits) + _stale(closes, limits)
    columns = np.arange(closes.values.shape[1])
    for _ in range(ROUNDS):
        found = _mend(closes, columns, limits)
        if not found:
            break
        rows += found
        columns = np.flatnonzero(frame.columns.isin({row[0] for row in found}))
    settled = {(row[0], row[1]) for row in rows}
    rows += [row for row in _suspects(closes, limits) if (row[0], row[1]) not in settled]
    rows += [row for row in _gaps(closes, prices) if (row[0], row[1]) not in settled]
    log = pd.DataFrame(rows, columns=LOG_COLUMNS).astype({"factor": float})
    log = log.sort_values(["ticker", "date", "kind"], kind="stable").reset_index(drop=True)
    return pd.DataFrame(closes.values, index=frame.index, columns=frame.columns), log


def _check(prices: pd.DataFrame) -> None:
    values = prices.to_numpy(dtype=float)
    if (values <= 0).any():
        row, column = np.argwhere(values <= 0)[0]
        raise DataError(
            f"closes must be positive: {prices.columns[column]} has {values[row, column]:g} "
            f"on {prices.index[row]:%Y-%m-%d}; leave the cell empty where there is no close"
        )
    if not prices.index.is_monotonic_increasing or not prices.index.is_unique:
        raise DataError("dates of the prices must increase, each once: sort them, drop repeats")


class _Closes:
    """Closes as an array, with the market's move taken out on demand."""

    def __init__(self, values: Floats, dates: pd.Index, tickers: pd.Index) -> None:
        self.values, self.dates, self.tickers = values, dates, tickers
        self.market = _market(values)

    def blocks(self, columns: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        return [
            columns[at : at + COLUMNS_AT_ONCE] for at in range(0, len(columns), COLUMNS_AT_ONCE)
        ]

    def moves(self, columns: NDArray[np.intp]) -> tuple[Floats, NDArray[np.intp]]:
        """Log moves from one close to the next less the market's, and the rows between the two.

        A row without a close has a move of NaN; across a gap the market's move over it counts.
        """
        values = self.values[:, columns]
        relative = np.log(values) - self.market[:, None]
        rows = np.arange(len(values))[:, None]
        last = np.maximum.accumulate(np.where(np.isfinite(values), rows, -1), axis=0)
        before = np.vstack([np.full((1, len(columns)), -1), last[:-1]])
        previous = np.take_along_axis(relative, np.maximum(before, 0), axis=0)
        move = np.where(before >= 0, relative - previous, np.nan)
        return move, rows - before


def _market(values: Floats) -> Floats:
    """Cumulated median log return over companies; 0 where fewer than 20 have one."""
    with np.errstate(invalid="ignore"):
        returns = np.diff(np.log(values.astype(np.float32)), axis=0)
    frame = pd.DataFrame(returns)
    median = frame.median(axis=1).where(frame.notna().sum(axis=1) >= COMPANIES_FOR_MARKET, 0.0)
    return np.concatenate([[0.0], np.cumsum(median.to_numpy(dtype=float))])


def _repeated(closes: _Closes, limits: Limits) -> list[Row]:
    """Set missing the closes that many companies at once repeat from the day before."""
    same = closes.values[1:] == closes.values[:-1]
    count = pd.Series(same.sum(axis=1), dtype=float)
    usual = count.rolling(2 * WINDOW + 1, center=True, min_periods=WINDOW).median()
    days = np.flatnonzero((count - usual) > limits.repeats * np.sqrt(usual + 1))
    # A company that stands still every twentieth day or more says nothing by standing still.
    lively = same.mean(axis=0) < 0.05
    rows = list[Row]()
    for day in days:
        for column in np.flatnonzero(same[day] & lively):
            closes.values[day + 1, column] = np.nan
            rows.append(
                (closes.tickers[column], closes.dates[day + 1], "repeated", np.nan, "set missing")
            )
    return rows


def _stale(closes: _Closes, limits: Limits) -> list[Row]:
    """Keep the first close of a long run of identical ones, set the repeats missing."""
    rows = list[Row]()
    same = closes.values[1:] == closes.values[:-1]
    long = np.lib.stride_tricks.sliding_window_view(same, limits.stale - 1, axis=0)
    if len(same) < limits.stale - 1:
        return rows
    for column in np.flatnonzero(long.all(axis=-1).any(axis=0)):
        edges = np.diff(np.concatenate([[0], same[:, column].astype(np.int8), [0]]))
        for start, stop in zip(
            np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True
        ):
            if stop - start >= limits.stale - 1:
                closes.values[start + 1 : stop + 1, column] = np.nan
                action = f"{stop - start} repeats of a close set missing"
                date = closes.dates[start + 1]
                rows.append((closes.tickers[column], date, "stale", np.nan, action))
    return rows


def _mend(closes: _Closes, columns: NDArray[np.intp], limits: Limits) -> list[Row]:
    """Find jumps, pair those that take each other back, and mend; one round."""
    rows = list[Row]()
    for block in closes.blocks(columns):
        jumps = _jumps(closes, block, limits)
        for column, own in jumps.groupby("column", sort=True):
            rows += _mend_company(closes, int(column), own.to_numpy(), limits)
    return rows


def _jumps(closes: _Closes, block: NDArray[np.intp], limits: Limits) -> pd.DataFrame:
    """Moves of at least ``limits.jump`` from one close to the next: column, row, move, usual."""
    move, apart = closes.moves(block)
    size = np.abs(move)
    row, column = np.nonzero((size >= limits.jump) & (apart <= 5))
    around = np.clip(row[:, None] + np.arange(-WINDOW, WINDOW + 1), 0, len(move) - 1)
    sizes = np.where(around == row[:, None], np.nan, size[around, column[:, None]])
    enough = np.isfinite(sizes).sum(axis=1) >= WINDOW // 2
    row, column, sizes = row[enough], column[enough], sizes[enough]
    usual = np.maximum(1.4826 * np.nanmedian(sizes, axis=1), LEAST_MOVE) if len(sizes) else []
    return pd.DataFrame(
        {"column": block[column], "row": row, "move": move[row, column], "usual": usual}
    ).sort_values(["column", "row"])


def _mend_company(closes: _Closes, column: int, jumps: Floats, limits: Limits) -> list[Row]:
    """Mend one company's closes in place: pairs of jumps first, then splits."""
    line, ticker = closes.values[:, column], closes.tickers[column]
    rows, at = list[Row](), 0
    while at < len(jumps):
        _, start, move, usual = jumps[at]
        back = _reversal(jumps, at, limits)
        if back is not None:
            stop, size = int(jumps[back, 1]), (move - jumps[back, 2]) / 2
            rows.append(_put_right(line, (int(start), stop), size, usual))
        elif abs(move) >= limits.split * usual and np.isfinite(line[int(start) :]).sum() >= 5:
            ratio = _split_ratio(move, usual)
            if ratio:
                line[: int(start)] /= ratio
                rows.append(
                    (int(start), "split", ratio, f"{int(start)} earlier closes / {ratio:g}")
                )
        at = at + 1 if back is None else back + 1
    return [(ticker, closes.dates[row[0]], *row[1:]) for row in rows]


def _reversal(jumps: Floats, at: int, limits: Limits) -> int | None:
    """Place of the jump that takes the one at `at` back, or None."""
    _, row, move, usual = jumps[at]
    for later in range(at + 1, len(jumps)):
        _, other_row, other, other_usual = jumps[later]
        if other_row - row > limits.run:
            return None
        smaller = min(abs(move), abs(other))
        calm = smaller >= limits.tick * max(usual, other_usual)
        if calm and abs(move + other) <= limits.undone * smaller:
            return later
    return None


def _put_right(line: Floats, span: tuple[int, int], size: float, usual: float) -> tuple:
    """Multiply a wrong run by the split ratio it shows, or set it missing."""
    start, stop = span
    days = int(np.isfinite(line[start:stop]).sum())
    kind = "wrong_close" if days == 1 else "wrong_run"
    ratio = _nearest_ratio(size, min(max(0.02, 2 * usual), 0.05))
    if not ratio:
        line[start:stop] = np.nan
        return start, kind, np.nan, f"{_closes(days)} set missing"
    line[start:stop] *= ratio
    return start, kind, ratio, f"{_closes(days)} x {ratio:g}"


def _closes(count: int) -> str:
    return "1 close" if count == 1 else f"{count} closes"


def _split_ratio(move: float, usual: float) -> float:
    """Ratio by which the log return is to be corrected, or 0.

    News moves a price by 40 % now and then and by 100 % hardly ever; so 3:2 must be met within one
    usual move by a company that is calmer still, larger ratios within five.
    """
    ratio = _nearest_ratio(move, min(max(0.02, 5 * usual), 0.07))
    if ratio:
        return ratio
    off = abs(abs(move) - np.log(THREE_FOR_TWO))
    if off <= min(usual, 0.015) and abs(move) >= 30 * usual:
        return THREE_FOR_TWO ** -np.sign(move)
    return 0.0


def _nearest_ratio(move: float, tolerance: float) -> float:
    """Ratio that undoes a log move (2 for a fall by half), or 0 if none is within tolerance."""
    off = np.abs(np.log(RATIOS) - abs(move))
    best = int(off.argmin())
    return float(RATIOS[best] ** -np.sign(move)) if off[best] <= tolerance else 0.0


def _suspects(closes: _Closes, limits: Limits) -> list[Row]:
    """List the large moves that stay."""
    rows = list[Row]()
    for block in closes.blocks(np.arange(closes.values.shape[1])):
        move, _ = closes.moves(block)
        raw = move + np.diff(closes.market, prepend=0.0)[:, None]
        for row, column in np.argwhere(np.abs(raw) >= limits.suspect):
            action = f"left as it is (log return {raw[row, column]:+.3f})"
            ticker = closes.tickers[block[column]]
            rows.append((ticker, closes.dates[row], "suspect", np.nan, action))
    return rows


def _gaps(closes: _Closes, prices: pd.DataFrame) -> list[Row]:
    """List the gaps inside a company's closes as they were given."""
    rows = list[Row]()
    there = prices.notna().to_numpy()
    for column in np.flatnonzero((~there).any(axis=0)):
        own = np.flatnonzero(there[:, column])
        for at in np.flatnonzero(np.diff(own) > 1):
            action = f"{_closes(own[at + 1] - own[at] - 1)} missing in the file, left missing"
            date = closes.dates[own[at] + 1]
            rows.append((closes.tickers[column], date, "gap", np.nan, action))
    return rows
