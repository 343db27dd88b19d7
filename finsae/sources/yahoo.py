"""Adjusted daily closes from Yahoo Finance, through yfinance.

For demonstration: companies that were delisted are missing, so whatever is measured on such prices
is measured on survivors; and closes are adjusted to the day of the request.
"""

from __future__ import annotations

import datetime
import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from finsae.checks import DataError
from finsae.sources.download import NoPricesError, PassingError, StopError
from finsae.sources.http import Manners

SHARE_CLASS = re.compile(r"\.([A-C])$")  # Yahoo writes BRK-B; no exchange of its is one of these
MANNERS = Manners(per_second=2.0, tries=4, limit=64 << 20)
INSTALL = "yfinance is not installed: pip install 'finsae[fetch]'"


class Yahoo:
    """Closes adjusted for splits and dividends, on days of the exchange.

    yfinance asks and reads; who it asks, how often, how much it may read, and what becomes of an
    answer that is none is decided in the session that it is given (`finsae.sources.yahoo_session`).

    Parameters
    ----------
    base : str, optional
        ``https://host`` that takes the place of all of Yahoo's hosts; default these.
    authorities : path, optional
        PEM file of the certificate authorities to trust; default the system's.
    manners : Manners
        Rate, patience and limits. A ticker takes two requests: one tells its time zone.

    Raises
    ------
    DataError
        If yfinance is not installed, or the base is no https address.
    """

    name = "yahoo"

    def __init__(
        self,
        *,
        base: str | None = None,
        authorities: str | None = None,
        manners: Manners = MANNERS,
    ) -> None:
        try:
            import yfinance

            from finsae.sources.yahoo_session import Session
        except ImportError:
            raise DataError(INSTALL) from None
        self.base = base
        self.session = Session(base, authorities=authorities, manners=manners)
        self._yfinance = yfinance

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the answers."""
        return {"base": self.base, "adjusted": "splits and dividends"}

    def closes(
        self, ticker: str, start: datetime.date, end: datetime.date
    ) -> tuple[pd.Series[float], str]:
        """Return adjusted closes by day of the exchange; second, the currency.

        Raises
        ------
        NoPricesError, PassingError, StopError
            See `finsae.sources.download`.
        """
        from yfinance.exceptions import YFException, YFRateLimitError

        with self._configured():
            symbol = SHARE_CLASS.sub(r"-\1", ticker.upper())
            stock = self._yfinance.Ticker(symbol, session=self.session)
            try:
                table = stock.history(
                    start=start.isoformat(),
                    end=(end + datetime.timedelta(days=1)).isoformat(),
                    interval="1d",
                    auto_adjust=True,
                    actions=False,
                    timeout=self.session.manners.timeout,
                )
                currency = str(stock.history_metadata.get("currency") or "")
            except (NoPricesError, PassingError, StopError):
                raise
            except YFRateLimitError as error:
                raise StopError(str(error)) from None
            except YFException as error:
                raise NoPricesError(str(error).removeprefix(f"${symbol}: ")) from None
            except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
                # yfinance trips over answers of another shape than it expects
                raise PassingError(f"unreadable answer ({type(error).__name__})") from None
        if "Close" not in table or not len(table):
            raise NoPricesError("no closes in this time")
        days = pd.DatetimeIndex(table.index).tz_localize(None).normalize()
        closes = pd.Series(table["Close"].to_numpy(dtype=float), index=days)
        return closes[np.isfinite(closes.to_numpy())], currency

    @contextmanager
    def _configured(self) -> Iterator[None]:
        """Have yfinance raise and not log, and keep nothing on disk.

        Its caches on disk hold cookies as pickles: where their place is no folder, it does without.
        The one in memory holds answers, those that were unreadable, too.
        """
        from yfinance.data import YfData

        YfData.cache_get.cache_clear()
        settings = self._yfinance.config.debug
        hidden, logger = settings.hide_exceptions, logging.getLogger("yfinance")
        level = logger.level
        self._yfinance.set_tz_cache_location(os.devnull)
        settings.hide_exceptions = False
        logger.setLevel(logging.CRITICAL)
        try:
            with warnings.catch_warnings():
                # what yfinance asks of pandas is to be mended there
                warnings.simplefilter("ignore", DeprecationWarning)
                yield
        finally:
            settings.hide_exceptions = hidden
            logger.setLevel(level)
