"""Industry codes as clusterings: SIC of 4, 3 and 2 digits, division, and labels of one's own."""

from __future__ import annotations

import pandas as pd

from finsae.checks import DataError
from finsae.cluster.labels import Labels, renumber
from finsae.cluster.sic_table import DIVISION_RANGES, DIVISIONS, MAJOR_GROUPS

NO_INDUSTRY = {"8880": "American depositary receipts", "8888": "foreign governments"}
"""Codes of the SEC's own that say what an issuer is; in the manual 88 is private households."""


def four_digits(sic: pd.Series) -> pd.Series:
    """Return the codes, None where missing.

    Raises
    ------
    DataError
        If a code is not of four digits.
    """
    given = sic.dropna()
    wrong = given[~given.astype(str).str.fullmatch(r"\d{4}")]
    if len(wrong):
        raise DataError(
            f'a SIC code is text of four digits; {wrong.index[0]} has "{wrong.iloc[0]}": '
            "restore its leading zeros (0100, not 100)"
        )
    codes: pd.Series = sic.astype(object).where(sic.notna(), None)
    return codes


def major_group(sic: pd.Series) -> pd.Series:
    """Major groups: the first two digits of codes of four, missing where the code is.

    The SEC's rolled-up codes are in their group (2800 is all of 28); its own 8880 and 8888 are in
    none, see `NO_INDUSTRY`.

    Raises
    ------
    DataError
        If a code is not of four digits.
    """
    codes = four_digits(sic)
    return codes.where(~codes.isin(list(NO_INDUSTRY)), None).str[:2]


def industry_group(sic: pd.Series) -> pd.Series:
    """Industry groups: the first three digits of codes of four, missing where the code is.

    A rolled-up code of the SEC (2800) is of no group of the manual, and shares its digits (280)
    with others like it only.

    Raises
    ------
    DataError
        If a code is not of four digits.
    """
    return four_digits(sic).str[:3]


def division(sic: pd.Series) -> pd.Series:
    """Divisions A to J by ranges of major groups, missing where a code is or belongs to none."""
    letters = {
        f"{group:02d}": letter
        for letter, (first, last) in DIVISION_RANGES.items()
        for group in range(first, last + 1)
    }
    return major_group(sic).map(letters)


def major_group_name(code: str) -> str:
    """Name of a major group, given its two digits or a whole code; "" where there is none."""
    return MAJOR_GROUPS.get(code[:2], "")


def division_name(letter: str) -> str:
    """Name of a division, given its letter; "" where there is none."""
    return DIVISIONS.get(letter, "")


class Sic:
    """Clusters by 4-digit SIC code; a company without one stands alone."""

    reads = "companies"

    def fit_predict(self, companies: pd.DataFrame) -> Labels:
        """Return one label per company.

        Parameters
        ----------
        companies : DataFrame [n]
            With a column ``sic``.

        Returns
        -------
        ndarray [n]
            0 is the largest cluster.
        """
        self.labels_ = renumber(companies["sic"])
        return self.labels_


class IndustryGroup(Sic):
    """Clusters by the first three digits of the SIC code; a company without one stands alone."""

    def fit_predict(self, companies: pd.DataFrame) -> Labels:
        """Return one label per company, as `Sic.fit_predict`."""
        self.labels_ = renumber(industry_group(companies["sic"]))
        return self.labels_


class MajorGroup(Sic):
    """Clusters by the first two digits of the SIC code; a company without one stands alone."""

    def fit_predict(self, companies: pd.DataFrame) -> Labels:
        """Return one label per company, as `Sic.fit_predict`."""
        self.labels_ = renumber(major_group(companies["sic"]))
        return self.labels_


class Division(Sic):
    """Clusters by SIC division; a company without a code, or of no division, stands alone."""

    def fit_predict(self, companies: pd.DataFrame) -> Labels:
        """Return one label per company, as `Sic.fit_predict`."""
        self.labels_ = renumber(division(companies["sic"]))
        return self.labels_


class GivenLabels:
    """Clusters of the user's own, from any table of labels.

    Parameters
    ----------
    labels : Series
        Any labels by ticker; companies that are not in it stand alone.
    """

    reads = "companies"

    def __init__(self, labels: pd.Series) -> None:
        self.labels = labels

    def fit_predict(self, companies: pd.DataFrame) -> Labels:
        """Return one label per company, in the companies' order; 0 is the largest cluster.

        Raises
        ------
        DataError
            If a ticker has two labels, or no company has one.
        """
        if self.labels.index.has_duplicates:
            twice = self.labels.index[self.labels.index.duplicated()][0]
            raise DataError(f'"{twice}" has two labels: a clustering gives each company one')
        found = self.labels.reindex(companies.index)
        if len(found) and found.isna().all():
            raise DataError(
                "none of the labels is of a company here: tickers like "
                f"{', '.join(map(str, self.labels.index[:3]))} are not among "
                f"{', '.join(map(str, companies.index[:3]))}, ..."
            )
        self.labels_ = renumber(found)
        return self.labels_
