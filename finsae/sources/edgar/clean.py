"""What is left of an item when page furniture, tables and boilerplate are gone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from finsae.sources.edgar.blocks import CELL, Block

PAGE_NUMBER = re.compile(
    r"\W*(?:page\s+)?(?:[a-z]-)?\d{1,4}(?:\s+of\s+\d{1,4})?\W*|\W*[ivxl]{1,5}\W*|"
    r"\W*(?:back\s+to\s+|return\s+to\s+)?(?:table\s+of\s+)?contents?\W*|index",
    re.IGNORECASE,
)
BOILERPLATE = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        r"(?=.*forward[\s-]+looking)(?=.*(litigation\s+reform|safe\s+harbor|actual\s+results|"
        r"uncertaint|undertakes?\s+no|cautionary|no\s+obligation))",
        r"(?=.*(free\s+of\s+charge|reasonably\s+practicable|www\.sec\.gov|public\s+reference\s+room))"
        r"(?=.*(10-?K|securities\s+and\s+exchange\s+commission|\bSEC\b))",
    )
)
BOILERPLATE_TITLE = re.compile(
    r"\W*(?:available\s+information|where\s+you\s+can\s+find\s+(?:more|additional)\s+information|"
    r"(?:website|sec|internet)\s+(?:access\s+to\s+)?(?:reports|filings)|"
    r"(?:cautionary\s+(?:note|statement)s?.{0,40})?forward[\s-]+looking\s+(?:statements?|information)"
    r"|cautionary\s+statements?)\W*",
    re.IGNORECASE,
)
LONGEST_TITLE = 200  # characters
PROSE = 8  # words of a table's cell that is text
FURNITURE = 15  # words of a running header, at most
REPEATED = 3
NEAR = 2  # blocks from a page break
ENDS = (".", ":", ";", "!", "?", '"', "\u201d", ")")


def running_heads(blocks: Sequence[Block]) -> set[str]:
    """Find the lines that stand again and again beside a page break.

    Parameters
    ----------
    blocks : sequence of Block
        Of the whole document.

    Returns
    -------
    set of str
        Their texts, as `_same` writes them.
    """
    breaks = [at for at, block in enumerate(blocks) if block.page or _is_number(block)]
    beside = {
        near
        for at in breaks
        for near in range(max(0, at - NEAR), min(len(blocks), at + NEAR + 1))
        if not blocks[near].page
    }
    counts = Counter(_same(blocks[at].text) for at in beside if _could_run(blocks[at]))
    return {text for text, count in counts.items() if count >= REPEATED}


def _could_run(block: Block) -> bool:
    return len(block.text) <= LONGEST_TITLE and len(block.text.split()) <= FURNITURE


def _same(text: str) -> str:
    return re.sub(r"\d+", "0", " ".join(text.lower().split()))


def _is_number(block: Block) -> bool:
    return len(block.text) <= LONGEST_TITLE and PAGE_NUMBER.fullmatch(block.text) is not None


def clean(blocks: Sequence[Block], heads: set[str]) -> str:
    """Write an item's blocks as paragraphs.

    Left out are page breaks, numbers and running heads, rows of tables without running text, and
    paragraphs that stand in every filing: on forward-looking statements and on where filings can
    be had. A paragraph that a page break cut is put together again.

    Parameters
    ----------
    blocks : sequence of Block
        Of the item, without its headings.
    heads : set of str
        From `running_heads`.

    Returns
    -------
    str
        Paragraphs parted by an empty line.
    """
    kept: list[str] = []
    cut = False
    for block in blocks:
        if block.page or _is_number(block) or (_could_run(block) and _same(block.text) in heads):
            cut = True
            continue
        text = _prose(block)
        if not text or _is_boilerplate(text):
            continue
        broken = cut and text[0].islower() and not (kept and kept[-1].endswith(ENDS))
        if kept and (block.joined or broken):
            kept[-1] = f"{kept[-1]} {text}"
        else:
            kept.append(text)
        cut = False
    return "\n\n".join(kept)


def _prose(block: Block) -> str:
    """Give a block's running text; a row of figures has none."""
    if not block.table:
        return block.text
    cells = block.text.split(CELL)
    if max(len(cell.split()) for cell in cells) < PROSE:
        return ""
    return " ".join(cell for cell in cells if any(char.isalpha() for char in cell))


def _is_boilerplate(text: str) -> bool:
    if len(text) <= LONGEST_TITLE and BOILERPLATE_TITLE.fullmatch(text):
        return True
    return any(pattern.match(text) for pattern in BOILERPLATE)
