"""The paper's protocol at the command line: clusters on the returns of their own years."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from finsae.cli.options import err, finish, keep, out
from finsae.result import Result

COLUMNS = {
    "mc": "MC as published",
    "pair_weighted": "pair-weighted",
    "coverage_adjusted": "coverage-adjusted",
    "coverage": "coverage, %",
    "population": "all pairs",
}


def benchmark_as_published(
    clusters: Sequence[str] | None,
    *,
    prices: str | None,
    events: str | None,
    seed: int,
    as_json: str | None,
    folder: str | None,
) -> None:
    """Score cluster files on the returns of their own years, and say so."""
    from finsae.pipeline.published import score_cluster_files

    result = score_cluster_files(clusters or [], prices=prices, events=events, seed=seed)
    _say_what_is_left_out(result)
    out.print(
        "The paper's protocol, contemporaneous: clusters of year y are scored on returns of year y."
        "\nIt says nothing about later returns.",
        highlight=False,
    )
    _print_scores(result.scores, result.tables["by_year"])
    keep(folder, result)
    finish(as_json, result.to_json(by_year=result.tables["by_year"]))


def _print_scores(scores: pd.DataFrame, by_year: pd.DataFrame) -> None:
    from finsae.console import escape, text_table

    counted = by_year.groupby("method", sort=False)
    totals = counted[["clusters", "companies", "pairs", "skipped_pairs"]].sum()
    years = counted["year"].agg(["count", "min", "max"])
    values = text_table(None, "clusters of", *COLUMNS.values())
    counts = text_table(
        None, "clusters of", "years", "clusters", "company-years", "pairs", "pairs skipped"
    )
    plain = scores[scores["versus"] == ""]
    for name in totals.index:
        values.add_row(escape(str(name)), *_cells(plain[plain["method"] == name]))
        count, first, last = years.loc[name]
        numbers = (f"{total:,}" for total in totals.loc[name])
        counts.add_row(escape(str(name)), f"{count} ({first}-{last})", *numbers)
    out.print(values)
    out.print(counts)
    paired = text_table(None, "difference", *list(COLUMNS.values())[:3])
    differences = scores[scores["versus"] != ""]
    for (name, versus), rows in differences.groupby(["method", "versus"], sort=False):
        other = "all pairs" if versus == "population" else versus
        paired.add_row(escape(f"{name} minus {other}"), *_cells(rows, signed=True)[:3])
    out.print(paired)
    kinds = " or ".join(scores["interval"].unique())
    err.print(f"95 % intervals, drawn with replacement: {kinds}", highlight=False)


def _cells(rows: pd.DataFrame, *, signed: bool = False) -> list[str]:
    """Write the metrics of one clustering, each with its interval."""
    from finsae.metrics import interval

    cells = []
    for metric in COLUMNS:
        for row in rows[rows["metric"] == metric].to_dict("records"):
            share = metric == "coverage"
            shown = {name: row[name] * (100 if share else 1) for name in ("value", "low", "high")}
            cells.append(interval(shown, signed=signed, digits=1 if share else 3))
    return cells


def _say_what_is_left_out(result: Result) -> None:
    """Name companies without prices and years without twelve months."""
    for name, unknown in result.provenance["without_prices"].items():
        if unknown:
            some = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
            line = f"{name}: {len(unknown):,} companies have no prices and are left out: {some}"
            err.print(line, highlight=False, markup=False, soft_wrap=True)
    for name, years in result.provenance["years_left_out"].items():
        if years:
            line = f"{name}: years without twelve monthly returns are left out: "
            err.print(line + ", ".join(map(str, years)), highlight=False, markup=False)
