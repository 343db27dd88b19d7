"""The state of a training on disk: tensors as safetensors, the rest as JSON in the same file.

No pickle: a checkpoint from elsewhere can be wrong, but it cannot run anything.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from finsae.checks import DataError
from finsae.store import DAMAGED, atomic_path, parse_object

TENSOR, PAIRS, REST = "tensor", "pairs", "rest"


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a state, whole or not at all.

    Parameters
    ----------
    path : Path
        A file.
    state : dict
        Of tensors, numbers, text, None, and dicts, lists and tuples of these, however nested;
        keys are text or integers, tuples come back as lists.
    """
    tensors: dict[str, Tensor] = {}
    rest = json.dumps(_packed(state, tensors))
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={REST: rest})


def load(path: Path, device: torch.device | str) -> dict[str, Any]:
    """Read a state, its tensors on a device.

    Raises
    ------
    DataError
        If the file is damaged, or no such state.
    """
    try:
        # safetensors takes "cuda" for the first GPU, torch for this process's
        with safe_open(path, framework="pt", device="cpu") as file:
            names = file.keys()
            tensors = {name: file.get_tensor(name).to(device) for name in names}
            rest = parse_object((file.metadata() or {})[REST])
        state: dict[str, Any] = _unpacked(rest, tensors)
        state.items()
    except (SafetensorError, *DAMAGED) as error:
        raise DataError(
            f'the checkpoint "{path}" cannot be read ({error}): delete it, and the training '
            "begins anew"
        ) from None
    return state


def _packed(value: Any, tensors: dict[str, Tensor]) -> Any:  # noqa: ANN401 - any JSON value
    """Write a value as JSON, its tensors put aside and named."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().contiguous()
        return {TENSOR: name}
    if isinstance(value, dict):
        return {PAIRS: [[key, _packed(item, tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_packed(item, tensors) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _unpacked(value: Any, tensors: dict[str, Tensor]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return [_unpacked(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if TENSOR in value:
        return tensors[value[TENSOR]]
    return {key: _unpacked(item, tensors) for key, item in value[PAIRS]}
