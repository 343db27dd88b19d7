"""Item 1 of a filing, cut out, cleaned and judged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from finsae.sources.edgar.blocks import Block, to_blocks
from finsae.sources.edgar.clean import clean, running_heads
from finsae.sources.edgar.items import find_business, find_headings, points_elsewhere

SHORTEST, LONGEST = 1_000, 200_000
"""Characters between which an item 1 usually is."""
POINTER = 2_500  # characters of an item that says no more than where it is
MARKS = " .,:;-\u2013\u2014\t"
CONTINUED = re.compile(r"^\W*cont(?:inued|['\u2019]d|\.)\W*", re.IGNORECASE)
OPENING = 3  # blocks in which an item's own heading may stand
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
    inside = _without_headings(blocks[span.start : span.end], span.headings, span.start)
    text = clean(inside, running_heads(blocks))
    return Business(text, tuple(_flags(text, named=span.named)))


def _without_headings(
    blocks: Sequence[Block], headings: Mapping[int, int], start: int = 0
) -> list[Block]:
    """Drop headings; what follows one in its block is kept."""
    inside: list[Block] = []
    alone = True  # nothing but a heading before
    for at, block in enumerate(blocks, start):
        rest = headings.get(at)
        if rest is None:
            inside.append(block._replace(joined=False) if alone else block)
            alone = False
            continue
        after = CONTINUED.sub("", block.text[rest:], count=1).lstrip(MARKS)
        alone = not after
        if after:
            inside.append(Block(after, block.table))
    return inside


def clean_business(text: str) -> Business:
    """Clean and judge an item 1 that somebody else has cut out, with or without its heading.

    Parameters
    ----------
    text : str
        HTML or plain text.
    """
    if not text.strip():
        return Business("", ("no_item",))
    blocks = to_blocks(text)
    headings = {found.at: found.rest for found in find_headings(blocks[:OPENING], "10-K")}
    cleaned = clean(_without_headings(blocks, headings), running_heads(blocks))
    return Business(cleaned, tuple(_flags(cleaned, named=True)))


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
