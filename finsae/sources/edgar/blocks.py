"""A filing's main document as a list of blocks: paragraphs, table rows and page breaks."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

BLOCKS = re.compile(
    r"address|article|aside|blockquote|body|center|d[dlt]|div|fieldset|figure|footer|form|h[1-6r]|"
    r"header|html|li|main|nav|ol|p|page|pre|section|text|ul"
)
SKIPPED = ("script", "style", "title", "noscript", "ix:header")
QUOTED = 2_000  # characters of a quoted attribute that may hold a ">"
WIDEST = 400  # characters of a line that may be a table's
PROSE = 60  # words of a cell that holds paragraphs, not a figure
TAG_NAME = re.compile(r"/?[a-z][\w:.-]*", re.IGNORECASE)
HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
BREAK = re.compile(r"page-break-(before|after)\s*:\s*always|<page>", re.IGNORECASE)
MARKUP = re.compile(r"<(p|div|td|font|br|html|body|span)\b[^<>]{0,2000}>", re.IGNORECASE)
ITEM_START = re.compile(r"\s*(part\s+i|items?\s+\d)", re.IGNORECASE)
SOFT, CELL = "\v", "\t"
TAGS = ("<TABLE", "</TABLE", "<PAGE", "<S>", "<C>", "<CAPTION")
FEW, FIGURES = 8, 0.4  # words of a table's row, at most, or its share of figures
INVISIBLE = dict.fromkeys((0x00, 0xAD, 0x200B, 0xFEFF))
RULER = re.compile(r"[\s\-=_*.+|]*")
COLUMNS = re.compile(
    r"\S(\s{3,}|\.{4,}\s*)\S.*(\s{3,}|\.{4,}\s*)\S|\S(\s{3,}|\.{4,}\s*)\$?[\d,.]+\s*$"
)
ITEM_LINE = re.compile(
    r"\s*(part\s+i{1,3}v?\b|items?\s+\d{1,2}\s*[abc]?\b\s*(\.|:|-|and\b|&|$|\s[A-Z]))",
    re.IGNORECASE,
)


class Block(NamedTuple):
    """A paragraph, a table's row (cells parted by a tab) or a page break.

    Attributes
    ----------
    text : str
        Without markup; blanks are single.
    table : int
        Number of the table that it is a row of; 0: none.
    page : bool
        Whether it is a page break; its text is empty.
    joined : bool
        Whether it was cut from the block before it because it begins as a heading does: no empty
        line parts them.
    """

    text: str
    table: int = 0
    page: bool = False
    joined: bool = False


PAGE = Block("", page=True)


def decode(raw: bytes) -> str:
    """Read bytes as text: UTF-8 where they are that, else Windows' western code page.

    What a document says of its own encoding is not asked: on EDGAR it is often wrong, and text of
    another encoding is hardly ever valid UTF-8.
    """
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def to_blocks(document: str) -> list[Block]:
    """Cut a document, HTML or plain text, into blocks.

    Parameters
    ----------
    document : str
        A filing's main document. Time and memory grow in proportion to its length, whatever its
        markup is: nothing is nested, nothing is read twice.

    Returns
    -------
    list of Block
        In the order of the document, none of them empty.
    """
    if len(MARKUP.findall(document[:200_000])) >= 3:
        return list(_Html(document).blocks())
    return list(plain_blocks(document))


class _Html:
    """Read markup from left to right, once."""

    def __init__(self, document: str) -> None:
        self.document = document
        self.pieces: list[str] = []
        self.table = self.tables = self.depth = 0
        self.cells: list[str] = []
        self.pre = False
        self.endless: set[str] = set()

    def blocks(self) -> Iterator[Block]:
        """Give the blocks."""
        at, text = 0, self.document
        while True:
            start = text.find("<", at)
            if start < 0:
                break
            self._text(text[at:start])
            if text.startswith("<!--", start):
                end = text.find("-->", start + 4)
                at = end + 3 if end >= 0 else len(text)
                continue
            named = TAG_NAME.match(text, start + 1)
            if not named and text[start + 1 : start + 2] not in ("!", "?", "/"):
                self._text("<")
                at = start + 1
                continue
            end = _tag_end(text, start)
            if end < 0:
                at = len(text)
                break
            at = end + 1
            name = named.group().lower() if named else ""
            attributes = text[start:end]
            hidden = name in SKIPPED or (name[:1] != "/" and HIDDEN.search(attributes))
            after = self._skip(name, at) if hidden and not attributes.endswith("/") else at
            if not hidden or after == at:
                yield from self._tag(name, attributes)
            at = after
        self._text(text[at:])
        yield from self._flush()

    def _skip(self, name: str, at: int) -> int:
        """Pass over an element and what is nested in it; one without an end is not passed over."""
        if name in self.endless:
            return at
        depth = 1
        tag = re.compile(rf"<(/?){re.escape(name)}(?=[\s/>])[^<>]*>", re.IGNORECASE)
        for found in tag.finditer(self.document, at):
            closed = found.group().endswith("/>")
            depth += -1 if found.group(1) else not closed
            if not depth:
                return found.end()
        self.endless.add(name)  # the rest is not searched again: time stays in proportion
        return at

    def _text(self, text: str) -> None:
        if text:
            self.pieces.append(html.unescape(text) if "&" in text else text)

    def _tag(self, name: str, attributes: str) -> Iterator[Block]:
        bare = name.lstrip("/")
        if self.pre and bare in ("table", "page"):  # marks of a text that was put into HTML
            self.pieces.append(f"\n<{name}>\n")
        elif bare == "table":
            yield from self._flush()
            self._nest(name)
        elif bare in ("td", "th"):
            self._end_cell()
        elif bare == "tr":
            yield from self._flush()
        elif bare == "br":
            self.pieces.append("\n" if self.pre else SOFT)
        elif BLOCKS.fullmatch(bare):
            if self.depth and bare != "hr":
                self.pieces.append(SOFT + SOFT)
            else:
                yield from self._flush()
            self.pre = name == "pre" or (self.pre and bare != "pre")
        if bare == "hr" or (name[:1] != "/" and not self.pre and BREAK.search(f"{attributes}>")):
            yield PAGE

    def _nest(self, name: str) -> None:
        self.depth = max(0, self.depth + (-1 if name[0] == "/" else 1))
        if self.depth == 1 and name[0] != "/":
            self.tables += 1
        self.table = self.tables if self.depth else 0

    def _end_cell(self) -> None:
        if self.depth:
            self.cells.append("".join(self.pieces))
            self.pieces = []

    def _flush(self) -> Iterator[Block]:
        text, self.pieces = "".join(self.pieces), []
        cells, self.cells = self.cells, []
        if not cells and (not text or text.isspace()):
            return
        if self.pre and not self.depth:
            yield from plain_blocks(text)
        elif not self.depth:
            yield from _paragraphs(text)
        else:
            yield from _row([*cells, text], self.table)


def _tag_end(text: str, start: int) -> int:
    """Find the end of a tag; within quotes a ``>`` is none."""
    end = text.find(">", start)
    if end >= 0 and text.count('"', start, end) % 2:
        quote = text.find('"', end, end + QUOTED)
        later = text.find(">", quote, quote + QUOTED) if quote >= 0 else -1
        return later if later >= 0 else end
    return end


def _paragraphs(text: str) -> Iterator[Block]:
    """Cut at empty lines, and at single line breaks before a heading."""
    for part in re.split(f"{SOFT}\\s*{SOFT}", text):
        together: list[str] = []
        joined = False
        for line in part.split(SOFT):
            if ITEM_START.match(line) and together:
                yield from _block(" ".join(together), joined=joined)
                together, joined = [], True
            together.append(line)
        yield from _block(" ".join(together), joined=joined)


def _block(text: str, *, joined: bool = False) -> Iterator[Block]:
    if words := _plain(text):
        yield Block(words, joined=joined)


def _cells(cells: list[str], table: int) -> Iterator[Block]:
    if found := [words for cell in cells if (words := _plain(cell))]:
        yield Block(CELL.join(found), table)


def _plain(text: str) -> str:
    return " ".join(text.translate(INVISIBLE).split())


def _row(cells: list[str], table: int) -> Iterator[Block]:
    """Give a table's row; a cell that holds paragraphs is no figure, and gives these."""
    short: list[str] = []
    for cell in cells:
        if len(cell.split()) < PROSE:
            short.append(cell)
            continue
        yield from _cells(short, table)
        short = []
        yield from _paragraphs(cell)
    yield from _cells(short, table)


def plain_blocks(text: str) -> Iterator[Block]:
    """Cut plain text: paragraphs are parted by empty lines, tables by their tags or their columns.

    Parameters
    ----------
    text : str
        As filed in the 1990s, with ``<PAGE>``, ``<TABLE>`` and ``<CAPTION>`` marks.
    """
    together: list[str] = []
    table, fenced, joined = 0, False, False
    for raw in text.splitlines():
        line = raw.expandtabs() if len(raw) <= WIDEST else raw
        mark = line.strip().upper()
        ruled = RULER.fullmatch(line) is not None
        heading = ITEM_LINE.match(line) is not None
        row = not ruled and not heading and (fenced or _columns(line, within=bool(together)))
        tag = mark.startswith(TAGS) or raw[:1] == "\f"
        if ruled or heading or row or tag:
            yield from _block(" ".join(together), joined=joined)
            joined = heading and (joined or bool(together))
            together = []
        if tag:
            fenced = mark.startswith("<TABLE") or (fenced and not mark.startswith("</TABLE"))
            table += mark.startswith("<TABLE")
            if mark.startswith("<PAGE") or raw[:1] == "\f":
                yield PAGE
        elif row:
            yield from _cells(re.split(r"\s{3,}", line.strip()), max(table, 1))
        elif heading:
            yield from _block(line, joined=joined)
            joined = True
        elif not ruled:
            together.append(line)
    yield from _block(" ".join(together), joined=joined)


def _columns(line: str, *, within: bool) -> bool:
    """Whether a line is a table's row; one filled to the margin has wide gaps, but many words."""
    if len(line) > WIDEST or not COLUMNS.search(line.strip()):
        return False
    words = [word for word in line.split() if any(char.isalnum() for char in word)]
    figures = sum(any(char.isdigit() for char in word) for word in words)
    return figures >= FIGURES * len(words) or (len(words) <= FEW and not within)
