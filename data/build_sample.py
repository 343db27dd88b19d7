"""Rebuild the bundled sample from the raw files it was made of.

    python data/build_sample.py ../shared/data/sample

writes companies.csv, prices.parquet, events.csv, repairs.csv and their checksums beside this
script, under sample/, with the product's own price hygiene. The same raw files give the same bytes.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pandas as pd

from finsae.sources.hygiene import repair
from finsae.sources.sample import SUMS
from finsae.store import hash_file

SAMPLE = Path(__file__).resolve().parent / "sample"


def text_table(path: Path) -> pd.DataFrame:
    """Read a CSV as text: a ticker may spell NA or TRUE, and codes have leading zeros."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def main(raw: Path) -> None:
    """Build the sample from the folder of raw files."""
    known = tomllib.loads((SAMPLE / "sample.toml").read_text())["known"]
    companies = text_table(raw / "companies.csv")
    companies.insert(companies.columns.get_loc("fiscal_year") + 1, "date", known)
    companies.to_csv(SAMPLE / "companies.csv", index=False)
    events = text_table(raw / "events.csv")
    events.to_csv(SAMPLE / "events.csv", index=False)
    prices, log = repair(pd.read_parquet(raw / "prices_raw.parquet"), events)
    prices.astype("float32").to_parquet(
        SAMPLE / "prices.parquet", compression="zstd", compression_level=19, use_dictionary=False
    )
    log.to_csv(SAMPLE / "repairs.csv", index=False, float_format="%.6g", date_format="%Y-%m-%d")
    names = ("companies.csv", "events.csv", "prices.parquet", "repairs.csv")
    lines = [f"{hash_file(SAMPLE / name)}  {name}\n" for name in names]
    (SAMPLE / SUMS).write_text("".join(lines))
    print(log["kind"].value_counts().to_string())
    for path in sorted(SAMPLE.iterdir()):
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
