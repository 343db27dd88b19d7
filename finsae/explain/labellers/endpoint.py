"""A language model at any endpoint that speaks OpenAI's chat completions."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event
from typing import Any, NoReturn
from urllib.parse import urlsplit

from finsae.checks import DataError
from finsae.explain.labellers.answers import Answer, LanguageModel
from finsae.explain.labellers.prompts import Prompt
from finsae.store import hash_texts

URL, KEY = "OPENAI_BASE_URL", "OPENAI_API_KEY"
"""Environment variables; the key is read when it is sent and held nowhere."""
DEFAULT_URL = "https://api.openai.com/v1"
AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}
"""Statuses that pass."""
PASSING = (OSError, http.client.HTTPException)  # a time-out or a broken connection
OPTIONAL = ("temperature", "max_tokens")  # some models refuse the one or the other
LONGEST_PAUSE = 60.0
REASON = 200  # characters of what the endpoint says that are shown


class Endpoint(LanguageModel):
    """Ask a model over HTTP; address and key come from the environment.

    ``OPENAI_BASE_URL`` (default OpenAI's own) is the address before ``/chat/completions``, and
    ``OPENAI_API_KEY`` the key, which a server of one's own may not need. Neither is logged nor
    written anywhere; a hash of the address tells one endpoint's answers from another's.

    Parameters
    ----------
    model : str
        As the endpoint calls it.
    attempts : int
        Tries per prompt, when the endpoint is busy, fails, stays silent or answers with no answer.
    pause : float
        Seconds before the second try, doubled before each further one; the endpoint may ask for
        more (``Retry-After``), up to a minute.
    timeout : float
        Seconds without a sign of life.
    at_once : int
        Prompts under way at the same time.
    """

    def __init__(
        self,
        model: str,
        *,
        attempts: int = 6,
        pause: float = 1.0,
        timeout: float = 60.0,
        at_once: int = 4,
    ) -> None:
        super().__init__()
        self.model = model
        self.attempts = attempts
        self.pause = pause
        self.timeout = timeout
        self.at_once = at_once
        self._refused: set[str] = set()
        self._stopped = Event()

    @property
    def settings(self) -> dict[str, Any]:
        """Model, and a hash of the address: another endpoint's model of that name is another."""
        return {"model": self.model, "endpoint": hash_texts([_base()])}

    def answers(self, prompts: Sequence[Prompt], keep: Callable[[int, Answer], None]) -> None:
        """Answer several prompts at once.

        Raises
        ------
        DataError
            If the endpoint refuses a prompt, or fails at every try. Answers so far are kept.
        """
        self._stopped.clear()
        pool = ThreadPoolExecutor(self.at_once)
        try:
            tasks = [pool.submit(self._answer, prompt, i, keep) for i, prompt in enumerate(prompts)]
            done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            # What is under way is paid for: it is awaited and kept; nothing else is begun.
            self._stopped.set()
            pool.shutdown(cancel_futures=True)

    def _answer(self, prompt: Prompt, number: int, keep: Callable[[int, Answer], None]) -> None:
        problem, pause = "", self.pause
        for attempt in range(self.attempts):
            if attempt:
                if self._stopped.wait(pause):
                    return
                pause = min(2 * pause, LONGEST_PAUSE)
            try:
                keep(number, _read(self._post(prompt)))
                return
            except urllib.error.HTTPError as error:
                said = _said(error)
                if error.code not in AGAIN and not self._without(error.code, said):
                    self._refuse(error.code, said)
                problem = f"status {error.code}"
                pause = max(pause, _wanted_pause(error))
            except PASSING as error:
                problem = type(error).__name__
            except ValueError as error:
                problem = str(error)
        raise DataError(
            f'the endpoint of "{self.model}" gave no answer in {self.attempts} tries (last: '
            f"{problem}); answers so far are kept: run the command again to go on"
        )

    def _post(self, prompt: Prompt) -> Any:  # noqa: ANN401 - JSON
        content: dict[str, Any] = {
            "model": self.model,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
            "temperature": 0,
            "max_tokens": prompt.tokens,
        }
        content = {name: value for name, value in content.items() if name not in self._refused}
        headers = {"Content-Type": "application/json", "User-Agent": "finsae"}
        if os.environ.get(KEY):
            headers["Authorization"] = f"Bearer {os.environ[KEY]}"
        request = urllib.request.Request(
            f"{_base()}/chat/completions", json.dumps(content).encode(), headers
        )
        with _OPENER.open(request, timeout=self.timeout) as response:
            return json.loads(response.read())

    def _without(self, status: int, said: str) -> bool:
        """Leave out an option that the endpoint says it does not take."""
        named = [name for name in OPTIONAL if name in said and name not in self._refused]
        if status == 400 and named:
            self._refused.update(named)
            return True
        return False

    def _refuse(self, status: int, said: str) -> NoReturn:
        if status in (401, 403):  # what it says may repeat the key
            raise DataError(
                f'the endpoint of "{self.model}" refused the key (status {status}): set {KEY}, '
                f"and {URL} if the endpoint is not {DEFAULT_URL}"
            )
        raise DataError(
            f'the endpoint of "{self.model}" refused (status {status}): {said[:REASON]}'
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A key goes to the host it is meant for and to no other."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def _base() -> str:
    base = (os.environ.get(URL) or DEFAULT_URL).rstrip("/")
    if urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).hostname:
        raise DataError(f"{URL} is no web address: write it as {DEFAULT_URL}")
    return base


def _read(content: Any) -> Answer:  # noqa: ANN401 - JSON
    """Read a chat completion.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        text = content["choices"][0]["message"]["content"]
        usage = content.get("usage") or {}
        read, written = (int(usage.get(f"{kind}_tokens") or 0) for kind in ("prompt", "completion"))
    except (KeyError, IndexError, TypeError, AttributeError):
        raise ValueError("a reply that is no chat completion") from None
    return Answer("" if text is None else str(text), read, written)


def _said(error: urllib.error.HTTPError) -> str:
    """Give what the endpoint says of an error, without the key."""
    try:
        body = error.read().decode(errors="replace")
    except PASSING:
        return ""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        body = str(json.loads(body)["error"]["message"])
    secret = os.environ.get(KEY)
    return " ".join((body.replace(secret, "...") if secret else body).split())


def _wanted_pause(error: urllib.error.HTTPError) -> float:
    try:
        return min(float(error.headers.get("Retry-After", "0")), LONGEST_PAUSE)
    except ValueError:  # a date
        return 0.0
