"""Filings of the SEC's EDGAR."""
