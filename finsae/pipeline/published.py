"""The paper's own protocol on cluster files: each year's clusters on the same year's returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from finsae.benchmark.paper import complete_years, score_as_published
from finsae.checks import DataError
from finsae.result import Result
from finsae.sources import read_clusters, read_prices, sample
from finsae.store import hash_file, provenance
from finsae.universe import monthly_returns


def score_cluster_files(
    files: Sequence[str | Path],
    *,
    prices: str | Path | None = None,
    events: str | Path | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Result:
    """Score cluster files with columns ``year, company, cluster`` as the paper scores its own.

    The returns are of month-end closes after price hygiene, adjusted for splits but for dividends
    only where the given closes are; the paper's are of vendor-adjusted closes. Companies that have
    no prices are left out and counted, as the paper leaves out those without returns.

    Parameters
    ----------
    files : sequence of path
        Each is a clustering, named by its file.
    prices, events : path, optional
        Daily closes and what happened to them, by default the bundled sample's.
    resamples, seed : int

    Returns
    -------
    Result
        See `finsae.benchmark.paper.score_as_published`; table ``by_year``. The provenance says
        ``contemporaneous``, which companies have no prices and which years no twelve months.

    Raises
    ------
    DataError
        If a file cannot be used, or there is nothing to score.
    """
    names = [Path(file).stem for file in files]
    if not names or len(set(names)) < len(names):
        twice = ", ".join(sorted({name for name in names if names.count(name) > 1}))
        raise DataError(
            f"two cluster files are named {twice}: rename one"
            if names
            else "the paper's protocol scores cluster files: "
            "give --clusters FILE with columns year, company, cluster"
        )
    tables = {name: read_clusters(file) for name, file in zip(names, files, strict=True)}
    monthly = _monthly(prices, events)
    scores, by_year = score_as_published(tables, monthly, resamples=resamples, seed=seed)
    made = provenance(
        protocol="paper",
        contemporaneous=True,
        clusters={name: hash_file(file) for name, file in zip(names, files, strict=True)},
        prices=hash_file(prices) if prices else "sample",
        resamples=resamples,
        seed=seed,
        **_left_out(tables, monthly),
    )
    return Result(scores, {"by_year": by_year}, made)


def _monthly(prices: str | Path | None, events: str | Path | None) -> pd.DataFrame:
    """Monthly log returns after hygiene."""
    if prices is None:
        return sample().monthly
    closes, mender = read_prices(prices, events=events)
    return monthly_returns(mender(closes)[0] if mender else closes)


def _left_out(
    tables: Mapping[str, pd.DataFrame], monthly: pd.DataFrame
) -> dict[str, dict[str, list[object]]]:
    """Companies without prices and years without twelve months, of each file."""
    whole = complete_years(monthly)
    unknown = {
        name: sorted(set(table["company"]) - set(monthly.columns)) for name, table in tables.items()
    }
    years = {
        name: sorted(int(year) for year in set(table["year"]) - set(whole))
        for name, table in tables.items()
    }
    return {"without_prices": unknown, "years_left_out": years}
