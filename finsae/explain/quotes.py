"""Where in a text a feature fires: one sentence, its words marked [[so]]."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
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
    return _quote(text, (int(spans[peak, 0]), int(spans[peak, 1])), map(tuple, strong.tolist()))


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


def _quote(text: str, peak: Span, marked: Iterable[Span]) -> str:
    sentence = next(span for span in sentences(text) if peak[0] < span[1])
    words = [found.span() for found in WORD.finditer(text, *sentence)]
    at = next((i for i, word in enumerate(words) if word[1] > peak[0]), len(words) - 1)
    first, last = 0, len(words)
    if len(words) > LONGEST:
        first, last = max(0, at - AROUND), min(len(words), at + AROUND + 1)
    shown = "".join(_marked(text, words[first:last], list(marked)))
    before, after = "… " if first else "", " …" if last < len(words) else ""
    return before + " ".join(shown.split()) + after


def _marked(text: str, words: list[Span], marked: list[Span]) -> Iterator[str]:
    """Pieces of the text from the first word to the last, marked words in double brackets."""
    position = words[0][0] if words else 0
    for start, end in words:
        yield text[position:start]
        hit = any(start < mark_end and mark_start < end for mark_start, mark_end in marked)
        yield f"[[{text[start:end]}]]" if hit else text[start:end]
        position = end
