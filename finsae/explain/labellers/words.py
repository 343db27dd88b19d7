"""The labeller that needs no model: a feature is named by the words it fires on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from finsae.explain.labellers.answers import Usage
from finsae.explain.labellers.prompts import Question
from finsae.explain.meaning import Meaning, stem

MARKED = re.compile(r"\[\[(.+?)\]\]")
WORD = re.compile(r"\w+(?:[-'\u2019]\w+)*")


class Words:
    """Name features by their most typical words, and judge names by the words they hold.

    Parameters
    ----------
    most : int
        Words in a name.
    near_best : float
        A further word must have this share of the first word's z-score.
    """

    def __init__(self, *, most: int = 4, near_best: float = 0.2) -> None:
        self.most = most
        self.near_best = near_best
        self.usage = Usage()

    @property
    def settings(self) -> dict[str, Any]:
        """Who names: the arguments."""
        return {"model": "words", "most": self.most, "near_best": self.near_best}

    def label(self, meanings: Sequence[Meaning]) -> list[str]:
        """Return one name per feature; empty for one that fires on no word more than others do."""
        names = []
        for meaning in meanings:
            best = [word for word in meaning.words[: self.most] if word.z > 0]
            near = [word.word for word in best if word.z >= self.near_best * best[0].z]
            names.append(", ".join(near))
        return names

    def judge(self, questions: Sequence[Question]) -> list[list[bool] | None]:
        """Say yes where a text, or what is marked in it, holds a word of the name."""
        return [[_holds(text, question) for text in question.texts] for question in questions]


def _holds(text: str, question: Question) -> bool:
    looked_at = " ".join(MARKED.findall(text)) if question.marked else text
    return not label_stems(question.label).isdisjoint(label_stems(looked_at))


def label_stems(label: str) -> set[str]:
    """Give the stems of the words of a text, lower-cased."""
    return {stem(word) for word in WORD.findall(label)}
