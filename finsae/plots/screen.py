"""Figures for the screen, by plotly."""

from __future__ import annotations

import textwrap
from functools import singledispatch
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from finsae.plots.spec import Axis, Bars, Cells, Figure, Layer, Line, Panel, Places, Points, Rule
from finsae.plots.style import FONT, GREY, INK, RULE, SEQUENTIAL, TWO_SIDED

RING = {
    "symbol": "circle-open",
    "color": "#D55E00",
    "size": 22,
    "line": {"width": 3, "color": "#D55E00"},
}
LETTERS = 30  # in a line of a name at an axis
GAP = 0.07  # between panels, of the height


def draw(figure: Figure) -> go.Figure:
    """Draw a specification; texts stay texts, whatever markup is in them."""
    words = {"reading": figure.reading, "alt": figure.alt}
    layout: dict[str, Any] = {
        "title": {"text": escape(figure.title), "x": 0, "xref": "paper", "font": {"size": 16}},
        "font": {"family": FONT, "size": 12, "color": INK},
        "height": figure.height,
        "margin": {"l": 10, "r": 10, "t": 40, "b": 10},
        "showlegend": figure.legend,
        "legend": {
            "yanchor": "top", "y": 1, "bgcolor": "rgba(0,0,0,0)", "itemsizing": "constant",
        },
        "hovermode": "closest",
        "barmode": "group",
        "meta": {name: text.replace("n = ", "n\u00a0=\u00a0") for name, text in words.items()},
        "shapes": [],
        "annotations": [],
    }  # fmt: skip
    data: list[dict[str, Any]] = []
    for row, (panel, domain) in enumerate(zip(figure.panels, _domains(figure), strict=True), 1):
        last = row == len(figure.panels)
        data += _panel(layout, panel, str(row) if row > 1 else "", domain=domain, last=last)
    # made in one piece: plotly takes its time over every update
    return go.Figure({"data": data, "layout": {**layout, "template": "none"}})


def _domains(figure: Figure) -> list[list[float]]:
    """Parts of the height that the panels take, from the top down."""
    shares = np.array([panel.share for panel in figure.panels])
    heights = shares / shares.sum() * (1 - GAP * (len(shares) - 1))
    tops = 1 - np.concatenate([[0], np.cumsum(heights + GAP)[:-1]])
    return [
        [max(0.0, float(top - tall)), float(top)] for top, tall in zip(tops, heights, strict=True)
    ]


def _panel(
    layout: dict[str, Any], panel: Panel, number: str, *, domain: list[float], last: bool
) -> list[dict[str, Any]]:
    """Put a panel's axes, rules and names into the layout, and return its traces."""
    x, y = f"x{number}", f"y{number}"
    found: list[dict[str, Any]] = []
    for layer in panel.layers:
        if isinstance(layer, Rule):
            line = {"color": GREY, "width": 1.5, "dash": "dot"}
            ends = {"x0": 0, "x1": 1, "y0": layer.at, "y1": layer.at, "xref": f"{x} domain"}
            if not layer.lying:
                ends = {"y0": 0, "y1": 1, "x0": layer.at, "x1": layer.at, "yref": f"{y} domain"}
            layout["shapes"].append({"type": "line", "line": line, "xref": x, "yref": y, **ends})
            continue
        found += [{**trace, "xaxis": x, "yaxis": y} for trace in _traces(layer, panel)]
        if isinstance(layer, Bars) and layer.lying:
            layout["annotations"] += [
                {"x": 0, "y": float(place), "yshift": 17, "xanchor": "left", "showarrow": False,
                 "text": escape(name), "xref": x, "yref": y}
                for place, name in zip(layer.places, layer.names, strict=True)
            ]  # fmt: skip
    across, upward = _axis(panel.x), _axis(panel.y)
    if last:
        across["title"] = {"text": panel.x.title, "standoff": 8}
    else:
        across |= {"matches": "x2", "showticklabels": False}
    layout[f"xaxis{number}"] = {**across, "anchor": y}
    upward |= {"title": {"text": panel.y.title}, "domain": domain, "anchor": x}
    layout[f"yaxis{number}"] = upward
    return found


def _axis(axis: Axis) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ticks": "", "gridcolor": RULE, "zerolinecolor": "#b8bfc7", "automargin": True,
    }  # fmt: skip
    if axis.kind == "names":
        ends = [-0.5, len(axis.names) - 0.5]
        found |= {
            "type": "category", "categoryorder": "array",
            "categoryarray": [_name(name) for name in axis.names],
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
def _traces(layer: Layer, panel: Panel) -> list[dict[str, Any]]:
    raise NotImplementedError(layer)


@_traces.register
def _(layer: Points, panel: Panel) -> list[dict[str, Any]]:
    hollow = layer.symbols == "circle-open"
    marker: dict[str, Any] = {
        "color": _each(layer.colours), "symbol": _each(layer.symbols), "size": layer.size,
        "opacity": 0.9, "line": {"width": 2 if layer.low is not None else 0,
                                 "color": _each(layer.colours)},
    }  # fmt: skip
    found = dict(
        type="scatter", x=_values(layer.x, panel.x), y=_values(layer.y, panel.y), mode="markers",
        name=escape(layer.name), showlegend=bool(layer.name) and layer.name != "found",
        text=[_lines(text) for text in layer.hover], hovertemplate="%{text}<extra></extra>",
        customdata=list(layer.keys) or None, marker=marker,
    )  # fmt: skip
    if layer.low is not None and layer.high is not None:
        x = np.asarray(layer.x, dtype=float)
        ends = np.asarray(layer.low, dtype=float), np.asarray(layer.high, dtype=float)
        whisker = {"type": "data", "color": GREY, "thickness": 2, "width": 5}
        found["error_x"] = {**whisker, "array": ends[1] - x, "arrayminus": x - ends[0]}
    if hollow and layer.name == "found":  # what a page's search has found: a ring and a name
        found |= {"mode": "markers+text", "hoverinfo": "skip", "hovertemplate": None}
        found |= {"marker": RING, "textposition": "top center", "textfont": {"size": 14}}
    return [found]


@_traces.register
def _(layer: Line, panel: Panel) -> list[dict[str, Any]]:
    x, name = _values(layer.x, panel.x), escape(layer.name)
    traces = []
    if layer.low is not None and layer.high is not None:
        shared = {
            "type": "scatter",
            "x": x,
            "mode": "lines",
            "line": {"width": 0},
            "hoverinfo": "skip",
        }
        tint = _tint(layer.colour, 0.18)
        traces = [
            dict(**shared, y=_values(layer.low, panel.y), showlegend=False, meta="band"),
            dict(**shared, y=_values(layer.high, panel.y), showlegend=False, meta="band",
                       fill="tonexty", fillcolor=tint),
        ]  # fmt: skip
    traces.append(
        dict(
            type="scatter",
            x=x, y=_values(layer.y, panel.y), name=name, legendgroup=name,
            showlegend=bool(name) and not layer.again,
            mode="lines+markers" if layer.marked else "lines",
            line={"color": layer.colour, "dash": layer.dash, "width": layer.width},
            hovertemplate=f"{name} %{{x}}: %{{y:.{layer.digits}f}}<extra></extra>",
        )
    )  # fmt: skip
    return traces


@_traces.register
def _(layer: Bars, panel: Panel) -> list[dict[str, Any]]:
    places = {"x": layer.lengths, "y": layer.places} if layer.lying else {
        "x": _values(layer.places, panel.x), "y": layer.lengths}  # fmt: skip
    value = "%{x:.4~g}" if layer.lying else "%{x}: %{y:.4~g}"
    return [
        dict(
            type="bar",
            **places, name=escape(layer.name), showlegend=bool(layer.name),
            orientation="h" if layer.lying else "v", width=0.45 if layer.lying else None,
            marker={"color": layer.colour}, text=list(layer.written), textposition="outside",
            cliponaxis=False, hovertemplate=f"{value}<extra></extra>",
        )
    ]  # fmt: skip


@_traces.register
def _(layer: Cells, panel: Panel) -> list[dict[str, Any]]:
    low, high = limits(layer)
    return [
        dict(
            type="heatmap", z=layer.values.astype(np.float32),
            x=_values(panel.x.names, panel.x), y=_values(panel.y.names, panel.y),
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
        return [_name(str(value)) for value in values]
    return np.asarray(values, dtype=np.float32)


def _name(text: str) -> str:
    """Write a name at an axis: markup stays text, and a long one takes several lines."""
    return "<br>".join(escape(line) for line in textwrap.wrap(text, LETTERS)) or escape(text)


def _each(value: Any) -> Any:  # noqa: ANN401 - a text or several
    return value if isinstance(value, str) else list(value)


def _lines(text: str) -> str:
    head, *lines = (escape(line) for line in text.split("\n"))
    return "<br>".join([f"<b>{head}</b>" if lines else head, *lines])


def _tint(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
