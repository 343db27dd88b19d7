"""What a run found: scores, the tables behind them, and how they were made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from finsae.checks import DataError
from finsae.store import plain, write_json, write_table

SCORE_COLUMNS = ("method", "metric", "value", "low", "high", "n", "interval", "versus")

SUSPICIOUS = 3.0
"""A Sharpe ratio of a daily pairs book beyond which an error is likelier than an opportunity."""


@dataclass(frozen=True)
class Result:
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
        """Write ``scores.json`` and one parquet file per table; each file is written atomically.

        A run of before is taken away first, its own tables and nothing else; ``scores.json``, which
        names the tables, is written last: a folder without it is not finished.
        """
        target = Path(folder)
        before = _tables(target)
        (target / "scores.json").unlink(missing_ok=True)
        for name in before:
            (target / f"{name}.parquet").unlink(missing_ok=True)
        for name, table in self.tables.items():
            write_table(target / f"{name}.parquet", table)
        write_json(target / "scores.json", {**self.to_json(), "tables": list(self.tables)})
        return target

    @classmethod
    def load(cls, folder: str | Path) -> Result:
        """Read a run folder; a table whose file is gone is left out.

        Raises
        ------
        DataError
            If the folder holds no run.
        """
        source = Path(folder)
        path = source / "scores.json"
        if not path.is_file():
            raise DataError(f'no run in "{folder}" (no scores.json): finsae demo --out makes one')
        try:
            content = json.loads(path.read_text())
            scores = pd.DataFrame(content["scores"], columns=list(SCORE_COLUMNS))
            numbers = ["value", "low", "high", "n"]
            scores[numbers] = scores[numbers].astype(float)
            files = {str(name): source / f"{name}.parquet" for name in content["tables"]}
            tables = {name: pd.read_parquet(file) for name, file in files.items() if file.is_file()}
            return cls(scores, tables, content["provenance"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f'the run in "{folder}" cannot be read ({error}): '
                "make it again with finsae demo --out"
            ) from None


def _tables(folder: Path) -> list[str]:
    """Names of the tables of a run in a folder; none if there is no run, or a damaged one."""
    try:
        found = json.loads((folder / "scores.json").read_text())["tables"]
        return [Path(str(name)).name for name in found]
    except (OSError, ValueError, KeyError, TypeError):
        return []
