"""Adjusted daily closes from Stooq, as CSV."""

from __future__ import annotations

import datetime
import os
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pandas as pd

from finsae.sources.download import NoPricesError, PassingError, StopError
from finsae.sources.http import Client, FetchError, Manners

BASE = "https://stooq.com"
PATH = "q/d/l/"
KEY = "STOOQ_API_KEY"
MANNERS = Manners(per_second=1.0, tries=4, limit=16 << 20)  # a century of days is two million bytes
# Currencies of the markets that Stooq marks by what follows the last dot. London's are mixed.
CURRENCIES = {"us": "USD", "de": "EUR", "jp": "JPY", "hk": "HKD", "hu": "HUF", "pl": "PLN"}
MARKETS = {*CURRENCIES, "uk"}
HITS = "exceeded the daily hits limit"


class Stooq:
    """Closes adjusted for splits and dividends as Stooq adjusts them.

    A ticker without a market is taken for an American one: AAPL is asked for as ``aapl.us``, BRK.B
    as ``brk-b.us``; 7203.JP stays what it is. Since 2026 Stooq wants a key, had from its page of
    any ticker with ``&get_apikey``; it is read from the environment, ``STOOQ_API_KEY``, and written
    nowhere.

    Parameters
    ----------
    cache : path
        Folder for the client, which keeps the rate over all processes.
    base : str
        Address of the service, https.
    context : ssl.SSLContext, optional
        Certificates to trust; default the system's.
    manners : Manners
        Rate, patience and limits.
    """

    name = "stooq"

    def __init__(
        self,
        cache: str | Path,
        *,
        base: str = BASE,
        context: ssl.SSLContext | None = None,
        manners: Manners = MANNERS,
    ) -> None:
        self.client = Client(
            base, user_agent="finsae", cache=cache, context=context, manners=manners
        )

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the answers."""
        return {"base": self.client.base, "adjusted": "as Stooq does"}

    def closes(
        self, ticker: str, start: datetime.date, end: datetime.date
    ) -> tuple[pd.Series[float], str]:
        """Return adjusted closes by day; second, the currency, "" where the market has several.

        Raises
        ------
        NoPricesError, PassingError, StopError
            See `finsae.sources.download`.
        """
        symbol = symbol_of(ticker)
        params = {"s": symbol, "d1": f"{start:%Y%m%d}", "d2": f"{end:%Y%m%d}", "i": "d"}
        if secret := os.environ.get(KEY, "").strip():
            params["apikey"] = secret
        try:
            # never kept: answers are none where the service is busy, and the address has the key
            body = self.client.ask(PATH, params)
        except FetchError as error:
            reason = _masked(str(error), secret)
            if error.status == 404:
                raise NoPricesError(reason) from None
            raise (StopError if error.status in (403, 429) else PassingError)(reason) from None
        return read_csv(body), CURRENCIES.get(symbol.rpartition(".")[2], "")


def _masked(text: str, secret: str) -> str:
    """Hide a secret, plain or as an address writes it."""
    for written in (secret, quote_plus(secret)):
        text = text.replace(written, "***") if written else text
    return text


def symbol_of(ticker: str) -> str:
    """Write a ticker as Stooq does."""
    name, dot, market = ticker.lower().rpartition(".")
    if dot and market in MARKETS:
        return f"{name}.{market}"
    if ticker.startswith("^"):  # an index is of no market
        return ticker.lower()
    return ticker.lower().replace(".", "-") + ".us"


def read_csv(body: bytes) -> pd.Series[float]:
    """Read Stooq's CSV: ``Date,Open,High,Low,Close,Volume``, one row a day.

    Raises
    ------
    NoPricesError
        If it says that there is nothing.
    PassingError
        If it is empty, a page, cut short or otherwise not such a table.
    StopError
        If it wants a key, or has answered enough for today.
    """
    text = body.decode("utf-8", errors="replace").lstrip("\ufeff").strip()
    low = text[:2000].lower()
    if HITS in low:
        raise StopError("exceeded the daily hits limit")
    if "apikey" in low:
        raise StopError(f"wants a key: get one from {BASE}/q/d/?s=spy.us&get_apikey, set {KEY}")
    if low.startswith("no data"):
        raise NoPricesError("no data")
    if not text or text[0] == "<":
        raise PassingError("a page, no table" if text else "an empty answer")
    rows = [line.strip().split(",") for line in text.splitlines()]
    header = [name.strip().lower() for name in rows[0]]
    if not {"date", "close"} <= set(header) or len(set(header)) < len(header):
        raise PassingError("not a table of closes")
    if any(len(row) != len(header) for row in rows) or not body.endswith(b"\n"):
        raise PassingError("a table that is cut short")
    table = pd.DataFrame(rows[1:], columns=header)
    days = pd.to_datetime(table["date"], format="%Y-%m-%d", errors="coerce")
    closes = pd.to_numeric(table["close"], errors="coerce")
    if days.isna().any() or closes.isna().any():
        raise PassingError("a table with cells that are no days or closes")
    return pd.Series(closes.to_numpy(dtype=float), index=pd.DatetimeIndex(days))
