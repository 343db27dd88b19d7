"""Prices of many tickers from a service: in batches, each kept when it is finished."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from finsae.checks import DataError
from finsae.sources.prices import main_unit
from finsae.store import (
    DAMAGED,
    PASSING,
    alone,
    key,
    parse_object,
    progress,
    read_parquet,
    write_json,
    write_table,
)

VERSION = 1
CURRENCY = re.compile(r"([A-Za-z]{3})?")  # names a file
TICKER = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=_-]{0,19}")
COLUMNS = ["ticker", "date", "close", "currency", "reason", "final"]
"""Of a finished batch: a row per close, and one with a reason per ticker that has none."""
REQUEST = "request.json"


class NoPricesError(Exception):
    """The service has no prices of this ticker, and asking again will not help."""


class PassingError(Exception):
    """One ticker failed for a reason that may be over at the next run."""


class StopError(Exception):
    """The service answers nobody now, or not us: go no further."""


class Source(Protocol):
    """A service of daily closes."""

    name: str

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the answers, as JSON without secrets."""
        ...

    def closes(
        self, ticker: str, start: datetime.date, end: datetime.date
    ) -> tuple[pd.Series[float], str]:
        """Return adjusted closes by day of the market, both ends included; second, the currency.

        Raises
        ------
        NoPricesError, PassingError, StopError
            As they say.
        """
        ...


@dataclass(frozen=True)
class Fetched:
    """What a service gave.

    Attributes
    ----------
    closes : DataFrame
        ``date, ticker, close, currency``, by ticker and date; currencies in their main unit.
    failed : dict
        Why there are no prices, by ticker.
    again : list of str
        Those of `failed` that the next run asks for again.
    asked : int
        Tickers asked for in this run; the others were finished before.
    request : dict
        Source, its settings, first and last day.
    """

    closes: pd.DataFrame
    failed: dict[str, str]
    again: list[str]
    asked: int
    request: dict[str, Any]


def download(
    source: Source,
    tickers: Sequence[str],
    *,
    start: datetime.date,
    end: datetime.date | None = None,
    folder: str | Path,
    batch: int = 50,
) -> Fetched:
    """Fetch the daily closes of tickers, those that are not finished already.

    A batch is written whole when it is finished, and its tickers are not asked for again; nor are
    those of which the service says that it has nothing. Tickers that failed for a passing reason
    are asked for again by the next run. Each ticker's closes come from one answer: adjusted closes
    of two days are on two scales.

    Parameters
    ----------
    source : Source
        The service.
    tickers : sequence of str
        As the service writes them; repeated ones count once.
    start, end : date
        First and last day; without `end` the day of the first run, until its tickers are finished.
    folder : path
        Where batches are kept, a folder per request.
    batch : int
        Tickers per batch.

    Raises
    ------
    DataError
        If nothing can be asked, or the service stops answering; what is finished is kept.
    """
    wanted = list(dict.fromkeys(t.strip() for t in tickers if t.strip()))
    wrong = [ticker for ticker in wanted if not TICKER.fullmatch(ticker)]
    if wrong or not wanted:
        raise DataError(
            f'"{wrong[0][:40]}" is no ticker' if wrong else "no tickers to fetch: name some"
        )
    if batch < 1:
        raise DataError(f"a batch of {batch} tickers holds none: choose 1 or more")
    facts = {"source": source.name, **source.settings, "start": start, "tickers": sorted(wanted)}
    place = Path(folder) / key({**facts, "end": end}, [], VERSION)
    with alone(place):
        last = _last_day(place, wanted, end)
        if last < start:
            raise DataError(f"the last day {last} is before the first, {start}")
        asked = _fetch(source, wanted, place, start=start, end=last, batch=batch)
        table = _kept(place)
    table = table[table["ticker"].isin(set(wanted))]
    empty = table[table["date"].isna()].set_index("ticker")
    closes = table.loc[table["date"].notna(), ["date", "ticker", "close", "currency"]]
    name, scale = main_unit(closes["currency"])
    closes = closes.assign(close=closes["close"] * scale, currency=name)
    return Fetched(
        closes.sort_values(["ticker", "date"], ignore_index=True),
        {str(t): str(reason) for t, reason in empty["reason"].items()},
        [str(t) for t in empty.index[~empty["final"].astype(bool)]],
        asked,
        {**facts, "end": last},
    )


def _fetch(
    source: Source,
    wanted: Sequence[str],
    place: Path,
    *,
    start: datetime.date,
    end: datetime.date,
    batch: int,
) -> int:
    """Fetch what is not finished; the number of tickers asked for."""
    done = _finished(_kept(place))
    todo = [ticker for ticker in wanted if ticker not in done]
    number = 1 + max((int(path.stem[5:]) for path in place.glob("part-*.parquet")), default=0)
    with progress(f"Prices ({source.name})", len(wanted)) as (bar, task):
        bar.advance(task, len(wanted) - len(todo))
        for first in range(0, len(todo), batch):
            rows = list[pd.DataFrame]()
            try:
                for ticker in todo[first : first + batch]:
                    rows.append(_one(source, ticker, start, end=end))
                    bar.advance(task)
            except StopError as error:
                count = len(wanted) - len(todo) + first + len(rows)
                raise DataError(
                    f"{source.name}: {error}; {count:,} of {len(wanted):,} tickers are finished "
                    "and kept: run the same command again later"
                ) from None
            finally:
                if rows:
                    path = place / f"part-{number:06d}.parquet"
                    write_table(path, pd.concat(rows, ignore_index=True)[COLUMNS])
                    number += 1
    return len(todo)


def _one(source: Source, ticker: str, start: datetime.date, *, end: datetime.date) -> pd.DataFrame:
    """Rows of one ticker: its closes, or the reason why there are none."""
    try:
        closes, currency = source.closes(ticker, start, end)
    except (NoPricesError, PassingError) as error:
        return _reason(ticker, str(error), final=isinstance(error, NoPricesError))
    if not CURRENCY.fullmatch(currency.strip()):
        return _reason(ticker, f"closes in {currency[:20]}, which is no currency", final=False)
    days = pd.DatetimeIndex(closes.index)
    numbers = (closes > 0) & (closes < np.inf)
    sound = closes[numbers & (days >= pd.Timestamp(start)) & (days <= pd.Timestamp(end))]
    sound = sound[~sound.index.duplicated(keep="last")].sort_index()
    if not len(sound):
        return _reason(ticker, f"no closes from {start} to {end}", final=True)
    rows = pd.DataFrame({"date": sound.index.astype("datetime64[ms]"), "close": sound.to_numpy()})
    return rows.assign(ticker=ticker, currency=currency, reason="", final=True)


def _reason(ticker: str, reason: str, *, final: bool) -> pd.DataFrame:
    reason = "".join(char if char.isprintable() else "?" for char in reason)
    row = {"ticker": [ticker], "close": [float("nan")], "currency": "", "reason": reason[:300]}
    return pd.DataFrame(row).assign(date=pd.Series([pd.NaT], dtype="datetime64[ms]"), final=final)


def _kept(place: Path) -> pd.DataFrame:
    """All finished batches; of a ticker that was asked twice, the later answer.

    A damaged one is left out and removed: its tickers are fetched again.
    """
    parts = list[pd.DataFrame]()
    for path in sorted(place.glob("part-*.parquet")):
        try:
            table = read_parquet(path)
            if list(table) != COLUMNS or table["date"].dtype.kind != "M":
                raise ValueError("not the columns of a batch")
            parts.append(table.assign(part=path.name))
        except DAMAGED as error:
            if isinstance(error, OSError) and error.errno in PASSING:
                raise
            path.unlink()
    if not parts:
        return pd.DataFrame(columns=COLUMNS).astype({"date": "datetime64[ms]", "close": float})
    table = pd.concat(parts, ignore_index=True)
    latest = table.groupby("ticker")["part"].transform("max")
    return table[table["part"] == latest].drop(columns="part")


def _finished(table: pd.DataFrame) -> set[str]:
    return set(table.loc[table["final"].astype(bool), "ticker"])


def _last_day(place: Path, wanted: Sequence[str], end: datetime.date | None) -> datetime.date:
    """Give the last day: as asked, or the day of the first run while that is unfinished."""
    if end is not None:
        return end
    today = datetime.datetime.now(datetime.UTC).date()
    note = place / REQUEST
    try:
        begun = datetime.date.fromisoformat(parse_object(note.read_text())["end"])
    except DAMAGED:
        begun = None
    if begun is not None and (begun == today or set(wanted) - _finished(_kept(place))):
        return begun
    for path in place.glob("part-*.parquet"):
        path.unlink()
    write_json(note, {"end": today.isoformat()})
    return today


def write_prices(fetched: Fetched, path: str | Path) -> list[Path]:
    """Write closes as parquet, one file per currency, and beside each how it was made.

    Parameters
    ----------
    fetched : Fetched
        From `download`.
    path : path
        The file, ``.parquet``. With several currencies each has its own: ``prices.EUR.parquet``.

    Returns
    -------
    list of Path
        The files of closes.

    Raises
    ------
    DataError
        If there are none to write.
    """
    if not len(fetched.closes):
        reason = next(iter(fetched.failed.items()), ("", "nothing was asked"))
        raise DataError(f"no prices of any ticker; {reason[0]}: {reason[1]}")
    file = Path(path)
    currencies = sorted(set(fetched.closes["currency"].astype(str)))
    written = []
    for currency in currencies:
        closes = fetched.closes[fetched.closes["currency"] == currency]
        own = file if len(currencies) == 1 else file.with_suffix(f".{currency}{file.suffix}")
        write_table(own, closes)
        made = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        facts = {**fetched.request, "currency": currency, "written": made}
        facts |= {"tickers": sorted(closes["ticker"].unique()), "failed": fetched.failed}
        write_json(own.with_suffix(".json"), facts)
        written.append(own)
    return written
