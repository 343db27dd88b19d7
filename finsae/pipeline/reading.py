"""Descriptions to features and to sentence embeddings; what is finished is kept and found again."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from finsae import activations
from finsae.activations import Activations, activations_key, collect
from finsae.checks import DataError, one_of
from finsae.config import Reading
from finsae.features import Features, TokenCodes, pool
from finsae.features.pooling import POOLINGS, Matrix
from finsae.store import atomic_path, cache_dir, hash_texts, key, progress, provenance
from finsae.universe import Universe

VERSION = 4  # raised when features of the same texts, model and settings change
TOKENS_AT_ONCE = 65_536


def build_features(universe: Universe, reading: Reading) -> Features:
    """Read every company's description and turn it into features.

    Nothing here is fitted to the companies: pooled codes are kept unweighted, since an idf weight
    belongs to the companies known at a date (see `finsae.pipeline.methods.weighted`).

    Parameters
    ----------
    universe : Universe
        The companies; prices are not looked at.
    reading : Reading
        Model, layer, autoencoder and pooling.

    Returns
    -------
    Features
        One row per company, in the universe's order.

    Raises
    ------
    DataError
        If the model or the autoencoder cannot be had, or do not fit one another, or a setting was
        chosen that this kind of reading does not have.
    """
    one_of("pooling", reading.pool, POOLINGS)  # before the hours that reading may take
    folder = cache_dir() / "features" / features_key(universe, reading)
    texts = universe.companies["description"].tolist()
    found = Features.kept(folder, lambda: _read(universe, reading, texts))
    # The folder belongs to the texts: another universe of the same texts has other prices and cuts.
    made = {**found.provenance, "universe": dict(universe.provenance)}
    return replace(found, companies=universe.companies, provenance=made)


def embed(texts: list[str], model: str) -> npt.NDArray[np.float32]:
    """Sentence embeddings of the texts by the model itself, texts x width; kept and found again."""
    name = key({"model": model}, [model_hash(model), hash_texts(texts)], VERSION)
    path = cache_dir() / "embeddings" / f"{name}.npy"
    if not path.is_file():
        from finsae.embed.transformer import Transformer

        vectors = Transformer(model).transform(texts)
        with atomic_path(path) as temporary, temporary.open("wb") as handle:
            np.save(handle, vectors)
    return np.asarray(np.load(path), dtype=np.float32)


def features_key(universe: Universe, reading: Reading) -> str:
    """Name features by what they are made of: settings, texts, model, autoencoder, stages."""
    inputs = [hash_texts(universe.companies["description"]), str(activations.VERSION)]
    if reading.model != "tfidf":
        inputs.append(model_hash(reading.model))
        if reading.sae != "none":
            from finsae.sae import folder_hash

            inputs.append(folder_hash(reading.sae))
    return key(settings(reading), inputs, VERSION)


def settings(reading: Reading) -> dict[str, Any]:
    """Give the settings that decide what a reading finds, as they are applied.

    Words have neither layer nor pooling. Activations are averaged over the tokens, and not weighted
    by idf: every company has every dimension, so that all would weigh nothing.

    Raises
    ------
    DataError
        If another value was chosen for a setting that does not apply.
    """
    applied: tuple[str, ...]
    fixed: dict[str, Any]
    if reading.model == "tfidf":
        what, applied, fixed = "words (tfidf)", ("model", "idf"), {"sae": "none", "strongest": 0}
    elif reading.sae == "none":
        what, applied = "activations (sae = none)", ("model", "layer", "sae")
        fixed = {"pool": "mean", "idf": False, "length_normalised": False, "strongest": 0}
    else:
        return asdict(reading)
    chosen, default = asdict(reading), asdict(Reading())
    problems = [
        f"{name} = {value} does not apply to {what}: leave it out"
        for name, value in chosen.items()
        if name not in applied and value not in (default[name], fixed.get(name))
    ]
    if problems:
        raise DataError(problems)
    return {name: chosen[name] for name in applied} | fixed


def model_hash(model: str) -> str:
    """Hash of a model's files; a hub id is asked for them, since its name outlives its weights."""
    from finsae.embed.models import locate

    found = locate(model).sha256
    if found:
        return found
    from finsae.embed.transformer import Transformer

    return Transformer(model).model_hash


def _read(universe: Universe, reading: Reading, texts: list[str]) -> Features:
    if reading.model == "tfidf":
        return _word_features(universe, reading, texts)
    if reading.sae == "none":
        return _dense_features(universe, reading, activate(texts, reading.model, reading.layer))
    return _sparse_features(universe, reading, texts)


def activate(texts: list[str], model: str, *layers: int) -> Activations:
    """Token activations of some layers, kept on disk; an interrupted collection goes on."""
    from finsae.embed.transformer import Transformer

    embedder = Transformer(model)
    folder = cache_dir() / "activations" / activations_key(embedder, texts, layers)
    return collect(embedder, texts, folder, layers=layers)


def _sparse_features(universe: Universe, reading: Reading, texts: list[str]) -> Features:
    from finsae import sae

    coder, layers = autoencoder(reading)
    source = activate(texts, reading.model, *layers)
    codes = encode(coder, source)
    labels = _labels(coder, source, texts)
    if coder.SIGNED:
        labels += [f"{label} (negative)" for label in labels]
    matrix = pool(codes, len(labels), how=reading.pool, length_normalised=reading.length_normalised)
    return _features(
        universe,
        reading,
        matrix,
        labels,
        codes=codes,
        autoencoder=coder.provenance_,
        layers=layers,
        autoencoder_hash=sae.folder_hash(reading.sae),
    )


def _labels(coder: Any, source: Activations, texts: list[str]) -> list[str]:  # noqa: ANN401 - Coder
    """Give the names of the latents; an autoencoder without any is named by these texts."""
    from finsae import sae

    labels: list[str] = coder.labels_["label"].tolist()
    if any(labels) or len(source.layers) > 1:
        return labels
    found = sae.label_latents(
        coder,
        source.layer(source.layers[0]),
        offsets=source.offsets,
        spans=source.spans,
        texts=texts,
    )
    return found["label"].tolist()


def autoencoder(reading: Reading) -> tuple[Any, tuple[int, ...]]:
    """Load the autoencoder of a reading: a coder, or coders of groups of layers; and the layers.

    Raises
    ------
    DataError
        If it does not read this layer of this model.
    """
    from finsae import sae

    coder: Any
    if sae.is_group(reading.sae):
        coder = sae.load_groups(reading.sae)
        layers = coder.layers_
    else:
        coder = sae.load(reading.sae)
        layers = (coder.layer_ or reading.layer,)
    hook = coder.provenance_.get("hook_name")
    if hook and not sae.is_group(reading.sae) and coder.layer_ is None:
        raise DataError(
            f'the autoencoder "{reading.sae}" reads {hook}; finsae reads the outputs of '
            "transformer blocks (blocks.N.hook_resid_post): choose one trained on these"
        )
    fits = len(layers) > 1 or layers == (reading.layer,)
    if not fits or not (coder.model_ is None or sae.same_model(coder.model_, reading.model)):
        raise DataError(
            f'the autoencoder "{reading.sae}" reads layer {layers[0]} of {coder.model_}, not '
            f"layer {reading.layer} of {reading.model}: name these, or train one (finsae train-sae)"
        )
    return coder, layers


def encode(coder: Any, source: Activations) -> TokenCodes:  # noqa: ANN401 - Coder or GroupSAE
    """Give the codes of all tokens; an autoencoder of both signs gives each a latent."""
    tokens = source.layer(source.layers[0]) if len(source.layers) == 1 else source.tokens
    parts = []
    with progress("Encoding tokens", len(tokens)) as (bar, task):
        for start in range(0, len(tokens), TOKENS_AT_ONCE):
            found = coder.encode(tokens[start : start + TOKENS_AT_ONCE])
            parts.append(_both_signs(found) if coder.SIGNED else found)
            bar.advance(task, found.shape[0])
    codes = sparse.csr_array(sparse.vstack(parts, format="csr"))
    return TokenCodes.of(codes, source.offsets, source.spans)


def _both_signs(codes: sparse.csr_array) -> sparse.csr_array:
    """Give each sign a latent of its own: the two ends of an axis are two features."""
    return sparse.csr_array(sparse.hstack([codes.maximum(0), (-codes).maximum(0)], format="csr"))


def _dense_features(universe: Universe, reading: Reading, source: Activations) -> Features:
    """Mean-pooled activations: the baseline without an autoencoder."""
    tokens, offsets = source.layer(reading.layer), source.offsets
    matrix = np.zeros((len(universe.companies), tokens.shape[1]), dtype=np.float32)
    for row, (start, end) in enumerate(pairwise(offsets)):
        if end > start:
            matrix[row] = np.asarray(tokens[start:end], dtype=np.float32).mean(axis=0)
    names = [f"dimension {dimension}" for dimension in range(matrix.shape[1])]
    return _features(universe, reading, matrix, names)


def _word_features(universe: Universe, reading: Reading, texts: list[str]) -> Features:
    from finsae.embed.tfidf import word_features

    matrix, words = word_features(texts)
    return _features(universe, reading, matrix, words)


def _features(
    universe: Universe,
    reading: Reading,
    matrix: Matrix,
    labels: list[str],
    *,
    codes: TokenCodes | None = None,
    **facts: Any,  # noqa: ANN401 - provenance
) -> Features:
    made = provenance(reading=settings(reading), universe=dict(universe.provenance), **facts)
    return Features.build(matrix, universe.companies, labels, codes=codes, provenance=made)
