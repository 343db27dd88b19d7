"""From companies and years to a table of descriptions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from finsae.checks import DataError, nearest
from finsae.filings import is_fit
from finsae.sources.edgar.client import Edgar
from finsae.sources.edgar.extract import Business, extract_business
from finsae.sources.edgar.records import Company, Filing, Header, ticker_key
from finsae.sources.http import FetchError
from finsae.sources.tables import as_text, few, known_names, read_table
from finsae.store import atomic_path, progress

COLUMNS = (
    "ticker",
    "cik",
    "name",
    "sic",
    "sic_source",
    "date",
    "filed",
    "accepted",
    "form",
    "accession",
    "flags",
    "former_names",
    "description",
)
AT_ONCE = 8
MOST_FAILURES = 10
ROW_GROUP = 500  # filings: some tens of megabytes of text


class Wanted(NamedTuple):
    """A company that is asked for: its CIK, and the ticker it is asked for by, if any."""

    cik: str
    ticker: str | None = None


def find_companies(tickers: Sequence[str], known: Mapping[str, str]) -> list[Wanted]:
    """Find companies by ticker or by CIK; two tickers of one company are one.

    Parameters
    ----------
    tickers : sequence of str
        Tickers, or CIKs of up to ten digits: delisted companies have no ticker any more.
    known : mapping
        From `Edgar.tickers`.

    Raises
    ------
    DataError
        Naming each that EDGAR does not know.
    """
    found: dict[str, Wanted] = {}
    problems = []
    for ticker in tickers:
        bare = ticker.upper().removeprefix("CIK")
        cik = known.get(ticker_key(ticker)) or (bare.zfill(10) if _is_cik(bare) else None)
        if cik is None:
            problems.append(
                f'EDGAR has no ticker "{ticker}" today{nearest(ticker, known)} '
                "(a company that is no longer listed is found by its CIK)"
            )
        else:
            found.setdefault(cik, Wanted(cik, None if _is_cik(bare) else ticker))
    if problems:
        raise DataError(problems)
    return list(found.values())


def _is_cik(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) > 0


def read_wanted(path: str | Path, known: Mapping[str, str]) -> tuple[list[Wanted], list[str]]:
    """Read which companies a file names, by a column ``cik`` or ``ticker``; a CIK goes first.

    A ticker is looked up among today's: of one that has passed to another company since, the file
    must give the CIK.

    Returns
    -------
    wanted : list of Wanted
        One per company.
    unknown : list of str
        Tickers that EDGAR does not know today.

    Raises
    ------
    DataError
        If the file has neither column, or no company that EDGAR knows.
    """
    table = known_names(read_table(path), ("cik", "ticker"))
    if not {"cik", "ticker"} & set(table.columns):
        raise DataError(f'"{path}" has neither a column "cik" nor a column "ticker"')
    empty = pd.Series("", index=table.index)
    ciks = as_text(table["cik"]).str.removesuffix(".0") if "cik" in table else empty
    ciks = ciks.str.upper().str.removeprefix("CIK")
    tickers = as_text(table["ticker"]) if "ticker" in table else empty
    found: dict[str, Wanted] = {}
    unknown = []
    for number, ticker in zip(ciks, tickers, strict=True):
        cik = number.zfill(10) if _is_cik(number) else known.get(ticker_key(ticker))
        if cik is None:
            unknown.append(ticker or number)
        else:
            found.setdefault(cik, Wanted(cik, ticker or None))
    if not found:
        raise DataError(f'"{path}" names no company that EDGAR knows: {few(unknown)}')
    return list(found.values()), unknown


def fetch_filings(
    edgar: Edgar, wanted: Sequence[Wanted], years: tuple[int, int]
) -> Iterator[dict[str, str | None]]:
    """Fetch the annual reports of some companies and years, and cut their business out.

    A run that was broken off goes on where it was: nothing that was fetched is fetched again.

    Parameters
    ----------
    edgar : Edgar
        The source.
    wanted : sequence of Wanted
        Companies.
    years : (int, int)
        First and last filing year.

    Yields
    ------
    dict
        One per filing: see `COLUMNS`; ``description`` is empty and ``flags`` says why where there
        is none.

    Raises
    ------
    FetchError
        If the source refuses to go on, or more than ten filings could not be had.
    """
    failures: list[str] = []
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        with progress("filings of companies", len(wanted)) as (bar, task):
            for rows in pool.map(lambda company: _rows(edgar, company, years), wanted):
                failures += [str(row["accession"]) for row in rows if row["flags"] == "missing"]
                if len(failures) > MOST_FAILURES:
                    raise FetchError(
                        f"{len(failures)} filings could not be had ({few(failures)}): "
                        "run again later"
                    )
                yield from rows
                bar.advance(task)
    finally:
        with edgar.stopped():
            pool.shutdown(cancel_futures=True)


def _rows(edgar: Edgar, wanted: Wanted, years: tuple[int, int]) -> list[dict[str, str | None]]:
    company = _company(edgar, wanted, years[1])
    if company is None:
        return []
    ticker = _ticker(wanted, company)
    filings = edgar.filings(company, years)
    return [{"ticker": ticker, **_row(edgar, company, filing)} for filing in filings]


def _company(edgar: Edgar, wanted: Wanted, last_year: int) -> Company | None:
    try:
        return edgar.company(wanted.cik, last_year)
    except FetchError as error:
        if error.status != 404:
            raise
        return None


def _ticker(wanted: Wanted, company: Company) -> str:
    """Name a row; a delisted company has no ticker any more and goes by its CIK."""
    return wanted.ticker or next(iter(company.tickers), f"CIK{company.cik}")


def _row(edgar: Edgar, company: Company, filing: Filing) -> dict[str, str | None]:
    try:
        document, header = edgar.document(filing)
    except FetchError as error:
        if error.status in (403, 429, 503):
            raise
        document, header = None, Header(None, None, None)
    missing = Business("", ("missing",))
    text, flags = missing if document is None else extract_business(document, filing.form)
    accepted = header.accepted or filing.accepted[:19] or None
    # What EDGAR accepts in the evening is public on the next day, which is its filing date.
    date = max(filing.filed, (accepted or filing.filed)[:10])
    return {
        "cik": company.cik,
        "name": header.name or company.name_at(filing.filed),
        "sic": header.sic or company.sic,
        "sic_source": "filing" if header.sic else ("today" if company.sic else None),
        "date": date,
        "filed": filing.filed,
        "accepted": accepted,
        "form": filing.form,
        "accession": filing.accession,
        "flags": ",".join(flags),
        "former_names": "; ".join(f"{f.name} ({f.start} to {f.end})" for f in company.former),
        "description": text,
    }


def write_filings(path: str | Path, rows: Iterable[Mapping[str, str | None]]) -> pd.DataFrame:
    """Write filings as parquet while they come, and give the latest fit one of each company.

    Parameters
    ----------
    path : path
        A parquet file; it appears when it is whole.
    rows : iterable of mapping
        From `fetch_filings`.

    Returns
    -------
    DataFrame
        `COLUMNS`, one row per company: what `finsae build-features --companies` reads.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    latest: dict[str, Mapping[str, str | None]] = {}
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", write_page_checksum=True) as to,
    ):
        coming = iter(rows)
        while group := [dict(row) for row in islice(coming, ROW_GROUP)]:
            to.write_table(pa.Table.from_pylist(group, schema=schema))
            fit = (row for row in group if is_fit(str(row["flags"] or "")))
            latest |= {str(row["cik"]): row for row in fit}
    return pd.DataFrame(list(latest.values()), columns=list(COLUMNS))
