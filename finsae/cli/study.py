"""Commands that score: the demo, the benchmark, the backtest, and the report."""

from __future__ import annotations

from typing import Annotated

import typer

from finsae.cli.options import out, writable
from finsae.config import read_run


def demo(
    to: Annotated[str, typer.Option("--out", help="Folder of the report.")] = "reports/demo",
    config: Annotated[str, typer.Option(help="TOML file or preset name.")] = "demo",
) -> None:
    """Run the whole chain on the bundled sample and write a report."""
    from finsae.console import score_table
    from finsae.pipeline import run
    from finsae.report import build
    from finsae.report.verdict import summary_lines

    writable(to)
    result = run(read_run(config))
    result.save(to)
    page = build(to)
    out.print(score_table(result.scores, ["peer_r2", "peer_correlation", "sharpe_net"]))
    for line in summary_lines(result.scores, result.provenance):
        out.print(line, highlight=False, markup=False)
    out.print(f"Report: {page}", highlight=False, soft_wrap=True)


def report(
    run: Annotated[str, typer.Option(help="Folder of a run.")] = "reports/demo",
    format: Annotated[str, typer.Option(help="html or pdf.")] = "html",
) -> None:
    """Draw a run's report again from its tables, as a page or as a PDF."""
    from finsae.report import build

    out.print(f"Report: {build(run, format=format)}", highlight=False, soft_wrap=True)
