"""What was tried on which data: one line per configuration, so that luck can be counted.

A result on data that has been looked at a hundred times means less than on data looked at once. The
period after a cut is opened by writing a line here; the deflated Sharpe ratio counts the lines.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from finsae.checks import DataError
from finsae.store import alone, atomic_path, key, plain

COLUMNS = ("when", "kind", "data", "configuration", "settings", "outcome")


def record(
    path: str | Path,
    *,
    kind: str,
    data: str,
    settings: Mapping[str, Any],
    outcome: Mapping[str, Any],
) -> int:
    """Append a line, and count the distinct configurations on these data so far.

    Parameters
    ----------
    path : str or Path
        A file of JSON lines; made where there is none.
    kind : str
        "benchmark" or "backtest".
    data : str
        Hash of the returns or prices that were looked at.
    settings : mapping
        Everything that distinguishes this configuration from another.
    outcome : mapping
        Numbers worth keeping.

    Returns
    -------
    int
        Configurations of this kind on these data, this one among them; one that was run before
        counts once.
    """
    target = Path(path)
    line = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "kind": kind,
        "data": data,
        "configuration": key(plain(settings), [kind, data], 1),
        "settings": plain(settings),
        "outcome": plain(outcome),
    }
    with alone(target.parent):  # of two processes, none loses the other's line
        read(target)  # a damaged ledger is mended by hand, not grown
        known = target.read_text() if target.is_file() else ""
        with atomic_path(target) as temporary:
            temporary.write_text(known + json.dumps(line) + "\n")
    return trials(target, kind=kind, data=data)


def trials(path: str | Path, *, kind: str, data: str) -> int:
    """Count the distinct configurations of a kind that were run on data; 0 without a ledger."""
    lines = read(path)
    mine = lines[(lines["kind"] == kind) & (lines["data"] == data)]
    return int(mine["configuration"].nunique())


def read(path: str | Path) -> pd.DataFrame:
    """Read a ledger, one row per line; without a file, an empty one.

    Raises
    ------
    DataError
        If a line is no entry of a ledger.
    """
    source = Path(path)
    if not source.is_file():
        return pd.DataFrame(columns=list(COLUMNS))
    lines = []
    for number, text in enumerate(source.read_text().splitlines(), 1):
        try:
            entry = json.loads(text)
            lines.append({column: entry[column] for column in COLUMNS})
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f'line {number} of the ledger "{path}" cannot be read ({error}): mend or remove it'
            ) from None
    return pd.DataFrame(lines, columns=list(COLUMNS))
