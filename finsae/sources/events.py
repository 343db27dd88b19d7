"""Corporate actions and other events that closes alone cannot settle, taken from a file.

An event is a row ``ticker, date, kind, factor``; the corrected log return of the date is the raw
log return plus ``ln(factor)``. Three things can be done with it, by its kind.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finsae.checks import DataError, nearest
from finsae.sources.tables import as_days, as_text

PERSISTENT = (
    "spin_off",
    "special_dividend",
    "special_distribution",
    "split",
    "split_unadjusted",
    "split_inverted",
    "split_twice",
)
"""Closes before the date are divided by the factor (back-adjustment)."""
SPANS = {
    "when_issued": "missing",
    "stale": "missing",
    "wrong_run": "multiplied",
    "wrong_close": "multiplied",
}
"""Closes from the date on are set missing, or multiplied by the factor, until the row of the same
kind with ``_end`` (not included); without such a row, the close of the date alone."""
FIRST = "bad_first"
"""Closes before the date are set missing."""
CONFIRMED = "true_move"
"""The move of the date is right: it is neither changed nor listed as suspect."""
NEED_FACTOR = (*PERSISTENT, *(kind for kind, done in SPANS.items() if done == "multiplied"))
KINDS = (*PERSISTENT, *SPANS, *(f"{kind}_end" for kind in SPANS), FIRST, CONFIRMED)


class Event(NamedTuple):
    """One row of an events file."""

    ticker: str
    date: pd.Timestamp
    kind: str
    factor: float


def check_events(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events with dates read and numbers as numbers, or say all that is wrong.

    Raises
    ------
    DataError
        Missing columns, unknown kinds, dates that cannot be read, factors that are missing or not
        positive where the kind needs one.
    """
    needed = ("ticker", "date", "kind", "factor")
    missing = [name for name in needed if name not in events]
    if missing:
        raise DataError(
            [f'events: no column "{name}"{nearest(name, events.columns)}' for name in missing]
        )
    table = events[list(needed)].copy()
    table["ticker"], table["kind"] = as_text(table["ticker"]), as_text(table["kind"])
    table["date"], _ = as_days(table["date"])
    table["factor"] = pd.to_numeric(table["factor"], errors="coerce")
    problems = [
        f'events: unknown kind "{kind}"{nearest(kind, KINDS)}'
        for kind in pd.unique(table["kind"][~table["kind"].isin(KINDS)])
    ]
    unread = events.loc[table["date"].isna(), "date"]
    if len(unread):
        problems.append(
            f'events: {len(unread)} dates cannot be read, the first is "{unread.iloc[0]}"'
        )
    scaled = table["kind"].isin([*PERSISTENT, *(k for k, v in SPANS.items() if v == "multiplied")])
    wrong = table[scaled & ~((table["factor"] > 0) & np.isfinite(table["factor"]))]
    if len(wrong):
        first = wrong.iloc[0]
        problems.append(
            f"events: {len(wrong)} factors are missing or no positive numbers, "
            f"the first is of {first['ticker']} ({first['kind']})"
        )
    if problems:
        raise DataError(problems)
    return table.sort_values(["ticker", "date"], kind="stable").reset_index(drop=True)


def apply_events(prices: pd.DataFrame, events: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Correct closes by the events of a file.

    Parameters
    ----------
    prices : DataFrame
        Daily closes, dates (increasing) x tickers.
    events : DataFrame
        ``ticker, date, kind, factor``; events of unknown tickers or outside the dates are skipped.

    Returns
    -------
    prices, log : DataFrame
        The corrected closes and ``ticker, date, kind, factor, action``, one row per event used.

    Raises
    ------
    DataError
        As `check_events`.
    """
    table = check_events(events)
    closes = prices.to_numpy(dtype=float, copy=True)
    place = {str(ticker): at for at, ticker in enumerate(prices.columns)}
    rows = []
    for ticker, group in table[table["ticker"].isin(place)].groupby("ticker", sort=True):
        line = closes[:, place[str(ticker)]]
        own = [Event(*row) for row in group.itertuples(index=False, name=None)]
        for event in own:
            action = _apply(line, pd.DatetimeIndex(prices.index), event, own)
            if action:
                rows.append((*event, action))
    log = pd.DataFrame(rows, columns=["ticker", "date", "kind", "factor", "action"])
    return pd.DataFrame(closes, index=prices.index, columns=prices.columns), log


def _apply(
    line: NDArray[np.float64], dates: pd.DatetimeIndex, event: Event, own: list[Event]
) -> str:
    """Apply one event to the closes of its company, in place; say what was done."""
    start = int(dates.searchsorted(event.date))
    if not 0 <= start < len(dates):
        return ""
    if event.kind == CONFIRMED:
        return "confirmed, left as it is"
    if event.kind in PERSISTENT:
        line[:start] /= event.factor
        return f"{_closes(line[:start])} before / {event.factor:g}"
    if event.kind == FIRST:
        dropped = _closes(line[:start])
        line[:start] = np.nan
        return f"{dropped} before set missing"
    if event.kind not in SPANS:
        return ""
    ends = [e.date for e in own if e.kind == f"{event.kind}_end" and e.date > event.date]
    span = slice(start, int(dates.searchsorted(ends[0])) if ends else start + 1)
    struck = _closes(line[span])
    if SPANS[event.kind] == "multiplied":
        line[span] *= event.factor
        return f"{struck} x {event.factor:g}"
    line[span] = np.nan
    return f"{struck} set missing"


def _closes(line: NDArray[np.float64]) -> str:
    count = int(np.isfinite(line).sum())
    return "1 close" if count == 1 else f"{count} closes"
