"""The session through which yfinance reaches Yahoo: imported when it is used, since it is an extra.

yfinance takes a session of curl_cffi, whose handshake Yahoo lets pass. It asks fixed hosts, reads
whatever comes back, and caches answers that were none; so all that is decided here, below it.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from curl_cffi.requests import Response
from curl_cffi.requests import Session as CurlSession
from curl_cffi.requests.exceptions import CertificateVerifyError

from finsae.checks import DataError
from finsae.sources.download import NoPricesError, PassingError, StopError
from finsae.sources.http import Manners
from finsae.store import parse_object

CHART = "/v8/finance/chart/"
YAHOO = ".yahoo.com"
AGAIN = {408, 425, 429, 500, 502, 503, 504}
PAUSE, LONGEST_PAUSE = 2.0, 120.0  # seconds


class Session(CurlSession[Response]):
    """Keeps the rate, tries again, and lets through what is an answer of the chart interface.

    Parameters
    ----------
    base : str, optional
        ``https://host`` that takes the place of all of Yahoo's hosts.
    authorities : path, optional
        PEM file of the certificate authorities to trust.
    manners : Manners
        Rate, patience and limits; the pause before another try doubles from two seconds.

    Attributes
    ----------
    sent : int
        Requests sent.
    """

    def __init__(
        self,
        base: str | None = None,
        *,
        authorities: str | None = None,
        manners: Manners,
    ) -> None:
        super().__init__(impersonate="chrome", allow_redirects=False, verify=authorities or True)  # type: ignore[arg-type]
        parts = urlsplit(base or "https://")
        if base and (parts.scheme != "https" or not parts.hostname):
            raise DataError(f'"{base}" is no https address: write it as https://host')
        self.base = base.rstrip("/") if base else None
        self.manners = manners
        self.sleep = manners.sleep or time.sleep
        self.sent = 0
        self._next = 0.0

    def request(self, method: Any, url: str, **options: Any) -> Response:  # type: ignore[override]  # noqa: ANN401
        """Send a request to Yahoo, or to the base in its place.

        Raises
        ------
        NoPricesError, PassingError, StopError
            For the chart interface: where there is no answer that it would give.
        OSError
            For other addresses.
        """
        parts = urlsplit(url)
        if parts.scheme != "https" or not (parts.hostname or "").endswith(YAHOO):
            raise OSError(f"{parts.hostname} is not Yahoo's: not asked")
        target = url if self.base is None else f"{self.base}{parts.path}"
        options["allow_redirects"] = False
        if not parts.path.startswith(CHART):
            return self._send(method, target, options)  # cookies: the chart goes without, too
        pause, last, status = PAUSE, "", 0
        for attempt in range(self.manners.tries):
            if attempt:
                self.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            try:
                response = self._send(method, target, options)
            except CertificateVerifyError as error:
                raise StopError(f"certificate not trusted ({error})") from None
            except OSError as error:
                last, status = f"no answer ({type(error).__name__})", 0
                continue
            last, status = _wrong(response), response.status_code
            if not last:
                return response
            pause = max(pause, min(_wanted(response), LONGEST_PAUSE))
        if status == 429:
            raise StopError(f"too many requests (status 429 at each of {self.manners.tries} tries)")
        raise PassingError(f"{last} at each of {self.manners.tries} tries")

    def _send(self, method: Any, url: str, options: dict[str, Any]) -> Response:  # noqa: ANN401
        now = time.monotonic()
        if now < self._next:
            self.sleep(self._next - now)
        self._next = max(now, self._next) + 1.0 / self.manners.per_second
        self.sent += 1
        body = bytearray()

        def take(chunk: bytes) -> int:
            body.extend(chunk)
            # curl ends the transfer where a callback takes less than it was given
            return len(chunk) if len(body) <= self.manners.limit else 0xFFFFFFFF

        options = {**options, "content_callback": take}
        response = super().request(method, url, **options)
        response.content = bytes(body)
        return response


def _wrong(response: Response) -> str:
    """Say why an answer of the chart interface cannot be used, "" if it can.

    Raises
    ------
    NoPricesError
        If it says so itself.
    PassingError
        If it leads elsewhere.
    """
    status = response.status_code
    if 300 <= status < 400:
        host = urlsplit(response.headers.get("Location") or "").hostname
        raise PassingError(f"redirected to {host}: not followed")
    if status in AGAIN:
        return f"status {status}"
    try:
        answer = parse_object(response.content)["chart"]
        error = answer.get("error")
    except (ValueError, KeyError, TypeError, AttributeError):
        return _what(response.content, status)
    if error:
        raise NoPricesError(str(error.get("description") or error.get("code") or "an error")[:200])
    return "" if status == 200 and answer.get("result") else f"status {status} without a chart"


def _what(body: bytes, status: int) -> str:
    start = body.lstrip()[:1]
    if not start:
        return f"an empty answer (status {status})"
    return f"{'a page' if start == b'<' else 'a broken answer'}, no JSON (status {status})"


def _wanted(response: Response) -> float:
    """Seconds that the service asks to wait."""
    header = (response.headers.get("Retry-After") or "").strip()
    return float(header) if header.isdecimal() else 0.0
