"""The command that says what changed in a company between two filings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from finsae.checks import DataError
from finsae.cli.options import JsonFlag, out
from finsae.cli.shown import Shown, marked

SAID = {
    "gained": "New",
    "lost": "Gone",
    "strengthened": "Says more of",
    "weakened": "Says less of",
}


def changes(
    ticker: Annotated[str, typer.Argument(help="A company of the file.")],
    companies: Annotated[
        str | None,
        typer.Option(
            help="CSV or parquet with a row per filing: ticker, cik, accepted or date, description."
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(help="Folder of build-features --yearly; without it, --companies is read."),
    ] = None,
    since: Annotated[int | None, typer.Option(help="Year of the earlier filing.")] = None,
    until: Annotated[int | None, typer.Option(help="Year of the later filing.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Features of each kind to show.")] = 5,
    as_json: JsonFlag = False,
) -> None:
    """Show which features a company gained and lost from one filing to the next, and where."""
    from finsae import pipeline
    from finsae.config import Data, Reading
    from finsae.features import Features

    if (companies is None) == (features is None):
        raise DataError(
            "name the filings: --companies FILE with a row per filing, or --features FOLDER of "
            "finsae build-features --yearly"
        )
    if features is not None:
        panel = Features.load(features)
    else:
        universe = pipeline.open_universe(Data(companies=companies))
        panel = pipeline.build_features(universe.yearly(), Reading())
    found = pipeline.changes(panel, ticker, since=since, until=until, top=top)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for part in _shown(found, out.is_terminal):
        out.print(part, highlight=False)


def _shown(found: Mapping[str, Any], colour: bool) -> Iterator[Shown]:
    from finsae.console import escape, text_table

    legs = [found[leg] for leg in ("from", "to")]
    usual = "" if found["usual"] is None else f" (other companies: {found['usual']:.3f})"
    count = found["sentences"]
    yield (
        f"{escape(found['company'])}, filings of {legs[0]['date']} and {legs[1]['date']}: "
        f"similarity {found['similarity']:.3f}{usual}; {count['kept']} sentences kept, "
        f"{count['added']} added, {count['removed']} removed"
    )
    if not any(found[kind] for kind in SAID):
        yield "Nothing changed but wording, order or figures."
    for kind, said in SAID.items():
        if not found[kind]:
            continue
        table = text_table(f"\n{said}", "change", "id", "feature", "before", "after", "in the text")
        for row in found[kind]:
            told = row["evidence"]["after" if row["change"] > 0 else "before"]
            values = [f"{row[leg]:.2f}" for leg in ("before", "after")]
            table.add_row(
                f"{row['change']:+.3f}",
                str(row["id"]),
                escape(row["label"]),
                *values,
                marked(told, colour),
            )
        yield table
