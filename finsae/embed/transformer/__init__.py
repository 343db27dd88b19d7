"""Token activations and sentence embeddings of a Hugging Face language model."""

from finsae.embed.transformer.embedder import Transformer

__all__ = ["Transformer"]
