"""One pair: its spread, and when it was traded."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from finsae.plots.style import GREY, OKABE_ITO, styled

LOOKS = {
    "long": ("triangle-up", OKABE_ITO[2], "bought low: spread long"),
    "short": ("triangle-down", OKABE_ITO[5], "sold high: spread short"),
    "closed": ("x", "#1f2933", "closed"),
}


def spread(
    z: pd.Series,
    trades: pd.DataFrame,
    *,
    pair: tuple[str, str],
    start: pd.Timestamp,
    bands: tuple[float, float] = (2.0, 4.0),
) -> go.Figure:
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
    figure = go.Figure()
    spans = ((days < start, GREY, "formation"), (days >= start, OKABE_ITO[0], "trading"))
    for during, colour, name in spans:
        figure.add_trace(_line(z[during], colour, name))
    for mark, shown in _marks(z, trades).items():
        symbol, colour, name = LOOKS[mark]
        figure.add_trace(_points(shown, symbol, colour, f"{name} ({len(shown)})"))
    for size, dash in zip(bands, ("dash", "dot"), strict=True):
        for level in (-size, size):
            figure.add_hline(level, line={"color": GREY, "dash": dash, "width": 1})
    net, one, other = 100 * trades["net"].sum(), *pair
    counts = trades["reason"].value_counts()
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "none"
    earned = f"together {net:+.1f} % of the pair's capital"
    told = f"Positions: {len(trades)} ({reasons}), {earned}"
    styled(
        figure,
        title=f"{one} and {other}: a spread that reverted before need not go on reverting",
        height=420,
        reading=(
            f"The spread in standard deviations of the formation window (grey). Positions open "
            f"beyond {bands[0]:g} (dashed), close at 0 and are given up at {bands[1]:g} (dotted), "
            f"each a day after the close that decides. {told}. n = {len(days)} days."
        ),
        alt=f"Spread from {np.nanmin(z):.1f} to {np.nanmax(z):.1f}; {told}",
        x="date",
    )
    figure.update_yaxes(title="spread, standard deviations")
    return figure.update_layout(hovermode="closest", showlegend=True)


def _marks(z: pd.Series, trades: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Find where positions opened, by side, and closed: columns date, z and text."""
    opened = trades.assign(date=trades["entry"], text="opened")
    ends = zip(trades["reason"], trades["net"], strict=True)
    words = [f"{reason}, net {100 * float(net):+.1f} %" for reason, net in ends]
    closed = trades.assign(date=trades["exit"], text=words)
    marks = {
        "long": opened[opened["side"] > 0],
        "short": opened[opened["side"] < 0],
        "closed": closed,
    }
    return {
        name: rows.assign(z=z.reindex(rows["date"]).to_numpy())[["date", "z", "text"]]
        for name, rows in marks.items()
    }


def _line(values: pd.Series, colour: str, name: str) -> go.Scatter:
    return go.Scatter(
        x=pd.DatetimeIndex(values.index).strftime("%Y-%m-%d"),
        y=values.to_numpy(dtype=np.float32),
        name=name,
        mode="lines",
        line={"color": colour, "width": 1.4},
        hovertemplate=f"{name} %{{x}}: %{{y:.2f}}<extra></extra>",
    )


def _points(rows: pd.DataFrame, symbol: str, colour: str, name: str) -> go.Scatter:
    return go.Scatter(
        x=pd.DatetimeIndex(rows["date"]).strftime("%Y-%m-%d"),
        y=rows["z"].to_numpy(dtype=np.float32),
        name=name,
        text=[escape(text) for text in rows["text"]],
        mode="markers",
        marker={"symbol": symbol, "color": colour, "size": 10},
        hovertemplate="%{x}: %{text}<extra></extra>",
    )
