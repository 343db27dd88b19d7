"""Commands that fetch: filings and prices."""

from __future__ import annotations

import typer

app = typer.Typer(help="Fetch filings and prices.", no_args_is_help=True)
