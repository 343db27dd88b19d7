"""What EDGAR says of companies and filings: its JSON and its filings' own headers."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd

from finsae.checks import DataError
from finsae.sources.sic import as_sic
from finsae.store import parse_json

ACCESSION = re.compile(r"\d{10}-\d{2}-\d{6}")
DOCUMENT = re.compile(r"[A-Za-z0-9_][\w.\-]{0,200}", re.ASCII)
PAGE = re.compile(r"CIK\d{10}-submissions-\d{3,4}\.json")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
ENDLESS = 2200  # a year that no filing is of
HEADER = 200_000  # characters of a filing in which its header is
CIK = re.compile(r"(?:<CIK>|CENTRAL INDEX KEY:)[ \t]*(\d{1,10})")
NAME = re.compile(r"(?:<CONFORMED-NAME>|COMPANY CONFORMED NAME:)[ \t]*([^\n<]{1,200})")
SIC = re.compile(
    r"<ASSIGNED-SIC>[ \t]*(\d{1,4})|STANDARD INDUSTRIAL CLASSIFICATION:[^\n\[]*\[(\d{1,4})\]"
)
ACCEPTED = re.compile(r"<ACCEPTANCE-DATETIME>[ \t]*(\d{14})")


class Filing(NamedTuple):
    """One filing of a company.

    Attributes
    ----------
    cik : str
        Ten digits.
    accession : str
        Such as 0000320193-23-000106.
    form : str
        Such as 10-K405.
    filed : str
        Filing date, as 2023-11-03.
    accepted : str
        Acceptance as the list of filings writes it; it says UTC and is New York's clock for some
        filers, so that only the filing's own header is to be trusted. Empty if unknown.
    document : str
        File name of the main document; empty for filings before 2001.
    """

    cik: str
    accession: str
    form: str
    filed: str
    accepted: str
    document: str


class FormerName(NamedTuple):
    """A name that a company had, and the days from and to which it had it."""

    name: str
    start: str
    end: str


class Page(NamedTuple):
    """A page of older filings and the days that it covers."""

    name: str
    start: str
    end: str


class Company(NamedTuple):
    """A company as EDGAR knows it today.

    Attributes
    ----------
    cik, name : str
        Ten digits; the current name.
    sic : str or None
        The current code, four digits.
    tickers : tuple of str
        Current ones; a delisted company has none.
    former : tuple of FormerName
        Former names.
    filings : tuple of Filing
        The latest thousand or so.
    pages : tuple of Page
        Where older ones are listed.
    """

    cik: str
    name: str
    sic: str | None
    tickers: tuple[str, ...]
    former: tuple[FormerName, ...]
    filings: tuple[Filing, ...]
    pages: tuple[Page, ...]

    def name_at(self, day: str) -> str:
        """Name the company had on a day."""
        held = [former.name for former in self.former if former.start <= day < former.end]
        return held[0] if held else self.name


class Header(NamedTuple):
    """What a filing says of its company on the day that it was filed.

    Attributes
    ----------
    name, sic : str or None
        The company's name and code of that day.
    accepted : str or None
        When EDGAR accepted it, New York time, as 2023-11-02T18:08:27.
    """

    name: str | None
    sic: str | None
    accepted: str | None


def load(raw: bytes, what: str) -> Mapping[str, Any]:
    """Read a JSON object.

    Raises
    ------
    DataError
        If it is none.
    """
    try:
        content = parse_json(raw)
    except ValueError:
        raise DataError(f"{what} is no JSON: the source answered something else") from None
    if not isinstance(content, dict):
        raise DataError(f"{what} is no JSON object")
    return content


def read_tickers(raw: bytes) -> dict[str, str]:
    """Read ``company_tickers.json``: current tickers to CIKs of ten digits.

    Raises
    ------
    DataError
        If it holds no ticker.
    """
    found = {}
    for row in load(raw, "the list of tickers").values():
        if isinstance(row, dict) and _cik(row.get("cik_str")):
            found[ticker_key(str(row.get("ticker", "")))] = str(_cik(row["cik_str"]))
    if not found:
        raise DataError("the list of tickers holds no ticker")
    return found


def ticker_key(ticker: str) -> str:
    """Spell a ticker as EDGAR does: BRK.B and BRK/B are BRK-B."""
    return re.sub(r"[./ ]", "-", ticker.strip().upper())


def _cik(value: object) -> str | None:
    text = str(value).strip()
    return text.zfill(10) if re.fullmatch(r"\d{1,10}", text, re.ASCII) and int(text) else None


def read_company(raw: bytes, cik: str) -> Company:
    """Read ``CIK##########.json``.

    Raises
    ------
    DataError
        If it is of another company, or holds no filings.
    """
    where = f"the list of filings of CIK {cik}"
    content = load(raw, where)
    if _cik(content.get("cik")) != cik:
        raise DataError(f"{where} is of another company ({str(content.get('cik'))[:20]})")
    filings = content.get("filings")
    if not isinstance(filings, dict):
        raise DataError(f"{where} lacks filings")
    return Company(
        cik,
        str(content.get("name") or "")[:200],
        four_digits(content.get("sic")),
        tuple(str(ticker)[:20] for ticker in _list(content.get("tickers"))),
        tuple(_former(content)),
        tuple(read_filings(filings.get("recent"), cik)),
        tuple(_pages(filings)),
    )


def four_digits(code: object) -> str | None:
    """Write a SIC as text of four digits; None for what is none, a group ("28") included."""
    found: str | None = as_sic(pd.Series([str(code or "")], dtype=str)).sic.iloc[0]
    return found


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _former(content: Mapping[str, Any]) -> Iterator[FormerName]:
    for row in _list(content.get("formerNames")):
        if isinstance(row, dict) and row.get("name"):
            start, end = (_day(row.get(side)) for side in ("from", "to"))
            yield FormerName(str(row["name"])[:200], start, end)


def _pages(filings: Mapping[str, Any]) -> Iterator[Page]:
    for row in _list(filings.get("files")):
        if isinstance(row, dict) and PAGE.fullmatch(str(row.get("name"))):
            yield Page(str(row["name"]), _day(row.get("filingFrom")), _day(row.get("filingTo")))


def _day(value: object) -> str:
    found = DAY.match(str(value))
    return found.group() if found else ""


def read_filings(table: object, cik: str) -> list[Filing]:
    """Read a table of filings, given as columns; rows without a sound number or date are left out.

    Names of files end up in addresses: one that is not plain is taken for absent.
    """
    if not isinstance(table, dict):
        return []
    names = ("accessionNumber", "form", "filingDate", "acceptanceDateTime", "primaryDocument")
    columns = [_list(table.get(name)) for name in names]
    length = len(columns[0])
    full = [column if len(column) == length else [""] * length for column in columns]
    found = []
    for row in zip(*full, strict=True):
        accession, form, filed, accepted, document = (str(cell or "") for cell in row)
        if ACCESSION.fullmatch(accession) and DAY.fullmatch(filed) and _is_moment(filed):
            plain = document if DOCUMENT.fullmatch(document) and ".." not in document else ""
            when = accepted if _is_moment(accepted) else ""
            found.append(Filing(cik, accession, form[:20], filed, when, plain))
    return found


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).year < ENDLESS
    except ValueError:
        return False


def read_header(text: str, cik: str) -> Header:
    """Read a filing's own header, in either of the two ways in which EDGAR writes it.

    A filing of several companies has a part for each; the one with the CIK counts.
    """
    head = html.unescape(text[:HEADER].split("</SEC-HEADER>")[0])
    accepted = ACCEPTED.search(head)
    stamp = accepted.group(1) if accepted else None
    marks = list(CIK.finditer(head))
    starts = [0, *(mark.end() for mark in marks)]
    ends = [*(mark.start() for mark in marks[1:]), len(head)]
    for mark, start, end in zip(marks, starts, ends, strict=False):
        if int(mark.group(1)) != int(cik):
            continue
        names = NAME.findall(head, start, mark.start())
        code = SIC.search(head, mark.end(), end)
        sic = four_digits(code.group(1) or code.group(2)) if code else None
        return Header(names[-1].strip() if names else None, sic, _moment(stamp))
    return Header(None, None, _moment(stamp))


def _moment(stamp: str | None) -> str | None:
    if stamp is None:
        return None
    day, time = (stamp[:4], stamp[4:6], stamp[6:8]), (stamp[8:10], stamp[10:12], stamp[12:])
    moment = f"{'-'.join(day)}T{':'.join(time)}"
    return moment if _is_moment(moment) else None


def main_document(text: str, form: str) -> str:
    """Take the main document out of a whole submission: the first of the filing's own form.

    Parameters
    ----------
    text : str
        ``<SEC-DOCUMENT>`` with its ``<DOCUMENT>`` parts.
    form : str
        Form type; where no part is of it, the first part counts.
    """
    first = ""
    at = 0
    while (start := text.find("<DOCUMENT>", at)) >= 0:
        end = text.find("</DOCUMENT>", start)
        end = len(text) if end < 0 else end
        part = text[start:end]
        body = re.sub(r"\A.*?<TEXT>|</TEXT>.*\Z", "", part, flags=re.DOTALL)
        kind = re.search(r"<TYPE>\s*([^\s<]{1,20})", part[:2_000])
        if kind and kind.group(1).upper() == form.upper():
            return body
        first = first or body
        at = end
    return first or text
