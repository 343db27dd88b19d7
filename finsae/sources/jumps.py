"""Jumps of closes: how large, how usual, how lasting they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finsae.checks import DataError, one_of

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

WINDOW = 20  # closes on either side from which a company's usual daily move is taken
LEAST_MOVE = 0.003  # floor of that usual move: pegged and rarely traded closes have a median of 0
LONGEST_GAP = 5  # rows without a close, after which a jump says little
AFTERMATH = 5  # closes after a jump that must be as quiet as ever if it was a split
COMPANIES_FOR_MARKET = 20  # with fewer, the median move is mostly the company's own
COLUMNS_AT_ONCE = 256  # companies per pass: bounds memory to some tens of MB

MENDED = ("repeated", "stale", "wrong_close", "wrong_run", "split")
LISTED = ("swapped", "duplicate", "equal", "suspect", "gap")
KINDS = (*MENDED, *LISTED)
"""What hygiene looks for: what it mends, and what it lists and leaves as it is."""


@dataclass(frozen=True)
class Limits:
    """What is looked for, and what counts as evidence.

    Sizes are log moves less the market's (the median company's). A usual move is the robust
    standard deviation of the 40 moves around.

    Attributes
    ----------
    kinds : tuple of str
        Which of `KINDS` are looked for.
    jump : float
        Smallest move looked at: a close wrong by 20 % (0.182) less an ordinary opposite move.
    tick : float
        Both sides of a wrong close are at least this many usual moves. Real reversals of 15 %
        reach 8 (banks in 2008 and 2009); vendors' faults begin at about 10.
    undone : float
        The second jump takes back the first up to this share of the smaller one.
    exact : float
        So many usual moves suffice where a single close is taken back twice as exactly: jumps that
        go on (and so are no faults) are then 15 times rarer than jumps that return.
    split : float
        A split is at least this many usual moves. So is a wrong run that shows no split ratio.
    calm : float
        A company whose usual move is larger halves and doubles on its own now and then (drug
        trials): its jumps are no proof, except the largest (`rise`, `fall`).
    rise : float
        A restless company's rise to so many times may be a split.
    fall : float
        So may its fall to one part in so many: news has taken five sixths in a day, not more.
    off : float
        A split's move may differ from the exact ratio by this share of it, and by five usual
        moves: both the split and the day's own move are in it.
    quiet : float
        The mean of the five moves after a split is at most this many usual moves: news echoes.
    echo : float
        Not asked of a jump to so many times, or to one part in so many: that is no news.
    reverse : float
        A close that is so many times the one before, and stays there, is a reverse split whatever
        its ratio and the company: news does not make a price fivefold in a day.
    hush : float
        After a 3:2 split the median move is at least this share of what it was before.
    run : int
        Longest wrong run in rows, if it shows a split ratio; a third of it otherwise.
    stale : int
        Shortest run of identical closes called stale. Pairs and threes are daily bread at low
        prices, fours and fives occur (and were confirmed by second sources).
    equal : int
        Shortest run of identical closes that is listed, of a company that hardly ever stands still.
    repeats : float
        A day repeats closes if so many more companies than usual are unchanged, in standard
        deviations of a Poisson count; of neighbours by ticker only, if they lie side by side.
    duplicate : float
        A day is listed as a duplicate of one of the ten before if at least this share of all
        closes agrees, and so many more than usual as `repeats` says.
    same_level : float
        Two companies are listed as swapped if both jump on a day, each to the other's level up to
        so many usual moves.
    suspect : float
        Log returns of this size that stay are listed. So are smaller ones that look like a split
        but for their ratio (`jump`, `split`, `quiet`), as a spin-off does.
    doubtful : float
        And so are jumps that the next close takes back, if both are at least this many usual moves.

    Raises
    ------
    DataError
        If a kind is unknown.
    """

    kinds: tuple[str, ...] = KINDS
    jump: float = 0.15
    tick: float = 10.0
    undone: float = 0.25
    exact: float = 8.0
    split: float = 20.0
    calm: float = 0.025
    rise: float = 3.75
    fall: float = 7.5
    off: float = 0.055
    quiet: float = 2.0
    echo: float = 4.5
    reverse: float = 5.0
    hush: float = 0.33
    run: int = 15
    stale: int = 10
    equal: int = 5
    repeats: float = 6.0
    duplicate: float = 0.05
    same_level: float = 5.0
    suspect: float = 0.30
    doubtful: float = 3.0

    def __post_init__(self) -> None:
        for kind in self.kinds:
            one_of("kind", kind, KINDS)


def read_limits(settings: Sequence[str]) -> Limits:
    """Read limits written as ``name=value``; ``kinds`` are separated by commas.

    Raises
    ------
    DataError
        If there is no such limit or kind, or a value is no positive number.
    """
    limits = Limits()
    for setting in settings:
        name, _, value = (part.strip() for part in setting.partition("="))
        one_of("limit", name, [field.name for field in fields(Limits)])
        given: tuple[str, ...] | float = tuple(kind.strip() for kind in value.split(","))
        if name != "kinds":
            whole = isinstance(getattr(limits, name), int)
            try:
                given = int(value) if whole else float(value)
            except ValueError:
                given = 0.0
            if not 0 < given < np.inf:
                number = "a positive whole number" if whole else "a positive number"
                raise DataError(f'limit {name} is {number}, not "{value}"; write {name}=12')
        limits = replace(limits, **{name: given})  # type: ignore[arg-type]
    return limits


class Jump(NamedTuple):
    """A large move.

    Attributes
    ----------
    row : int
    move : float
    usual : float
        The company's usual move around it.
    after : float
        The mean of the five moves after it.
    hush : float
        The median of the 20 moves after it by that of the 20 before, the market's included: a
        company that is bid for hardly moves any more.
    """

    row: int
    move: float
    usual: float
    after: float
    hush: float


class Closes:
    """Closes as an array that is mended in place, with the market's move taken out on demand."""

    def __init__(self, values: Floats, dates: pd.Index[Any], tickers: pd.Index[Any]) -> None:
        self.values, self.dates, self.tickers = values, pd.DatetimeIndex(dates), list(tickers)
        self.measure_market()
        self.confirmed: set[tuple[int, int]] = set()  # row, column of moves known to be true
        self.swapped: set[tuple[int, int]] = set()  # row, column of moves to another's level

    def measure_market(self) -> None:
        """Measure the market's move by the closes as they are now."""
        self.market = _market(self.values)

    def confirm(self, events: pd.DataFrame) -> None:
        """Take the moves at the given tickers and dates for true."""
        for ticker, date in zip(events["ticker"], events["date"], strict=True):
            self.confirmed.add((int(self.dates.searchsorted(date)), self.tickers.index(ticker)))

    def moves(self, columns: Places) -> tuple[Floats, NDArray[np.int64]]:
        """Return the log moves less the market's from close to close, and the rows between.

        A row without a close has a move of NaN; across a gap the market's move over it counts.
        """
        values = self.values[:, columns]
        relative = np.log(values) - self.market[:, None]
        rows = np.arange(len(values))[:, None]
        last = np.maximum.accumulate(np.where(np.isfinite(values), rows, -1), axis=0)
        before = np.vstack([np.full((1, len(columns)), -1), last[:-1]])
        previous = np.take_along_axis(relative, np.maximum(before, 0), axis=0)
        return np.where(before >= 0, relative - previous, np.nan), rows - before


def blocks(columns: Places) -> list[Places]:
    """Cut columns into parts small enough to work on."""
    return [columns[at : at + COLUMNS_AT_ONCE] for at in range(0, len(columns), COLUMNS_AT_ONCE)]


def _market(values: Floats) -> Floats:
    """Cumulated median log return over companies; 0 where fewer than 20 have one."""
    returns = pd.DataFrame(np.diff(np.log(values.astype(np.float32)), axis=0))
    enough = returns.notna().sum(axis=1) >= COMPANIES_FOR_MARKET
    median = returns.median(axis=1).where(enough, 0.0).to_numpy(dtype=float)
    return np.concatenate([[0.0], np.cumsum(median)])


def find_jumps(closes: Closes, block: Places, limits: Limits) -> dict[int, list[Jump]]:
    """Find the jumps of each company that has one, in order of time."""
    move, apart = closes.moves(block)
    large = (np.abs(move) >= limits.jump) & (apart <= LONGEST_GAP)
    found: dict[int, list[Jump]] = {}
    for at in np.flatnonzero(large.any(axis=0)):
        rows = np.flatnonzero(np.isfinite(move[:, at]))
        market = closes.market[rows] - closes.market[rows - apart[rows, at]]
        places = np.flatnonzero(large[rows, at])
        around = _around(np.abs(move[rows, at]), places)
        enough = np.isfinite(around).sum(axis=1) >= WINDOW // 2
        places, around = places[enough], around[enough]
        if not len(places):
            continue
        usual = np.maximum(1.4826 * _medians(around), LEAST_MOVE)
        after = around[:, WINDOW + 1 : WINDOW + 1 + AFTERMATH].mean(axis=1)
        hush = _hush(_around(np.abs(move[rows, at] + market), places))
        columns = (rows[places], move[rows[places], at], usual, after, hush)
        found[int(block[at])] = [
            Jump(int(row), *map(float, others)) for row, *others in zip(*columns, strict=True)
        ]
    return found


def _around(sizes: Floats, places: Places) -> Floats:
    """Sizes of the 20 moves before and after each place, NaN at the place itself."""
    padded = np.pad(sizes, WINDOW, constant_values=np.nan)
    around: Floats = padded[places[:, None] + np.arange(2 * WINDOW + 1)]
    around[:, WINDOW] = np.nan
    return around


def _hush(around: Floats) -> Floats:
    """Median size after by that before; 1 where either side has fewer than ten moves."""
    before, after = around[:, :WINDOW], around[:, WINDOW + 1 :]
    few = np.minimum(np.isfinite(before).sum(axis=1), np.isfinite(after).sum(axis=1)) < WINDOW // 2
    ratio = np.ones(len(around))
    some = ~few
    medians = [_medians(part[some]) for part in (before, after)]
    ratio[some] = medians[1] / np.maximum(medians[0], LEAST_MOVE)
    return ratio


def _medians(sizes: Floats) -> Floats:
    """Median of each row's numbers: `numpy.nanmedian` is ten times as slow on rows so short."""
    ordered, rows = np.sort(sizes, axis=1), np.arange(len(sizes))
    count = np.isfinite(sizes).sum(axis=1)
    median: Floats = (ordered[rows, (count - 1) // 2] + ordered[rows, count // 2]) / 2
    return median


def undone(first: Jump, second: Jump, *, share: float, times: float = 0.0) -> bool:
    """Whether a jump takes back another up to a share, both of so many usual moves."""
    smaller = min(abs(first.move), abs(second.move))
    large = smaller >= times * max(first.usual, second.usual)
    return large and abs(first.move + second.move) <= share * smaller


def lone(jump: Jump, jumps: list[Jump], limits: Limits) -> bool:
    """Whether no other jump is near; in a calm company, none of a third of its size."""
    counts = abs(jump.move) / 3 if jump.usual <= limits.calm else 0.0
    others = (other for other in jumps if other is not jump and abs(other.move) >= counts)
    return all(abs(other.row - jump.row) > WINDOW for other in others)


def lasting(jump: Jump, limits: Limits) -> bool:
    """Whether a jump is too large for the company, and not followed by an echo as news is."""
    # never where fewer than five closes follow: the mean is missing then
    quiet = jump.after <= limits.quiet * jump.usual
    quiet |= abs(jump.move) >= np.log(limits.echo) and np.isfinite(jump.after)
    return bool(quiet and abs(jump.move) >= limits.split * jump.usual)
