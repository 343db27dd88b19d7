"""A table from a user's CSV or parquet file, with text kept as text."""

from __future__ import annotations

import contextlib
import csv
import os
import warnings
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finsae.checks import DataError, nearest
from finsae.parts import PARTS, read_parts
from finsae.store import DAMAGED, read_parquet

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
DELIMITERS = ",;\t|"
MOST_SHOWN = 5
NO_TEXT = "is not UTF-8 text: save it as CSV UTF-8"
# Numbers of a file that may write decimals with a comma: 1.234,5. Those with three digits behind
# the only mark (1,234 and 1.234) may be thousands; the others are sure.
COMMA = r"\s*-?\d{1,3}(\.?\d{3})*,\d+\s*"
SURE_COMMA = rf"(?!\s*-?[1-9]\d{{0,2}},\d{{3}}\s*$){COMMA}"
THOUSANDS = r"\s*-?[1-9]\d{0,2}(\.\d{3})+\s*"
SURE_POINT = rf"(?!{THOUSANDS}$)\s*-?\d+\.\d+\s*"
DAY = (
    r"^(?P<year>\d{4})(?:[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})|(?P<mm>\d{2})(?P<dd>\d{2}))"
    r"(?:[T ]\d{1,2}:.*)?$"
)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table; cells of a CSV stay text, so that a ticker may spell NA, TRUE or 0700.

    Parameters
    ----------
    path : str or Path
        ``.parquet``, or ``.csv`` in UTF-8 (with or without byte order mark) delimited by comma,
        semicolon, tab or bar. A semicolon file may write decimals with a comma, and thousands with
        a point. Or a folder of `finsae.parts.write_parts`.

    Returns
    -------
    DataFrame
        Columns named by text without blanks around it; a named or dated index becomes a column.

    Raises
    ------
    DataError
        If the file is missing, of another kind, unreadable or empty, or repeats a column.
    """
    file = Path(path)
    if (file / PARTS).is_file():
        return read_parts(file)
    if not file.is_file():
        siblings = [other.name for other in file.parent.glob("*.*")] if file.parent.is_dir() else []
        raise DataError(f'no file "{path}"{nearest(file.name, siblings)}')
    if file.suffix.lower() not in SUFFIXES:
        raise DataError(f'"{path}" is no .csv or .parquet file')
    columnar = file.suffix.lower() in (".parquet", ".pq")
    table = _read_parquet(file) if columnar else _read_csv(file)
    table.columns = [str(name).strip() for name in table.columns]
    repeated = table.columns[table.columns.duplicated()].unique()
    if len(repeated):
        raise DataError(f'{file.name}: column "{repeated[0]}" occurs more than once')
    if not len(table):
        raise DataError(f"{file.name}: the table has no rows")
    return table


def _read_parquet(file: Path) -> pd.DataFrame:
    try:
        table = read_parquet(file)
    except DAMAGED as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{file.name} cannot be read as parquet ({reason}): copy or make it again"
        ) from None
    if table.columns.nlevels == 2:
        table = _closes_of_fields(table, file.name)
    dated = isinstance(table.index, pd.DatetimeIndex)
    if dated and table.index.name is None:
        table = table.rename_axis("date")
    named = any(name is not None and name not in table for name in table.index.names)
    return table.reset_index() if named else table.reset_index(drop=True)


def _read_csv(file: Path) -> pd.DataFrame:
    try:
        with file.open(encoding="utf-8-sig", newline="") as handle:
            header, second = handle.readline(), handle.readline()
        if header.startswith("Price,") and second.startswith("Ticker,"):
            return _read_fields(file)
        if not header.strip():
            raise DataError(f"{file.name} is empty, or begins with an empty line")
        if "\0" in header:  # UTF-16 without its mark reads as UTF-8 with a zero beside each letter
            raise DataError(f"{file.name} {NO_TEXT}")
        delimiter = max(DELIMITERS, key=header.count)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                file,
                sep=delimiter,
                dtype=str,
                keep_default_na=False,
                encoding="utf-8-sig",
                index_col=False,
            )
    except UnicodeDecodeError:
        raise DataError(f"{file.name} {NO_TEXT}") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        reason = str(error).splitlines()[0].removeprefix("Error tokenizing data. C error: ")
        raise DataError(
            f"{file.name}: {reason}; text that holds the delimiter must be in double quotes"
        ) from None
    except (OSError, csv.Error) as error:
        raise DataError(f"{file.name} cannot be read: {error}") from None
    # pandas numbers the columns it finds twice (close, close.1): the header says so itself.
    names = next(csv.reader([header], delimiter=delimiter))
    if len(names) == len(table.columns):
        table.columns = pd.Index(names)
    if len(table) and table.iloc[-1, -1] == "" and _cut_short(file, len(names), delimiter):
        raise DataError(
            f"{file.name} ends in the middle of a row: it is cut short; copy or make it again"
        )
    return _decimal_points(table) if delimiter == ";" else table


def _cut_short(file: Path, names: int, delimiter: str) -> bool:
    """Whether the last row has no line end and fewer cells than the header has names."""
    with file.open("rb") as raw:
        raw.seek(-1, os.SEEK_END)
        if raw.read() in (b"\n", b"\r"):
            return False
    with (
        file.open(encoding="utf-8-sig", newline="") as handle,
        contextlib.suppress(csv.Error),  # a cell longer than that module reads
    ):
        (row,) = deque(csv.reader(handle, delimiter=delimiter), maxlen=1)
        return len(row) < names
    return False


def _read_fields(file: Path) -> pd.DataFrame:
    """Read what yfinance saves: a row of fields, one of tickers, one that names the dates."""
    options = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
    try:
        fields = pd.read_csv(file, header=[0, 1], index_col=0, **options)  # type: ignore[call-overload]
    except (ValueError, IndexError, KeyError) as error:
        raise DataError(f"{file.name} is no table as yfinance saves it: {error}") from None
    if fields.columns.nlevels < 2:
        raise DataError(f"{file.name} is no table as yfinance saves it: its header is cut short")
    closes = _closes_of_fields(fields, file.name)
    closes = closes[closes.index.astype(str) != "Date"]
    return closes.rename_axis("date").reset_index()


def _closes_of_fields(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Keep the closes, adjusted ones where there are, of columns named by field and ticker."""
    for name in ("Adj Close", "Close"):
        for level in (0, 1):
            if name in table.columns.get_level_values(level):
                closes = pd.DataFrame(table.xs(name, axis=1, level=level))
                return closes.rename_axis(columns=None)
    raise DataError(f'{where}: columns of two levels, none of which has "Close"')


def _decimal_points(table: pd.DataFrame) -> pd.DataFrame:
    """Write 1.234,5 as 1234.5, in files that use the comma for nothing else.

    A point alone parts thousands (1.234) where the file has decimals with a comma. A column with
    decimals behind a point is left as it is: a comma in it is of neither kind, and no number.
    """
    commas = any(column.str.fullmatch(SURE_COMMA).any() for _, column in table.items())

    def pointed(column: pd.Series[str]) -> pd.Series[str]:
        if column.str.fullmatch(SURE_POINT).any():
            return column
        written = column.str.fullmatch(f"{COMMA}|{THOUSANDS}" if commas else COMMA)
        points = column.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
        return column.mask(written, points)

    return table.apply(pointed)


def as_text(column: pd.Series[Any]) -> pd.Series[str]:
    """Text without blanks around it; whole numbers without ".0", missing values as ""."""
    if isinstance(column.dtype, pd.StringDtype):
        return column.fillna("").str.strip()
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu":
        return column.astype(str)
    if pd.api.types.is_datetime64_any_dtype(column):
        places, days = pd.factorize(column)  # a long table holds each day thousands of times
        written = pd.Series(["", *map(_cell, days)], dtype=str)
        return pd.Series(written.to_numpy()[places + 1], index=column.index, dtype=str)
    return column.astype(object).map(_cell).astype(str)


def _cell(value: object) -> str:
    if isinstance(value, (list, dict, np.ndarray)):
        raise DataError(
            f"a cell holds several values ({str(value)[:60]}): write one text or number"
        )
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def as_numbers(column: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
    """Read numbers; second, which cells hold something that is none."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.astype(float), pd.Series(False, index=column.index)
    text = as_text(column)
    text = text.where(~text.str.lower().isin(["nan", "na", "n/a", "null", "none", "-"]), "")
    number = pd.to_numeric(text, errors="coerce")
    return number.astype(float), number.isna() & (text != "")


def as_days(column: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
    """Read days, without time and zone; second, which cells hold something that is none.

    A day is the one written: an offset from UTC is dropped, not converted, since a close stamped
    midnight in Tokyo is not the day before. Only year-month-day is read: 03/04/2013 is two days, so
    are 201312 and 2013123, and a bare year says nothing about when a text was public.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        days = column.dt.tz_localize(None).dt.normalize()
        return days, pd.Series(False, index=column.index)
    text = as_text(column)
    places, written = pd.factorize(text)  # a long table writes each day thousands of times
    read = _read_days(pd.Series(written, dtype=str))
    days = pd.Series(read.to_numpy()[places], index=column.index)
    return days, days.isna() & ~text.str.lower().isin(["", "nan", "nat", "na", "none"])


def _read_days(text: pd.Series[str]) -> pd.Series[pd.Timestamp]:
    parts = text.str.extract(DAY)
    month, day = parts["month"].fillna(parts["mm"]), parts["day"].fillna(parts["dd"])
    iso = parts["year"] + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)
    return pd.to_datetime(iso, format="%Y-%m-%d", errors="coerce")


def known_names(table: pd.DataFrame, known: Sequence[str]) -> pd.DataFrame:
    """Spell column names as finsae does where they differ in case only."""
    spelt = {
        column: column.lower()
        for column in table.columns
        if column.lower() in known and column.lower() not in table.columns
    }
    renamed = table.rename(columns=spelt)
    return renamed.loc[:, ~renamed.columns.duplicated()].copy()


def no_column(where: str, name: str, table: pd.DataFrame) -> str:
    """Say which column is missing, with the nearest one there is."""
    return (
        f'{where}: no column "{name}" among {few(table.columns, 8)}{nearest(name, table.columns)}'
    )


def problem(where: str, what: str, found: Iterable[object]) -> list[str]:
    """Write one sentence on the cells or rows that are wrong, or none."""
    cells = list(dict.fromkeys(map(str, found)))
    total = f" ({len(cells):,} in all)" if len(cells) > MOST_SHOWN else ""
    return [f"{where}: {what}: {few(cells)}{total}"] if cells else []


def few(values: Iterable[object], most: int = MOST_SHOWN) -> str:
    """Write the first few values."""
    found = list(dict.fromkeys(map(str, values)))
    return ", ".join(found[:most]) + (", ..." if len(found) > most else "")
