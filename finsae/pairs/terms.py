"""The terms on which pairs are traded: costs, limits, and what becomes of a leg without prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from finsae.checks import DataError


@dataclass(frozen=True)
class Terms:
    """Costs, limits and conventions of a book.

    Attributes
    ----------
    cost_bps : float
        Costs per leg and side, in basis points of the value traded.
    borrow_bps : float
        Fee for borrowing the short legs, in basis points of their value a year of 365 days; charged
        at each close on the value short at the close before, for the days between.
    per_share : float
        Costs per share traded, in the currency of the prices (which must not be adjusted for
        splits, or a share is not a share).
    gross_cap, net_cap : float, optional
        Most that longs and shorts together, and longs less shorts, may be worth over committed
        capital when a position is opened. An opening beyond is refused, for as long as the rule
        would have held it; pairs come in the order of the book. Nothing that is open is cut.
    patience : int
        Days in a row without a price of a leg after which it counts as delisted, and the pair is
        closed: the other leg at its price, the one without at its last one.
    delisting_loss : float
        Share of its last price that a delisted leg loses, whichever side is held: prices alone do
        not tell a failure from a takeover. 0 closes at the last price; 0.3 is usual for failures
        (Shumway, 1997).
    ended : mapping of str to Timestamp
        Day of the last price of each company that never trades again, as from `last_prices`. It
        decides nothing: a leg that stops shortly before the window ends, and is sold there before
        `patience` is over, is booked as what it is, delisted.
    """

    cost_bps: float = 10.0
    borrow_bps: float = 50.0
    per_share: float = 0.0
    gross_cap: float | None = None
    net_cap: float | None = None
    patience: int = 10
    delisting_loss: float = 0.0
    ended: Mapping[str, pd.Timestamp] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        costs = {
            "costs": self.cost_bps,
            "the borrow fee": self.borrow_bps,
            "costs per share": self.per_share,
        }
        caps = {"gross_cap": self.gross_cap, "net_cap": self.net_cap}
        problems = [
            f"{name} must be zero or more, not {v}"
            for name, v in costs.items()
            if not 0.0 <= v < np.inf
        ]
        problems += [
            f"{name} must be above zero, not {v}: leave it out for none"
            for name, v in caps.items()
            if v is not None and not v > 0.0
        ]
        if self.patience < 1:
            problems.append(f"patience must be at least 1 day, not {self.patience}")
        if not 0.0 <= self.delisting_loss <= 1.0:
            problems.append(f"a delisting loss lies between 0 and 1, not {self.delisting_loss}")
        if problems:
            raise DataError(problems)

    @property
    def capped(self) -> bool:
        """Whether what one pair does depends on the others of its book."""
        return self.gross_cap is not None or self.net_cap is not None


def last_prices(prices: pd.DataFrame, *, patience: int) -> dict[str, pd.Timestamp]:
    """Find the companies whose prices end `patience` days or more before the table does.

    Parameters
    ----------
    prices : DataFrame, dates x tickers
        All closes there are, NaN where missing.
    patience : int
        As in `Terms`: who lacks prices for fewer days may yet come back.

    Returns
    -------
    dict of str to Timestamp
        The day of each one's last price.
    """
    known = prices.notna().to_numpy()
    last = len(known) - 1 - known[::-1].argmax(axis=0)
    gone = known.any(axis=0) & (len(known) - 1 - last >= patience)
    return dict(zip(prices.columns[gone], prices.index[last[gone]], strict=True))
