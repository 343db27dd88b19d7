"""Commands on what features mean: name them, and score the names."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from finsae.checks import DataError
from finsae.cli.options import Folder, JsonFile, Seed, finish, out, writable

WHO = "words, openai:MODEL, or a local model's folder or hub id."
Price = Annotated[
    float | None, typer.Option(min=0, help="Per million tokens read, to show the cost.")
]
PriceWritten = Annotated[
    float | None, typer.Option(min=0, help="Per million tokens written, to show the cost.")
]
LabellerOption = Annotated[str, typer.Option(help=f"Who names: {WHO}")]


def label(
    features: Folder = None,
    labeller: LabellerOption = "words",
    most: Annotated[
        int | None,
        typer.Option(min=1, help="Name only so many: those that carry most of the similarity."),
    ] = None,
    price_read: Price = None,
    price_written: PriceWritten = None,
) -> None:
    """Name features by the text they fire on, keep the evidence, and score each name."""
    from finsae.pipeline import label_features

    _check_prices(price_read, price_written)
    found = label_features(features, labeller=labeller, most=most)
    named = f"{len(found.table):,} features named, {found.unnamed:,} keep the name they had"
    score = found.table["score"].median()
    out.print(
        f"{named}; median AUC of the names on companies held out: {score:.3f}", highlight=False
    )
    _show_usage(found.usage, price_read, price_written)
    out.print(f"Labels: {found.file}", highlight=False, soft_wrap=True, markup=False)


def score_labels(
    features: Folder = None,
    labeller: LabellerOption = "words",
    judge: Annotated[str, typer.Option(help=f"Who is asked whether names fit: {WHO}")] = "words",
    count: Annotated[int, typer.Option(min=2, help="Features scored, drawn at random.")] = 300,
    price_read: Price = None,
    price_written: PriceWritten = None,
    seed: Seed = 0,
    as_json: JsonFile = None,
) -> None:
    """Score names on companies they were not made from, beside random names and dense neurons."""
    from finsae.console import explanation_table
    from finsae.explain.labellers.answers import Usage
    from finsae.pipeline import score_labels as score

    _check_prices(price_read, price_written)
    writable(file=as_json)
    result = score(features, labeller=labeller, judge=judge, count=count, seed=seed)
    out.print(explanation_table(result.scores))
    for usage in result.provenance["usage"]:
        _show_usage(Usage(**usage), price_read, price_written)
    finish(as_json, result.to_json(labels=result.tables["labels"]))


def _check_prices(read: float | None, written: float | None) -> None:
    if (read is None) != (written is None):
        raise DataError("give both --price-read and --price-written, or neither")


def _show_usage(usage: Any, read: float | None, written: float | None) -> None:  # noqa: ANN401
    if not usage.asked + usage.kept:
        return
    cost = "" if read is None or written is None else f", cost {usage.cost(read, written):.4f}"
    out.print(
        f"Answers: {usage.asked:,} new ({usage.read:,} tokens read, {usage.written:,} written"
        f"{cost}), {usage.kept:,} kept from before",
        highlight=False,
    )
