"""Commands that score: the demo, the benchmark, the backtest, and the report."""

from __future__ import annotations

from typing import Annotated

import typer

from finsae.checks import DataError, one_of
from finsae.cli.options import (
    Companies,
    Events,
    Folders,
    JsonFile,
    Prices,
    Seed,
    finish,
    left_out,
    out,
    writable,
)
from finsae.config import Backtest, Data, Run, read_run
from finsae.methods import LABELS


def demo(
    to: Annotated[str, typer.Option("--out", help="Folder of the report.")] = "reports/demo",
    config: Annotated[str, typer.Option(help="TOML file or preset name.")] = "demo",
) -> None:
    """Run the whole chain on the bundled sample and write a report."""
    from finsae.console import score_table
    from finsae.pipeline import run
    from finsae.report import build
    from finsae.report.summary import summary_lines

    writable(f"{to}/scores.json" if to.strip() else to)
    result = run(read_run(config))
    result.save(to)
    page = build(to)
    out.print(score_table(result.scores, ["peer_correlation", "sharpe_net"]))
    for line in summary_lines(result.scores, result.provenance):
        out.print(line, highlight=False, markup=False)
    out.print(f"Report: {page}", highlight=False, soft_wrap=True)


def backtest(
    method: Annotated[
        str | None,
        typer.Option(help=f"One of {', '.join(LABELS)}; by default what the features are."),
    ] = None,
    features: Folders = None,
    companies: Companies = None,
    prices: Prices = None,
    events: Events = None,
    formation: Annotated[
        str | None, typer.Option(help="START:END, e.g. 2011-07-01:2013-06-30.")
    ] = None,
    trade: Annotated[str | None, typer.Option(help="START:END.")] = None,
    cost_bps: Annotated[
        float, typer.Option(min=0, max=10_000, help="Cost per leg per side, basis points.")
    ] = Backtest.cost_bps,
    seed: Seed = 0,
    as_json: JsonFile = None,
) -> None:
    """Trade the most cointegrated of a method's most similar pairs, after costs."""
    from finsae.console import score_table
    from finsae.pipeline import trade_files

    if method is not None:
        one_of("method", method, LABELS)
    writable(file=as_json)
    data = Data(companies, prices, events, formation=formation, trade=trade)
    settings = Run(data=data, backtest=Backtest(cost_bps=cost_bps), seed=seed)
    result = trade_files(settings, features, method)
    left_out(result)
    out.print(score_table(result.scores, ["sharpe_net", "sharpe_gross", "return_annual", "trades"]))
    finish(
        as_json, result.to_json(returns=result.tables["returns"], trades=result.tables["trades"])
    )


def report(
    run: Annotated[str, typer.Option(help="Folder of a run.")] = "reports/demo",
    format: Annotated[str, typer.Option(help="html")] = "html",
) -> None:
    """Draw a run's report again from its tables."""
    from finsae.report import build

    if format == "pdf":
        raise DataError("pdf is not yet available: use --format html and print the page")
    one_of("format", format, ["html"])
    out.print(f"Report: {build(run)}", highlight=False, soft_wrap=True)
