"""The command that runs a grid of settings, and says what choosing among them is worth."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
import typer

from finsae.checks import DataError
from finsae.cli.options import (
    Companies,
    Config,
    Cut,
    Events,
    Folders,
    JsonFile,
    Prices,
    Seed,
    Volume,
    configured,
    finish,
    method_names,
    numbers,
    out,
    split,
    writable,
)
from finsae.result import Result


def sweep(
    context: typer.Context,
    method: Annotated[
        str | None, typer.Option("--method", help="Names with commas; default: the features'.")
    ] = None,
    entries: Annotated[str | None, typer.Option("--entry", help="Bands: 1.5,2,2.5.")] = None,
    exits: Annotated[str | None, typer.Option("--exit", help="Bands: 0,0.5.")] = None,
    stops: Annotated[str | None, typer.Option("--stop", help="Bands: 3,4; 0: none.")] = None,
    longest: Annotated[
        str | None, typer.Option("--max-days", help="Time stops: 20,60; 0: none.")
    ] = None,
    sizes: Annotated[str | None, typer.Option("--pairs", help="Pairs a window: 20,50.")] = None,
    selectors: Annotated[
        str | None, typer.Option("--selector", help="Names: lowest-pvalue,distance.")
    ] = None,
    rules: Annotated[str | None, typer.Option("--rule", help="Names: zscore,kalman.")] = None,
    features: Folders = None,
    companies: Companies = None,
    prices: Prices = None,
    events: Events = None,
    cut: Cut = None,
    formation: Annotated[str | None, typer.Option(help="START:END; default: each window.")] = None,
    trade: Annotated[str | None, typer.Option(help="START:END; default: from the cut on.")] = None,
    volume: Volume = None,
    ledger: Annotated[
        str | None, typer.Option(help="Where trials are noted; default: your own, in the cache.")
    ] = None,
    config: Config = None,
    seed: Seed = 0,
    as_json: JsonFile = None,
) -> None:
    """Trade every combination of some settings: lists with commas, all others as in --config."""
    from finsae.pipeline import sweep_files

    names = None if method is None else method_names(method)
    if names and {"all", "main"} & set(names):
        raise DataError("a sweep trades the methods that are named: write sae,sic")
    writable(file=as_json)
    writable(file=ledger)
    grid: dict[str, list[object]] = {}
    for setting, text in (("entry", entries), ("exit", exits), ("stop", stops)):
        grid |= {setting: list(numbers(text) or [])} if text is not None else {}
    for setting, text in (("max_days", longest), ("pairs", sizes)):
        grid |= {setting: whole(text)} if text is not None else {}
    for setting, text in (("selector", selectors), ("rule", rules)):
        grid |= {setting: list(split(text))} if text is not None else {}
    run = configured(context, config)
    result = sweep_files(run, features, names, grid=grid, ledger=ledger)
    show(result)
    finish(as_json, result.to_json(**result.tables))


def whole(text: str) -> list[object]:
    """Read whole numbers written with commas."""
    found = numbers(text) or []
    if not all(number.is_integer() for number in found):
        raise DataError(f'"{text}" is no list of whole numbers: write 20,50')
    return [int(number) for number in found]


def show(result: Result) -> None:
    """Print the table in the order run, and what the best of it is worth."""
    from finsae.console import escape, text_table
    from finsae.methods import label
    from finsae.metrics import interval

    table = text_table(None, "configuration", "method", "net Sharpe", "trades")
    rows = result.tables["sweep"].to_dict("records")
    for row in rows:
        ratio = interval(
            {"value": row["sharpe_net"], "low": row["low"], "high": row["high"]}, digits=2
        )
        cells = (row["configuration"], label(str(row["method"])), ratio)
        table.add_row(*(escape(str(cell)) for cell in cells), f"{row['trades']:,.0f}")
    out.print(table)
    made = result.provenance
    for best in (row for row in rows if pd.notna(row["dsr"])):
        words = (
            f"Best: {best['method']}, {best['configuration']}. Deflated Sharpe ratio "
            f"{best['dsr']:.2f}: the ledger knows {made['trials']:,} configurations on these "
            "prices."
        )
        out.print(words, highlight=False, markup=False, soft_wrap=True)
    known = pd.notna(made["overfitting"])
    said = (
        f"Probability of backtest overfitting: {made['overfitting']:.2f}."
        if known
        else "No probability of backtest overfitting: 16 configurations (and 32 days) are needed, "
        f"{made['configurations']} ran."
    )
    out.print(said, highlight=False, markup=False, soft_wrap=True)
