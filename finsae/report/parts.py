"""What a report's sections are made of; the template knows how to draw each part."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pandas as pd
from markupsafe import Markup

from finsae import plots
from finsae.markup import Cell, cell
from finsae.plots.spec import Cells

LETTERS = 140  # of a table's, that fit into a line on paper
NARROW = 7  # columns of a table that has room for intervals beside their numbers
SENTENCE = 80  # letters from which on a cell is a text
PRINTED = 2  # figures of one place that are printed one below the other


@dataclass(frozen=True)
class Words:
    """Paragraphs, or a list where `listed`."""

    lines: Sequence[str | Markup]
    listed: bool = False
    kind: ClassVar[str] = "words"


@dataclass(frozen=True)
class Facts:
    """Terms and what they are."""

    entries: Sequence[tuple[str, str]]
    kind: ClassVar[str] = "facts"


@dataclass(frozen=True)
class Texts:
    """Texts side by side where there is room, each with a title; what is marked is HTML."""

    caption: str
    entries: Sequence[tuple[str, Markup]]
    kind: ClassVar[str] = "texts"


@dataclass(frozen=True)
class Commands:
    """Lines to type at a shell."""

    lines: Sequence[str]
    kind: ClassVar[str] = "commands"


@dataclass(frozen=True)
class Figure:
    """A figure, or several that share a place and a switch.

    Attributes
    ----------
    id : str
        Its name in the page.
    drawings : list of finsae.plots.Figure
    choices : list of str
        The switch's words, one per figure; empty for a single one.
    search : bool
        Whether a search box for companies stands above it.
    """

    id: str
    drawings: Sequence[plots.Figure]
    choices: Sequence[str] = ()
    search: bool = False
    kind: ClassVar[str] = "figure"

    @property
    def printed(self) -> Sequence[plots.Figure]:
        """What is drawn on paper: all, or the first where there is one for every method."""
        return self.drawings if len(self.drawings) <= PRINTED else self.drawings[:1]

    @property
    def specs(self) -> list[dict[str, Any]]:
        """What the page draws of each: plotly's data and layout; the words are text of the page."""
        return [_spec(drawing) for drawing in self.drawings]


@dataclass(frozen=True)
class Row:
    """Figures side by side where there is room."""

    figures: Sequence[Figure]
    kind: ClassVar[str] = "row"

    @property
    def beside(self) -> bool:
        """Whether there is room for them side by side on paper too: matrices, no long names."""
        layers = [
            layer
            for part in self.figures
            for drawing in part.drawings
            for panel in drawing.panels
            for layer in panel.layers
        ]
        return all(isinstance(layer, Cells) for layer in layers)


@dataclass(frozen=True)
class Table:
    """A table with a button that saves it as CSV.

    Attributes
    ----------
    id, caption : str
    columns : list of str
    rows : list of lists of Cell
    csv : str
        What the button saves: exact numbers, where the page shows rounded ones.
    folded : bool
        Whether the table is closed until a reader opens it.
    """

    id: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    csv: str
    folded: bool = False
    kind: ClassVar[str] = "table"

    @property
    def wide(self) -> bool:
        """Whether intervals go below their numbers, so that all columns fit."""
        return len(self.columns) > NARROW

    @property
    def stacked(self) -> bool:
        """Whether its cells are texts, which on a narrow screen go below one another."""
        return any(len(cell.text) > SENTENCE for row in self.rows for cell in row)

    @property
    def long(self) -> bool:
        """Whether the table gets a scroll bar of its own."""
        return len(self.rows) > 24

    @property
    def widths(self) -> list[float]:
        """Shares of the paper's width that the columns get, by how long their texts are.

        A browser finds better ones by itself, but a PDF of long tables would take minutes so.
        """
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.columns)
        needs = [_room(*column) for column in zip(self.columns, columns, strict=True)]
        least, wanted = (sum(need[i] for need in needs) for i in (0, 1))
        # what is left when each column has its longest word goes to those with long texts
        spare = max(0.0, min(1.0, (LETTERS - least) / max(wanted - least, 1.0)))
        widths = [word + spare * (want - word) for word, want in needs]
        return [round(100 * width / sum(widths), 2) for width in widths]


def _room(head: str, cells: Sequence[Cell]) -> tuple[float, float]:
    """Letters that a column must have room for, its longest word, and those it should have."""
    texts = [Markup(cell.text).striptags() for cell in cells]
    # an interval is broken before its bracket only
    words = [
        word
        for text, cell in zip(texts, cells, strict=True)
        for word in (text.split(" [") if cell.number else text.split())
    ]
    bold = [1.15 * len(word) for word in head.split()]
    least = 2.5 + min(26.0, max([*map(len, words), *bold], default=1))
    long = sorted(map(len, texts))[int(0.9 * (len(texts) - 1))] if texts else 0
    return least, max(least, 2.5 + min(long, 12 + float(long**0.75)))


def _spec(drawing: plots.Figure) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(drawing.plotly().to_json())
    words = spec["layout"].pop("meta")
    del spec["layout"]["title"]
    spec["layout"]["margin"]["t"] = 28
    return {**spec, **words, "title": drawing.title}


Part = Words | Facts | Texts | Commands | Figure | Row | Table


@dataclass(frozen=True)
class Section:
    """A chapter of the page."""

    id: str
    title: str
    parts: Sequence[Part] = field(default_factory=tuple)


def figure(
    name: str, *drawings: plots.Figure, choices: Sequence[str] = (), search: bool = False
) -> Figure:
    """Make a part of a figure, or of several that share a place."""
    return Figure(name, drawings, choices=choices, search=search)


def table(
    name: str,
    shown: pd.DataFrame,
    caption: str,
    *,
    data: pd.DataFrame | None = None,
    folded: bool = False,
) -> Table:
    """Make a part of a frame.

    Parameters
    ----------
    name : str
        Its id in the page, and the name of the CSV file.
    shown : DataFrame
        What the page shows; cells that are no `Cell` yet are written by their kind.
    caption : str
    data : DataFrame, optional
        What the CSV holds; by default what is shown.
    folded : bool
        Whether a reader must open it, for long tables.
    """
    rows = [[cell(value) for value in row] for row in shown.itertuples(index=False)]
    csv = (shown if data is None else data).to_csv(index=False, lineterminator="\n")
    return Table(name, caption, [str(column) for column in shown.columns], rows, csv, folded)


def joined(text: str) -> Markup:
    """Keep an interval on one line: ``0.43 [0.40, 0.46]`` is broken before its bracket only."""
    value, bracket, ends = text.replace(", ", ",\u00a0").partition(" [")
    form = Markup('{} <span class="interval">[{}</span>') if bracket else Markup("{}{}")
    return form.format(value, ends)


def packed(text: str) -> str:
    """Compress a text so that a script of the page can unpack it: gzip in base64."""
    return b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def base64(text: str) -> str:
    """Write a text as a data address wants it."""
    return b64encode(text.encode()).decode()


FILTERS = {"joined": joined, "base64": base64}
"""What the templates call."""
