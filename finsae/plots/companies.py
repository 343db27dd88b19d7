"""Companies: their map, one cluster's matrix, and what makes one pair alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from finsae.plots.spec import Axis, Bars, Cells, Figure, Panel, Points
from finsae.plots.style import COLOURS, GREY, OKABE_ITO, SYMBOLS, short


def company_map(
    companies: pd.DataFrame,
    features: pd.DataFrame | None = None,
    *,
    names: Mapping[Any, str] | None = None,
    by: str = "cluster",
) -> Figure:
    """Draw companies in the plane, the seven largest groups coloured.

    Parameters
    ----------
    companies : DataFrame
        Columns ticker, name, cluster, x, y; ``industry`` is shown on hovering where it is there.
    features : DataFrame, optional
        Columns ticker, label, value: the features shown on hovering, the three largest.
    names : mapping, optional
        Names of clusters; by default "cluster <label>". A cluster without a name is none.
    by : str
        Column whose groups are coloured, "cluster" or "industry".

    Notes
    -----
    The last layer is empty and named "found": a page's search draws its hit with it.
    """
    names = names or {c: f"cluster {c}" for c in companies["cluster"].unique()}
    groups = companies["cluster"].map(names) if by == "cluster" else companies[by]
    shown = companies.assign(text=_hover(companies, features, names), group=groups)
    sizes = shown["group"].value_counts()
    large = list(sizes[sizes > 1].index[: len(SYMBOLS)])
    others = shown[~shown["group"].isin(large)]
    layers = [_points(others, f"others ({len(others)})", GREY, "circle")] if len(others) else []
    for name, colour, symbol in zip(large, OKABE_ITO, SYMBOLS, strict=False):
        members = shown[shown["group"] == name]
        layers.append(_points(members, f"{short(name, 30)} ({len(members)})", colour, symbol))
    layers.append(Points([], [], name="found", symbols="circle-open"))
    what = {"cluster": "clusters", "industry": "industries (SIC major groups)"}[by]
    title = "Companies near one another have similar features"
    return Figure(
        title=title,
        reading=(
            "Only nearness means something: the axes have no unit, and a plane cannot keep all "
            f"distances. Coloured: the {len(large)} largest {what}. n = {len(shown)} companies."
        ),
        alt=f"{title}. Scatter of {len(shown)} companies; the clusters' table lists their members.",
        panels=[
            Panel(
                Axis("first map coordinate (no unit)", bare=True),
                Axis("second map coordinate (no unit)", bare=True),
                layers,
            )
        ],
        height=560,
        legend=True,
    )


HEAT_TITLES = {
    "similarity": "Before the cut, the descriptions' similarity is {} on the average",
    "correlation": "After the cut, the monthly returns' correlation is {} on the average",
}


def heat_map(heat: pd.DataFrame, *, column: str) -> Figure:
    """Draw one cluster's pairs as a matrix, ordered so that similar companies are neighbours.

    Parameters
    ----------
    heat : DataFrame
        Columns a, b, similarity, correlation; every ordered pair, or each pair once.
    column : str
        "similarity" or "correlation". The order is always that of the similarity, so that two
        maps can be read side by side.
    """
    square = _square(heat, "similarity")
    order = _leaf_order(square)
    values = _square(heat, column).loc[order, order].to_numpy(dtype=float, copy=True)
    np.fill_diagonal(values, np.nan)
    pairs = values[np.triu_indices_from(values, 1)]
    known = pairs[np.isfinite(pairs)]
    mean = f"{known.mean():.2f}" if len(known) else "not known"
    title = HEAT_TITLES[column].format(mean)
    return Figure(
        title=title,
        reading=(
            f"Over the cluster's {pairs.size} pairs. A picture of one cluster, not a test. "
            f"n = {len(order)} companies."
        ),
        alt=f"{title}. Matrix of {len(order)} companies, the most similar next to one another.",
        panels=[
            Panel(
                Axis("company", "names", names=order, small=True),
                Axis("company", "names", names=order, small=True, turned=True),
                [Cells(values, f"{column} (no unit)")],
            )
        ],
        height=460,
    )


def contributions(explained: pd.DataFrame) -> Figure:
    """Draw what the strongest shared features add to the similarity of one pair.

    Parameters
    ----------
    explained : DataFrame
        Columns a, b, id, label, contribution, largest first; one pair. The row of all other
        features (id -1) is no bar, which would dwarf the named ones: the reading states it.
    """
    rest = explained["id"] == -1
    rows = explained[~rest][::-1].reset_index(drop=True)
    pair = " and ".join(str(explained[leg].iloc[0]) for leg in ("a", "b"))
    total, named = float(explained["contribution"].sum()), float(rows["contribution"].sum())
    low, high = rows["contribution"].min(), rows["contribution"].max()
    more = f"all others, each smaller, {total - named:.3f}" if rest.any() else "there are no others"
    names = [
        f"{short(str(label), 60)} #{id_}"
        for label, id_ in zip(rows["label"], rows["id"], strict=True)
    ]
    bars = Bars(
        np.arange(len(rows)),
        rows["contribution"].to_numpy(float),
        colour=COLOURS["sae"],
        lying=True,
        names=names,
        written=[f"{value:.3f}" for value in rows["contribution"]],
    )
    across = Axis("contribution to similarity (no unit)", span=(min(0.0, low * 1.2), high * 1.2))
    title = f"Why {pair} are alike: what each shared feature adds"
    told = (f"{row['label']} {row['contribution']:.3f}" for _, row in rows[::-1].iterrows())
    return Figure(
        title=title,
        reading=(
            f"The similarity is {total:.3f}: these features add {named:.3f}, {more}. A feature is "
            f"named by words it fires on in the training text. n = {len(rows)} features shown."
        ),
        alt=f"{title}. {'; '.join(told)}.",
        panels=[Panel(across, Axis("shared feature", bare=True), [bars])],
        height=110 + 38 * len(rows),
    )


def _hover(
    companies: pd.DataFrame, features: pd.DataFrame | None, names: Mapping[Any, str]
) -> list[str]:
    top: dict[str, str] = {}
    if features is not None and len(features):
        largest = features.sort_values("value", ascending=False, kind="stable").groupby("ticker")
        top = {str(t): "; ".join(group["label"].unique()[:3]) for t, group in largest}
    texts = []
    for row in companies.to_dict("records"):
        cluster = names.get(row["cluster"], "in no cluster")
        lines = [row.get("industry") or "", cluster, top.get(row["ticker"], "")]
        head = " ".join(f"{row['name']} ({row['ticker']})".split())
        texts.append("\n".join([head, *(short(line, 70) for line in lines if line)]))
    return texts


def _points(rows: pd.DataFrame, name: str, colour: str, symbol: str) -> Points:
    return Points(
        rows["x"].to_numpy(float),
        rows["y"].to_numpy(float),
        name=name,
        colours=colour,
        symbols=symbol,
        hover=rows["text"].tolist(),
        keys=rows["ticker"].tolist(),
    )


def _square(heat: pd.DataFrame, column: str) -> pd.DataFrame:
    both = pd.concat([heat, heat.rename(columns={"a": "b", "b": "a"})])
    # dropna=False: a pair without common months stays a row and a column
    return both.pivot_table(index="a", columns="b", values=column, aggfunc="first", dropna=False)


def _leaf_order(square: pd.DataFrame) -> list[str]:
    if len(square) < 3:
        return [str(name) for name in square.index]
    distance = 1.0 - np.nan_to_num(square.to_numpy(dtype=float), nan=0.0)
    np.fill_diagonal(distance, 0.0)
    tree = hierarchy.linkage(squareform((distance + distance.T) / 2, checks=False), "average")
    return [str(square.index[int(leaf)]) for leaf in hierarchy.leaves_list(tree)]
