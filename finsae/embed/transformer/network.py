"""Run a loaded language model on pieces of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

# Decoders have outliers beyond float16; they are clipped, not stored as infinity.
HALF_MAX = float(torch.finfo(torch.float16).max)

Tokens = npt.NDArray[np.float16]
Spans = npt.NDArray[np.int32]


class _Stop(Exception):  # noqa: N818 - a signal, not an error
    """Ends a forward at the deepest layer wanted."""


@dataclass(frozen=True)
class Network:
    """A loaded model, with what is needed to feed it.

    Attributes
    ----------
    net, tokenizer
        From transformers.
    blocks : ModuleList
        The transformer blocks; layer L is the output of ``blocks[L - 1]``.
    prefix, suffix : list of int
        Ids of the special tokens before and after a text.
    limit : int
        Most tokens the model reads at once.
    pooling : str
        How its sentence embedding is made of tokens: "mean", "cls" or "lasttoken".
    revision : str
        Revision of a hub model.
    """

    net: Any
    tokenizer: Any
    blocks: nn.ModuleList
    prefix: list[int]
    suffix: list[int]
    limit: int
    pooling: str
    revision: str

    @property
    def extra(self) -> int:
        """Number of special tokens around a piece of text."""
        return len(self.prefix) + len(self.suffix)

    def encode(self, texts: Sequence[str]) -> list[tuple[list[int], Spans]]:
        """Turn texts into token ids and character spans, without special tokens."""
        if not texts:
            return []
        coded = self.tokenizer(
            list(texts),
            add_special_tokens=False,
            return_offsets_mapping=True,
            split_special_tokens=True,  # "[SEP]" in a text is six characters, not a special token
            verbose=False,
        )
        return [
            (ids, np.array(spans, np.int32).reshape(-1, 2))
            for ids, spans in zip(coded["input_ids"], coded["offset_mapping"], strict=True)
        ]

    def feed(self, pieces: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
        """Add special tokens and pad on the right, whatever side the tokenizer would pad.

        On the right, positions count from the text's own beginning in every kind of model, and no
        token of a causal model sees the padding.
        """
        rows = [[*self.prefix, *piece, *self.suffix] for piece in pieces]
        longest = max(map(len, rows))
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        return {"input_ids": ids.to(self.net.device), "attention_mask": mask.to(self.net.device)}

    @torch.inference_mode()
    def layers(self, pieces: Sequence[Sequence[int]], wanted: Sequence[int]) -> list[Tokens]:
        """Give each piece's activations [t, L, d]; the forward stops at the deepest layer."""
        seen: dict[int, torch.Tensor] = {}
        deepest = max(wanted)

        def keep(layer: int, output: Any) -> None:  # noqa: ANN401 - models differ
            state = output[0] if isinstance(output, tuple) else output
            seen[layer] = state.float().clamp(-HALF_MAX, HALF_MAX).half()
            if layer == deepest:
                raise _Stop

        hooks = [
            self.blocks[layer - 1].register_forward_hook(
                lambda _module, _inputs, output, layer=layer: keep(layer, output)
            )
            for layer in set(wanted)
        ]
        try:
            self.net(**self.feed(pieces))
        except _Stop:
            pass
        finally:
            for hook in hooks:
                hook.remove()
        stacked = torch.stack([seen[layer] for layer in wanted], dim=2).cpu().numpy()
        first = len(self.prefix)
        return [row[first : first + len(p)] for row, p in zip(stacked, pieces, strict=True)]

    @torch.inference_mode()
    def pooled(self, pieces: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """Give each piece's pooled last layer [n, d]."""
        fed = self.feed(pieces)
        state = self.net(**fed).last_hidden_state.float()
        mask = fed["attention_mask"]
        if self.pooling == "cls":
            rows = state[:, 0]
        elif self.pooling == "lasttoken":
            rows = state[torch.arange(len(state)), mask.sum(1) - 1]
        else:
            rows = (state * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        found: npt.NDArray[np.float32] = rows.cpu().numpy()
        return found
