"""The ledger: one line per configuration that was ever scored on a data set's later returns.

A result on data that has been looked at a hundred times means less than on data looked at once, and
a Sharpe ratio is judged by how many were tried. To open the period after a cut is to write a line
here (`finsae tune --open`), and so is every backtest; the deflated Sharpe ratio takes its count
from the file. Running one and the same configuration again is not a new trial.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from finsae.store import append_records, key, plain


class Trials(NamedTuple):
    """What the ledger says of one data set.

    Attributes
    ----------
    configurations : int
        Distinct ones ever run.
    sd : float
        Standard deviation of their annual net Sharpe ratios; NaN below two.
    """

    configurations: int
    sd: float


def record_opening(
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
        "at": _now(),
    }
    held = append_records(path, [line])
    return sum(entry.get("kind") == "benchmark" and entry["data"] == data for entry in held)


def record_trials(
    path: str | Path,
    data: str,
    *,
    sharpes: Mapping[str, float],
    settings: Mapping[str, Any],
    readings: Mapping[str, Mapping[str, Any]] | None = None,
) -> Trials:
    """Append a run's configurations and count all that were ever run on its data.

    Parameters
    ----------
    path : str or Path
        The ledger; made if it does not exist. Runs at the same time wait for each other.
    data : str
        Names the data set, as a hash of its prices.
    sharpes : mapping of str to float
        Method to its annual net Sharpe ratio; NaN where it did not trade.
    settings : mapping
        What the methods have in common: windows, candidates, pairs, selector, rule, terms. JSON.
    readings : mapping, optional
        Method to how its features were made: the same method read otherwise is another trial. JSON.

    Returns
    -------
    Trials
        Of the data set, this run's configurations included.
    """
    records: list[dict[str, Any]] = []
    for method, value in sharpes.items():
        own = plain({**settings, **((readings or {}).get(method, {}))})
        records.append(
            {
                "key": key({"method": method, **own}, [data], 1),
                "data": data,
                "method": method,
                "sharpe_net": plain(float(value)),
                "settings": own,
                "at": _now(),
            }
        )
    return _count(append_records(path, records), data)


def _count(records: Sequence[Mapping[str, Any]], data: str) -> Trials:
    mine = [entry for entry in records if entry["data"] == data and "sharpe_net" in entry]
    found = [entry["sharpe_net"] for entry in mine]
    known = np.array([value for value in found if value is not None], dtype=np.float64)
    return Trials(len(found), float(known.std(ddof=1)) if len(known) > 1 else np.nan)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
