"""What the scores say, in plain words: no claim without its interval, no rank it does not bear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from finsae.methods import in_order, label
from finsae.metrics import has_interval, interval, known
from finsae.result import SUSPICIOUS


def separated(row: Mapping[str, Any]) -> bool:
    """Whether a score's interval is there and leaves out 0; an end at 0 covers it."""
    return has_interval(row) and (row["low"] > 0 or row["high"] < 0)


def levels(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Take the rows of one metric, one per method in the order shown, without differences."""
    rows = scores[(scores["metric"] == metric) & ~_paired(scores)]
    rows = rows.drop_duplicates("method").set_index("method", drop=False)
    return rows.loc[in_order(rows["method"])]


def differences(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Take one metric's paired differences, `method` minus `versus`, each pair once.

    Where both directions were computed, the one whose first name is shown earlier is kept.
    """
    rows = scores[(scores["metric"] == metric) & _paired(scores)]
    order = {method: i for i, method in enumerate(in_order([*rows["method"], *rows["versus"]]))}
    rows = rows.sort_values(["method", "versus"], key=lambda names: names.map(order), kind="stable")
    pairs = [frozenset(pair) for pair in zip(rows["method"], rows["versus"], strict=True)]
    return rows[~pd.Series(pairs, index=rows.index, dtype=object).duplicated()]


def leading(paired: pd.DataFrame) -> pd.DataFrame:
    """Take the differences of the first method to all others: what a reader asks first."""
    return paired[paired["method"] == paired["method"].iloc[0]] if len(paired) else paired


def summary_lines(scores: pd.DataFrame, facts: Mapping[str, Any]) -> list[str]:
    """Say what a run found, one sentence per line, without markup.

    Parameters
    ----------
    scores : DataFrame
        Columns ``method, metric, value, low, high, n, interval, versus``; ``versus`` is empty
        except in rows of paired differences (`method` minus `versus`).
    facts : mapping
        The run's provenance; ``k`` (peers per company) is used where it is given.

    Returns
    -------
    list of str
        Peer correlation, its paired differences, then the pairs backtest. Two methods are said to
        differ only if the interval of their paired difference leaves out 0.
    """
    return [
        *_peer_lines(scores, facts),
        *_compared_lines(differences(scores, "peer_correlation")),
        *_pairs_lines(scores),
    ]


def _peer_lines(scores: pd.DataFrame, facts: Mapping[str, Any]) -> list[str]:
    rows = levels(scores, "peer_correlation")
    if rows.empty:
        return ["No peer correlations were computed in this run."]
    peers = f"{facts['k']} nearest peers" if facts.get("k") else "nearest peers"
    listing = "; ".join(f"{label(row['method'])} {interval(row)}" for row in records(rows))
    lines = [f"Correlation of a company's later returns with those of its {peers}: {listing}."]
    bare = [label(row["method"]) for row in records(rows) if not has_interval(row)]
    if bare:
        lines.append(f"Without an interval, so nothing is claimed: {', '.join(bare)}.")
    if differences(scores, "peer_correlation").empty:
        lines.append("No paired differences were computed, so the methods are not compared.")
    return lines


def _compared_lines(paired: pd.DataFrame) -> list[str]:
    if paired.empty:
        return []
    lines = [_difference_line(row) for row in records(leading(paired))]
    best = [row for method in _methods(paired) if (row := _narrowest(paired, method))]
    if len(_methods(paired)) < 3:
        return lines
    if not best:
        return [*lines, "No method is separated above all that it was compared with."]
    closest = best[0]
    shown = f"closest is {label(closest['versus'])}, {interval(closest, signed=True)}"
    return [*lines, f"{label(closest['method'])} is above all that it was compared with: {shown}."]


def _methods(paired: pd.DataFrame) -> list[str]:
    return in_order([*paired["method"], *paired["versus"]])


def _narrowest(paired: pd.DataFrame, method: str) -> dict[str, Any] | None:
    """Find a method's smallest lead, if it is separated above all that it was compared with."""
    mine = [row for row in records(paired) if row["method"] == method]
    turned = [_turned(row) for row in records(paired) if row["versus"] == method]
    rows = mine + turned
    above = all(separated(row) and row["value"] > 0 for row in rows)
    return min(rows, key=lambda row: float(row["value"])) if above else None


def _turned(row: Mapping[str, Any]) -> dict[str, Any]:
    """Read a difference the other way round."""
    ends = {"value": -row["value"], "low": -row["high"], "high": -row["low"]}
    return {**row, **ends, "method": row["versus"], "versus": row["method"]}


def _difference_line(row: Mapping[str, Any]) -> str:
    a, b = label(row["method"]), label(row["versus"])
    shown = interval(row, signed=True)
    if not has_interval(row):
        return f"{a} and {b} are not compared: no interval of their difference is available."
    if not separated(row):
        return f"{a} and {b} are not separated: difference {shown}."
    side = "above" if row["value"] > 0 else "below"
    return f"{a} is {side} {b}: difference {shown}."


def _pairs_lines(scores: pd.DataFrame) -> list[str]:
    rows = records(levels(scores, "sharpe_net"))
    if not rows:
        return ["No pairs backtest was part of this run."]
    traded = [row for row in rows if known(row["value"])]
    idle = [label(row["method"]) for row in rows if not known(row["value"])]
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
    listing = "; ".join(f"{label(row['method'])} {interval(row, digits=2)}" for row in rows)
    apart = [row for row in rows if separated(row)]
    named = [f"{label(r['method'])} ({'gain' if r['value'] > 0 else 'loss'})" for r in apart]
    verdict = (
        f"Separated from 0: {', '.join(named)}."
        if apart
        else "None of these Sharpe ratios is separated from 0."
    )
    bare = [label(row["method"]) for row in rows if not has_interval(row)]
    claim = f" Without an interval, so nothing is claimed: {', '.join(bare)}." if bare else ""
    return [f"Sharpe ratio of the traded pairs after costs: {listing}.", verdict + claim]


def _suspect_line(row: Mapping[str, Any]) -> str:
    return (
        f"{label(row['method'])}: a Sharpe ratio beyond {SUSPICIOUS:.0f} is more likely an "
        "error in data or rules than a finding; check before believing it."
    )


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn a table into one mapping per row."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _paired(scores: pd.DataFrame) -> pd.Series[bool]:
    return scores["versus"].fillna("").astype(str) != ""
