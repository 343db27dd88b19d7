"""The explorer's server: this machine only, one page, questions answered as JSON."""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import Callable, Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit

from finsae.checks import DataError
from finsae.explorer.questions import Explorer

PAGE = {
    "/": ("explorer.html", "text/html; charset=utf-8"),
    "/explorer.css": ("explorer.css", "text/css; charset=utf-8"),
    "/explorer.js": ("explorer.js", "text/javascript; charset=utf-8"),
}
"""Everything that is served from the package; a request's path opens no file."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MOST_TICKERS = 30

Query = Mapping[str, str]


class Server(ThreadingHTTPServer):
    """Serves one explorer.

    Parameters
    ----------
    explorer : Explorer
    host : str
        Address to listen on.
    port : int
        0 takes any that is free.
    """

    daemon_threads = True

    def __init__(self, explorer: Explorer, *, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), _Handler)
        self.explorer, self.host = explorer, host
        for name in PAGE:
            _page(name)  # read now: nothing is opened for a request

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{self.host}:{self.server_port}/"

    def start(self) -> None:
        """Make what takes longer than an answer may, while questions are answered."""
        threading.Thread(target=self.explorer.prepare, daemon=True).start()

    def trusts(self, host: str | None) -> bool:
        """Say whether a Host header names this machine.

        A page of another site can have its own name resolve to this machine (DNS rebinding), and
        then reads what is served here; it cannot have a bare address or "localhost" as its name.
        """
        name = urlsplit(f"//{host}").hostname if host else None
        if name in ("localhost", self.host):
            return True
        try:
            ipaddress.ip_address(name or "")
        except ValueError:
            return False
        return True


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version, sys_version = "finsae", ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a question, or send a part of the page."""
        try:
            trusted = self.server.trusts(self.headers.get("Host"))
        except ValueError:
            trusted = False
        if not trusted or self.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
            self._send(403, "text/plain; charset=utf-8", b"not from here: open the printed address")
            return
        where = urlsplit(self.path)
        if where.path in PAGE:
            self._send(200, PAGE[where.path][1], _page(where.path))
            return
        asked = {name: values[-1] for name, values in parse_qs(where.query).items()}
        status, answer = answered(self.server.explorer, where.path, asked)
        body = json.dumps(answer, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        self._send(status, "application/json; charset=utf-8", body.encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - whatever would be logged
        """Keep quiet: what a reader looks at is nobody's business."""


def answered(explorer: Explorer, path: str, asked: Query) -> tuple[int, Any]:
    """Answer one question: an HTTP status and a JSON value.

    Parameters
    ----------
    explorer : Explorer
    path : str
        Such as "/api/company".
    asked : mapping of str to str
        Its parameters.
    """
    if path not in ROUTES:
        return 404, {"error": f"nothing is served at {path}"}
    try:
        return 200, ROUTES[path](explorer, asked)
    except DataError as error:
        return 400, {"error": str(error)}


def weights_of(asked: Query) -> dict[int, float]:
    """Read weights written as ``12:0,15:2.5``.

    Raises
    ------
    DataError
        If they are not.
    """
    parts = [part.partition(":") for part in asked.get("weights", "").split(",") if part]
    return {_whole(name): _number(value) for name, _, value in parts}


def _given(asked: Query, name: str) -> str:
    if name not in asked:
        raise DataError(f"{name} is missing: ask with {name}=...")
    return asked[name]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f'"{text}" is no number') from None


def _whole(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise DataError(f'"{text}" is no whole number')
    return int(text)


def _company(explorer: Explorer, asked: Query) -> Any:  # noqa: ANN401 - JSON
    k = _whole(asked.get("k", "10"))
    return explorer.company(_given(asked, "ticker"), weights=weights_of(asked), k=k)


def _later(explorer: Explorer, asked: Query) -> Any:  # noqa: ANN401 - JSON
    return explorer.later(_given(asked, "tickers").split(",")[:MOST_TICKERS])


ROUTES: dict[str, Callable[[Explorer, Query], Any]] = {
    "/api/state": lambda explorer, _: explorer.state(),
    "/api/companies": lambda explorer, _: explorer.companies(),
    "/api/company": _company,
    "/api/features": lambda explorer, _: explorer.features(),
    "/api/feature": lambda explorer, asked: explorer.feature(_whole(_given(asked, "id"))),
    "/api/pair": lambda explorer, asked: explorer.pair(
        _given(asked, "a"), _given(asked, "b"), weights=weights_of(asked)
    ),
    "/api/clusters": lambda explorer, _: explorer.clusters(),
    "/api/cluster": lambda explorer, asked: explorer.cluster(_whole(_given(asked, "label"))),
    "/api/later": _later,
}


@cache
def _page(path: str) -> bytes:
    return files("finsae.explorer").joinpath("page", PAGE[path][0]).read_bytes()
