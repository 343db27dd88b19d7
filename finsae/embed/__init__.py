"""Embedders: texts to token activations or to one vector each."""
