"""Filings of the SEC's EDGAR: fetched, and their description of the business cut out."""

from finsae.sources.edgar.client import FORMS, Edgar
from finsae.sources.edgar.corpus import is_edgar_corpus, read_edgar_corpus
from finsae.sources.edgar.extract import Business, clean_business, extract_business
from finsae.sources.edgar.fetch import (
    Wanted,
    fetch_filings,
    find_companies,
    read_wanted,
    write_filings,
)

__all__ = [
    "FORMS",
    "Business",
    "Edgar",
    "Wanted",
    "clean_business",
    "extract_business",
    "fetch_filings",
    "find_companies",
    "is_edgar_corpus",
    "read_edgar_corpus",
    "read_wanted",
    "write_filings",
]
