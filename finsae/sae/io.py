"""SAEs on disk, as SAELens folders: ``cfg.json`` and ``sae_weights.safetensors``.

SAELens reads the folder with the same outputs. finsae adds ``labels.parquet``,
``history.parquet`` and its own facts under ``metadata.finsae``.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from finsae.checks import DataError
from finsae.plugins import make
from finsae.sae.coder import Coder
from finsae.sae.place import FILE, find
from finsae.sae.settings import Training
from finsae.store import atomic_path, plain, write_json, write_table

SAELENS_VERSION = "6.54.12"
DTYPES = ("float16", "float32")
# What SAELens calls SAEs that encode alike: a threshold learnt from batches is a JumpReLU's.
SAELENS = {
    "topk": "topk",
    "abs-topk": "abstopk",
    "batch-topk": "jumprelu",
    "matryoshka": "jumprelu",
    "jumprelu": "jumprelu",
    "gated": "gated",
    "l1": "standard",
}
FIXED_K = ("topk", "abstopk")


def save(coder: Coder, folder: str | Path, *, dtype: str = "float32", card: str = "") -> Path:
    """Write an SAE; each file appears whole, ``cfg.json`` last.

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
        If `dtype` is neither, or the weights do not fit into float16.
    """
    if dtype not in DTYPES:
        raise DataError(f'dtype must be "float32" or "float16", not "{dtype}"')
    place = Path(folder)
    with np.errstate(over="ignore"):  # refused below
        weights = {name: getattr(coder, f"{name}_").astype(dtype) for name in coder.WEIGHTS}
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise DataError("weights beyond 65,504 do not fit into float16: save as float32")
    with atomic_path(place / FILE) as temporary:
        save_file(weights, temporary)
    write_table(place / "labels.parquet", coder.labels_)
    write_table(place / "history.parquet", coder.history_)
    if card:
        with atomic_path(place / "README.md") as temporary:
            temporary.write_text(card)
    write_json(place / "cfg.json", _config(coder))
    return place


def saelens_name(architecture: str) -> str:
    """Name, in SAELens, of an architecture of finsae; SAELens does not know the user's own."""
    return SAELENS.get(architecture, f"finsae_{architecture}")


def _config(coder: Coder) -> dict[str, Any]:
    # finsae counts blocks from 1, hook names count from 0
    hook = None if coder.layer_ is None else f"blocks.{coder.layer_ - 1}.hook_resid_post"
    architecture = saelens_name(coder.NAME)
    own: dict[str, Any] = {}
    if architecture in FIXED_K:
        own = {"k": coder.k, "rescale_acts_by_decoder_norm": False}
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


def load(name: str | Path, *, device: str | None = None) -> Coder:
    """Load an SAE.

    Parameters
    ----------
    name : str or path
        "demo", the one shipped with finsae, or a folder written by `save`.
    device : str, optional
        "cpu" or "cuda"; by default a GPU where there is one.

    Raises
    ------
    DataError
        If there is no SAE, or none that finsae can read.
    """
    folder = find(name)
    config = _readable(folder)
    metadata = config.get("metadata", {})
    own = dict(metadata.get("finsae") or {})
    coder = _made(folder, config, own, device=device)
    coder.set_weights(_weights(folder))
    for table in ("labels", "history"):
        if (folder / f"{table}.parquet").is_file():
            setattr(coder, f"{table}_", pd.read_parquet(folder / f"{table}.parquet"))
    if len(coder.labels_) != coder.latents:
        raise DataError(f"{folder}/labels.parquet names {len(coder.labels_)} of {coder.latents}")
    coder.layer_, coder.model_ = own.pop("layer", None), metadata.get("model_name")
    coder.provenance_ = own
    return coder


def _made(
    folder: Path, config: dict[str, Any], own: dict[str, Any], *, device: str | None
) -> Coder:
    """Make the coder that a folder describes, without weights; takes its settings out of `own`."""
    name = own.pop("architecture", "topk")
    settings = own.pop("settings", {}) | {"latents": config["d_sae"]}
    if config["architecture"] in FIXED_K:
        settings["k"] = config["k"]
    if settings.get("training") is not None:
        settings["training"] = Training(**settings["training"])
    if config["architecture"] != saelens_name(name):
        raise DataError(
            f"{folder}/cfg.json: architecture is {config['architecture']!r}, but finsae wrote a "
            f"{name} SAE, which is {saelens_name(name)!r}"
        )
    try:
        coder: Coder = make("coder", name, **settings, device=device)
    except TypeError as error:
        raise DataError(f"{folder}/cfg.json: settings of another version: {error}") from error
    return coder


def _readable(folder: Path) -> dict[str, Any]:
    """Read ``cfg.json`` and refuse what would give other codes than its writer meant."""
    try:
        config: dict[str, Any] = json.loads((folder / "cfg.json").read_text())
    except (ValueError, OSError) as error:
        raise DataError(f"{folder}/cfg.json is not JSON: {error}") from error
    problems = [
        f"{folder}/cfg.json: {name} is {config.get(name, wanted)!r}; finsae reads {wanted!r} only"
        for name, wanted in {
            "apply_b_dec_to_input": True,
            "normalize_activations": "none",
            "rescale_acts_by_decoder_norm": False,
        }.items()
        if config.get(name, wanted) != wanted
    ]
    needed = ["architecture", "d_sae", *(["k"] if config.get("architecture") in FIXED_K else [])]
    problems += [f"{folder}/cfg.json: {name} is missing" for name in needed if name not in config]
    if problems:
        raise DataError(problems)
    return config


def _weights(folder: Path) -> dict[str, npt.NDArray[Any]]:
    path = folder / FILE
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
