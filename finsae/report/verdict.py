"""What a run found, in plain words: who is best, by how much, and what cannot be told apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from finsae.methods import label
from finsae.metrics import has_interval, interval
from finsae.report.summary import differences, levels, records, separated, turned, with_p
from finsae.result import SUSPICIOUS


class Question(NamedTuple):
    """What is asked of a metric of which more is better.

    Attributes
    ----------
    best : str
        What the best method is best at.
    measure : str
        Its score in a sentence, with {} for the number.
    digits : int
        After the point.
    """

    best: str
    measure: str
    digits: int = 3


QUESTIONS = {
    "peer_r2": Question("Best at explaining later returns", "a peer R² of {}"),
    "peer_correlation": Question("Peers that move together most", "a peer correlation of {}"),
}
"""Metrics that the summary asks about, the headline first."""
HEDGE = Question("Best hedge", "{} % of the median company's later variance removed", 1)
LEVEL = 0.05
"""Adjusted p above which a lead is not told as one."""
DRAWN = "draws"
"""Kind of interval that says how far draws of chance lie apart, not how sure an estimate is."""
MEANING = (
    "Peer R² is the share of a month's differences between companies' returns, after the cut, that "
    "the average return of each company's {} explains: 0 is nothing, 1 all."
)


def summary_lines(scores: pd.DataFrame, facts: Mapping[str, Any]) -> list[str]:
    """Say what a run found, one sentence or two per line, without markup.

    Parameters
    ----------
    scores : DataFrame
        Columns ``method, metric, value, low, high, n, interval, versus``; ``versus`` is empty
        except in rows of paired differences (`method` minus `versus`).
    facts : mapping
        The run's provenance; ``k`` (peers per company) and ``method`` are used where given.

    Returns
    -------
    list of str
        The headline in two lines: which method is best and by how much; then where the run's own
        method stands, the other questions, and the pairs backtest. Two methods are said to differ
        only if the interval of their paired difference leaves out 0.
    """
    asked = [metric for metric in QUESTIONS if len(levels(scores, metric))]
    if not asked:
        return ["No scores of peers were computed in this run.", *_pairs_lines(scores)]
    lines = []
    for metric in asked:
        rows, paired = levels(scores, metric), with_p(scores, metric)
        lines += verdict(rows, paired, QUESTIONS[metric])
        lines += standing(rows, paired, own_method(rows, facts), QUESTIONS[metric])
    if asked[0] == "peer_r2":
        peers = f"{facts['k']} nearest peers" if facts.get("k") else "nearest peers"
        lines.insert(min(2, len(lines)), MEANING.format(peers))
    return [*lines, *_pairs_lines(scores)]


def verdict(rows: pd.DataFrame, paired: pd.DataFrame, question: Question) -> list[str]:
    """Say which method is best, by how much, and from which others it is not separated.

    Parameters
    ----------
    rows, paired : DataFrame
        Of `finsae.report.summary.levels` and `differences`, of one metric.
    question : Question
    """
    known = [row for row in records(rows) if has_interval(row)]
    bare = [label(row["method"]) for row in records(rows) if not has_interval(row)]
    said = [f"Without an interval, so nothing is claimed: {', '.join(bare)}."] if bare else []
    if not known:
        return said
    top = max(known, key=lambda row: float(row["value"]))
    told = f"{label(top['method'])}, with {question.measure.format(_written(top, question))}"
    leads = [lead for lead in _leads(paired, top["method"]) if has_interval(lead)]
    if not leads:
        words = "no paired differences were computed, so the methods are not compared"
        return [f"Highest estimate: {told}; {words}.", *said]
    ahead = [lead for lead in leads if separated(lead) and not _by_luck(lead)]
    level = [lead for lead in leads if not separated(lead)]
    unsure = [lead for lead in leads if separated(lead) and _by_luck(lead)]
    against = (
        f"but not separated from {_listed([label(lead['versus']) for lead in level + unsure])}"
        if level or unsure
        else "above all that it was compared with"
    )
    compared = {top["method"], *(lead["versus"] for lead in leads)}
    others = [label(row["method"]) for row in known if row["method"] not in compared]
    said += [f"Not compared with {label(top['method'])}: {', '.join(others)}."] if others else []
    return [
        f"{question.best}: {told}, {against}.",
        _by_how_much(ahead, level, unsure, question),
        *said,
    ]


def _by_how_much(
    ahead: list[dict[str, Any]],
    level: list[dict[str, Any]],
    unsure: list[dict[str, Any]],
    question: Question,
) -> str:
    told = []
    if ahead:
        least = min(ahead, key=lambda lead: float(lead["value"]))
        place = "the best of those behind it" if level or unsure else "the next"
        lead = interval(least, digits=question.digits)
        told.append(f"It leads {label(least['versus'])}, {place}, by {lead}.")
    if level:
        others = "the others" if ahead or unsure else "all others"
        told.append(
            f"Its leads over {others} are not separated from 0: {_named(level, question.digits)}."
        )
    if unsure:
        told.append(
            "By its own interval, but not once all differences are read at once, it leads "
            f"{_named(unsure, question.digits)}."
        )
    return " ".join(told)


def _by_luck(lead: Mapping[str, Any]) -> bool:
    """Whether a lead may be the luck of the largest of many: its adjusted p is known, and large."""
    return bool(lead.get("p", math.nan) > LEVEL)


def standing(
    rows: pd.DataFrame, paired: pd.DataFrame, method: str, question: Question
) -> list[str]:
    """Say what a method is above, not separated from, and below; nothing if it is not compared."""
    leads = _leads(paired, method)
    if method not in rows.index or not leads:
        return []
    kinds = {
        "above": [lead for lead in leads if separated(lead) and lead["value"] > 0],
        "not separated from": [
            lead for lead in leads if has_interval(lead) and not separated(lead)
        ],
        "below": [lead for lead in leads if separated(lead) and lead["value"] < 0],
    }
    told = [f"{words} {_named(mine, question.digits)}" for words, mine in kinds.items() if mine]
    bare = [label(lead["versus"]) for lead in leads if not has_interval(lead)]
    told += [f"not compared with {', '.join(bare)}: no interval is available"] if bare else []
    score = question.measure.format(_written(records(rows.loc[[method]])[0], question))
    return [f"{label(method)}, with {score}: {'; '.join(told)}."]


def standings(rows: pd.DataFrame, paired: pd.DataFrame) -> pd.DataFrame:
    """Rank the methods of one metric, and say whether each is separated from the highest.

    Parameters
    ----------
    rows, paired : DataFrame
        Of `finsae.report.summary.levels` and `with_p`.

    Returns
    -------
    DataFrame
        ``method, score, behind, p, standing``; empty where nothing is compared.
    """
    known = sorted((r for r in records(rows) if has_interval(r)), key=lambda r: -float(r["value"]))
    leads = {lead["versus"]: lead for lead in _leads(paired, known[0]["method"])} if known else {}
    found = []
    for place, row in enumerate(known if leads else []):
        lead = leads.get(row["method"])
        behind = turned(lead) if lead else None
        apart = "not separated from the highest"
        if lead and separated(lead):
            apart = "behind by its own interval only" if _by_luck(lead) else "behind"
        found.append(
            {
                "method": row["method"],
                "score": row,
                "behind": behind,
                "p": lead.get("p") if lead else None,
                "standing": "highest" if not place else apart if lead else "not compared",
            }
        )
    return pd.DataFrame(found, columns=["method", "score", "behind", "p", "standing"])


def own_method(rows: pd.DataFrame, facts: Mapping[str, Any]) -> str:
    """Name the method that a run is about: its features, or the first in the order shown."""
    own = str(facts.get("method", ""))
    return own if own in rows.index else str(rows.index[0])


def _leads(paired: pd.DataFrame, method: str) -> list[dict[str, Any]]:
    """Read every difference with a method as what it is ahead of the other."""
    mine = [row for row in records(paired) if row["method"] == method]
    return mine + [turned(row) for row in records(paired) if row["versus"] == method]


def _written(row: Mapping[str, Any], question: Question) -> str:
    return interval(row, digits=question.digits)


def _signed(row: Mapping[str, Any], digits: int) -> str:
    return interval(row, signed=True, digits=digits)


def _named(leads: list[dict[str, Any]], digits: int) -> str:
    told = (
        f"{label(lead['versus'])} {_signed(lead, digits)}"
        + (f" (p {lead['p']:.2f})" if separated(lead) and _by_luck(lead) else "")
        for lead in leads
    )
    return ", ".join(told)


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _pairs_lines(scores: pd.DataFrame) -> list[str]:
    rows = records(levels(scores, "sharpe_net"))
    if not rows:
        return ["No pairs backtest was part of this run."]
    traded = [row for row in rows if pd.notna(row["value"])]
    idle = [label(row["method"]) for row in rows if pd.isna(row["value"])]
    lines = _sharpe_lines(traded) if traded else []
    if idle:
        lines.append(f"No trades, so no Sharpe ratio: {', '.join(idle)}.")
    compared = records(differences(scores, "sharpe_net"))
    apart = [row for row in compared if separated(row)]
    lines += [f"Sharpe ratio: {_difference_line(row)}" for row in apart]
    if compared and not apart:
        lines.append("No paired difference of Sharpe ratios is separated from 0.")
    if len(traded) > 1 and not compared:
        lines.append("The Sharpe ratios were not compared in pairs, so the methods are not ranked.")
    return lines + [_suspect_line(row) for row in traded if abs(row["value"]) > SUSPICIOUS]


def _sharpe_lines(rows: list[dict[str, Any]]) -> list[str]:
    listing = "; ".join(f"{label(row['method'])} {_sharpe(row)}" for row in rows)
    apart = [row for row in rows if separated(row) and row["interval"] != DRAWN]
    gains = [label(row["method"]) for row in apart if row["value"] > 0]
    losses = [label(row["method"]) for row in apart if row["value"] < 0]
    verdicts = [f"above 0 after costs: {', '.join(gains) or 'none'}"]
    verdicts += [f"below 0: {', '.join(losses)}"] if losses else []
    bare = [label(row["method"]) for row in rows if not has_interval(row)]
    claim = f" Without an interval, so nothing is claimed: {', '.join(bare)}." if bare else ""
    return [
        f"Trading the pairs, Sharpe ratio separated {'; '.join(verdicts)}.{claim}",
        f"Sharpe ratios after costs: {listing}.",
    ]


def _sharpe(row: Mapping[str, Any]) -> str:
    """Write a Sharpe ratio; the spread of random draws is no interval of an estimate."""
    if row["interval"] != DRAWN or not has_interval(row):
        return interval(row, digits=2)
    ends = f"{row['low']:z.2f} to {row['high']:z.2f}"
    return f"{row['value']:z.2f} (the middle 95 % of its draws: {ends})"


def _difference_line(row: Mapping[str, Any]) -> str:
    side = "above" if row["value"] > 0 else "below"
    return f"{label(row['method'])} is {side} {label(row['versus'])}: {_signed(row, 3)}."


def _suspect_line(row: Mapping[str, Any]) -> str:
    return (
        f"{label(row['method'])}: a Sharpe ratio beyond {SUSPICIOUS:.0f} is more likely an "
        "error in data or rules than a finding; check before believing it."
    )
