"""Filings: several descriptions per company, each with the day from which it counts.

A company is its CIK; its tickers are attributes with dates. Where a holding company took another's
place, EDGAR has two CIKs: a file that gives both the same one joins them. A company's key, the
index of all tables, is the last ticker it had; where a later company took that ticker over, the
earlier one's key is the ticker with the CIK behind it ("X.0000123456").
"""

from __future__ import annotations

import pandas as pd

CARRIED = ("name", "sic")
"""What a filing that does not say it has from the company's filing before."""
UNFIT = frozenset({"no_item", "by_reference", "short", "contents", "missing"})
"""Flags of filings whose text does not describe a business."""
SILENT = 400  # days after its last annual report by which a company would have filed the next


def is_fit(flags: str) -> bool:
    """Whether a filing with these flags, parted by commas, describes a business."""
    return UNFIT.isdisjoint(flags.split(","))


def keyed(rows: pd.DataFrame) -> pd.DataFrame:
    """Name the company of every filing.

    Parameters
    ----------
    rows : DataFrame
        Columns ``ticker, date, description`` and optionally ``cik``, any order; one row per filing.
        A row without a CIK has that of its ticker's other rows where they agree on one, and else
        its ticker in its place.

    Returns
    -------
    DataFrame
        Sorted by company and date, ``key`` in front, ``name`` and ``sic`` carried forward, never
        backward. Of a company's filings of one day, the first stays (a second share class repeats
        the first one's).
    """
    table = rows.assign(cik=_company_numbers(rows))
    table = table.sort_values(["cik", "date"], kind="stable")
    table = table[~table.duplicated(["cik", "date"])]
    last = table.drop_duplicates("cik", keep="last").sort_values("date", kind="stable")
    taken = last["ticker"].duplicated(keep="last")
    named = last["ticker"].where(~taken, last["ticker"] + "." + last["cik"])
    keys = dict(zip(last["cik"], named, strict=True))
    table.insert(0, "key", table["cik"].map(keys))
    for column in CARRIED:
        if column in table:
            table[column] = table.groupby("cik")[column].ffill()
    return table.reset_index(drop=True)


def _company_numbers(rows: pd.DataFrame) -> pd.Series:
    """CIK of ten digits, or what stands for it."""
    if "cik" not in rows:
        return rows["ticker"]
    own = rows["cik"].astype(object).where(rows["cik"].notna(), None)
    own = own.map(lambda cik: cik if cik is None else str(cik).zfill(10))
    found = own.groupby(rows["ticker"]).agg(["nunique", "first"])
    only = found.loc[found["nunique"] == 1, "first"].to_dict()
    return own.where(own.notna(), [only.get(ticker, ticker) for ticker in rows["ticker"]])


def known_by(filings: pd.DataFrame, day: pd.Timestamp | None = None) -> pd.DataFrame:
    """Give each company's last filing that counts by a day; of all filings without one.

    Parameters
    ----------
    filings : DataFrame
        From `keyed`.
    day : Timestamp, optional

    Returns
    -------
    DataFrame
        Index ``ticker`` (the company's key), in order of first filing; ``symbol`` is the ticker
        that it had then.
    """
    rows = filings if day is None else filings[filings["date"] <= day]
    last = rows.drop_duplicates("key", keep="last").set_index("key").rename_axis("ticker")
    order = rows.sort_values("date", kind="stable")["key"].drop_duplicates()
    return last.loc[order].rename(columns={"ticker": "symbol"})


def by_year(filings: pd.DataFrame) -> pd.DataFrame:
    """Give each company's last filing of every year.

    Returns
    -------
    DataFrame
        Index ``ticker``: key and year ("AAPL 2013"); with columns ``company`` (the key), ``year``
        (of the day from which the filing counts) and ``symbol``.
    """
    rows = filings.assign(year=filings["date"].dt.year)
    rows = rows.drop_duplicates(["key", "year"], keep="last")
    index = pd.Index(rows["key"] + " " + rows["year"].astype(str), name="ticker")
    return rows.rename(columns={"key": "company", "ticker": "symbol"}).set_index(index)


def ticker_spans(filings: pd.DataFrame) -> pd.DataFrame:
    """Say which company had which ticker when.

    Returns
    -------
    DataFrame
        ``key, ticker, first, since, until``. ``first`` is the company's first filing under the
        ticker. From ``since`` to ``until`` the ticker's closes are the company's: open (NaT) before
        a ticker's first owner and after its last; a ticker passes on with the next owner's first
        filing, or 400 days after the one before filed for the last time, whichever is earlier.
    """
    spans = filings.groupby(["key", "ticker"], sort=False)["date"].agg(["first", "last"])
    spans = spans.reset_index().sort_values(["ticker", "first"], kind="stable")
    owners = spans.groupby("ticker")
    passed = owners["last"].shift() + pd.Timedelta(days=SILENT)
    spans["since"] = passed.where(~(passed > spans["first"]), spans["first"])
    spans["until"] = owners["since"].shift(-1) - pd.Timedelta(days=1)
    spans = spans.sort_values(["key", "first"], kind="stable").drop(columns="last")
    return spans.reset_index(drop=True)


def to_companies(closes: pd.DataFrame, filings: pd.DataFrame) -> pd.DataFrame:
    """Bring closes by ticker to companies.

    A ticker's closes go to the company that had it at the time (`ticker_spans`). Where a company
    changed its ticker, the new one's closes count from the first filing under it, and each fills
    what the other lacks: some vendors keep the whole history under the last ticker. Whose closes a
    column holds is settled from all filings, later ones too: that is identity, not knowledge.

    Parameters
    ----------
    closes : DataFrame
        Dates (increasing) x tickers.
    filings : DataFrame
        From `keyed`.

    Returns
    -------
    DataFrame
        Dates x keys, of companies of which a ticker is among the columns.
    """
    found: dict[str, pd.Series] = {}
    for key, ticker, first, since, until in ticker_spans(filings).itertuples(index=False):
        if ticker not in closes:
            continue
        mine = closes[ticker]
        mine = mine[~(mine.index < since) & ~(mine.index > until)]
        earlier = found.get(key)
        if earlier is not None:
            mine = mine[mine.index >= first].combine_first(earlier).combine_first(mine)
        found[key] = mine
    return pd.DataFrame(found, index=closes.index).astype(float)


def of_companies(rows: pd.DataFrame, filings: pd.DataFrame) -> pd.DataFrame:
    """Rename the tickers of dated rows, such as events, to the companies that had them then.

    Parameters
    ----------
    rows : DataFrame
        Columns ``ticker, date``; rows of a ticker that is no company's are left as they are.
    filings : DataFrame
        From `keyed`.
    """
    table = rows.reset_index(drop=True)
    both = table[["ticker", "date"]].reset_index().merge(ticker_spans(filings), on="ticker")
    both = both[~(both["date"] < both["since"]) & ~(both["date"] > both["until"])]
    owner = both.set_index("index")["key"].reindex(table.index)
    return table.assign(ticker=owner.where(owner.notna(), table["ticker"]))
