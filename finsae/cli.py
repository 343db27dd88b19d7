"""The `finsae` command: parse, call, print; no logic."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from finsae import __version__
from finsae.checks import DataError, one_of
from finsae.config import Autoencoder, Backtest, Benchmark, Data, Reading, Run, read_run
from finsae.methods import LABELS
from finsae.store import atomic_path, write_json

app = typer.Typer(
    help="Which companies are alike, and why; and whether that is worth anything.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
# A file or a pipe has no width of its own; tables are not folded there.
out = Console(width=None if sys.stdout.isatty() else 120)
err = Console(stderr=True)

if TYPE_CHECKING:
    from finsae.result import Result

DEFAULT = Reading()
Companies = Annotated[
    str | None,
    typer.Option(help="CSV or parquet: ticker, description; optional name, sic, cik, date."),
]
Prices = Annotated[
    str | None,
    typer.Option(help="CSV or parquet of daily closes, wide or long (date, ticker, close)."),
]
Events = Annotated[
    str | None, typer.Option(help="CSV of spin-offs and distributions: ticker, date, kind, factor.")
]
Folder = Annotated[
    str | None, typer.Option("--features", help="Folder of build-features; default: the sample's.")
]
Cut = Annotated[
    str | None, typer.Option(help="Last day of the past, e.g. 2013-06-30; scores use later months.")
]
Seed = Annotated[int, typer.Option(help="Seed of every random draw.")]
JsonFile = Annotated[str | None, typer.Option("--json", help="Also write the scores to this file.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Model = Annotated[
    str, typer.Option(help="minilm, tfidf, a local model folder or a hub id.", show_default=True)
]
Layer = Annotated[int, typer.Option(help="Transformer block whose output is read, from 1.")]


def main() -> None:
    """Run the command; a user's mistake is answered in one line and exit code 2."""
    try:
        app(standalone_mode=True)
    except DataError as error:
        for problem in error.problems:
            err.print(f"finsae: {problem}", highlight=False, markup=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        err.print(
            "finsae: interrupted; finished parts are kept and will be reused", highlight=False
        )
        sys.exit(130)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        out.print(f"finsae {__version__}", highlight=False)
        raise typer.Exit


@app.command()
def demo(
    to: Annotated[str, typer.Option("--out", help="Folder of the report.")] = "reports/demo",
    config: Annotated[str, typer.Option(help="TOML file or preset name.")] = "demo",
) -> None:
    """Run the whole chain on the bundled sample and write a report."""
    from finsae.console import score_table
    from finsae.pipeline import run
    from finsae.report import build
    from finsae.report.summary import summary_lines

    result = run(read_run(config))
    result.save(to)
    page = build(to)
    out.print(score_table(result.scores, ["peer_correlation", "sharpe_net"]))
    for line in summary_lines(result.scores, result.provenance):
        out.print(line, highlight=False, markup=False)
    out.print(f"Report: {page}", highlight=False, soft_wrap=True)


@app.command()
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
    to: Annotated[str, typer.Option("--out", help="Folder to write.")] = "reports/runs/features",
) -> None:
    """Turn company descriptions into sparse, named features."""
    from finsae.pipeline import build_features as build
    from finsae.pipeline import open_universe

    reading = Reading(model, layer, sae, pool, idf, length_normalised)
    features = build(open_universe(Data(companies=companies)), reading)
    features.save(to)
    rows, columns = features.matrix.shape
    active = features.matrix.nnz / max(rows, 1)
    out.print(
        f"{rows:,} companies x {columns:,} features, {active:.0f} active per company: {to}",
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def train_sae(
    companies: Companies = None,
    texts: Annotated[
        str | None, typer.Option(help="CSV or parquet with a description column, or .txt lines.")
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="File whose companies (by name or text) are left out; repeatable."),
    ] = None,
    model: Model = DEFAULT.model,
    layer: Layer = DEFAULT.layer,
    latents: Annotated[int, typer.Option(help="Number of latents.")] = Autoencoder.latents,
    k: Annotated[int, typer.Option("--k", help="Active latents per token.")] = Autoencoder.k,
    epochs: Annotated[float, typer.Option(help="Passes over the tokens.")] = Autoencoder.epochs,
    max_texts: Annotated[
        int | None, typer.Option(help="Train on so many texts, drawn at random; default: all.")
    ] = None,
    dtype: Annotated[
        str, typer.Option(help="Of the saved weights: float32 or float16.")
    ] = Autoencoder.dtype,
    seed: Seed = 0,
    to: Annotated[str, typer.Option("--out", help="Folder to write.")] = "reports/runs/sae",
) -> None:
    """Train a sparse autoencoder on the activations of one layer."""
    from finsae.pipeline import train_sae as train

    if companies and texts:
        raise DataError("give --companies or --texts, not both")
    card = train(
        companies or texts,
        exclude or [],
        reading=Reading(model=model, layer=layer),
        autoencoder=Autoencoder(latents, k, epochs, max_texts, dtype, seed),
        out=to,
    )
    out.print(card, highlight=False, markup=False)
    out.print(f"Autoencoder: {to}", highlight=False, soft_wrap=True)


@app.command()
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

    loaded = load_features(features)
    if every:
        nearest = all_peers(loaded, k)
        if to:
            _write(to, nearest.to_csv(index=False))
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


@app.command()
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
            row["label"],
            escape(evidence["a"]),
            escape(evidence["b"]),
        )
    out.print(table)


@app.command()
def benchmark(
    features: Folder = None,
    companies: Companies = None,
    prices: Prices = None,
    events: Events = None,
    cut: Cut = None,
    k: Annotated[int, typer.Option("-k", "--k", help="Peers per company.")] = Benchmark.k,
    clusters: Annotated[
        list[str] | None, typer.Option(help="CSV of labels to score beside: ticker, label.")
    ] = None,
    seed: Seed = 0,
    as_json: JsonFile = None,
) -> None:
    """Score similarity on later monthly returns, against every baseline, with intervals."""
    from finsae.console import score_table
    from finsae.pipeline import score_files

    data = Data(companies=companies, prices=prices, events=events, cut=cut)
    settings = Run(data=data, benchmark=Benchmark(k=k), seed=seed)
    result = score_files(settings, features, clusters or [])
    _left_out(result)
    out.print(score_table(result.scores, ["peer_correlation", "mc", "pair_weighted", "coverage"]))
    _finish(as_json, result.to_json())


@app.command()
def backtest(
    method: Annotated[
        str | None,
        typer.Option(help=f"One of {', '.join(LABELS)}; by default what the features are."),
    ] = None,
    features: Folder = None,
    companies: Companies = None,
    prices: Prices = None,
    events: Events = None,
    formation: Annotated[
        str | None, typer.Option(help="START:END, e.g. 2011-07-01:2013-06-30.")
    ] = None,
    trade: Annotated[str | None, typer.Option(help="START:END.")] = None,
    cost_bps: Annotated[
        float, typer.Option(help="Cost per leg per side, basis points.")
    ] = Backtest.cost_bps,
    seed: Seed = 0,
    as_json: JsonFile = None,
) -> None:
    """Trade the most cointegrated of a method's most similar pairs, after costs."""
    from finsae.console import score_table
    from finsae.pipeline import trade_files

    if method is not None:
        one_of("method", method, LABELS)
    data = Data(companies, prices, events, formation=formation, trade=trade)
    settings = Run(data=data, backtest=Backtest(cost_bps=cost_bps), seed=seed)
    result = trade_files(settings, features, method)
    _left_out(result)
    out.print(score_table(result.scores, ["sharpe_net", "sharpe_gross", "return_annual", "trades"]))
    _finish(
        as_json, result.to_json(returns=result.tables["returns"], trades=result.tables["trades"])
    )


@app.command()
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


def _finish(path: str | None, content: dict[str, object]) -> None:
    if path:
        write_json(path, content)
        out.print(f"Scores: {path}", highlight=False, soft_wrap=True)


def _write(path: str, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text)
