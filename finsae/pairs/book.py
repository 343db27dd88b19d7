"""What trading left behind: day by day and pair by pair for one window, summed for several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finsae.checks import DataError
from finsae.markup import Cell, Grid, Shown, View

DAILY = ("gross", "costs", "fees", "traded", "held", "net_held", "cash", "shares_y", "shares_x")


@dataclass(frozen=True)
class Backtest(Shown):
    """What a book earned.

    Attributes
    ----------
    pairs : DataFrame
        The pairs traded, ``y, x`` and whatever the selection said of them; with several windows,
        ``window``, the first day of the window each was traded in.
    trades : DataFrame
        One row per position from opening to close: ``pair`` (index in `pairs`), ``y, x``, side (1:
        long y), entry and exit date, days between them, prices, shares at the opening (per unit of
        the pair's capital), profit ``gross``, ``costs`` and ``net``, and the reason of the exit.
    returns : DataFrame, one row per day
        On committed capital, one unit per pair whether it trades or not: ``gross`` and ``net``
        return; ``traded`` (value bought and sold), ``fees`` (costs per share and borrowing, which
        no change of the costs in basis points changes), ``n_open`` (pairs open at the close),
        ``gross_exposure``, ``net_exposure`` (value held at the close) and ``employed``, the share
        of capital in pairs that were open during the day. On that employed capital:
        ``gross_employed, net_employed``, 0 on idle days.
    windows : int
        Trading windows.
    empty : mapping of Timestamp to str
        First day of each window in which no pair was selected, and what the selector said of it.
    """

    pairs: pd.DataFrame
    trades: pd.DataFrame
    returns: pd.DataFrame
    windows: int = 1
    empty: Mapping[pd.Timestamp, str] = field(default_factory=dict)

    @classmethod
    def join(cls, windows: Sequence[Backtest]) -> Backtest:
        """Lay the books of several windows into one.

        Days of several windows at once (overlapping books) have the mean of those alive: one
        observation, whose variance holds all their dependence.

        Parameters
        ----------
        windows : sequence of Backtest
            In the order of time, each of its own days.
        """
        returns = pd.concat([book.returns for book in windows])
        if not returns.index.is_unique:
            days = returns.groupby(level=0)
            returns = _employed(days.mean().assign(n_open=days["n_open"].sum()))
        pairs, trades, place = [], [], 0
        for book in windows:
            names = range(place, place + len(book.pairs))
            at = book.pairs.index.get_indexer(pd.Index(book.trades["pair"]))
            first = book.returns.index[0]
            pairs.append(book.pairs.set_axis(names, axis=0).assign(window=first))
            trades.append(book.trades.assign(pair=place + at, window=first))
            place += len(book.pairs)
        return cls(
            pd.concat([frame for frame in pairs if len(frame)] or pairs[:1]),
            pd.concat([frame for frame in trades if len(frame)] or trades[:1], ignore_index=True),
            returns,
            windows=sum(book.windows for book in windows),
            empty={day: words for book in windows for day, words in book.empty.items()},
        )

    def _view(self) -> View:
        days, trades = self.returns.index, self.trades
        lines = [
            f"Backtest of {len(self.pairs):,} pairs: {len(trades):,} positions in "
            f"{self.windows:,} window{'s' if self.windows > 1 else ''}",
            f"{len(days):,} days"
            + (f", {days[0]:%Y-%m-%d} to {days[-1]:%Y-%m-%d}." if len(days) else "."),
            f"Sum of daily returns on committed capital: {self.returns['gross'].sum():+.2%} before "
            f"costs, {self.returns['net'].sum():+.2%} after. This is one path: "
            "finsae.pairs.scores has Sharpe ratios with their intervals.",
        ]
        if self.empty:
            lines.append(f"In {len(self.empty):,} windows no pair was selected.")
        rows = [
            (
                reason,
                len(ended),
                _number(100 * (ended["net"] > 0).mean(), 0),
                _number(ended["days"].mean(), 1),
                _number(100 * ended["net"].mean(), 2),
            )
            for reason, ended in trades.groupby("reason", sort=True)
        ]
        columns = ["closed because", "positions", "with a profit, %", "days, mean", "net, mean, %"]
        grid = Grid("Positions; profit after costs, of a pair's capital", columns, rows)
        return View(lines, [grid] if rows else [])


@dataclass(frozen=True)
class Book:
    """Trading some pairs over one window, day by day.

    Attributes
    ----------
    pairs, trades : DataFrame
        As in `Backtest`.
    gross, costs, fees, traded, held, net_held : DataFrame, dates x pairs
        Daily profit before costs, all costs, those not in proportion to the value traded, value
        bought and sold, and value held at the close (of both legs; without and with their signs),
        in units of one pair's capital. Columns: the index of `pairs`.
    cash, shares_y, shares_x : DataFrame, dates x pairs
        After each close: what dealing left in cash (from nothing at the start), and shares held.
    """

    pairs: pd.DataFrame
    trades: pd.DataFrame
    gross: pd.DataFrame
    costs: pd.DataFrame
    fees: pd.DataFrame
    traded: pd.DataFrame
    held: pd.DataFrame
    net_held: pd.DataFrame
    cash: pd.DataFrame
    shares_y: pd.DataFrame
    shares_x: pd.DataFrame

    @cached_property
    def returns(self) -> pd.DataFrame:
        """Daily returns on committed and on employed capital, see `Backtest`."""
        capital = max(len(self.pairs), 1)
        values = {name: getattr(self, name).to_numpy() for name in DAILY[:6]}
        daily = {name: value.sum(axis=1) / capital for name, value in values.items()}
        is_open = values["held"] > 0.0
        return _employed(
            pd.DataFrame(
                {
                    "gross": daily["gross"],
                    "net": daily["gross"] - daily["costs"],
                    "traded": daily["traded"],
                    "fees": daily["fees"],
                    "n_open": is_open.sum(axis=1),
                    "gross_exposure": daily["held"],
                    "net_exposure": daily["net_held"],
                    # A pair is open during the day if it was at the close before, or is at this.
                    "employed": (is_open | np.roll(is_open, 1, axis=0)).sum(axis=1) / capital,
                },
                index=self.gross.index,
            )
        )

    def summed(self) -> Backtest:
        """Forget which pair earned what on which day."""
        return Backtest(self.pairs, self.trades, self.returns)

    def take(self, pairs: pd.DataFrame) -> Book:
        """Keep the book of some of the pairs alone.

        A pair earns the same in any book without caps; only the capital is shared.

        Parameters
        ----------
        pairs : DataFrame
            Columns ``y, x``, all traded here; its other columns take the place of those here.

        Raises
        ------
        DataError
            If a pair was not traded here.
        """
        wanted = list(zip(pairs["y"], pairs["x"], strict=True))
        lost = [legs for legs in wanted if legs not in self._places]
        if lost:
            raise DataError(f"the pair {lost[0][0]}, {lost[0][1]} was not traded")
        places = np.array([self._places[legs] for legs in wanted], dtype=np.intp)
        among = np.full(len(self.pairs), -1)
        among[places] = np.arange(len(places))
        rows = np.flatnonzero(among[self._traded] >= 0)
        trades = self.trades.take(rows).reset_index(drop=True)
        trades["pair"] = pairs.index[among[self._traded[rows]]]
        frames = {
            name: pd.DataFrame(
                frame.to_numpy()[:, places], index=frame.index, columns=pairs.index, copy=False
            )
            for name, frame in ((name, getattr(self, name)) for name in DAILY)
        }
        return replace(self, pairs=pairs, trades=trades, **frames)

    @cached_property
    def _places(self) -> dict[tuple[str, str], int]:
        legs = zip(self.pairs["y"], self.pairs["x"], strict=True)
        return {pair: place for place, pair in enumerate(legs)}

    @cached_property
    def _traded(self) -> NDArray[np.intp]:
        """Place of each trade's pair."""
        return self.pairs.index.get_indexer(pd.Index(self.trades["pair"]))


def _number(value: float, digits: int) -> Cell:
    return Cell(f"{value:z.{digits}f}", number=True)


def _employed(returns: pd.DataFrame) -> pd.DataFrame:
    """Add returns on employed capital; where none is, nothing is earned either."""
    share = returns["employed"].where(returns["employed"] > 0.0, 1.0)
    return returns.assign(
        gross_employed=returns["gross"] / share, net_employed=returns["net"] / share
    )
