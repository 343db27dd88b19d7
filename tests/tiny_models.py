"""Language models of a few thousand random weights, saved as folders like those of the hub."""

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertModel,
    GPTNeoXConfig,
    GPTNeoXModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5Model,
)

from finsae.embed.models import locate

TEXTS = [
    "The company drills for oil and gas in the Permian basin of Texas and New Mexico.",
    "A bank in Ohio.",
    "",
    "Makes medical devices; sells them to hospitals, clinics and doctors in forty countries.",
    "Café chain with outlets in Zürich, 東京 and São Paulo. [SEP] is no special token here.",
    "It leases aircraft to airlines. " * 30,
    "software",
]
SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
}


def byte_tokenizer(folder, *, bos, padding_side):
    """Byte-level BPE, as decoder-only models have it; `bos`: the tokenizer adds it itself."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<s>", "<pad>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    if bos:
        tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        pad_token="<pad>" if bos else None,
        padding_side=padding_side,
        model_max_length=64,
    ).save_pretrained(folder)


def writer(folder, *, window=4096, chat=True):
    """Save a tiny causal language model that writes, and return the folder's name."""
    torch.manual_seed(0)
    byte_tokenizer(folder, bos=True, padding_side="left")
    if chat:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        tokenizer.chat_template = (
            "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}{% endfor %}<s>assistant:"
        )
        tokenizer.save_pretrained(folder)
    config = LlamaConfig(**SMALL, vocab_size=400, max_position_embeddings=window)
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


def make(kind, folder):
    """Save a tiny model of a kind in a folder and return the folder's name."""
    torch.manual_seed(0)
    if kind == "bert":
        tokenizer = AutoTokenizer.from_pretrained(locate("minilm").place, model_max_length=64)
        tokenizer.save_pretrained(folder)
        config = BertConfig(**SMALL, vocab_size=len(tokenizer), max_position_embeddings=64)
        net = BertModel(config)
    elif kind == "llama":
        byte_tokenizer(folder, bos=True, padding_side="left")
        net = LlamaModel(LlamaConfig(**SMALL, vocab_size=400, max_position_embeddings=64))
    elif kind == "t5":
        byte_tokenizer(folder, bos=False, padding_side="right")
        net = T5Model(
            T5Config(d_model=32, d_kv=8, d_ff=48, num_layers=3, num_heads=4, vocab_size=400)
        )
    else:
        byte_tokenizer(folder, bos=False, padding_side="right")
        net = GPTNeoXModel(GPTNeoXConfig(**SMALL, vocab_size=400, max_position_embeddings=64))
    with torch.no_grad():  # far from the identity, so that a wrong layer or mask shows
        for weight in net.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    net.save_pretrained(folder)
    return str(folder)
