"""What was looked at: one line per configuration that was scored on returns after a cut.

A result on data that has been looked at a hundred times means less than on data looked at once. To
open the period after a cut is to write a line here (`finsae tune --open`); backtests keep theirs in
`finsae.pairs.ledger`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finsae.store import append_records, key, plain


def record(
    path: str | Path,
    data: str,
    *,
    settings: Mapping[str, Any],
    outcome: Mapping[str, Any],
) -> int:
    """Append a configuration, and count those on these data so far, this one among them.

    Parameters
    ----------
    path : str or Path
        A file of JSON lines; made where there is none.
    data : str
        Hash of the returns that were looked at.
    settings : mapping
        Everything that distinguishes this configuration from another; one that was scored before
        counts once and keeps its line.
    outcome : mapping
        Numbers worth keeping.
    """
    line = {
        "key": key(plain(settings), ["benchmark", data], 1),
        "kind": "benchmark",
        "data": data,
        "settings": plain(settings),
        "outcome": plain(outcome),
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    held = append_records(path, [line])
    return sum(entry.get("kind") == "benchmark" and entry["data"] == data for entry in held)
