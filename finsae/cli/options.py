"""Options that several commands share, and where commands print and write."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from finsae.checks import DataError, one_of
from finsae.config import Backtest, Data, Reading, Run, read_run
from finsae.methods import LABELS
from finsae.result import Result
from finsae.store import atomic_path, write_json

if TYPE_CHECKING:
    from finsae.features import Features

# A file or a pipe has no width of its own; tables are not folded there.
out = Console(width=None if sys.stdout.isatty() else 120)
err = Console(stderr=True)

DEFAULT = Reading()
Companies = Annotated[
    str | None,
    typer.Option(
        help="CSV or parquet: ticker, description; optional name, sic, sic_date, cik, date."
    ),
]
Prices = Annotated[
    str | None,
    typer.Option(
        help="CSV or parquet of daily closes, wide or long (date, ticker, close), a CRSP file, or "
        "monthly returns (enough for a benchmark)."
    ),
]
Events = Annotated[
    str | None, typer.Option(help="CSV of spin-offs and distributions: ticker, date, kind, factor.")
]
Folder = Annotated[
    str | None, typer.Option("--features", help="Folder of build-features; default: the sample's.")
]
Folders = Annotated[
    list[str] | None,
    typer.Option(
        "--features", help="Folder of build-features, several to compare; default: the sample's."
    ),
]
Without = Annotated[
    list[int] | None,
    typer.Option(help="Id of a feature to leave out, as if nobody had it; several times for more."),
]
Cut = Annotated[
    str | None, typer.Option(help="Last day of the past, e.g. 2013-06-30; scores use later months.")
]
Volume = Annotated[
    str | None, typer.Option(help="CSV or parquet of shares traded a day: date, ticker, volume.")
]
Factors = Annotated[
    str | None, typer.Option(help="CSV or parquet: date, then daily returns of factors.")
]
Config = Annotated[
    str | None,
    typer.Option(help="TOML file or preset name; what is written on the command line wins."),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random draw.")]
JsonFile = Annotated[str | None, typer.Option("--json", help="Also write the scores to this file.")]
OutFolder = Annotated[
    str | None, typer.Option("--out", help="Also keep the run: scores.json, and tables as parquet.")
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Model = Annotated[
    str, typer.Option(help="minilm, tfidf, a local model folder or a hub id.", show_default=True)
]
Layer = Annotated[int, typer.Option(min=1, help="Transformer block whose output is read, from 1.")]


def writable(*paths: str | None, file: str | None = None) -> None:
    """Refuse places that cannot be written to, before the work and not after it.

    Parameters
    ----------
    *paths : str or None
        Folders.
    file : str, optional
        What is to be a file.

    Raises
    ------
    DataError
        Naming each of them.
    """
    problems = []
    if file and Path(file).is_dir():
        problems.append(f'"{file}" is a folder: name a file')
    for path in (*paths, file):
        if path is None:
            continue
        if not path.strip():
            problems.append("the name of an output is empty: name a file or folder")
            continue
        if path in paths and Path(path).is_file():
            problems.append(f'"{path}" is a file: name a folder')
            continue
        folder = Path(path) if Path(path).is_dir() else Path(path).parent
        try:
            with atomic_path(folder / ".finsae"):
                pass
            (folder / ".finsae").unlink(missing_ok=True)
        except OSError as error:
            problems.append(f'cannot write to "{path}": {error.strerror or error}')
    if problems:
        raise DataError(problems)


def unread(where: str, options: Mapping[str, tuple[object, object]]) -> None:
    """Refuse options that say something where nobody reads them.

    Parameters
    ----------
    where : str
        What does not read them, as the message calls it.
    options : mapping of str to tuple
        By the option's name: what was given, and its default.

    Raises
    ------
    DataError
        Naming each of them.
    """
    given = [
        name for name, (value, default) in options.items() if (value or None) != (default or None)
    ]
    if given:
        raise DataError(f"{', '.join(given)}: not read with {where}")


def method_names(text: str) -> list[str]:
    """Read names of methods written with commas, or "all" or "main" alone.

    Raises
    ------
    DataError
        If a name is unknown, there is none, or "all" or "main" goes with others.
    """
    names = split(text)
    if not names:
        raise DataError("no method is named: write sae,sic,random, or all")
    if len(names) > 1 and {"all", "main"} & set(names):
        raise DataError(f'"{text}": all and main go alone, without other names')
    known = [name for name in LABELS if name != "placebo"]  # it stands beside whatever is traded
    return [one_of("method", name, (*known, "all", "main")) for name in names]


def configured(context: typer.Context, config: str | None) -> Run:
    """Read a run from a TOML file, if any; options on the command line win.

    Options are those of the command that have the name of a setting of [data] or [backtest].
    """
    run = read_run(config) if config else Run()
    written = {
        name: value
        for name, value in context.params.items()
        if str(getattr(context.get_parameter_source(name), "name", "")) == "COMMANDLINE"
    }

    def mine(part: Data | Backtest) -> dict[str, Any]:
        return {name: value for name, value in written.items() if hasattr(part, name)}

    return replace(
        run,
        data=replace(run.data, **mine(run.data)),
        backtest=replace(run.backtest, **mine(run.backtest)),
        seed=written.get("seed", run.seed),
    )


def split(text: str) -> list[str]:
    """Cut a list written with commas; empty parts are left out."""
    return [part.strip() for part in text.split(",") if part.strip()]


def numbers(text: str | None) -> list[float] | None:
    """Read a list of numbers written with commas; None where there is none.

    Raises
    ------
    DataError
        If a part is no number.
    """
    if text is None:
        return None
    try:
        return [float(part) for part in split(text)]
    except ValueError:
        raise DataError(f'"{text}" is no list of numbers: write 0.5,0.3,0.2') from None


def names_of(features: Features) -> dict[str, str]:
    """Name companies by ticker, where names are known."""
    table = features.companies
    if "name" not in table:
        return {}
    return {str(ticker): str(name) for ticker, name in table["name"].dropna().items()}


def finish(path: str | None, content: Mapping[str, Any]) -> None:
    """Write the scores where the user wants them as JSON."""
    if path:
        write_json(path, content)
        out.print(f"Scores: {path}", highlight=False, soft_wrap=True)


def keep(folder: str | None, result: Result) -> None:
    """Save a run where the user wants it: scores, and every table as parquet."""
    if folder:
        result.save(folder)
        names = ", ".join(f"{name}.parquet" for name in result.tables)
        out.print(f"Run: {folder} (scores.json, {names})", highlight=False, soft_wrap=True)


def write(path: str, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text)


def left_out(result: Result) -> None:
    """Say how many companies are compared, and which are not and why."""
    dropped = result.provenance.get("universe", {}).get("dropped", [])
    if dropped:
        names = ", ".join(dropped[:5]) + (", ..." if len(dropped) > 5 else "")
        err.print(f"{len(dropped):,} companies have no prices: {names}", highlight=False)
    for note in result.provenance.get("universe", {}).get("notes", []):
        err.print(note, highlight=False, markup=False)
    if "excluded" not in result.tables:
        return
    reasons = result.tables["excluded"]["reason"].str.replace(r"\d+ of", "too few of", regex=True)
    counts = reasons.value_counts().head(4)
    why = "; ".join(f"{count:,}: {reason}" for reason, count in counts.items())
    kept = result.provenance["companies"]
    line = f"{kept:,} companies compared, {len(reasons):,} left out" + (f" ({why})" if why else "")
    err.print(line, highlight=False, markup=False)
