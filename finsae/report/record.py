"""What a run was made of: its data, its provenance, how to make it again, and its limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from finsae.config import Run, read_run
from finsae.report.parts import Commands, Facts, Part, Section, Words, table
from finsae.result import Result

LIMITS = (
    "One cut date, one universe, one text per company: the intervals say what other firms and "
    "months of the same kind would have given, not what another decade would.",
    "The language model was trained years after the cut on text of all dates. It may know how a "
    "company or an industry fared; the description is dated, the reader of it is not.",
    "Returns are of prices alone unless the data card says otherwise: dividends, {}taxes and "
    "market impact are not in the backtest, and without volumes nothing is said about capacity.{}",
    "The benchmark asks for returns on both sides of the cut, so it is about companies that stayed "
    "listed; the backtest asks for those before the cut only.",
    "Hedges are of monthly returns with equal weights and one hedge ratio; their trading and "
    "borrowing costs are not counted.",
    "Not in this run: other cuts (finsae benchmark --walk-forward), other universes, weights of "
    "peers learnt from returns, daily hedges.",
)

UNCORRECTED = (
    "Pairs are traded whether or not their cointegration survives a correction for the number of "
    "tests; the estimate of false discoveries is shown beside, and is often large."
)

MADE_BY = {
    "Text model": "model",
    "Model hash": "model_hash",
    "Layer": "layer",
    "Autoencoder": "sae",
    "Autoencoder's weights, sha256": "autoencoder_hash",
    "Pooling": "pool",
    "Seed": "seed",
    "finsae": "finsae",
    "Commit": "commit",
    "Python": "python",
    "Made": "made",
}
"""What the page shows of the provenance without unfolding it, and under which name it is kept."""


def find(facts: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - any JSON value
    """Look a fact up by its name, also inside nested parts; None where it is not there."""
    if name in facts:
        return facts[name]
    nested = (find(part, name) for part in facts.values() if isinstance(part, Mapping))
    return next((found for found in nested if found is not None), None)


def data_card(result: Result) -> Section:
    """Say which companies and dates the numbers are about, and what was repaired."""
    facts, companies = result.provenance, result.tables.get("companies")
    universe = _universe(facts)
    known = {
        "Universe": universe.get("name") or universe.get("source"),
        "Companies": None if companies is None else f"{len(companies):,}",
        "Cut": find(facts, "cut"),
        "Formation window": _window(find(facts, "formation")),
        "Trading window": _window(find(facts, "trade")),
        "Months scored": find(facts, "months_after_cut"),
        "Peers per company": find(facts, "k"),
        "Text model": find(facts, "model"),
        "Returns": universe.get("returns"),
    }
    parts: list[Part] = [
        Facts([(term, str(value)) for term, value in known.items() if value is not None]),
        Words([_survivorship(universe)]),
    ]
    repairs = result.tables.get("repairs")
    if repairs is None or repairs.empty:
        parts.append(Words(["No log of price repairs came with this run."]))
    else:
        parts.append(table("repairs", repair_counts(repairs), "Log of price hygiene", data=repairs))
    excluded = result.tables.get("excluded")
    if excluded is not None and len(excluded):
        caption = f"Left out of the comparison: {len(excluded):,} companies"
        shown = excluded.rename(columns={"ticker": "Ticker", "reason": "Reason"})
        parts.append(table("excluded", shown, caption, data=excluded, folded=True))
    return Section("data", "The data", parts)


def repair_counts(repairs: pd.DataFrame) -> pd.DataFrame:
    """Count the entries of the price hygiene's log by kind, with an example of each."""
    groups = repairs.groupby("kind", sort=True)
    counts = groups.agg(
        Entries=("ticker", "size"), Companies=("ticker", "nunique"), Example=("action", "first")
    )
    counts.insert(0, "Kind", [str(kind).replace("_", " ") for kind in counts.index])
    return counts


def provenance(result: Result) -> Section:
    """Say what made the run and how to make it again; every recorded fact is in the table."""
    facts = result.provenance
    known = [(term, find(facts, name)) for term, name in MADE_BY.items()]
    every = pd.DataFrame(_flat(facts), columns=["Fact", "Value"])
    return Section(
        "provenance",
        "Provenance and reproduction",
        [
            Facts([(term, str(value)) for term, value in known if value is not None]),
            Words(["To make this run again:"]),
            Commands(_commands(facts)),
            table("provenance", every, f"All {len(every)} recorded facts", folded=True),
        ],
    )


def limits(result: Result) -> Section:
    """Say what was not done and what the numbers cannot show."""
    terms = (result.provenance.get("run") or {}).get("backtest") or {}
    borrow = float(terms.get("borrow_bps") or 0)
    unpaid = "" if borrow else "the cost of borrowing shares, "
    flat = (
        f" Borrowing costs {borrow:g} basis points a year for every share; those that are hard to "
        "borrow cost more."
    )
    lines = [line.format(unpaid, flat if borrow else "") for line in LIMITS]
    if terms.get("selector") != "fdr":
        lines.append(UNCORRECTED)
    return Section("limits", "Limits, and what was not done", [Words(lines, listed=True)])


def _universe(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    found = facts.get("universe")
    return found if isinstance(found, Mapping) else {}


def _commands(facts: Mapping[str, Any]) -> list[str]:
    commit = str(facts.get("commit") or "")
    checkout = [f"git checkout {commit}"] if commit and not commit.endswith("+") else []
    run = facts.get("run") or {}
    if not _chosen(run, asdict(read_run("demo"))):
        return [*checkout, "finsae demo --out reports/demo"]
    # a file of the user's starts from the defaults, not from the preset
    made = ["cat > run.toml <<'END'", *_chosen(run, asdict(Run())), "END"]
    return [*checkout, *made, "finsae demo --config run.toml --out reports/run"]


def _chosen(run: Mapping[str, Any], preset: Mapping[str, Any]) -> list[str]:
    """Write as TOML what a run has otherwise than `preset`."""
    other = {
        name: value
        for name, value in run.items()
        if not isinstance(value, Mapping) and value != preset.get(name)
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in other.items()]
    for name, part in run.items():
        if isinstance(part, Mapping) and (found := _chosen(part, preset.get(name, {}))):
            lines += [f"[{name}]", *found]
    return lines


def _survivorship(universe: Mapping[str, Any]) -> str:
    if universe.get("survivorship"):
        return f"Survivorship: {universe['survivorship']}"
    return (
        "Survivorship: nothing was recorded. Unless the list of companies was drawn up at the cut, "
        "assume that it holds survivors only, which flatters every method."
    )


def _window(value: Any) -> str | None:  # noqa: ANN401 - text, or its two ends
    if isinstance(value, (list, tuple)) and len(value) == 2:
        return f"{value[0]} to {value[1]}"
    return None if value is None else str(value).replace(":", " to ")


def _flat(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    items: list[tuple[str, str]] = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            items += _flat(value, f"{prefix}{name} · ")
        elif value not in (None, "", []):
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            items.append((f"{prefix}{name}", text))
    return items
