"""Commands on companies: their features, their peers, why two are alike."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from finsae.checks import DataError
from finsae.cli.options import (
    DEFAULT,
    Companies,
    Folder,
    JsonFlag,
    Layer,
    Model,
    out,
    writable,
    write,
)
from finsae.config import Data, Reading


def build_features(
    companies: Companies = None,
    model: Model = DEFAULT.model,
    layer: Layer = DEFAULT.layer,
    sae: Annotated[
        str, typer.Option(help="demo, a folder, RELEASE/ID of SAELens, or none.")
    ] = DEFAULT.sae,
    pool: Annotated[
        str, typer.Option(help="Pooling over tokens: sum, mean, max, log1p-sum, binary.")
    ] = DEFAULT.pool,
    idf: Annotated[bool, typer.Option(help="Weight rare features up.")] = DEFAULT.idf,
    length_normalised: Annotated[
        bool, typer.Option(help="Divide sums by the number of tokens.")
    ] = DEFAULT.length_normalised,
    strongest: Annotated[
        int, typer.Option(min=0, help="Features kept per company when compared; 0: all.")
    ] = DEFAULT.strongest,
    to: Annotated[str, typer.Option("--out", help="Folder to write.")] = "reports/runs/features",
) -> None:
    """Turn company descriptions into sparse, named features."""
    from finsae.pipeline import build_features as build
    from finsae.pipeline import open_universe

    writable(to)
    reading = Reading(model, layer, sae, pool, idf, length_normalised, strongest)
    features = build(open_universe(Data(companies=companies)), reading)
    features.save(to)
    rows, columns = features.matrix.shape
    active = features.matrix.nnz / max(rows, 1)
    out.print(
        f"{rows:,} companies x {columns:,} features, {active:.0f} active per company: {to}",
        highlight=False,
        soft_wrap=True,
    )


def peers(
    ticker: Annotated[str | None, typer.Argument(help="A ticker of the features folder.")] = None,
    features: Folder = None,
    k: Annotated[int, typer.Option("-k", help="Number of peers.")] = 10,
    as_json: JsonFlag = False,
    every: Annotated[bool, typer.Option("--all", help="Peers of every company.")] = False,
    to: Annotated[
        str | None, typer.Option("--out", help="CSV for --all: ticker, rank, peer, similarity.")
    ] = None,
) -> None:
    """Show a company's nearest peers and the features that carry the similarity."""
    from finsae.console import escape, text_table
    from finsae.pipeline import all_peers, company_peers, load_features

    writable(file=to)
    loaded = load_features(features)
    if every:
        nearest = all_peers(loaded, k)
        if as_json:
            typer.echo(nearest.to_json(orient="records", indent=1))
            return
        if to:
            write(to, nearest.to_csv(index=False))
            out.print(f"{len(nearest):,} rows: {to}", highlight=False, soft_wrap=True)
        else:
            typer.echo(nearest.to_csv(index=False), nl=False)
        return
    if ticker is None:
        raise DataError("name a ticker, or give --all: finsae peers AAPL")
    found = company_peers(loaded, ticker, k)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    table = text_table(f"Peers of {ticker}", "peer", "name", "similarity", "because of")
    for peer in found["peers"]:
        because = "; ".join(feature["label"] for feature in peer["features"])
        name = str(loaded.companies["name"].get(peer["ticker"]) or "")
        table.add_row(peer["ticker"], escape(name), f"{peer['similarity']:.3f}", escape(because))
    out.print(table)


def explain(
    a: Annotated[str, typer.Argument(help="A ticker.")],
    b: Annotated[str, typer.Argument(help="Another ticker.")],
    features: Folder = None,
    top: Annotated[int, typer.Option(help="Features to show.")] = 8,
    as_json: JsonFlag = False,
) -> None:
    """Say why two companies are alike: shared features and the words behind them."""
    from finsae.console import escape, text_table
    from finsae.pipeline import explain_pair, load_features

    found = explain_pair(load_features(features), a, b, top=top)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    out.print(f"{a} and {b}: similarity {found['similarity']:.3f}", highlight=False)
    table = text_table(None, "contribution", "feature", a, b)
    for row in found["features"]:
        evidence = row["evidence"]
        table.add_row(
            f"{row['contribution']:.3f}",
            escape(row["label"]),
            escape(evidence["a"]),
            escape(evidence["b"]),
        )
    out.print(table)
