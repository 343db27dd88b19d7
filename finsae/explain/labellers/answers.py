"""Answers of language models: kept by prompt, so that none is made or paid for twice."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from finsae.checks import DataError
from finsae.explain.labellers.prompts import (
    Prompt,
    Question,
    explaining,
    judging,
    read_label,
    read_verdicts,
)
from finsae.explain.meaning import Meaning
from finsae.store import cache_dir, key, parse_object, progress, write_json

VERSION = 1  # raised when the same prompt would be asked in another way


class Answer(NamedTuple):
    """What a model said, and the tokens it read and wrote for it."""

    text: str
    read: int
    written: int


@dataclass
class Usage:
    """What answers took.

    Attributes
    ----------
    asked, kept : int
        Prompts answered by the model, and by the answers kept from before.
    read, written : int
        Tokens of the prompts and of the answers of the model; kept answers cost nothing.
    """

    asked: int = 0
    kept: int = 0
    read: int = 0
    written: int = 0

    def cost(self, price_read: float, price_written: float) -> float:
        """Money spent, with prices per million tokens."""
        return (self.read * price_read + self.written * price_written) / 1e6


class LanguageModel(ABC):
    """A labeller that asks a language model.

    Each answer is on disk as soon as it is there (`finsae.store.cache_dir`, folder ``answers``),
    named by the model, its settings and the prompt: an interrupted run goes on where it stopped.
    """

    def __init__(self) -> None:
        self.usage = Usage()

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What besides the prompt decides the answers; JSON, without secrets."""

    @abstractmethod
    def answers(self, prompts: Sequence[Prompt], keep: Callable[[int, Answer], None]) -> None:
        """Answer every prompt, and keep each answer at once by its prompt's number."""

    def label(self, meanings: Sequence[Meaning]) -> list[str]:
        """Return one name per feature; empty where the answer holds none."""
        asked = [explaining(meaning) for meaning in meanings]
        return [read_label(text) for text in self._ask(asked, "Naming features")]

    def judge(self, questions: Sequence[Question]) -> list[list[bool] | None]:
        """Return the verdicts on each question's texts; None where they cannot be read."""
        texts = self._ask([judging(question) for question in questions], "Judging labels")
        return [
            read_verdicts(text, len(question.texts))
            for text, question in zip(texts, questions, strict=True)
        ]

    def _ask(self, prompts: Sequence[Prompt], what: str) -> list[str]:
        paths = [self._path(prompt) for prompt in prompts]
        found = {path: _kept(path) for path in dict.fromkeys(paths)}
        missing = [i for i, path in enumerate(paths) if found[path] is None]
        missing = list({paths[i]: i for i in missing}.values())  # equal prompts are asked once
        self.usage.kept += len(found) - len(missing)
        lock = Lock()
        with progress(what, len(found)) as (bar, task):
            bar.advance(task, len(found) - len(missing))

            def keep(number: int, answer: Answer) -> None:
                path = paths[missing[number]]
                write_json(path, answer._asdict())
                with lock:  # several may come at once
                    found[path] = answer
                    self.usage.asked += 1
                    self.usage.read += answer.read
                    self.usage.written += answer.written
                bar.advance(task)

            self.answers([prompts[i] for i in missing], keep)
        texts = [found[path] for path in paths]
        assert all(answer is not None for answer in texts), "every prompt is answered or an error"
        return [answer.text for answer in texts if answer is not None]

    def _path(self, prompt: Prompt) -> Path:
        name = key({**self.settings, **prompt._asdict()}, [], VERSION)
        return cache_dir() / "answers" / name[:2] / f"{name}.json"


def _kept(path: Path) -> Answer | None:
    try:
        return Answer(**parse_object(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise DataError(f'the kept answer "{path}" is damaged: delete it') from None
