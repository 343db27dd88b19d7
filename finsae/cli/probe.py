"""The command that asks whether the features are useful: sparse probing of industries."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
import typer

from finsae.cli.options import Folder, JsonFile, Seed, err, finish, out, writable
from finsae.store import plain


def probe(
    features: Folder = None,
    min_companies: Annotated[
        int, typer.Option(min=5, help="Companies that an industry needs to be asked for.")
    ] = 20,
    stress: Annotated[
        bool, typer.Option(help="Also with few companies, wrong labels and rare industries.")
    ] = True,
    splits: Annotated[int, typer.Option(min=1, help="Splits into training and test.")] = 2,
    seed: Seed = 0,
    as_json: JsonFile = None,
) -> None:
    """Ask whether industries can be read off the features better than off dense readings."""
    from finsae.pipeline.probing import probe_folder

    writable(file=as_json)
    result = probe_folder(features, least=min_companies, stress=stress, splits=splits, seed=seed)
    made, own = result.provenance, str(result.provenance["method"])
    scores = result.scores
    err.print(f"{made['companies']:,} companies, {len(made['tasks'])} industries", highlight=False)
    _print_normal(scores)
    _print_regimes(scores, own)
    _print_differences(scores, own)
    content = result.to_json(by_task=result.tables["by_task"])
    finish(as_json, {**content, "scores": plain(scores.to_dict("records"))})


def _print_normal(scores: pd.DataFrame) -> None:
    """AUC of every method with all training companies."""
    from finsae.console import escape, text_table
    from finsae.metrics import interval

    table = text_table("All training companies", "probe of", "AUC")
    values = scores[(scores["regime"] == "normal") & (scores["versus"] == "")]
    for row in values.to_dict("records"):
        table.add_row(escape(str(row["method"])), interval(_named(row)))
    out.print(table)


def _print_regimes(scores: pd.DataFrame, own: str) -> None:
    """AUC of the main methods under every regime."""
    from finsae.console import text_table

    values = scores[(scores["versus"] == "") & (scores["metric"] == "auc")]
    wide = values.pivot_table(index="regime", columns="method", values="value", sort=False)
    methods = [str(name) for name in wide]
    sparse = [name for name in methods if " k=" in name or name.endswith(" l1")]
    shown = [name for name in methods if name not in sparse or name == f"{own} k=20"]
    table = text_table("AUC by regime", "regime", *shown)
    for regime, row in wide[shown].iterrows():
        table.add_row(str(regime), *(f"{value:.3f}" for value in row))
    out.print(table)


def _print_differences(scores: pd.DataFrame, own: str) -> None:
    """Paired differences, and how many of the tasks are won."""
    from finsae.console import escape, text_table
    from finsae.metrics import interval

    table = text_table("Paired differences of AUC", "regime", "difference", "AUC", "wins, %")
    paired = scores[scores["versus"] != ""]
    kept = paired["method"].isin([own, "chosen with sae"])
    for (regime, method, versus), rows in paired[kept].groupby(
        ["regime", "method", "versus"], sort=False
    ):
        found = {str(row["metric"]): _named(row) for row in rows.to_dict("records")}
        wins = {name: 100 * found["win_share"][name] for name in ("value", "low", "high")}
        table.add_row(
            str(regime),
            escape(f"{method} minus {versus}"),
            interval(found["auc"], signed=True),
            interval(wins, digits=0),
        )
    out.print(table)


def _named(row: dict[object, object]) -> dict[str, float]:
    return {name: float(str(row[name])) for name in ("value", "low", "high")}
