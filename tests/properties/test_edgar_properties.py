"""Whatever EDGAR, or who pretends to be it, answers: an answer or an error of our own."""

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from finsae.checks import DataError
from finsae.sources.edgar import clean_business, extract_business
from finsae.sources.edgar.blocks import decode, to_blocks
from finsae.sources.edgar.records import (
    ACCESSION,
    DOCUMENT,
    main_document,
    read_company,
    read_filings,
    read_header,
    read_tickers,
)

PIECES = """
<p>|</p>|<table>|<tr>|<td>|</table>|<div style='display:none'>|<!--|-->|<|>|"|&nbsp;|&#146;
&#99999999;|<pre>|<br>|<hr>|<PAGE>|Item 1.|ITEM 1A|Items 1 and 2|Item 1(a)|Item 4.B|PART I|PART II
Business|Risk Factors|Properties|(continued)|12|incorporated by reference|word word word word
"""
PIECES = [*PIECES.strip().replace("\n", "|").split("|"), "\n", "\n\n", "   ", *"\t\f\v\0\ud7ff"]
documents = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=60).map("".join)
plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
keys = st.sampled_from(["cik", "name", "sic", "tickers", "formerNames", "filings"])
inner_keys = st.sampled_from(["recent", "files", "accessionNumber", "form", "filingDate", "name"])


@settings(max_examples=80, deadline=None)
@given(documents, st.sampled_from(["10-K", "20-F", "10-K405", ""]))
def test_any_document_is_an_answer(document, form):
    found = extract_business(document, form)
    assert (found.text == "") <= bool(found.flags)
    assert clean_business(document).flags is not None


@settings(max_examples=60, deadline=None)
@given(documents)
def test_blocks_hold_words_of_the_document_only(document):
    for block in to_blocks(document):
        assert bool(block.text) != block.page
        assert block.text == block.text.strip()
    letters = set(re.findall(r"[A-Za-z]", document)) | set("'")
    text = "".join(block.text for block in to_blocks(document) if block.text.isascii())
    assert set(re.findall(r"[A-Za-z]", text)) <= letters


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_text(raw):
    assert isinstance(decode(raw), str)


@settings(max_examples=80, deadline=None)
@given(plain_json | st.dictionaries(keys, plain_json | st.dictionaries(inner_keys, plain_json)))
def test_any_json_is_a_company_or_an_error_of_ours(content):
    for raw in (json.dumps(content).encode(), json.dumps({"cik": 1, "filings": content}).encode()):
        for read in (lambda raw: read_company(raw, "0000000001"), read_tickers):
            try:
                read(raw)
            except DataError as error:
                assert error.problems


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=30) | st.none(), max_size=4))
def test_names_of_files_are_plain_or_absent(names):
    same = {"accessionNumber": "0000000001-01-000001", "form": "10-K", "filingDate": "2001-01-01"}
    table = {name: [cell] * len(names) for name, cell in same.items()} | {"primaryDocument": names}
    for filing in read_filings(table, "0000000001"):
        assert ACCESSION.fullmatch(filing.accession)
        assert filing.document == "" or DOCUMENT.fullmatch(filing.document)
        assert "/" not in filing.document and ".." not in filing.document


@settings(max_examples=60, deadline=None)
@given(documents | st.text(), st.sampled_from(["10-K", ""]))
def test_any_header_and_submission_can_be_read(text, form):
    assert len(read_header(text, "0000000001")) == 3
    assert isinstance(main_document(text, form), str)
