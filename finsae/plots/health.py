"""How well a sparse autoencoder reads: what it leaves unexplained, and how often latents fire."""

from __future__ import annotations

import numpy as np
import pandas as pd

from finsae.plots.spec import Axis, Bars, Figure, Panel
from finsae.plots.style import OKABE_ITO


def density(bars: pd.DataFrame) -> Figure:
    """Draw how many latents fire how often, one bar per power of ten.

    Parameters
    ----------
    bars : DataFrame
        Columns text (what was read), density (the bar's name), latents; in the order shown.
    """
    names = list(dict.fromkeys(bars["density"].astype(str)))
    layers, told = [], []
    for text, tone in zip(dict.fromkeys(bars["text"]), (OKABE_ITO[0], OKABE_ITO[1]), strict=False):
        rows = bars[bars["text"] == text]
        counts = rows["latents"].to_numpy(float)
        written = [f"{count:,.0f}" for count in counts]
        layers.append(Bars(rows["density"].tolist(), counts, name=str(text), colour=tone,
                           written=written))  # fmt: skip
        told.append(f"{text}: {counts[0]:,.0f} of {counts.sum():,.0f} never fire")
    title = "Most latents fire on few tokens, which makes them specific"
    size = float(np.max(bars.groupby("text")["latents"].sum()))
    return Figure(
        title=title,
        reading=f"{'; '.join(told)}. n = {size:,.0f} latents.",
        alt=f"{title}. {'; '.join(told)}.",
        panels=[
            Panel(
                Axis("share of tokens on which a latent fires", "names", names=names),
                Axis("latents (number)"),
                layers,
            )
        ],
        height=340,
        legend=True,
    )


def layers(health: pd.DataFrame) -> Figure:
    """Draw the variance that an autoencoder leaves unexplained in each layer that it reads.

    Parameters
    ----------
    health : DataFrame
        Columns layer, fvu, tokens.
    """
    rows = health.sort_values("layer")
    names = [str(layer) for layer in rows["layer"]]
    values = 100 * rows["fvu"].to_numpy(float)
    worst = int(values.argmax())
    title = f"Layer {names[worst]} is read worst: {values[worst]:.0f} % of its variance are lost"
    told = ", ".join(f"{name}: {value:.1f} %" for name, value in zip(names, values, strict=True))
    written = [f"{value:.1f}" for value in values]
    return Figure(
        title=title,
        reading=f"Fraction of variance unexplained on tokens kept from training. "
        f"n = {rows['tokens'].max():,.0f} tokens a layer.",
        alt=f"{title}. Layer by layer: {told}.",
        panels=[
            Panel(
                Axis("layer", "names", names=names),
                Axis("variance unexplained, %"),
                [Bars(names, values, colour=OKABE_ITO[0], written=written)],
            )
        ],
        height=300,
    )
