"""How well a sparse autoencoder reads: what it leaves unexplained, and how often latents fire."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from finsae.plots.spec import Axis, Bars, Cells, Figure, Panel
from finsae.plots.style import OKABE_ITO


def density(bars: pd.DataFrame) -> Figure:
    """Draw how many latents fire how often, one bar per power of ten.

    Parameters
    ----------
    bars : DataFrame
        Columns text (what was read), density (the bar's name), latents; in the order shown.
    """
    names = list(dict.fromkeys(bars["density"].astype(str)))
    layers, told, silent = [], [], []
    for text, tone in zip(dict.fromkeys(bars["text"]), (OKABE_ITO[0], OKABE_ITO[1]), strict=False):
        rows = bars[bars["text"] == text]
        counts = rows["latents"].to_numpy(float)
        written = [f"{count:,.0f}" for count in counts]
        layers.append(Bars(rows["density"].tolist(), counts, name=str(text), colour=tone,
                           written=written))  # fmt: skip
        told.append(f"{text}: {counts[0]:,.0f} of {counts.sum():,.0f} never fire")
        silent.append(f"{counts[0] / counts.sum():.0%} never fire in {text}")
    title = f"Of the latents, {', '.join(silent)}"
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


def _extremes(values: npt.NDArray[np.float64], names: Sequence[str]) -> str:
    """Name the two layers that point most alike, and the two that do least."""
    first, second = np.triu_indices_from(values, 1)
    cells = values[first, second]
    if not len(cells):
        return "Only one layer"
    near, far = int(cells.argmin()), int(cells.argmax())
    told = [f"layers {names[first[i]]} and {names[second[i]]}" for i in (near, far)]
    return (
        f"{told[0].capitalize()} point most alike, {cells[near]:.2f} apart, "
        f"{told[1]} least, {cells[far]:.2f}"
    )


def layer_distances(
    distance: npt.ArrayLike, *, layers: Sequence[int], tokens: int, theta: float | None = None
) -> Figure:
    """Draw how differently two layers of a model point at the same token.

    Parameters
    ----------
    distance : array, layers x layers
        Mean angle over pi, as from `finsae.sae.groups.layer_distances`: 0 the same direction.
    layers : sequence of int
        Their numbers.
    tokens : int
        Tokens behind the distances.
    theta : float, optional
        Bound on the distances inside a group, for the reading.
    """
    values = np.array(distance, dtype=float)
    written = [["" if i == j else f"{v:.2f}" for j, v in enumerate(row)]
               for i, row in enumerate(values)]  # fmt: skip
    apart = np.where(np.eye(len(values), dtype=bool), np.nan, values)
    names = [str(layer) for layer in layers]
    bound = "" if theta is None else f" Groups keep their largest below {theta:g} on average."
    told = "; ".join(
        f"{names[i]} and {names[j]}: {values[i, j]:.2f}"
        for i, j in zip(*np.triu_indices_from(values, 1), strict=True)
    )
    title = _extremes(values, names)
    return Figure(
        title=title,
        reading=f"Mean angle between two layers at the same token, over pi: 0 is one direction, "
        f"0.5 a right angle.{bound} n = {tokens:,} tokens.",
        alt=f"{title}. Distances of layers {told}.",
        panels=[
            Panel(
                Axis("layer", "names", names=names),
                Axis("layer", "names", names=names, turned=True),
                [Cells(apart, "angle over pi (no unit)", written=written)],
            )
        ],
        height=360,
    )
