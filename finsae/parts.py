"""Tables too long for one file: a parquet file per year (or other value), replaced as a whole.

The layout is Hive's (``year=2013/part.parquet``), which pyarrow, pandas, DuckDB and Spark read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from finsae.artefact import SEAL, check_seal, reading, replacing, seal
from finsae.checks import DataError
from finsae.store import DAMAGED, parse_object, read_parquet, readable, write_json, write_table

SCHEMA = 1  # raised when the layout changes
PARTS = "_parts.json"  # readers of the layout pass over names that begin so


def write_parts(folder: str | Path, table: pd.DataFrame, *, by: pd.Series[int]) -> Path:
    """Write a table in parts; one of before is replaced as a whole.

    Parameters
    ----------
    folder : path
        Made if missing.
    table : DataFrame
        Its index is not kept.
    by : Series
        The part that each row belongs to, such as its year; named. It is no column of what is read
        again.

    Raises
    ------
    DataError
        If there is no row.
    """
    if not len(table):
        raise DataError("a table without rows has no parts to write")
    target, places = Path(folder), by.to_numpy()
    values = sorted(int(value) for value in set(places))
    files = [f"{by.name}={value}/part.parquet" for value in values]
    with replacing(target, gone=_files(target)) as staging:
        for value, file in zip(values, files, strict=True):
            write_table(staging / file, table[places == value])
        content = {"by": str(by.name), "values": values, "files": files}
        sealed = seal(staging, files, schema=SCHEMA, content=content)
        write_json(staging / PARTS, {**content, SEAL: sealed})
    return target


def read_parts(folder: str | Path, only: Sequence[int] | None = None) -> pd.DataFrame:
    """Read a table in parts, or some of them; only what is read is compared with its checksum.

    Raises
    ------
    DataError
        If there is none, a part is damaged, or one that is asked for is missing.
    """
    source = Path(folder)
    damaged = f'the table in "{folder}"', "delete the folder, and make or copy it again"
    with reading(source), readable(*damaged):
        content = parse_object((source / PARTS).read_text())
        sealed = content.pop(SEAL)
        files = dict(zip(content["values"], content["files"], strict=True))
        unknown = sorted(set(only or ()) - set(files))
        if unknown:
            raise DataError(
                f'"{folder}" has no {content["by"]} {unknown[0]}: it has {min(files)} to '
                f"{max(files)}"
            )
        wanted = [file for value, file in files.items() if only is None or value in only]
        marks = {file: sealed["files"][file] for file in wanted}
        sealed = {**sealed, "files": marks}
        check_seal(source, sealed, schema=SCHEMA, content=content, holder=PARTS)
        parts = [read_parquet(source / file) for file in wanted]
    return pd.concat(parts, ignore_index=True)


def _files(folder: Path) -> list[str]:
    """Files of the table of before; none where there is none, or a damaged one."""
    try:
        return [str(name) for name in parse_object((folder / PARTS).read_text())["files"]]
    except DAMAGED:
        return []
