"""Features that can be counted by hand: one latent per word of a list."""

import numpy as np
import pandas as pd

from finsae.features import Features, TokenCodes, pool

WORDS = ["drills", "wells", "offshore", "bank", "loans", "gas"]
TEXTS = {
    "OIL": "Acme Inc. drills deep wells. It also drills gas wells offshore!",
    "GAS": "The company sells gas. It drills wells, and more wells.",
    "BANK": "A bank makes loans.",
    "VOID": "Nothing here.",
}


def toy(weights=None, how="sum"):
    """One latent per word of `WORDS`; a token is a word, firing with 1, "wells" with 3."""
    values, indices, offsets, spans = [], [], [0], []
    for text in TEXTS.values():
        position = 0
        for token in text.split():
            start = text.index(token, position)
            word = token.strip(".,!").lower()
            position = start + len(token)
            hit = word in WORDS
            values.append((3.0 if word == "wells" else 1.0) if hit else 0.0)
            indices.append(WORDS.index(word) if hit else 0)
            spans.append([start, start + len(token.strip(".,!"))])
        offsets.append(len(values))
    codes = TokenCodes(
        np.array(values, dtype=np.float16),
        np.array(indices, dtype=np.int32),
        np.arange(len(values) + 1),
        np.array(offsets),
        np.array(spans, dtype=np.int32),
    )
    companies = pd.DataFrame(
        {"description": list(TEXTS.values())}, index=pd.Index(TEXTS, name="ticker")
    )
    features = Features.build(
        pool(codes, 6, how=how),
        companies,
        WORDS,
        codes=codes,
        provenance={"reading": {"pool": how}},
    )
    return features if weights is None else features.weighted(np.array(weights))
