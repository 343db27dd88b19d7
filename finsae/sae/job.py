"""From a folder of activations to a saved, labelled and judged SAE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from finsae.activations import Activations
from finsae.checks import DataError
from finsae.sae.batches import Rows
from finsae.sae.coder import Coder
from finsae.sae.io import save
from finsae.sae.labels import label_latents
from finsae.sae.metrics import evaluate
from finsae.sae.settings import Training
from finsae.store import hash_texts, provenance

HELD_OUT = 0.05  # share of the texts
CHECKPOINT = "checkpoint.pt"


def train(
    activations: Activations | str | Path,
    coder: Coder,
    *,
    layer: int,
    out: str | Path,
    texts: Sequence[str] | None = None,
    dtype: str = "float32",
    notes: Mapping[str, str] | None = None,
) -> Coder:
    """Train `coder`, judge it on texts it has not seen, name its latents, and save it.

    5 % of the texts are held out, whole texts, drawn by the coder's seed. A checkpoint in `out`
    is written every three minutes; a killed run goes on from it.

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
    notes : mapping, optional
        Headings and paragraphs to add to the model card: data, licence, command.

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
    source = activations if isinstance(activations, Activations) else Activations.open(activations)
    if texts is not None and hash_texts(texts) != source.meta["texts_hash"]:
        raise DataError(f"the {len(texts):,} texts are not those of the activations")
    tokens, offsets = source.layer(layer), np.asarray(source.offsets)
    learn, judge = split(offsets, seed=coder.random_state)
    place = Path(out)
    coder.fit(Rows(tokens, learn), checkpoint=place / CHECKPOINT)
    found = evaluate(coder, Rows(tokens, judge))
    if texts is not None:
        coder.labels_ = label_latents(
            coder, tokens, offsets=offsets, spans=source.spans, texts=texts
        )
    settings = coder.training or Training()
    coder.layer_, coder.model_ = layer, source.meta["model"]
    coder.provenance_ = provenance(
        model_hash=source.meta["model_hash"],
        model_settings=source.meta["settings"],
        texts=len(source),
        texts_hash=source.meta["texts_hash"],
        tokens=len(learn),
        training=asdict(settings),
        learning_rate=settings.full_rate(coder.latents),
        seed=coder.random_state,
        seconds=round(_seconds(coder)),
        evaluation=found.summary(),
    )
    save(coder, place, dtype=dtype, card=model_card(coder, notes or {}))
    (place / CHECKPOINT).unlink(missing_ok=True)
    return coder


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


def _seconds(coder: Coder) -> float:
    history = coder.history_
    return float(
        (history["tokens"].diff().fillna(history["tokens"]) / history["tokens_per_second"]).sum()
    )


def model_card(coder: Coder, notes: Mapping[str, str]) -> str:
    """Write the model card: what the SAE reads, how it was trained, how good it is."""
    made, history = coder.provenance_, coder.history_.iloc[-1]
    training, found = made["training"], made["evaluation"]
    facts: dict[str, Any] = {
        "Reads": f"{coder.model_}, output of transformer block {coder.layer_} (from 1), "
        f"width {len(coder.b_dec_)}, raw activations",
        "Model hash": made["model_hash"],
        "Latents, k": f"{coder.latents:,}, {coder.k}",
        "Texts": f"{made['texts']:,} (hash {made['texts_hash']}), {HELD_OUT:.0%} held out",
        "Tokens": f"{made['tokens']:,} to learn from, {training['epochs']:g} passes, "
        f"{history['tokens']:,.0f} seen",
        "Learning rate": f"{made['learning_rate']:.3g}",
        "Seed": made["seed"],
        "Training": f"{made['seconds']:,} s; commit {made['commit']}; {made['made']}",
        "FVU, held out": f"{found['fvu']:.4f} on {found['tokens']:,} tokens",
        "L0, held out": f"{found['l0']:.2f}",
        "Cosine, held out": f"{found['cosine']:.4f}",
        "Dead latents": f"{history['dead']:.2%} at the end of training; "
        f"{found['dead']:.2%} fire on no held-out token",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    extra = "".join(f"\n## {heading}\n\n{text.rstrip()}\n" for heading, text in notes.items())
    return (
        f"# TopK sparse autoencoder, {coder.model_} layer {coder.layer_}\n\n"
        f"| | |\n|---|---|\n{table}\n\n"
        "FVU is the sum of squared errors over the sum of squared distances to the mean, both over "
        "all held-out tokens.\nThe folder has SAELens' layout and loads there as a `topk` SAE; "
        "`labels.parquet` names each latent by words\nof the training text it fires on.\n"
        f"{extra}"
    )
