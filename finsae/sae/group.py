"""SAEs that serve groups of layers, and the folder that holds them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.artefact import replacing
from finsae.checks import DataError
from finsae.sae.batches import Tokens
from finsae.sae.coder import Coder
from finsae.sae.io import load, save, write
from finsae.sae.place import GROUPS, find, is_group, is_untrained
from finsae.sae.untrained import untrained
from finsae.store import parse_object, readable, write_json

Codes = sparse.csr_array


@dataclass(frozen=True)
class Member:
    """One SAE and the layers that it serves.

    Attributes
    ----------
    coder : Coder
        Reads ``scale * x``, with x a token's activation at one of the layers.
    layers : tuple of int
        Counted from 1.
    scales : tuple of float
        One per layer: it brings the layer's activations to the mean length sqrt(width).
    """

    coder: Coder
    layers: tuple[int, ...]
    scales: tuple[float, ...]

    @property
    def latents(self) -> int:
        """Size of the dictionary."""
        return self.coder.latents

    @property
    def name(self) -> str:
        """Say which layers: "layers-1-4" for neighbours, else "layers-1+3"."""
        first, last = self.layers[0], self.layers[-1]
        together = last - first == len(self.layers) - 1 > 0
        return "layers-" + (f"{first}-{last}" if together else "+".join(map(str, self.layers)))

    def at(self, layer: int) -> Coder:
        """Give the SAE that reads one layer's raw activations: the scale is folded in.

        Raises
        ------
        DataError
            If the layer is not of this group.
        """
        if layer not in self.layers:
            raise DataError(f"layer {layer} is not among this SAE's, {list(self.layers)}")
        one, scale = copy.copy(self.coder), self.scales[self.layers.index(layer)]
        weights = {name: getattr(one, f"{name}_") for name in one.WEIGHTS}
        one.set_weights(
            {n: w if n in one.UNSCALED else w / np.float32(scale) for n, w in weights.items()}
        )
        one.history_, one.labels_ = self.coder.history_, self.coder.labels_
        one.layer_, one.model_, one.scale_ = layer, self.coder.model_, scale
        one.provenance_ = {**self.coder.provenance_, "group": self.layers, "scale": scale}
        return one

    def encode(self, tokens: npt.NDArray[Any]) -> Codes:
        """Mean over the layers of each token's codes: tokens x layers x width to tokens x latents.

        The codes keep the scaled unit, in which every layer counts the same.
        """
        total = sparse.csr_array((len(tokens), self.latents), dtype=np.float32)
        for place, scale in enumerate(self.scales):
            x = np.asarray(tokens[:, place], dtype=np.float32) * np.float32(scale)
            total = total + self.coder.encode(x)
        return sparse.csr_array(total / np.float32(len(self.layers)))


@dataclass
class GroupSAE:
    """One SAE per group of layers; its latents are those of all of them, one after the other.

    Attributes
    ----------
    members : sequence of Member
        Groups, by their first layer.
    facts_ : dict
        How the groups were found: distances, theta, AMAD.
    """

    members: Sequence[Member]
    facts_: dict[str, Any] = field(default_factory=dict)

    SIGNED = False

    @property
    def latents(self) -> int:
        """Latents of all members together."""
        return sum(member.latents for member in self.members)

    @property
    def layers_(self) -> tuple[int, ...]:
        """All layers, ascending: the second axis of what `encode` reads."""
        return tuple(sorted(layer for member in self.members for layer in member.layers))

    @property
    def model_(self) -> str | None:
        """Whose activations they read."""
        return self.members[0].coder.model_

    @property
    def labels_(self) -> pd.DataFrame:
        """Label and density per latent; labels say the layers where there are several groups."""
        tables = []
        for member in self.members:
            table = member.coder.labels_
            if len(self.members) > 1:
                table = table.assign(
                    label=table["label"] + f" ({member.name.replace('-', ' ', 1)})"
                )
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

    @property
    def provenance_(self) -> dict[str, Any]:
        """How the groups were found and each SAE was made."""
        made = {member.name: member.coder.provenance_ for member in self.members}
        return {"groups": [list(m.layers) for m in self.members], **self.facts_, "members": made}

    def at(self, layer: int) -> Coder:
        """Give the SAE of one layer's raw activations.

        Raises
        ------
        DataError
            If no member serves the layer.
        """
        for member in self.members:
            if layer in member.layers:
                return member.at(layer)
        raise DataError(f"no SAE here serves layer {layer}; the layers are {list(self.layers_)}")

    def encode(self, tokens: Tokens) -> Codes:
        """Codes of all members side by side, tokens x latents.

        Parameters
        ----------
        tokens : array or memory map
            Tokens x layers x width, the layers as `layers_`.

        Raises
        ------
        DataError
            If that is not their shape.
        """
        layers = self.layers_
        if len(tokens.shape) != 3 or tokens.shape[1] != len(layers):
            raise DataError(
                f"these SAEs read tokens x {len(layers)} layers x width; given was {tokens.shape}"
            )
        parts = [
            member.encode(tokens[:, [layers.index(layer) for layer in member.layers]])
            for member in self.members
        ]
        return sparse.csr_array(sparse.hstack(parts, format="csr"))


def save_groups(group: GroupSAE, folder: str | Path, *, dtype: str = "float32") -> Path:
    """Write a `GroupSAE`: a folder per member, and ``groups.json``; one of before is replaced.

    A member's folder holds the weights that read scaled activations; `export` writes folders for
    other libraries, one per layer.
    """
    listed = [
        {"folder": m.name, "layers": list(m.layers), "scales": list(m.scales)}
        for m in group.members
    ]
    with replacing(folder) as staging:
        for member in group.members:
            write(member.coder, staging / member.name, dtype=dtype)
        write_json(staging / GROUPS, {"groups": listed, **group.facts_})
    return Path(folder)


def load_groups(name: str | Path, *, device: str | None = None) -> GroupSAE:
    """Read a folder of `save_groups`; after "untrained:", random directions of its SAEs' sizes.

    Raises
    ------
    DataError
        If it is none, or damaged.
    """
    place = find(name)
    path = place / GROUPS
    with readable(f"{path}, the list of groups,", "train them again"):
        content = parse_object(path.read_text())
        members = [_member(place, listed, device) for listed in content.pop("groups")]
        if not members:
            raise ValueError("no group")
    if is_untrained(name):
        members = [replace(member, coder=untrained(member.coder)) for member in members]
        content["untrained"] = True
    return GroupSAE(members, content)


def _member(place: Path, listed: dict[str, Any], device: str | None) -> Member:
    """Load a member; an SAE that reads raw activations is put back into the scaled unit."""
    folder = place / listed["folder"]
    if is_group(folder):  # itself, it may be
        raise ValueError(f'"{listed["folder"]}" is no SAE of one group')
    coder = load(folder, device=device)
    if coder.layer_ is not None and coder.scale_ != 1:
        kept = coder.history_, coder.labels_, coder.model_, coder.provenance_
        scale = np.float32(coder.scale_)
        weights = {name: getattr(coder, f"{name}_") for name in coder.WEIGHTS}
        coder.set_weights({n: w if n in coder.UNSCALED else w * scale for n, w in weights.items()})
        coder.history_, coder.labels_, coder.model_, coder.provenance_ = kept
        return Member(coder, tuple(listed["layers"]), (float(scale),))
    return Member(coder, tuple(listed["layers"]), tuple(listed["scales"]))


def export(group: GroupSAE, folder: str | Path, *, dtype: str = "float32") -> list[Path]:
    """Write one SAELens folder per layer, the layer's scale folded into the weights.

    Returns
    -------
    list of Path
        ``layer-1``, ``layer-2`` and so on under `folder`.
    """
    return [
        save(group.at(layer), Path(folder) / f"layer-{layer}", dtype=dtype)
        for layer in group.layers_
    ]
