"""Where an item begins and ends among a filing's blocks."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Sequence
from typing import NamedTuple

from finsae.sources.edgar.blocks import CELL, Block

OURS = (
    r"(?:(?:the|our|its)\s+)?(?:(?:compan(?:y|ies)|registrant|corporation|partnership|trust|bank)"
    r"(?:['\u2019]?s?['\u2019]?)\s+)?"
)
BUSINESS = (
    rf"(?:general\s+)?(?:(?:narrative\s+)?description\s+of\s+)?{OURS}business(?:es)?"
    r"(?:\s+(?:overview|description|and\s+propert(?:y|ies)|of\s+(?:the\s+)?\w+))?"
    r"|description\s+of\s+(?:the\s+)?(?:company|registrant)|general|(?:the|our)\s+company|overview"
)
TITLES_10K = {
    "1": BUSINESS,
    "1A": r"risk\s+factors?",
    "1B": r"unresolved\s+(?:sec\s+)?staff\s+comments?",
    "1C": r"cyber\s?security",
    "2": rf"(?:description\s+of\s+)?{OURS}(?:propert(?:y|ies)|facilities)",
    "3": r"(?:pending\s+|material\s+)?legal\s+proceedings?",
    "4": r"submission\s+of\s+matters|mine\s+safety|\W?(?:removed\s+and\s+)?reserved|none",
    "5": r"market\s+(?:for|price|information)",
    "6": r"selected|\W?reserved|management",
    "7": r"management|financial\s+statements",
    "7A": r"quantitative|qualitative",
    "8": r"(?:consolidated\s+)?financial\s+statements?|changes\s+in",
    "9": r"changes\s+in|directors",
    "9A": r"(?:disclosure\s+)?controls?",
    "9B": r"other\s+information",
    "9C": r"disclosure\s+regarding",
    "10": r"directors|executive",
    "11": r"executive\s+compensation|security\s+ownership",
    "12": r"security\s+ownership|certain\s+relationships",
    "13": r"certain\s+relationships|exhibits",
    "14": r"principal\s+account|exhibits|controls",
    "15": r"exhibits?|principal\s+account",
    "16": r"form\s+10-?k\s+summary",
}
TITLES_20F = {
    "1": rf"identity\s+of\s+directors|{BUSINESS}",
    "2": r"offer\s+statistics|(?:description\s+of\s+)?propert(?:y|ies)",
    "3": r"key\s+information|legal\s+proceedings",
    "4": r"information\s+(?:on|about|regarding|concerning)\s+(?:(?:the|our)\s+)?(?:company|group|"
    r"registrant|bank|\w+)|control\s+of",
    "4A": r"unresolved\s+staff\s+comments?",
    "5": r"operating\s+and\s+financial|nature\s+of\s+trading",
    "6": r"directors|exchange\s+controls",
    "7": r"major\s+shareholders|taxation",
    "8": r"financial\s+information|selected",
}
NUMBER = r"(1[0-9]|[1-9])(?:(\s?\.?\s?)(\()?([a-d])\)?(?![\w'\u2019&]))?"
HEAD = re.compile(
    rf"(?:p\s?art\s+[i1]\b\W*)?i\s?t\s?e\s?m\s?s?\s*(?:no\.?|#)?\s*{NUMBER}", re.IGNORECASE
)
ANOTHER = re.compile(
    rf"\s*[.:]?\s*(?:,?\s*and|&|,|/|through|-|\u2013|\u2014)\s*(?:items?\s*)?{NUMBER}(?![\w%])",
    re.IGNORECASE,
)
BETWEEN = re.compile(r"[\s.:;|)\-\u2013\u2014\u2022]*")
AFTER = re.compile(
    r"\s*$|\s*[.:;,(\[|\u2013\u2014-]|\s+[-\d]|\s*(?-i:[A-Z])|\s*\.{2,}", re.IGNORECASE
)
TYPED_ONE = re.compile(r"^((?:part\s+[i1]\b\W*)?items?\s+)[il](?=[\s.:abc])", re.IGNORECASE)
QUOTE = ('"', "\u201c", "\u2018", "'")
PART = re.compile(r"part\s+(i{1,3}|iv|[1-4])\W*$", re.IGNORECASE)
BARE_START = re.compile(rf"(?:1\s*[.:]?\s*)?(?:{BUSINESS})", re.IGNORECASE)
BARE_END = re.compile(
    r"(?:\d[abc]?\s*[.:]?\s*)?(?:risk\s+factors|unresolved\s+staff\s+comments|"
    r"(?:description\s+of\s+)?propert(?:y|ies)|legal\s+proceedings)",
    re.IGNORECASE,
)
LONGEST_TITLE = 200  # characters
TITLE_TAIL = 6  # words after a title that may belong to it: "Business, Properties and Proceedings"
SHORT_TITLE = 12  # words of a heading that is not the form's own
LONG_WORD = 5  # letters of a word that a title capitalises
SENTENCE = 12  # words of a text that is no heading
PAGE_HEAD = 4  # blocks of a page's foot and head
NUMBER_WORDS = 7  # words of a heading without its title: "Part I, Items 1 and 2"
NO_TEXT = 40  # words: less is a line of a table of contents
MISSED = 100  # words: less is not an item, unless it points elsewhere


class Heading(NamedTuple):
    """An item's heading: the block that it is in, the items it names, and where its text begins."""

    at: int
    items: frozenset[str]
    rest: int


class Span(NamedTuple):
    """An item's blocks, ``start`` to before ``end``.

    Attributes
    ----------
    headings : mapping of int to int
        Blocks that are headings of the item, and the character where what follows them begins.
    named : bool
        Whether it was found by the word "Item".
    """

    start: int
    end: int
    headings: dict[int, int]
    named: bool = True


def find_headings(blocks: Sequence[Block], form: str) -> list[Heading]:
    """Find the headings of items: blocks that begin with an item's number and go on as headings do.

    "Item 7 of this report ..." and 'Item 1, "Business"' at the beginning of a block are references,
    not headings.

    Parameters
    ----------
    blocks : sequence of Block
        Of the whole document.
    form : str
        Such as 10-K405 or 20-F; their items differ.
    """
    titles = TITLES_20F if form.startswith("20-F") else TITLES_10K
    found: list[Heading] = []
    for at, block in enumerate(blocks):
        if block.text[:1].lower() in ("i", "p"):
            below = bool(found) and found[-1].at == at - 1
            title = below and found[-1].rest == len(blocks[at - 1].text)
            if block.joined and not title and _unfinished(blocks[at - 1].text):
                continue
            if heading := _heading(at, blocks, titles):
                found.append(heading)
    return found


def _heading(at: int, blocks: Sequence[Block], titles: dict[str, str]) -> Heading | None:
    text = TYPED_ONE.sub(r"\g<1>1", blocks[at].text.replace(CELL, " "), count=1)
    head = HEAD.match(text)
    if not head:
        return None
    items, end = _numbers(head, titles)
    if text[end - 1 : end].isdigit() and text[end : end + 1].isalnum():
        return None
    start = _end(BETWEEN, text, end)
    if text[start : start + 1] in QUOTE:
        return None
    for item in items:
        titled = re.compile(titles.get(item, "(?!)"), re.IGNORECASE).match(text, start)
        if titled and AFTER.match(text, titled.end()):
            left = text[titled.end() :]
            if left.startswith(".") and _before_page(blocks, at):
                return None
            whole = len(left.split()) <= TITLE_TAIL and left[-1:] != "."
            return Heading(at, items, len(text) if whole else titled.end())
    rest = text[start:]
    if not rest:
        return Heading(at, items, len(text))
    parted = start > end and text[end:start].strip() != ""
    loud = head.group().isupper() or rest.isupper()
    short = len(rest.split()) <= SHORT_TITLE and rest[0].isupper() and rest[-1] not in ",;"
    named = _is_title_case(rest) or not (blocks[at].joined or rest.endswith("."))
    return Heading(at, items, len(text)) if short and (parted or loud) and named else None


def _is_title_case(text: str) -> bool:
    return not any(word[0].islower() for word in text.split() if len(word) >= LONG_WORD)


def _unfinished(text: str, least: int = 1) -> bool:
    """Whether a text breaks off within a sentence."""
    words = text.split()
    if len(words) < least:
        return False
    return words[-1][-1] == "," or (words[-1][0].islower() and words[-1][-1].isalnum())


def _before_page(blocks: Sequence[Block], at: int) -> bool:
    """Whether a page break, and before it a broken off sentence, stand before a block."""
    last = at - 1
    while last >= max(0, at - PAGE_HEAD) and (blocks[last].page or blocks[last].text.isdigit()):
        last -= 1
    return 0 <= last < at - 1 and _unfinished(blocks[last].text, SENTENCE)


def _numbers(head: re.Match[str], titles: dict[str, str]) -> tuple[frozenset[str], int]:
    """Give the items that a heading names ("Items 1, 2 and 3") and where their numbers end."""
    marks = [head]
    while another := ANOTHER.match(head.string, marks[-1].end()):
        marks.append(another)
    items = [_item(mark, titles) for mark in marks]
    last = marks[-1]
    # "1. B USINESS", with its first letter set apart: the B is of the title.
    apart = last.group(2) and not last.group(3) and last.string[last.end() :][:1].isspace()
    of_title = apart and items[-1].isdigit() and "4A" not in titles
    return frozenset(items), last.start(4) if of_title else last.end()


def _item(mark: re.Match[str], titles: dict[str, str]) -> str:
    """Name an item; "1(a)" and a 20-F's "4.B" are parts of items 1 and 4, not items."""
    number, gap, bracket, letter = mark.groups()
    whole = f"{number}{(letter or '').upper()}"
    if not letter or whole not in titles:
        return str(number)
    rest = mark.string[_end(BETWEEN, mark.string, mark.end()) :]
    titled = re.match(titles[whole], rest[:LONGEST_TITLE], re.IGNORECASE)
    part = gap or bracket or "4A" in titles
    return whole if titled or not part else str(number)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def find_business(blocks: Sequence[Block], form: str) -> Span | None:
    """Find what a filing says of its business: item 1, in a 20-F item 4.

    Of several stretches between a heading of the item and that of another, the longest counts: the
    lines of a table of contents and references are short.

    Parameters
    ----------
    blocks, form
        As `find_headings`.

    Returns
    -------
    Span or None
        None if there is no such item.
    """
    headings = find_headings(blocks, form)
    spans = []
    for target in ("4", "1") if form.startswith("20-F") else ("1",):
        spans = _spans(blocks, headings, target)
        if any(_words(blocks, span) >= MISSED for span in spans):
            break
    best = max(spans, key=lambda span: _words(blocks, span), default=None)
    if best is None or _words(blocks, best) < MISSED:
        bare = _bare(blocks)
        if bare and _words(blocks, bare) >= MISSED:
            return bare
    if best is None or (_words(blocks, best) < NO_TEXT and not _points(blocks, best)):
        return None
    return best


def _spans(blocks: Sequence[Block], headings: Sequence[Heading], target: str) -> list[Span]:
    """Give each stretch from headings of the item to the next of another."""
    parts = [at for at, block in enumerate(blocks) if _is_part(block) > 1]
    spans, number = [], 0
    while number < len(headings):
        if target not in headings[number].items:
            number += 1
            continue
        last = number
        covered = headings[number].items
        while last + 1 < len(headings) and headings[last + 1].items <= covered | {target}:
            last += 1
            covered |= headings[last].items
        own = headings[number : last + 1]
        end = headings[last + 1].at if last + 1 < len(headings) else len(blocks)
        end = min([end, *parts[bisect(parts, own[0].at) :][:1]])
        first = _first(blocks, own)
        held = {h.at: h.rest for h in own if first <= h.at < end}
        held |= {at + 1: len(blocks[at + 1].text) for at in held if _is_title(blocks, at + 1)}
        spans.append(Span(first, end, held))
        number = last + 1
    return spans


def _is_title(blocks: Sequence[Block], at: int) -> bool:
    """Whether a block is the title that its number stands above."""
    number = len(blocks[at - 1].text.split()) <= NUMBER_WORDS
    return number and at < len(blocks) and BARE_START.fullmatch(blocks[at].text) is not None


def _first(blocks: Sequence[Block], own: Sequence[Heading]) -> int:
    """Of repeated headings take the one below "Part I", if there is one."""
    for heading in own:
        above = [block for block in blocks[max(0, heading.at - 3) : heading.at] if not block.page]
        if any(_is_part(block) == 1 for block in above):
            return heading.at
    return own[0].at


def _is_part(block: Block) -> int:
    found = PART.match(block.text)
    if not found or block.table:
        return 0
    return {"i": 1, "ii": 2, "iii": 3, "iv": 4}.get(found.group(1).lower()) or int(found.group(1))


def _words(blocks: Sequence[Block], span: Span) -> int:
    return sum(len(block.text.split()) for block in blocks[span.start + 1 : span.end])


def _points(blocks: Sequence[Block], span: Span) -> bool:
    text = " ".join(block.text for block in blocks[span.start : span.end])
    return points_elsewhere(text)


def points_elsewhere(text: str) -> bool:
    """Whether a text says that it is to be found in another document."""
    return (
        re.search(
            r"incorporated\s+(?:herein\s+|in\s+this\s+\w+\s+)?by\s+(?:this\s+)?reference|hereby\s+incorporated",
            text,
            re.IGNORECASE,
        )
        is not None
    )


def _bare(blocks: Sequence[Block]) -> Span | None:
    """Find the longest stretch from a heading "Business" to the next item's, without numbers."""
    spans, start = [], None
    for at, block in enumerate(blocks):
        text = block.text.replace(CELL, " ")
        if BARE_START.fullmatch(text):
            start = at if start is None else start
        elif start is not None and (BARE_END.fullmatch(text) or _is_part(block) > 1):
            spans.append(Span(start, at, {start: len(blocks[start].text)}, named=False))
            start = None
    return max(spans, key=lambda span: _words(blocks, span), default=None)
