"""From a folder of activations to a saved, labelled and judged SAE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from finsae.activations import Activations
from finsae.checks import DataError
from finsae.sae.batches import Rows, Tokens
from finsae.sae.coder import Coder
from finsae.sae.dark_matter import dark_matter
from finsae.sae.interop import SAELENS
from finsae.sae.io import save
from finsae.sae.labels import label_latents
from finsae.sae.metrics import density_histogram, evaluate
from finsae.sae.run import LIVE
from finsae.sae.settings import Training
from finsae.sae.workers import current
from finsae.store import hash_texts, provenance

HELD_OUT = 0.05  # share of the texts
CHECKPOINT = "checkpoint.safetensors"


def train(
    activations: Activations | str | Path,
    coder: Coder,
    *,
    layer: int,
    out: str | Path,
    texts: Sequence[str] | None = None,
    dtype: str = "float32",
    init_from: Coder | None = None,
) -> Coder:
    """Train `coder`, judge it on texts it has not seen, name its latents, and save it.

    5 % of the texts are held out, whole texts, drawn by the coder's seed. A checkpoint in `out`
    is written every three minutes; a killed run goes on from it. Of several workers (see
    `finsae.sae.workers`) the first judges, names and saves.

    Parameters
    ----------
    activations : Activations or path
        Token activations, one or several layers.
    coder : TopK
        Says size, k, settings and seed; it is fitted in place.
    layer : int
        Layer to train on, counted from 1.
    out : path
        Folder to save to, in SAELens' layout with ``README.md``, the model card.
    texts : sequence of str, optional
        The texts of the activations; without them the latents stay unnamed.
    dtype : str
        "float32" or "float16", of the saved weights.
    init_from : Coder, optional
        A fitted SAE to begin with, see `finsae.sae.transfer`.

    Returns
    -------
    Coder
        The fitted coder, before any rounding to float16; ``provenance_["evaluation"]`` has the
        measures on the held-out texts.

    Raises
    ------
    DataError
        If layer or texts do not belong to the activations, or nothing can be learnt from them.
    """
    source = opened(activations, texts)
    tokens, offsets = source.layer(layer), np.asarray(source.offsets)
    learn, judge = split(offsets, seed=coder.random_state)
    place = Path(out)
    coder.fit(Rows(tokens, learn), checkpoint=place / CHECKPOINT, init_from=init_from)
    if not current().lead:
        return coder
    found = measures(coder, tokens, offsets=offsets, rows=judge)
    if texts is not None:
        coder.labels_ = label_latents(
            coder, tokens, offsets=offsets, spans=source.spans, texts=texts
        )
    coder.layer_, coder.model_ = layer, source.meta["model"]
    coder.provenance_ |= how_made(coder, source, tokens=len(learn), evaluation=found)
    if init_from is not None:
        begun = {"layer": init_from.layer_, "model": init_from.model_}
        coder.provenance_ |= {"init_from": begun | {"made": init_from.provenance_.get("made")}}
    save(coder, place, dtype=dtype, card=model_card(coder))
    for done in (CHECKPOINT, LIVE):
        (place / done).unlink(missing_ok=True)
    return coder


def opened(activations: Activations | str | Path, texts: Sequence[str] | None) -> Activations:
    """Open activations, and make sure that they are of these texts.

    Raises
    ------
    DataError
        If they are not.
    """
    source = activations if isinstance(activations, Activations) else Activations.open(activations)
    if texts is not None and hash_texts(texts) != source.meta["texts_hash"]:
        raise DataError(f"the {len(texts):,} texts are not those of the activations")
    return source


def how_made(
    coder: Coder, source: Activations, *, tokens: int, evaluation: dict[str, Any]
) -> dict[str, Any]:
    """Say how an SAE was trained and how good it is, for its folder."""
    settings = coder.training or Training()
    return provenance(
        model_hash=source.meta["model_hash"],
        model_settings=source.meta["settings"],
        texts=len(source),
        texts_hash=source.meta["texts_hash"],
        tokens=tokens,
        training=asdict(settings),
        learning_rate=coder.learning_rate_ if _by_steps(coder) else None,
        seed=coder.random_state,
        scale=coder.scale_,
        workers=current().count,
        seconds=round(_seconds(coder)),
        evaluation=evaluation,
    )


def _by_steps(coder: Coder) -> bool:
    """Whether it was trained; a dictionary without an encoder is collected in one pass."""
    return "W_enc" in coder.WEIGHTS


def split(
    offsets: npt.NDArray[np.int64], *, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Divide tokens by text into those to learn from and the 5 % of texts to judge on.

    Raises
    ------
    DataError
        If there is a single text.
    """
    count = len(offsets) - 1
    if count < 2:
        raise DataError("an SAE needs at least two texts: one to learn from, one to judge on")
    held = np.zeros(count, dtype=bool)
    drawn = np.random.default_rng([seed, 2]).permutation(count)
    held[drawn[: max(1, round(HELD_OUT * count))]] = True
    of_token = np.repeat(held, np.diff(offsets))
    return np.flatnonzero(~of_token), np.flatnonzero(of_token)


def measures(
    coder: Coder,
    tokens: Tokens,
    *,
    offsets: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
) -> dict[str, Any]:
    """Judge `coder` on chosen rows: all measures that need nothing but activations.

    Parameters
    ----------
    coder : Coder
        A fitted SAE.
    tokens : Tokens
        Tokens x width, of all texts in their order.
    offsets : ndarray
        First token of each text, and the end: texts + 1.
    rows : ndarray
        Tokens to judge on, of whole texts, ascending.

    Returns
    -------
    dict
        The numbers of `evaluate`; ``density``, latents by how often they fire; and, where the
        tokens suffice for linear maps, ``dark_matter`` (see `finsae.sae.dark_matter`).
    """
    judged = Rows(tokens, rows)
    found = evaluate(coder, judged)
    density = density_histogram(found.density).to_dict()
    measured: dict[str, Any] = {**found.summary(), "density": density}
    lengths = np.unique(np.searchsorted(offsets, rows, side="right"), return_counts=True)[1]
    ends = np.concatenate([[0], np.cumsum(lengths)])
    with suppress(DataError):  # too few texts or tokens: not measured
        split_up = dark_matter(coder, judged, offsets=ends, seed=coder.random_state)
        measured["dark_matter"] = split_up._asdict()
    return measured


def _seconds(coder: Coder) -> float:
    history = coder.history_
    return float(
        (history["tokens"].diff().fillna(history["tokens"]) / history["tokens_per_second"]).sum()
    )


def model_card(coder: Coder) -> str:
    """Write the model card: what the SAE reads, how it was trained, how good it is."""
    made, history = coder.provenance_, coder.history_.iloc[-1]
    training, found = made["training"], made["evaluation"]
    facts: dict[str, Any] = {
        "Reads": f"{coder.model_}, output of transformer block {coder.layer_} (from 1), "
        f"width {len(coder.b_dec_)}, raw activations",
        "Model hash": made["model_hash"],
        "Latents, k": f"{coder.latents:,}, {coder.k}",
        "Texts": f"{made['texts']:,} (hash {made['texts_hash']}), {HELD_OUT:.0%} held out",
        "Tokens": f"{made['tokens']:,} to learn from, "
        + (f"{training['epochs']:g} passes, " if _by_steps(coder) else "1 pass, ")
        + f"{history['tokens']:,.0f} seen",
        **({"Learning rate": f"{made['learning_rate']:.3g}"} if _by_steps(coder) else {}),
        "Seed": made["seed"],
        "Training": f"{made['seconds']:,} s; commit {made['commit']}; {made['made']}",
        **_recall(history),
        "FVU, held out": f"{found['fvu']:.4f} on {found['tokens']:,} tokens",
        "L0, held out": f"{found['l0']:.2f}",
        "Cosine, held out": f"{found['cosine']:.4f}",
        **_rarer(found),
        "Dead latents": f"{history['dead']:.2%} at the end of training; "
        f"{found['dead']:.2%} fire on no held-out token",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return (
        f"# Sparse autoencoder ({coder.NAME}), {coder.model_} layer {coder.layer_}\n\n"
        f"| | |\n|---|---|\n{table}\n\n"
        "FVU is the sum of squared errors over the sum of squared distances to the mean, both over "
        f"all held-out tokens.\nThe folder has SAELens' layout and {_elsewhere(coder)}; "
        "`labels.parquet` names each latent by words\nof the training text it fires on.\n"
    )


def _elsewhere(coder: Coder) -> str:
    """Say what becomes of the folder in SAELens."""
    if coder.NAME in SAELENS:
        return f"loads there as a `{SAELENS[coder.NAME]}` SAE"
    return "its architecture has no class there, so that it loads in finsae only"


def _recall(history: pd.Series[Any]) -> dict[str, str]:
    """Row of the card about the training's selection; older SAEs do not have it."""
    if "recall" not in history:
        return {}
    return {"Selection in training": f"{history['recall']:.6f} of the exact one, sampled"}


def _rarer(found: Mapping[str, Any]) -> dict[str, str]:
    """Rows of the card that older SAEs do not have."""
    rows = {}
    if "dark_matter" in found:
        dark = found["dark_matter"]
        rows["Error"] = (
            f"{dark['r2_error']:.0%} of its variance, {dark['r2_norm']:.0%} of that of its squared "
            f"length is a linear function of the token; FVU {dark['fvu_linear']:.4f} linear + "
            f"{dark['fvu_nonlinear']:.4f} other (fitted on one half of the held-out texts, judged "
            "on the other)"
        )
    if "density" in found:
        bars = ", ".join(f"{name}: {count:,}" for name, count in found["density"].items() if count)
        rows["Latents by share of tokens they fire on"] = bars
    return rows
