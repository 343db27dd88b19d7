"""DuckDB against pyarrow.dataset on what finsae reads, parts against one file, checksums.

    python tests/benchmarks/store.py

makes 16 years of 1,500 companies' filings and closes in a temporary folder; two threads each.
"""

import os
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from finsae.parts import write_parts
from finsae.store import write_table

COMPANIES, YEARS, THREADS, RUNS = 1_500, range(2005, 2021), 2, 3
TICKERS = [f"T{number:04d}" for number in range(COMPANIES)]
FEW = TICKERS[::50]
DAY = "2012-06-30"


def make(folder):
    """Filings of 600 words, and closes: in parts by year, and each in one file."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(5_000)])
    filings, prices = [], []
    for year in YEARS:
        texts = [" ".join(words[rng.integers(0, 5_000, 600)]) for _ in TICKERS]
        row = {"ticker": TICKERS, "accepted": pd.Timestamp(f"{year}-03-01"), "sic": "2834"}
        filings.append(pd.DataFrame({**row, "description": texts}))
        days = pd.bdate_range(f"{year}-01-01", f"{year}-12-31")
        keys = {"date": np.repeat(days, COMPANIES), "ticker": np.tile(TICKERS, len(days))}
        prices.append(pd.DataFrame({**keys, "close": rng.random(len(days) * COMPANIES)}))
    for name, tables, day in (("filings", filings, "accepted"), ("prices", prices, "date")):
        table = pd.concat(tables, ignore_index=True)
        write_parts(folder / name, table, by=table[day].dt.year.rename("year"))
        write_table(folder / f"{name}.parquet", table)


def queries(folder):
    """Name, by pyarrow, by DuckDB."""
    filings, prices = (
        ds.dataset(folder / name, format="parquet", partitioning="hive")
        for name in ("filings", "prices")
    )
    year = ds.field("year")

    def duck(text):
        places = {
            name: f"read_parquet('{folder / name}/*/*.parquet', hive_partitioning = true)"
            for name in ("filings", "prices")
        }
        return duckdb.sql(text.format(**places)).df()

    def latest():
        table = filings.to_table(["ticker", "accepted", "year"], filter=year <= 2012).to_pandas()
        known = table[table["accepted"] <= DAY].sort_values("accepted")
        last = known.drop_duplicates("ticker", keep="last")[["ticker", "year"]]
        texts = filings.to_table(filter=year.isin(sorted(set(last["year"])))).to_pandas()
        return texts.merge(last)

    def months():
        table = prices.to_table(["date", "ticker", "close"]).to_pandas()
        wide = table.pivot(index="date", columns="ticker", values="close")  # noqa: PD010
        return wide.resample("ME").last()

    few = ds.field("ticker").isin(FEW)
    listed = ", ".join(f"'{ticker}'" for ticker in FEW)
    newest = "row_number() over (partition by ticker order by accepted desc) = 1"
    return (
        (
            "one year's filings, texts included",
            lambda: filings.to_table(filter=year == 2012).to_pandas(),
            lambda: duck("select * from {filings} where year = 2012"),
        ),
        (
            "three columns of all filings",
            lambda: filings.to_table(["ticker", "accepted", "sic"]).to_pandas(),
            lambda: duck("select ticker, accepted, sic from {filings}"),
        ),
        (
            "each company's last filing by a day",
            latest,
            lambda: duck(f"select * from {{filings}} where accepted <= '{DAY}' qualify {newest}"),
        ),
        (
            "two years of 30 tickers' closes",
            lambda: prices.to_table(filter=year.isin([2011, 2012]) & few).to_pandas(),
            lambda: duck(
                f"select * from {{prices}} where year in (2011, 2012) and ticker in ({listed})"
            ),
        ),
        (
            "month-end closes of all",
            months,
            lambda: duck(  # noqa: PD010
                "select ticker, date_trunc('month', date) as m, arg_max(close, date) as close "
                "from {prices} group by all"
            ).pivot(index="m", columns="ticker", values="close"),
        ),
    )


def timed(work):
    """Best wall and CPU seconds, and the number of rows found."""
    work()
    found = []
    for _ in range(RUNS):
        wall, cpu = time.perf_counter(), time.process_time()
        rows = len(work())
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    wall, cpu = (min(column) for column in zip(*found, strict=True))
    return f"{wall:.3f} ({cpu:.3f})", rows


def main():
    pa.set_cpu_count(THREADS)
    duckdb.execute(f"set threads to {THREADS}")
    out = sys.stdout.write
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        out("| query | pyarrow, s (CPU) | DuckDB, s (CPU) |\n|---|---|---|\n")
        for what, by_arrow, by_duck in queries(folder):
            (one, rows), (other, others) = timed(by_arrow), timed(by_duck)
            assert rows == others, what
            out(f"| {what} | {one} | {other} |\n")
        for table, day in (("filings", "accepted"), ("prices", "date")):
            span = [(day, ">=", pd.Timestamp("2012-01-01")), (day, "<", pd.Timestamp("2013-01-01"))]
            single = folder / f"{table}.parquet"
            part = folder / table / "year=2012" / "part.parquet"
            one, rows = timed(lambda p=part: pq.read_table(p))
            other, others = timed(lambda p=single, s=span: pq.read_table(p, filters=s))
            assert rows == others
            out(f"\none year of {table}: its part {one}, out of one file {other}")
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import duckdb"], check=True)
    out(f"\nimport duckdb: {time.perf_counter() - started:.2f} s")
    block = os.urandom(1 << 27)
    started = time.process_time()
    zlib.crc32(block)
    out(f"\nCRC-32: {0.134 / (time.process_time() - started):.1f} GB a second\n")


if __name__ == "__main__":
    main()
