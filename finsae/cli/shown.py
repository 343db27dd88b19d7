"""What the commands show on a terminal: evidence with its words in colour, or in [[brackets]]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from rich.table import Table
from rich.text import Text

from finsae.console import escape, text_table
from finsae.markup import MARKED
from finsae.methods import in_order, label
from finsae.metrics import METRICS, interval

STYLE = "bold black on yellow"
Shown = Text | Table | str


def marked(text: str, colour: bool) -> Text:
    """Show evidence: ``[[words]]`` in colour on a terminal, in their brackets elsewhere."""
    if not colour:
        return Text(text)
    shown = Text()
    for number, part in enumerate(MARKED.split(text)):
        shown.append(part, style=STYLE if number % 2 else None)
    return shown


def percent(share: float) -> str:
    """Write a share as whole per cent."""
    return f"{100 * share:.0f} %"


def pair(found: Mapping[str, Any], colour: bool) -> Iterator[Shown]:
    """Show why two companies are alike: words, sentences, features, what only one has."""
    a, b, shared = found["a"], found["b"], found["shared"]
    yield f"{a} and {b}: similarity {found['similarity']:.3f}"
    named = [row for row in found["features"] if row["id"] >= 0]
    if not named:
        yield "They share no feature."
    else:
        words = [row for row in found["words"] if row["a"]]
        if words:
            yield (
                f"\nWords: {len(words)} pairs of words carry {percent(shared['words'])} of the "
                "similarity."
            )
            yield _words(words, a, b)
            pairs = found["sentences"]["pairs"]
            yield (
                f"\nSentences: {len(pairs)} pairs of sentences carry "
                f"{percent(shared['sentences'])}."
            )
            yield _sentences(pairs, a, b, colour=colour)
        yield (
            f"\nFeatures: {len(named)} of {shared['features']:,} shared features carry "
            f"{percent(shared['named'])}; the others, each smaller, the rest."
        )
        yield _features(found, colour)
    for leg, other in (("a", "b"), ("b", "a")):
        if found["only"][leg]:
            yield f"\nWhat {found[leg]} has and {found[other]} lacks:"
            yield _only(found["only"][leg], found["of"], colour)
    if found["counterfactual"]:
        yield from _counterfactual(found)


def _words(words: Sequence[Mapping[str, Any]], a: str, b: str) -> Table:
    table = text_table(None, "adds", a, b)
    for row in words:
        table.add_row(f"{row['contribution']:.3f}", escape(row["a"]), escape(row["b"]))
    return table


def _sentences(pairs: Sequence[Mapping[str, Any]], a: str, b: str, *, colour: bool) -> Table:
    table = text_table(None, "adds", a, b)
    for row in pairs:
        quotes = (marked(row[quote], colour) for quote in ("quote_a", "quote_b"))
        table.add_row(f"{row['contribution']:.3f}", *quotes)
    return table


def _features(found: Mapping[str, Any], colour: bool) -> Table:
    table = text_table(None, "adds", "without", "id", "feature", "have it", found["a"], found["b"])
    for row in found["features"]:
        evidence = [marked(row["evidence"][leg], colour) for leg in ("a", "b")]
        known = row["id"] >= 0
        table.add_row(
            f"{row['contribution']:.3f}",
            f"{row['without']:.3f}" if known else "",
            str(row["id"]) if known else "",
            escape(row["label"]),
            f"{row['companies']} of {found['of']:,}" if known else "",
            *evidence,
        )
    return table


def _only(rows: Sequence[Mapping[str, Any]], of: int, colour: bool) -> Table:
    table = text_table(None, "id", "feature", "have it", "in the text")
    for row in rows:
        owners = f"{row['companies']} of {of:,}"
        table.add_row(str(row["id"]), escape(row["label"]), owners, marked(row["evidence"], colour))
    return table


def _counterfactual(found: Mapping[str, Any]) -> Iterator[Shown]:
    other = found["counterfactual"]
    labels = "; ".join(f"{item['label']} #{item['id']}" for item in other["features"])
    yield (
        f"\nWithout {escape(labels)}: similarity {other['similarity']:.3f} instead of "
        f"{found['similarity']:.3f}."
    )
    before, after = other["peers"]["before"], other["peers"]["after"]
    yield f"Peers of {found['a']}, before: {', '.join(before)}"
    yield f"Peers of {found['a']}, after:  {', '.join(after)}"
    gone = [peer for peer in before if peer not in after]
    come = [peer for peer in after if peer not in before]
    if gone:
        yield f"Gone: {', '.join(gone)}. New: {', '.join(come)}."


def cluster(found: Mapping[str, Any], colour: bool) -> Iterator[Shown]:
    """Show why a cluster's companies are together."""
    members, others = found["members"], found["others"]
    yield f"Cluster {escape(found['label'])}: {escape(found['name'])}"
    yield f"{len(members)} companies: {', '.join(members)}"
    mix = (f"{item['name']} {item['companies']}" for item in found["industries"])
    yield f"Industries: {escape('; '.join(mix))}"
    yield "Nearest outside: " + _similar(found["outsiders"])
    yield "Loosest inside: " + _similar(found["insiders"])
    yield "\nCommoner inside than among the others (log-odds with 95 % interval; q: false discovery"
    yield "rate over all features; the cluster may have been found by them):"
    columns = (f"of {len(members)}", f"of {others:,} others")
    yield contrast(found["features"], *columns, colour=colour)


def _similar(rows: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{row['ticker']} {row['similarity']:.3f}" for row in rows)


def contrast(
    rows: Sequence[Mapping[Any, Any]], first: str, second: str, *, colour: bool = False
) -> Table:
    """Show features with their log-odds; counts are inside and outside, or gained and lost."""
    told = bool(rows) and "evidence" in rows[0]
    columns = ["id", "feature", first, second, "log-odds", "q", *(["strongest in"] if told else [])]
    table = text_table(None, *columns)
    for row in rows:
        quote = Text(f"{row['ticker']}: ") + marked(row["evidence"], colour) if told else None
        counts = [str(row[name]) for name in ("inside", "outside", "gained", "lost") if name in row]
        odds = f"{row['log_odds']:.1f} [{row['low']:.1f}, {row['high']:.1f}]"
        table.add_row(
            str(row["id"]),
            escape(row["label"]),
            *counts,
            escape(odds),
            f"{row['q']:.2g}",
            *([quote] if told else []),
        )
    return table


def search(found: Mapping[str, Any], names: Mapping[str, str], colour: bool) -> Iterator[Shown]:
    """Show the companies that match a query, and the words that say so."""
    for word in found["words"]:
        if not word["companies"]:
            near = f'; the nearest they have is "{word["nearest"]}"' if word["nearest"] else ""
            yield f'No text has the word "{escape(word["word"])}"{escape(near)}.'
    strongest = "; ".join(labels(found["features"])[:5])
    yield f"{len(found['features'])} features fire on the query, most: {escape(strongest)}"
    if not found["companies"]:
        yield "No company has any of them."
        return
    table = text_table(None, "company", "name", "similarity", "by the words", "because it says")
    for row in found["companies"]:
        words = sorted(row["words"].items(), key=lambda item: -item[1])
        table.add_row(
            row["ticker"],
            escape(names.get(row["ticker"], "")),
            f"{row['similarity']:.3f}",
            escape(", ".join(f"{word} {part:.2f}" for word, part in words)),
            marked(row["evidence"], colour),
        )
    yield table


def labels(features: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of features, of which several may have the same."""
    return list(dict.fromkeys(feature["label"] for feature in features))


def peers(title: str, rows: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> Table:
    """Show peers and the features, and for a basket the members, that carry each similarity."""
    by_member = bool(rows) and "members" in rows[0]
    columns = ["peer", "name", "similarity", "because of", *(["by member"] if by_member else [])]
    table = text_table(escape(title), *columns)
    for row in rows:
        because = "; ".join(labels(row["features"]))
        parts = [f"{member} {part:.2f}" for member, part in row.get("members", {}).items()]
        table.add_row(
            row["ticker"],
            escape(names.get(row["ticker"], "")),
            f"{row['similarity']:.3f}",
            escape(because),
            *([", ".join(parts)] if by_member else []),
        )
    return table


def cluster_sizes(clusters: pd.DataFrame) -> Table:
    """Show how large each method's clusters are: what a mean over clusters hides.

    Parameters
    ----------
    clusters : DataFrame
        ``clusterer, ticker, label``; a company without a label is a cluster of its own.
    """
    table = text_table(
        "Sizes of clusters", "method", "clusters", "smallest", "median", "largest", "alone"
    )
    found = dict(iter(clusters.groupby("clusterer", sort=False)["label"]))
    for name in in_order(found):
        labels = found[name]
        sizes = labels.value_counts().tolist() + [1] * int(labels.isna().sum())
        alone = sizes.count(1)
        ends = (min(sizes), pd.Series(sizes).median(), max(sizes))
        cells = [f"{len(sizes):,}", *(f"{size:g}" for size in ends)]
        table.add_row(escape(label(name)), *cells, f"{alone:,} ({percent(alone / len(labels))})")
    return table


def horizons(periods: pd.DataFrame, metric: str) -> Table:
    """Show a score over each stretch of time, one column each, with its interval.

    Parameters
    ----------
    periods : DataFrame
        Scores with a column ``period``, as of `finsae.benchmark.periods`.
    metric : str
        Which of them.
    """
    mine = periods[(periods["metric"] == metric) & (periods["versus"].fillna("") == "")]
    stretches = list(dict.fromkeys(mine["period"]))
    table = text_table(f"{METRICS[metric].name} by period", "method", *stretches)
    scale = METRICS[metric].scale
    for method in in_order(mine["method"]):
        rows = mine[mine["method"] == method].set_index("period")[["value", "low", "high"]] * scale
        cells = [
            interval(rows.loc[name].to_dict(), digits=METRICS[metric].digits)
            if name in rows.index
            else ""
            for name in stretches
        ]
        table.add_row(escape(label(method)), *(escape(cell) for cell in cells))
    return table


def years(figures: pd.DataFrame) -> Table:
    """Show each calendar year's net return and, in brackets, its net Sharpe ratio.

    Parameters
    ----------
    figures : DataFrame
        ``method, year, return_net, sharpe_net`` and others, as of `finsae.pairs.by_year`.
    """
    calendar = sorted(set(figures["year"]))
    table = text_table(
        "Net return, % (net Sharpe ratio) by year", "method", *(f"{year:.0f}" for year in calendar)
    )
    for method in in_order(figures["method"]):
        mine = figures[figures["method"] == method].to_dict("records")
        earned = {row["year"]: f"{100 * row['return_net']:z.2f}" for row in mine}
        ratios = {
            row["year"]: f" ({row['sharpe_net']:z.2f})"
            for row in mine
            if pd.notna(row["sharpe_net"])
        }
        cells = [earned.get(year, "") + ratios.get(year, "") for year in calendar]
        table.add_row(escape(label(method)), *cells)
    return table


def excluded_pairs(pairs: pd.DataFrame, first: int = 5) -> str:
    """Say how many pairs nobody could name, for which reasons, and which are the first of them.

    Parameters
    ----------
    pairs : DataFrame
        ``a, b, reason``, as of `finsae.pairs.same_issuer`.
    first : int
        Pairs to name.
    """
    if not len(pairs):
        return "No pairs are of one issuer, or as good as one."
    reasons = pairs["reason"].value_counts()
    counts = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
    rows = pairs.head(first)
    named = ", ".join(f"{a} {b}" for a, b in zip(rows["a"], rows["b"], strict=True))
    more = ", ..." if len(pairs) > first else ""
    return (
        f"{len(pairs):,} pairs of one issuer, or as good as one, are left out ({counts}): "
        f"{named}{more}"
    )
