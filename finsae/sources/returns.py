"""Returns into what the rest reads: an index of wealth by day, or log returns by month."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from finsae.sources.tables import few

BASE = 100.0
WORST = -0.99  # a loss of everything has no logarithm


class Returns(NamedTuple):
    """Returns read from a file.

    Attributes
    ----------
    table : DataFrame
        ``key, day, ret``, and ``price, factor`` where they are known; sorted by key and day.
    monthly : bool
        Whether the returns are of months.
    layout : str
        What the file is, for people.
    notes, problems : list of str
        What was done; what is wrong.
    """

    table: pd.DataFrame
    monthly: bool
    layout: str
    notes: list[str]
    problems: list[str]


def wealth(read: Returns) -> tuple[pd.DataFrame, list[str]]:
    """Turn daily returns into an index of wealth, dates x keys, from the first price on.

    A day without a return has no value, and the next return spans it, as CRSP computes it. Where
    CRSP gives a price but no return (it had no valid price for more than ten days, or the stock was
    listed elsewhere), the gap is linked by prices over ``cfacpr`` where the file has it, and
    otherwise only the longest unbroken stretch is kept: no return is invented.

    Returns
    -------
    index : DataFrame
        Days x keys, NaN where there is none.
    notes : list of str
        What was linked or left out.
    """
    table = read.table
    first = ~table.duplicated("key")
    there = table["price"].notna() if "price" in table else first
    table = table[table["ret"].notna() | there]  # the other rows have no value
    begins = ~table.duplicated("key")
    broken = table["ret"].isna() & ~begins
    priced = {"price", "factor"} <= set(table)
    gap = _over_gaps(table) if priced else pd.Series(np.nan, index=table.index)
    begins |= broken & gap.isna()
    part = begins.cumsum()  # rows are sorted by key: a new key begins a new part
    growth = np.log1p(table["ret"].fillna(gap).clip(lower=WORST)).where(~begins, 0.0)
    base = table["price"].fillna(BASE) if "price" in table else pd.Series(BASE, table.index)
    value = base.where(begins).ffill() * np.exp(growth.groupby(part).cumsum())
    kept, cut = _longest(table["key"], part)
    wide = table.assign(value=value)[kept].pivot(index="day", columns="key", values="value")  # noqa: PD010
    notes = []
    linked = int((broken & gap.notna()).sum())
    if linked:
        notes.append(f"gaps linked by prices over cfacpr: {linked:,}")
    if cut:
        notes.append(f"broken series of which the longest stretch is kept: {few(cut)}")
    days = pd.DatetimeIndex(read.table["day"].unique()).sort_values()
    return wide.reindex(days).rename_axis("date").rename_axis(columns=None), notes


def monthly_log_returns(read: Returns) -> pd.DataFrame:
    """Log returns of months, month ends x keys."""
    month = read.table["day"].dt.to_period("M").dt.to_timestamp("M").dt.normalize()
    logs = np.log1p(read.table["ret"].clip(lower=WORST))
    table = pd.DataFrame({"month": month, "key": read.table["key"], "log": logs})
    wide = table.pivot(index="month", columns="key", values="log")  # noqa: PD010
    return wide.rename_axis(columns=None)


def once_a_month(read: pd.DataFrame) -> bool:
    """Whether no key of ``key, day`` has two rows in a month, and some key has several months."""
    month = 12 * read["day"].dt.year + read["day"].dt.month
    sizes = read.groupby(["key", month]).size()
    return len(sizes) > read["key"].nunique() and int(sizes.max()) == 1


def _over_gaps(table: pd.DataFrame) -> pd.Series[Any]:
    """Return from the last price to this one, splits taken out."""
    adjusted = table["price"] / table["factor"]
    last = adjusted.groupby(table["key"]).ffill().groupby(table["key"]).shift()
    return adjusted / last - 1


def _longest(key: pd.Series[Any], part: pd.Series[Any]) -> tuple[pd.Series[bool], list[str]]:
    """Mark each key's part with the most rows, the later of equals; second, keys with several."""
    sizes = pd.DataFrame({"key": key, "part": part}).value_counts().reset_index(name="rows")
    sizes = sizes.sort_values(["rows", "part"])
    best = sizes.drop_duplicates("key", keep="last")["part"]
    several = sizes.loc[sizes.duplicated("key"), "key"].unique()
    return part.isin(best), sorted(map(str, several))
