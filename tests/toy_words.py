"""Activations that can be worked out by hand."""

import zlib

import numpy as np


class Words:
    """A mock language model: a token per word, whose activations depend on word and layer only."""

    model = "words"
    model_hash = "abc"

    def __init__(self, dies_at=None):
        self.dies_at, self.seen = dies_at, []
        self.settings = {"window": 4}

    def tokens(self, texts, layers):
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        for index in order:
            if self.dies_at in (len(self.seen), texts[index]):
                raise KeyboardInterrupt
            self.seen.append(texts[index])
            words = texts[index].split()
            states = np.zeros((len(words), len(layers), 3), np.float16)
            for row, word in enumerate(words):
                for column, layer in enumerate(layers):
                    states[row, column] = [zlib.crc32(word.encode()) % 997, layer, len(word)]
            ends = np.cumsum([len(word) + 1 for word in words], dtype=np.int32) - 1
            starts = ends - [len(word) for word in words]
            yield index, states, np.stack([starts, ends], 1).reshape(-1, 2).astype(np.int32)
