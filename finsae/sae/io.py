"""SAEs on disk, as SAELens folders: ``cfg.json`` and ``sae_weights.safetensors``.

SAELens reads the folder as a "topk" SAE with the same outputs. finsae adds ``labels.parquet``,
``history.parquet`` and its own facts under ``metadata.finsae``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from finsae.checks import DataError
from finsae.sae.architectures.topk import TopK
from finsae.sae.coder import Coder
from finsae.sae.place import FILE, find
from finsae.store import atomic_path, plain, write_json, write_table

SAELENS_VERSION = "6.54.12"
WEIGHTS = ("W_enc", "W_dec", "b_enc", "b_dec")
DTYPES = ("float16", "float32")


def save(coder: Coder, folder: str | Path, *, dtype: str = "float32", card: str = "") -> Path:
    """Write an SAE; each file appears whole, ``cfg.json`` last.

    Parameters
    ----------
    coder : TopK
        A fitted SAE.
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
        weights = {name: getattr(coder, f"{name}_").astype(dtype) for name in WEIGHTS}
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


def _config(coder: Coder) -> dict[str, Any]:
    # finsae counts blocks from 1, hook names count from 0
    hook = None if coder.layer_ is None else f"blocks.{coder.layer_ - 1}.hook_resid_post"
    return {
        "architecture": "topk",
        "d_in": len(coder.b_dec_),
        "d_sae": coder.latents,
        "k": coder.k,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "rescale_acts_by_decoder_norm": False,
        "metadata": {
            "sae_lens_version": SAELENS_VERSION,
            "model_name": coder.model_,
            "hook_name": hook,
            "finsae": plain({"layer": coder.layer_, **coder.provenance_}),
        },
    }


def load(name: str | Path, *, device: str | None = None) -> TopK:
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
        If there is no SAE, or none of this kind.
    """
    return _read(find(name), device)


def _read(folder: Path, device: str | None) -> TopK:
    config = _readable(folder)
    weights = _weights(folder)
    coder = TopK(config["d_sae"], config["k"], device=device)
    coder.set_weights(weights)
    for table in ("labels", "history"):
        if (folder / f"{table}.parquet").is_file():
            setattr(coder, f"{table}_", pd.read_parquet(folder / f"{table}.parquet"))
    if len(coder.labels_) != coder.latents:
        raise DataError(f"{folder}/labels.parquet names {len(coder.labels_)} of {coder.latents}")
    metadata = config.get("metadata", {})
    own = dict(metadata.get("finsae") or {})
    coder.layer_, coder.model_ = own.pop("layer", None), metadata.get("model_name")
    coder.provenance_ = own
    return coder


def _readable(folder: Path) -> dict[str, Any]:
    """Read ``cfg.json`` and refuse what would give other codes than its writer meant."""
    try:
        config: dict[str, Any] = json.loads((folder / "cfg.json").read_text())
    except (ValueError, OSError) as error:
        raise DataError(f"{folder}/cfg.json is not JSON: {error}") from error
    problems = [
        f"{folder}/cfg.json: {name} is {config.get(name)!r}; finsae reads {wanted!r} only"
        for name, wanted in {
            "architecture": "topk",
            "apply_b_dec_to_input": True,
            "normalize_activations": "none",
            "rescale_acts_by_decoder_norm": False,
        }.items()
        if config.get(name) != wanted
    ]
    problems += [
        f"{folder}/cfg.json: {name} is missing" for name in ("d_sae", "k") if name not in config
    ]
    if problems:
        raise DataError(problems)
    return config


def _weights(folder: Path) -> dict[str, npt.NDArray[Any]]:
    path = folder / FILE
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    missing = [name for name in WEIGHTS if name not in weights]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}")
    return weights
