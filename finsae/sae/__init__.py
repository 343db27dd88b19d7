"""Sparse autoencoders: dense token activations to a few active, named latents.

``TopK(...).fit(activations)`` trains one, ``load("demo")`` gives the one that finsae ships,
``train(...)`` is the whole way from a folder of activations to a saved, labelled, judged SAE.
torch is imported when one of these names is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finsae.sae.architectures.itda import shared_atoms
    from finsae.sae.architectures.topk import TopK
    from finsae.sae.group import GroupSAE, export, load_groups, save_groups
    from finsae.sae.group_job import find_groups, train_groups
    from finsae.sae.interop import same_model
    from finsae.sae.io import load, save
    from finsae.sae.job import train
    from finsae.sae.labels import label_latents
    from finsae.sae.metrics import evaluate, layer_table, mmcs
    from finsae.sae.model_gradients import with_gradients
    from finsae.sae.patching import loss_recovered
    from finsae.sae.place import folder_hash, is_group, weights_path
    from finsae.sae.pursuit import pursue
    from finsae.sae.settings import Training
    from finsae.sae.stream import Stream
    from finsae.sae.transfer import rotated, rotation
    from finsae.sae.watch import tensorboard
    from finsae.sae.workers import data_parallel

HOMES = {
    "find_groups": "group_job",
    "train_groups": "group_job",
    "rotated": "transfer",
    "rotation": "transfer",
    "GroupSAE": "group",
    "export": "group",
    "is_group": "place",
    "load_groups": "group",
    "save_groups": "group",
    "tensorboard": "watch",
    "TopK": "architectures.topk",
    "Stream": "stream",
    "Training": "settings",
    "data_parallel": "workers",
    "evaluate": "metrics",
    "label_latents": "labels",
    "layer_table": "metrics",
    "load": "io",
    "loss_recovered": "patching",
    "mmcs": "metrics",
    "same_model": "interop",
    "save": "io",
    "train": "job",
    "folder_hash": "place",
    "weights_path": "place",
    "pursue": "pursuit",
    "shared_atoms": "architectures.itda",
    "with_gradients": "model_gradients",
}

__all__ = [
    "GroupSAE",
    "Stream",
    "TopK",
    "Training",
    "data_parallel",
    "evaluate",
    "export",
    "find_groups",
    "folder_hash",
    "is_group",
    "label_latents",
    "layer_table",
    "load",
    "load_groups",
    "loss_recovered",
    "mmcs",
    "pursue",
    "rotated",
    "rotation",
    "same_model",
    "save",
    "save_groups",
    "shared_atoms",
    "tensorboard",
    "train",
    "train_groups",
    "weights_path",
    "with_gradients",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Import the home of `name`; ``import finsae.sae`` alone must not load torch."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
