"""What is compared with what."""

from __future__ import annotations

from collections.abc import Sequence

from finsae.methods import BASELINES, CENTRED, CONTROLS

LEARNT = ("sae", "sae-group")
"""Methods that have controls."""


def pairs_of(methods: Sequence[str]) -> list[tuple[int, int]]:
    """Positions of what is compared: every method with every baseline but itself.

    An SAE's features are compared with its controls, too: the same text and model without the SAE,
    and without what it has learnt; and with the text baselines freed of length as it is. A blend
    with past correlation is compared with the others, and a method with learnt weights with itself
    without them.
    """
    place = {method: number for number, method in enumerate(methods)}
    found = []
    for a in methods:
        others = dict.fromkeys((*BASELINES, *_rivals(a, methods)))
        found += [(place[a], place[b]) for b in others if b in place and a != b]
    return found


def _rivals(method: str, methods: Sequence[str]) -> list[str]:
    name, _, variant = method.partition(" ")
    if variant == "+ past":
        return [other for other in methods if other.endswith(" + past")]
    if variant:
        return [name]
    return [*CONTROLS, *CENTRED] if method in LEARNT else []
