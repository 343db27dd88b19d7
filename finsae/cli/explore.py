"""The command that opens the explorer."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from finsae.cli.options import Cut, Events, Folder, Prices, out
from finsae.config import Data


def explore(
    features: Folder = None,
    prices: Prices = None,
    events: Events = None,
    cut: Cut = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8600,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine can then read all.")
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
) -> None:
    """Look at companies, peers, features and clusters in a browser; on this machine only."""
    from finsae.explorer import Server, open_explorer

    opened = open_explorer(features, Data(prices=prices, events=events, cut=cut))
    with Server(opened, host=host, port=port) as server:
        server.start()
        out.print(f"Explorer: {server.url} (Ctrl-C ends it)", highlight=False, soft_wrap=True)
        if browser:
            typer.launch(server.url)
        with suppress(KeyboardInterrupt):  # the way to end it, as it says above
            server.serve_forever()
