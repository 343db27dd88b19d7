"""The strongest features of companies, and where they stand: what a page can show by itself."""

from __future__ import annotations

import numpy as np
import pandas as pd

from finsae.explain.places import places
from finsae.explain.quotes import STRONG
from finsae.features import Features

TOP = 24
PLACES = 2


def strongest_marks(
    features: Features, tickers: list[str], *, top: int = TOP, most: int = PLACES
) -> pd.DataFrame:
    """List companies' strongest features and the places in the text where they fire most.

    Parameters
    ----------
    features : Features
        As compared, with the companies' descriptions.
    tickers : list of str
    top : int, default 24
        Features per company.
    most : int, default 2
        Places per feature, of those with at least half of the strongest.

    Returns
    -------
    DataFrame
        ``ticker, id, label, value, start, end``, the strongest feature first, a row per place.
        The value is the feature's part of the company's vector of length 1, so that the product of
        two companies' values is what the feature adds to their similarity. Start and end are
        the characters of a word of the description; both are 0 for a feature without a place.
    """
    labels = features.names["label"].to_numpy()
    rows = []
    for ticker in tickers:
        row = features.position(ticker)
        vector = features.matrix[[row]].toarray().ravel().astype(np.float64)
        vector /= max(float(np.linalg.norm(vector)), np.finfo(float).tiny)
        best = np.argsort(-vector, kind="stable")[:top]
        read = places(features, row)
        shares = read.shares.tocsc()[:, best].toarray()
        for i, feature in enumerate(best[vector[best] > 0]):
            own = shares[:, i]
            order = np.argsort(-own, kind="stable")[:most]
            hits = [t for t in order if own[t] > 0 and own[t] >= STRONG * own[order[0]]]
            spans = {_word(read.text, *read.spans[t].tolist()) for t in hits} or {(0, 0)}
            told = (ticker, int(feature), str(labels[feature]), float(vector[feature]))
            rows += [(*told, *span) for span in sorted(spans)]
    return pd.DataFrame(rows, columns=["ticker", "id", "label", "value", "start", "end"])


def _word(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen a token to the word that it is a part of; a space before it is left out."""
    start += len(text[start:end]) - len(text[start:end].lstrip())
    while 0 < start < len(text) and text[start].isalnum() and text[start - 1].isalnum():
        start -= 1
    while 0 < end < len(text) and text[end - 1].isalnum() and text[end].isalnum():
        end += 1
    return start, end
