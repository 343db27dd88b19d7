"""What pairs earned."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from finsae.methods import in_order, label
from finsae.plots.style import COLOURS, DASHES, GREY, styled


def equity(
    returns: pd.DataFrame, *, column: str = "net", notes: Mapping[str, str] | None = None
) -> go.Figure:
    """Draw each method's equity above its drawdown.

    Parameters
    ----------
    returns : DataFrame
        Columns method, draw, date and `column`: daily returns on committed capital.
    column : str
        "net" (after costs) or "gross".
    notes : mapping, optional
        Method to a few words for the legend, as its Sharpe ratio with interval.

    Notes
    -----
    Returns are summed, not compounded: the committed capital is fixed. Draws are averaged day by
    day, which makes such a line smoother than any one of its draws.
    """
    daily = returns.pivot_table(index="date", columns="method", values=column, aggfunc="mean")
    curves = 100 * daily[in_order(daily.columns)].fillna(0.0).cumsum()
    figure = make_subplots(2, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.06)
    for method, curve in curves.items():
        name = " ".join([label(str(method)), (notes or {}).get(str(method), "")]).strip()
        fall = curve - np.maximum(curve.cummax(), 0.0)
        for row, line in ((1, curve), (2, fall)):
            figure.add_trace(_line(str(method), line, name, row == 1), row=row, col=1)
    days = f"n = {len(curves)} trading days, {len(curves.columns)} methods"
    styled(
        figure,
        title=f"What the pairs earned {'after' if column == 'net' else 'before'} costs",
        height=560,
        reading=(
            "Summed daily returns on committed capital, idle days counted; below, the fall from "
            "the last peak. Methods that tie are means over draws, smoother than one portfolio. "
            f"{days}."
        ),
        alt="; ".join(
            f"{label(str(m))} ends at {curves[m].iloc[-1]:+.1f} %, deepest fall "
            f"{(curves[m] - np.maximum(curves[m].cummax(), 0)).min():.1f} points"
            for m in curves.columns
        ),
    )
    figure.update_yaxes(title=f"cumulative {column} return, %", row=1, col=1)
    figure.update_yaxes(title="drawdown, points", row=2, col=1)
    figure.update_xaxes(title="date", row=2, col=1)
    return figure.update_layout(hovermode="closest", showlegend=True)


def _line(method: str, curve: pd.Series[float], name: str, shown: bool) -> go.Scatter:
    return go.Scatter(
        x=pd.DatetimeIndex(curve.index).strftime("%Y-%m-%d"),
        y=curve.to_numpy(dtype=np.float32),
        name=name,
        legendgroup=method,
        showlegend=shown,
        mode="lines",
        line={
            "color": COLOURS.get(method, GREY),
            "dash": DASHES.get(method, "solid"),
            "width": 2.4 if method == "sae" else 1.5,
        },
        hovertemplate=f"{escape(label(method))} %{{x}}: %{{y:.2f}}<extra></extra>",
    )
