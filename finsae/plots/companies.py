"""Companies: their map, one cluster's matrix, and what makes one pair alike."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from finsae.plots.style import COLOURS, GREY, OKABE_ITO, SYMBOLS, short, styled


def company_map(
    companies: pd.DataFrame,
    features: pd.DataFrame | None = None,
    *,
    names: Mapping[Any, str] | None = None,
    by: str = "cluster",
) -> go.Figure:
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
    The last trace is empty and named "found": a page's search draws its hit with it.
    """
    names = names or {c: f"cluster {c}" for c in companies["cluster"].unique()}
    groups = companies["cluster"].map(names) if by == "cluster" else companies[by]
    shown = companies.assign(text=_hover(companies, features, names), group=groups)
    sizes = shown["group"].value_counts()
    large = list(sizes[sizes > 1].index[: len(SYMBOLS)])
    others = shown[~shown["group"].isin(large)]
    figure = go.Figure(_points(others, f"others ({len(others)})", GREY, "circle"))
    for name, colour, symbol in zip(large, OKABE_ITO, SYMBOLS, strict=False):
        members = shown[shown["group"] == name]
        title = escape(f"{short(name, 30)} ({len(members)})")
        figure.add_trace(_points(members, title, colour, symbol))
    figure.add_trace(_ring())
    what = {"cluster": "clusters", "industry": "industries (SIC major groups)"}[by]
    styled(
        figure,
        title="Companies near one another have similar features",
        height=560,
        reading=(
            "Only nearness means something: the axes have no unit, and a plane cannot keep all "
            f"distances. Coloured: the {len(large)} largest {what}. n = {len(shown)} companies."
        ),
        alt=f"Scatter of {len(shown)} companies; the clusters' table below lists their members.",
    )
    bare = {"showticklabels": False, "showgrid": False, "zeroline": False}
    figure.update_xaxes(title="first map coordinate (no unit)", **bare)
    figure.update_yaxes(title="second map coordinate (no unit)", **bare)
    return figure.update_layout(
        hovermode="closest", showlegend=True, legend={"itemsizing": "constant"}
    )


HEAT_TITLES = {
    "similarity": "Similarity of the descriptions, before the cut",
    "correlation": "Correlation of monthly returns, after the cut",
}


def heat_map(heat: pd.DataFrame, *, column: str) -> go.Figure:
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
    values = _square(heat, column).loc[order, order].to_numpy(copy=True)
    np.fill_diagonal(values, np.nan)
    pairs = values[np.triu_indices_from(values, 1)]
    known = pairs[np.isfinite(pairs)]
    mean = f"{known.mean():.2f}" if len(known) else "not known"
    figure = go.Figure(
        go.Heatmap(
            z=values.astype(np.float32),
            x=order,
            y=order,
            colorscale="Cividis",
            zmin=min(0.0, float(np.nanmin(pairs, initial=0.0))),
            colorbar={"thickness": 10, "title": {"text": column, "side": "right"}},
            hovertemplate="%{y} and %{x}: %{z:.2f}<extra></extra>",
        )
    )
    styled(
        figure,
        title=HEAT_TITLES[column],
        height=460,
        reading=(
            f"Mean over the cluster's {pairs.size} pairs: {mean}. A picture of "
            f"one cluster, not a test. n = {len(order)} companies."
        ),
        alt=f"Matrix of {column} between {len(order)} companies, mean {mean}",
    )
    step = max(1, round(len(order) / 30))
    figure.update_yaxes(
        autorange="reversed",
        title="company",
        tickfont={"size": 9},
        dtick=step,
        showgrid=False,
    )
    return figure.update_xaxes(
        title="company", tickfont={"size": 9}, tickangle=-90, dtick=step, showgrid=False
    )


def contributions(explained: pd.DataFrame) -> go.Figure:
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
    figure = go.Figure(
        go.Bar(
            x=rows["contribution"],
            y=rows.index,
            orientation="h",
            width=0.45,
            marker={"color": COLOURS["sae"]},
            text=[f"{value:.3f}" for value in rows["contribution"]],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{x:.4f}<extra></extra>",
        )
    )
    for place, row in rows.iterrows():
        figure.add_annotation(
            {"x": 0, "y": place, "yshift": 17, "xanchor": "left", "showarrow": False},
            text=escape(f"{short(str(row['label']), 60)} #{row['id']}"),
        )
    more = f"all others, each smaller, {total - named:.3f}" if rest.any() else "there are no others"
    styled(
        figure,
        title=f"Why {pair} are alike: what each shared feature adds",
        x="contribution to similarity (no unit)",
        height=110 + 42 * len(rows),
        reading=(
            f"The similarity is {total:.3f}: these features add {named:.3f}, {more}. A feature is "
            f"named by words it fires on in the training text. n = {len(rows)} features shown."
        ),
        alt="; ".join(f"{row['label']} {row['contribution']:.3f}" for _, row in rows.iterrows()),
    )
    figure.update_xaxes(range=[min(0.0, low * 1.2), high * 1.2])
    return figure.update_yaxes(
        title="shared feature", showticklabels=False, showgrid=False, zeroline=False
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
        head = f"<b>{escape(str(row['name']))}</b> ({escape(str(row['ticker']))})"
        texts.append("<br>".join([head, *(escape(short(line, 70)) for line in lines if line)]))
    return texts


def _points(rows: pd.DataFrame, name: str, colour: str, symbol: str) -> go.Scatter:
    return go.Scatter(
        x=rows["x"].astype(np.float32),
        y=rows["y"].astype(np.float32),
        mode="markers",
        name=name,
        text=rows["text"],
        customdata=rows["ticker"],
        hovertemplate="%{text}<extra></extra>",
        marker={"color": colour, "symbol": symbol, "size": 8, "opacity": 0.85},
    )


def _ring() -> go.Scatter:
    return go.Scatter(
        x=[],
        y=[],
        text=[],
        mode="markers+text",
        name="found",
        showlegend=False,
        hoverinfo="skip",
        textposition="top center",
        textfont={"size": 14},
        marker={
            "symbol": "circle-open",
            "size": 22,
            "color": "#D55E00",
            "line": {"width": 3, "color": "#D55E00"},
        },
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
