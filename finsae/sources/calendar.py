"""Trading days, inferred from the closes themselves and checked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from finsae.checks import DataError
from finsae.sources.tables import few

LEAST = 0.05  # of the companies alive: where fewer have a close, nearly nothing trades
FEWEST = 5  # companies alive: fewer cannot tell a holiday from a gap of their own
RARE = 0.1  # of the busiest weekday: a weekday with fewer sessions is none of the market's
LONGEST_GAP = 12  # days: no market but a closed one rests longer (lunar new year takes eleven)
WEEKLY, MONTHLY = 4, 20  # days between two rows: more is no daily, and no weekly, file
ENOUGH_WEEKS = 8  # sessions of the busiest weekday before anything is said of a week's shape
NAMES = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


class Days(NamedTuple):
    """Closes on trading days, and sentences on what was left out or looks odd."""

    closes: pd.DataFrame
    notes: list[str]


def trading_days(closes: pd.DataFrame, *, least: float = LEAST) -> Days:
    """Keep the days on which the market trades.

    A company is alive from its first close to its last. A day is left out where fewer than `least`
    of at least five companies alive have a close (a holiday, or a day of another calendar), and,
    on weekdays that are none of this market's, where fewer than `least` of them have a close other
    than their last one (weekends filled with Friday's closes). A day of the market's own week on
    which all closes stand still is kept: whether it is a holiday or a vendor's failure is price
    hygiene's question. The week is inferred (Sunday to Thursday where that is what trades).

    Parameters
    ----------
    closes : DataFrame
        Dates (increasing, each once) x tickers, NaN where there is none.
    least : float
        Share of the companies alive that makes a trading day.

    Returns
    -------
    Days
        The closes of trading days; notes on days left out, sessions on days that the market does
        not trade on otherwise, weeks that look shifted by a time zone, and long gaps.

    Raises
    ------
    DataError
        If dates are not increasing.
    """
    if not (closes.index.is_monotonic_increasing and closes.index.is_unique):
        raise DataError("dates are not increasing, each once: sort them and drop the repeated")
    if not len(closes) or not len(closes.columns):
        return Days(closes, [])
    has, moved, alive = _activity(closes)
    weekday = pd.DatetimeIndex(closes.index).day_of_week.to_numpy()
    quiet = (has < least * alive) & (alive >= FEWEST)
    trades = ~quiet & (moved > 0) & (moved >= least * alive)
    sessions = np.bincount(weekday[trades], minlength=7)
    off = sessions < RARE * max(sessions.max(), 1)
    filled = (
        ~quiet
        & off[weekday]
        & (moved < least * np.maximum(alive, 1))
        & (sessions.max() >= ENOUGH_WEEKS)
    )
    kept = closes[~(quiet | filled)]
    notes = [
        *_said(closes.index[quiet], "on which nearly nothing trades left out"),
        *_said(closes.index[filled], "of a weekend with the closes of the day before left out"),
        *_week(pd.DatetimeIndex(kept.index), sessions, off),
        *_gaps(pd.DatetimeIndex(kept.index)),
    ]
    return Days(kept, notes)


def spacing(dates: pd.Index) -> str:
    """Say how far rows lie apart: "daily", "weekly" or "monthly", by the median number of days."""
    days = pd.DatetimeIndex(dates)
    if len(days) < 3:
        return "daily"
    median = float(np.median(np.diff(days.to_numpy()) / np.timedelta64(1, "D")))
    if median > MONTHLY:
        return "monthly"
    return "weekly" if median > WEEKLY else "daily"


def _activity(closes: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per day: companies with a close, with another close than their last, and alive."""
    values = closes.to_numpy(dtype=float)
    there = ~np.isnan(values)
    last = closes.ffill().shift().to_numpy(dtype=float)
    alive = there.cumsum(axis=0).astype(bool) & there[::-1].cumsum(axis=0)[::-1].astype(bool)
    moved = there & (values != last)
    return there.sum(axis=1), moved.sum(axis=1), alive.sum(axis=1)


def _said(days: pd.Index, what: str) -> list[str]:
    if not len(days):
        return []
    written = pd.DatetimeIndex(days).strftime("%Y-%m-%d")
    return [f"{len(days):,} {'day' if len(days) == 1 else 'days'} {what}: {few(written)}"]


def _week(days: pd.DatetimeIndex, sessions: np.ndarray, off: np.ndarray) -> list[str]:
    if sessions.max() < ENOUGH_WEEKS:
        return []
    odd = days[off[days.day_of_week] & (days.day_of_week >= 5)]
    notes = _said(odd, "of weekends on which this market trades (special sessions?)")
    for trades, rests in ((6, 4), (5, 0)):
        if not off[trades] and off[rests]:
            notes.append(
                f"closes on {NAMES[trades]} and none on {NAMES[rests]}: a market with such a week, "
                "or days shifted by a time zone (then give the market's zone)"
            )
    return notes


def _gaps(days: pd.DatetimeIndex) -> list[str]:
    if spacing(days) != "daily":
        return []
    apart = np.diff(days.to_numpy()) / np.timedelta64(1, "D")
    wide = np.flatnonzero(apart > LONGEST_GAP)
    return [
        f"no rows for {apart[at]:.0f} days, {days[at]:%Y-%m-%d} to {days[at + 1]:%Y-%m-%d}"
        for at in wide[:5]
    ]
