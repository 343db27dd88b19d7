"""A web server over TLS on this machine, with a certificate authority of its own and real faults.

The authority and its certificate are made by the `openssl` program when the tests begin; nothing
but these tests trusts them.
"""

import gzip
import shutil
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest


def certificates(folder):
    """Make an authority and a certificate for this machine; give both files."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl program here to make a test certificate with")
    names = folder / "names.txt"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for command in (
        ["req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
         "-subj", "/CN=finsae test authority", "-addext", "keyUsage=critical,keyCertSign"],
        ["req", *new_key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost"],
        ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2",
         "-CAcreateserial", "-extfile", "names.txt", "-out", "server.pem"],
    ):  # fmt: skip
        subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)
    return folder / "ca.pem", (folder / "server.pem", folder / "server.key")


class Reply(NamedTuple):
    """An answer; `how`: "whole", or with a fault: "truncated", "silent", "hang up", "cut" or
    "drip"."""

    status: int = 200
    body: bytes = b""
    headers: dict | None = None
    how: str = "whole"


class Server:
    """What is asked, and what is answered: a path's `faults` first, then its page."""

    def __init__(self, authority, address):
        self.authority, self.address = authority, address
        self.pages, self.faults = {}, {}
        self.requests, self.agents, self.times, self.bodies = [], [], [], []
        self.packed = False
        self.lock = threading.Lock()
        self.after = lambda: None

    @property
    def context(self):
        return ssl.create_default_context(cafile=str(self.authority))

    def reply(self, path, headers):
        with self.lock:
            self.requests.append(path)
            self.agents.append(headers.get("User-Agent"))
            self.times.append(time.monotonic())
            queue = self.faults.get(path) or self.faults.get("*") or []
            if queue:
                return queue.pop(0)
        page = self.pages.get(path)
        if page is None:
            return Reply(404, b"<Error><Code>NoSuchKey</Code></Error>")
        if isinstance(page, Reply):
            return page
        if self.packed and "gzip" in headers.get("Accept-Encoding", ""):
            return Reply(200, gzip.compress(page), {"Content-Encoding": "gzip"})
        return Reply(200, page)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_ours = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.ours.bodies.append(body)
        self.do_GET()

    def do_GET(self):
        ours = self.server.ours
        reply = ours.reply(self.path, self.headers)
        if reply.how == "silent":
            time.sleep(3)  # longer than the clients that meet it wait
        if reply.how in ("silent", "hang up"):
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in (reply.headers or {}).items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        if reply.how == "cut":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n" % (len(reply.body) * 2) + reply.body)
        else:
            extra = 100 if reply.how == "truncated" else 0
            self.send_header("Content-Length", str(len(reply.body) + extra))
            self.end_headers()
            step = 1 if reply.how == "drip" else max(1, len(reply.body))
            for at in range(0, len(reply.body), step):
                self.wfile.write(reply.body[at : at + step])
                time.sleep(0.02 if reply.how == "drip" else 0)
        self.close_connection = True
        ours.after()

    def log_message(self, *args):
        pass


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that hangs up is what some tests are about."""


@contextmanager
def serve(folder):
    """Run a server; `folder` is where its certificates are made, once."""
    authority, (certificate, key) = (
        (folder / "ca.pem", (folder / "server.pem", folder / "server.key"))
        if (folder / "server.pem").exists()
        else certificates(folder)
    )
    http = _Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    http.socket = context.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
    http.ours = server = Server(authority, f"https://localhost:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
