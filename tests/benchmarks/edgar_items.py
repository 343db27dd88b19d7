"""How well Item 1 is cut out: finsae's extractor, edgartools, and the two together.

    python tests/benchmarks/edgar_items.py [--out reports/benchmarks/edgar.md]

The reports are those of `tests/layouts.py`, drawn with several seeds. Where edgartools is not
installed its rows are left out.
"""

import argparse
import re
import sys
import time
import warnings
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from layouts import mixed, reports

from finsae.sources.edgar import clean_business, extract_business

SEEDS = range(8)
MIXED = range(50_000, 50_400)  # none of them was looked at while the extractor was written
EDGE = 5  # words that must agree at either end
LEAST = 100  # words of an answer that claims to be an item
FAMILIES = ("text, mixed", "HTML, mixed", "text", "HTML", "inline XBRL", "20-F")


def words(text):
    return re.findall(r"\w+", text.lower())


class Handed:
    """What edgartools needs of a filing, without a network."""

    accession_number, base_dir, filing_date, company = "0000000000-00-000000", "", "2020-01-01", ""

    def __init__(self, report):
        # Its class for annual reports takes 10-K only; older forms have the same items.
        self.form = "20-F" if report.form == "20-F" else "10-K"
        self.report = report

    def html(self):
        return self.report.document


def edgartools():
    """Its extractor, or None where it is not installed."""
    try:
        from edgar.company_reports import TenK, TwentyF
    except ImportError:
        return None

    def extract(report):
        kind, item = (TwentyF, "Item 4") if report.form == "20-F" else (TenK, "Item 1")
        return kind(Handed(report)).get(item) or ""

    return extract


def methods():
    """Extractors by name: a report to a text."""
    theirs = edgartools()

    def ours(report):
        found = extract_business(report.document, report.form)
        usable = not {"by_reference", "no_item"} & set(found.flags)
        return found.text if usable else ""

    rows = {"finsae": ours}
    if theirs is None:
        return rows

    def cleaned(report):
        return clean_business(theirs(report)).text

    def theirs_first(report):
        text = cleaned(report)
        return text if len(words(text)) >= LEAST else ours(report)

    def ours_first(report):
        text = ours(report)
        return text if len(words(text)) >= LEAST else cleaned(report)

    return {
        **rows,
        "edgartools, as it comes": theirs,
        "edgartools, cleaned by finsae": cleaned,
        "edgartools where it finds an item, else finsae": theirs_first,
        "finsae where it finds an item, else edgartools": ours_first,
    }


def measure(extract, report):
    """Recall and precision of words, exact ends, exact text; or silence where nothing is to say."""
    start = time.process_time()
    found = words(extract(report))
    took = time.process_time() - start
    true = words(report.truth)
    facts = {"layout": report.layout, "seconds": took, "size": len(report.document)}
    if not true:
        return {**facts, "silent": len(found) < LEAST}
    hit = sum((Counter(found) & Counter(true)).values())
    return {
        **facts,
        "recall": hit / len(true),
        "precision": hit / len(found) if found else np.nan,
        "ends": found[:EDGE] == true[:EDGE] and found[-EDGE:] == true[-EDGE:],
        "exact": found == true,
    }


def family(layout):
    return next(name for name in FAMILIES if layout.startswith(name))


def summary(table):
    """One row per method: means over reports."""
    rows = []
    for method, mine in table.groupby("method", sort=False):
        true = mine[mine["recall"].notna()]
        rows.append(
            {
                "method": method,
                "recall": f"{true['recall'].mean():.3f}",
                "precision": f"{true['precision'].mean():.3f}",
                "exact ends": f"{true['ends'].astype(float).mean():.3f}",
                "exact text": f"{true['exact'].astype(float).mean():.3f}",
                "silent": f"{mine['silent'].dropna().astype(float).mean():.3f}",
                "ms a report": f"{1e3 * mine['seconds'].mean():.0f}",
            }
        )
    return pd.DataFrame(rows)


def by_family(table):
    true = table[table["recall"].notna()].assign(family=table["layout"].map(family))
    found = true.assign(exact=true["ends"].astype(float)).groupby(["method", "family"], sort=False)
    shares = found["exact"].mean().reset_index()
    wide = shares.pivot_table(index="method", columns="family", values="exact", sort=False)
    return wide.round(3).reset_index()


def markdown(table):
    head = "| " + " | ".join(map(str, table.columns)) + " |"
    rule = "|" + "---|" * len(table.columns)
    rows = ["| " + " | ".join(map(str, row)) + " |" for row in table.to_numpy()]
    return "\n".join([head, rule, *rows])


def report(table):
    chance = table["layout"].str.endswith(", mixed")
    true = table[table["recall"].notna() & ~chance]
    layouts = true.assign(ends=true["ends"].astype(float)).pivot_table(
        index="layout", columns="method", values="ends", sort=False
    )
    layouts = layouts.drop(columns="edgartools, as it comes", errors="ignore")
    missed = layouts[(layouts < 1).any(axis=1)].round(2).reset_index()
    return f"""# Item 1 out of annual reports

`python tests/benchmarks/edgar_items.py` wrote this. The reports are those of `tests/layouts.py`:
{true["layout"].nunique()} layouts and three without an item 1 of their own, {len(SEEDS)} draws
each, and {len(MIXED)} reports whose layout is put together by chance (headings, contents,
paragraphs, page breaks, tables, what stands before Part I). **They are made up, by the people who
wrote the extractor and of the layouts they thought of**, and the extractor was mended until it read
them: the figures say which layouts an extractor can read, not how often it fails on EDGAR, of which
no filing was at hand. There, the flags of each filing say where to look (`no_item`, `by_reference`,
`short`, `long`, `contents`, `no_number`).

Recall and precision are of the words of the true item (tables and boilerplate are not part of it),
means over reports; precision is over reports with an answer. Exact ends: the first and the last
five words agree. Silent: share of the reports without an item 1 of their own (by reference, or
Part III only) for which no text of a hundred words is given. As it comes, edgartools gives the
heading with the text, so that its ends never agree; cleaned, it is without. Time is processor time
on a shared machine.

The layouts:

{markdown(summary(table[~chance]))}

Layouts mixed by chance:

{markdown(summary(table[chance]).drop(columns="silent"))}

Share with exact ends, by family:

{markdown(by_family(table))}

{conclusion(table)}

edgartools is {edgartools_version()}, given each document through its own classes for annual reports
without a network; of plain text it returns nothing, as it documents.

Layouts in which some method misses an end (share with exact ends):

{markdown(missed) if len(missed) else "none"}
"""


def conclusion(table):
    """Whether edgartools earns its place."""
    exact = table[table["recall"].notna()].groupby("method")["exact"].apply(lambda x: x.mean())
    alone, others = exact["finsae"], exact.drop("finsae")
    if others.empty or others.max() <= alone:
        return (
            "What follows from it: no method with edgartools in it has more exact texts than the\n"
            "extractor of finsae's own, so finsae uses that alone and edgartools is no dependency."
        )
    return f"What follows from it: {others.idxmax()} has more exact texts; use it."


def edgartools_version():
    try:
        return version("edgartools")
    except PackageNotFoundError:
        return "(not installed here)"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default="reports/benchmarks/edgar.md")
    out = Path(parser.parse_args().out)
    warnings.simplefilter("ignore")
    rows = []
    for name, extract in methods().items():
        for seed in SEEDS:
            rows += [{"method": name, **measure(extract, each)} for each in reports(seed)]
        rows += [{"method": name, **measure(extract, mixed(seed))} for seed in MIXED]
    table = pd.DataFrame(rows)
    out.write_text(report(table))
    print(out.read_text())


if __name__ == "__main__":
    main()
