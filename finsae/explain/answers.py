"""Answers as JSON values that show themselves in a notebook: peers, reasons, changes, a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from finsae.markup import Cell, Grid, Shown, View, quoted

Found = Mapping[str, Any]
KINDS = ("gained", "lost", "strengthened", "weakened")


class Answer(Shown, dict[str, Any]):
    """A dictionary of JSON values that shows itself in a notebook.

    Parameters
    ----------
    found : mapping
        What it holds.
    show : callable
        What is shown of it: one of the functions of this module.
    """

    def __init__(self, found: Found, show: Callable[[Found], View]) -> None:
        super().__init__(found)
        self._show = show

    def _view(self) -> View:
        return self._show(self)


def peers(found: Found) -> View:
    """Show the peers of a company, of one axis of it, or of a basket, and what carries each."""
    if "basket" in found:
        shares = (f"{share:.0%} {ticker}" for ticker, share in found["basket"].items())
        lines = [f"Companies most like a basket of {', '.join(shares)}"]
    elif "on" in found:
        lines = [
            f'Peers of {found["ticker"]} on "{found["on"]}"',
            f"It has {len(found['axis'])} of the axis's {found['of']} features, most: "
            f"{'; '.join(item['label'] for item in found['axis'][:3])}",
        ]
    else:
        lines = [f"Peers of {found['ticker']}"]
    members = list(found.get("basket", ()))
    rows = [
        [
            peer["ticker"],
            peer["similarity"],
            *(peer["members"][member] for member in members),
            "; ".join(f"{item['label']} {item['contribution']:.3f}" for item in peer["features"]),
        ]
        for peer in found["peers"]
    ]
    columns = ["peer", "similarity", *(f"by {member}" for member in members), "most by"]
    return View(lines, [Grid("Similarity, and the features that add most to it", columns, rows)])


def pair(found: Found) -> View:
    """Show why two companies are alike: pairs of words, pairs of sentences, features."""
    a, b, shared = found["a"], found["b"], found["shared"]
    lines = [f"{a} and {b}: similarity {found['similarity']:.3f}"]
    named = [row for row in found["features"] if row["id"] >= 0]
    if not named:
        return View([*lines, "They share no feature."])
    words = [row for row in found["words"] if row["a"]]
    sentences = found["sentences"]["pairs"]
    lines.append(
        f"They share {shared['features']:,} features. Of the similarity, {len(named)} features "
        f"carry {shared['named']:.0%}, {len(words)} pairs of words {shared['words']:.0%}, "
        f"{len(sentences)} pairs of sentences {shared['sentences']:.0%}."
    )
    lines += [_lacking(found, leg) for leg in "ab" if found["only"][leg]]
    if found["counterfactual"]:
        lines.append(_without(found))
    rows = [(row["contribution"], row["a"], row["b"]) for row in words]
    said = [
        (row["contribution"], quoted(row["quote_a"]), quoted(row["quote_b"])) for row in sentences
    ]
    grids = [
        Grid("Words", ["adds", a, b], rows),
        Grid("Sentences", ["adds", a, b], said),
        Grid("Features", ["adds", "feature", "have it", a, b], [_feature(r, found) for r in named]),
    ]
    return View(lines, [grid for grid in grids if grid.rows])


def _feature(row: Found, found: Found) -> list[Any]:
    owners = Cell(f"{row['companies']} of {found['of']:,}", number=True)
    quotes = (quoted(row["evidence"][leg]) for leg in "ab")
    return [row["contribution"], f"{row['label']} #{row['id']}", owners, *quotes]


def _lacking(found: Found, leg: str) -> str:
    other = found["b" if leg == "a" else "a"]
    return f"{found[leg]} has and {other} lacks: {'; '.join(_labels(found['only'][leg]))}."


def _without(found: Found) -> str:
    other = found["counterfactual"]
    before, after = (other["peers"][when] for when in ("before", "after"))
    gone = [peer for peer in before if peer not in after]
    come = [peer for peer in after if peer not in before]
    moved = f"{', '.join(come)} instead of {', '.join(gone)}" if gone else "the same companies"
    return (
        f"Without {'; '.join(_labels(other['features']))}: similarity {other['similarity']:.3f}; "
        f"among {found['a']}'s {len(before)} peers {moved}."
    )


def cluster(found: Found) -> View:
    """Show why companies are a cluster: what they share against the others, and who is near."""
    members, others = found["members"], found["others"]
    named = f"{found['label']}: " if "label" in found else ""
    mix = (
        f"{item.get('name', item['major_group'])} {item['companies']}"
        for item in found["industries"]
    )
    lines = [
        f"Cluster {named}{found['name']}",
        f"{len(members)} companies: {_first(members)}",
        f"Industries: {'; '.join(mix)}",
        f"Nearest outside: {_similar(found['outsiders'])}",
        f"Loosest inside: {_similar(found['insiders'])}",
    ]
    rows = [
        [
            f"{row['label']} #{row['id']}",
            row["inside"],
            row["outside"],
            Cell(f"{row['log_odds']:.1f} [{row['low']:.1f}, {row['high']:.1f}]", number=True),
            Cell(f"{row['q']:.2g}", number=True),
            quoted(f"{row['ticker']}: {row['evidence']}"),
        ]
        for row in found["features"]
    ]
    columns = ["feature", f"of {len(members)}", f"of {others:,} others", "log-odds", "q", "most in"]
    return View(lines, [Grid("Commoner inside than outside", columns, rows)])


def feature(found: Found) -> View:
    """Show a feature by the companies that have most of it."""
    lines = [
        f"Feature {found['id']}: {found['label']}",
        f"{found['companies']:,} companies have it.",
    ]
    rows = [
        (row["ticker"], float(row["value"]), quoted(row["evidence"])) for row in found["strongest"]
    ]
    grid = Grid("Where it is strongest", ["company", "value", "in the text"], rows)
    return View(lines, [grid] if rows else [])


def search(found: Found) -> View:
    """Show who says most of a query, and by which words."""
    unknown = [
        f'No text has the word "{word["word"]}"'
        + (f'; the nearest they have is "{word["nearest"]}"' if word["nearest"] else "")
        + "."
        for word in found["words"]
        if not word["companies"]
    ]
    lines = [f'Companies that say most of "{found["query"]}"', *unknown]
    rows = [
        (
            row["ticker"],
            row["similarity"],
            ", ".join(f"{word} {part:.2f}" for word, part in _largest(row["words"])),
            quoted(row["evidence"]),
        )
        for row in found["companies"]
    ]
    columns = ["company", "similarity", "by the words", "because it says"]
    return View(lines, [Grid("The cosine of query and description", columns, rows)])


def changes(found: Found) -> View:
    """Show what a company's features gained and lost from one filing to another."""
    old, new, counts = found["from"], found["to"], found["sentences"]
    usual = "" if found["usual"] is None else f" (usual among all companies: {found['usual']:.3f})"
    lines = [
        f"{found['company']} from {old['date']} to {new['date']}",
        f"Similarity of the two filings {found['similarity']:.3f}{usual}; sentences kept "
        f"{counts['kept']:,}, added {counts['added']:,}, removed {counts['removed']:,}.",
    ]
    rows = [
        [
            kind,
            f"{row['label']} #{row['id']}",
            Cell(f"{row['change']:+.3f}", number=True),
            *(quoted(row["evidence"][when]) for when in ("before", "after")),
        ]
        for kind, row in sorted(
            ((kind, row) for kind in KINDS for row in found[kind]),
            key=lambda item: -abs(item[1]["change"]),
        )
    ]
    if not rows:
        return View([*lines, "No feature changed enough to be listed."])
    columns = ["", "feature", "change", "before", "after"]
    return View(lines, [Grid("Changes, as shares of the longer filing's length", columns, rows)])


def _labels(rows: Sequence[Found]) -> list[str]:
    return [f"{row['label']} #{row['id']}" for row in rows]


def _similar(rows: Sequence[Found]) -> str:
    return ", ".join(f"{row['ticker']} {row['similarity']:.2f}" for row in rows)


def _first(names: Sequence[str], most: int = 30) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def _largest(parts: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(parts.items(), key=lambda item: -item[1])
