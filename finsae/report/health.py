"""How well the autoencoder reads: variance lost, active and dead latents, how often they fire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from finsae import plots
from finsae.markup import Cell
from finsae.methods import label
from finsae.report.parts import Part, Section, Words, figure, table
from finsae.result import Result

TITLE = "Health of the autoencoder"
TRAINING, THESE = "text kept from its training", "these descriptions"
MEANING = (
    "FVU: fraction of the activations' variance that the autoencoder leaves unexplained; on 0.1, "
    "nine tenths of what the language model says at a token are in the features.",
    "L0: latents that fire at a token.",
    "Dead: share of the latents that fire nowhere in the text; on few companies many are silent, "
    "since nobody is in their business.",
    "Cosine: mean cosine of a token and its reconstruction.",
)


def health(result: Result) -> Section:
    """Show what is known of the autoencoders behind the features."""
    rows = measures(result)
    if rows.empty:
        return Section("health", TITLE, [Words(["No evaluation came with these features."])])
    parts: list[Part] = []
    bars = densities(result)
    if len(bars):
        parts.append(figure("density", plots.density(bars)))
    layered = rows[rows["text"] == TRAINING].groupby("reading", sort=False)
    for number, (_, mine) in enumerate(layered):
        if len(mine) > 1:
            parts.append(figure(f"layers-{number}", plots.layers(mine)))
    shown = pd.DataFrame(
        {
            "Autoencoder": [label(str(name)) for name in rows["reading"]],
            "Judged on": rows["text"],
            "Layer": rows["layer"],
            "FVU": rows["fvu"].astype(float),
            "L0": [Cell(f"{value:.1f}", number=True) for value in rows["l0"]],
            "Dead, %": [Cell(f"{100 * value:.1f}", number=True) for value in rows["dead"]],
            "Cosine": rows["cosine"].astype(float),
            "Tokens": rows["tokens"].astype(int),
        }
    )
    parts += [
        table("health", shown, "Measures of the autoencoders", data=rows),
        Words(MEANING, listed=True),
    ]
    if len(bars):
        names = bars.rename(columns={"text": "Text", "density": "Fires on", "latents": "Latents"})
        caption = "Latents by the share of tokens on which they fire"
        parts.append(table("density", names, caption, data=bars, folded=True))
    return Section("health", TITLE, parts)


def measures(result: Result) -> pd.DataFrame:
    """List the measures of every reading, layer and text.

    Returns
    -------
    DataFrame
        ``reading, text, layer, fvu, l0, dead, cosine, tokens``; of these companies' own tokens,
        fvu and cosine are not known.
    """
    facts, rows = result.provenance, []
    for reading, made in _readings(facts).items():
        coder = _mapping(made.get("autoencoder"))
        layer = _mapping(made.get("reading")).get("layer")
        found = _mapping(coder.get("evaluation"))
        for measured in [found] if "fvu" in found else coder.get("layers") or []:
            rows.append({"reading": reading, "text": TRAINING, "layer": layer, **measured})
    firing = result.tables.get("firing")
    if firing is not None and len(firing):
        own = str(facts.get("method", "sae"))
        layer = _mapping(_readings(facts).get(own, {}).get("reading")).get("layer")
        here = firing.iloc[0][["tokens", "l0", "dead"]].to_dict()
        rows.insert(len([1 for row in rows if row["reading"] == own]),
                    {"reading": own, "text": THESE, "layer": layer, **here})  # fmt: skip
    columns = ["reading", "text", "layer", "fvu", "l0", "dead", "cosine", "tokens"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("layer", key=lambda at: at.astype(float), kind="stable").sort_values(
        "reading", key=lambda at: at.ne(str(facts.get("method"))), kind="stable"
    )


def densities(result: Result) -> pd.DataFrame:
    """How many latents of the first reading fire how often: ``text, density, latents``."""
    facts = result.provenance
    made = _readings(facts).get(str(facts.get("method", "sae")), {})
    found = _mapping(_mapping(_mapping(made.get("autoencoder")).get("evaluation")).get("density"))
    frames = [
        pd.DataFrame({"text": TRAINING, "density": list(found), "latents": list(found.values())})
    ]
    firing = result.tables.get("firing")
    if firing is not None and len(firing):
        frames.append(firing[["density", "latents"]].assign(text=THESE))
    return pd.concat([frame for frame in frames if len(frame)] or frames, ignore_index=True)


def _readings(facts: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Provenance of each kind of features, the first ones first."""
    first = {str(facts.get("method", "sae")): _mapping(facts.get("features"))}
    return {**first, **{str(k): _mapping(v) for k, v in _mapping(facts.get("others")).items()}}


def _mapping(value: Any) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, Mapping) else {}
