"""What a run found: scores, the tables behind them, and how they were made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from finsae.artefact import SEAL, check_seal, reading, replacing, seal
from finsae.checks import DataError
from finsae.markup import Cell, Grid, Shown, View
from finsae.methods import in_order, label
from finsae.metrics import METRICS, Metric, interval, known
from finsae.store import DAMAGED, alone, parse_object, plain, readable, write_json, write_table

SCORE_COLUMNS = ("method", "metric", "value", "low", "high", "n", "interval", "versus")

SCHEMA = 1  # raised when the files of a run, or what they hold, change
SCORES = "scores.json"

SUSPICIOUS = 3.0
"""A Sharpe ratio of a daily pairs book beyond which an error is likelier than an opportunity."""

FIRST = (
    "peer_r2", "peer_correlation", "sharpe_net", "coverage_adjusted", "hedged_variance",
    "sharpe_gross", "return_annual", "placebo_percentile",
)  # fmt: skip
"""Metrics that a notebook shows before others."""
COLUMNS = 4


@dataclass(frozen=True)
class Result(Shown):
    """A run's outcome.

    Attributes
    ----------
    scores : DataFrame
        ``method, metric, value, low, high, n, interval, versus``; `interval` names the resampling,
        `versus` the method a paired difference is taken against (empty for a plain score).
    tables : mapping of str to DataFrame
        The tables behind the scores; the report is drawn from them alone.
    provenance : mapping
        How it was made.
    """

    scores: pd.DataFrame
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self, **extra: pd.DataFrame) -> dict[str, Any]:
        """Return the scores and the provenance, and further tables by name, as JSON values."""
        tables = {"scores": self.scores[list(SCORE_COLUMNS)], **extra}
        records = {name: plain(table.to_dict("records")) for name, table in tables.items()}
        return {**records, "provenance": plain(self.provenance)}

    def save(self, folder: str | Path) -> Path:
        """Write ``scores.json`` and one parquet file per table.

        A run of before is replaced as a whole, its own tables and nothing else; whoever is killed,
        or runs out of disk, leaves it as it was. ``scores.json``, which names the tables and has
        their checksums, is written last: a folder without it is not finished.
        """
        target = Path(folder)
        with alone(target), replacing(target, gone=_tables(target)) as staging:
            files = [f"{name}.parquet" for name in self.tables]
            for file, table in zip(files, self.tables.values(), strict=True):
                write_table(staging / file, table)
            content = {**self.to_json(), "tables": list(self.tables)}
            sealed = seal(staging, files, schema=SCHEMA, content=content)
            write_json(staging / SCORES, {**content, SEAL: sealed})
        return target

    @classmethod
    def load(cls, folder: str | Path) -> Result:
        """Read a run folder; a table whose file is gone is left out.

        Raises
        ------
        DataError
            If the folder holds no run, or a damaged one.
        """
        source = Path(folder)
        with reading(source):
            if not (source / SCORES).is_file():
                raise DataError(f'no run in "{folder}" (no {SCORES}): finsae demo --out makes one')
            again = "delete the folder, and make it again with finsae demo --out"
            with readable(f'the run in "{folder}"', again):
                return cls._read(source)

    def _view(self) -> View:
        scores = self.scores
        if scores.empty:
            return View(["Result without scores", *_listed(self.tables)])
        versus = scores["versus"].fillna("").astype(str)
        plain, paired = scores[versus == ""], scores[versus != ""]
        lines = [
            f"Scores of {plain['method'].nunique()} methods by {plain['metric'].nunique()} metrics",
            *_listed(self.tables),
        ]
        grids = [_grid(plain, "method", head="method", caption="Scores")] if len(plain) else []
        if len(paired):
            first = in_order(paired["method"])[0]
            mine = paired[paired["method"] == first]
            words = {"head": f"{label(first)} minus", "caption": "Paired differences"}
            grids.append(_grid(mine, "versus", **words))
            lines.append("A difference whose interval covers 0 does not tell two methods apart.")
        return View(lines, grids)

    @classmethod
    def _read(cls, source: Path) -> Result:
        content = parse_object((source / SCORES).read_text())
        sealed = content.pop(SEAL, None)
        files = {str(name): source / f"{name}.parquet" for name in content["tables"]}
        if sealed is not None:
            there = {file.name for file in files.values() if file.is_file()}
            kept = {name: mark for name, mark in sealed["files"].items() if name in there}
            sealed = {**sealed, "files": kept}
        check_seal(source, sealed, schema=SCHEMA, content=content, holder=SCORES)
        scores = pd.DataFrame(content["scores"], columns=list(SCORE_COLUMNS))
        numbers = ["value", "low", "high", "n"]
        scores[numbers] = scores[numbers].astype(float)
        tables = {name: pd.read_parquet(file) for name, file in files.items() if file.is_file()}
        return cls(scores, tables, content["provenance"])


def _listed(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    return [f"Tables: {', '.join(tables)}."] if tables else []


def _grid(scores: pd.DataFrame, by: str, *, head: str, caption: str) -> Grid:
    """One row per name of column `by`, one column per metric.

    Other columns of the scores, such as the regime of a probe, tell rows apart too.
    """
    metrics = _first_of(scores["metric"])
    keys = [str(name) for name in scores if name not in SCORE_COLUMNS]
    keys = [name for name in keys if not pd.api.types.is_numeric_dtype(scores[name])]
    order = {name: place for place, name in enumerate(in_order(scores[by]))}
    shown = scores[scores["metric"].isin(metrics)]
    shown = shown.drop_duplicates([*keys, by, "metric"])  # the headline interval comes first
    kinds = ", ".join(sorted(set(shown["interval"].dropna()) - {""}))
    rows: dict[tuple[str, ...], dict[str, Cell]] = {}
    for row in shown.to_dict("records"):
        key = (*(str(row[name]) for name in keys), str(row[by]))
        rows.setdefault(key, {})[str(row["metric"])] = _written(row, signed=by == "versus")
    listed = list(rows) if keys else sorted(rows, key=lambda key: order[key[-1]])
    cells = [
        [*key[:-1], label(key[-1]), *(rows[key].get(metric, "") for metric in metrics)]
        for key in listed
    ]
    caption += f", with 95 % intervals ({kinds})" if kinds else ""
    return Grid(caption, [*keys, head, *(_metric(name).name for name in metrics)], cells)


def _first_of(metrics: pd.Series) -> list[str]:
    """Take the metrics that matter most, as many as a notebook has room for."""
    found = list(dict.fromkeys(metrics.astype(str)))
    named = [metric for metric in found if metric in METRICS] or found
    first = [metric for metric in FIRST if metric in named]
    return [*first, *(metric for metric in named if metric not in first)][:COLUMNS]


def _metric(name: str) -> Metric:
    return METRICS.get(name, Metric(name, ""))


def _written(row: Mapping[Any, Any], *, signed: bool = False) -> Cell:
    metric = _metric(str(row["metric"]))
    ends = {end: row[end] for end in ("value", "low", "high")}
    scaled = {end: value * metric.scale if known(value) else value for end, value in ends.items()}
    return Cell(interval(scaled, signed=signed, digits=metric.digits), number=True)


def _tables(folder: Path) -> list[str]:
    """Files of the tables of a run in a folder; none if there is no run, or a damaged one."""
    try:
        found = parse_object((folder / SCORES).read_text())["tables"]
        return [f"{Path(str(name)).name}.parquet" for name in found]
    except DAMAGED:
        return []
