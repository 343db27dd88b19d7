"""Item 1 cut out of annual reports in the layouts of thirty years."""

import json
import re
import time

import pandas as pd
import pytest
from layouts import AVAILABLE, FORWARD, Writer, html_report, mixed, reports

from finsae.checks import DataError
from finsae.sources.edgar import clean_business, extract_business, read_edgar_corpus
from finsae.sources.edgar.blocks import decode, to_blocks
from finsae.sources.files import read_universe

LAYOUTS = {report.layout: report for report in reports(7)}


def words(text):
    return re.findall(r"\w+", text.lower())


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_the_item_and_nothing_else(layout):
    report = LAYOUTS[layout]
    found = extract_business(report.document, report.form)
    if report.truth:
        assert words(found.text) == words(report.truth)
        assert not set(found.flags) - {"no_number", "short"}
    assert set(report.flags) <= set(found.flags)


@pytest.mark.parametrize("seed", range(40))
def test_layouts_mixed_by_chance(seed):
    report = mixed(seed)
    assert words(extract_business(report.document).text) == words(report.truth)


def test_paragraphs_are_kept_apart_and_boilerplate_and_tables_are_gone():
    report = LAYOUTS["HTML, boilerplate"]
    found = extract_business(report.document)
    assert found.text == report.truth
    assert FORWARD[:30] not in found.text and AVAILABLE[:30] not in found.text
    assert "Widget" not in extract_business(LAYOUTS["HTML, table of figures"].document).text


def test_lengths_are_judged():
    few, many = Writer(0, size=1), Writer(0, size=700)
    assert "short" in extract_business(html_report(few, toc=False)).flags
    assert "long" in extract_business(html_report(many)).flags
    assert extract_business(html_report(Writer(0))).flags == ()


def test_part_iii_by_reference_raises_no_flag_for_item_1():
    assert extract_business(LAYOUTS["HTML, bold headings, contents"].document).flags == ()


def test_what_reads_as_contents_is_flagged():
    body = [f"Section on products of kind number {number} begins on page {number}" * 3
            for number in range(20)]  # fmt: skip
    assert "contents" in extract_business(html_report(Writer(0), body=body)).flags


@pytest.mark.parametrize("document", ["", "   ", "<html></html>", "<p>", "no items here " * 50])
def test_no_item_is_said(document):
    assert extract_business(document) == ("", ("no_item",))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("caf\u00e9 \u201cx\u201d".encode(), "caf\u00e9 \u201cx\u201d"),
        ("caf\u00e9 \u201cx\u201d".encode("cp1252"), "caf\u00e9 \u201cx\u201d"),
        (b"\xef\xbb\xbfabc", "abc"),
        (b"a\x81b", "a\x81b"),
    ],
)
def test_bytes_are_read_whatever_they_say_they_are(raw, text):
    assert decode(raw) == text


def test_hidden_parts_entities_and_broken_markup():
    document = (
        "<p>a&nbsp;b&#8217;s &amp; c</p><style>x{}</style><div style='DISPLAY: none'>no"
        '<div>no</div></div><p title="1>0">d<!-- <p>no</p> --> e</p><p>1 < 2<p>f'
        "<div style='display:none'>never closed <p>g"
    )
    texts = [block.text for block in to_blocks(document)]
    assert texts == ["a b\u2019s & c", "d e", "1 < 2", "f", "never closed", "g"]


BOMBS = {
    "nested": "<div>" * 20_000,
    "nested tables": "<table><tr><td>" * 10_000,
    "cells": "<p><p><p><table><tr>" + "<td>x" * 20_000,
    "open brackets": "<" * 100_000,
    "comments": "<p><p><p>" + "<!--" * 30_000,
    "quotes": '<p><p><p><a href="' * 10_000,
    "hidden": '<p><p><p><div style="display:none">' * 3_000,
    "scripts": "<p><p><p>" + "<script>" * 10_000,
    "entities": "<p><p><p>" + "&amp;" * 30_000,
    "headings": "<p>Item 1. Business<p>PART II<p>Item 2. Properties" * 2_000,
    "one heading": "<p>Item 1. Business<p>x" * 5_000,
    "blanks": "<p><p><p>" + " " * 200_000 + "Item 1",
    "breaks": "<p><p><p>" + "<br> " * 20_000,
    "dots": "." * 100_000 + "a",
    "gaps": "a   " * 30_000,
    "lines": "Item 1. Business   3\n" * 5_000,
    "one word": "forward-" * 20_000,
    "incorporated": "<p>Item 1. Business<p>" + "incorporated by " * 10_000,
}


def processor_seconds(work, *args):
    """The least of three: a shared machine and the garbage collector only ever add."""
    took = []
    for _ in range(3):
        start = time.process_time()
        work(*args)
        took.append(time.process_time() - start)
    return min(took)


@pytest.mark.parametrize("bomb", list(BOMBS))
def test_bombs_take_time_in_proportion(bomb):
    document = BOMBS[bomb]
    part, whole = (
        processor_seconds(extract_business, document[:size])
        for size in (len(document) // 4, len(document))
    )
    # Four times the length: quadratic time would be sixteen times as much.
    assert whole < 9 * part + 0.2


def crawled(cik, filed, text, **other):
    """A filing in the fields of edgar-crawler."""
    return {"cik": cik, "company": "ACME INC", "filing_type": "10-K", "filing_date": filed,
            "period_of_report": "2019-12-31", "sic": "111", "state_of_inc": "DE",
            "filename": f"{cik}_10K_2020_0000320193-20-000096.htm", "item_1": text,
            "item_1A": "Item 1A. Risk Factors", **other}  # fmt: skip


def test_files_of_edgar_crawler_are_a_universe(tmp_path):
    w, v = Writer(1), Writer(2)
    for number, (cik, filed, text) in enumerate(
        [("320193", "2019-10-30", v.truth),
         ("320193", "2020-10-30", f"Item 1. Business\n{w.truth}"),
         ("12345", "2020-03-01", ""), ("777", "2020-05-01", v.truth)]
    ):  # fmt: skip
        (tmp_path / f"{number}.json").write_text(json.dumps(crawled(cik, filed, text)))
    table = read_edgar_corpus(tmp_path)
    assert table["flags"].tolist() == ["", "no_item", "", ""]
    assert table["sic"].tolist() == ["0111"] * 4
    assert table["accession"].tolist() == ["0000320193-20-000096"] * 4
    companies = read_universe(tmp_path).companies
    assert companies.index.tolist() == ["CIK0000000777", "CIK0000320193"]
    assert companies.loc["CIK0000320193", "description"] == w.truth
    assert str(companies.loc["CIK0000320193", "date"].date()) == "2020-10-31"  # the day after


def test_tables_of_edgar_corpus_are_a_universe(tmp_path):
    w = Writer(3)
    table = pd.DataFrame(
        {"filename": ["718413_1993.txt", "718413_1994.txt"], "cik": ["718413", "718413"],
         "year": ["1993", "1994"], "section_1": [w.truth, f"ITEM 1. BUSINESS\n\n{w.truth}"],
         "section_1A": ["", ""]}
    )  # fmt: skip
    table.to_parquet(tmp_path / "corpus.parquet")
    table.to_csv(tmp_path / "corpus.csv", index=False)
    for name in ("corpus.parquet", "corpus.csv"):
        companies = read_universe(tmp_path / name).companies
        assert companies.index.tolist() == ["CIK0000718413"]
        (row,) = companies.to_dict("records")
        assert row["description"] == w.truth
        assert (str(row["date"].date()), row["flags"]) == ("1994-12-31", "year_only")


def test_json_lines_and_lists(tmp_path):
    w = Writer(4)
    records = [crawled("1", "2020-01-02", w.truth), crawled("2", "2020-01-03", w.truth)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)))
    (tmp_path / "b.json").write_text(json.dumps(records))
    assert read_edgar_corpus(tmp_path / "a.jsonl").equals(read_edgar_corpus(tmp_path / "b.json"))


def test_a_group_is_no_code_and_nothing_is_no_company(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([crawled("1", "2020-01-02", Writer(4).truth, sic=28.0)]))
    with pytest.raises(DataError, match=r"sic is not a code of up to four digits \(28"):
        read_universe(path)
    path.write_text(json.dumps([crawled("000", "2020-01-02", Writer(4).truth)]))
    with pytest.raises(DataError, match="no cik, year or item 1"):
        read_universe(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "cannot be read as JSON"), ("3", "holds something that is no filing"),
     ('[{"item_1": "x"}]', "no cik, year or item 1"), ("[]", "holds no filing"),
     ("[" * 100_000, "cannot be read as JSON")],
)  # fmt: skip
def test_what_is_no_corpus_is_named(tmp_path, content, message):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read_edgar_corpus(tmp_path / "a.json")


def test_a_foreign_text_is_not_cut_at_its_references():
    text = f"{Writer(5).truth}\n\nItem 1A. Risk Factors\n\nstay."
    assert clean_business(text).text.endswith("stay.")


def test_text_that_is_glued_to_its_heading():
    ahead = "<p><b>Item 1. Business</b>Glued to it.</p>"
    found = extract_business(html_report(Writer(6), ahead=ahead))
    assert found.text.startswith("Glued to it.\n\n")
