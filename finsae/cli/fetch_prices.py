"""The command that fetches prices."""

from __future__ import annotations

import datetime
import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from finsae.checks import DataError
from finsae.cli.options import err, out, split, writable
from finsae.store import cache_dir

if TYPE_CHECKING:
    from finsae.sources.download import Fetched, Source

SHOWN = 10


class Service(enum.StrEnum):
    """Where prices come from."""

    YAHOO = "yahoo"
    STOOQ = "stooq"
    FILES = "files"


def prices(
    source: Annotated[Service, typer.Option(help="A service, or a file of your own.")],
    tickers: Annotated[
        str | None, typer.Option(help="As the service writes them: AAPL,MSFT,BRK-B,7203.T")
    ] = None,
    universe: Annotated[
        str | None, typer.Option(help="CSV or parquet with a column ticker.")
    ] = None,
    start: Annotated[str, typer.Option(help="First day.")] = "2005-01-01",
    end: Annotated[
        str | None, typer.Option(help="Last day; default the day of the first run.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Tickers that are kept at once.")] = 50,
    per_second: Annotated[
        float | None,
        typer.Option(min=0.01, max=10, help="Most requests a second; default 2, of Stooq 1."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="A mirror, https; default the service's own address.")
    ] = None,
    authorities: Annotated[
        str | None,
        typer.Option(help="PEM file of certificate authorities to trust; default the system's."),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(help="With --source files: wide, long, CRSP (CIZ or legacy), or returns."),
    ] = None,
    currency: Annotated[
        str | None, typer.Option(help="With --source files: the currency to take, e.g. USD.")
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(help="With --source files: the market's time zone, for stamps in UTC."),
    ] = None,
    to: Annotated[str, typer.Option("--out", help="File to write.")] = "prices.parquet",
) -> None:
    """Fetch adjusted daily closes, or check a file of prices and bring it into one layout.

    Finished batches are kept: the same command again goes on where it stopped. With several
    currencies each has its own file.
    """
    writable(file=to)
    if Path(to).suffix not in (".parquet", ".pq"):
        raise DataError(f'--out "{to}": prices are written as .parquet')
    if source is Service.FILES:
        if file is None or tickers or universe or address:
            raise DataError("--source files goes with --file FILE, and with no tickers")
        _rewrite(file, to, currency=currency, zone=zone)
        return
    if file or currency or zone:
        raise DataError("--file, --currency and --zone go with --source files")
    from finsae.sources.download import download, write_prices

    folder = cache_dir() / "prices"
    service = _service(source, address, authorities, per_second=per_second)
    first, last = _day("start", start), None if end is None else _day("end", end)
    wanted = _tickers(tickers, universe)
    found = download(service, wanted, start=first, end=last, folder=folder, batch=batch)
    _say(found)
    for path in write_prices(found, to):
        out.print(f"Prices: {path}", highlight=False, soft_wrap=True)


def _service(
    source: Service, address: str | None, authorities: str | None, *, per_second: float | None
) -> Source:
    from dataclasses import replace

    if source is Service.YAHOO:
        from finsae.sources import yahoo

        manners = replace(yahoo.MANNERS, per_second=per_second or yahoo.MANNERS.per_second)
        return yahoo.Yahoo(base=address, authorities=authorities, manners=manners)
    import ssl

    from finsae.sources import stooq

    context = ssl.create_default_context(cafile=authorities) if authorities else None
    return stooq.Stooq(
        cache_dir() / "stooq",
        base=address or stooq.BASE,
        context=context,
        manners=replace(stooq.MANNERS, per_second=per_second or stooq.MANNERS.per_second),
    )


def _day(name: str, text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise DataError(f'--{name} "{text}" is no day: write it as 2013-06-30') from None


def _tickers(tickers: str | None, universe: str | None) -> list[str]:
    from finsae.sources.tables import as_text, known_names, no_column, read_table

    if (tickers is None) == (universe is None):
        raise DataError("give --tickers AAPL,MSFT or --universe FILE, one of them")
    if tickers is not None:
        return split(tickers)
    table = known_names(read_table(str(universe)), ("ticker",))
    if "ticker" not in table:
        raise DataError(no_column(Path(str(universe)).name, "ticker", table))
    return [ticker for ticker in as_text(table["ticker"]) if ticker]


def _say(found: Fetched) -> None:
    """Say what was fetched, what is missing and why, and what looks odd in the days."""
    from finsae.sources.calendar import trading_days

    had = found.closes["ticker"].nunique()
    line = f"{had:,} tickers with closes, {len(found.failed):,} without; {found.asked:,} asked now"
    err.print(line, highlight=False)
    for ticker, reason in list(found.failed.items())[:SHOWN]:
        again = " (the next run asks again)" if ticker in found.again else ""
        err.print(f"  {ticker}: {reason}{again}", highlight=False, markup=False)
    if len(found.failed) > SHOWN:
        err.print(f"  and {len(found.failed) - SHOWN:,} more: see the .json beside the prices")
    for currency, closes in found.closes.groupby("currency"):
        wide = closes.pivot(index="date", columns="ticker", values="close")
        for note in trading_days(wide.sort_index()).notes:
            err.print(f"{currency}: {note}", highlight=False, markup=False)


def _rewrite(file: str, to: str, *, currency: str | None, zone: str | None) -> None:
    """Check a file and write it long."""
    from finsae.sources import PriceFile, open_prices
    from finsae.store import write_table

    market = open_prices(PriceFile(file, currency, zone), repair=False).market
    for note in market.notes:
        err.print(note, highlight=False, markup=False)
    table = market.long()
    write_table(to, table)
    what = "monthly returns" if market.monthly is not None else "daily closes"
    line = (
        f"{market.layout}: {len(table):,} {what} of {table['ticker'].nunique():,} companies: {to}"
    )
    out.print(line, highlight=False, soft_wrap=True)
