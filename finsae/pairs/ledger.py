"""The trials ledger: every distinct configuration that was ever run on a data set.

A Sharpe ratio is judged by how many were tried. Each run therefore appends its configurations to a
file (one JSON record a line), and the deflated Sharpe ratio takes its count from there. Running one
and the same configuration again is not a new trial.
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


def record(
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
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
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
                "at": at,
            }
        )
    return _count(append_records(path, records), data)


def _count(records: Sequence[Mapping[str, Any]], data: str) -> Trials:
    mine = [entry for entry in records if entry["data"] == data and "sharpe_net" in entry]
    found = [entry["sharpe_net"] for entry in mine]
    known = np.array([value for value in found if value is not None], dtype=np.float64)
    return Trials(len(found), float(known.std(ddof=1)) if len(known) > 1 else np.nan)
