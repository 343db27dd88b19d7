"""SAEs on disk, as SAELens folders: ``cfg.json`` and ``sae_weights.safetensors``.

SAELens reads the folder with the same outputs. finsae adds ``labels.parquet``,
``history.parquet`` and its own facts under ``metadata.finsae``.
"""

from __future__ import annotations

from dataclasses import asdict
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import save_file

from finsae.artefact import SEAL, check_seal, replacing, seal
from finsae.checks import DataError
from finsae.plugins import make
from finsae.sae.coder import Coder
from finsae.sae.interop import (
    FIXED_K,
    PURSUIT,
    STEPS,
    Foreign,
    from_saelens,
    read_weights,
    saelens_name,
)
from finsae.sae.place import FILE, SPARSIFY_FILE, find, is_group, is_untrained, weights_path
from finsae.sae.pursuit import Pursuit
from finsae.sae.settings import Training
from finsae.sae.sparsify import from_sparsify
from finsae.sae.untrained import untrained
from finsae.store import parse_object, plain, readable, write_json, write_table

SAELENS_VERSION = "6.54.12"
DTYPES = ("float16", "float32")
SCHEMA = 1  # raised when finsae's own part of a folder changes
TABLES = ("labels", "history")


def save(coder: Coder, folder: str | Path, *, dtype: str = "float32", card: str = "") -> Path:
    """Write an SAE; one of before is replaced as a whole.

    ``cfg.json`` has the checksums of weights and tables under ``metadata.finsae``.

    Parameters
    ----------
    coder : Coder
        A fitted SAE. One of an architecture that is not finsae's own loads in finsae only.
    folder : path
        Made if missing.
    dtype : str
        "float32" keeps the SAE exactly; "float16" halves it, and codes then differ in the fourth
        digit.
    card : str
        The model card, written as ``README.md``.

    Raises
    ------
    DataError
        If `dtype` is neither, the weights do not fit into float16, or the coder is one of
        `finsae.sae.pursue`.
    """
    with replacing(folder) as staging:
        write(coder, staging, dtype=dtype, card=card)
    return Path(folder)


def write(coder: Coder, place: Path, *, dtype: str, card: str = "") -> None:
    """Write an SAE's files into an empty folder; see `save`."""
    if dtype not in DTYPES:
        raise DataError(f'dtype must be "float32" or "float16", not "{dtype}"')
    if coder.NAME == Pursuit.NAME:
        raise DataError(
            "a coder by pursuit is not saved: save the SAE whose dictionary it reads, and call "
            "sae.pursue on what sae.load gives"
        )
    with np.errstate(over="ignore"):  # refused below
        weights = {name: getattr(coder, f"{name}_").astype(dtype) for name in coder.WEIGHTS}
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise DataError("weights beyond 65,504 do not fit into float16: save as float32")
    place.mkdir(parents=True, exist_ok=True)
    try:
        save_file(weights, place / FILE)
    except SafetensorError as error:
        raise OSError(f"{FILE} cannot be written: {error}") from None
    for table in TABLES:
        write_table(place / f"{table}.parquet", getattr(coder, f"{table}_"))
    if card:
        (place / "README.md").write_text(card)
    config = _config(coder)
    files = [FILE, *(f"{table}.parquet" for table in TABLES)]
    config["metadata"]["finsae"][SEAL] = seal(place, files, schema=SCHEMA)
    write_json(place / "cfg.json", config)


def _config(coder: Coder) -> dict[str, Any]:
    # finsae counts blocks from 1, hook names count from 0
    hook = None if coder.layer_ is None else f"blocks.{coder.layer_ - 1}.hook_resid_post"
    architecture = saelens_name(coder.NAME)
    own: dict[str, Any] = {}
    if architecture in FIXED_K:
        own = {"k": coder.k, "rescale_acts_by_decoder_norm": False}
    elif architecture == PURSUIT:
        own = {"max_iterations": coder.k, **STEPS}
    return {
        "architecture": architecture,
        "d_in": len(coder.b_dec_),
        "d_sae": coder.latents,
        **own,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {
            "sae_lens_version": SAELENS_VERSION,
            "model_name": coder.model_,
            "hook_name": hook,
            "finsae": plain(
                {
                    "architecture": coder.NAME,
                    "settings": _settings(coder),
                    "layer": coder.layer_,
                    **coder.provenance_,
                }
            ),
        },
    }


def _settings(coder: Coder) -> dict[str, Any]:
    """Give the arguments that `coder` was made with, less the device, as JSON."""
    names = [name for name in signature(type(coder)).parameters if name != "device"]
    found = {name: getattr(coder, name) for name in names}
    if isinstance(found.get("training"), Training):
        found["training"] = asdict(found["training"])
    return found


def load(name: str | Path, *, layer: int | None = None, device: str | None = None) -> Coder:
    """Load an SAE.

    Parameters
    ----------
    name : str or path
        "demo", the one shipped with finsae; a folder written by `save`, by SAELens or by sparsify;
        or ``RELEASE/ID`` of SAELens' registry (``pip install "finsae[saelens]"``), as in
        "gemma-scope-2b-pt-res-canonical/layer_12/width_16k/canonical". After "untrained:", random
        directions of that SAE's size (`finsae.sae.untrained`).
    layer : int, optional
        Of SAEs of groups of layers, the layer whose raw activations are to be read: its group's
        SAE with the layer's scale folded in. Of another SAE, the layer that it must be of.
    device : str, optional
        "cpu" or "cuda"; by default a GPU where there is one.

    Returns
    -------
    Coder
        Of the class and settings that `save` saw. An SAE of others gets finsae's class of the same
        encoder, and settings of training are that class's defaults; its codes are those of the
        other library, whose decoder rows need not have unit length.

    Raises
    ------
    DataError
        If there is no SAE, none that finsae can read, or none of this layer.
    """
    folder = find(name)
    if is_group(folder):
        return _of_group(name, layer, device)
    damaged = f'the SAE in "{folder}"', "delete the folder, and train or copy it again"
    with readable(*damaged):
        coder = _loaded(folder, device)
    if layer not in (None, coder.layer_):
        raise DataError(f'"{name}" reads layer {coder.layer_}, not layer {layer}')
    return untrained(coder) if is_untrained(name) else coder


def _loaded(folder: Path, device: str | None) -> Coder:
    config = _json(folder / "cfg.json")
    own = dict((config.get("metadata") or {}).get("finsae") or {})
    check_seal(folder, own.pop(SEAL, None), schema=SCHEMA)
    found = _described(folder, config, own)
    try:
        coder: Coder = make("coder", found.architecture, **found.settings, device=device)
    except TypeError as error:
        raise DataError(f"{folder}/cfg.json: settings of another version: {error}") from error
    coder.set_weights(found.weights)
    for table in TABLES:
        if (folder / f"{table}.parquet").is_file():
            setattr(coder, f"{table}_", pd.read_parquet(folder / f"{table}.parquet"))
    if len(coder.labels_) != coder.latents:
        raise DataError(f"{folder}/labels.parquet names {len(coder.labels_)} of {coder.latents}")
    coder.layer_, coder.model_ = own.pop("layer", found.layer), found.model
    coder.scale_ = float(own.get("scale", 1.0))
    coder.provenance_ = own or {"hook_name": found.hook, "folder": folder.name}
    return coder


def _of_group(name: str | Path, layer: int | None, device: str | None) -> Coder:
    """Load the SAE of one layer of a folder of groups."""
    from finsae.sae.group import load_groups

    group = load_groups(name, device=device)
    if layer is None:
        raise DataError(
            f'"{name}" holds SAEs of groups of layers: read all by sae.load_groups, or one by '
            f"sae.load(..., layer=), of {list(group.layers_)}"
        )
    return group.at(layer)


def _described(folder: Path, config: dict[str, Any], own: dict[str, Any]) -> Foreign:
    """Read an SAE whoever wrote it; takes class and settings out of finsae's `own` facts."""
    weights = read_weights(weights_path(folder))
    if (folder / SPARSIFY_FILE).is_file():
        return from_sparsify(folder, config, weights)
    name, settings = own.pop("architecture", None), own.pop("settings", {})
    written = config.get("architecture")
    if name is not None and written != saelens_name(name):
        raise DataError(
            f"{folder}/cfg.json: architecture is {written!r}, but metadata.finsae says {name}, "
            f"which is {saelens_name(name)!r}"
        )
    found = from_saelens(folder, config, weights)
    if settings.get("training") is not None:
        try:
            settings["training"] = Training(**settings["training"])
        except TypeError as error:
            raise DataError(f"{folder}/cfg.json: settings of another version: {error}") from error
    return found._replace(
        architecture=name or found.architecture, settings=settings | found.settings
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        return parse_object(path.read_text())
    except (ValueError, OSError) as error:
        raise DataError(f"{path} is not JSON of settings: {error}") from error
