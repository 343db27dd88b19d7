"""Where SAEs are on disk; found without importing torch, unless one has to be fetched."""

from __future__ import annotations

from pathlib import Path

from finsae.checks import DataError, nearest

PRETRAINED = Path(__file__).resolve().parent.parent / "pretrained"
SHIPPED = {"demo": PRETRAINED / "minilm-l5-topk"}
FILE = "sae_weights.safetensors"
SPARSIFY_FILE = "sae.safetensors"


def find(name: str | Path) -> Path:
    """Return the folder of an SAE.

    Parameters
    ----------
    name : str or path
        "demo", the one shipped with finsae; a folder written by `save`, by SAELens or by sparsify;
        or ``RELEASE/ID`` of SAELens' registry, which is downloaded once (see `registry.fetch`).

    Raises
    ------
    DataError
        If there is no SAE.
    """
    folder = SHIPPED.get(str(name), Path(name).expanduser())
    if (folder / "cfg.json").is_file():
        return folder
    names, hint = list(SHIPPED), ""
    if "/" in str(name) and not folder.is_absolute():
        from finsae.sae import registry

        try:
            fetched = registry.fetch(str(name))
            names += registry.releases()
        except ModuleNotFoundError:
            fetched, hint = None, f"; RELEASE/ID of SAELens' registry needs {registry.INSTALL}"
        if fetched is not None:
            return fetched
    close = nearest(str(name).partition("/")[0], names)
    raise DataError(
        f'no SAE at "{name}": neither a folder with cfg.json, nor a shipped name '
        f"({', '.join(SHIPPED)}), nor RELEASE/ID of SAELens' registry{close}{hint}"
    )


def weights_path(name: str | Path) -> Path:
    """Return the file of an SAE's weights, whose hash names it; `name` as for `find`."""
    folder = find(name)
    sparsify = folder / SPARSIFY_FILE
    return sparsify if sparsify.is_file() else folder / FILE
