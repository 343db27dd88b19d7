"""SAEs that others trained: folders of SAELens, read as finsae's own classes.

Everything that their configurations do to activations on the way is folded into the weights, so
that outputs are the same on raw activations.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from finsae.checks import DataError
from finsae.store import DAMAGED, parse_object

Arrays = dict[str, npt.NDArray[Any]]

# What SAELens calls SAEs that encode like these of finsae.
SAELENS = {
    "l1": "standard",
    "topk": "topk",
    "abs-topk": "abstopk",
    "jumprelu": "jumprelu",
    "gated": "gated",
    "itda": "matching_pursuit",
}
ARCHITECTURES = {theirs: ours for ours, theirs in SAELENS.items()}
# Once trained, a threshold learnt from batches is a JumpReLU's; without the language model's
# gradients a g-SAE is a TopK's. Top-AFA's selection SAELens has no class for.
THRESHOLDS = ("batch-topk", "matryoshka", "feature-choice", "gba")
SAELENS |= dict.fromkeys(THRESHOLDS, "jumprelu") | {"g-sae": "topk"}
OWN = "finsae_"  # before the name of an architecture that SAELens does not know
FIXED_K = ("topk", "abstopk")
PURSUIT = "matching_pursuit"
COUNT = {"topk": "k", "abstopk": "k", PURSUIT: "max_iterations"}  # what they call our k
# finsae's pursuit takes its k steps, and does not stop before.
STEPS = {"residual_threshold": 0.0, "stop_on_duplicate_support": False}
# Why a way of normalising cannot be folded from the folder alone, or what to do instead.
PER_TOKEN = "it scales every token by its own length, which no weights can do; take another SAE"
REFUSED = {
    "constant_norm_rescale": PER_TOKEN,
    "layer_norm": PER_TOKEN,
    "covariance_whitening": "in SAELens, call fold_activation_whitening and save_model",
}
TRAINING_ONLY = ("batchtopk", "matryoshka_batchtopk")
# Models that TransformerLens or finsae call otherwise than the hub does.
MODELS = {"gpt2-small": "gpt2", "all-minilm-l6-v2": "minilm"}
HOOK = re.compile(r"blocks\.(\d+)\.hook_resid_(pre|post)")


class Foreign(NamedTuple):
    """An SAE of another library: which class of finsae it is, and what it needs.

    Attributes
    ----------
    architecture : str
        Name on the menu.
    settings : dict
        Arguments of the class.
    weights : dict of str to ndarray
        See `finsae.sae.coder.Coder`.
    layer : int or None
        Transformer block, from 1, whose output it reads; None where it reads something else.
    model : str or None
        The language model as the other library names it.
    hook : str or None
        The place in the model as the other library names it.
    """

    architecture: str
    settings: dict[str, Any]
    weights: Arrays
    layer: int | None
    model: str | None
    hook: str | None


def saelens_name(architecture: str) -> str:
    """Name, in SAELens, of an architecture of finsae; SAELens does not know the user's own."""
    return SAELENS.get(architecture, f"{OWN}{architecture}")


def read_weights(path: Path) -> Arrays:
    """Read a safetensors file of any float type.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return {name: tensor.to(torch.float32).numpy() for name, tensor in tensors.items()}


def from_saelens(folder: Path, config: dict[str, Any], weights: Arrays) -> Foreign:
    """Translate a SAELens folder.

    Parameters
    ----------
    folder : Path
        Where ``activation_scaler.json`` may lie.
    config : dict
        Of ``cfg.json``, of SAELens 6 or before.
    weights : dict
        Of ``sae_weights.safetensors``.

    Raises
    ------
    DataError
        If finsae has no class for it, or its way of normalising cannot be folded.
    """
    config = _modern(config)
    architecture = config.get("architecture", "standard")
    problems = _problems(folder, config, architecture)
    if problems:
        raise DataError([f"{folder}/cfg.json: {problem}" for problem in problems])
    scaled = config.get("normalize_activations") == "expected_average_only_in"
    by_lengths = bool(config.get("rescale_acts_by_decoder_norm"))
    centred = bool(config.get("apply_b_dec_to_input", True))
    if scaled or by_lengths or not centred:
        weights = {name: array.astype(np.float64) for name, array in weights.items()}
    if scaled:
        _fold_scale(weights, _scaling_factor(folder))
    if by_lengths:
        _fold_lengths(weights)
    if not centred:
        _fold_origin(weights)
    settings = {"latents": config["d_sae"]}
    if architecture in COUNT:
        settings["k"] = config[COUNT[architecture]]
    metadata = config.get("metadata") or {}
    hook = metadata.get("hook_name")
    return Foreign(
        ARCHITECTURES.get(architecture, architecture.removeprefix(OWN)),
        settings,
        weights,
        layer=layer_of(hook),
        model=metadata.get("model_name"),
        hook=hook,
    )


def layer_of(hook: str | None) -> int | None:
    """Give the transformer block, from 1, at whose output a hook of TransformerLens reads."""
    found = HOOK.fullmatch(hook or "")
    if found is None:
        return None
    layer = int(found[1]) + (found[2] == "post")
    return layer or None  # the embeddings are before the first block


def same_model(one: str, other: str) -> bool:
    """Say whether two libraries' names mean one language model: "gemma-2-2b", "google/gemma-2-2b".

    Only the last part of a hub id or path counts, in lower case.
    """
    names = {name.rstrip("/").rsplit("/", 1)[-1].lower() for name in (one, other)}
    return len({MODELS.get(name, name) for name in names}) == 1


def _modern(config: dict[str, Any]) -> dict[str, Any]:
    """Give a configuration of before SAELens 6 the names of today."""
    metadata = config.get("metadata") or {}
    if metadata.get("sae_lens_version") or config.get("sae_lens_version"):
        return config
    activation = config.get("activation_fn", config.get("activation_fn_str", "relu"))
    known = {key: config[key] for key in ("model_name", "hook_name") if key in config}
    if "hook_point" in config:
        known["hook_name"] = config["hook_point"]
    modern = {**config, "metadata": {**known, **metadata}}
    if activation == "topk":
        modern["architecture"] = "topk"
        modern["k"] = config.get("activation_fn_kwargs", {}).get("k", config.get("k"))
    elif activation != "relu":
        modern["architecture"] = f"{config.get('architecture', 'standard')} with {activation}"
    scaled = config.get("normalize_activations")
    if scaled is None or isinstance(scaled, bool):
        modern["normalize_activations"] = "expected_average_only_in" if scaled else "none"
    return modern


def _problems(folder: Path, config: dict[str, Any], architecture: str) -> list[str]:
    problems = []
    if architecture in TRAINING_ONLY:
        problems.append(
            f"architecture is {architecture!r}, a training checkpoint: in SAELens, "
            "TrainingSAE.load_from_disk(...).save_inference_model(...) makes it a jumprelu SAE"
        )
    elif architecture not in ARCHITECTURES and not architecture.startswith(OWN):
        known = ", ".join(ARCHITECTURES)
        problems.append(f"architecture is {architecture!r}; finsae reads {known}")
    scaled = config.get("normalize_activations", "none")
    if scaled == "expected_average_only_in" and not (folder / "activation_scaler.json").is_file():
        problems.append(
            f"normalize_activations is {scaled!r}, and the factor is not in activation_scaler.json "
            "beside it: in SAELens, call fold_activation_norm_scaling_factor and save_model"
        )
    elif scaled not in {"none", "expected_average_only_in"}:
        reason = REFUSED.get(scaled, "finsae does not know it")
        problems.append(f"normalize_activations is {scaled!r}: {reason}")
    if config.get("finetuning_scaling_factor"):
        problems.append("finetuning_scaling_factor is set, which SAELens 6 does not read either")
    if architecture == PURSUIT:
        problems += _early_stops(config)
    needed = ["d_sae", *([COUNT[architecture]] if architecture in COUNT else [])]
    return problems + [f"{name} is missing" for name in needed if config.get(name) is None]


def _early_stops(config: dict[str, Any]) -> list[str]:
    """Say what of a matching pursuit finsae's does not do."""
    theirs = {"residual_threshold": 1e-2, "stop_on_duplicate_support": True} | config
    problems = [
        f"{name} is {theirs[name]!r}; finsae's pursuit never stops early, and reads {value!r} only"
        for name, value in STEPS.items()
        if theirs[name] != value
    ]
    if config.get("normalize_activations", "none") != "none":
        problems.append(
            "a pursuit of normalised activations has no encoder to fold the factor into"
        )
    return problems


def _scaling_factor(folder: Path) -> float:
    path = folder / "activation_scaler.json"
    try:
        factor = float(parse_object(path.read_text())["scaling_factor"])
    except DAMAGED as error:
        raise DataError(f"{path} holds no scaling_factor: {error}") from error
    return factor


def _fold_scale(weights: Arrays, factor: float) -> None:
    """Let weights that read ``factor * x`` read x."""
    weights["W_enc"] = weights["W_enc"] * factor
    for name in ("W_dec", "b_dec"):
        weights[name] = weights[name] / factor


def _fold_lengths(weights: Arrays) -> None:
    """Let pre-activations be multiplied by the lengths of decoder rows, and codes divided."""
    lengths = np.linalg.norm(weights["W_dec"], axis=1)
    lengths[lengths == 0] = 1.0
    weights["W_enc"] = weights["W_enc"] * lengths
    weights["b_enc"] = weights["b_enc"] * lengths
    weights["W_dec"] = weights["W_dec"] / lengths[:, None]


def _fold_origin(weights: Arrays) -> None:
    """Let an encoder of x read ``x - b_dec``."""
    if "W_enc" not in weights:  # a pursuit, which then adds no b_dec either
        weights["b_dec"] = np.zeros_like(weights["b_dec"])
        return
    shift = weights["b_dec"] @ weights["W_enc"]
    for name in ("b_enc", "b_gate"):
        if name in weights:
            weights[name] = weights[name] + shift
    if "b_mag" in weights:
        weights["b_mag"] = weights["b_mag"] + shift * np.exp(weights["r_mag"])
