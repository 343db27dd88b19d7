"""What changed in a company's features from one filing to another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.checks import DataError, one_of
from finsae.explain import Answer, answers
from finsae.explain.places import WORD, Places, places
from finsae.explain.sentences import quote_of
from finsae.features import Features, idf
from finsae.pipeline.methods import MIN_IDF, reading_of
from finsae.store import plain

ALIKE = 0.8  # shared words by all words of two sentences, from which one is the other, reworded
FAINT = 0.1  # share of a feature's larger value below which the smaller is as good as nothing
LEAST = 0.02
"""Smallest change listed, as a share of the row's length."""
TINY = 1e-9

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]


class Text(NamedTuple):
    """A filing as it is compared: its weighted features, and where they stand."""

    row: int
    values: FloatArray  # [F]
    read: Places
    changed: BoolArray  # [sentences]: not in the other filing
    moved: FloatArray  # [F]: the part of `values` that stands in such sentences


def changes(
    panel: Features,
    company: str,
    *,
    since: int | None = None,
    until: int | None = None,
    top: int = 10,
    least: float = LEAST,
) -> Answer:
    """Say what changed in a company's features between two of its filings.

    The two texts are compared sentence by sentence; one that has its like in the other text (the
    same words but for numbers and a fifth of them) says nothing new, wherever it stands. A feature
    changes by what it has in the new filing's other sentences, less what it had in the old one's:
    an order of paragraphs, a year or a figure that is updated, and a reworded sentence change
    nothing, though a language model reads each a little differently.

    Parameters
    ----------
    panel : Features
        One row per company and year: ``build_features(universe.yearly(), reading)``.
    company : str
        Its ticker.
    since, until : int, optional
        Years of the two filings; by default the last two.
    top : int
        Features listed per kind of change.
    least : float
        Smallest change listed, as a share of the longer row's length (the root of the sum of
        squares of its weighted features).

    Returns
    -------
    dict
        ``{"company", "from", "to", "similarity", "usual", "sentences", "gained", "lost",
        "strengthened", "weakened"}``. ``from`` and ``to`` are ``{"year", "date", "symbol"}``;
        ``similarity`` is the cosine of the two rows and ``usual`` the median of all companies'
        neighbouring filings up to then (None where there is no other); ``sentences`` counts those
        ``kept, added, removed``. A feature is ``{"id", "label", "companies", "change", "before",
        "after", "evidence": {"before", "after"}}``: weighted values and, as a share of the row's
        length, the change; the evidence is the sentence of each text that has most of it, of
        changed sentences first. Gained and lost features were or are (as good as) absent.

    Raises
    ------
    DataError
        If the features are no panel, the company is unknown or has one filing only, or a year has
        none.
    """
    rows = _rows_of(panel, company)
    old, new = _two(rows, company, since, until)
    day = pd.Timestamp(rows["date"].iloc[new])
    known = _weighted(panel, day)
    numbers = [int(rows["row"].iloc[place]) for place in (old, new)]
    before, after = _texts(known, *numbers)
    length = max(float(np.linalg.norm(text.values)) for text in (before, after)) or 1.0
    change = (after.moved - before.moved) / length
    order = np.argsort(-np.abs(change), kind="stable")
    kinds = _kinds(before, after, change)
    found: dict[str, Any] = {
        "company": company,
        "from": _told(rows.iloc[old]),
        "to": _told(rows.iloc[new]),
        "similarity": _cosine(before.values, after.values),
        "usual": _usual(known, day, company),
        "sentences": {
            "kept": int((~after.changed).sum()),
            "added": int(after.changed.sum()),
            "removed": int(before.changed.sum()),
        },
    }
    for kind in ("gained", "lost", "strengthened", "weakened"):
        ids = [i for i in order if kinds[i] == kind and abs(change[i]) >= max(least, TINY)][:top]
        found[kind] = [_feature(known, int(i), float(change[i]), (before, after)) for i in ids]
    return Answer(plain(found), answers.changes)


def _rows_of(panel: Features, company: str) -> pd.DataFrame:
    """Find the company's filings in the panel, with their rows, by year."""
    table = panel.companies
    if not {"company", "year"} <= set(table.columns):
        raise DataError(
            "these features have one row per company: make a panel of years from a companies file "
            "with a row per filing (finsae build-features --companies FILE --yearly)"
        )
    one_of("company", company, table["company"].unique())
    rows = table.assign(row=np.arange(len(table)))
    return rows[rows["company"] == company].sort_values("year")


def _two(rows: pd.DataFrame, company: str, since: int | None, until: int | None) -> tuple[int, int]:
    """Places of the two filings among the company's."""
    years = rows["year"].tolist()
    for year in (since, until):
        if year is not None and year not in years:
            raise DataError(
                f"{company} has no filing of {year}: there are {', '.join(map(str, years))}"
            )
    last = len(years) - 1 if until is None else years.index(until)
    first = last - 1 if since is None else years.index(since)
    if len(years) < 2 or first < 0:
        raise DataError(
            f"{company} has no filing before that of {years[max(last, 0)]}: nothing to compare"
        )
    if first >= last:
        raise DataError(f"the filing of {years[first]} is not before that of {years[last]}")
    return first, last


def _weighted(panel: Features, day: pd.Timestamp) -> Features:
    """Weight by the idf among the companies known by the day, each by its last filing."""
    table = panel.companies.assign(row=np.arange(len(panel.companies)))
    known = table[table["date"] <= day].sort_values("date", kind="stable")
    teachers = known.drop_duplicates("company", keep="last")["row"].to_numpy()
    if not reading_of(panel).idf or len(teachers) < MIN_IDF:
        return panel
    return panel.weighted(idf(sparse.csr_array(panel.matrix[teachers])))


def _texts(known: Features, old: int, new: int) -> tuple[Text, Text]:
    read = [places(known, row) for row in (old, new)]
    fresh = changed_sentences(*(_sentence_texts(one) for one in read))
    found = []
    for row, one, changed in zip((old, new), read, fresh, strict=True):
        values = known.matrix[[row]].toarray().ravel().astype(np.float64)
        share = changed.astype(np.float64) @ one.by_sentence()
        found.append(Text(row, values, one, changed, values * np.asarray(share).ravel()))
    return found[0], found[1]


def _sentence_texts(read: Places) -> list[str]:
    return [read.text[start:end] for start, end in read.sentences]


def changed_sentences(
    before: Sequence[str], after: Sequence[str], *, alike: float = ALIKE
) -> tuple[BoolArray, BoolArray]:
    """Tell which sentences of two texts have no like in the other.

    Parameters
    ----------
    before, after : sequence of str
        Sentences. Numbers do not count, nor does case.
    alike : float
        Shared words by all words of two sentences (Jaccard), from which they are alike.

    Returns
    -------
    ndarray of bool, ndarray of bool
        One per sentence of either text.
    """
    sides = [[_words(sentence) for sentence in text] for text in (before, after)]
    exact = [Counter(map(frozenset, side)) for side in sides]
    changed = []
    for side, own, other in ((0, sides[0], sides[1]), (1, sides[1], sides[0])):
        rest = [words for words in other if words and not exact[side][frozenset(words)]]
        changed.append(
            np.array(
                [
                    bool(words)
                    and not exact[1 - side][frozenset(words)]
                    and not any(_jaccard(words, theirs) >= alike for theirs in rest)
                    for words in own
                ],
                dtype=bool,
            )
        )
    return changed[0], changed[1]


def _words(sentence: str) -> set[str]:
    return {word for word in WORD.findall(sentence.lower()) if not any(map(str.isdigit, word))}


def _jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


def _kinds(before: Text, after: Text, change: FloatArray) -> list[str]:
    kinds = np.where(change > 0, "strengthened", "weakened").astype(object)
    kinds[(change > 0) & (before.values <= FAINT * after.values)] = "gained"
    kinds[(change < 0) & (after.values <= FAINT * before.values)] = "lost"
    return [str(kind) for kind in kinds]


def _feature(
    known: Features, feature: int, change: float, texts: tuple[Text, Text]
) -> dict[str, Any]:
    name = known.names.iloc[feature]
    return {
        "id": feature,
        "label": str(name["label"]),
        "companies": int(name["companies"]),
        "change": change,
        "before": float(texts[0].values[feature]),
        "after": float(texts[1].values[feature]),
        "evidence": {
            leg: _quote(text, feature) for leg, text in zip(("before", "after"), texts, strict=True)
        },
    }


def _quote(text: Text, feature: int) -> str:
    """Quote the sentence that has most of a feature, a changed one if it has any of it."""
    shares = np.asarray(text.read.by_sentence()[:, [feature]].toarray()).ravel()
    fresh = np.where(text.changed, shares, 0.0)
    shares = fresh if fresh.any() else shares
    if not shares.any():
        return ""
    weights = np.asarray(text.read.shares[:, [feature]].toarray()).ravel()
    return quote_of(text.read, int(shares.argmax()), weights)


def _told(row: pd.Series) -> dict[str, Any]:
    found = {"year": int(row["year"]), "date": f"{row['date']:%Y-%m-%d}"}
    return found | ({"symbol": str(row["symbol"])} if "symbol" in row else {})


def _cosine(one: FloatArray, other: FloatArray) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths else 0.0


def _usual(known: Features, day: pd.Timestamp, company: str) -> float | None:
    """Median cosine of the other companies' neighbouring filings."""
    table = known.companies.assign(row=np.arange(len(known.companies)))
    table = table[(table["date"] <= day) & (table["company"] != company)]
    table = table.sort_values(["company", "year"], kind="stable")
    same = (table["company"] == table["company"].shift()).to_numpy()
    rows = table["row"].to_numpy()
    if not same.any():
        return None
    matrix = sparse.csr_array(known.matrix).astype(np.float64)
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    one, other = rows[np.flatnonzero(same) - 1], rows[same]
    dots = np.asarray(matrix[one].multiply(matrix[other]).sum(axis=1)).ravel()
    return float(np.median(dots / np.maximum(lengths[one] * lengths[other], 1e-12)))
