"""Annual reports in the layouts of thirty years, with the text of their item 1 known.

Everything is written here: no filing is copied. Sentences are drawn from small grammars, so that a
sentence of one section never stands in another; the words around them are the form's own.
"""

import random
import textwrap
from typing import NamedTuple


class Report(NamedTuple):
    layout: str
    form: str
    document: str
    truth: str  # what item 1 says: paragraphs, without headings, tables and boilerplate
    flags: tuple = ()  # that must be raised


MAKES = ("valves", "turbines", "sensors", "bearings", "solvents", "garments", "reagents", "tiles",
         "routers", "trailers", "batteries", "catheters", "syrups", "boilers",
         "lenses")  # fmt: skip
FOR = ("refineries", "hospitals", "airlines", "grocers", "utilities", "shipyards", "farmers",
       "schools", "foundries", "laboratories", "builders", "printers")  # fmt: skip
PLACES = ("Ohio", "Bavaria", "Osaka", "Leeds", "Quebec", "Monterrey", "Lyon", "Busan", "Perth")
BUSINESS = (
    "The Company makes {a} and {b} for {c} in {p}.",
    "Our {a} are sold to {c} through distributors in {p}.",
    "Competition in {a} is intense, and rivals that sell {b} to {c} have greater resources.",
    "We employ {n} people, of whom {m} assemble {a} in {p}.",
    "Patents on {a} expire over the next {m} years; {b} are protected as trade secrets.",
    "Demand for {a} from {c} peaks in spring, while {b} sell evenly through the year.",
    "Sales of {a} to {c} were {m}% of revenue, see Item 7 of this report for a discussion.",
    "Raw materials for {a} are bought from several suppliers in {p}.",
    "As described in Item 1A, Risk Factors, the loss of {c} as customers would hurt {b}.",
    "How prices of {a} change is set forth under Item 7. Management's Discussion and Analysis.",
    "Dangers to {b} in {p} are said in Item 1A. Risk Factors and elsewhere in this report.",
    "Plants in {p} that make {a} are listed in Item 2. Properties.",
)
RISKS = (
    "A recession could reduce what customers spend and harm our results number {n}.",
    "Litigation of kind {n} could be costly and divert management.",
    "Hackers could disrupt our systems and expose records of {m} customers.",
)
PROPERTY = (
    "Our headquarters lease of {n} square feet expires in {m} years.",
    "A warehouse of {n} square feet is owned free of mortgage number {m}.",
)
LEGAL = ("Plaintiff number {n} alleges breach of contract and seeks damages of ${m} million.",)
MONEY = (
    "Net income rose by ${n} thousand because interest expense fell by ${m} thousand.",
    "Cash flow from operations was ${n} thousand, and capital spending ${m} thousand.",
)
FORWARD = ("This report contains forward-looking statements within the meaning of the Private "
           "Securities Litigation Reform Act of 1995. Actual results may differ materially, and we "
           "undertake no obligation to update them.")  # fmt: skip
AVAILABLE = ("Our annual reports on Form 10-K are available free of charge on our website as soon "
             "as reasonably practicable after they are filed with the Securities and Exchange "
             "Commission.")  # fmt: skip
REFERENCE = ("The information required by this item is incorporated by reference to the "
             "registrant's definitive proxy statement for its annual meeting.")  # fmt: skip
ELSEWHERE = ("The information set forth on pages 4 through 19 of the registrant's annual report "
             "to shareholders is incorporated herein by reference and is an exhibit.")  # fmt: skip
PART3 = (("10", "Directors and Executive Officers of the Registrant"),
         ("11", "Executive Compensation"),
         ("12", "Security Ownership of Certain Beneficial Owners and Management"),
         ("13", "Certain Relationships and Related Transactions"))  # fmt: skip


class Writer:
    """Draws the paragraphs of one report."""

    def __init__(self, seed, size=14):
        self.draw = random.Random(seed)
        self.size = size
        self.business = self.paragraphs(BUSINESS, size)
        self.risks = self.paragraphs(RISKS, 10)
        self.property = self.paragraphs(PROPERTY, 2)
        self.legal = self.paragraphs(LEGAL, 2)
        self.money = self.paragraphs(MONEY, 20)

    def paragraphs(self, grammar, count):
        return [" ".join(self.sentence(grammar) for _ in range(self.draw.randint(3, 6)))
                for _ in range(count)]  # fmt: skip

    def sentence(self, grammar):
        draw = self.draw
        a, b = draw.sample(MAKES, 2)
        return draw.choice(grammar).format(
            a=a, b=b, c=draw.choice(FOR), p=draw.choice(PLACES),
            n=draw.randint(1_000, 99_999), m=draw.randint(2, 98),
        )  # fmt: skip

    @property
    def truth(self):
        return "\n\n".join(self.business)


def rest_of(w, *, risks=True, properties=True):
    """Headings and paragraphs of what follows item 1."""
    parts = []
    if risks:
        parts += [("Item 1A", "Risk Factors", w.risks), ("Item 1B", "Unresolved Staff Comments",
                                                         ["None."])]  # fmt: skip
    if properties:
        parts.append(("Item 2", "Properties", w.property))
    parts += [
        ("Item 3", "Legal Proceedings", w.legal),
        ("Item 4", "Submission of Matters to a Vote of Security Holders", ["None."]),
        ("PART II", "", []),
        ("Item 5", "Market for Registrant's Common Equity", ["The shares are listed."]),
        ("Item 7", "Management's Discussion and Analysis of Financial Condition", w.money),
        ("Item 8", "Financial Statements and Supplementary Data", w.money[:3]),
        ("PART III", "", []),
        *((f"Item {number}", title, [REFERENCE]) for number, title in PART3),
        ("PART IV", "", []),
        ("Item 14", "Exhibits, Financial Statement Schedules and Reports on Form 8-K", ["None."]),
    ]
    return parts


# --- plain text -----------------------------------------------------------------------------------


def wrapped(paragraph, indent="     "):
    return textwrap.fill(paragraph, 78, initial_indent=indent)


def justified(paragraph, draw):
    """Lines filled with blanks to the right margin, as word processors of the time did."""
    lines = textwrap.wrap(paragraph, 70)
    for number, line in enumerate(lines[:-1]):
        words = line.split(" ")
        while len(words) > 1 and sum(map(len, words)) + len(words) - 1 < 72:
            spot = draw.randrange(len(words) - 1)
            words[spot] = words[spot].rstrip() + " " * (
                len(words[spot]) - len(words[spot].rstrip()) + 1
            )
        lines[number] = " ".join(words)
    return "\n".join(lines)


TEXT_TABLE = """<TABLE>
<CAPTION>
                                 1997        1996        1995
<S>                          <C>         <C>         <C>
Widget segment .........     $ 7,111     $ 6,222     $ 5,333
Gadget segment .........       4,444       3,555       2,666
                             -------     -------     -------
                             $11,555     $ 9,777     $ 7,999
                             =======     =======     =======
</TABLE>"""
BARE_TABLE = """                                 1997        1996        1995
                                 ----        ----        ----
     Widget segment .........  $ 7,111     $ 6,222     $ 5,333
     Gadget segment .........    4,444       3,555       2,666"""


def cover(form="10-K"):
    return f"""                 SECURITIES AND EXCHANGE COMMISSION
                        Washington, D.C. 20549

                              FORM {form}

          ANNUAL REPORT PURSUANT TO SECTION 13 OR 15(d)

                       ACME INDUSTRIES, INC.

DOCUMENTS INCORPORATED BY REFERENCE: portions of the proxy statement are
incorporated by reference into Part III.
"""


def text_report(w, *, business="ITEM 1.   BUSINESS", toc=True, between="", rest=None, form="10-K",
                body=None, pages=True, style=None):  # fmt: skip
    """A report as text of the 1990s."""
    style = style or wrapped
    rest = rest if rest is not None else rest_of(w, risks=False)
    out = [cover(form)]
    if toc:
        out += ["                          TABLE OF CONTENTS\n", "PART I"]
        out.append(f"  {business.title()} {'.' * 40} 1")
        out += [f"{head}. {title} {'.' * 30} {number}" if title else head
                for number, (head, title, _) in enumerate(rest, 2)]  # fmt: skip
    out += ["\n<PAGE>\n", "                              PART I\n", business, ""]
    for number, paragraph in enumerate(w.business if body is None else body):
        out += [style(paragraph), ""]
        if number == 1 and between:
            out += [between, ""]
        if pages and number % 4 == 3:
            out += [f"                                  {number // 4 + 3}", "<PAGE>",
                    "ACME INDUSTRIES, INC.   1997 ANNUAL REPORT", ""]  # fmt: skip
    for head, title, paragraphs in rest:
        out += [f"{head.upper()}.   {title.upper()}" if title else f"     {head}", ""]
        for paragraph in paragraphs:
            out += [style(paragraph), ""]
    return "\n".join(out)


def split_at_page(w):
    """A page break in the middle of a sentence of every fourth paragraph."""
    out = text_report(w, pages=False)
    for number, paragraph in enumerate(w.business[::4]):
        lines = wrapped(paragraph).splitlines()
        if len(lines) > 3 and lines[2][:1].islower():
            cut = "\n\n".join(["\n".join(lines[:2]), f"           -{number + 4}-\n<PAGE>",
                               "\n".join(lines[2:])])  # fmt: skip
            out = out.replace("\n".join(lines), cut)
    return out


def run_in(w):
    first, *others = w.business
    return text_report(w, business=f"ITEM 1.  BUSINESS.  {first}", toc=False, body=others)


def lettered(w):
    """Item 1(a), 1(b) and 1(c), as Regulation S-K numbers them."""
    third = len(w.business) // 3
    heads = ("ITEM 1(b).  Financial Information about Industry Segments",
             "ITEM 1(c).  Narrative Description of Business")  # fmt: skip
    text = text_report(w, business="ITEM 1(a).  General Development of Business", toc=False)
    for number, head in enumerate(heads, 1):
        at = wrapped(w.business[number * third])
        text = text.replace(at, f"{head}\n\n{at}")
    return text


# --- HTML -----------------------------------------------------------------------------------------

HTML_TABLE = """<table border=0><tr><td></td><td>2009</td><td>2008</td></tr>
<tr><td>Widget segment</td><td>$</td><td>7,111</td><td>$</td><td>6,222</td></tr>
<tr><td>Gadget segment</td><td></td><td>4,444</td><td></td><td>3,555</td></tr></table>"""


def para(text):
    return f"<p style='margin:0'><font size=2>{text}</font></p>"


def bold(text):
    return f"<p><b>{text}</b></p>"


def contents(parts, first=("Item 1", "Business")):
    rows = [f'<tr><td><a href="#i{number}">{head}.</a></td><td>{title}</td>'
            f"<td>{number + 3}</td></tr>"
            for number, (head, title, _) in enumerate([(*first, []), *parts]) if title]  # fmt: skip
    return f"<p>TABLE OF CONTENTS</p><table>{''.join(rows)}</table>"


def plain_head(head, title):
    return bold(f"{head}. {title}") if title else f"<p align=center><b>{head}</b></p>"


def html_report(w, *, head=plain_head, first=("Item 1", "Business"), toc=True, rest=None, body=None,
                between="", page=None, before="", paragraph=para, ahead=None):  # fmt: skip
    """A report as HTML."""
    rest = rest if rest is not None else rest_of(w)
    out = ["<html><head><title>10-K</title></head><body>", "<p>FORM 10-K</p><p>ACME INC.</p>"]
    out += [contents(rest, first) if toc else "", before, head("PART I", "")]
    out.append(ahead if ahead is not None else head(*first))
    for number, text in enumerate(w.business if body is None else body):
        out.append(paragraph(text))
        if number == 1:
            out.append(between)
        if page and number % 4 == 3:
            out.append(page(number // 4 + 1))
    for name, title, paragraphs in rest:
        out.append(head(name, title))
        out += [paragraph(text) for text in paragraphs]
    return "\n".join([*out, "</body></html>"])


def split_head(head, title):
    """Headings cut up by tags and held together by no-break spaces."""
    if not title:
        return f"<p><b>{head[0]}<font size=1>{head[1:]}</font></b></p>"
    kind, number = head.split(" ", 1)
    return (f"<p><b><font>{kind[0]}</font><font size=1>{kind[1:].upper()}</font>&nbsp;{number}."
            f"&#160;&#160;<u>{title[0]}</u><u>{title[1:]}</u></b></p>")  # fmt: skip


def table_head(head, title):
    if not title:
        return bold(head)
    return f"<table width=100%><tr><td width=80>{head}.</td><td><b>{title}</b></td></tr></table>"


def two_heads(head, title):
    return bold(f"{head.upper()}.") + bold(title.upper()) if title else bold(head)


def modern_head(head, title):
    text = f"{head}.&#160;&#160;&#160;&#160;{title}" if title else head
    return ('<div style="margin-top:9pt"><span style="color:#000;font-family:Helvetica;'
            f'font-weight:700">{text}</span></div>')  # fmt: skip


def modern_para(text):
    return f'<div style="margin-top:9pt;text-align:justify"><span>{text}</span></div>'


def modern_page(number):
    return (f'<div><div><span>Acme Inc. | 2023 Form 10-K | {number}</span></div></div>'
            '<hr style="page-break-after:always"/>')  # fmt: skip


def running(number):
    return (f"<p align=center>{number}</p><hr><p><a href='#toc'>Table of Contents</a></p>"
            "<p><b>Item 1. Business (continued)</b></p>")  # fmt: skip


def bullets(w):
    body = []
    for number, text in enumerate(w.business):
        body.append(text if number % 3 else f"\u2022|{text}")

    def paragraph(text):
        if "\u2022|" not in text:
            return para(text)
        return f"<table><tr><td>\u2022</td><td>{text[2:]}</td></tr></table>"

    return html_report(w, body=body, paragraph=paragraph)


def one_table(w):
    """A whole document in one cell, its paragraphs parted by line breaks."""

    def head(name, title):
        return f"<b>{name}. {title}</b><br>"

    inner = html_report(w, paragraph=lambda text: f"{text}<br><br>\n", head=head, toc=False)
    inner = inner.replace("<body>", "<body><table><tr><td>")
    return inner.replace("</body>", "</td></tr></table>")


def references_first(w):
    before = para(FORWARD) + "<ul>" + "".join(
        f"<li>{text}</li>" for text in ("Item 1. Business", "Item 1A. Risk Factors",
                                        "Item 7. Management's Discussion and Analysis")
    ) + "</ul>" + "".join(para(text) for text in w.money[:2])  # fmt: skip
    return html_report(w, before=before)


def reference_inside(w):
    """Blocks inside item 1 that begin like headings."""
    said = ["Item 1A of this report lists risks.", "Item 2 describes our sites.",
            "Item 7, \u201cManagement\u2019s Discussion,\u201d has figures."]  # fmt: skip
    truth = "\n\n".join([*w.business[:2], *said, *w.business[2:]])
    return html_report(w, between="".join(map(para, said))), truth


def inline_xbrl(w, *, cyber=False):
    hidden = ('<div style="display:none"><ix:header><ix:hidden><ix:nonNumeric name="dei:X">Item 1. '
              "Business hidden facts number 77</ix:nonNumeric></ix:hidden><ix:resources>"
              "<xbrli:context><xbrli:identifier>0000320193</xbrli:identifier></xbrli:context>"
              "</ix:resources></ix:header></div>")  # fmt: skip
    rest = rest_of(w)
    if cyber:
        rest[2:2] = [("Item 1C", "Cybersecurity", w.risks[:3])]
    document = html_report(w, head=modern_head, paragraph=modern_para, page=modern_page, rest=rest)
    first = modern_para(w.business[0])
    tagged = (f'<ix:nonNumeric name="us-gaap:Nature" continuedAt="c1">{first}</ix:nonNumeric>'
              '<ix:continuation id="c1">')  # fmt: skip
    document = document.replace(first, tagged).replace(
        modern_para(w.business[2]), modern_para(w.business[2]) + "</ix:continuation>"
    )
    return '<?xml version="1.0" encoding="utf-8"?>' + document.replace("<body>", f"<body>{hidden}")


def form_20f(w, *, letters="{}. {}"):
    parts = [("History and Development of the Company", 0, 4), ("Business Overview", 4, 10),
             ("Organizational Structure", 10, 99)]  # fmt: skip
    body, truth = [], []
    for letter, (title, start, end) in zip("ABC", parts, strict=True):
        head = letters.format(letter, title)
        body += [f"<b>{head}</b>", *w.business[start:end]]
        truth += ([] if head.startswith("Item") else [head]) + w.business[start:end]
    before = bold("Item 3. Key Information") + "".join(para(text) for text in w.risks)
    rest = [("Item 4A", "Unresolved Staff Comments", ["None."]),
            ("Item 5", "Operating and Financial Review and Prospects", w.money),
            ("Item 6", "Directors, Senior Management and Employees", w.legal)]  # fmt: skip
    document = html_report(w, first=("Item 4", "Information on the Company"), before=before,
                           rest=rest, body=body)  # fmt: skip
    return document, "\n\n".join(truth)


def only_titles(w):
    """No item is numbered: the numbers are in an index of cross-references at the end."""
    rest = [(title, "", texts) for _, title, texts in rest_of(w) if title]
    document = html_report(w, first=("BUSINESS", ""), rest=rest, toc=False)
    index = "<table>" + "".join(
        f"<tr><td>Item {number}.</td><td>{title}</td><td>{page}</td></tr>"
        for number, title, page in (("1", "Business", "3-19"), ("1A", "Risk Factors", "20"),
                                    ("2", "Properties", "31"), ("3", "Legal Proceedings", "32"))
    ) + "</table>"  # fmt: skip
    return document.replace("</body>", index + "</body>")


def amendment(w):
    rest = [(f"Item {number}", title, w.legal) for number, title in PART3]
    return html_report(w, first=("PART III", ""), body=[], rest=rest, toc=False)


def split_contents(w):
    """A table of contents with the number and the title of an item in two rows."""
    items = [("Item 1", "Business", []), *rest_of(w)]
    rows = "".join(f"<tr><td><b>{head}</b></td></tr><tr><td>{title}</td><td>{number + 1}</td></tr>"
                   for number, (head, title, _) in enumerate(items) if title)  # fmt: skip
    return html_report(w, toc=False, before=f"<div>TABLE OF CONTENTS</div><table>{rows}</table>")


def dashes(head, title):
    return bold(f"{head.upper()}\u2014{title.upper()}" if title else head)


def no_blank(head, title):
    return bold(f"PART I, {head}.{title}" if title and head[-1] in "1ABC" else f"{head}.{title}")


def letter_l(head, title):
    return bold(f"{head.replace('Item 1', 'Item l')}. {title}" if title else head)


def part_and_item(number):
    """Part and item in the head of every page."""
    return f"<p>{number}</p><hr/><p>PART I</p><p>Item 1</p>"


def pre_pages(w):
    """Plain text within HTML."""
    text = text_report(w).replace("<PAGE>", "</PRE><HR><PRE>")
    return f"<HTML><BODY BGCOLOR=#FFFFFF><P></P><BR><PRE>{text}</PRE></BODY></HTML>"


def broken_lines(w):
    """A line break at the end of every line."""

    def paragraph(text):
        return "<P>" + "<BR>\n".join(textwrap.wrap(text, 80))

    return html_report(
        w, paragraph=paragraph, head=lambda head, title: f"<P><B>{head}. {title}</B>"
    )


def figures_first(w):
    """Financial statements and their discussion before Part I."""
    before = bold("Management's Discussion") + "".join(para(text) for text in w.money * 2)
    return html_report(w, before=before, toc=False)


def page_between(w):
    """A page break before the name of an item in the middle of a sentence."""
    start, end = (
        "The factors that matter most to buyers of our syrups are set out in",
        "Item 1A. Risk Factors.",
    )
    cut = f"{para(start)}<p align=center>7</p><hr>{para(end)}"
    truth = "\n\n".join([*w.business[:2], f"{start} {end}", *w.business[2:]])
    return html_report(w, between=cut), truth


def with_boilerplate(w):
    body = [w.business[0], FORWARD, *w.business[1:], "Available Information", AVAILABLE]
    return html_report(w, body=body)


def reports(seed):
    """All layouts, drawn with one seed."""
    w = Writer(seed)
    elsewhere = dict(body=[ELSEWHERE])
    both = ("Items 1 and 2", "Business and Properties")
    less = rest_of(w, properties=False)
    of_small = [("Item 2", "Description of Property", w.property), *rest_of(w, risks=False)[1:]]
    three = ("Items 1, 2 and 3", "Business, Properties and Legal Proceedings")
    refer, refer_truth = reference_inside(w)
    cut, cut_truth = page_between(w)
    small = Writer(seed, size=2)
    f20, f20_truth = form_20f(w)
    f20_letters, f20_letters_truth = form_20f(w, letters="Item 4.{}. {}")

    def k(name, document, form="10-K", truth=None, flags=()):
        return Report(name, form, document, w.truth if truth is None else truth, flags)

    return [
        k("text, contents with dots, pages", text_report(w)),
        k("text, no contents", text_report(w, toc=False)),
        k("text, heading runs into the text", run_in(w), "10-K405"),
        k("text, Items 1 and 2", text_report(
            w, business="ITEMS 1 AND 2.   BUSINESS AND PROPERTIES",
            rest=rest_of(w, risks=False, properties=False)), "10-K405"),
        k("text, justified lines", text_report(w, style=lambda text: justified(text, w.draw))),
        k("text, tagged table", text_report(w, between=TEXT_TABLE)),
        k("text, table without tags", text_report(w, between=BARE_TABLE)),
        k("text, Items 1(a) to 1(c)", lettered(w)),
        k("text, number above title", text_report(w, business="ITEM 1.\n\n         BUSINESS")),
        k("text, page breaks within sentences", split_at_page(w)),
        k("text, 10-KSB", text_report(w, business="ITEM 1.  DESCRIPTION OF BUSINESS",
                                      rest=of_small, form="10-KSB"), "10-KSB"),
        k("text, item 1 by reference", text_report(w, **elsewhere), truth="",
          flags=("by_reference",)),
        k("HTML, bold headings, contents", html_report(w)),
        k("HTML, no contents", html_report(w, toc=False)),
        k("HTML, headings split by tags and nbsp", html_report(w, head=split_head)),
        k("HTML, headings in tables", html_report(w, head=table_head)),
        k("HTML, number above title", html_report(w, head=two_heads)),
        k("HTML, Items 1 and 2", html_report(w, first=both, rest=less)),
        k("HTML, no Item 1A", html_report(w, rest=rest_of(w, risks=False))),
        k("HTML, page headers repeat the item", html_report(w, page=running)),
        k("HTML, bullets in tables", bullets(w)),
        k("HTML, table of figures", html_report(w, between=HTML_TABLE)),
        k("HTML, boilerplate", with_boilerplate(w)),
        k("HTML, all in one table", one_table(w)),
        k("HTML, references before Part I", references_first(w)),
        k("HTML, references inside", refer, truth=refer_truth),
        k("HTML, own title", html_report(w, first=("ITEM 1", "OUR COMPANY AND ITS MARKETS"))),
        k("HTML, titles without numbers", only_titles(w)),
        k("HTML, item 1 by reference", html_report(w, **elsewhere), truth="",
          flags=("by_reference",)),
        k("HTML, Part III only", amendment(w), "10-K/A", truth="", flags=("no_item",)),
        k("inline XBRL, generated divs", inline_xbrl(w)),
        k("inline XBRL, Item 1C", inline_xbrl(w, cyber=True)),
        k("text, contents without dots", text_report(w).replace("." * 30, "      ")),
        k("text, plain text within HTML", pre_pages(w)),
        k("HTML, contents in split rows", split_contents(w)),
        k("HTML, dashes", html_report(w, head=dashes)),
        k("HTML, no blank, with its part", html_report(w, head=no_blank)),
        k("HTML, Items 1, 2 and 3", html_report(w, first=three, rest=less[3:])),
        k("HTML, a letter l for the number", html_report(w, head=letter_l)),
        k("HTML, first letters set apart", html_report(w, head=set_apart)),
        k("HTML, part and item on every page", html_report(w, page=part_and_item)),
        k("HTML, hard line breaks", broken_lines(w)),
        k("HTML, statements before Part I", figures_first(w)),
        k("HTML, page break before a reference", cut, truth=cut_truth),
        k("HTML, a short item", html_report(small), truth=small.truth),
        k("20-F, Item 4", f20, "20-F", truth=f20_truth),
        k("20-F, Items 4.A to 4.C", f20_letters, "20-F", truth=f20_letters_truth),
    ]  # fmt: skip


# --- layouts mixed by chance ----------------------------------------------------------------------

TITLES = ("Business", "BUSINESS", "Description of Business", "General", "Our Business",
          "Business of the Company", "Business Overview", "The Company's Business")  # fmt: skip


def centred(head, title):
    return f"<center><b><u>{head.upper()}</u>&nbsp; {title.upper()}</b></center><br>"


def spaced(head, title):
    return f"<div>&nbsp;</div><div><b>{head}&nbsp;&nbsp;&ndash;&nbsp;&nbsp;{title}</b></div>"


def set_apart(head, title):
    """Words whose first letter is larger, and stands alone."""
    words = " ".join(f"{word[0]} {word[1:]}" for word in title.upper().split())
    return f"<p><b>{head[0]} {head[1:].upper()}. {words}</b></p>" if title else bold(head)


def bullet(text):
    return f"<div style='margin-left:2em'>&#8226;&nbsp;{text}</div>"


def broken(text):
    return "<P>" + "<BR>\n".join(textwrap.wrap(text, 80))


def mixed_html(w):
    """Every choice of an HTML report drawn by itself."""
    draw = w.draw.choice
    heads = (plain_head, split_head, table_head, two_heads, modern_head, dashes, no_blank, centred,
             spaced, set_apart)  # fmt: skip
    both = draw((False, False, False, True))
    first = ("Items 1 and 2", "Business and Properties") if both else ("Item 1", draw(TITLES))
    head = draw(heads)
    if head is two_heads and not both:
        first = ("Item 1", "Business")
    rest = rest_of(w, risks=draw((True, False)), properties=not both)
    before = draw(
        (
            "",
            "",
            para(FORWARD),
            "".join(para(text) for text in w.money[:5]),
            "".join(
                f"<li>{text}</li>"
                for text in ("Item 1. Business", "Item 7. Management's Discussion")
            ),
        )
    )
    cut = "<p align=center>12</p><hr>"
    document = html_report(
        w, head=head, first=first, toc=draw((True, False)), rest=rest, before=before,
        between=draw(("", HTML_TABLE, cut, HTML_TABLE + cut)),
        page=draw((None, modern_page, running, part_and_item)),
        paragraph=draw((para, modern_para, bullet, broken)),
    )  # fmt: skip
    hidden = "<div style='display:none'><ix:header>Item 1. Business 7</ix:header></div>"
    document = document.replace("<body>", draw(("<body>", f"<body>{hidden}")))
    return draw((document, document.replace("<p", "\n<P").replace("</p>", "")))


def mixed_text(w):
    """Every choice of a plain text report drawn by itself."""
    draw = w.draw.choice
    both = draw((False, False, False, True))
    number, title = (
        ("ITEMS 1 AND 2", "BUSINESS AND PROPERTIES") if both else ("ITEM 1", draw(TITLES))
    )
    gap = draw((".  ", ".   ", ". ", " - ", ".\n\n               ", ":  "))
    title = "BUSINESS" if "\n" in gap and not both else title
    business = draw(
        (
            f"{number}{gap}{title}",
            f"          {number.title()}{gap}{title}",
            f"PART I, {number}{gap}{title}",
            f"{number}{gap}{title.upper()}\n-------------",
        )
    )
    style = draw(
        (
            wrapped,
            lambda text: justified(text, w.draw),
            lambda text: wrapped(text, ""),
            lambda text: textwrap.indent(wrapped(text), "    "),
        )
    )
    rest = rest_of(w, risks=draw((True, False)), properties=not both)
    text = text_report(w, business=business, toc=draw((True, False)), rest=rest,
                       between=draw(("", TEXT_TABLE, BARE_TABLE)), pages=draw((True, False)),
                       style=style)  # fmt: skip
    return draw((text, text.replace("." * 30, "   "), f"<html><body><p><br><pre>{text}</pre>"))


def mixed(seed):
    """A report whose layout is drawn by chance: HTML for even seeds, plain text for odd ones."""
    w = Writer(10_000 + seed)
    document = mixed_text(w) if seed % 2 else mixed_html(w)
    return Report(f"{'text' if seed % 2 else 'HTML'}, mixed", "10-K", document, w.truth)
