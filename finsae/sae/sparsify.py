"""SAEs that EleutherAI's sparsify trained, read as finsae's TopK."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from finsae.checks import DataError
from finsae.sae.interop import Arrays, Foreign

HOOK = re.compile(r"(?:layers|layer|blocks|h)[._](\d+)$")


def from_sparsify(folder: Path, config: dict[str, Any], weights: Arrays) -> Foreign:
    """Translate a folder of EleutherAI's sparsify: its encoder, but not its decoder, is transposed.

    Parameters
    ----------
    folder : Path
        Its name says the layer, as in ``layers.3``.
    config : dict
        Of ``cfg.json``.
    weights : dict
        Of ``sae.safetensors``.

    Raises
    ------
    DataError
        If it is a transcoder or has another activation than TopK, or tensors are missing.
    """
    problems = []
    if config.get("activation", "topk") != "topk":
        problems.append(f"activation is {config['activation']!r}; finsae reads 'topk'")
    if config.get("transcode") or config.get("skip_connection"):
        problems.append("it is a transcoder, which rebuilds another layer than it reads")
    if config.get("signed"):
        problems.append("signed is true; finsae reads sparsify's unsigned codes only")
    tensors = ("encoder.weight", "encoder.bias", "W_dec", "b_dec")
    problems += [f"{name} is missing" for name in tensors if name not in weights]
    problems += [] if config.get("k") else ["k is missing"]
    if problems:
        raise DataError([f"{folder}: {problem}" for problem in problems])
    found = HOOK.search(folder.resolve().name)
    return Foreign(
        "topk",
        {"latents": len(weights["encoder.weight"]), "k": config["k"]},
        {
            "W_enc": weights["encoder.weight"].T,
            "b_enc": weights["encoder.bias"],
            "W_dec": weights["W_dec"],
            "b_dec": weights["b_dec"],
        },
        layer=int(found[1]) + 1 if found else None,
        model=None,
        hook=folder.resolve().name if found else None,
    )
