"""Features of many companies made of words by chance, with where they stand, for the explorer."""

import numpy as np
import pandas as pd

from finsae.features import Features, TokenCodes, pool

LATENTS, GROUPS, LENGTH, PER_TOKEN = 8192, 200, 110, 8
EVIL = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'
CUT = "2013-06-30"


def many(n=3400, seed=0):
    """Every company draws most words from its group's vocabulary, the rest from all words."""
    rng = np.random.default_rng(seed)
    words = np.array([f"word{i:04d}" for i in range(4000)])
    latents = rng.integers(1, LATENTS, size=(len(words), PER_TOKEN))
    vocabulary = rng.integers(len(words), size=(GROUPS, 60))
    group = np.arange(n) % GROUPS
    own = vocabulary[group[:, None], rng.integers(60, size=(n, LENGTH))]
    drawn = np.where(rng.random((n, LENGTH)) < 0.6, own, rng.integers(len(words), size=own.shape))
    start = np.arange(LENGTH) * 9  # a word has eight letters, then there is a space
    codes = TokenCodes(
        rng.uniform(0.5, 2, size=n * LENGTH * PER_TOKEN).astype(np.float16),
        latents[drawn].ravel().astype(np.int32),
        np.arange(n * LENGTH + 1) * PER_TOKEN,
        np.arange(n + 1) * LENGTH,
        np.tile(np.stack([start, start + 8], axis=1), (n, 1)).astype(np.int32),
    )
    texts = [" ".join(words[row]) for row in drawn]
    texts[0] = f"{texts[0]} {EVIL}"
    sic = [f"{1000 + 40 * (g % 150):04d}" for g in group]
    companies = pd.DataFrame(
        {
            "name": [EVIL, *(f"Company {i} Inc." for i in range(1, n))],
            "sic": sic,
            "description": texts,
        },
        index=pd.Index([f"C{i:04d}" for i in range(n)], name="ticker"),
    )
    labels = [EVIL, *(f"label {i}" for i in range(1, LATENTS))]
    codes.indices[:PER_TOKEN] = 0  # the first company has the feature with the evil name
    made = {"reading": {"strongest": 400}, "universe": {"source": "test", "name": "by chance"}}
    return Features.build(pool(codes, LATENTS), companies, labels, codes=codes, provenance=made)


def prices(tickers, seed=0):
    """Daily closes of seven years around the cut."""
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2011-01-03", "2017-12-29", name="date")
    moves = rng.normal(0, 0.01, size=(len(days), 1)) + rng.normal(
        0, 0.015, size=(len(days), len(tickers))
    )
    return pd.DataFrame(100 * np.exp(np.cumsum(moves, axis=0)), index=days, columns=list(tickers))
