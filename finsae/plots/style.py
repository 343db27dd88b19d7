"""One style for every figure: colours, fonts, and the words that travel with the numbers."""

from __future__ import annotations

from html import escape

import plotly.graph_objects as go

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
GREY = "#8a8f98"
COLOURS = {
    "sae": "#0072B2",
    "sae-group": "#8C6BB1",
    "sic": "#E69F00",
    "major-group": "#CC79A7",
    "tfidf": "#009E73",
    "embedding": "#56B4E9",
    "past-correlation": "#D55E00",
    "random": GREY,
}
DASHES = {"sic": "dash", "major-group": "dash", "past-correlation": "dashdot", "random": "dot"}
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star")
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def styled(
    figure: go.Figure, *, title: str, height: int, reading: str, alt: str, x: str | None = None
) -> go.Figure:
    """Give a figure its title, size, axes and words; the page's dark theme recolours it."""
    figure.update_layout(
        template="none",
        title={"text": escape(title), "x": 0, "xref": "paper", "font": {"size": 16}},
        font={"family": FONT, "size": 12, "color": "#1f2933"},
        height=height,
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        showlegend=False,
        legend={"yanchor": "top", "y": 1, "bgcolor": "rgba(0,0,0,0)"},
        meta={"reading": reading.replace("n = ", "n\u00a0=\u00a0"), "alt": f"{title}. {alt}."},
    )
    line = {"gridcolor": "#e3e7eb", "zerolinecolor": "#b8bfc7", "automargin": True}
    figure.update_yaxes(ticks="", **line)
    return figure.update_xaxes(title=x, ticks="", title_standoff=8, **line)


def short(text: str, length: int) -> str:
    """Shorten a text that would not fit."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
