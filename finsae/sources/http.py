"""Reading from one https host, politely: rate, patience, limits, and a cache of raw bytes."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import os
import re
import ssl
import string
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, Lock
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from finsae.checks import DataError
from finsae.sources.raw import RawCache
from finsae.store import alone, sole

AGAIN = {403, 408, 425, 429, 500, 502, 503, 504}
"""Statuses that pass. 403 is how the SEC answers who asks too often."""
REDIRECTS = {301, 302, 303, 307, 308}
MOST_REDIRECTS = 5
LONGEST_PAUSE = 660.0  # seconds
BLOCKED, BLOCK = b"Request Rate Threshold", 600.0
"""How the SEC says that it was asked too often, and the seconds for which it then hears nobody."""
CHUNK = 1 << 16


class FetchError(DataError):
    """A resource could not be had.

    Attributes
    ----------
    status : int or None
        The server's last answer; None where it gave none, or one that is not used.
    """

    def __init__(self, problem: str, status: int | None = None) -> None:
        # What a server says may end up on a terminal, where some characters are commands.
        super().__init__("".join(char if char.isprintable() else "?" for char in problem))
        self.status = status


@dataclass(frozen=True)
class Manners:
    """How a host is treated.

    Attributes
    ----------
    per_second : float
        Most requests a second, of all clients with the same cache together.
    timeout : float
        Seconds without a sign of life.
    whole : float
        Seconds that a whole body may take.
    tries : int
        Tries per resource when the server is busy, fails, breaks off or stays silent. The pause
        doubles from one second; a longer one that the server asks for (``Retry-After``) is kept.
    limit : int
        Most bytes of a body, unpacked.
    sleep : callable, optional
        How a pause before another try is made; default: wait, unless `Client.stopped`.
    """

    per_second: float = 10.0
    timeout: float = 30.0
    whole: float = 600.0
    tries: int = 5
    limit: int = 256 << 20
    sleep: Callable[[float], None] | None = None


class _PassingError(Exception):
    """A failure that may be over at the next try; `wanted`: the pause that the server asks for."""

    def __init__(self, problem: str, status: int | None = None, wanted: float = 0.0) -> None:
        super().__init__(problem)
        self.status = status
        self.wanted = wanted


class Client:
    """Get resources of one https host, each once.

    What was read is kept as raw bytes under its URL with a checksum; a copy that no longer agrees
    with its checksum is fetched again. All clients with the same cache, in all threads and
    processes, keep one rate between them. Safe to use from several threads.

    Parameters
    ----------
    base : str
        Address that paths are joined to: ``https://host`` or ``https://host/part``.
    user_agent : str
        Who asks; sent with every request.
    cache : path
        Folder of raw bytes.
    context : ssl.SSLContext, optional
        Certificates to trust; default the system's. Proxies are those of the environment.
    manners : Manners
        Rate, patience and limits.
    beside : Client, optional
        Another client of the same service: who is told to wait by one host waits at both.

    Attributes
    ----------
    sent, found : int
        Requests sent; resources that the cache held.
    damaged : list of str
        URLs whose copy in the cache was damaged and fetched again.
    """

    def __init__(
        self,
        base: str,
        *,
        user_agent: str,
        cache: str | Path,
        context: ssl.SSLContext | None = None,
        manners: Manners | None = None,
        beside: Client | None = None,
    ) -> None:
        self.base = _base(base)
        self.user_agent = _agent(user_agent)
        self.manners = manners or Manners()
        self.cache = RawCache(cache, limit=self.manners.limit)
        self.sent = self.found = 0
        self._stopped = Event()
        self._counting = Lock()
        self._wait: _Wait = _Wait() if beside is None else beside._wait
        self.damaged: list[str] = []
        trusted = context or ssl.create_default_context()
        self._opener = urllib.request.build_opener(
            _NoRedirect, urllib.request.HTTPSHandler(context=trusted)
        )

    def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        since: datetime | None = None,
    ) -> bytes:
        """Get a resource, from the cache if it is there.

        Parameters
        ----------
        path : str
            Below the base; no ``..``, no address of its own.
        params : mapping, optional
            The query.
        since : datetime, optional
            For what changes: a copy that was read before this time is read again.

        Raises
        ------
        FetchError
            If it cannot be had; `status` is 404 where there is none.
        """
        url = self.url(path, params)
        kept = self.cache.read(url, since=since)
        if kept.body is None:
            with sole(self.cache.path(url).with_suffix(".lock"), wait=partial(self._rest, url)):
                kept = self.cache.read(url, since=since)  # another may have fetched it meanwhile
                if kept.body is None:
                    return self._fetch_to_keep(url, damaged=kept.damaged)
        with self._counting:
            self.found += 1
        return kept.body

    def _fetch_to_keep(self, url: str, *, damaged: bool) -> bytes:
        if damaged:
            self.damaged.append(url)
        body = self._fetch(url)
        self.cache.write(url, body, datetime.now(UTC))
        return body

    def forget(self, path: str, params: Mapping[str, Any] | None = None) -> None:
        """Keep no copy of a resource: what came was not what it should be."""
        self.cache.path(self.url(path, params)).unlink(missing_ok=True)

    def ask(self, path: str, params: Mapping[str, Any] | None = None) -> bytes:
        """Get a resource anew and keep nothing of it: its address may hold a secret.

        Raises
        ------
        FetchError
            As `get`; its text holds the address.
        """
        return self._fetch(self.url(path, params))

    def url(self, path: str, params: Mapping[str, Any] | None = None) -> str:
        """Write the address of a path.

        Raises
        ------
        DataError
            If it would lead out of the base.
        """
        wrong = (
            not path.isascii()
            or any(char <= " " or char in '\\?#"<>' for char in path)
            or ".." in path.replace("%2e", ".").replace("%2E", ".").split("/")
            or path.startswith("//")
            or ":" in path.split("/")[0]
        )
        if wrong:
            raise DataError(f'"{path[:100]}" is no path below {self.base}')
        query = f"?{urlencode(params)}" if params else ""
        return f"{self.base}/{path.lstrip('/')}{query}"

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Let no thread wait or ask within the block; each that would raises `FetchError`."""
        self._stopped.set()
        try:
            yield
        finally:
            self._stopped.clear()

    def _fetch(self, url: str) -> bytes:
        pause, last = 1.0, _PassingError("no try")
        for _ in range(self.manners.tries):
            self._hold(url)
            try:
                return self._follow(url)
            except _PassingError as error:
                last = error
                if error.wanted > LONGEST_PAUSE:
                    raise FetchError(
                        f"{url}: the server asks to wait {error.wanted:,.0f} s: run again later, "
                        "what is finished is kept",
                        error.status,
                    ) from None
                # Other threads wait as well: who is told to slow down is one user.
                self._wait.until = max(
                    self._wait.until, time.monotonic() + max(pause, error.wanted)
                )
                pause *= 2
        hint = "; is the user agent a name and a mail address?" if last.status == 403 else ""
        raise FetchError(f"{url}: {last} at each of {self.manners.tries} tries{hint}", last.status)

    def _follow(self, url: str) -> bytes:
        """Ask, and follow redirects that stay on the host."""
        at = url
        for _ in range(MOST_REDIRECTS + 1):
            self._wait_turn()
            body, target = self._ask(at)
            if target is None:
                return body
            try:
                at = urljoin(at, quote(target, safe=string.punctuation))
                inside = _origin(at) == _origin(self.base)
            except ValueError:  # no address at all
                at, inside = target, False
            if not inside:
                raise FetchError(f"{url} redirects to elsewhere ({at[:100]}): not followed")
        raise FetchError(f"{url} redirects more than {MOST_REDIRECTS} times")

    def _rest(self, url: str, seconds: float = 0.05) -> None:
        if self._stopped.wait(seconds):
            raise FetchError(f"{url}: stopped; what is finished is kept")

    def _hold(self, url: str) -> None:
        """Wait while the server wants to be left alone."""
        wait = self._wait.until - time.monotonic()
        if wait > 0 and self.manners.sleep is not None:
            self.manners.sleep(wait)
        else:
            self._rest(url, max(wait, 0.0))

    def _wait_turn(self) -> None:
        """Wait until one more request keeps the rate, over all threads and processes."""
        with alone(self.cache.folder):
            mark, apart = self.cache.folder / ".last", 1.0 / self.manners.per_second
            last = mark.stat().st_mtime if mark.exists() else 0.0
            wait = last + apart - time.time()
            if 0 < wait <= apart:
                time.sleep(wait)
            mark.touch()
            with self._counting:
                self.sent += 1
            os.utime(mark, (time.time(),) * 2)  # the file system's own clock ticks too coarsely

    def _ask(self, url: str) -> tuple[bytes, str | None]:
        """Send one request; second, where the server redirects to."""
        headers = {"User-Agent": self.user_agent, "Accept-Encoding": "gzip"}
        try:
            with self._opener.open(
                urllib.request.Request(url, headers=headers), timeout=self.manners.timeout
            ) as response:
                return self._body(response), None
        except urllib.error.HTTPError as error:
            with contextlib.closing(error):
                return b"", self._refusal(url, error)
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise FetchError(f"{url}: certificate not trusted ({error.reason})") from None
            raise _PassingError(f"no connection ({error.reason})") from None
        except (OSError, http.client.HTTPException) as error:
            raise _PassingError(f"broken off ({type(error).__name__})") from None

    def _refusal(self, url: str, error: urllib.error.HTTPError) -> str:
        """Give the target of a redirect; raise for what is none."""
        target = error.headers.get("Location")
        if error.code in REDIRECTS and target:
            return target
        if error.code in AGAIN:
            wanted = _wanted(error.headers.get("Retry-After"), time.time())
            if error.code == 403 and BLOCKED in _read(error):
                wanted = max(wanted, BLOCK)
            raise _PassingError(f"status {error.code}", error.code, wanted)
        raise FetchError(f"{url}: status {error.code}", error.code)

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        """Read and unpack a body within the limits, and see that it is whole."""
        if response.status != 200:  # of 206, for one, the body is a part
            raise FetchError(f"{response.url}: status {response.status}", response.status)
        promised = response.headers.get("Content-Length", "")
        whole = int(promised[:18]) if re.fullmatch("[0-9]+", promised) else None
        coding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if coding not in ("identity", "", "gzip", "x-gzip"):
            raise FetchError(f"{response.url}: packed as {coding[:20]}, which was not asked for")
        unpacker = _Unpacker(self.manners.limit, packed="gzip" in coding, url=response.url)
        end, read = time.monotonic() + self.manners.whole, 0
        while chunk := response.read1(CHUNK):
            read += len(chunk)
            if read > self.manners.limit:
                raise FetchError(f"{response.url}: more than {self.manners.limit:,} bytes sent")
            unpacker.feed(chunk)
            if time.monotonic() > end:
                raise _PassingError(f"slower than {self.manners.whole:,.1f} s")
        if whole is not None and read != whole:
            raise _PassingError(f"truncated ({read:,} of {whole:,} bytes)")
        return unpacker.finish()


@dataclass
class _Wait:
    """Until when a service wants to be left alone, on the monotonic clock."""

    until: float = 0.0


class _Unpacker:
    """Unpack a body piece by piece, so that a bomb is noticed before it has grown."""

    def __init__(self, limit: int, *, packed: bool, url: str) -> None:
        self.limit, self.url = limit, url
        self.parts: list[bytes] = []
        self.size = 0
        self.gzip = zlib.decompressobj(wbits=31) if packed else None

    def feed(self, chunk: bytes) -> None:
        if self.gzip is None:
            self._keep(chunk)
        while chunk and self.gzip is not None:
            if self.gzip.eof:  # a packed body may have several members, one behind the other
                self.gzip = zlib.decompressobj(wbits=31)
            try:
                self._keep(self.gzip.decompress(chunk, self.limit - self.size + 1))
            except zlib.error:
                raise _PassingError("a body that is not packed as it says") from None
            chunk = self.gzip.unused_data

    def _keep(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self.limit:
            raise FetchError(f"{self.url}: more than {self.limit:,} bytes unpacked: not read")
        self.parts.append(piece)

    def finish(self) -> bytes:
        if self.gzip is not None and not self.gzip.eof:
            raise _PassingError("truncated (the packed body has no end)")
        return b"".join(self.parts)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects are looked at before they are followed."""

    def http_error_302(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        return None

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _base(base: str) -> str:
    parts = urlsplit(base)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.query:
        raise DataError(f'"{base}" is no https address: write it as https://www.sec.gov')
    return base.rstrip("/")


def _agent(name: str) -> str:
    if not name.strip() or not (name.isascii() and name.isprintable()):
        raise DataError(f'"{name[:100]!s}" is no user agent: plain printable text, "Name mail"')
    return name.strip()


def _origin(url: str) -> tuple[str, str | None, int | None, str | None]:
    parts = urlsplit(url)
    try:
        port = parts.port or {"https": 443}.get(parts.scheme)
    except ValueError:
        port = None
    return parts.scheme, parts.hostname, port, parts.username


def _read(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read(CHUNK)
    except (OSError, http.client.HTTPException):
        return b""


def _wanted(header: str | None, now: float) -> float:
    """Read Retry-After: seconds, or a date."""
    if not header:
        return 0.0
    with contextlib.suppress(ValueError):
        return max(0.0, float(header))
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - now)
    return 0.0
