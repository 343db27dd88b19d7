"""SIC codes as they come in files: text of four digits, and codes with the date they are of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from finsae.checks import DataError
from finsae.sources.tables import as_days, as_text, few, known_names, no_column, problem, read_table

NOTHING = ("", "nan", "na", "n/a", "none", "null", "-")
# Codes below 1000 begin with a zero, and only these major groups do.
WITH_ZERO = ("01", "02", "07", "08", "09")
CODE_COLUMNS = ("ticker", "date", "sic")
# The same in CRSP's stock files and in its histories of names, where companies are permnos.
CRSP_COLUMNS = {
    "permno": "ticker",
    "dlycaldt": "date",
    "mthcaldt": "date",
    "secinfostartdt": "date",
    "namedt": "date",
    "siccd": "sic",
}


class Codes(NamedTuple):
    """Codes read from a column.

    Attributes
    ----------
    sic : Series
        Text of four digits, None where there is none (empty, or all zeros).
    restored : Series of bool
        Which had lost their leading zero.
    wrong : Series of bool
        Which hold something that is no code.
    """

    sic: pd.Series[Any]
    restored: pd.Series[bool]
    wrong: pd.Series[bool]


def as_sic(column: pd.Series[Any]) -> Codes:
    """Read SIC codes from text, integers or floats.

    A code held as a number lost its leading zero, and with it agriculture (0100 to 0971): it is
    restored where the result lies in a major group that begins with a zero. Anything else of fewer
    than four digits ("28", "371") is a group or damaged, not a code. The SEC's own codes (6770,
    8888, 9995) and the rolled-up ones that stand for a whole group (2800, 0100) are codes like
    others; 0 is how vendors write that there is none.
    """
    text = as_text(column).str.removesuffix(".0")
    none = text.str.lower().isin(NOTHING) | text.str.fullmatch("0+")
    padded = text.str.zfill(4)
    short = ~none & (text.str.len() < 4)
    restored = short & text.str.isdecimal() & padded.str[:2].isin(WITH_ZERO)
    wrong = ~none & ~(text.str.fullmatch(r"[0-9]{4}") | restored)
    return Codes(padded.astype(object).where(~none & ~wrong, None), restored, wrong)


def said_restored(found: Codes, names: pd.Series[Any]) -> list[str]:
    """Write one sentence on the codes whose leading zero was restored, or none."""
    if not found.restored.any():
        return []
    which = names[found.restored] + " " + found.sic[found.restored].astype(str)
    count = int(found.restored.sum())
    return [f"SIC codes that had lost their leading zero were restored ({count:,}): {few(which)}"]


def read_codes(path: str | Path) -> pd.DataFrame:
    """Read dated SIC codes: what a company's code was from a day on.

    Parameters
    ----------
    path : path
        CSV or parquet ``ticker, date, sic``: one row per company and day from which the code holds
        (a filing's date). Or a CRSP file with ``permno`` and ``siccd``, of whose daily or monthly
        rows those count where the code changes.

    Returns
    -------
    DataFrame
        ``ticker, date, sic``, sorted by company and date; rows without a code say that the company
        had none from then on. Of a CRSP file ``ticker`` holds permnos.

    Raises
    ------
    DataError
        With one line per problem.
    """
    where = Path(path).name
    table = known_names(read_table(path), (*CODE_COLUMNS, *CRSP_COLUMNS))
    if {"permno", "siccd"} <= set(table.columns):
        table["permno"] = as_text(table["permno"]).str.removesuffix(".0")
        kept = [name for name in table.columns if name not in ("ticker", "sic")]
        table = table[kept].rename(columns={k: v for k, v in CRSP_COLUMNS.items() if k in kept})
        table = table.loc[:, ~table.columns.duplicated()]
    absent = [name for name in CODE_COLUMNS if name not in table]
    if absent:
        raise DataError([no_column(where, name, table) for name in absent])
    ticker, written = as_text(table["ticker"]), as_text(table["date"])
    days, _ = as_days(table["date"])
    found = as_sic(table["sic"])
    cell = ticker + " on " + written
    codes = pd.DataFrame({"ticker": ticker, "date": days, "sic": found.sic})
    problems = [
        *problem(where, "rows without a ticker, on", written[ticker == ""]),
        *problem(where, "dates that are not written as 2013-06-30", cell[days.isna()]),
        *problem(where, "codes that are not SIC codes of four digits", cell[found.wrong]),
        *problem(where, "days with two codes", cell[_contradicting(codes)]),
    ]
    if problems:
        raise DataError(problems)
    codes = codes.drop_duplicates().sort_values(["ticker", "date"], ignore_index=True)
    before = codes[["ticker", "sic"]].shift()
    same = (codes["ticker"] == before["ticker"]) & (
        codes["sic"].eq(before["sic"]) | (codes["sic"].isna() & before["sic"].isna())
    )
    return codes[~same].reset_index(drop=True)


def codes_as_of(codes: pd.DataFrame, days: pd.Series[Any]) -> pd.Series[Any]:
    """Look up each company's code on its day: the last one dated on it or before.

    Today's code is not the one of a filing of 1999: a company that changed its business would be
    put among peers that it did not have yet.

    Parameters
    ----------
    codes : DataFrame
        ``ticker, date, sic``, from `read_codes`.
    days : Series
        Day by ticker; a missing day takes the last code there is.

    Returns
    -------
    Series
        Codes of four digits by ticker, None where none was known yet.
    """
    latest = pd.Timestamp(9999, 12, 31)
    asked = pd.DataFrame(
        {
            "ticker": days.index.astype(str),
            "day": pd.to_datetime(days.to_numpy()).as_unit("us").fillna(latest),
            "place": range(len(days)),
        }
    )
    known = codes.assign(date=codes["date"].dt.as_unit("us"), ticker=codes["ticker"].astype(str))
    found = pd.merge_asof(
        asked.sort_values("day", kind="stable"),
        known.sort_values("date", kind="stable"),
        left_on="day",
        right_on="date",
        by="ticker",
    ).sort_values("place")
    sic = [code if isinstance(code, str) else None for code in found["sic"]]
    return pd.Series(sic, index=days.index, name="sic", dtype=object)


def _contradicting(codes: pd.DataFrame) -> pd.Series[bool]:
    """Rows of a company and day with more than one code."""
    once = codes.drop_duplicates()
    twice = once.duplicated(["ticker", "date"], keep=False) & once["date"].notna()
    marked: pd.Series[bool] = twice.reindex(codes.index, fill_value=False)
    return marked
