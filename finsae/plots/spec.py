"""A figure as a small specification: what is drawn, its axes with units, and its words."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from finsae.plots.style import GREY, INK

if TYPE_CHECKING:
    import matplotlib.figure
    import pandas as pd
    import plotly.graph_objects as go

Numbers = npt.NDArray[np.floating[Any]]
Places: TypeAlias = "Sequence[Any] | npt.NDArray[Any] | pd.Index[Any]"
"""Where marks stand along an axis: numbers, dates, or names of the axis."""


@dataclass(frozen=True, eq=False)
class Axis:
    """An axis.

    Attributes
    ----------
    title : str
        What is measured, and its unit.
    kind : str
        "number", "date", or "names": one place for each of `names`.
    names : sequence of str
        From left to right or from the bottom up; of kind "names".
    span : (float, float) or None
        First and last number shown; by default what the data need.
    bare : bool
        No ticks and no grid: the places mean nothing in themselves.
    turned : bool
        Drawn from the top down, or from right to left.
    small : bool
        Small letters, for many names.
    """

    title: str
    kind: Literal["number", "date", "names"] = "number"
    names: Sequence[str] = ()
    span: tuple[float, float] | None = None
    bare: bool = False
    turned: bool = False
    small: bool = False


@dataclass(frozen=True, eq=False)
class Points:
    """Points, with whiskers along x where `low` and `high` are given.

    Attributes
    ----------
    x, y : sequence
    name : str
        In the legend; none there without one.
    colours, symbols : str or sequence of str
        Of all, or of each; symbols are "circle", "circle-open" and so on (`style.SYMBOLS`).
    size : float
        In points.
    low, high : sequence of float or None
        Ends of the whiskers.
    hover : sequence of str
        What a pointer shows of each; lines are separated by a newline, the first one is the head.
    keys : sequence of str
        Names by which a page finds the points.
    """

    x: Places
    y: Places
    name: str = ""
    colours: str | Sequence[str] = GREY
    symbols: str | Sequence[str] = "circle"
    size: float = 8.0
    low: Places | None = None
    high: Places | None = None
    hover: Sequence[str] = ()
    keys: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Line:
    """A line, with a band about it where `low` and `high` are given; `marked`: with points."""

    x: Places
    y: Places
    name: str = ""
    colour: str = INK
    dash: str = "solid"
    width: float = 1.6
    low: Places | None = None
    high: Places | None = None
    digits: int = 2
    marked: bool = False
    again: bool = False  # its name is in the legend already, by another panel


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars: lying ones have `names` written above them, upright ones stand at names of x."""

    places: Places
    lengths: Places
    name: str = ""
    colour: str = INK
    lying: bool = False
    names: Sequence[str] = ()
    written: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Cells:
    """A matrix, rows at the names of y and columns at those of x; `written` are its cells' texts.

    `two_sided` colours run from the lowest over 0 to the highest.
    """

    values: Numbers
    title: str
    written: Sequence[Sequence[str]] = ()
    two_sided: bool = False
    digits: int = 2


@dataclass(frozen=True, eq=False)
class Rule:
    """A dotted line at a number: upright at an x, or lying at a y."""

    at: float
    lying: bool = False


Layer = Points | Line | Bars | Cells | Rule


@dataclass(frozen=True, eq=False)
class Panel:
    """Axes and what is drawn on them; `share` is its part of the figure's height."""

    x: Axis
    y: Axis
    layers: Sequence[Layer]
    share: float = 1.0


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure: plotly draws it for the screen, matplotlib for paper, both from the same numbers.

    Attributes
    ----------
    title : str
        Says what to see.
    reading : str
        How to read it, with the n.
    alt : str
        The same for who cannot see it.
    panels : sequence of Panel
        From the top down, with one x axis in common.
    height : int
        Pixels on the screen.
    legend : bool
    """

    title: str
    reading: str
    alt: str
    panels: Sequence[Panel]
    height: int = 400
    legend: bool = False

    def plotly(self) -> go.Figure:
        """Draw for the screen; `reading` and `alt` are in ``layout.meta``."""
        from finsae.plots.screen import draw

        return draw(self)

    def matplotlib(self, *, width: float = 7.0, titled: bool = True) -> matplotlib.figure.Figure:
        """Draw for paper.

        Parameters
        ----------
        width : float
            Inches.
        titled : bool
            Whether the title is in the drawing, and not in the text about it.
        """
        from finsae.plots.paper import draw

        return draw(self, width=width, titled=titled)

    def svg(self, *, width: float = 7.0, titled: bool = True) -> str:
        """Return what `matplotlib` draws as SVG: the same text for the same figure."""
        from finsae.plots.paper import svg

        return svg(self, width=width, titled=titled)

    def png(self, *, width: float = 7.0, dots: int = 110) -> bytes:
        """Return what `matplotlib` draws as PNG, how to read it below; so many dots to an inch."""
        from finsae.plots.paper import png

        return png(self, width=width, dots=dots)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:  # noqa: ANN401 - Jupyter's protocol
        """Show itself in a notebook: for the screen where plotly is known, else as on paper.

        A PNG is what is shown everywhere a notebook is, GitHub included; an SVG is not.
        """
        return {
            "application/vnd.plotly.v1+json": json.loads(self.plotly().to_json()),
            "image/png": b64encode(self.png()).decode(),
            "text/plain": self.alt,
        }
