"""Where in a text a feature fires: one sentence, its words marked [[so]]."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
Span = tuple[int, int]

STRONG = 0.5  # tokens of at least this share of the strongest are marked too
LONGEST = 40  # words of a sentence that is shown whole
AROUND = 12  # words on each side of the strongest, where a sentence is longer

WORD = re.compile(r"\w+(?:[-'\u2019]\w+)*|[^\w\s]")
STOP = re.compile(r"[.!?][\"\u201d\u2019)]*\s+(?=[\"\u201c\u2018(]?[A-Z0-9])")
ABBREVIATION = re.compile(
    r"(?:\b(?:Inc|Corp|Cos?|Ltd|No|St|Mr|Mrs|Ms|Dr|Jr|Sr|vs)|\b[A-Z](?:\.[A-Z])*)\.$"
)
BEGINNING = re.compile(r"(?:The|It|Its|In|This|As|We|Our|A|An)\s")


def quote_tokens(text: str, spans: IntArray, activations: FloatArray) -> str:
    """Quote the sentence in which a feature fires most strongly.

    Parameters
    ----------
    text : str
        A company's description.
    spans : ndarray [t, 2]
        First character of each token, and the one after its last.
    activations : ndarray [t]
        The feature's activation on each token.

    Returns
    -------
    str
        The sentence, or 12 words on each side where it is longer than 40; whole words are marked
        whose tokens have at least half of the strongest activation. Empty where it never fires.
    """
    here = (activations > 0) & (spans[:, 1] > spans[:, 0]) & (spans[:, 1] <= len(text))
    if not here.any():
        return ""
    spans, activations = spans[here], activations[here]
    peak = int(np.argmax(activations))
    strong = spans[activations >= STRONG * activations[peak]]
    start, end = (int(bound) for bound in spans[peak])
    space = len(text[start:end]) - len(text[start:end].lstrip())  # some tokens begin with it
    start = min(start + space, end - 1)
    return _quote(text, (start, end), [(first, last) for first, last in strong.tolist()])


def quote_word(text: str, word: str) -> str:
    """Quote the first sentence that holds a word; empty where there is none.

    Parameters
    ----------
    text : str
        A company's description.
    word : str
        A word, or several in a row; upper and lower case are the same.
    """
    spans = [found.span() for found in re.finditer(rf"(?i)(?<!\w){re.escape(word)}(?!\w)", text)]
    return _quote(text, spans[0], spans) if spans else ""


def sentences(text: str) -> list[Span]:
    """Cut a text into sentences; a full stop after an abbreviation or an initial ends none."""
    ends = [stop.end() for stop in STOP.finditer(text) if _ends_sentence(text, stop)]
    return list(zip([0, *ends], [*ends, len(text)], strict=True))


def _ends_sentence(text: str, stop: re.Match[str]) -> bool:
    abbreviated = ABBREVIATION.search(text, 0, stop.start() + 1)
    return not abbreviated or BEGINNING.match(text, stop.end()) is not None


def _quote(text: str, peak: Span, marked: list[Span]) -> str:
    sentence = next(span for span in sentences(text) if peak[0] < span[1])
    pieces = [found.span() for found in WORD.finditer(text, *sentence)]
    words = [span for span in pieces if text[span[0]].isalnum()]
    shown, before, after = sentence, "", ""
    if len(words) > LONGEST:
        at = sum(end <= peak[0] for _, end in words)
        first, last = max(0, at - AROUND), min(len(words), at + AROUND + 1)
        if first > 0:
            shown, before = (words[first][0], shown[1]), "… "
        if last < len(words):
            shown, after = (shown[0], words[last - 1][1]), " …"
    quote = "".join(_marked(text, shown, [p for p in pieces if _overlap(p, shown)], marked))
    return before + " ".join(quote.split()) + after


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _marked(text: str, shown: Span, pieces: list[Span], hits: list[Span]) -> Iterator[str]:
    """Cut the shown text at words and signs; those that are hit in double brackets."""
    position = shown[0]
    for start, end in pieces:
        yield text[position:start]
        hit = any(_overlap((start, end), span) for span in hits)
        yield f"[[{text[start:end]}]]" if hit else text[start:end]
        position = end
    yield text[position : shown[1]]
