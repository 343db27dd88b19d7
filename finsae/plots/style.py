"""One style for every figure: colours, signs, fonts."""

from __future__ import annotations

from collections.abc import Iterable

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
GREY, INK, RULE = "#8a8f98", "#1f2933", "#e3e7eb"
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
SEQUENTIAL, TWO_SIDED = "Cividis", "PuOr"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def colour(method: str) -> str:
    """Colour of a method; grey for one of the user's own."""
    return COLOURS.get(method, GREY)


def short(text: str, length: int) -> str:
    """Shorten a text that would not fit."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def counted(sizes: Iterable[float], what: str) -> str:
    """Say the n of a figure, or from which to which n."""
    found = sorted({int(n) for n in sizes if n == n})
    if not found:
        return ""
    return f"n = {found[0]:,}{f' to {found[-1]:,}' if len(found) > 1 else ''} {what}."
