"""EDGAR's addresses."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from finsae.checks import DataError
from finsae.sources.edgar.blocks import decode
from finsae.sources.edgar.records import (
    Company,
    Filing,
    Header,
    load,
    main_document,
    read_company,
    read_filings,
    read_header,
    read_tickers,
)
from finsae.sources.http import Client, FetchError, Manners

WWW, DATA = "https://www.sec.gov", "https://data.sec.gov"
FORMS = ("10-K", "10-K405", "10-KSB", "10-KSB40", "10-KT", "10-KT405", "20-F")
"""Annual reports; amendments often hold one part only and are left out."""
FRESH = timedelta(days=1)
SETTLED = timedelta(days=7)  # after a year's end, until its last filings are listed
T = TypeVar("T")
CONTACT = re.compile(r"\S+.*\s\(?\S+@\S+\.\S+")


class Edgar:
    """The SEC's EDGAR, or a mirror of it.

    Everything fetched is kept (`finsae.sources.http`): documents for good, the lists of filings
    until they are a day old - or for good, where they were read after the years that are asked for.

    Parameters
    ----------
    user_agent : str
        Name and mail address of who asks: the SEC refuses others.
    cache : path
        Folder of raw bytes.
    address : str, optional
        A mirror that has both of EDGAR's hosts under one address.
    context : ssl.SSLContext, optional
        Certificates to trust.
    manners : Manners
        The rate is ten requests a second at most: the SEC's own limit, over all machines.

    Raises
    ------
    DataError
        If the user agent does not identify anybody, or the rate is above the SEC's.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        cache: str | Path,
        address: str | None = None,
        context: ssl.SSLContext | None = None,
        manners: Manners | None = None,
    ) -> None:
        if not CONTACT.fullmatch(user_agent.strip()):
            raise DataError(
                f'the SEC asks who fetches: "{user_agent}" is no name and mail address; '
                'write --user-agent "Jane Doe jane@example.org"'
            )
        manners = manners or Manners()
        if address is None and manners.per_second > Manners.per_second:
            raise DataError(f"the SEC allows {Manners.per_second:.0f} requests a second at most")
        asking = partial(
            Client, user_agent=user_agent, cache=cache, context=context, manners=manners
        )
        self.www = asking(address or WWW)
        self.data = asking(address or DATA, beside=self.www)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let no thread wait or ask within the block."""
        with self.www.stopped(), self.data.stopped():
            yield

    def tickers(self) -> dict[str, str]:
        """Map current tickers to CIKs; delisted companies are not in it."""
        since = datetime.now(UTC) - FRESH
        return _read(self.www, "files/company_tickers.json", read_tickers, since=since)

    def company(self, cik: str, last_year: int) -> Company:
        """Get what EDGAR knows of a company, with its latest filings.

        Parameters
        ----------
        cik : str
            Ten digits.
        last_year : int
            Last filing year that is wanted.

        Raises
        ------
        FetchError
            If there is no such company.
        """
        path = f"submissions/CIK{cik}.json"
        return _read(self.data, path, partial(read_company, cik=cik), since=_since(last_year))

    def filings(
        self, company: Company, years: tuple[int, int], forms: tuple[str, ...] = FORMS
    ) -> list[Filing]:
        """List a company's filings of some years, pages of older ones included.

        Parameters
        ----------
        company : Company
            From `company`.
        years : (int, int)
            First and last filing year.
        forms : tuple of str
            Form types.

        Returns
        -------
        list of Filing
            By filing date.
        """
        first, last = f"{years[0]}-01-01", f"{years[1]}-12-31"
        found = list(company.filings)
        for page in company.pages:
            if (not page.end or page.end >= first) and page.start <= last:
                # A page of older filings only grows at its end, which is at the list's beginning.
                path, table = f"submissions/{page.name}", partial(load, what=page.name)
                older = _read(self.data, path, table, since=_since(years[1]))
                found += read_filings(older, company.cik)
        wanted = {
            filing.accession: filing
            for filing in found
            if filing.form in forms and first <= filing.filed <= last
        }
        return sorted(wanted.values(), key=lambda filing: (filing.filed, filing.accession))

    def document(self, filing: Filing) -> tuple[str, Header]:
        """Get a filing's main document and header.

        Filings before 2001 are one text with all their documents; later ones have a file each, and
        the header in a page of its own.

        Raises
        ------
        FetchError
            If the document cannot be had.
        """
        folder = f"Archives/edgar/data/{int(filing.cik)}"
        if filing.document:
            inside = f"{folder}/{filing.accession.replace('-', '')}"
            try:
                text = _read(self.www, f"{inside}/{filing.document}", _text)
                return text, self._header(f"{inside}/{filing.accession}", filing)
            except FetchError as error:
                if error.status != 404:
                    raise
        own = partial(_text_of, filing.accession)
        whole = _read(self.www, f"{folder}/{filing.accession}.txt", own)
        return main_document(whole, filing.form), read_header(whole, filing.cik)

    def _header(self, path: str, filing: Filing) -> Header:
        own = partial(_text_of, filing.accession)
        try:
            return read_header(_read(self.www, f"{path}-index-headers.html", own), filing.cik)
        except FetchError as error:
            if error.status != 404:
                raise
            return Header(None, None, None)


def _read(
    client: Client, path: str, read: Callable[[bytes], T], *, since: datetime | None = None
) -> T:
    """Get and read a resource; a page of excuses, sent with status 200, is not kept for good."""
    raw = client.get(path, since=since)
    try:
        return read(raw)
    except DataError:
        client.forget(path)
        raise


def _text(raw: bytes) -> str:
    if not raw.strip():
        raise FetchError("an empty answer")
    return decode(raw)


def _text_of(accession: str, raw: bytes) -> str:
    """Read what EDGAR writes about a filing, which names it; a page of excuses does not."""
    text = _text(raw)
    if accession not in text:
        raise FetchError(f"a page that does not name the filing {accession}")
    return text


def _since(last_year: int) -> datetime:
    """When a list of filings must have been read to be complete up to the end of a year."""
    end = datetime(last_year + 1, 1, 1, tzinfo=UTC) + SETTLED
    return min(end, datetime.now(UTC) - FRESH)
