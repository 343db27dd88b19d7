"""Commands that ask what is said: search, features that go together, what sets groups apart."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from finsae.checks import DataError
from finsae.cli.options import Folder, JsonFlag, names_of, out, split


def search(
    query: Annotated[str, typer.Argument(help='Such as "hydraulic fracturing services".')],
    features: Folder = None,
    k: Annotated[int, typer.Option("-k", help="Companies to show.")] = 10,
    as_json: JsonFlag = False,
) -> None:
    """Rank companies by how much they say of a query, and show what says so."""
    from finsae import pipeline
    from finsae.cli import shown

    loaded = pipeline.load_features(features)
    found = pipeline.search(loaded, query, k)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for part in shown.search(found, names_of(loaded), out.is_terminal):
        out.print(part, highlight=False)


def associations(
    feature: Annotated[
        int | None, typer.Argument(help="Id of a feature; default: the closest pairs of all.")
    ] = None,
    features: Folder = None,
    top: Annotated[int, typer.Option(min=1, help="Pairs to show.")] = 20,
    min_companies: Annotated[int, typer.Option(min=1, help="Companies that must have both.")] = 5,
    as_json: JsonFlag = False,
) -> None:
    """Show which features companies have together (normalised pointwise mutual information)."""
    from finsae.console import escape, text_table
    from finsae.explain import npmi
    from finsae.pipeline import load_features

    found = npmi(load_features(features), feature=feature, min_companies=min_companies, top=top)
    if as_json:
        typer.echo(found.to_json(orient="records", indent=1))
        return
    table = text_table(None, "npmi", "id", "feature", "have it", "id", "feature", "have it", "both")
    for row in found.to_dict("records"):
        legs = [
            cell
            for leg in ("a", "b")
            for cell in (str(row[leg]), escape(row[f"label_{leg}"]), str(row[f"companies_{leg}"]))
        ]
        table.add_row(f"{row['npmi']:.3f}", *legs, str(row["both"]))
    out.print(table)


def difference(
    a: Annotated[str, typer.Argument(help="Tickers KO,PEP,HSY, or a features folder.")],
    b: Annotated[str, typer.Argument(help="Other tickers, or a later features folder.")],
    features: Folder = None,
    top: Annotated[int, typer.Option(min=1, help="Features to show.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """Show what sets two groups of companies apart, or two years of the same companies."""
    from pathlib import Path

    from finsae.cli import shown
    from finsae.explain import difference as between
    from finsae.features import Features
    from finsae.pipeline import group_difference, load_features

    if not all(split(name) for name in (a, b)):
        raise DataError("a group is empty: name tickers, KO,PEP,HSY, or a features folder")
    folders = [Path(name).is_dir() for name in (a, b)]
    if any(folders) and (features is not None or not all(folders)):
        raise DataError("name two folders, or two groups of tickers of one folder (--features)")
    if all(folders):
        found = between(Features.load(a), Features.load(b))
    else:
        found = group_difference(load_features(features), split(a), split(b))
    if as_json:
        typer.echo(found.head(top).to_json(orient="records", indent=1))
        return
    paired = "gained" in found
    out.print(
        f"{len(found):,} features differ; log-odds are of "
        + (f"gaining ({b}) to losing ({a})" if paired else "having it in the first group"),
        highlight=False,
        markup=False,
    )
    columns = ("gained", "lost") if paired else ("first", "second")
    out.print(shown.contrast(found.head(top).to_dict("records"), *columns))
