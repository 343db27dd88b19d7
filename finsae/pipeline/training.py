"""From a file of texts to trained autoencoders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from finsae.activations import Activations
from finsae.checks import DataError, one_of
from finsae.config import Autoencoder, Reading
from finsae.pipeline.reading import activate
from finsae.plugins import MENU, make
from finsae.sources import sample
from finsae.sources.texts import exclude, read_texts

ALIGN_TEXTS = 1_000  # whose tokens tell how one layer is turned against another


def train_sae(
    texts: str | Path | None,
    excluded: Sequence[str | Path],
    *,
    reading: Reading,
    autoencoder: Autoencoder,
    out: str | Path,
) -> str:
    """Train an autoencoder, or one per group of layers, on the texts of a file.

    Parameters
    ----------
    texts : path or None
        A file with a column ``description`` (and ``name``); None: the bundled sample.
    excluded : sequence of path
        Files whose companies are left out, by name and by text, because they are for testing.
    reading : Reading
        Model and layer.
    autoencoder : Autoencoder
        Architecture, size, layers, passes, seed.
    out : path
        Folder of the autoencoder; a killed training in it goes on.

    Returns
    -------
    str
        The model card; of several workers (see `finsae.sae.workers`) only the first has it.

    Raises
    ------
    DataError
        If the settings make no autoencoder, which is said before any text is read.
    """
    from finsae import sae
    from finsae.sae.workers import current

    if reading.model == "tfidf":
        raise DataError("tfidf has no token activations to train on: name a language model")
    _check(autoencoder)
    layers = chosen_layers(autoencoder.layers, reading.model) if autoencoder.layers else ()
    bodies = training_texts(texts, excluded, autoencoder)
    if layers:
        source = _activations(bodies, reading.model, *layers)
        groups, facts = _groups(source, layers, autoencoder)
        sae.train_groups(
            source,
            groups,
            lambda: coder_of(autoencoder),
            out=out,
            texts=bodies,
            dtype=autoencoder.dtype,
            facts=facts,
        )
    else:
        source = _activations(bodies, reading.model, reading.layer)
        sae.train(
            source,
            coder_of(autoencoder),
            layer=reading.layer,
            texts=bodies,
            out=out,
            dtype=autoencoder.dtype,
            init_from=_beginning(bodies, reading, autoencoder),
        )
    return (Path(out) / "README.md").read_text() if current().lead else ""


def _activations(bodies: list[str], model: str, *layers: int) -> Activations:
    """Read the texts; of several workers one does so for all."""
    from finsae.sae.workers import current

    return current().in_turn(lambda: activate(bodies, model, *layers))


def coder_of(autoencoder: Autoencoder) -> Any:  # noqa: ANN401 - a Coder; torch stays unloaded
    """Make the unfitted autoencoder that the settings describe."""
    from finsae.sae import Training

    return make(
        "coder",
        autoencoder.architecture,
        latents=autoencoder.latents,
        k=autoencoder.k,
        training=Training(epochs=autoencoder.epochs, batch=autoencoder.batch, lr=autoencoder.lr),
        random_state=autoencoder.seed,
    )


def chosen_layers(text: str, model: str) -> tuple[int, ...]:
    """Read a choice of layers: "all", "1-4", "2,4,5"; "all" leaves out the last, as the paper does.

    The last layer's output is what the model hands on to its task, and unlike the others.

    Raises
    ------
    DataError
        If it is none, or the model has no such layers.
    """
    from finsae.embed.transformer import Transformer

    deepest = Transformer(model).n_layers
    if text == "all":
        return tuple(range(1, deepest))
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if not match:
            raise DataError(f'cannot read the layers "{text}": write them as all, 1-4 or 2,4,5')
        first, last = int(match[1]), int(match[2] or match[1])
        found += range(first, last + 1)
    wrong = [layer for layer in found if not 1 <= layer <= deepest]
    if wrong or not found or len(set(found)) < len(found):
        raise DataError(
            f'the layers "{text}" are {found}: name each once, from 1 to {deepest}, as {model} has'
        )
    return tuple(sorted(found))


def _check(autoencoder: Autoencoder) -> None:
    """Refuse what could only fail after hours of reading."""
    one_of("architecture", autoencoder.architecture, MENU["coder"])
    one_of("dtype", autoencoder.dtype, ("float32", "float16"))
    one_of("cluster_on", autoencoder.cluster_on, ("distance", "rows"))
    if autoencoder.groups not in ("auto", "none") and not autoencoder.groups.isdigit():
        raise DataError(f'groups is "{autoencoder.groups}": give auto, none or a number')
    if not autoencoder.theta > 0:
        raise DataError(f"theta is {autoencoder.theta}: it bounds a distance and must be positive")
    if autoencoder.layers and autoencoder.init_from:
        raise DataError("init-from begins the SAE of one layer: leave --layers out")
    if autoencoder.max_texts is not None and autoencoder.max_texts < 2:
        raise DataError(f"max-texts is {autoencoder.max_texts}: two texts are the least")
    _check_architecture(autoencoder)


def _check_architecture(autoencoder: Autoencoder) -> None:
    name = autoencoder.architecture
    if name == "g-sae":
        raise DataError(
            "a g-sae learns from activations with the language model's gradients, which train-sae "
            "does not collect: in Python, sae.with_gradients(...) gives them, and fit takes them"
        )
    if name == "itda" and (autoencoder.layers or autoencoder.init_from):
        raise DataError(
            "an itda keeps tokens of one layer as they are: leave --layers and --init-from out"
        )
    coder_of(autoencoder).check()
    if autoencoder.init_from:
        from finsae import sae

        begun = sae.load(autoencoder.init_from, device="cpu")
        if (begun.NAME, begun.latents) != (name, autoencoder.latents):
            raise DataError(
                f'"{autoencoder.init_from}" is a {begun.NAME} of {begun.latents} latents, not a '
                f"{name} of {autoencoder.latents}: an SAE begins with one that is alike"
            )


def _groups(
    source: Activations, layers: tuple[int, ...], autoencoder: Autoencoder
) -> tuple[list[tuple[int, ...]], dict[str, Any]]:
    from finsae import sae

    if autoencoder.groups == "none":
        return [(layer,) for layer in layers], {}
    found = sae.find_groups(
        source,
        layers,
        count=None if autoencoder.groups == "auto" else int(autoencoder.groups),
        theta=autoencoder.theta,
        cluster_on=autoencoder.cluster_on,
        seed=autoencoder.seed,
    )
    return found.groups(), found.facts


def _beginning(bodies: list[str], reading: Reading, autoencoder: Autoencoder) -> Any:  # noqa: ANN401 - a Coder
    """Load the autoencoder to begin with, turned into this layer's directions if wanted."""
    if not autoencoder.init_from:
        return None
    from finsae import sae

    source = sae.load(autoencoder.init_from)
    if not autoencoder.align or source.layer_ == reading.layer:
        return source
    if source.layer_ is None:
        raise DataError(f'"{autoencoder.init_from}" does not say its layer: it cannot be aligned')
    some = np.random.default_rng(autoencoder.seed).permutation(len(bodies))[:ALIGN_TEXTS]
    chosen = [bodies[i] for i in sorted(some)]
    both = _activations(chosen, reading.model, source.layer_, reading.layer)
    turn = sae.rotation(both.layer(source.layer_), both.layer(reading.layer))
    return sae.rotated(source, turn)


def training_texts(
    path: str | Path | None, excluded: Sequence[str | Path], autoencoder: Autoencoder
) -> list[str]:
    """Read the texts to train on, without those of test companies, each once."""
    own = sample().companies if path is None else read_texts(path)
    table = own[["name", "description"]]
    for other in excluded:
        table = exclude(table, read_texts(other))
    table = table.drop_duplicates("description")
    if autoencoder.max_texts is not None and autoencoder.max_texts < len(table):
        table = table.sample(autoencoder.max_texts, random_state=autoencoder.seed)
    return [str(text) for text in table["description"]]
