"""A run folder to one self-contained page: no network, no second file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from finsae.report import (
    companies,
    findings,
    health,
    hedging,
    money,
    pair,
    record,
    sheet,
)
from finsae.report.explorer import explorer
from finsae.report.parts import FILTERS, Figure, Row, Section, Table, packed
from finsae.result import Result
from finsae.store import atomic_path, plain

MANY = 100  # places along x from which on a list is worth sharing
SECTIONS = (
    findings.summary,
    record.data_card,
    findings.leaderboard,
    hedging.hedging,
    companies.company_map,
    companies.heat,
    companies.clusters,
    pair.pair,
    health.health,
    money.walk,
    money.backtest,
    sheet.tear_sheet,
    record.limits,
    record.provenance,
)


def build(run_folder: str | Path) -> Path:
    """Draw a run's report from its tables alone.

    Parameters
    ----------
    run_folder : str or Path
        What `finsae demo` wrote: ``scores.json`` and parquet tables. A table that is missing makes
        its section say so.

    Returns
    -------
    Path
        ``index.html`` in the run folder, written atomically.

    Raises
    ------
    DataError
        If the folder holds no run.
    """
    page = render(Result.load(run_folder))
    target = Path(run_folder) / "index.html"
    with atomic_path(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return target


def render(result: Result, *, paper: bool = False) -> str:
    """Return the page. The same result gives the same text: nothing reads a clock.

    Parameters
    ----------
    result : Result
    paper : bool
        Whether it is to be printed by `finsae.report.pdf`: figures are drawn in it as SVG, there
        is a contents list, and no script.
    """
    sections = [section(result) for section in SECTIONS]
    screen: dict[str, Any] = {}
    if not paper:
        data = {**_data(sections), "companies": companies.cards(result)}
        text = json.dumps(plain(data), separators=(",", ":"), allow_nan=False)
        screen = {"data": packed(text), "plotly": _plotly()}
    return _template().render(
        title="Which companies are alike, and is it worth anything?",
        byline=_byline(result),
        sections=sections,
        paper=paper,
        explorer=None if paper else explorer(result),
        **screen,
        **_assets(),
    )


@cache
def _plotly() -> str:
    """Return what draws the figures: 4.7 MB of script, 1.9 when packed."""
    return packed(get_plotlyjs())


def _data(sections: Sequence[Section]) -> dict[str, Any]:
    """Collect what the page's script draws and saves."""
    parts = [part for section in sections for part in section.parts]
    figures = [part for part in parts if isinstance(part, Figure)]
    figures += [drawn for part in parts if isinstance(part, Row) for drawn in part.figures]
    specs = {drawn.id: drawn.specs for drawn in figures}
    return {
        "days": _shared_days(specs),
        "figures": specs,
        "tables": {part.id: part.csv for part in parts if isinstance(part, Table)},
    }


def _shared_days(figures: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[list[str]]:
    """Keep each list of days once: a curve's ``x`` becomes its number in the list returned."""
    found: dict[tuple[str, ...], int] = {}
    for trace in (trace for specs in figures.values() for spec in specs for trace in spec["data"]):
        x = trace.get("x")
        if trace["type"] == "scatter" and isinstance(x, list) and len(x) > MANY:
            trace["x"] = found.setdefault(tuple(x), len(found))
    return [list(days) for days in found]


def _byline(result: Result) -> list[str]:
    facts = result.provenance
    companies_known = result.tables.get("companies")
    entries = {
        "{} companies": None if companies_known is None else len(companies_known),
        "cut {}": record.find(facts, "cut"),
        "finsae {}": facts.get("finsae"),
        "commit {}": facts.get("commit"),
        "run of {}": facts.get("made"),
    }
    return [words.format(value) for words, value in entries.items() if value]


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("finsae.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment.get_template("report.html.j2")


@cache
def _assets() -> dict[str, Markup]:
    folder = files("finsae.report").joinpath("templates")
    named = {
        "css": ("report.css",),
        "paper_css": ("paper.css",),
        "script": ("unpack.js", "report.js"),
    }
    return {
        name: Markup("".join(folder.joinpath(file).read_text(encoding="utf-8") for file in parts))
        for name, parts in named.items()
    }
