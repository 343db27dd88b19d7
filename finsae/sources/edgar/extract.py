"""Item 1 of a filing, cut out, cleaned and judged."""

from __future__ import annotations

import re
from typing import NamedTuple

from finsae.sources.edgar.blocks import Block, to_blocks
from finsae.sources.edgar.clean import clean, running_heads
from finsae.sources.edgar.items import find_business, points_elsewhere

SHORTEST, LONGEST = 1_000, 200_000
"""Characters between which an item 1 usually is."""
POINTER = 2_500  # characters of an item that says no more than where it is
MARKS = " .,:;-\u2013\u2014\t"
CONTINUED = re.compile(r"^\W*cont(?:inued|['\u2019]d|\.)\W*", re.IGNORECASE)
CONTENTS = 0.3  # share of paragraphs that end as lines of a table of contents do


class Business(NamedTuple):
    """What a filing says of its business.

    Attributes
    ----------
    text : str
        Paragraphs parted by an empty line; empty if there is none.
    flags : tuple of str
        ``no_item``: not found. ``by_reference``: it points to another document. ``short``,
        ``long``: fewer than 1,000 or more than 200,000 characters. ``contents``: reads as a table
        of contents. ``no_number``: found by its title, without the word "Item".
    """

    text: str
    flags: tuple[str, ...]


def extract_business(document: str, form: str = "10-K") -> Business:
    """Cut item 1 ("Business") out of an annual report, item 4 of a 20-F.

    Parameters
    ----------
    document : str
        The main document, HTML or plain text.
    form : str
        Form type.
    """
    blocks = to_blocks(document)
    span = find_business(blocks, form)
    if span is None:
        return Business("", ("no_item",))
    inside = []
    for at in range(span.start, span.end):
        rest = span.headings.get(at)
        if rest is None:
            inside.append(blocks[at])
        elif after := CONTINUED.sub("", blocks[at].text[rest:], count=1).strip(MARKS):
            inside.append(Block(after, blocks[at].table))
    text = clean(inside, running_heads(blocks))
    return Business(text, tuple(_flags(text, named=span.named)))


def clean_business(text: str) -> Business:
    """Clean and judge an item 1 that somebody else has cut out, with or without its heading.

    Parameters
    ----------
    text : str
        HTML or plain text.
    """
    if not text.strip():
        return Business("", ("no_item",))
    found = extract_business(text)
    if found.text:
        return found
    blocks = to_blocks(text)
    plain = clean(blocks, running_heads(blocks))
    return Business(plain, tuple(_flags(plain, named=True)))


def _flags(text: str, *, named: bool) -> list[str]:
    flags = [] if named else ["no_number"]
    if len(text) <= POINTER and points_elsewhere(text):
        flags.append("by_reference")
    if len(text) < SHORTEST:
        flags.append("short")
    if len(text) > LONGEST:
        flags.append("long")
    parts = text.split("\n\n")
    if sum(part[-1:].isdigit() for part in parts) > CONTENTS * len(parts):
        flags.append("contents")
    return flags
