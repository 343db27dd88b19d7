"""SAEs of SAELens' registry, such as Gemma Scope and Llama Scope, fetched by SAELens itself."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

from finsae.checks import DataError, nearest
from finsae.store import cache_dir

INSTALL = 'pip install "finsae[saelens]"'


def kept(name: str) -> Path:
    """Give the folder in the cache for ``RELEASE/ID``, whether it is there or not."""
    return cache_dir() / "sae" / name.replace("/", "--")


def fetch(name: str) -> Path | None:
    """Download an SAE of SAELens' registry, once, and keep it as a SAELens folder.

    SAELens does the loading, with the conversion it has for each release. Its SAEs of models with
    LayerNorm (GPT-2, Pythia) were often trained on TransformerLens' centred activations, which are
    not quite those of the model; ``model_from_pretrained_kwargs`` in ``cfg.json`` says so.

    Parameters
    ----------
    name : str
        ``RELEASE/ID``, as in "gemma-scope-2b-pt-res-canonical/layer_12/width_16k/canonical".

    Returns
    -------
    Path or None
        The folder; None if the first part is no release.

    Raises
    ------
    DataError
        If the release has no such SAE, or it cannot be had.
    ModuleNotFoundError
        If SAELens is not installed.
    """
    folder = kept(name)
    if (folder / "cfg.json").is_file():
        return folder
    releases = _releases()
    release, _, number = name.partition("/")
    if release not in releases:
        return None
    known = releases[release].saes_map
    if number not in known:
        some = ", ".join(list(known)[:3])
        raise DataError(
            f'release "{release}" has no SAE "{number}"{nearest(number, known)} '
            f"({len(known):,} known: {some} ...)"
        )
    _download(release, number, folder)
    return folder


def releases() -> list[str]:
    """Name the releases that SAELens knows."""
    return list(_releases())


def _releases() -> dict[str, Any]:
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    found: dict[str, Any] = get_pretrained_saes_directory()
    return found


def _download(release: str, number: str, folder: Path) -> None:
    from sae_lens import SAE

    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        with warnings.catch_warnings():  # on how to load a model that finsae loads itself
            warnings.simplefilter("ignore")
            SAE.from_pretrained(release, number).save_model(temporary)
        if not folder.exists():  # another run may have fetched it meanwhile
            temporary.rename(folder)
    except Exception as error:  # the network, the hub, or any of SAELens' many converters
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f'SAELens cannot load "{number}" of release "{release}": {reason}'
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
