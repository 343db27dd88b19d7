"""One pair: its spread, and when it was traded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from finsae.plots.spec import Axis, Figure, Line, Panel, Points, Rule
from finsae.plots.style import GREY, INK, OKABE_ITO

LOOKS = {
    "long": ("triangle-up", OKABE_ITO[2], "bought low: spread long"),
    "short": ("triangle-down", OKABE_ITO[5], "sold high: spread short"),
    "closed": ("x", INK, "closed"),
}


def spread(
    z: pd.Series,
    trades: pd.DataFrame,
    *,
    pair: tuple[str, str],
    start: pd.Timestamp,
    bands: tuple[float, float] = (2.0, 4.0),
) -> Figure:
    """Draw a pair's standardised spread before and during trading, and its positions.

    Parameters
    ----------
    z : Series by date
        The spread in standard deviations of the formation window, as from a rule's ``z``.
    trades : DataFrame
        The pair's positions: columns side (1: long the first company), entry, exit (dates), net and
        reason, as of `finsae.pairs.Backtest.trades`.
    pair : (str, str)
        Tickers of y and x; the spread is log y less hedge times log x.
    start : Timestamp
        First day of trading; what is before it is the formation window.
    bands : (float, float)
        Deviations at which positions are opened and given up.
    """
    days = pd.DatetimeIndex(z.index)
    spans = ((days < start, GREY, "formation"), (days >= start, OKABE_ITO[0], "trading"))
    lines = [
        Line(days[during], z[during].to_numpy(float), name=name, colour=tone, width=1.4)
        for during, tone, name in spans
    ]
    levels = (0.0, *bands, *(-size for size in bands))
    told = _told(trades)
    title = f"{pair[0]} and {pair[1]}: a spread that reverted before need not go on reverting"
    return Figure(
        title=title,
        reading=(
            f"The spread in standard deviations of the formation window (grey). Positions open "
            f"beyond {bands[0]:g}, close at 0 and are given up at {bands[1]:g} (dotted lines), "
            f"each a day after the close that decides. {told}. n = {len(days)} days."
        ),
        alt=f"{title}. Spread from {np.nanmin(z):.1f} to {np.nanmax(z):.1f}; {told}.",
        panels=[
            Panel(
                Axis("date", "date"),
                Axis("spread (standard deviations)"),
                [*lines, *_marks(z, trades), *(Rule(level, lying=True) for level in levels)],
            )
        ],
        height=420,
        legend=True,
    )


def _told(trades: pd.DataFrame) -> str:
    counts = trades["reason"].value_counts()
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "none"
    earned = f"together {100 * trades['net'].sum():+.1f} % of the pair's capital"
    return f"Positions: {len(trades)} ({reasons}), {earned}"


def _marks(z: pd.Series, trades: pd.DataFrame) -> Iterator[Points]:
    """Draw where positions were opened, by side, and closed."""
    ends = zip(trades["reason"], trades["net"], strict=True)
    left = pd.Series([f"{why}, net {100 * float(net):+.1f} %" for why, net in ends], trades.index)
    opened = pd.Series("opened", trades.index)
    marks = {
        "long": ("entry", trades["side"] > 0, opened),
        "short": ("entry", trades["side"] < 0, opened),
        "closed": ("exit", trades["side"] != 0, left),
    }
    for mark, (column, which, words) in marks.items():
        symbol, tone, name = LOOKS[mark]
        at = pd.DatetimeIndex(trades.loc[which, column])
        hover = [f"{day:%Y-%m-%d}\n{text}" for day, text in zip(at, words[which], strict=True)]
        yield Points(
            at,
            z.reindex(at).to_numpy(float),
            name=f"{name} ({len(at)})",
            colours=tone,
            symbols=symbol,
            size=9,
            hover=hover,
        )
