"""The command that trades similar companies against each other."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated

import pandas as pd
import typer

from finsae.checks import one_of
from finsae.cli.exposed import exposed
from finsae.cli.options import (
    Companies,
    Config,
    Cut,
    Events,
    Factors,
    Folders,
    JsonFile,
    OutFolder,
    Prices,
    Seed,
    Volume,
    configured,
    err,
    finish,
    keep,
    left_out,
    method_names,
    out,
    unread,
    writable,
)
from finsae.config import Backtest
from finsae.plugins import MENU
from finsae.result import Result

COLUMNS = ("sharpe_net", "sharpe_gross", "return_annual", "trades")
TABLES = ("returns", "trades", "excluded_pairs", "trading_years", "exposures")
JUDGED = ("placebo_percentile", "psr", "dsr", "break_even_bps", "max_drawdown", "fdr", "fdr_by")


def backtest(
    context: typer.Context,
    method: Annotated[
        str | None,
        typer.Option(
            "--method", "--methods", help="Names with commas, or all; default: the features'."
        ),
    ] = None,
    features: Folders = None,
    companies: Companies = None,
    prices: Prices = None,
    events: Events = None,
    cut: Cut = None,
    formation: Annotated[
        str | None,
        typer.Option(help="Form once, on these days (START:END); default: anew for every window."),
    ] = None,
    trade: Annotated[str | None, typer.Option(help="START:END; default: from the cut on.")] = None,
    protocol: Annotated[
        str, typer.Option(help="honest, or paper and paper-revised: published rules re-enacted.")
    ] = "honest",
    selector: Annotated[
        str, typer.Option(help=f"One of {', '.join(MENU['selector'])}.")
    ] = Backtest.selector,
    rule: Annotated[str, typer.Option(help=f"One of {', '.join(MENU['rule'])}.")] = Backtest.rule,
    cost_bps: Annotated[
        float, typer.Option(min=0, max=10_000, help="Cost per leg per side, basis points.")
    ] = Backtest.cost_bps,
    borrow_bps: Annotated[
        float, typer.Option(min=0, max=10_000, help="Fee on shorts, basis points a year.")
    ] = Backtest.borrow_bps,
    step: Annotated[
        int, typer.Option(min=0, help="Days between books; 21: overlapping ones, monthly.")
    ] = Backtest.step,
    ledger: Annotated[
        str | None, typer.Option(help="Where trials are noted; default: your own, in the cache.")
    ] = None,
    factors: Factors = None,
    volume: Volume = None,
    config: Config = None,
    seed: Seed = 0,
    folder: OutFolder = None,
    as_json: JsonFile = None,
) -> None:
    """Trade the most cointegrated of a method's most similar pairs, after costs."""
    from finsae.pipeline import trade_files
    from finsae.pipeline.trading import PROTOCOLS

    names = None if method is None else method_names(method)
    one_of("selector", selector, MENU["selector"])
    one_of("rule", rule, MENU["rule"])
    writable(folder, file=as_json)
    writable(file=ledger)
    if one_of("protocol", protocol, PROTOCOLS) != "honest":
        others = {
            "--selector": (selector, Backtest.selector),
            "--rule": (rule, Backtest.rule),
            "--cost-bps": (cost_bps, Backtest.cost_bps),
            "--borrow-bps": (borrow_bps, Backtest.borrow_bps),
            "--step": (step or None, None),
            "--ledger": (ledger, None),
            "--factors": (factors, None),
            "--volume": (volume, None),
        }
        unread(f"--protocol {protocol}, which has rules and costs of its own", others)
    if formation:
        unread("--formation, which forms pairs once", {"--step": (step or None, None)})
    run = configured(context, config)
    if protocol != "honest":
        of_its_own = replace(Backtest(), resamples=run.backtest.resamples)
        usual = asdict(of_its_own).items()
        found = {f"backtest.{name}": (getattr(run.backtest, name), was) for name, was in usual}
        unread(f"--protocol {protocol}: take it out of {config}", found)
    result = trade_files(run, features, names, protocol=protocol, ledger=ledger)
    left_out(result)
    show(result)
    keep(folder, result)
    tables = {name: result.tables[name] for name in TABLES if name in result.tables}
    finish(as_json, result.to_json(**tables))


def show(result: Result) -> None:
    """Print what was earned, what to judge it by, years, excluded pairs, and the walk."""
    from finsae.cli.shown import excluded_pairs, years
    from finsae.console import score_table

    for line in result.provenance["warnings"]:
        err.print(line, highlight=False, markup=False, soft_wrap=True)
    out.print(score_table(result.scores, COLUMNS))
    if "dsr" in set(result.scores["metric"]):
        out.print()
        out.print(score_table(result.scores, JUDGED))
    for table in exposed(result):
        out.print()
        out.print(table)
    if "trading_years" in result.tables:
        out.print()
        out.print(years(result.tables["trading_years"]))
        out.print()
        out.print(excluded_pairs(result.tables["excluded_pairs"]), highlight=False, markup=False)
    steps = result.tables.get("steps")
    if steps is not None and len(steps):
        out.print()
        out.print(walk(steps))


def walk(steps: pd.DataFrame) -> object:
    """Lay out the walk from the published protocol to this one, a defect mended per row."""
    from finsae.console import escape, text_table

    table = text_table(
        "From the published protocol to this one",
        "mended",
        "net Sharpe",
        "worth",
        "pairs",
        "trades",
    )
    for row in steps.to_dict("records"):
        known = pd.notna(row["sharpe_net"])
        shown = (
            f"{row['sharpe_net']:.2f} [{row['low']:.2f}, {row['high']:.2f}]" if known else "none"
        )
        worth = f"{row['worth']:+.2f}" if pd.notna(row["worth"]) else ""
        cells = (shown, worth, f"{row['pairs']:,.0f}", f"{row['trades']:,.0f}")
        table.add_row(escape(str(row["step"])), *(escape(cell) for cell in cells))
    return table
