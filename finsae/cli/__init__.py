"""The `finsae` command: parse, call, print; no logic."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from finsae import __version__
from finsae.checks import DataError
from finsae.cli import (
    autoencoder,
    clean,
    companies,
    explore,
    fetch,
    fetch_prices,
    labels,
    probe,
    questions,
    study,
)
from finsae.cli.backtest import backtest
from finsae.cli.benchmark import benchmark
from finsae.cli.changes import changes
from finsae.cli.options import err, out
from finsae.cli.sweep import sweep
from finsae.cli.tune import tune

app = typer.Typer(
    help="Which companies are alike, and why; and whether that is worth anything.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command in (
    study.demo,
    companies.build_features,
    autoencoder.train_sae,
    companies.peers,
    companies.explain,
    benchmark,
    tune,
    questions.search,
    questions.associations,
    questions.difference,
    changes,
    labels.label,
    labels.score_labels,
    backtest,
    sweep,
    probe.probe,
    study.report,
    explore.explore,
    clean.clean_prices,
):
    app.command()(command)
fetch.app.command("prices")(fetch_prices.prices)
app.add_typer(fetch.app, name="fetch")

INTERRUPTED = 130


def main() -> None:
    """Run the command; a user's mistake is answered in one line and exit code 2."""
    try:
        app(standalone_mode=True)
    except DataError as error:
        for problem in error.problems:
            err.print(f"finsae: {problem}", highlight=False, markup=False, soft_wrap=True)
        sys.exit(2)
    except OSError as error:
        where = f'"{error.filename}": ' if error.filename else ""
        err.print(
            f"finsae: {where}{error.strerror or error}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        sys.exit(2)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:  # typer turns Ctrl-C into this, and says nothing
            words = "finsae: interrupted; finished parts are kept and will be reused"
            err.print(words, highlight=False, soft_wrap=True)
        raise


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        out.print(f"finsae {__version__}", highlight=False)
        raise typer.Exit
