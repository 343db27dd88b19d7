"""Figures for paper, by matplotlib."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import singledispatch
from typing import Any

import matplotlib
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing
from matplotlib.font_manager import FontProperties

from finsae.plots.screen import limits
from finsae.plots.spec import Axis, Bars, Cells, Figure, Layer, Line, Panel, Places, Points, Rule
from finsae.plots.style import GREY, INK, RULE, SEQUENTIAL, TWO_SIDED, short

LETTERS = 42  # in a line of a name
NARROW = 5.0  # inches of width below which the height shrinks with it
SHADES = 256  # of a PNG, which is a third of the size so
PIXELS = 132  # of the screen's height to one inch of paper
DASHES: dict[str, Any] = {"solid": "-", "dash": "--", "dashdot": "-.", "dot": ":"}
MARKERS = {
    "circle": "o", "circle-open": "o", "square": "s", "diamond": "D", "triangle-up": "^",
    "triangle-down": "v", "cross": "P", "x": "X", "star": "*",
}  # fmt: skip
STYLE: dict[Any, Any] = {
    "font.size": 8.0, "font.family": "sans-serif", "text.color": INK, "axes.labelcolor": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": GREY,
    "axes.grid": True, "axes.axisbelow": True, "grid.color": RULE, "xtick.color": INK,
    "ytick.color": INK, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "legend.frameon": False, "legend.fontsize": 7.0, "svg.hashsalt": "finsae",
    "text.parse_math": False,
    "date.converter": "concise", "lines.solid_capstyle": "round",
}  # fmt: skip


def draw(figure: Figure, *, width: float = 7.0, titled: bool = True) -> Drawing:
    """Draw a specification."""
    with _styled():
        tall = figure.height / PIXELS * min(1.0, width / NARROW)
        size = (width, tall + (0.3 if figure.legend else 0.0))
        drawn = Drawing(figsize=size, layout="constrained")
        FigureCanvasSVG(drawn)
        shares = [panel.share for panel in figure.panels]
        places = drawn.subplots(
            len(shares), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": shares}
        )[:, 0]
        for place, panel in zip(places, figure.panels, strict=True):
            for layer in panel.layers:
                _put(layer, place, panel)
            _axes(place, panel)
        places[-1].set_xlabel(figure.panels[-1].x.title)
        if titled:
            title = textwrap.fill(figure.title, int(12 * width))
            drawn.suptitle(title, x=0.01, ha="left", fontsize=9.5, fontweight="bold")
        if figure.legend:
            _legend(drawn, places, width)
    return drawn


def svg(figure: Figure, *, width: float = 7.0, titled: bool = True) -> str:
    """Return a figure as SVG; its letters are drawn as paths, so that no font is needed."""
    target = io.StringIO()
    with _styled():
        drawn = draw(figure, width=width, titled=titled)
        drawn.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    text = target.getvalue()
    return text[text.index("<svg") :]


def png(figure: Figure, *, width: float, dots: int) -> bytes:
    """Return a figure as PNG, how to read it below: the same bytes for the same figure."""
    from PIL import Image  # matplotlib's own

    drawing, small = io.BytesIO(), io.BytesIO()
    reading = textwrap.wrap(figure.reading, int(18 * width))
    with _styled():
        drawn = draw(figure, width=width)
        drawn.set_figheight(drawn.get_figheight() + 0.14 * len(reading))
        for legend in drawn.legends:  # two things below the axes would be drawn over one another
            legend.set_title("\n".join(reading), prop=FontProperties(size=7.0))
            legend.set_alignment("left")
        if not drawn.legends:
            drawn.supxlabel("\n".join(reading), x=0.01, ha="left", fontsize=7.0, color=INK)
        drawn.savefig(drawing, format="png", dpi=dots)
    # the median cut would give small points the colour of their neighbours
    shades = Image.open(drawing).convert("RGB").quantize(SHADES, Image.Quantize.MAXCOVERAGE)
    shades.save(small, "png", optimize=True)
    return small.getvalue()


@contextmanager
def _styled() -> Iterator[None]:
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcParams.update(STYLE)
        # a name may hold a letter that the font lacks: a box stands for it
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def _axes(place: Axes, panel: Panel) -> None:
    place.set_ylabel(panel.y.title)
    for axis, side in ((panel.x, "x"), (panel.y, "y")):
        one = getattr(place, f"{side}axis")
        if axis.kind == "names":
            step = max(1, round(len(axis.names) / 40)) if axis.small else 1
            names = [textwrap.fill(short(name, 2 * LETTERS), LETTERS) for name in axis.names]
            one.set_ticks(range(0, len(names), step), labels=names[::step])
            getattr(place, f"set_{side}lim")(-0.5, len(names) - 0.5)
            one.grid(side == "y" and not axis.small)
        _marked_out(place, axis, side)
    place.tick_params(length=0)


def _marked_out(place: Axes, axis: Axis, side: str) -> None:
    one = getattr(place, f"{side}axis")
    if axis.small:
        turn = {"labelrotation": 90} if side == "x" else {}
        place.tick_params(axis="x" if side == "x" else "y", labelsize=5.5, **turn)
    if axis.span is not None:
        getattr(place, f"set_{side}lim")(*axis.span)
    if axis.turned:
        one.set_inverted(True)
    if axis.bare:
        one.set_ticks([])
        place.spines["bottom" if side == "x" else "left"].set_visible(False)


def _legend(drawn: Drawing, places: Any, width: float) -> None:  # noqa: ANN401 - array of axes
    found: dict[str, Any] = {}
    for place in places:
        for handle, name in zip(*place.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    longest = max((len(name) for name in found), default=1)
    columns = max(1, min(4, int(width * 16 / (longest + 6))))
    drawn.legend(found.values(), list(found), loc="outside lower center", ncols=columns)


@singledispatch
def _put(layer: Layer, place: Axes, panel: Panel) -> None:
    raise NotImplementedError(layer)


@_put.register
def _(layer: Points, place: Axes, panel: Panel) -> None:
    x, y = _values(layer.x, panel.x), _values(layer.y, panel.y)
    if not len(x):
        return
    if layer.low is not None and layer.high is not None:
        low, high = (np.asarray(end, dtype=float) for end in (layer.low, layer.high))
        known = np.isfinite(low) & np.isfinite(high)
        place.hlines(y[known], low[known], high[known], colors=GREY, linewidths=1.6, zorder=2)
    colours, symbols = (_all(value, len(x)) for value in (layer.colours, layer.symbols))
    area = (0.62 * layer.size) ** 2
    for symbol in dict.fromkeys(symbols):
        at = np.array([one == symbol for one in symbols])
        mine = [colour for colour, yes in zip(colours, at, strict=True) if yes]
        faces = "white" if symbol.endswith("-open") else mine
        name = layer.name if symbol == symbols[0] and layer.name else None
        place.scatter(x[at], y[at], s=area, marker=MARKERS[symbol], c=faces, edgecolors=mine,
                      linewidths=1.2 if layer.low is not None else 0.3, label=name,
                      zorder=3)  # fmt: skip


@_put.register
def _(layer: Line, place: Axes, panel: Panel) -> None:
    x, y = _values(layer.x, panel.x), _values(layer.y, panel.y)
    if layer.low is not None and layer.high is not None:
        ends = [_values(end, panel.y) for end in (layer.low, layer.high)]
        place.fill_between(x, *ends, color=layer.colour, alpha=0.18, linewidth=0)
    place.plot(
        x, y, color=layer.colour, linestyle=DASHES[layer.dash], linewidth=0.7 * layer.width,
        marker="o" if layer.marked else "", markersize=3,
        label=layer.name if layer.name and not layer.again else "_line",
    )  # fmt: skip


@_put.register
def _(layer: Bars, place: Axes, panel: Panel) -> None:
    if not layer.lying:
        groups = [one for one in panel.layers if isinstance(one, Bars)]
        wide = 0.8 / len(groups)
        shift = (groups.index(layer) - (len(groups) - 1) / 2) * wide
        x = _values(layer.places, panel.x) + shift
        bars = place.bar(x, layer.lengths, width=wide, color=layer.colour, label=layer.name or None)
        place.bar_label(bars, labels=list(layer.written), fontsize=6, padding=1)
        return
    bars = place.barh(layer.places, layer.lengths, height=0.4, color=layer.colour)
    place.bar_label(bars, labels=list(layer.written), fontsize=7, padding=2)
    for at, name in zip(layer.places, layer.names, strict=True):
        place.text(0, float(at) + 0.24, name, fontsize=7, va="bottom", ha="left")
    place.set_ylim(-0.5, len(layer.names) - 0.2)


@_put.register
def _(layer: Cells, place: Axes, panel: Panel) -> None:
    low, high = limits(layer)
    colours = colormaps[TWO_SIDED if layer.two_sided else SEQUENTIAL.lower()]
    rows, columns = (np.arange(size + 1) - 0.5 for size in layer.values.shape)
    shown = np.ma.masked_invalid(layer.values)
    mesh = place.pcolormesh(columns, rows, shown, cmap=colours, vmin=low, vmax=high)
    bar = place.figure.colorbar(mesh, ax=place, fraction=0.04, pad=0.02)
    bar.set_label(layer.title)
    bar.outline.set_visible(False)
    for i, row in enumerate(layer.written):
        for j, text in enumerate(row):
            red, green, blue, _ = mesh.to_rgba(layer.values[i, j])
            light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.55
            place.text(j, i, text, ha="center", va="center", fontsize=7,
                       color=INK if light else "white")  # fmt: skip


@_put.register
def _(layer: Rule, place: Axes, panel: Panel) -> None:
    draw_at = place.axhline if layer.lying else place.axvline
    draw_at(layer.at, color=GREY, linewidth=1.0, linestyle=":", zorder=1)


def _values(values: Places, axis: Axis) -> Any:  # noqa: ANN401 - what matplotlib takes
    if axis.kind == "date":
        return np.asarray(values).astype("datetime64[D]")
    if axis.kind == "names":
        at = {name: place for place, name in enumerate(axis.names)}
        return np.array([at[str(value)] for value in values], dtype=float)
    return np.asarray(values, dtype=float)


def _all(value: str | Any, count: int) -> list[str]:  # noqa: ANN401 - a text or several
    return [value] * count if isinstance(value, str) else [str(one) for one in value]
