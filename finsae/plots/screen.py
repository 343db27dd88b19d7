"""Figures for the screen, by plotly."""

from __future__ import annotations

from functools import singledispatch
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from finsae.plots.spec import Axis, Bars, Cells, Figure, Layer, Line, Panel, Places, Points, Rule
from finsae.plots.style import FONT, GREY, INK, RULE, SEQUENTIAL, TWO_SIDED

RING = {"size": 22, "line": {"width": 3, "color": "#D55E00"}}
HEADS = {"standoff": 8}


def draw(figure: Figure) -> go.Figure:
    """Draw a specification; texts stay texts, whatever markup is in them."""
    shares = np.array([panel.share for panel in figure.panels])
    drawn = make_subplots(
        len(shares), shared_xaxes=True, row_heights=list(shares / shares.sum()),
        vertical_spacing=0.07,
    )  # fmt: skip
    for row, panel in enumerate(figure.panels, 1):
        _panel(drawn, panel, row, last=row == len(shares))
    words = {"reading": figure.reading, "alt": figure.alt}
    return drawn.update_layout(
        template="none",
        title={"text": escape(figure.title), "x": 0, "xref": "paper", "font": {"size": 16}},
        font={"family": FONT, "size": 12, "color": INK},
        height=figure.height,
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        showlegend=figure.legend,
        legend={
            "yanchor": "top", "y": 1, "bgcolor": "rgba(0,0,0,0)", "itemsizing": "constant",
        },
        hovermode="closest",
        barmode="group",
        meta={name: text.replace("n = ", "n\u00a0=\u00a0") for name, text in words.items()},
    )  # fmt: skip


def _panel(drawn: go.Figure, panel: Panel, row: int, *, last: bool) -> None:
    for layer in panel.layers:
        if isinstance(layer, Rule):
            line = {"color": GREY, "width": 1.5, "dash": "dot"}
            side = {"y": layer.at} if layer.lying else {"x": layer.at}
            add = drawn.add_hline if layer.lying else drawn.add_vline
            add(**side, line=line, row=row, col=1)
            continue
        for trace in _traces(layer, panel):
            drawn.add_trace(trace, row=row, col=1)
        if isinstance(layer, Bars) and layer.lying:
            for place, name in zip(layer.places, layer.names, strict=True):
                drawn.add_annotation(
                    {"x": 0, "y": place, "yshift": 17, "xanchor": "left", "showarrow": False},
                    text=escape(name), row=row, col=1,
                )  # fmt: skip
    title = panel.x.title if last else None
    drawn.update_xaxes(**_axis(panel.x), title={"text": title, **HEADS}, row=row, col=1)
    drawn.update_yaxes(**_axis(panel.y), title={"text": panel.y.title}, row=row, col=1)


def _axis(axis: Axis) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ticks": "", "gridcolor": RULE, "zerolinecolor": "#b8bfc7", "automargin": True,
    }  # fmt: skip
    if axis.kind == "names":
        ends = [-0.5, len(axis.names) - 0.5]
        found |= {
            "type": "category", "categoryorder": "array", "categoryarray": list(axis.names),
            "range": ends[::-1] if axis.turned else ends,
        }  # fmt: skip
    if axis.span is not None:
        found["range"] = list(axis.span)
    if axis.bare:
        found |= {"showticklabels": False, "showgrid": False, "zeroline": False}
    if axis.small:
        step = max(1, round(len(axis.names) / 30))
        found |= {"tickfont": {"size": 9}, "dtick": step, "showgrid": False}
    return found


@singledispatch
def _traces(layer: Layer, panel: Panel) -> list[Any]:
    raise NotImplementedError(layer)


@_traces.register
def _(layer: Points, panel: Panel) -> list[Any]:
    hollow = layer.symbols == "circle-open"
    marker: dict[str, Any] = {
        "color": _each(layer.colours), "symbol": _each(layer.symbols), "size": layer.size,
        "opacity": 0.9, "line": {"width": 2 if layer.low is not None else 0,
                                 "color": _each(layer.colours)},
    }  # fmt: skip
    found = go.Scatter(
        x=_values(layer.x, panel.x), y=_values(layer.y, panel.y), mode="markers",
        name=escape(layer.name), showlegend=bool(layer.name) and layer.name != "found",
        text=[_lines(text) for text in layer.hover], hovertemplate="%{text}<extra></extra>",
        customdata=list(layer.keys) or None, marker=marker,
    )  # fmt: skip
    if layer.low is not None and layer.high is not None:
        x = np.asarray(layer.x, dtype=float)
        ends = np.asarray(layer.low, dtype=float), np.asarray(layer.high, dtype=float)
        whisker = {"type": "data", "color": GREY, "thickness": 2, "width": 5}
        found.error_x = {**whisker, "array": ends[1] - x, "arrayminus": x - ends[0]}
    if hollow and layer.name == "found":  # what a page's search has found: a ring and a name
        found.update(mode="markers+text", hoverinfo="skip", hovertemplate=None, marker=RING)
        found.update(textposition="top center", textfont={"size": 14})
    return [found]


@_traces.register
def _(layer: Line, panel: Panel) -> list[Any]:
    x, name = _values(layer.x, panel.x), escape(layer.name)
    traces = []
    if layer.low is not None and layer.high is not None:
        shared = {"x": x, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        tint = _tint(layer.colour, 0.18)
        traces = [
            go.Scatter(**shared, y=_values(layer.low, panel.y), showlegend=False, meta="band"),
            go.Scatter(**shared, y=_values(layer.high, panel.y), showlegend=False, meta="band",
                       fill="tonexty", fillcolor=tint),
        ]  # fmt: skip
    traces.append(
        go.Scatter(
            x=x, y=_values(layer.y, panel.y), name=name, legendgroup=name,
            showlegend=bool(name) and not layer.again,
            mode="lines+markers" if layer.marked else "lines",
            line={"color": layer.colour, "dash": layer.dash, "width": layer.width},
            hovertemplate=f"{name} %{{x}}: %{{y:.{layer.digits}f}}<extra></extra>",
        )
    )  # fmt: skip
    return traces


@_traces.register
def _(layer: Bars, panel: Panel) -> list[Any]:
    places = {"x": layer.lengths, "y": layer.places} if layer.lying else {
        "x": _values(layer.places, panel.x), "y": layer.lengths}  # fmt: skip
    value = "%{x:.4~g}" if layer.lying else "%{x}: %{y:.4~g}"
    return [
        go.Bar(
            **places, name=escape(layer.name), showlegend=bool(layer.name),
            orientation="h" if layer.lying else "v", width=0.45 if layer.lying else None,
            marker={"color": layer.colour}, text=list(layer.written), textposition="outside",
            cliponaxis=False, hovertemplate=f"{value}<extra></extra>",
        )
    ]  # fmt: skip


@_traces.register
def _(layer: Cells, panel: Panel) -> list[Any]:
    low, high = limits(layer)
    return [
        go.Heatmap(
            z=layer.values.astype(np.float32), x=list(panel.x.names), y=list(panel.y.names),
            colorscale=TWO_SIDED if layer.two_sided else SEQUENTIAL, zmin=low, zmax=high,
            colorbar={"thickness": 10, "title": {"text": layer.title, "side": "right"}},
            text=[list(row) for row in layer.written] or None,
            texttemplate="%{text}" if layer.written else None,
            hovertemplate=f"%{{y}}, %{{x}}: %{{z:.{layer.digits}f}}<extra></extra>",
            hoverongaps=False,
        )
    ]  # fmt: skip


def limits(layer: Cells) -> tuple[float, float]:
    """Numbers at the two ends of a matrix's colours."""
    known = layer.values[np.isfinite(layer.values)]
    high = float(known.max(initial=0.0)) or 1.0
    if layer.two_sided:
        high = float(np.abs(known).max(initial=0.0)) or 1.0
        return -high, high
    return float(known.min(initial=0.0)), high


def _values(values: Places, axis: Axis) -> Any:  # noqa: ANN401 - what plotly takes
    if axis.kind == "date":
        return pd.DatetimeIndex(np.asarray(values)).strftime("%Y-%m-%d")
    if axis.kind == "names":
        return [str(value) for value in values]
    return np.asarray(values, dtype=np.float32)


def _each(value: Any) -> Any:  # noqa: ANN401 - a text or several
    return value if isinstance(value, str) else list(value)


def _lines(text: str) -> str:
    head, *lines = (escape(line) for line in text.split("\n"))
    return "<br>".join([f"<b>{head}</b>" if lines else head, *lines])


def _tint(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
