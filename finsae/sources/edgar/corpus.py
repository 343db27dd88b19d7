"""Item 1 texts that a user already has, in the shape of EDGAR-CORPUS or edgar-crawler."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from finsae.checks import DataError
from finsae.filings import is_fit
from finsae.sources.edgar.extract import clean_business
from finsae.sources.edgar.fetch import COLUMNS
from finsae.sources.edgar.records import DAY, four_digits
from finsae.sources.tables import few, read_table
from finsae.store import parse_json

ITEM = ("item_1", "section_1")
JSON = (".json", ".jsonl")
FIELDS = {
    "cik": ("cik",),
    "name": ("company", "name", "company_name"),
    "form": ("filing_type", "form", "form_type"),
    "filed": ("filing_date", "filed"),
    "sic": ("sic",),
    "year": ("year",),
    "ticker": ("ticker",),
    "file": ("filename",),
}
FILE = re.compile(r"(\d{1,10})_(?:[\w-]+_)?((?:19|20)\d{2})(?:_([\d-]{20}))?")


def is_edgar_corpus(path: str | Path) -> bool:
    """Whether a path is a folder or a file of JSON, or a table with an item and no description."""
    file = Path(path)
    if file.is_dir() or file.suffix.lower() in JSON:
        return True
    if not file.is_file():
        return False
    columns = set(_columns(file))
    return bool(columns & set(ITEM)) and "description" not in columns


def _columns(file: Path) -> list[str]:
    if file.suffix.lower() in (".parquet", ".pq"):
        import pyarrow.parquet as pq

        try:
            return list(pq.read_schema(file).names)
        except (OSError, ValueError):
            return []
    try:
        with file.open(encoding="utf-8-sig") as handle:
            return re.split(r"[,;\t|]", handle.readline(10_000).strip().replace('"', ""))
    except (OSError, UnicodeDecodeError):
        return []


def read_edgar_corpus(path: str | Path, *, latest: bool = False) -> pd.DataFrame:
    """Read Item 1 from files of EDGAR-CORPUS or edgar-crawler.

    Parameters
    ----------
    path : path
        A folder of JSON files (one filing each), a JSON or JSON-lines file, or a parquet or CSV
        table, with ``item_1`` or ``section_1``, ``cik`` (or ``filename`` such as
        ``718413_1993.txt``) and, where they are known, ``company, filing_type, filing_date, sic,
        year, ticker``.
    latest : bool
        Keep the last fit filing of each company, as a universe needs it.

    Returns
    -------
    DataFrame
        `COLUMNS`, one row per filing. A filing of which only the year is known counts from the
        year's last day, and has the flag ``year_only``. A company without a ticker is named
        CIK0000718413.

    Raises
    ------
    DataError
        If there is nothing to read, or a file is damaged.
    """
    rows, problems = [], []
    for where, record in _records(Path(path)):
        row = _row(record)
        if row is None:
            problems.append(where)
        else:
            rows.append(row)
    if problems:
        raise DataError(f"{Path(path).name}: no cik, year or item 1 in {few(problems)}")
    if not rows:
        raise DataError(f'"{path}" holds no filing, and is no file of companies')
    table = pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(["cik", "date"])
    if latest:
        fit = table[table["flags"].map(is_fit)]
        table = fit.drop_duplicates("cik", keep="last")
        if table.empty:
            raise DataError(f'"{path}" holds no filing that says what its company\'s business is')
    return table.reset_index(drop=True)


def _records(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if path.is_dir():
        for file in sorted(path.glob("*.json*")):
            yield from _records(file)
    elif path.suffix.lower() in JSON:
        for number, record in enumerate(_json(path), 1):
            yield f"{path.name} ({number})", record
    else:
        table = read_table(path)
        for number, cells in enumerate(table.to_dict("records"), 1):
            yield f"row {number}", {str(name): value for name, value in cells.items()}


def _json(file: Path) -> list[Mapping[str, Any]]:
    found: Any
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix.lower() == ".jsonl":
            found = [parse_json(line) for line in text.splitlines() if line.strip()]
        else:
            found = parse_json(text)
    except (OSError, ValueError) as error:
        raise DataError(f"{file.name} cannot be read as JSON: {str(error)[:100]}") from None
    rows = found if isinstance(found, list) else [found]
    filings: list[Mapping[str, Any]] = [row for row in rows if isinstance(row, dict)]
    if len(filings) < len(rows):
        raise DataError(f"{file.name} holds something that is no filing")
    return filings


def _row(record: Mapping[str, Any]) -> dict[str, str | None] | None:
    lower = {str(name).lower(): value for name, value in record.items()}
    item = next((name for name in ITEM if name in lower), None)
    known = {name: _first(lower, names) for name, names in FIELDS.items()}
    named = FILE.match(known["file"] or "")
    cik = known["cik"] or (named.group(1) if named else "")
    day = DAY.match(known["filed"] or "")
    year = re.match(r"(?:19|20)\d{2}", known["year"] or (named.group(2) if named else ""))
    last = f"{year.group()}-12-31" if year else None
    date = day.group() if day else last
    if item is None or date is None or not re.fullmatch(r"0*[1-9]\d{0,9}(\.0)?", cik):
        return None
    cik = cik.removesuffix(".0").zfill(10)
    business = clean_business(_text(lower[item]))
    # what is no code stays, so that who reads the companies is told
    sic = four_digits(known["sic"]) or known["sic"]
    return {
        "ticker": known["ticker"] or f"CIK{cik}",
        "cik": cik,
        "name": known["name"],
        "sic": sic,
        "sic_source": "file" if sic else None,
        "date": date,
        "filed": day.group() if day else None,
        "accepted": None,
        "form": known["form"],
        "accession": named.group(3) if named else None,
        "flags": ",".join([*business.flags, *([] if day else ["year_only"])]),
        "former_names": "",
        "description": business.text,
    }


def _first(record: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((text for name in names if (text := _text(record.get(name)))), None)


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    return str(value).strip()
