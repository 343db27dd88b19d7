"""Raw bytes by URL on disk, each with its checksum."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from finsae.store import atomic_path, parse_object


class Kept(NamedTuple):
    """What the cache holds of a URL: the body, or None; and whether a copy was damaged."""

    body: bytes | None
    damaged: bool = False


class RawCache:
    """One file per URL: a line of JSON (url, sha256, size, retrieved), then the body, gzipped.

    Both are in one file, so that one rename makes them appear together. File names are hashes:
    nothing in a URL can lead out of the folder.

    Parameters
    ----------
    folder : path
        Where the files are.
    limit : int
        Most bytes of a body: a file that unpacks to more is damaged.
    """

    def __init__(self, folder: str | Path, *, limit: int) -> None:
        self.folder = Path(folder)
        self.limit = limit

    def path(self, url: str) -> Path:
        """Name the file of a URL."""
        name = hashlib.sha256(url.encode()).hexdigest()
        return self.folder / name[:2] / f"{name[2:34]}.raw"

    def read(self, url: str, *, since: datetime | None = None) -> Kept:
        """Read a body; one that was retrieved before `since` does not count."""
        try:
            content = self.path(url).read_bytes()
        except FileNotFoundError:
            return Kept(None)
        head, _, packed = content.partition(b"\n")
        try:
            facts = parse_object(head)
            retrieved = datetime.fromisoformat(facts["retrieved"])
            unpacker = zlib.decompressobj(wbits=31)
            body = unpacker.decompress(packed, self.limit + 1)
            sound = (
                unpacker.eof
                and facts["url"] == url
                and facts["sha256"] == hashlib.sha256(body).hexdigest()
            )
            old = since is not None and retrieved < since
        except (ValueError, KeyError, TypeError, zlib.error):
            return Kept(None, damaged=True)
        if not sound:
            return Kept(None, damaged=True)
        return Kept(None) if old else Kept(body)

    def write(self, url: str, body: bytes, now: datetime) -> None:
        """Keep a body, whole or not at all."""
        facts = {
            "url": url,
            "sha256": hashlib.sha256(body).hexdigest(),
            "size": len(body),
            "retrieved": now.isoformat(timespec="seconds"),
        }
        with atomic_path(self.path(url)) as temporary:
            head = json.dumps(facts).encode() + b"\n"
            temporary.write_bytes(head + gzip.compress(body, 6, mtime=0))
