"""Values, evidence and small tables as HTML, and objects that show themselves in a notebook.

What a notebook shows has no script, no style sheet and no colour of its own: tables take the
theme's, light or dark, and marked words the browser's mark. GitHub shows it as it is, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
from markupsafe import Markup, escape

MARKED = re.compile(r"\[\[(.+?)\]\]", re.DOTALL)

LETTERS = 240
"""Longest text that a cell of a notebook's table shows whole."""
ROWS = 12
"""Rows that a notebook's table shows at most."""
LEFT = Markup("text-align:left;vertical-align:top")
RIGHT = Markup("text-align:right;vertical-align:top;white-space:nowrap")


class Cell(NamedTuple):
    """What a table shows in one place; numbers stand to the right."""

    text: str | Markup
    number: bool = False


def cell(value: Any) -> Cell:  # noqa: ANN401 - whatever a frame holds
    """Write a value: numbers rounded, dates as days, a dash for what is missing."""
    if isinstance(value, Cell):
        return value
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return Cell("-")
    if isinstance(value, pd.Timestamp):
        return Cell(value.strftime("%Y-%m-%d"))
    if pd.api.types.is_bool(value):
        return Cell("yes" if value else "no")
    if pd.api.types.is_integer(value):
        return Cell(f"{value:,}", number=True)
    if pd.api.types.is_float(value):
        return Cell(f"{value:,.3f}", number=True)
    return Cell(value if isinstance(value, Markup) else str(value))


def marked(text: str) -> Markup:
    """Turn evidence into HTML: ``[[word]]`` is marked, everything else stays text."""
    parts = MARKED.split(text)
    pieces = [
        Markup("<mark>{}</mark>").format(part) if i % 2 else escape(part)
        for i, part in enumerate(parts)
    ]
    return Markup("").join(pieces)


def shortened(text: str, letters: int = LETTERS) -> str:
    """Cut a long text at spaces, so that its first ``[[marked]]`` word stays; "…" where it is cut.

    Parameters
    ----------
    text : str
    letters : int
        How many are kept, the brackets of marks not counted.
    """
    parts = MARKED.split(text)
    whole = "".join(parts)
    if len(whole) <= letters:
        return text
    first = len(parts[0]) if len(parts) > 1 else 0
    start = max(0, min(first - letters // 3, len(whole) - letters))
    stop = start + letters
    if start:
        start = max(start, whole.find(" ", start, first))
    if stop < len(whole):
        space = whole.rfind(" ", first + 1, stop)
        stop = stop if space < 0 else space
    kept, at = [], 0
    for number, part in enumerate(parts):
        piece = part[max(start - at, 0) : max(stop - at, 0)]
        at += len(part)
        kept.append(f"[[{piece}]]" if number % 2 and piece else piece)
    body = "".join(kept).strip()
    return f"{'…' if start else ''}{body}{'…' if stop < len(whole) else ''}"


def quoted(text: str) -> Markup:
    """Turn evidence into HTML of a length that fits into a table."""
    return marked(shortened(text))


class Grid(NamedTuple):
    """A small table.

    Attributes
    ----------
    caption : str
    columns : sequence of str
    rows : sequence of sequences
        Written by `cell`; long texts are cut, and rows beyond the twelfth are counted.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def html(self) -> Markup:
        """Write the table; every text is escaped that is not `Markup`."""
        rows = [[_short(cell(value)) for value in row] for row in self.rows[:ROWS]]
        numbers = [any(row[i].number for row in rows) for i in range(len(self.columns))]
        heads = zip(self.columns, numbers, strict=True)
        more = len(self.rows) - len(rows)
        return Markup(
            '<table style="margin:0 0 .8em"><caption style="{}">{}</caption>'
            "<thead><tr>{}</tr></thead><tbody>{}</tbody></table>{}"
        ).format(
            LEFT,
            self.caption,
            _joined('<th scope="col" style="{}">{}</th>', [(_side(n), head) for head, n in heads]),
            _joined(
                "<tr>{}</tr>",
                [
                    (_joined('<td style="{}">{}</td>', [(_side(c.number), c.text) for c in row]),)
                    for row in rows
                ],
            ),
            Markup("<p>and {:,} more</p>").format(more) if more else "",
        )


class View(NamedTuple):
    """What an object shows of itself: sentences, the first of them its heading, then tables."""

    lines: Sequence[str]
    grids: Sequence[Grid] = ()

    def html(self) -> str:
        """Write the view as one element of HTML."""
        head, *others = self.lines
        return str(
            Markup("<div><p><strong>{}</strong></p>{}{}</div>").format(
                head,
                _joined("<p>{}</p>", [(line,) for line in others]),
                Markup("").join(grid.html() for grid in self.grids),
            )
        )


class Shown:
    """An object that shows itself in a notebook: as HTML, and where that is not shown, as text."""

    def __init_subclass__(cls) -> None:
        # IPython prefers a class's own __repr__, which a dataclass has, to what it inherits
        cls._repr_pretty_ = Shown._repr_pretty_  # type: ignore[method-assign]
        if not issubclass(cls, dict):  # a dataclass would print its tables one after the other
            cls.__repr__ = Shown._repr_text  # type: ignore[method-assign,assignment]

    def _view(self) -> View:
        """Say what is shown."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        """Show itself in Jupyter."""
        return self._view().html()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401 - IPython's protocol
        """Show itself in IPython: the sentences alone."""
        printer.text("..." if cycle else self._repr_text())

    def _repr_text(self) -> str:
        """Show itself where there is text only."""
        return "\n".join(self._view().lines)


def _short(written: Cell) -> Cell:
    text = written.text
    return written if isinstance(text, Markup) else Cell(shortened(text), written.number)


def _side(number: bool) -> Markup:
    return RIGHT if number else LEFT


def _joined(form: str, items: Sequence[tuple[Any, ...]]) -> Markup:
    return Markup("").join(Markup(form).format(*item) for item in items)
