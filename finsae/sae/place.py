"""Where SAEs are on disk; found without importing torch."""

from __future__ import annotations

from pathlib import Path

from finsae.checks import DataError, nearest

PRETRAINED = Path(__file__).resolve().parent.parent / "pretrained"
SHIPPED = {"demo": PRETRAINED / "minilm-l5-topk"}
FILE = "sae_weights.safetensors"


def find(name: str | Path) -> Path:
    """Return the folder of an SAE.

    Parameters
    ----------
    name : str or path
        "demo", the one shipped with finsae, or a folder written by `save`.

    Raises
    ------
    DataError
        If there is no SAE.
    """
    folder = SHIPPED.get(str(name), Path(name))
    if not (folder / "cfg.json").is_file():
        raise DataError(
            f'no SAE at "{name}": neither a folder with cfg.json nor a shipped name '
            f"({', '.join(SHIPPED)}){nearest(name, SHIPPED)}"
        )
    return folder


def weights_path(name: str | Path) -> Path:
    """Return the file of an SAE's weights, whose hash names it; `name` as for `find`."""
    return find(name) / FILE
