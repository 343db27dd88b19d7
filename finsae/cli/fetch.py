"""Commands that fetch: filings and prices."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from finsae.checks import DataError
from finsae.cli.options import err, out, split, writable
from finsae.sources.tables import few
from finsae.store import cache_dir

if TYPE_CHECKING:
    import pandas as pd

    from finsae.sources.edgar import Edgar, Wanted

app = typer.Typer(help="Fetch filings and prices.", no_args_is_help=True)
FIRST_YEAR = 1993  # of EDGAR


@app.callback()
def _sources() -> None:
    """Fetch filings and prices."""


@app.command()
def edgar(
    tickers: Annotated[
        str | None, typer.Option(help="Tickers, or CIKs of companies no longer listed: AAPL,MSFT.")
    ] = None,
    universe: Annotated[
        str | None, typer.Option(help="CSV or parquet with a column cik or ticker.")
    ] = None,
    years: Annotated[str, typer.Option(help="Filing years, both included: 2010:2024.")] = "",
    user_agent: Annotated[
        str,
        typer.Option(
            envvar="EDGAR_IDENTITY", help='Who you are, as the SEC asks: "Name mail@host".'
        ),
    ] = "",
    to: Annotated[str, typer.Option("--out", help="Folder to write.")] = "data/edgar",
    address: Annotated[
        str | None, typer.Option(help="A mirror of EDGAR; default the SEC's own addresses.")
    ] = None,
) -> None:
    """Fetch annual reports from the SEC and cut out what they say of the business.

    Writes companies.parquet (the latest fit report of each company, for --companies) and
    filings.parquet (every report). What was fetched is kept and not fetched again.
    """
    from finsae.sources.edgar import Edgar, fetch_filings, write_filings
    from finsae.store import write_table

    span = _years(years)
    writable(to)
    source = Edgar(user_agent=user_agent, cache=cache_dir() / "edgar", address=address)
    wanted = _wanted(source, tickers, universe)
    folder = Path(to)
    latest = write_filings(folder / "filings.parquet", fetch_filings(source, wanted, span))
    _say(source, wanted, latest)
    if not len(latest):
        raise DataError(
            f"no report of these companies and years says what their business is: see the column "
            f"flags of {folder / 'filings.parquet'}"
        )
    write_table(folder / "companies.parquet", latest)
    out.print(
        f"{len(latest):,} companies: {folder / 'companies.parquet'}",
        highlight=False,
        soft_wrap=True,
    )


def _years(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{4})(?::(\d{4}))?", text.strip())
    if not found:
        raise DataError(f'--years "{text}" are no filing years: write 2012, or 2010:2024')
    first = int(found.group(1))
    last = int(found.group(2) or first)
    if not FIRST_YEAR <= first <= last:
        raise DataError(f"--years {text}: from {FIRST_YEAR} on, the first before the last")
    return first, last


def _wanted(source: Edgar, tickers: str | None, universe: str | None) -> list[Wanted]:
    from finsae.sources.edgar import find_companies, read_wanted

    if (tickers is None) == (universe is None):
        raise DataError("give --tickers AAPL,MSFT or --universe FILE, one of them")
    if tickers is not None:
        return find_companies(split(tickers), source.tickers())
    wanted, unknown = read_wanted(str(universe), source.tickers())
    if unknown:
        _note(
            f"{len(unknown):,} companies have no ticker at the SEC today ({few(unknown)}): "
            "add a column cik"
        )
    return wanted


def _say(source: Edgar, wanted: list[Wanted], latest: pd.DataFrame) -> None:
    """Say what was fetched and what is missing."""
    clients = (source.www, source.data)
    sent, found = (sum(getattr(c, name) for c in clients) for name in ("sent", "found"))
    _note(f"{sent:,} requests, {found:,} answers from the cache")
    damaged = [url for client in clients for url in client.damaged]
    if damaged:
        _note(f"{len(damaged):,} damaged copies fetched again: {few(damaged, 1)}")
    without = [each.ticker or each.cik for each in wanted if each.cik not in set(latest["cik"])]
    if without:
        _note(f"{len(without):,} companies without a fit report: {few(without)}")
    foreign = int((latest["sic_source"] != "filing").sum())
    if foreign:
        _note(f"{foreign:,} companies have today's SIC or none: their filings' headers have none")


def _note(text: str) -> None:
    err.print(text, highlight=False, markup=False, soft_wrap=True)
