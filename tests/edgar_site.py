"""EDGAR in small: companies, lists of filings, headers and documents of the recorded shape.

What is in them is made up; the shape (names of fields, the header's two dialects, the page of
headers, text submissions of the 1990s) is that of EDGAR's own answers.
"""

import json
from typing import NamedTuple


class Made(NamedTuple):
    """A filing to serve."""

    accession: str
    form: str
    filed: str
    accepted: str  # New York, 20230203180821
    document: str  # "" for a text submission
    text: str
    sic: str | None = "3571"
    name: str = "ACME INC"
    listed: str | None = None  # what the list says of its acceptance


def tickers(companies):
    rows = [
        {"cik_str": int(cik), "ticker": ticker, "title": name} for cik, ticker, name in companies
    ]
    return json.dumps({str(number): row for number, row in enumerate(rows)}).encode()


def columns(filings):
    return {
        "accessionNumber": [f.accession for f in filings],
        "filingDate": [f.filed for f in filings],
        "reportDate": [f.filed for f in filings],
        "acceptanceDateTime": [f.listed or moment(f.accepted) for f in filings],
        "act": ["34" for _ in filings],
        "form": [f.form for f in filings],
        "fileNumber": ["001-36743" for _ in filings],
        "items": ["" for _ in filings],
        "size": [len(f.text) for f in filings],
        "isXBRL": [0 for _ in filings],
        "isInlineXBRL": [0 for _ in filings],
        "primaryDocument": [f.document for f in filings],
        "primaryDocDescription": [f.form for f in filings],
    }


def moment(stamp):
    day = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}"
    return f"{day}T{stamp[8:10]}:{stamp[10:12]}:{stamp[12:]}.000Z"


def submissions(cik, filings, *, name="ACME INC", sic="3571", tickers=(), former=(), older=()):
    """The list of a company's filings; `older` are pages (name, filings)."""
    pages = [
        {"name": page, "filingCount": len(held), "filingFrom": min(f.filed for f in held),
         "filingTo": max(f.filed for f in held)}
        for page, held in older
    ]  # fmt: skip
    content = {
        "cik": cik,
        "entityType": "operating",
        "sic": sic,
        "sicDescription": "Electronic Computers",
        "name": name,
        "tickers": list(tickers),
        "exchanges": ["Nasdaq" for _ in tickers],
        "fiscalYearEnd": "0930",
        "formerNames": [
            {"name": old, "from": f"{start}T00:00:00.000Z", "to": f"{end}T00:00:00.000Z"}
            for old, start, end in former
        ],
        "filings": {"recent": columns(filings), "files": pages},
    }
    return json.dumps(content).encode()


def spaced_header(filing, cik):
    """The header as people read it."""
    sic = f"ELECTRONIC COMPUTERS [{filing.sic}]" if filing.sic else " []"
    day = filing.filed.replace("-", "")
    return f"""<SEC-HEADER>{filing.accession}.hdr.sgml : {day}
<ACCEPTANCE-DATETIME>{filing.accepted}
ACCESSION NUMBER:\t\t{filing.accession}
CONFORMED SUBMISSION TYPE:\t{filing.form}
PUBLIC DOCUMENT COUNT:\t\t2
FILED AS OF DATE:\t\t{day}

FILER:

\tCOMPANY DATA:\t
\t\tCOMPANY CONFORMED NAME:\t\t\tOTHER FILER LLC
\t\tCENTRAL INDEX KEY:\t\t\t0000999999
\t\tSTANDARD INDUSTRIAL CLASSIFICATION:\tASSET-BACKED SECURITIES [6189]

FILER:

\tCOMPANY DATA:\t
\t\tCOMPANY CONFORMED NAME:\t\t\t{filing.name}
\t\tCENTRAL INDEX KEY:\t\t\t{cik}
\t\tSTANDARD INDUSTRIAL CLASSIFICATION:\t{sic}
\t\tIRS NUMBER:\t\t\t\t382659066

\tFORMER COMPANY:\t
\t\tFORMER CONFORMED NAME:\tOLD ACME CORP
\t\tDATE OF NAME CHANGE:\t19920703
</SEC-HEADER>
"""


def header_page(filing, cik):
    """The page of headers: the tagged dialect in a comment, the other one below."""
    sic = f"<ASSIGNED-SIC>{filing.sic}\n" if filing.sic else ""
    spaced = spaced_header(filing, cik).replace("<", "&lt;").replace(">", "&gt;")
    return f"""<HTML><HEAD><TITLE>SEC EDGAR Submission {filing.accession}</TITLE>
<!--
<SEC-HEADER>{filing.accession}.hdr.sgml : {filing.filed.replace("-", "")}
<ACCEPTANCE-DATETIME>{filing.accepted}
<ACCESSION-NUMBER>{filing.accession}
<TYPE>{filing.form}
<FILER>
<COMPANY-DATA>
<CONFORMED-NAME>{filing.name}
<CIK>{cik}
{sic}<IRS-NUMBER>382659066
</COMPANY-DATA>
</FILER>
</SEC-HEADER>
-->
</HEAD><BODY>
<PRE>{spaced}</PRE></BODY></HTML>
""".encode()


def submission_text(filing, cik):
    """A whole submission as one text."""
    return f"""<SEC-DOCUMENT>{filing.accession}.txt : {filing.filed.replace("-", "")}
{spaced_header(filing, cik)}<DOCUMENT>
<TYPE>EX-13
<SEQUENCE>1
<TEXT>
Item 1. Business of an exhibit that is not the report.
</TEXT>
</DOCUMENT>
<DOCUMENT>
<TYPE>{filing.form}
<SEQUENCE>2
<DESCRIPTION>ANNUAL REPORT
<TEXT>
{filing.text}
</TEXT>
</DOCUMENT>
</SEC-DOCUMENT>
""".encode()


def add_filing(pages, cik, filing):
    """Put a filing's documents where EDGAR has them."""
    folder = f"/Archives/edgar/data/{int(cik)}"
    if filing.document:
        inside = f"{folder}/{filing.accession.replace('-', '')}"
        pages[f"{inside}/{filing.document}"] = filing.text.encode()
        pages[f"{inside}/{filing.accession}-index-headers.html"] = header_page(filing, cik)
    else:
        pages[f"{folder}/{filing.accession}.txt"] = submission_text(filing, cik)
