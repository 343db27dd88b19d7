"""Price hygiene: find and mend what a vendor got wrong, from closes alone and from an events file.

Three rules. A close is changed only where the evidence is a multiple of what the company does on
its own around that day. A wrong close is put right where its right value is known (an exact split
ratio), and set missing elsewhere: no price is invented. Whatever is large and not proven wrong is
listed as a suspect, for an events file to settle.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finsae.checks import DataError
from finsae.sources.events import CONFIRMED, apply_events
from finsae.sources.jumps import WINDOW, Closes, Floats, Limits
from finsae.sources.mending import counted, mend
from finsae.sources.suspects import LIVELY, Row, swapped, unsettled

LOG_COLUMNS = ["ticker", "date", "kind", "factor", "action"]
ROUNDS = 10  # mending one close can uncover the next; three rounds are the rule


def repair(
    prices: pd.DataFrame, events: pd.DataFrame | None = None, *, limits: Limits | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mend daily closes.

    In this order: events of the file; closes repeated from the day before by many companies at
    once; stale runs; one-day wrong closes and short wrong runs (they reverse); persistent jumps at
    an exact split ratio, by which all earlier closes are divided. The rest is listed and left as it
    is: companies that take each other's level (swapped tickers), days that repeat an earlier one,
    short runs of equal closes, moves that stay suspicious (a spin-off is one of them), and gaps
    (they stay missing: a return across a gap belongs to no single day).

    Without events, a second repair changes nothing. Events belong to raw closes: do not apply them
    twice.

    Parameters
    ----------
    prices : DataFrame
        Daily closes, dates (increasing) x tickers; NaN where there is none.
    events : DataFrame, optional
        ``ticker, date, kind, factor``, see `finsae.sources.events`.
    limits : Limits, optional
        What counts as evidence, and which kinds are looked for.

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
    if prices.empty:
        return prices.astype(float), pd.DataFrame(columns=LOG_COLUMNS)
    closes, rows = _with_events(prices, events)
    exchanged: dict[tuple[object, ...], Row] = {}
    for _ in range(ROUNDS):
        mended, found = _once(closes, limits)
        exchanged |= {row[:2]: row for row in found}
        if not mended:
            break
        rows += mended
        closes.measure_market()  # faults were in it
    settled = {row[:2] for row in rows}
    listed = unsettled(closes, prices, list(exchanged.values()), limits=limits)
    log = pd.DataFrame(
        rows + [row for row in listed if row[:2] not in settled], columns=LOG_COLUMNS
    ).astype({"factor": float})
    log = log.sort_values(["ticker", "date", "kind"], kind="stable").reset_index(drop=True)
    return pd.DataFrame(closes.values, index=prices.index, columns=prices.columns), log


def _with_events(prices: pd.DataFrame, events: pd.DataFrame | None) -> tuple[Closes, list[Row]]:
    """Apply the file's events first: they are no part of the market's move."""
    if events is None:
        values = prices.to_numpy(dtype=float, copy=True)
        return Closes(values, prices.index, prices.columns), []
    corrected, used = apply_events(prices, events)
    closes = Closes(corrected.to_numpy(copy=True), prices.index, prices.columns)
    closes.confirm(used[used["kind"] == CONFIRMED])
    return closes, list(used.itertuples(index=False, name=None))


def _once(closes: Closes, limits: Limits) -> tuple[list[Row], list[Row]]:
    """Mend everything against the market as it was measured; name companies that swap levels."""
    rows = _repeated(closes, limits) + _stale(closes, limits)
    exchanged = swapped(closes, limits)
    rows += _mended(closes, limits)
    rows += _stale(closes, limits)  # two levels of a penny share made one
    return rows, exchanged


def _mended(closes: Closes, limits: Limits) -> list[Row]:
    """Mend jumps until there is nothing to mend."""
    rows = list[Row]()
    columns = np.arange(closes.values.shape[1])
    for _ in range(ROUNDS):
        found = mend(closes, columns, limits)
        if not found:
            break
        columns = np.array(sorted(found), dtype=np.intp)
        for column, mended in found.items():
            ticker = closes.tickers[column]
            rows += [(ticker, closes.dates[row], *what) for row, *what in mended]
    return rows


def _check(prices: pd.DataFrame) -> None:
    values = prices.to_numpy(dtype=float)
    wrong = np.argwhere((values <= 0) | np.isinf(values))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"closes must be positive: {prices.columns[column]} has {values[row, column]:g} "
            f"on {prices.index[row]:%Y-%m-%d}; leave the cell empty where there is no close"
        )
    if not prices.index.is_monotonic_increasing or not prices.index.is_unique:
        raise DataError("dates of the prices must increase, each once: sort them, drop repeats")
    if not prices.columns.is_unique:
        raise DataError("tickers of the prices must be unique: drop the repeated columns")


def _repeated(closes: Closes, limits: Limits) -> list[Row]:
    """Set missing the closes that many companies at once repeat from the day before.

    How many stand still by chance is inversely proportional to how much closes move that day, so
    the usual count is carried from the days around by the median size of a move (as it is, where
    nobody moves: the whole day is a repeat). Where those that stand still lie side by side in the
    order of the tickers, only that stretch is struck: vendors fetch companies one after another. A
    company that stands still on its own more often than the fault strikes is left as it is.
    """
    if "repeated" not in limits.kinds:
        return []
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.abs(np.diff(np.log(closes.values.astype(np.float32)), axis=0))
    same = closes.values[1:] == closes.values[:-1]
    still = same.sum(axis=0) / np.maximum(np.isfinite(size).sum(axis=0), 1)
    lively = still < LIVELY
    count = pd.Series(same[:, lively].sum(axis=1), dtype=float)
    moved = pd.DataFrame(np.where(size > 0, size, np.nan)[:, lively]).median(axis=1)
    usual = (count * moved).rolling(2 * WINDOW + 1, center=True, min_periods=WINDOW).median()
    usual = (usual / moved).fillna(
        count.rolling(2 * WINDOW + 1, center=True, min_periods=1).median()
    )
    rows = list[Row]()
    in_order = np.array(sorted(np.flatnonzero(lively), key=lambda at: closes.tickers[at]), np.intp)
    for day in np.flatnonzero((count - usual) > limits.repeats * np.sqrt(usual + 1)):
        by_chance = usual[day] / len(in_order)
        there = in_order[_stretch(same[day, in_order], by_chance)]
        struck = same[day, there].mean() - by_chance
        for column in there[same[day, there] & (still[there] < struck)]:
            closes.values[day + 1, column] = np.nan
            date = closes.dates[int(day) + 1]
            rows.append((closes.tickers[column], date, "repeated", np.nan, "1 close set missing"))
    return rows


def _stretch(struck: NDArray[np.bool_], by_chance: float) -> slice:
    """Stretch of companies, in order, in which the struck ones lie; all unless it is surely less.

    A scan statistic (Kulldorff 1997, eq. 1, Poisson): the stretch whose count is the least likely
    by chance is taken if its likelihood beats that of the whole by more than the number of
    stretches there are to choose from.

    Parameters
    ----------
    struck : array of bool, shape (companies,)
    by_chance : float
        Share of companies that is struck by chance.
    """
    places, companies = np.flatnonzero(struck), len(struck)
    by_chance = max(by_chance, 0.5 / companies)
    best, found = _surprise(np.array([len(places)]), by_chance * companies).item(), slice(None)
    best += np.log(companies * (companies + 1) / 2)
    for first, start in enumerate(places):
        sizes = (places[first:] - start + 1).astype(float)
        gain = _surprise(np.arange(1, len(sizes) + 1), by_chance * sizes)
        last = int(gain.argmax())
        if gain[last] > best:
            best, found = gain[last], slice(int(start), int(start + sizes[last]))
    return found


def _surprise(count: NDArray[np.int64], expected: Floats | float) -> Floats:
    """Log-likelihood of Poisson counts at their own rate less that at the expected one."""
    excess: Floats = count * np.log(count / expected) - (count - expected)
    return np.where(count > expected, excess, 0.0)


def _stale(closes: Closes, limits: Limits) -> list[Row]:
    """Keep the first close of a long run of identical ones, set the repeats missing."""
    rows = list[Row]()
    same = closes.values[1:] == closes.values[:-1]
    edges = np.diff(same.astype(np.int8), axis=0, prepend=np.int8(0), append=np.int8(0))
    for column in np.flatnonzero(same.sum(axis=0) >= limits.stale - 1):
        starts, stops = (np.flatnonzero(edges[:, column] == sign) for sign in (1, -1))
        for start, stop in zip(starts, stops, strict=True):
            if stop - start >= limits.stale - 1:
                closes.values[start + 1 : stop + 1, column] = np.nan
                action = f"{counted(int(stop - start))} set missing that repeat the one before"
                date = closes.dates[int(start) + 1]
                rows.append((closes.tickers[column], date, "stale", np.nan, action))
    return rows
