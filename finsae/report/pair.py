"""Why two companies are alike: a section of the report, and a page of its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from finsae import plots
from finsae.markup import Cell, marked
from finsae.report.companies import industry
from finsae.report.parts import (
    FILTERS,
    Part,
    Section,
    Table,
    Texts,
    Words,
    figure,
    table,
)
from finsae.report.summary import records
from finsae.result import Result

MARKED = 0.5  # share of a similarity that the marked sentences carry
CHOSEN = (
    "The {} most similar pairs whose industry codes (SIC major groups) differ, no company twice: "
    "what the descriptions say and the codes do not."
)
UNCODED = (
    "The {} most similar pairs, no company twice, those of different industry codes first; some "
    "have the same code, or a company without one."
)


def pair(result: Result) -> Section:
    """Explain pairs: what each shared feature adds, and the words behind it in both texts."""
    explained = result.tables.get("explained")
    title = "Why two companies are alike"
    if explained is None or explained.empty:
        return Section("pair", title, [Words(["This run explains no pair."])])
    names = _names(result.tables.get("companies"))
    pairs = list(explained.groupby(["a", "b"], sort=False))
    parts: list[Part] = []
    if len(pairs) > 1:
        named = [(str(a), str(b)) for (a, b), _ in pairs]
        differ = _codes_differ(named, result.tables.get("companies"))
        parts.append(Words([(CHOSEN if differ else UNCODED).format(len(pairs))]))
    for number, ((a, b), rows) in enumerate(pairs):
        both = str(a), str(b)
        parts += [
            Words([_introduced(ticker, names) for ticker in both], listed=True),
            figure(f"pair-{number}", plots.contributions(rows)),
            *_texts(result, both, number),
            feature_table(f"evidence-{number}", rows, folded=number > 0),
        ]
    return Section("pair", title, parts)


def _texts(result: Result, pair: tuple[str, str], number: int) -> list[Part]:
    """Show what words and sentences add, and both texts with the evidence marked."""
    parts: list[Part] = []
    for kind, draw in (("sentences", sentence_table), ("words", words_table)):
        mine = _of(result.tables.get(f"pair_{kind}"), pair)
        parts += [draw(f"{kind}-{number}", mine)] if len(mine) else []
    sentences = _of(result.tables.get("pair_texts"), pair)
    if len(sentences):
        entries = [
            (ticker, evidence(sentences[sentences["leg"] == leg]))
            for leg, ticker in zip("ab", pair, strict=True)
        ]
        parts.append(Texts("Both descriptions, the evidence marked", entries))
    return parts


def evidence(sentences: pd.DataFrame) -> Markup:
    """Write a text whose sentences are marked that carry the similarity.

    Parameters
    ----------
    sentences : DataFrame
        Columns text, contribution, in the order of the text. Marked are the strongest that
        together carry half of it.
    """
    order = sentences["contribution"].sort_values(ascending=False, kind="stable")
    before = order.cumsum() - order
    strongest = set(order.index[(before < MARKED * order.sum()) & (order > 0)])
    pieces = []
    for row in sentences.itertuples():
        text = str(row.text)
        body, space = text.rstrip(), text[len(text.rstrip()) :]
        added = f"adds {row.contribution:.3f}"
        form = Markup('<mark title="{}">{}</mark>{}') if row.Index in strongest else None
        pieces.append(form.format(added, body, space) if form else escape(text))
    return Markup("").join(pieces)


def _of(known: pd.DataFrame | None, pair: tuple[str, str]) -> pd.DataFrame:
    if known is None:
        return pd.DataFrame()
    return known[(known["a"] == pair[0]) & (known["b"] == pair[1])]


def page(found: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Write the explanation of one pair as a page that needs nothing else.

    Parameters
    ----------
    found : mapping
        Of `finsae.pipeline.explain_pair`.
    names : mapping of str to str
        Companies' names by ticker.

    Returns
    -------
    str
        HTML; whatever a text holds is shown as text.
    """
    a, b = found["a"], found["b"]
    return _template().render(
        title=f"Why {a} and {b} are alike",
        byline=[f"similarity {found['similarity']:.3f}", f"{found['of']:,} companies"],
        parts=list(card(found, names)),
        css=Markup(files("finsae.report").joinpath("templates/report.css").read_text("utf-8")),
    )


def card(found: Mapping[str, Any], names: Mapping[str, str]) -> list[Part]:
    """Make the parts of a pair's page: words, sentences, features, and what only one has."""
    a, b, shared = found["a"], found["b"], found["shared"]
    known: dict[object, str] = {ticker: names[ticker] for ticker in (a, b) if names.get(ticker)}
    parts: list[Part] = [Words([_introduced(t, known) for t in (a, b)], listed=True)]
    legs = {"a": a, "b": b}
    explained = pd.DataFrame(
        [
            {**row, **{f"evidence_{leg}": row["evidence"][leg] for leg in legs}}
            for row in found["features"]
        ]
    )
    if explained.empty:
        return [*parts, Words(["They share no feature."])]
    words = [row for row in found["words"] if row["a"]]
    pairs = found["sentences"]["pairs"]
    named = int((explained["id"] >= 0).sum())
    parts.append(
        Words(
            [
                f"{len(words)} pairs of words carry {shared['words']:.0%} of the similarity, "
                f"{len(pairs)} pairs of sentences {shared['sentences']:.0%}, and {named} of "
                f"{shared['features']:,} shared features {shared['named']:.0%}. Each of the three "
                "divides the whole similarity; what is not shown is many small parts."
            ]
        )
    )
    told = pd.DataFrame(words).rename(columns={"a": "word_a", "b": "word_b"})
    parts += [words_table("words", told.assign(**legs))] if words else []
    parts += [sentence_table("sentences", pd.DataFrame(pairs).assign(**legs))] if pairs else []
    parts.append(feature_table("evidence", explained.assign(**legs), of=found["of"]))
    for leg, other in (("a", "b"), ("b", "a")):
        if found["only"][leg]:
            parts.append(_only(f"only-{leg}", found["only"][leg], (legs[leg], legs[other])))
    return parts + _counterfactual(found)


def words_table(name: str, rows: pd.DataFrame) -> Table:
    """List pairs of words and what they add; columns a, b, word_a, word_b, contribution."""
    known = rows[rows["word_a"] != ""]
    a, b = rows["a"].iloc[0], rows["b"].iloc[0]
    shown = {
        "Contribution": known["contribution"].astype(float),
        f"Word of {a}": known["word_a"],
        f"Word of {b}": known["word_b"],
    }
    return table(name, pd.DataFrame(shown), f"Words that make {a} and {b} alike", data=rows)


def sentence_table(name: str, rows: pd.DataFrame) -> Table:
    """List pairs of sentences; columns a, b, contribution, features, quote_a, quote_b."""
    a, b = rows["a"].iloc[0], rows["b"].iloc[0]
    shown = {
        "Contribution": rows["contribution"].astype(float),
        f"In the text of {a}": [Cell(marked(text)) for text in rows["quote_a"]],
        f"In the text of {b}": [Cell(marked(text)) for text in rows["quote_b"]],
        "By the features": rows["features"],
    }
    return table(name, pd.DataFrame(shown), f"Sentences that make {a} and {b} alike", data=rows)


def feature_table(
    name: str, rows: pd.DataFrame, *, of: int | None = None, folded: bool = False
) -> Table:
    """List shared features with the words behind them; columns as of `finsae.explain.explain`."""
    a, b = rows["a"].iloc[0], rows["b"].iloc[0]
    known = rows[(rows["evidence_a"].fillna("") != "") | (rows["evidence_b"].fillna("") != "")]
    named = known["label"], known["id"]
    shown: dict[str, Any] = {
        "Feature": [f"{label} #{id_}" for label, id_ in zip(*named, strict=True)],
        "Contribution": known["contribution"].astype(float),
    }
    if "without" in known:
        shown["Without it"] = known["without"].astype(float)
        shown["Have it" + (f", of {of:,}" if of else "")] = known["companies"].astype(int)
    shown |= {
        f"In the text of {a}": [Cell(marked(text)) for text in known["evidence_a"].fillna("")],
        f"In the text of {b}": [Cell(marked(text)) for text in known["evidence_b"].fillna("")],
    }
    caption = f"The words behind it: {a} and {b}"
    return table(name, pd.DataFrame(shown), caption, data=rows, folded=folded)


def _only(name: str, rows: list[dict[str, Any]], legs: tuple[str, str]) -> Table:
    shown = {
        "Feature": [f"{row['label']} #{row['id']}" for row in rows],
        "Have it": [int(row["companies"]) for row in rows],
        "In the text": [Cell(marked(row["evidence"])) for row in rows],
    }
    caption = f"What {legs[0]} has and {legs[1]} lacks"
    return table(name, pd.DataFrame(shown), caption, data=pd.DataFrame(rows))


def _counterfactual(found: Mapping[str, Any]) -> list[Part]:
    other = found["counterfactual"]
    if not other:
        return []
    labels = "; ".join(f"{item['label']} #{item['id']}" for item in other["features"])
    lists = [
        f"Peers of {found['a']} {when}: {', '.join(other['peers'][when])}."
        for when in ("before", "after")
    ]
    return [Words([f"Without {labels} the similarity is {other['similarity']:.3f}.", *lists])]


def _introduced(ticker: str, names: Mapping[object, str]) -> str:
    return f"{ticker}: {names[ticker]}" if ticker in names else ticker


def _names(companies: pd.DataFrame | None) -> dict[object, str]:
    if companies is None:
        return {}
    return {row["ticker"]: f"{row['name']} ({industry(row['sic'])})" for row in records(companies)}


def _codes_differ(pairs: list[tuple[str, str]], companies: pd.DataFrame | None) -> bool:
    """Whether both legs of every pair have a code, in different major groups."""
    if companies is None:
        return False
    codes = companies.set_index("ticker")["sic"]
    groups = {ticker: sic[:2] if isinstance(sic, str) else "" for ticker, sic in codes.items()}
    legs = [(groups.get(a), groups.get(b)) for a, b in pairs]
    return all(one and other and one != other for one, other in legs)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("finsae.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment.get_template("pair.html.j2")
