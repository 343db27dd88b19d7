"""The command that chooses configurations inside the past."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
import typer

from finsae.checks import DataError
from finsae.cli.options import (
    Cut,
    Events,
    Folders,
    JsonFile,
    Prices,
    Seed,
    finish,
    out,
    unread,
    writable,
)
from finsae.config import Benchmark, Data, Run
from finsae.result import Result

LEDGER = "reports/runs/ledger.jsonl"


def tune(
    features: Folders = None,
    prices: Prices = None,
    events: Events = None,
    cut: Cut = None,
    inner_cuts: Annotated[
        str | None,
        typer.Option(help="Cuts inside the past, with commas; default: every year that can be."),
    ] = None,
    k: Annotated[int, typer.Option("-k", "--k", help="Peers per company.")] = Benchmark.k,
    opened: Annotated[
        bool,
        typer.Option("--open", help="Score the choices after the cut; a line in the ledger."),
    ] = False,
    ledger: Annotated[str, typer.Option(help="Where it is noted that it was opened.")] = LEDGER,
    seed: Seed = 0,
    as_json: JsonFile = None,
) -> None:
    """Choose reading, learnt feature weights and blend by walk-forward before the cut."""
    from finsae.pipeline import tune_files

    writable(file=as_json)
    if opened:
        writable(file=ledger)
    else:
        unread("no --open: only what is opened is noted", {"--ledger": (ledger, LEDGER)})
    data = Data(prices=prices, events=events, cut=cut)
    run = Run(data=data, benchmark=Benchmark(k=k), seed=seed)
    cuts = [day.strip() for day in inner_cuts.split(",")] if inner_cuts else None
    if cuts is not None and not all(cuts):
        raise DataError(f'--inner-cuts "{inner_cuts}" has an empty date')
    result, count = tune_files(run, features, cuts, ledger=ledger if opened else None)
    show(result)
    if opened:
        out.print(f"Opened after the cut; configurations on these returns so far: {count}.")
        out.print(f"Ledger: {ledger}", highlight=False, soft_wrap=True)
    tables = {name: result.tables[name] for name in ("trials", "choices")}
    finish(as_json, result.to_json(**tables))


def show(result: Result) -> None:
    """Print the choices, and their scores after the cut where it was opened."""
    from finsae.console import escape, paired_table, score_table, text_table
    from finsae.methods import label

    trials = result.tables["trials"]
    table = text_table(
        "Chosen by the year after each inner cut", "family", "reading", "ridge", "past", "mean"
    )
    for choice in result.tables["choices"].to_dict("records"):
        mine = trials[(trials["family"] == choice["family"]) & (trials["stage"] == "blend")]
        ridge = "none" if pd.isna(choice["ridge"]) else f"{choice['ridge']:g}"
        cells = (str(choice["reading"]), ridge, f"{choice['weight']:.1f}")
        best = f"{mine['mean'].max():.4f}"
        table.add_row(label(str(choice["family"])), *(escape(cell) for cell in cells), best)
    out.print(table)
    if len(result.scores):
        out.print()
        out.print(score_table(result.scores, ["peer_r2", "peer_correlation"]))
        out.print()
        out.print(paired_table(result.scores, ["peer_r2", "peer_correlation"]))
