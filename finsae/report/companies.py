"""The companies: their map with its search, one cluster, all clusters."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from finsae import plots
from finsae.cluster.sic_table import MAJOR_GROUPS
from finsae.methods import in_order, label
from finsae.report.parts import Part, Row, Section, Words, figure, table
from finsae.report.summary import records
from finsae.result import Result

EXCERPT = 280  # characters of a description shown in the search's card


def industry(sic: object) -> str:
    """Name the major group of a SIC code, without the list of what it includes and leaves out."""
    name = MAJOR_GROUPS.get(sic[:2] if isinstance(sic, str) else "", "industry unknown")
    return re.split(r";|, except", name, flags=re.IGNORECASE)[0].capitalize()


def company_map(result: Result) -> Section:
    """Draw the map; its search box reads `cards`."""
    companies = result.tables.get("companies")
    title = "Map of the companies"
    if companies is None or not {"x", "y", "cluster"} <= set(companies.columns):
        return Section("map", title, [Words(["This run has no map of companies."])])
    features = result.tables.get("features")
    known = companies.assign(industry=[industry(sic) for sic in companies["sic"]])
    names = cluster_names(companies, features)
    drawn = [
        plots.company_map(known, features, names=names, by=by) for by in ("industry", "cluster")
    ]
    choices = ["coloured by industry", "coloured by cluster"]
    return Section("map", title, [figure("companies", *drawn, choices=choices, search=True)])


def cards(result: Result) -> list[dict[str, Any]]:
    """Collect what the search shows of each company."""
    companies = result.tables.get("companies")
    if companies is None or not {"x", "y", "cluster"} <= set(companies.columns):
        return []
    features, peers = result.tables.get("features"), result.tables.get("peers")
    names = cluster_names(companies, features)
    labels = _lists(features, "label", by="value", ascending=False)
    own = result.provenance.get("method", "sae")
    near = _lists(None if peers is None else peers[peers["method"] == own], "peer", by="rank")
    return [
        {
            "ticker": row["ticker"],
            "name": str(row["name"]),
            "industry": industry(row["sic"]),
            "cluster": names.get(row["cluster"], "in no cluster"),
            "features": labels.get(row["ticker"], [])[:6],
            "peers": near.get(row["ticker"], [])[:8],
            "text": _excerpt(str(row.get("description") or "")),
            "x": round(float(row["x"]), 4),
            "y": round(float(row["y"]), 4),
        }
        for row in records(companies)
    ]


def heat(result: Result) -> Section:
    """Draw one cluster's similarities beside its later correlations."""
    pairs = result.tables.get("heat")
    title = "One cluster, before and after the cut"
    if pairs is None or pairs["a"].nunique() < 2:
        return Section("heat", title, [Words(["This run has no cluster of two or more to draw."])])
    drawn = [
        figure("heat-similarity", plots.heat_map(pairs, column="similarity")),
        figure("heat-correlation", plots.heat_map(pairs, column="correlation")),
    ]
    return Section("heat", title, [Row(drawn)])


def clusters(result: Result) -> Section:
    """List the clusters with what their members share, and compare clusterings by size."""
    companies = result.tables.get("companies")
    title = "Clusters"
    parts: list[Part] = []
    if companies is not None and "cluster" in companies:
        summary = cluster_summary(companies, result.tables.get("features"))
        alone = len(companies) - int(summary["Companies"].sum())
        parts += [
            Words([f"{len(summary)} clusters of two or more; {alone} companies are in none."]),
            table("clusters", summary, "Clusters, the largest first"),
        ]
    labels = result.tables.get("clusters")
    if labels is not None and len(labels):
        parts.append(table("clusterings", clusterings(labels), "All clusterings of this run"))
    return Section("clusters", title, parts or [Words(["This run has no clusters."])])


def cluster_summary(companies: pd.DataFrame, features: pd.DataFrame | None) -> pd.DataFrame:
    """Describe each cluster of two or more, the largest first.

    Parameters
    ----------
    companies : DataFrame
        Columns ticker, sic, cluster; -1 or a missing label is no cluster.
    features : DataFrame or None
        Columns ticker, label: the top features of every company.

    Returns
    -------
    DataFrame
        ``Cluster, Companies, Shared features, Industries, Members``. Shared features are those
        most commoner among members than among the others.
    """
    rows = []
    names = cluster_names(companies, features)
    for cluster, members in _groups(companies):
        rows.append(
            {
                "Cluster": names[cluster],
                "Companies": len(members),
                "Shared features": "; ".join(_typical(members["ticker"], features, 3)) or None,
                "Industries": _mix(members["sic"]),
                "Members": ", ".join(members["ticker"]),
            }
        )
    columns = ["Cluster", "Companies", "Shared features", "Industries", "Members"]
    return pd.DataFrame(rows, columns=columns)


def cluster_names(companies: pd.DataFrame, features: pd.DataFrame | None) -> dict[Any, str]:
    """Name each cluster of two or more: its number, and the words that the run found for it.

    Where a run has none, the most typical feature or the industries stand for them.
    """
    names = {}
    for cluster, members in _groups(companies):
        words = members["cluster_name"].iloc[0] if "cluster_name" in members else ""
        typical = [words] if words else _typical(members["ticker"], features, 1)
        names[cluster] = f"{cluster}: {typical[0] if typical else _mix(members['sic'])}"
    return names


def clusterings(labels: pd.DataFrame) -> pd.DataFrame:
    """Compare clusterings: how many clusters, how large, how many companies are in one."""
    rows = []
    groups = {str(name): group for name, group in labels.groupby("clusterer", sort=False)}
    for name in in_order(groups):
        group = groups[name]
        sizes = group.loc[_labelled(group["label"]), "label"].value_counts()
        sizes = sizes[sizes > 1]
        rows.append(
            {
                "Clustering": label(name),
                "Clusters of two or more": len(sizes),
                "Largest": int(sizes.max()) if len(sizes) else 0,
                "Share of companies in one": float(sizes.sum() / len(group)),
            }
        )
    return pd.DataFrame(rows)


def _groups(companies: pd.DataFrame) -> list[tuple[Any, pd.DataFrame]]:
    labelled = companies[_labelled(companies["cluster"])]
    groups = [(c, members) for c, members in labelled.groupby("cluster") if len(members) > 1]
    return sorted(groups, key=lambda item: (-len(item[1]), len(str(item[0])), str(item[0])))


def _labelled(labels: pd.Series) -> pd.Series[bool]:
    return labels.notna() & (labels.astype(str) != "-1")


def _typical(tickers: pd.Series[str], features: pd.DataFrame | None, top: int) -> list[str]:
    """Features commoner among members than among the others; of equals, the stronger ones."""
    if features is None or features.empty:
        return []
    inside = features["ticker"].isin(set(tickers))
    mine = features[inside].groupby("label")["value"].agg(["size", "sum"])
    others = max(features["ticker"].nunique() - len(tickers), 1)
    elsewhere = features.loc[~inside, "label"].value_counts().reindex(mine.index, fill_value=0)
    mine["excess"] = mine["size"] / len(tickers) - elsewhere / others
    ranked = mine[mine["size"] > 1].sort_values(["excess", "sum"], ascending=False, kind="stable")
    return [str(name) for name in ranked.index[:top]]


def _mix(sic: pd.Series[str]) -> str:
    counts = sic.map(industry).value_counts()
    shown = [f"{name} {count}" for name, count in counts.head(3).items()]
    return "; ".join(shown + ([f"{len(counts) - 3} more"] if len(counts) > 3 else []))


def _lists(
    frame: pd.DataFrame | None, column: str, *, by: str, ascending: bool = True
) -> dict[str, list[str]]:
    if frame is None or frame.empty:
        return {}
    ordered = frame.sort_values(by, ascending=ascending, kind="stable")
    groups = ordered.groupby("ticker")[column]
    return {str(t): [str(value) for value in values.unique()] for t, values in groups}


def _excerpt(text: str) -> str:
    return text if len(text) <= EXCERPT else f"{text[:EXCERPT].rsplit(' ', 1)[0]} …"
