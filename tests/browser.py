"""Headless Chromium driven through its debugging pipe: no driver, no socket, no package."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WATCH = """(async () => {
    const wait = () => new Promise((next) => setTimeout(next));
    const seconds = () => performance.now() / 1000;
    window.opened = {};
    while (document.readyState !== "complete") await wait();
    opened.loaded = seconds();
    const plot = ".plot :is(.scatterlayer .trace, .barlayer .trace, .heatmaplayer image)";
    while (!document.querySelector(plot)) await wait();
    opened.drawn = seconds();
    const find = document.getElementById("find");
    find.value = %s;
    find.dispatchEvent(new Event("input"));
    while (!document.getElementById("card").textContent) await wait();
    opened.answered = seconds();
    while (!document.documentElement.dataset.ready) await wait();
    opened.finished = seconds();
})()"""
ERRORS = {"Runtime.exceptionThrown", "Log.entryAdded"}
WORK = """(() => {
  const begun = performance.now();
  let x = 1;
  for (let i = 0; i < 3e7; i++) x = (Math.imul(x, 1664525) + i) | 0;
  return (performance.now() - begun) / 1000 + (x & 0);
})()"""
USUAL = 0.22  # seconds of it


class Browser:
    """One page in one browser; a context manager.

    Attributes
    ----------
    errors : list of str
        What went wrong in the page: exceptions, console errors, blocked loads.
    requests : list of str
        Every address that the page asked for.
    """

    def __init__(self, profile: Path, *, width: int = 1400, height: int = 1000) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._profile, self._size = profile, (width, height)
        self._last, self._buffer = 0, b""

    def __enter__(self) -> Self:
        ours = [_high(fd) for fd in os.pipe()], [_high(fd) for fd in os.pipe()]
        (reads, self._write), (self._read, writes) = ours
        flags = "--headless --no-sandbox --disable-gpu --remote-debugging-pipe --no-first-run"
        self._pid = os.posix_spawn(
            str(CHROMIUM),
            ["chromium", *flags.split(), f"--user-data-dir={self._profile}", "about:blank"],
            dict(os.environ),
            file_actions=[
                (os.POSIX_SPAWN_DUP2, reads, 3),
                (os.POSIX_SPAWN_DUP2, writes, 4),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
        )
        os.close(reads)
        os.close(writes)
        self._session = None
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self(f"{domain}.enable")
        self.resize(*self._size)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._write)
        os.kill(self._pid, signal.SIGTERM)
        os.waitpid(self._pid, 0)
        os.close(self._read)

    def __call__(self, method: str, **params: Any) -> dict[str, Any]:
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._last:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def resize(self, width: int, height: int, *, phone: bool = False) -> None:
        self(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )

    def dark(self, on: bool = True) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, page: Path) -> None:
        self("Page.navigate", url=page.resolve().as_uri())
        for _ in range(300):
            if self.run("document.readyState === 'complete' && location.protocol === 'file:'"):
                return
            time.sleep(0.1)
        raise TimeoutError(f"{page} did not load")

    def opening(self, page: Path, *, find: str) -> dict[str, float]:
        """Open a report; say after how many seconds it could be used.

        Returns
        -------
        dict of str to float
            Seconds since the navigation began: ``loaded``, ``drawn`` (its first figure),
            ``answered`` (the search for `find`), ``finished`` (all figures drawn).
        """
        script = self("Page.addScriptToEvaluateOnNewDocument", source=WATCH % json.dumps(find))
        self.open(page)
        for _ in range(600):
            if "finished" in (found := self.run("window.opened")):
                break
            time.sleep(0.1)
        self("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])
        return dict(found)

    def slowness(self) -> float:
        """How many times as long as on two idle cores of 2.5 GHz things take here and now.

        The machine may be throttled, which a fixed piece of work tells, and others may share it.
        """
        crowd = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        return crowd * max(1.0, float(self.run(WORK)) / USUAL)

    def box(self, selector: str) -> dict[str, float]:
        """Where a part of the page is, for `picture`."""
        return dict(
            self.run(
                "(({ x, y, width, height }) => ({ x: x + scrollX, y: y + scrollY, width, height,"
                f" scale: 1 }}))(document.querySelector({selector!r}).getBoundingClientRect())"
            )
        )

    def run(self, script: str) -> Any:
        """Evaluate JavaScript and return its value; a promise is awaited."""
        found = self("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def picture(self, path: Path, **clip: Any) -> Path:
        """Save the whole page as PNG, or a part of it (``clip``)."""
        shot = self("Page.captureScreenshot", captureBeyondViewport=True, **clip)
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    def print(self, path: Path) -> Path:
        """Save the page as it prints, as PDF."""
        printed = self("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        path.write_bytes(base64.b64decode(printed["data"]))
        return path

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], 300)
            part = os.read(self._read, 1 << 20) if ready else b""
            if not part:
                raise TimeoutError("Chromium does not answer")
            self._buffer += part
        raw, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(raw)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.errors.append(json.dumps(params["args"]))
        elif method in ERRORS:
            self.errors.append(json.dumps(params))


def _high(fd: int) -> int:
    """Move a descriptor out of the way of 3 and 4, which Chromium reads and writes."""
    high = fcntl.fcntl(fd, fcntl.F_DUPFD, 10)
    os.close(fd)
    return high
