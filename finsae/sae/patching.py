"""What a causal language model loses when an SAE's reconstruction takes the place of a layer.

An SAE of low error can still miss what the model uses. The cross-entropy of the next token, with
the layer's output replaced by the reconstruction, is set against that of the untouched model and
of one whose layer is wiped out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from finsae.checks import DataError
from finsae.sae.coder import Coder

Batch = Mapping[str, Tensor]
Replace = Callable[[Tensor], Tensor]


class Recovered(NamedTuple):
    """Cross-entropies in nats per predicted token, and the share that the SAE recovers.

    Attributes
    ----------
    clean, patched : float
        Of the model itself, and with the reconstruction in place of the layer's output.
    zero, mean : float
        With zeros, and with the layer's mean output, in its place.
    score_zero, score_mean : float
        ``(CE_ablated - patched) / (CE_ablated - clean)``: 1 for a perfect SAE, 0 for one as bad
        as the ablation. The mean is the harder one to beat.
    tokens : int
        Predicted tokens.
    """

    clean: float
    patched: float
    zero: float
    mean: float
    score_zero: float
    score_mean: float
    tokens: int


def loss_recovered(
    coder: Coder, model: nn.Module, batches: Sequence[Batch], *, layer: int
) -> Recovered:
    """Measure how much of the model's cross-entropy survives the SAE.

    Parameters
    ----------
    coder : Coder
        A fitted SAE of this layer.
    model : Module
        A causal language model of transformers, as ``AutoModelForCausalLM`` gives it.
    batches : sequence of mapping
        As the tokenizer gives them: ``input_ids`` and ``attention_mask``, tensors texts x tokens,
        padded on the right. Tokens that a ``special_tokens_mask`` marks stay as they are, since
        finsae trains on none of them (``tokenizer(..., return_special_tokens_mask=True)``).
    layer : int
        Transformer block, from 1, whose output is replaced.

    Raises
    ------
    DataError
        If the model has no such layer or another width, there is nothing to predict, or wiping the
        layer out does not hurt: then there is nothing to recover.
    """
    block = find_block(model, layer)
    width, device = len(coder.b_dec_), next(model.parameters()).device
    fed = [{name: tensor.to(device) for name, tensor in batch.items()} for batch in batches]
    seen = _Mean(width)
    clean, tokens = _loss(model, block, fed, replace=seen)
    middle = seen.value().to(device)
    patched, _ = _loss(model, block, fed, replace=lambda x: _rebuilt(coder, x))
    zero, _ = _loss(model, block, fed, replace=torch.zeros_like)
    mean, _ = _loss(model, block, fed, replace=lambda x: middle.to(x).expand_as(x))
    for name, ablated in (("zeros", zero), ("its mean", mean)):
        if not ablated > clean:
            raise DataError(
                f"with {name} in place of layer {layer} the model predicts no worse "
                f"({ablated:.4f} nats against {clean:.4f}): there is nothing to recover"
            )
    return Recovered(
        clean,
        patched,
        zero,
        mean,
        score_zero=(zero - patched) / (zero - clean),
        score_mean=(mean - patched) / (mean - clean),
        tokens=tokens,
    )


class _Mean:
    """Adds up what it sees, and replaces nothing."""

    def __init__(self, width: int) -> None:
        self.width, self.total, self.count = width, torch.zeros(width, dtype=torch.float64), 0

    def __call__(self, x: Tensor) -> Tensor:
        if x.shape[1] != self.width:
            raise DataError(f"this SAE reads width {self.width}; the layer has {x.shape[1]}")
        self.total += x.double().sum(0).cpu()
        self.count += len(x)
        return x

    def value(self) -> Tensor:
        return self.total / max(self.count, 1)


def _rebuilt(coder: Coder, x: Tensor) -> Tensor:
    decoded = coder.decode(coder.encode(x.float().cpu().numpy()))
    return torch.from_numpy(np.asarray(decoded, dtype=np.float32)).to(x)


def find_block(model: nn.Module, layer: int) -> nn.Module:
    """Find a transformer block: of the list as long as the configuration says, nearest the top."""
    config: Any = model.config
    count = int(config.get_text_config().num_hidden_layers)
    lists = [
        (name.count("."), module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == count
    ]
    if not lists or not 1 <= layer <= count:
        raise DataError(f"{type(model).__name__} has transformer blocks 1 to {count}, not {layer}")
    return min(lists, key=lambda found: found[0])[1][layer - 1]


@contextmanager
def _replaced(block: nn.Module, replace: Replace, chosen: Tensor) -> Iterator[None]:
    """Let `replace` change the chosen tokens (texts x tokens, boolean) of the block's output."""

    def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:  # noqa: ANN401 - models differ
        state = output[0] if isinstance(output, tuple) else output
        changed = state.clone()
        changed[chosen] = replace(state[chosen])
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    handle = block.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def _loss(
    model: nn.Module, block: nn.Module, batches: Sequence[Batch], *, replace: Replace
) -> tuple[float, int]:
    """Mean cross-entropy of the next token over all real tokens, and their number."""
    total, count = 0.0, 0
    model.eval()
    for batch in batches:
        ids, mask = batch["input_ids"], batch["attention_mask"].bool()
        chosen = mask & ~batch.get("special_tokens_mask", torch.zeros_like(mask)).bool()
        with _replaced(block, replace, chosen):
            logits = model(input_ids=ids, attention_mask=batch["attention_mask"]).logits
        losses = nn.functional.cross_entropy(
            logits[:, :-1].float().transpose(1, 2), ids[:, 1:], reduction="none"
        )
        total += float(losses[mask[:, 1:]].double().sum())
        count += int(mask[:, 1:].sum())
    if not count:
        raise DataError("there is no next token to predict: texts need at least two tokens")
    return total / count, count
