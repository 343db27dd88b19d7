"""Artefacts of several files: replaced as a whole, sealed by checksums, and read only whole.

The files of a new version are written beside those of the old one; when all are there, one rename
commits them, and only then do they take their places. Who dies before leaves the old version, who
dies after leaves the rest of the moving to whoever opens the folder next.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from finsae.store import alone, plain, together

NEW, COMMITTED, GONE = ".new-", ".committed", ".gone"
SEAL = "sealed"
"""Key of a seal in the file that holds it."""
BLOCK = 1 << 20


class DamagedError(ValueError):
    """A file is not as it was written, or of another schema than this finsae reads."""


@contextmanager
def replacing(folder: str | Path, *, gone: Iterable[str] = ()) -> Iterator[Path]:
    """Give an empty folder to write to; its files take their places when the block succeeds.

    All of them or none: neither an error, a full disk nor a kill leaves a mixture, or takes away
    what was there. Files of other names stay.

    Parameters
    ----------
    folder : path
        Where the artefact is; made if missing. Other writers wait.
    gone : iterable of str
        Files of the version before, relative to `folder`, that the new one has no more.

    Yields
    ------
    Path
        Where to write, in subfolders as in `folder`.
    """
    target = Path(folder)
    with alone(target):
        _settle(target)
        for rubbish in target.glob(f"{NEW}*"):  # of the killed: nobody else writes now
            shutil.rmtree(rubbish, ignore_errors=True)
        staging = Path(tempfile.mkdtemp(prefix=NEW, dir=target))
        try:
            yield staging
            written = {file.relative_to(staging).as_posix() for file in _files(staging)}
            lines = "\n".join(sorted(set(gone) - written))
            (staging / GONE).write_text(lines, encoding="utf-8")
            staging.rename(target / COMMITTED)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        _settle(target)


@contextmanager
def reading(folder: str | Path) -> Iterator[None]:
    """Keep writers out while an artefact is read, and finish what a killed one had committed."""
    target = Path(folder)
    if (target / COMMITTED).is_dir():
        with alone(target):
            _settle(target)
    with together(target):
        yield


def _settle(target: Path) -> None:
    """Move committed files to their places; may be broken off and done again."""
    committed = target / COMMITTED
    if not committed.is_dir():
        return
    for name in (committed / GONE).read_text(encoding="utf-8").splitlines():
        (target / name).unlink(missing_ok=True)
    for file in _files(committed):
        place = target / file.relative_to(committed)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
    shutil.rmtree(committed)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and file.name != GONE)


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array as ``.npy``; of a full disk numpy's own way only says "5616 written"."""
    with path.open("wb") as handle:
        np.save(SimpleNamespace(write=handle.write), array)


def seal(
    folder: Path, files: Iterable[str], *, schema: int, content: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Describe an artefact's files, for the one that is written last.

    Parameters
    ----------
    folder : Path
        Where they are.
    files : iterable of str
        Their names, relative to `folder`.
    schema : int
        Number of the artefact's layout, raised when files or columns change their meaning.
    content : mapping, optional
        JSON that is written into the same file and checked with it.

    Returns
    -------
    dict
        JSON: ``schema``, ``files`` (each with its bytes and CRC-32) and ``content``'s checksum.
    """
    marks = {name: _mark(folder / name) for name in files}
    made: dict[str, Any] = {"schema": schema, "files": marks}
    return made if content is None else {**made, "content": _checksum(content)}


def check_seal(
    folder: Path,
    found: Mapping[str, Any] | None,
    *,
    schema: int,
    content: Mapping[str, Any] | None = None,
    holder: str = "",
) -> None:
    """Compare an artefact with its seal; one without a seal, of others or of before, is not judged.

    Parameters
    ----------
    folder, schema, content
        As for `seal`; `content` as it was read.
    found : mapping or None
        The seal.
    holder : str
        Name of the file that holds the seal, for the message.

    Raises
    ------
    DamagedError
        Naming the file that is missing, truncated or altered, or the other schema.
    """
    if found is None:
        return
    written = found["schema"]
    if written != schema:
        newer = written > schema
        raise DamagedError(
            f"schema {written}, of {'a newer' if newer else 'an older'} finsae; this one reads "
            f"schema {schema}" + ", so update finsae if it is to be kept" * newer
        )
    for name, mark in found["files"].items():
        file = folder / name
        if not file.is_file():
            raise DamagedError(f"{name} is missing")
        size = file.stat().st_size
        if size != mark["bytes"]:
            raise DamagedError(f"{name} has {size:,} bytes, not the {mark['bytes']:,} written")
        if _mark(file) != mark:
            raise DamagedError(f"{name} is damaged: its checksum is not that of what was written")
    if content is not None and _checksum(content) != found.get("content"):
        raise DamagedError(f"{holder} is damaged: its checksum is not that of what was written")


def _mark(file: Path) -> dict[str, Any]:
    """Bytes and CRC-32 of a file: it guards against damage, and reads 1.5 GB a second."""
    crc = 0
    with file.open("rb") as handle:
        while block := handle.read(BLOCK):
            crc = zlib.crc32(block, crc)
    return {"bytes": os.path.getsize(file), "crc32": f"{crc:08x}"}


def _checksum(content: Mapping[str, Any]) -> str:
    text = json.dumps(plain(content), sort_keys=True)
    return f"{zlib.crc32(text.encode()):08x}"
