"""Clusterings of several years, as the paper's authors publish theirs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from finsae.checks import DataError
from finsae.sources.files import CLUSTER_COLUMNS, LABEL_COLUMNS
from finsae.sources.tables import as_numbers, as_text, known_names, no_column, problem, read_table


def read_clusters(path: str | Path) -> pd.DataFrame:
    """Read which cluster every company is in, year by year.

    Parameters
    ----------
    path : path
        CSV or parquet with columns ``year``, ``company`` (or ``ticker``) and ``cluster`` (or
        ``label``). A company whose cluster is empty stands alone.

    Returns
    -------
    DataFrame
        ``year`` (whole number), ``company`` and ``cluster`` (text; None where empty).

    Raises
    ------
    DataError
        If a column is missing, a year is none, or a company is in two clusters in a year.
    """
    where = Path(path).name
    table = known_names(read_table(path), ("year", *LABEL_COLUMNS, *CLUSTER_COLUMNS))
    company = next((name for name in ("company", *LABEL_COLUMNS) if name in table), "company")
    cluster = next((name for name in ("cluster", *CLUSTER_COLUMNS) if name in table), "cluster")
    missing = [name for name in ("year", company, cluster) if name not in table]
    if missing:
        raise DataError([no_column(where, name, table) for name in missing])
    years, wrong = as_numbers(table["year"])
    wrong |= years.isna() | (years % 1 != 0) | ~years.between(1800, 2200)
    if wrong.any():
        cells = as_text(table["year"])[wrong].map(lambda cell: f'"{cell}"')
        raise DataError(problem(where, "what is in column year is no year", cells))
    labels = as_text(table[cluster]).astype(object)
    found = pd.DataFrame(
        {
            "year": years.astype(int),
            "company": as_text(table[company]),
            "cluster": labels.where(labels != "", None),
        }
    )
    found = found[found["company"] != ""].reset_index(drop=True)
    twice = found[found.duplicated(["year", "company"])]
    if len(twice):
        cells = twice["company"] + " in " + twice["year"].astype(str)
        raise DataError(problem(where, "companies in two clusters in a year", cells))
    if not len(found):
        raise DataError(f"{where}: no company is in a cluster")
    return found
