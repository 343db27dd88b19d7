"""Stamps of prices to the market's days: zones are dropped and no close moves to another day."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from finsae.checks import DataError
from finsae.sources.tables import as_days, as_text

MONTH = r"^(\d{4})[-/.]?(\d{2})$"
OFFSET = r"[T ]\d{1,2}:.*(?:Z|[+-]\d{2}:?\d{2})$"
IN_UTC = r"[T ](?!00:00(?::00(?:\.0*)?)?(?:Z|[+-]))\d{1,2}:.*(?:Z|\+00:?00)$"
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
        first = pd.to_datetime(parts[0] + "-" + parts[1] + "-01", errors="coerce")
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

    They do where the time of day is not midnight and the week begins on Sunday and ends on
    Thursday: then midnight of an eastern market was written in UTC (or the week is Tuesday to
    Saturday: an evening of a western one).
    """
    if zone is not None or not _has_utc_times(column):
        return []
    weekdays = pd.DatetimeIndex(days.dropna()).day_of_week
    for trades, rests in ((SUNDAY, FRIDAY), (SATURDAY, MONDAY)):
        if (weekdays == trades).any() and not (weekdays == rests).any():
            return [
                f"{where}: the stamps are in UTC and fall on weekends: they are another day in the "
                "market's own time; give its zone (--zone Asia/Tokyo)"
            ]
    return []


def _has_utc_times(column: pd.Series[Any]) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column):
        zone = column.dt.tz
        utc = zone is not None and str(zone) in ("UTC", "+00:00", "UTC+00:00")
        return utc and bool((column.dt.normalize() != column).any())
    return bool(as_text(column).str.contains(IN_UTC).any())


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise DataError(f'there is no time zone "{name}": write it as Asia/Tokyo') from None
