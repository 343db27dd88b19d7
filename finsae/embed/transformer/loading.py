"""Load a language model and find out how to feed it and where to read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.utils import logging as hub_logging
from torch import nn
from transformers.utils import cached_file
from transformers.utils import logging as loader_logging

from finsae.checks import DataError
from finsae.embed.models import locate, unknown
from finsae.embed.transformer.network import Network
from finsae.store import DAMAGED, parse_object

# Pooling modes by the switches in a model's 1_Pooling/config.json.
POOLINGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "lasttoken",
}


def load(model: str, device: str) -> Network:
    """Load a model and its tokenizer, in full precision on a CPU and in half on CUDA.

    Parameters
    ----------
    model : str
        "minilm", a folder or a hub id.
    device : str
        A torch device.

    Raises
    ------
    DataError
        If the model cannot be had, or cannot be read token by token.
    """
    place = locate(model).place
    half = torch.device(device).type == "cuda"
    with _quiet():
        try:
            config = transformers.AutoConfig.from_pretrained(place)
            own = getattr(config, "dtype", None)
            dtype = (torch.bfloat16 if own == torch.bfloat16 else torch.float16) if half else None
            tokenizer = transformers.AutoTokenizer.from_pretrained(place)
            net = transformers.AutoModel.from_pretrained(place, dtype=dtype or torch.float32)
        except (OSError, ValueError, KeyError) as reason:
            raise unknown(model, reason) from reason
    if not tokenizer.is_fast:
        raise DataError(f'model "{model}" has no fast tokenizer, which gives character positions')
    if config.is_encoder_decoder:
        net = net.get_encoder()
    prefix, suffix = _special_tokens(tokenizer)
    net.config.use_cache = False  # a decoder would keep keys and values for words to come
    limits = (getattr(config, "max_position_embeddings", None), tokenizer.model_max_length)
    return Network(
        net=net.eval().to(device),
        tokenizer=tokenizer,
        blocks=_blocks(net, model),
        prefix=prefix,
        suffix=suffix,
        limit=min(int(limit) for limit in limits if limit),
        pooling=_pooling(place, model),
        revision=str(getattr(config, "_commit_hash", None)),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep progress bars, advice and retries of the loader and of the hub off the terminal."""
    loggers = (loader_logging, hub_logging)
    levels = [logger.get_verbosity() for logger in loggers]
    bars = loader_logging.is_progress_bar_enabled()
    for logger in loggers:
        logger.set_verbosity_error()
    loader_logging.disable_progress_bar()
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.set_verbosity(level)
        if bars:
            loader_logging.enable_progress_bar()


def _special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:  # noqa: ANN401 - hub type
    """Ids the tokenizer puts before and after a text."""
    bare = tokenizer("company", add_special_tokens=False)["input_ids"]
    full = tokenizer("company")["input_ids"]
    start = next(i for i in range(len(full)) if full[i : i + len(bare)] == bare)
    prefix, suffix = full[:start], full[start + len(bare) :]
    # A decoder parks attention on its first position, whose activation is an outlier; where the
    # tokenizer does not put a beginning-of-sequence token there, a word would pay for it.
    if not prefix and tokenizer.bos_token_id is not None:
        prefix = [tokenizer.bos_token_id]
    return prefix, suffix


def _blocks(net: Any, model: str) -> nn.ModuleList:  # noqa: ANN401 - hub type
    """Find the list of transformer blocks: as long as the configuration says, nearest the top."""
    count = int(net.config.get_text_config().num_hidden_layers)
    lists = [
        (name.count("."), module)
        for name, module in net.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == count
    ]
    if not lists:
        raise DataError(
            f'model "{model}" ({type(net).__name__}) has no list of {count} transformer blocks '
            "whose outputs could be read: choose a BERT-, Llama- or GPT-like model"
        )
    return min(lists, key=itemgetter(0))[1]


def _pooling(place: str, model: str) -> str:
    """Read how the model pools tokens into a sentence; the mean where it does not say."""
    try:
        path = cached_file(
            place, "1_Pooling/config.json", _raise_exceptions_for_missing_entries=False
        )
    except OSError:
        path = None
    if path is None:
        return "mean"
    try:
        stated = parse_object(Path(path).read_text())
    except DAMAGED as error:
        raise DataError(f'how model "{model}" pools its tokens cannot be read: {error}') from None
    on = [
        POOLINGS.get(name, name)
        for name, value in stated.items()
        if name.startswith("pooling_mode_") and value is True
    ]
    chosen = "+".join(on) or str(stated.get("pooling_mode", "mean"))
    if chosen not in POOLINGS.values():
        raise DataError(
            f'model "{model}" pools its tokens by {chosen}: only '
            f"{', '.join(POOLINGS.values())} are known"
        )
    return chosen
