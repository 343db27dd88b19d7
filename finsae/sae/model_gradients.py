"""Activations of a causal language model, each with the gradient of the model's loss there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from finsae.checks import DataError
from finsae.sae.patching import Batch, find_block


def with_gradients(
    model: nn.Module, batches: Sequence[Batch], *, layer: int
) -> npt.NDArray[np.float32]:
    """Give a layer's activations and what a small change of each does to the model's loss.

    The gradient is that of the summed cross-entropy of all next tokens, so that one token's does
    not depend on how many there are. It takes a backward pass from the loss to the layer.

    Parameters
    ----------
    model : Module
        A causal language model of transformers.
    batches : sequence of mapping
        As for `finsae.sae.loss_recovered`; special tokens are left out.
    layer : int
        Transformer block, from 1.

    Returns
    -------
    ndarray
        Tokens x 2 x width: activation and gradient. `finsae.sae.architectures.g_sae` learns from
        them.

    Raises
    ------
    DataError
        If the model has no such layer, or there are no texts, or no next token to predict in one.
    """
    block, device = find_block(model, layer), next(model.parameters()).device
    model.eval()
    parts = []
    for batch in batches:
        ids, seen = batch["input_ids"].to(device), batch["attention_mask"].to(device)
        mask = seen.bool()
        if not mask[:, 1:].any():
            raise DataError("there is no next token to predict: texts need at least two tokens")
        special = batch.get("special_tokens_mask", torch.zeros_like(ids)).to(device)
        state, slope = _state_and_slope(model, block, ids, seen)
        chosen = mask & ~special.bool()
        parts.append(torch.stack([state[chosen], slope[chosen]], 1).float().cpu().numpy())
    if not parts:
        raise DataError("no batches of texts were given")
    return np.concatenate(parts)


def _state_and_slope(
    model: nn.Module, block: nn.Module, ids: Tensor, seen: Tensor
) -> tuple[Tensor, Tensor]:
    """Give the block's output and the loss's gradient there: texts x tokens x width each."""
    kept: list[Tensor] = []

    def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:  # noqa: ANN401 - models differ
        state = output[0] if isinstance(output, tuple) else output
        kept.append(state.detach().requires_grad_())  # nothing before the block is differentiated
        return (kept[0], *output[1:]) if isinstance(output, tuple) else kept[0]

    handle = block.register_forward_hook(hook)
    try:
        with torch.enable_grad():
            logits = model(input_ids=ids, attention_mask=seen).logits[:, :-1]
            losses = nn.functional.cross_entropy(
                logits.to(torch.promote_types(logits.dtype, torch.float32)).transpose(1, 2),
                ids[:, 1:],
                reduction="none",
            )
            loss = losses[seen[:, 1:].bool()].sum()
            (slope,) = torch.autograd.grad(loss, kept[0])
    finally:
        handle.remove()
    return kept[0].detach(), slope
