"""The command that mends prices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from finsae.checks import DataError
from finsae.cli.options import Events, err, out, writable


def clean_prices(
    prices: Annotated[str, typer.Argument(help="CSV or parquet of daily closes, of any layout.")],
    events: Events = None,
    currency: Annotated[
        str | None, typer.Option(help="Of prices in several currencies, the one to take: USD.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="Of prices stamped in UTC, the market's zone: Asia/Tokyo.")
    ] = None,
    to: Annotated[
        str, typer.Option("--out", help="Parquet file, or folder of one file a year, to write.")
    ] = "prices.parquet",
    log: Annotated[
        str | None, typer.Option("--log", help="CSV file of what was done and found.")
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help="What counts as evidence (tick=12), or what is looked for "
            "(kinds=split,wrong_close); several times for more, see finsae.sources.jumps.Limits."
        ),
    ] = None,
) -> None:
    """Apply the price hygiene to a file of raw closes, and say what it did.

    Every command does so by itself on the prices it is given; this one keeps the mended closes.
    """
    from finsae.parts import write_parts
    from finsae.sources import PriceFile, mend_prices, read_limits
    from finsae.store import atomic_path, write_table

    in_one = to.endswith((".parquet", ".pq"))
    if not in_one and Path(to).suffix:
        raise DataError(f'--out "{to}": prices are written as .parquet, or to a folder')
    writable(*(() if in_one else (to,)), file=to if in_one else None)
    writable(file=log)
    found = PriceFile(prices, currency, zone)
    mended, repairs = mend_prices(found, events=events, limits=read_limits(limit or []))
    table = mended.rename_axis("date").reset_index()
    if in_one:
        write_table(to, table)
    else:
        write_parts(to, table, by=table["date"].dt.year.rename("year"))
    if log:
        with atomic_path(log) as temporary:
            repairs.to_csv(temporary, index=False, float_format="%.6g", date_format="%Y-%m-%d")
    for kind, count in repairs["kind"].value_counts().items():
        err.print(f"{count:,} {kind}", highlight=False, markup=False)
    days, tickers = mended.shape
    out.print(f"{days:,} days of {tickers:,} tickers: {to}", highlight=False, soft_wrap=True)
