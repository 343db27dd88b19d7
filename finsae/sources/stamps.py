"""Stamps of prices to the market's days: zones are dropped and no close moves to another day."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from finsae.checks import DataError
from finsae.sources.tables import as_days, as_text

MONTH = r"^(\d{4})[-/.]?(\d{2})$"
OFFSET = r"[T ]\d{1,2}:.*(?:Z|[+-]\d{2}:?\d{2})$"
IN_UTC = r"[T ](?!00:00(?::00(?:\.0*)?)?(?:Z|[+-]))(\d{1,2}:\d{2}).*(?:Z|\+00:?00)$"
SUNDAY, SATURDAY, FRIDAY, MONDAY = 6, 5, 4, 0


def as_stamps(column: pd.Series[Any], zone: str | None = None) -> pd.Series[Any]:
    """Read the day of the market that each stamp is of; NaT where it is none.

    Without a zone the day is the one written, an offset is dropped and not converted: midnight in
    Tokyo is not the day before. With one, stamps that carry an offset are moved to the market's own
    time first: midnight in Tokyo, written in UTC, is 15:00 of the day before. A month written
    2013-06 or 201306 is its last day.

    Raises
    ------
    DataError
        If there is no such zone.
    """
    text = None if pd.api.types.is_datetime64_any_dtype(column) else as_text(column)
    if text is not None and text.str.fullmatch(MONTH).any():
        parts = text.str.extract(MONTH)
        first = pd.to_datetime(
            parts[0] + "-" + parts[1] + "-01", format="%Y-%m-%d", errors="coerce"
        )
        return first + pd.offsets.MonthEnd(0)
    if zone is None:
        return as_days(column)[0]
    market = _zone(zone)
    if text is None:
        local = column.dt.tz_convert(market) if column.dt.tz is not None else column
        return as_days(local)[0]
    marked = text.str.contains(OFFSET)
    moved = pd.to_datetime(text.where(marked), utc=True, errors="coerce", format="ISO8601")
    days = as_days(column)[0]
    return days.where(~marked, moved.dt.tz_convert(market).dt.tz_localize(None).dt.normalize())


def shifted(
    column: pd.Series[Any], days: pd.Series[Any], *, zone: str | None, where: str
) -> list[str]:
    """Say that stamps in UTC fall on the wrong days, or nothing.

    They do where at a time of day other than midnight the week begins on Sunday and ends on
    Thursday: then midnight of an eastern market was written in UTC (or the week is Tuesday to
    Saturday: an evening of a western one). Each time of day is looked at by itself: where summer
    time is kept, a market's midnight is two of them, and one may be the right day's.
    """
    if zone is not None:
        return []
    times = _utc_times(column).where(days.notna())
    weekdays = pd.DatetimeIndex(days).day_of_week.to_series(index=days.index)
    for _, mine in weekdays[times.notna()].groupby(times):
        for trades, rests in ((SUNDAY, FRIDAY), (SATURDAY, MONDAY)):
            if (mine == trades).any() and not (mine == rests).any():
                return [
                    f"{where}: the stamps are in UTC and fall on weekends: they are another day in "
                    "the market's own time; give its zone: finsae fetch prices --source files "
                    f"--file {where} --zone Asia/Tokyo"
                ]
    return []


def _utc_times(column: pd.Series[Any]) -> pd.Series[Any]:
    """Time of day of each stamp in UTC; missing where it is midnight, or not in UTC."""
    if pd.api.types.is_datetime64_any_dtype(column):
        zone = column.dt.tz
        if zone is None or str(zone) not in ("UTC", "+00:00", "UTC+00:00"):
            return pd.Series(None, index=column.index, dtype=object)
        midnight = column.dt.normalize()
        times: pd.Series[Any] = (column - midnight).where(midnight != column)
        return times
    return as_text(column).str.extract(IN_UTC, expand=False)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise DataError(f'there is no time zone "{name}": write it as Asia/Tokyo') from None
