"""The command that scores similarity on later returns."""

from __future__ import annotations

from typing import Annotated

import typer

from finsae.checks import one_of
from finsae.cli.options import (
    Companies,
    Cut,
    Events,
    Folders,
    JsonFile,
    OutFolder,
    Prices,
    Seed,
    finish,
    keep,
    left_out,
    method_names,
    out,
    unread,
    writable,
)
from finsae.cli.paper import benchmark_as_published
from finsae.config import Benchmark, Data, Run
from finsae.result import Result

LEVELS = (
    "peer_r2",
    "peer_correlation",
    "peer_correlation_worst_decile",
    "peer_residual_correlation",
    "hedged_variance",
    "industry_lift",
    "length_correlation",
)
GROUPED = ("mc", "pair_weighted", "coverage_adjusted", "coverage", "ari", "ami")
PAIRED = ("peer_r2", "peer_correlation")

PAPER = (
    "--protocol paper, which scores --clusters FILE on --prices FILE (by default the sample's), "
    "each year on itself"
)
WALK = "--walk-forward, which scores the methods on the year after each of its own cuts"


def benchmark(
    features: Folders = None,
    companies: Companies = None,
    prices: Prices = None,
    events: Events = None,
    cut: Cut = None,
    k: Annotated[int, typer.Option("-k", "--k", help="Peers per company.")] = Benchmark.k,
    methods: Annotated[
        str, typer.Option(help="main, all, or names with commas: sae,sic,ff48,random.")
    ] = "all",
    clusters: Annotated[
        list[str] | None, typer.Option(help="CSV of labels to score beside: ticker, label.")
    ] = None,
    walk_forward: Annotated[
        str | None,
        typer.Option(help="Cuts with commas, each scored on the year after: 2014-06-30,..."),
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="later, or paper: clusters (year, company, cluster) on their years.")
    ] = "later",
    seed: Seed = 0,
    folder: OutFolder = None,
    as_json: JsonFile = None,
) -> None:
    """Score similarity on later monthly returns, against every baseline, with intervals."""
    writable(folder, file=as_json)
    names = ",".join(method_names(methods))
    if one_of("protocol", protocol, ["later", "paper"]) == "paper":
        others = {
            "--features": (features, None),
            "--companies": (companies, None),
            "--cut": (cut, None),
            "-k": (k, Benchmark.k),
            "--methods": (names, "all"),
            "--walk-forward": (walk_forward, None),
        }
        unread(PAPER, others)
        return benchmark_as_published(
            clusters,
            prices=prices,
            events=events,
            seed=seed,
            as_json=as_json,
            folder=folder,
        )
    data = Data(companies=companies, prices=prices, events=events, cut=cut)
    run = Run(data=data, benchmark=Benchmark(k=k, methods=names), seed=seed)
    if walk_forward:
        unread(WALK, {"--cut": (cut, None), "--clusters": (clusters, None)})
        return _walk_forward(run, features, walk_forward.split(","), (folder, as_json))
    from finsae.pipeline import score_files

    result = score_files(run, features, clusters or [])
    left_out(result)
    show(result)
    keep(folder, result)
    tables = {name: result.tables[name] for name in ("periods", "cluster_sizes")}
    finish(as_json, result.to_json(**tables))


def show(result: Result) -> None:
    """Print the leaderboard of a run: levels, clusters, paired differences."""
    from finsae.cli.shown import cluster_sizes, horizons
    from finsae.console import paired_table, score_table

    for table in (
        score_table(result.scores, LEVELS[:3]),
        score_table(result.scores, LEVELS[3:]),
        horizons(result.tables["periods"], LEVELS[0]),
        score_table(result.scores, GROUPED[:4]),
        cluster_sizes(result.tables["clusters"]),
        paired_table(result.scores, PAIRED),
    ):
        out.print(table)
        out.print()
    returns = result.provenance["returns_hash"]
    out.print(
        f"95 % intervals, two-way (company and month); p is adjusted for reading all differences "
        f"at once. Returns {returns[:12]}.",
        highlight=False,
        soft_wrap=True,
    )


def _walk_forward(
    run: Run, features: list[str] | None, cuts: list[str], to: tuple[str | None, str | None]
) -> None:
    from finsae.console import paired_table, score_table
    from finsae.pipeline import walk_forward_files

    result = walk_forward_files(run, features, [cut.strip() for cut in cuts])
    out.print(score_table(result.scores, ["peer_r2"]))
    out.print()
    out.print(paired_table(result.scores, ["peer_r2"]))
    out.print(
        "The year after each cut; 95 % intervals by Newey and West over months, "
        "these companies as given."
    )
    folder, as_json = to
    keep(folder, result)
    finish(as_json, result.to_json(walk_forward=result.tables["walk_forward"]))
