"""The bundled sample: 350 large US companies, as described at the end of fiscal 2012."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pandas as pd

from finsae.checks import DataError
from finsae.sources.files import read_universe
from finsae.store import hash_file
from finsae.universe import Universe

SUMS = "SHA256SUMS"
PACKAGE = Path(__file__).resolve().parents[1]
PLACES = (PACKAGE / "_sample", PACKAGE.parent / "data" / "sample")  # in a wheel, in a checkout


def sample() -> Universe:
    """Open the bundled sample; its prices were mended when it was built.

    The companies are survivors chosen with hindsight, and the returns leave dividends out: read
    ``data/sample/README.md`` before quoting a number.

    Returns
    -------
    Universe
        With what hygiene did in ``repairs`` and the dates ``known, cut`` in ``provenance``.

    Raises
    ------
    DataError
        If the installation lacks the sample, or a file of it is damaged.
    """
    folder = sample_folder()
    _check_sums(folder)
    universe = read_universe(folder / "companies.csv", folder / "prices.parquet", repair=False)
    repairs = pd.read_csv(folder / "repairs.csv", dtype={"ticker": str}, keep_default_na=False)
    repairs = repairs.assign(
        date=pd.to_datetime(repairs["date"]), factor=pd.to_numeric(repairs["factor"])
    )
    dates = tomllib.loads((folder / "sample.toml").read_text(encoding="utf-8"))
    facts = {**universe.provenance, "source": "sample", "repaired": True, **dates}
    return replace(universe, repairs=repairs, provenance=facts)


def _check_sums(folder: Path) -> None:
    for line in (folder / SUMS).read_text(encoding="utf-8").splitlines():
        wanted, name = line.split()
        if not (folder / name).is_file() or hash_file(folder / name) != wanted:
            raise DataError(
                f"{folder / name} of the bundled sample is missing or damaged (its checksum is not "
                f"that of {SUMS}): install finsae again, or check the file out again"
            )


def sample_folder() -> Path:
    """Where the sample's files are.

    Raises
    ------
    DataError
        If the installation lacks the sample.
    """
    for folder in PLACES:
        if (folder / "companies.csv").is_file():
            return folder
    raise DataError("the bundled sample is missing from this installation: install finsae again")
