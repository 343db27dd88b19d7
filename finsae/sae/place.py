"""Where SAEs are on disk; found without importing torch, unless one has to be fetched."""

from __future__ import annotations

from pathlib import Path

from finsae.checks import DataError, nearest
from finsae.store import hash_file, hash_texts, parse_object, readable

PRETRAINED = Path(__file__).resolve().parent.parent / "pretrained"
SHIPPED = {
    "demo": PRETRAINED / "minilm-l5-topk",
    "demo-group": PRETRAINED / "minilm-groups",
}
FILE = "sae_weights.safetensors"
SPARSIFY_FILE = "sae.safetensors"
GROUPS = "groups.json"
DECISIVE = (".safetensors", ".json", ".parquet")
UNTRAINED = "untrained:"


def find(name: str | Path) -> Path:
    """Return the folder of an SAE.

    Parameters
    ----------
    name : str or path
        "demo", the one shipped with finsae; a folder written by `save`, by SAELens or by sparsify;
        one of `finsae.sae.group.save_groups`;
        or ``RELEASE/ID`` of SAELens' registry, which is downloaded once (see `registry.fetch`).
        After "untrained:" any of these: the SAE of random directions of its size.

    Raises
    ------
    DataError
        If there is no SAE.
    """
    name = str(name).removeprefix(UNTRAINED)
    folder = SHIPPED.get(name, Path(name).expanduser())
    if (folder / "cfg.json").is_file() or (folder / GROUPS).is_file():
        return folder
    names, hint = list(SHIPPED), ""
    if "/" in name and not folder.is_absolute():
        from finsae.sae import registry

        try:
            fetched = registry.fetch(name)
            if fetched is not None:
                return fetched
            names += registry.releases()
        except ModuleNotFoundError:
            hint = f"; SAEs of the registry need {registry.INSTALL}"
    close = nearest(name.partition("/")[0], names)
    raise DataError(
        f'no SAE at "{name}": neither a folder with cfg.json, nor a shipped name '
        f"({', '.join(SHIPPED)}), nor RELEASE/ID of SAELens' registry{close}{hint}"
    )


def weights_path(name: str | Path) -> Path:
    """Return the file of an SAE's weights, whose hash names it; `name` as for `find`."""
    folder = find(name)
    sparsify = folder / SPARSIFY_FILE
    return sparsify if sparsify.is_file() else folder / FILE


def is_group(name: str | Path) -> bool:
    """Say whether an SAE's folder holds SAEs of groups of layers; `name` as for `find`."""
    return (find(name) / GROUPS).is_file()


def is_untrained(name: str | Path) -> bool:
    """Say whether a name asks for random directions instead of what an SAE has learnt."""
    return str(name).startswith(UNTRAINED)


def folder_hash(name: str | Path) -> str:
    """Hash everything of an SAE's folder that decides codes and their names; `name` as for `find`.

    The model card and the history of the training do not.
    """
    folder = find(name)
    places = [folder]
    if (folder / GROUPS).is_file():  # a member may be another SAE's folder
        with readable(f"{folder / GROUPS}, the list of groups,", "train them again"):
            listed = parse_object((folder / GROUPS).read_text())["groups"]
            places += [find(folder / str(member["folder"])) for member in listed]
    files = [
        file
        for place in places
        for file in sorted(place.iterdir())
        if file.suffix in DECISIVE and file.stem != "history"
    ]
    hashed = [f"{file.parent.name}/{file.name} {hash_file(file)}" for file in files]
    return hash_texts([UNTRAINED, *hashed] if is_untrained(name) else hashed)
