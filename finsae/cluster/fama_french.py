"""Fama-French industries of SIC codes: 5, 10, 12, 17, 30, 38, 48 or 49 of them."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from finsae.checks import DataError
from finsae.cluster.codes import Sic, four_digits
from finsae.cluster.labels import Labels, renumber

SCHEMES = (5, 10, 12, 17, 30, 38, 48, 49)
"""Numbers of industries that Fama and French group the SIC into."""


def fama_french(sic: pd.Series, scheme: int = 48) -> pd.Series:
    """Fama-French industry of each SIC code, by French's own short names ("BusSv", "Drugs").

    The ranges are those of ``Siccodes<scheme>.zip`` in K. French's data library (version of
    2022-02), which began as Fama and French (1997, "Industry costs of equity", Journal of Financial
    Economics 43, appendix A); touching ranges of an industry are merged.

    A code in none of the ranges is "Other" with 5, 10, 12 and 38 industries, where French gives the
    last industry no range of its own: it is what is left; and with 30, where its ranges hold steam
    and refuse only, but he calls it "Everything Else", and no other industry takes rubber (3060) or
    missiles (3760). With 17 ("Other"), 48 and 49 industries ("Almost Nothing") the ranges of the
    last are an enumeration like any other; a code in none, such as 3990 or 9995, belongs to no
    industry and is missing here. Tables that call these "Other", too, make peers of companies that
    have nothing in common but a gap in a list.

    Parameters
    ----------
    sic : Series
        Codes of four digits as text; missing ones stay missing.
    scheme : int
        Number of industries, one of `SCHEMES`.

    Returns
    -------
    Series
        Names, or None; the index of `sic`.

    Raises
    ------
    DataError
        If there is no such scheme, or a code is not of four digits.
    """
    codes = pd.to_numeric(four_digits(sic))
    table = _ranges(scheme)
    listed = table.dropna(subset=["first"])
    place = np.searchsorted(listed["first"], codes.to_numpy(dtype=float), side="right") - 1
    inside = (place >= 0) & (codes <= listed["last"].to_numpy()[place])
    rest = table.loc[table["first"].isna(), "name"]
    other = rest.iloc[0] if len(rest) else None
    names = listed["name"].to_numpy(dtype=object)[place]
    found = np.where(inside, names, np.where(codes.notna(), other, None))
    return pd.Series(found, index=sic.index, name=f"ff{scheme}", dtype=object)


@cache
def _ranges(scheme: int) -> pd.DataFrame:
    """Ranges of one scheme, sorted: ``number, name, first, last``."""
    if scheme not in SCHEMES:
        known = ", ".join(map(str, SCHEMES))
        raise DataError(f"there are no {scheme} Fama-French industries: choose one of {known}")
    table = pd.read_csv(Path(__file__).with_name("fama_french.csv"))
    return table[table["scheme"] == scheme].drop(columns="scheme").sort_values("first")


class FamaFrench(Sic):
    """Clusters by Fama-French industry; a company without a code, or of none, stands alone.

    Parameters
    ----------
    scheme : int
        Number of industries, one of `SCHEMES`.
    """

    def __init__(self, scheme: int = 48) -> None:
        self.scheme = scheme

    def fit_predict(self, companies: pd.DataFrame) -> Labels:
        """Return one label per company, as `Sic.fit_predict`."""
        self.labels_ = renumber(fama_french(companies["sic"], self.scheme))
        return self.labels_


FF5 = partial(FamaFrench, 5)
FF10 = partial(FamaFrench, 10)
FF12 = partial(FamaFrench, 12)
FF17 = partial(FamaFrench, 17)
FF30 = partial(FamaFrench, 30)
FF38 = partial(FamaFrench, 38)
FF48 = partial(FamaFrench, 48)
FF49 = partial(FamaFrench, 49)
