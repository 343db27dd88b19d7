"""Commands that score: the demo, the benchmark, the backtest, and the report."""

from __future__ import annotations

from typing import Annotated

import typer

from finsae.checks import DataError, one_of
from finsae.cli.options import (
    Companies,
    Cut,
    Events,
    Folders,
    JsonFile,
    Prices,
    Seed,
    err,
    finish,
    out,
    writable,
)
from finsae.cli.paper import benchmark_as_published
from finsae.config import Backtest, Benchmark, Data, Run, read_run
from finsae.methods import LABELS
from finsae.result import Result


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


def benchmark(
    features: Folders = None,
    companies: Companies = None,
    prices: Prices = None,
    events: Events = None,
    cut: Cut = None,
    k: Annotated[int, typer.Option("-k", "--k", help="Peers per company.")] = Benchmark.k,
    clusters: Annotated[
        list[str] | None, typer.Option(help="CSV of labels to score beside: ticker, label.")
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="later, or paper: clusters (year, company, cluster) on their years.")
    ] = "later",
    seed: Seed = 0,
    as_json: JsonFile = None,
) -> None:
    """Score similarity on later monthly returns, against every baseline, with intervals."""
    from finsae.console import score_table
    from finsae.pipeline import score_files

    writable(file=as_json)
    if one_of("protocol", protocol, ["later", "paper"]) == "paper":
        return benchmark_as_published(
            clusters,
            prices=prices,
            events=events,
            seed=seed,
            as_json=as_json,
            unread={"features": features, "companies": companies, "cut": cut},
        )
    data = Data(companies=companies, prices=prices, events=events, cut=cut)
    settings = Run(data=data, benchmark=Benchmark(k=k), seed=seed)
    result = score_files(settings, features, clusters or [])
    _left_out(result)
    out.print(score_table(result.scores, ["peer_correlation", "mc", "pair_weighted", "coverage"]))
    finish(as_json, result.to_json())


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
    _left_out(result)
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


def _left_out(result: Result) -> None:
    """Say how many companies are compared, and which are not and why."""
    dropped = result.provenance.get("universe", {}).get("dropped", [])
    if dropped:
        names = ", ".join(dropped[:5]) + (", ..." if len(dropped) > 5 else "")
        err.print(f"{len(dropped):,} companies have no prices: {names}", highlight=False)
    if "excluded" not in result.tables:
        return
    reasons = result.tables["excluded"]["reason"].str.replace(r"\d+ of", "too few of", regex=True)
    counts = reasons.value_counts().head(4)
    why = "; ".join(f"{count:,}: {reason}" for reason, count in counts.items())
    kept = result.provenance["companies"]
    line = f"{kept:,} companies compared, {len(reasons):,} left out" + (f" ({why})" if why else "")
    err.print(line, highlight=False, markup=False)
