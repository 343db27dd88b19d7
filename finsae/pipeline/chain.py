"""The chain, one line per stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from finsae import benchmark, pairs
from finsae.checks import DataError
from finsae.config import Data, Reading, Run
from finsae.features import Features
from finsae.features.table import LABELS
from finsae.ledger import record_opening
from finsae.pipeline import methods, pictures
from finsae.pipeline.footing import windows
from finsae.pipeline.methods import chosen
from finsae.pipeline.reading import (
    build_features,
    features_folder,
    features_key,
    model_hash,
)
from finsae.pipeline.scoring import run_benchmark, walk_forward
from finsae.pipeline.sweeping import run_sweep
from finsae.pipeline.trading import run_backtest, run_published
from finsae.pipeline.tuning import tune
from finsae.result import Result
from finsae.sources import (
    PriceFile,
    open_prices,
    read_factors,
    read_labels,
    read_universe,
    read_volume,
    sample,
)
from finsae.store import alone, cache_dir, hash_file, hash_frame, hash_texts, key
from finsae.universe import Universe

LEDGER = "ledger.jsonl"  # in the cache folder: what this user has tried
VERSION = 4  # raised when a run of the same parts changes
STAGES = {
    "methods": methods.VERSION,
    "benchmark": benchmark.VERSION,
    "pairs": pairs.VERSION,
    "pictures": pictures.VERSION,
}
"""Versions of the stages of which a run is made."""


def run(config: Run | None = None) -> Result:
    """Run the main job: universe, features, benchmark, backtest, and what the report draws.

    Parameters
    ----------
    config : Run, optional
        By default the bundled sample with every default.

    Returns
    -------
    Result
        All scores and tables; `finsae.report.build` draws them after `Result.save`. A run that has
        been made before is found again.
    """
    config = config or Run()
    universe = open_universe(config.data)
    folder = cache_dir() / "runs" / run_key(config, universe)
    with alone(folder):  # of two processes that want the same run, the second finds the first's
        if not (folder / "scores.json").is_file():
            _run(universe, config).save(folder)
    return Result.load(folder)


def run_key(config: Run, universe: Universe) -> str:
    """Name a run by its settings, its universe, its features, and the versions of its stages.

    Raises
    ------
    DataError
        If the dates are impossible, which is so said before any text is read.
    """
    past = universe.cut(windows(universe, config).cut).past
    sentences = "minilm" if config.reading.model == "tfidf" else config.reading.model
    inputs = [
        hash_texts(universe.companies.astype(str).to_csv().splitlines()),
        hash_frame(universe.prices),
        hash_frame(past.prices),  # mended from themselves alone
        hash_frame(universe.repairs.astype(str)),
        str(sorted(universe.provenance.items(), key=str)),
        *(features_key(universe, reading) for reading in readings_of(config)),
        model_hash(sentences),
    ]
    labels = [features_folder(universe, reading) / LABELS for reading in readings_of(config)]
    inputs += [hash_file(file) for file in labels if file.is_file()]  # what the pictures name
    inputs += [hash_file(file) for file in (config.data.volume, config.data.factors) if file]
    return key({**asdict(config), "stages": STAGES}, inputs, VERSION)


def readings_of(config: Run) -> list[Reading]:
    """List how a run reads the descriptions: as the user says, and by groups of layers beside."""
    second = [replace(config.reading, sae=config.group.sae)] if config.group.sae else []
    return [config.reading, *second]


def _run(universe: Universe, config: Run) -> Result:
    features: dict[str, Features] = {}
    given = beside(config.data)
    for reading in readings_of(config):
        features |= methods.readings(build_features(universe, reading))
    scored = run_benchmark(universe, features, config)
    traded = run_backtest(
        universe, features, config, ledger=cache_dir() / LEDGER, **given._asdict()
    )
    first = next(iter(features.values()))
    drawn = pictures.pictures(universe, first, scored, seed=config.seed)
    scores = pd.concat([scored.scores, traded.scores], ignore_index=True)
    tables = {**scored.tables, **traded.tables, **drawn}
    return Result(scores, tables, {**scored.provenance, "warnings": traded.provenance["warnings"]})


def open_universe(data: Data, features: Features | None = None) -> Universe:
    """Open the companies and prices that a run names; of several filings, those known at its cut.

    Parameters
    ----------
    data : Data
        Files; without companies, those of `features`, and without these, the bundled sample.
    features : Features, optional
        Their companies are used, with the prices of `data`, or the sample's if they are its.

    Raises
    ------
    DataError
        If the files cannot be used, or features of the user's own come without prices.
    """
    prices = PriceFile(data.prices, data.currency, data.zone) if data.prices else None
    if data.companies:
        universe = read_universe(data.companies, prices, events=data.events)
        several = universe.filings is not None and data.cut is not None
        return universe.described(str(data.cut)) if several else universe
    if prices is not None and features is not None:
        priced = open_prices(prices, events=data.events)
        made: dict[str, object] = {"source": "files", "prices": hash_file(prices.path)}
        if data.events:
            made["events"] = hash_file(data.events)
        read = features.provenance.get("universe", {})
        if "cut" in read:  # the day by which the descriptions were known, whatever the prices
            made["cut"] = read["cut"]
        return priced.universe(features.companies, made)
    if prices is not None:
        raise DataError("--prices without --companies or --features: whose prices are they?")
    if features is not None and features.provenance.get("universe", {}).get("source") != "sample":
        raise DataError("these features are not the bundled sample's: give --prices FILE")
    return sample()


class Beside(NamedTuple):
    """Tables that a backtest reads beside the prices."""

    factors: pd.DataFrame | None
    volume: pd.DataFrame | None


def beside(data: Data) -> Beside:
    """Open the files of factors and volumes that a run names."""
    return Beside(
        read_factors(data.factors) if data.factors else None,
        read_volume(data.volume) if data.volume else None,
    )


def open_inputs(
    run: Run, folders: str | Path | Sequence[str | Path] | None
) -> tuple[Universe, methods.Readings]:
    """Open the universe and the features of a run; without a folder, features are built.

    Raises
    ------
    DataError
        If two folders hold features that are the same method.
    """
    named = [folders] if isinstance(folders, (str, Path)) else list(folders or [])
    found: dict[str, Features] = {}
    for folder in named:
        features = Features.load(folder)
        (name,) = methods.readings(features)
        if name in found:
            raise DataError(
                f'"{folder}" holds features called {name}, and so does another folder: compare '
                "them in two runs"
            )
        found[name] = features
    universe = open_universe(run.data, next(iter(found.values()), None))
    return universe, found or methods.readings(build_features(universe, run.reading))


def load_features(folder: str | Path | None) -> Features:
    """Open a features folder; without one, the bundled sample's, built when first asked for."""
    return Features.load(folder) if folder else build_features(sample(), Reading())


def score_files(
    run: Run, folder: str | Path | Sequence[str | Path] | None, labels: Sequence[str | Path]
) -> Result:
    """Benchmark a features folder, and label files beside it."""
    universe, features = open_inputs(run, folder)
    names = [Path(path).stem for path in labels]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise DataError(f"two label files are named {', '.join(twice)}: rename one")
    named = {name: read_labels(path) for name, path in zip(names, labels, strict=True)}
    return run_benchmark(universe, features, run, labels=named)


def walk_forward_files(
    run: Run, folder: str | Path | Sequence[str | Path] | None, cuts: Sequence[str]
) -> Result:
    """Benchmark a features folder on the year after each of several cuts."""
    universe, features = open_inputs(run, folder)
    return walk_forward(universe, features, run, cuts=cuts)


def tune_files(
    run: Run,
    folders: str | Path | Sequence[str | Path] | None,
    cuts: Sequence[str] | None,
    *,
    ledger: str | Path | None = None,
) -> tuple[Result, int]:
    """Tune on features folders, by the folders' names; with a ledger, open the time after the cut.

    Returns
    -------
    Result
    int
        Configurations that the ledger knows on these returns; 0 without one.
    """
    named = [folders] if isinstance(folders, (str, Path)) else list(folders or [])
    found = {Path(folder).name: Features.load(folder) for folder in named}
    if len(found) < len(named):
        raise DataError("two features folders have the same name: rename one")
    universe = open_universe(run.data, next(iter(found.values()), None))
    found = found or {"demo": build_features(universe, run.reading)}
    result = tune(universe, found, run, cuts=cuts, opened=ledger is not None)
    if ledger is None:
        return result, 0
    made = result.provenance
    settings = {
        "choices": result.tables["choices"].to_dict("records"),
        "cut": made["cut"],
        "k": run.benchmark.k,
        "features": {name: features.provenance.get("reading") for name, features in found.items()},
    }
    plain = result.scores[(result.scores["versus"] == "")]
    outcome = {f"{row.method}: {row.metric}": row.value for row in plain.itertuples()}
    data = str(made["returns_hash"])
    return result, record_opening(ledger, data, settings=settings, outcome=outcome)


def trade_files(
    run: Run,
    folder: str | Path | Sequence[str | Path] | None,
    methods: Sequence[str] | None = None,
    *,
    protocol: str = "honest",
    ledger: str | Path | None = None,
) -> Result:
    """Backtest methods on a features folder; without any named, the features' own.

    "all" and "main" are those of the benchmark but random pairs, which the placebo draws.
    Random pairs stand beside them as the placebo; every configuration is noted in the ledger, by
    default the user's own in the cache folder.
    """
    given = beside(run.data)
    universe, features = open_inputs(run, folder)
    names = list(methods) if methods else [next(iter(features))]
    if names in (["all"], ["main"]):
        every = chosen(names[0], features, coded=True)
        names = [name for name in every if name != "random"]
    if protocol != "honest":
        return run_published(universe, features, run, protocol=protocol, methods=names)
    return run_backtest(
        universe,
        features,
        run,
        methods=names,
        ledger=ledger or cache_dir() / LEDGER,
        **given._asdict(),
    )


def sweep_files(
    run: Run,
    folder: str | Path | Sequence[str | Path] | None,
    methods: Sequence[str] | None = None,
    *,
    grid: Mapping[str, Sequence[object]],
    ledger: str | Path | None = None,
) -> Result:
    """Sweep a grid of settings on a features folder; the ledger is that of `trade_files`."""
    given = beside(run.data)
    universe, features = open_inputs(run, folder)
    return run_sweep(
        universe,
        features,
        run,
        grid=grid,
        methods=list(methods) if methods else [next(iter(features))],
        ledger=ledger or cache_dir() / LEDGER,
        volume=given.volume,
    )
