"""Commands on companies: their features, their peers, why two are alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from finsae.checks import DataError
from finsae.cli.options import (
    DEFAULT,
    Companies,
    Folder,
    JsonFlag,
    Layer,
    Model,
    Without,
    names_of,
    numbers,
    out,
    split,
    writable,
    write,
)
from finsae.config import Data, Reading

if TYPE_CHECKING:
    import pandas as pd

    from finsae.features import Features

FEW = 5  # features of an axis that can be shared by chance


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
    as_of: Annotated[
        str | None,
        typer.Option(help="Of several filings per company, the last known at this date."),
    ] = None,
    yearly: Annotated[
        bool, typer.Option("--yearly", help="One row per company and year, from all its filings.")
    ] = False,
    to: Annotated[str, typer.Option("--out", help="Folder to write.")] = "reports/runs/features",
) -> None:
    """Turn company descriptions into sparse, named features."""
    from finsae.pipeline import build_features as build
    from finsae.pipeline import open_universe

    writable(to)
    if as_of and yearly:
        raise DataError("--as-of is one filing per company, --yearly all of them: ask for one")
    reading = Reading(model, layer, sae, pool, idf, length_normalised, strongest)
    universe = open_universe(Data(companies=companies, cut=as_of))
    features = build(universe.yearly() if yearly else universe, reading)
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
    on: Annotated[
        str | None, typer.Option(help='Only by what the words say: --on "distribution".')
    ] = None,
    basket: Annotated[
        str | None, typer.Option(help="Peers of several companies at once: KO,PEP,HSY.")
    ] = None,
    weights: Annotated[str | None, typer.Option(help="Of the basket: 0.5,0.3,0.2.")] = None,
    without: Without = None,
    as_json: JsonFlag = False,
    every: Annotated[bool, typer.Option("--all", help="Peers of every company.")] = False,
    to: Annotated[
        str | None, typer.Option("--out", help="CSV for --all: ticker, rank, peer, similarity.")
    ] = None,
) -> None:
    """Show a company's or a basket's nearest peers and the features that carry the similarity."""
    from finsae import pipeline

    writable(file=to)
    _one_question(ticker=ticker, basket=basket, every=every)
    if weights is not None and basket is None:
        raise DataError("--weights are of a --basket: name one")
    if (on is not None or without) and (basket is not None or every):
        raise DataError("--on and --without go with a ticker, not with --basket or --all")
    if on is not None and without:
        raise DataError("--on and --without are two questions: ask one at a time")
    loaded = pipeline.load_features(features)
    if every:
        _all_peers(pipeline.all_peers(loaded, k), as_json, to)
        return
    if basket is not None:
        found = pipeline.basket_peers(loaded, split(basket), numbers(weights), k)
        title = f"Peers of {', '.join(found['basket'])} together"
    elif on is not None:
        found = pipeline.axis_peers(loaded, str(ticker), on, k)
        title = f'Peers of {ticker} on "{on}"'
    else:
        found = pipeline.company_peers(loaded, str(ticker), k, without=without or ())
        title = f"Peers of {ticker}" + (" without these features" if without else "")
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    _show_peers(title, found, loaded)


def _one_question(**asked: str | bool | None) -> None:
    given = [name for name, value in asked.items() if value]
    if len(given) != 1:
        raise DataError("name a ticker, or give --basket or --all, one of them: finsae peers AAPL")


def _all_peers(nearest: pd.DataFrame, as_json: bool, to: str | None) -> None:
    if as_json:
        typer.echo(nearest.to_json(orient="records", indent=1))
    elif to:
        write(to, nearest.to_csv(index=False))
        out.print(f"{len(nearest):,} rows: {to}", highlight=False, soft_wrap=True)
    else:
        typer.echo(nearest.to_csv(index=False), nl=False)


def _show_peers(title: str, found: dict[str, Any], loaded: Features) -> None:
    from finsae.cli import shown

    out.print(shown.peers(title, found["peers"], names_of(loaded)))
    if "axis" in found:
        labels = "; ".join(shown.labels(found["axis"])[:8])
        line = (
            f"{found['ticker']} has {len(found['axis'])} of the {found['of']} features of this axis"
        )
        out.print(f"{line}: {labels}", highlight=False, markup=False)
        if len(found["axis"]) < FEW:
            out.print("So few say little: choose words that its text uses.", highlight=False)


def explain(
    a: Annotated[str | None, typer.Argument(help="A ticker.")] = None,
    b: Annotated[str | None, typer.Argument(help="Another ticker.")] = None,
    features: Folder = None,
    top: Annotated[int, typer.Option(help="Features to show.")] = 8,
    without: Without = None,
    cluster: Annotated[
        str | None, typer.Option(help="Why a cluster: its label, or a ticker in it.")
    ] = None,
    clusters: Annotated[
        str | None,
        typer.Option(help="CSV of labels: ticker, label; default: clustered by the features."),
    ] = None,
    to: Annotated[str | None, typer.Option("--html", help="Write a pair as a page.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say why two companies are alike, or why a cluster is one, and the words behind it."""
    from finsae import pipeline
    from finsae.cli import shown

    writable(file=to)
    pair = a is not None and b is not None
    if pair == (cluster is not None) or (a is not None) != (b is not None):
        raise DataError("name two tickers, or a cluster: finsae explain KO PEP")
    if (not pair and (without or to)) or (pair and clusters):
        raise DataError("--without and --html go with a pair, --clusters with --cluster")
    loaded = pipeline.load_features(features)
    if cluster is not None:
        from finsae.sources import read_labels

        labels = read_labels(clusters) if clusters else None
        found = pipeline.why_cluster(loaded, cluster, labels=labels, top=top)
        parts = shown.cluster(found, out.is_terminal)
    else:
        found = pipeline.explain_pair(loaded, str(a), str(b), top=top, without=without or ())
        parts = shown.pair(found, out.is_terminal)
    if to:
        from finsae.report.pair import page

        write(to, page(found, names_of(loaded)))
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for part in parts:
        out.print(part, highlight=False)
    if to:
        out.print(f"Page: {to}", highlight=False, soft_wrap=True)
