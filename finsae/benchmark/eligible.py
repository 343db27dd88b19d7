"""Which companies are compared: the same for every method."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd

from finsae.universe import as_day, month_starts

NOT_OPERATING = {
    "6189": "asset-backed securities",
    "6221": "commodity contracts",
    "6726": "investment offices: closed-end funds and unit trusts",
    "6770": "blank checks",
    "99": "nonclassifiable",
}
"""SIC prefixes of what is listed but runs no business of its own."""
NOT_OPERATING_INDUSTRIES = ("asset management", "shell companies")
"""The same in a vendor's words, where there is a column ``industry``."""


def eligible(
    companies: pd.DataFrame,
    monthly: pd.DataFrame,
    *,
    cut: str | pd.Timestamp,
    past_months: int = 60,
    min_past: float = 0.96,
    min_future: float | None = 0.93,
    future_end: str | pd.Timestamp | None = None,
) -> tuple[list[str], pd.DataFrame]:
    """Choose operating companies, one per issuer, with returns on both sides of the cut.

    Funds and trusts resemble one another trivially, in text and in returns; two share classes of an
    issuer are the same company; companies without a code would be nobody's peers by code. Each of
    them would flatter one method over another, so they are out for all.

    To ask for returns after the cut is to know who survived: the benchmark measures how similar
    companies that stayed listed moved, and says nothing of those that failed or were bought. A
    backtest must not ask for it (``min_future=None``).

    Parameters
    ----------
    companies : DataFrame
        Index ``ticker``, columns ``sic, cik, description``, and ``industry`` if a vendor has it.
    monthly : DataFrame
        Monthly log returns, month ends x tickers.
    cut : date
        Last day of the past.
    past_months : int, default 60
        Months before the cut that count; fewer where the table begins later.
    min_past, min_future : float
        Share of the months before and after the cut in which a company needs a return: 58 of 60
        and 55 of 59 by default. ``min_future=None`` asks for nothing after the cut.
    future_end : date, optional
        Last day of the future; by default the table's end.

    Returns
    -------
    tickers : list of str
        In the order of `companies`.
    excluded : DataFrame
        ``ticker, reason``: the first rule that a company fails.
    """
    day = as_day(cut)
    last = monthly.index.max() if future_end is None else as_day(future_end)
    before = monthly[monthly.index <= day].iloc[-past_months:]
    after = monthly[(month_starts(monthly) > day) & (monthly.index <= last)]
    rules: list[Callable[[pd.DataFrame], pd.Series]] = [
        lambda known: _short(known.index, before, min_past, "before"),
        lambda known: _short(known.index, after, min_future or 0.0, "after"),
        lambda known: _repeated(known["description"], "the same description"),
        lambda known: _repeated(known["cik"].str.lstrip("0"), "the same issuer (CIK)"),
        lambda known: _not_operating(known),
    ]
    kept, found = companies, []
    for rule in rules:
        found.append(rule(kept))
        kept = kept.drop(index=found[-1].index)
    reasons = pd.concat(found).reindex([t for t in companies.index if t not in kept.index])
    excluded = reasons.rename_axis("ticker").rename("reason").reset_index()
    return kept.index.tolist(), excluded


def _short(tickers: pd.Index, returns: pd.DataFrame, share: float, side: str) -> pd.Series:
    """Companies with too few months on one side of the cut."""
    needed = math.ceil(share * len(returns) - 1e-9)
    months = returns.notna().sum().reindex(tickers, fill_value=0)
    short = months[months < needed]
    return short.map(lambda n: f"{n} of {len(returns)} months {side} the cut, {needed} needed")


def _repeated(column: pd.Series, what: str) -> pd.Series:
    """Later companies with the same value as an earlier one."""
    known = column[column.notna() & (column != "")]
    first = pd.Series(known.index, index=known.index).groupby(known).transform("first")
    later = first[first != first.index]
    return later.map(lambda ticker: f"{what} as {ticker}")


def _not_operating(companies: pd.DataFrame) -> pd.Series:
    """Companies without a code, or with one that says they run no business of their own.

    Where no company has a code, there are no methods by code to be fair to.
    """
    coded, reasons = companies["sic"].fillna("").ne("").any(), {}
    for ticker, sic in companies["sic"].items():
        if coded and (pd.isna(sic) or not sic):
            reasons[ticker] = "no SIC code"
        for prefix, meaning in NOT_OPERATING.items():
            if str(sic).startswith(prefix):
                reasons[ticker] = f"SIC {sic} is no operating company ({meaning})"
    if "industry" in companies:
        for ticker, industry in companies["industry"].items():
            if str(industry).lower() in NOT_OPERATING_INDUSTRIES:
                reasons.setdefault(ticker, f"industry {industry} is no operating company")
    return pd.Series(reasons, dtype=object)
