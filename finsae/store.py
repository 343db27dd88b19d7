"""Artefacts on disk: keys, atomic writes, provenance, progress.

An artefact's key is made of its parameters, the hashes of its inputs and the version constant of
the stage that wrote it - never of the code's commit, so that an unrelated change keeps what is
finished.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import pandas as pd

from finsae.checks import DataError

try:
    import fcntl
except ImportError:  # Windows has no such locks: there, two runs at once are not kept apart
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LOCK = ".lock"
LIBRARIES = ("numpy", "scipy", "pandas", "scikit-learn", "statsmodels", "torch", "transformers")


def cache_dir() -> Path:
    """Folder of everything that can be made again: ``$FINSAE_CACHE`` or ``~/.cache/finsae``."""
    named = os.environ.get("FINSAE_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "finsae"


def key(params: Mapping[str, Any], inputs: Iterable[str], stage_version: int) -> str:
    """Name an artefact by what it is made of.

    Parameters
    ----------
    params : mapping
        The stage's parameters; must be JSON.
    inputs : iterable of str
        Hashes of the inputs.
    stage_version : int
        The stage's own version constant, raised when its output changes.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    text = json.dumps([dict(params), list(inputs), stage_version], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def hash_texts(texts: Iterable[str]) -> str:
    """Hash texts in their order (sha256, 16 digits); lengths are hashed too, so joins differ."""
    digest = hashlib.sha256()
    for text in texts:
        raw = text.encode()
        digest.update(f"{len(raw)}:".encode())
        digest.update(raw)
    return digest.hexdigest()[:16]


def hash_file(path: str | Path) -> str:
    """Hash a file's bytes, or a folder's files and their names (sha256, 64 digits)."""
    place = Path(path)
    if place.is_dir():
        files = sorted(file for file in place.rglob("[!.]*") if file.is_file())
        lines = (f"{file.relative_to(place).as_posix()} {hash_file(file)}\n" for file in files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with place.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def hash_frame(frame: pd.DataFrame) -> str:
    """Hash a table's labels and values (16 digits); the order of rows and columns counts."""
    digest = hashlib.sha256(repr([str(column) for column in frame.columns]).encode())
    digest.update(pd.util.hash_pandas_object(frame, index=True).to_numpy().tobytes())
    return digest.hexdigest()[:16]


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary sibling to write to, and rename it to `path` when the block succeeds.

    A reader never sees half an artefact: it is there whole or not at all.

    Parameters
    ----------
    path : str or Path
        The final path of a file. Missing parent folders are made.

    Yields
    ------
    Path
        Where to write.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        dir=target.parent, prefix=f".{target.stem}.", suffix=target.suffix
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


_held: set[tuple[int, Path]] = set()  # (thread, folder)


@contextmanager
def alone(folder: str | Path) -> Iterator[None]:
    """Wait until no other process or thread writes to the folder; a killed one does not count.

    Who is alone already stays so: a function that wants to be may call another that does.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    mine = (threading.get_ident(), place.resolve())
    if mine in _held:
        yield
        return
    with (place / LOCK).open("a") as handle:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        _held.add(mine)
        try:
            yield
        finally:
            _held.discard(mine)


@contextmanager
def together(folder: str | Path) -> Iterator[None]:
    """Read while nobody is `alone` with the folder; many may at once. Nothing is written for it."""
    place = Path(folder)
    mine = (threading.get_ident(), place.resolve())
    if mine in _held or not (place / LOCK).is_file():
        yield
        return
    with (place / LOCK).open() as handle:
        if fcntl is not None:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(handle, fcntl.LOCK_SH)
        yield


@contextmanager
def sole(file: Path, *, wait: Callable[[], object]) -> Iterator[None]:
    """Hold a lock file, which is gone afterwards.

    While another holds it, `wait` is called again and again; it may raise.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        while fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                wait()
        try:
            yield
        finally:
            with suppress(OSError):
                file.unlink()


def write_json(path: str | Path, content: Any) -> None:  # noqa: ANN401 - any JSON value
    """Write JSON atomically; NaN becomes null, since JSON has no NaN."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(plain(content), indent=1, allow_nan=False) + "\n")


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read JSON that others may have written or damaged.

    Half of a surrogate pair, which no text file can hold, becomes a question mark.

    Raises
    ------
    ValueError
        If it is none, or nested too deeply to be anything of use.
    """
    try:
        content = json.loads(text)
        halves = b"\\ud" if isinstance(text, bytes) else "\\ud"
        if halves in text.lower():  # type: ignore[operator]
            whole = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
            content = json.loads(whole)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return content


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Read a JSON object that others may have written or damaged.

    Raises
    ------
    ValueError
        If it is no JSON, or another value.
    """
    content = parse_json(text)
    if not isinstance(content, dict):
        raise ValueError("no JSON object")
    return content


def append_records(path: str | Path, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Append to a file of JSON lines the records whose ``key`` it does not hold yet.

    The file is locked meanwhile, and what is appended is one write: of several processes none loses
    a record. A line cut short by a crash is passed over.

    Returns
    -------
    list of dict
        All records of the file.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("a+") as handle:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.seek(0)
        text = handle.read()
        held = [entry for line in text.splitlines() if (entry := _record(line))]
        keys = {entry["key"] for entry in held}
        new = {entry["key"]: plain(entry) for entry in records if entry["key"] not in keys}
        lines = "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in new.values())
        if lines:
            handle.write("\n" + lines if text and not text.endswith("\n") else lines)
            handle.flush()
            os.fsync(handle.fileno())
    return [*held, *new.values()]


def _record(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError:
        return None
    return entry if isinstance(entry, dict) and "key" in entry else None


def plain(value: Any) -> Any:  # noqa: ANN401 - any value in, JSON out
    """Turn numpy, pandas and path values into JSON's own; NaN and NaT become None."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Sequence) or hasattr(value, "tolist"):
        items = value.tolist() if hasattr(value, "tolist") else value
        return [plain(item) for item in items] if isinstance(items, (list, tuple)) else plain(items)
    if pd.isna(value):
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()[:10] if value == pd.Timestamp(value).normalize() else str(value)
    return float(value)


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as parquet (zstd, pages with checksums), atomically, without its index."""
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False, compression="zstd", write_page_checksum=True)


DAMAGED = (
    OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, EOFError,
    NotImplementedError, BadZipFile, zlib.error, SyntaxError, TokenError,
)  # fmt: skip
"""What reading a damaged file raises, depending on where the damage is; numpy parses as Python."""
PASSING = {
    errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE,
    errno.ENOSPC, errno.EAGAIN, errno.EINTR, errno.ETIMEDOUT,
}  # fmt: skip
"""Errors of the system, which say nothing of a file."""


@contextmanager
def readable(what: str, way_out: str) -> Iterator[None]:
    """Say what cannot be read and what to do, of whatever reading a damaged file raises.

    Raises
    ------
    DataError
        Of the damage; an error of the system, such as too many open files, stays what it is.
    """
    try:
        yield
    except DataError:
        raise
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno in PASSING:
            raise
        raise DataError(f"{what} cannot be read ({error}): {way_out}") from None


def read_parquet(path: str | Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a parquet file, and compare the checksums of its pages where it has any.

    Raises
    ------
    OSError
        If a page is damaged; without the comparison it would be read as other numbers. Others of
        `DAMAGED` if what describes the pages is.
    """
    wanted = None if columns is None else list(columns)
    return pd.read_parquet(path, columns=wanted, page_checksum_verification=True)


def provenance(**facts: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """Say how an artefact was made: the given facts, library versions, commit and time."""
    libraries = {name: _version(name) for name in LIBRARIES}
    return {
        **{name: plain(fact) for name, fact in facts.items()},
        "finsae": _version("finsae"),
        "commit": commit(),
        "python": platform.python_version(),
        "libraries": {name: found for name, found in libraries.items() if found},
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def commit() -> str | None:
    """Commit of the code, where finsae runs from a git checkout; ``+`` marks local changes."""
    here = Path(__file__).resolve().parent
    if not (here.parent / ".git").exists():
        return None
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@contextmanager
def progress(
    description: str, total: float | None, *, shown: bool = True
) -> Iterator[tuple[Progress, TaskID]]:
    """Show a progress bar on standard error; silent where that is no terminal.

    Parameters
    ----------
    description : str
        What is being done.
    total : float or None
        Number of steps, None where it is not known.
    shown : bool
        False in a process that works beside another one's bar.

    Yields
    ------
    (rich.progress.Progress, TaskID)
        ``bar.advance(task, n)`` moves it.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        disable=not (shown and sys.stderr.isatty()),
    ) as bar:
        yield bar, bar.add_task(description, total=total, note="")
