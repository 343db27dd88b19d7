"""A causal language model of Hugging Face, from a local folder or the hub."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import transformers

from finsae.checks import DataError
from finsae.explain.labellers.answers import Answer, LanguageModel
from finsae.explain.labellers.prompts import Prompt
from finsae.store import hash_file

DECISIVE = ("*.json", "*.jinja", "*.safetensors", "*.bin", "*.model", "merges.txt", "vocab*")
"""Files of a folder that decide what its model says."""


class Local(LanguageModel):
    """Ask a model on this machine; the likeliest token each time, so that answers repeat.

    Parameters
    ----------
    model : str
        Folder written by ``save_pretrained``, or a hub id.
    batch : int
        Prompts at once.
    device : str, optional
        A torch device; by default CUDA where there is one.
    """

    def __init__(self, model: str, *, batch: int = 4, device: str | None = None) -> None:
        super().__init__()
        self.model = model
        self.batch = batch
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Name of the model and a hash of its files, and the kind of device."""
        folder = Path(self.model).expanduser()
        if not folder.is_dir():
            revision = getattr(self._loaded[1].config, "_commit_hash", None)
            device = torch.device(self.device).type
            return {"model": self.model, "revision": revision, "device": device}
        if not (folder / "config.json").is_file():
            raise DataError(
                f'no model in "{self.model}" (no config.json): name a folder written by '
                'save_pretrained(), a hub id, "words" or openai:MODEL'
            )
        digest = hashlib.sha256()
        for file in sorted({file for pattern in DECISIVE for file in folder.glob(pattern)}):
            digest.update(f"{file.name} {hash_file(file)}".encode())
        device = torch.device(self.device).type
        return {"model": folder.name, "sha256": digest.hexdigest(), "device": device}

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Tokenizer and model."""
        place = str(Path(self.model).expanduser()) if Path(self.model).exists() else self.model
        quiet = transformers.utils.logging
        shown = quiet.is_progress_bar_enabled()
        quiet.disable_progress_bar()
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(place, padding_side="left")
            kind = torch.float32 if torch.device(self.device).type == "cpu" else torch.bfloat16
            net = transformers.AutoModelForCausalLM.from_pretrained(place, dtype=kind)
        except (OSError, ValueError, KeyError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise DataError(
                f'cannot load "{self.model}" as a language model that writes: {reason}'
            ) from error
        finally:
            if shown:
                quiet.enable_progress_bar()
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.bos_token
        return tokenizer, net.eval().to(self.device)

    def answers(self, prompts: Sequence[Prompt], keep: Callable[[int, Answer], None]) -> None:
        """Answer batch by batch.

        Raises
        ------
        DataError
            If the model cannot be loaded, or a prompt is longer than it reads.
        """
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i].user))
        for start in range(0, len(order), self.batch):
            chosen = order[start : start + self.batch]
            written = self._write([prompts[i] for i in chosen])
            for number, answer in zip(chosen, written, strict=True):
                keep(number, answer)

    @torch.inference_mode()
    def _write(self, prompts: Sequence[Prompt]) -> list[Answer]:
        tokenizer, net = self._loaded
        wanted = max(prompt.tokens for prompt in prompts)
        chat = tokenizer.chat_template is not None
        texts = [_chat(tokenizer, prompt) if chat else _plain(prompt) for prompt in prompts]
        # A chat template writes the special tokens itself.
        encoded = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=not chat)
        limit = getattr(net.config.get_text_config(), "max_position_embeddings", None)
        length = int(encoded["input_ids"].shape[1])
        if limit and length + wanted > limit:
            raise DataError(
                f'"{self.model}" reads {limit:,} tokens; a prompt with its answer has '
                f"{length + wanted:,}: choose a model with a longer window"
            )
        made = net.generate(
            input_ids=encoded["input_ids"].to(self.device),
            attention_mask=encoded["attention_mask"].to(self.device),
            max_new_tokens=wanted,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
        )[:, length:]
        said = tokenizer.batch_decode(made, skip_special_tokens=True)
        read = encoded["attention_mask"].sum(dim=1).tolist()
        written = (made != tokenizer.pad_token_id).sum(dim=1).tolist()
        return [Answer(*answer) for answer in zip(said, read, written, strict=True)]


def _chat(tokenizer: Any, prompt: Prompt) -> str:  # noqa: ANN401 - hub type
    messages = [
        {"role": "system", "content": prompt.system},
        {"role": "user", "content": prompt.user},
    ]
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


def _plain(prompt: Prompt) -> str:
    """Write the prompt for a model without a chat template."""
    return f"{prompt.system}\n\n{prompt.user}\n\nAnswer:"
