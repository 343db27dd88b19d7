"""What a basket of peers removes of a company's variance: the use that risk managers pay for."""

from __future__ import annotations

import pandas as pd

from finsae import plots
from finsae.metrics import HEDGING
from finsae.report.findings import difference_table, score_table
from finsae.report.parts import Part, Row, Section, Words, figure, table
from finsae.report.summary import differences, leading, levels
from finsae.report.verdict import HEDGE, own_method, standing, verdict
from finsae.result import Result

TITLE = "Hedging with a basket of peers"
METHOD = (
    "Each company is hedged with an equally weighted basket of its nearest peers. The hedge ratio "
    "is the slope of the company's monthly returns on the basket's, over the last 36 months before "
    "the cut; the variance is that of the months after it. Costs of trading and borrowing are not "
    "counted. Leads and other differences are in percentage points.",
)


def hedging(result: Result) -> Section:
    """Show how much of the median company's variance each method's peers remove out of sample."""
    rows = removed(levels(result.scores, "hedged_variance"))
    if rows.empty:
        missing = "No hedges were measured in this run: they need 24 months of returns before the"
        return Section("hedging", TITLE, [Words([f"{missing} cut."])])
    paired = removed(differences(result.scores, "hedged_variance"))
    axis = "variance removed, %"
    shown = plots.leaderboard(rows, axis=axis, title="Variance removed, %", digits=1)
    drawn = [figure("hedge-levels", shown)]
    if len(paired):
        axis = "difference, percentage points"
        shown = plots.paired_differences(leading(paired), axis=axis, digits=1)
        drawn.append(figure("hedge-differences", shown))
    parts: list[Part] = [
        Words(hedging_lines(rows, paired, own_method(rows, result.provenance)), listed=True),
        Words(METHOD),
        Row(drawn),
        table("hedge", score_table(rows, HEDGING), "Variance removed by method", data=rows),
    ]
    if len(paired):
        caption = "All paired differences of variance removed, percentage points"
        shown_differences = difference_table(paired, digits=1)
        parts.append(table("hedge-paired", shown_differences, caption, data=paired))
    return Section("hedging", TITLE, parts)


def hedging_lines(rows: pd.DataFrame, paired: pd.DataFrame, method: str) -> list[str]:
    """Say in words whose baskets of peers remove most, by how much, and where `method` stands."""
    return [*verdict(rows, paired, HEDGE), *standing(rows, paired, method, HEDGE)]


def removed(left: pd.DataFrame) -> pd.DataFrame:
    """Turn the share of variance that is left, or a difference of it, into per cent removed."""
    base = (left["versus"].fillna("") == "").to_numpy(float)
    ends = {"value": "value", "low": "high", "high": "low"}
    turned = {end: 100 * (base - left[other]) for end, other in ends.items()}
    return left.assign(**turned, metric="variance_removed")
