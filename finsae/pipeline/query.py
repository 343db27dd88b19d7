"""Other texts read as a features folder's own were: queries, and texts that were altered."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from finsae.activations import collect
from finsae.checks import DataError
from finsae.explain import Answer, answers, carriers, contributions
from finsae.explain.places import WORD, places
from finsae.explain.search import quote_for
from finsae.explain.words import by_word
from finsae.features import Features, pool
from finsae.pipeline.methods import as_compared, reading_of
from finsae.pipeline.reading import autoencoder, encode
from finsae.similarity import cosine_to
from finsae.store import plain

MATCHED = 5  # features named beside each company
NEAREST = 1


def read_like(features: Features, texts: Sequence[str]) -> Features:
    """Read texts with the model and autoencoder of a table of features; nothing is kept on disk.

    Parameters
    ----------
    features : Features
        As `build_features` returns them; its provenance says how they were read.
    texts : sequence of str
        An empty one has no features.

    Returns
    -------
    Features
        One row per text, unweighted, with the same columns; tickers are "0", "1", ...

    Raises
    ------
    DataError
        If the model or the autoencoder cannot be had or is another one by now, or if the features
        are dense: what fires on a text cannot then be said.
    """
    reading = reading_of(features)
    index = pd.Index([str(number) for number in range(len(texts))], name="ticker")
    companies = pd.DataFrame({"description": list(texts)}, index=index)
    labels = features.names["label"].tolist()
    made = {"reading": features.provenance["reading"]}
    if reading.model == "tfidf":
        from finsae.embed.tfidf import word_features

        matrix, _ = word_features(texts, words=labels)
        return Features.build(matrix, companies, labels, provenance=made)
    if reading.sae == "none":
        raise DataError(
            "these features are dimensions of the model, of which none means a word: use features "
            "of an autoencoder or of words (finsae build-features)"
        )
    from finsae import sae
    from finsae.embed.transformer import Transformer

    if sae.folder_hash(reading.sae) != features.provenance.get("autoencoder_hash"):
        raise DataError(
            f'the features were read with another autoencoder than "{reading.sae}" is now: make '
            "them again (finsae build-features)"
        )
    coder, layers = autoencoder(reading)
    with TemporaryDirectory() as folder:
        codes = encode(
            coder, collect(Transformer(reading.model), list(texts), folder, layers=layers)
        )
    rows = pool(codes, len(labels), how=reading.pool, length_normalised=reading.length_normalised)
    return Features.build(rows, companies, labels, codes=codes, provenance=made)


def weighed_like(features: Features, read: Features) -> Features:
    """Weight what was read by `read_like` as `weigh_all` does the companies, by their own idf."""
    return as_compared(read, features.matrix, reading_of(features))


def query_row(features: Features, query: str) -> tuple[sparse.csr_array, Features]:
    """Read a query and weight it as the companies are: 1 x F, and what was read.

    Raises
    ------
    DataError
        If the query is empty, or nothing of it is a feature that distinguishes companies.
    """
    if not query_words(query):
        raise DataError(f'the query "{query}" holds no word of two letters: give a word or several')
    read = read_like(features, [query])
    row = sparse.csr_array(weighed_like(features, read).matrix)
    row.eliminate_zeros()
    if not row.nnz:
        told = "; ".join(_unknown(word) for word in known_words(features, query))
        raise DataError(f'nothing of "{query}" is a feature of these companies ({told})')
    return row, read


def search(features: Features, query: str, k: int = 10) -> Answer:
    """Rank companies by how much they say of a query, and show which features say so.

    The query is read as if it were a description, by the same model and autoencoder, and compared
    by the cosine. Features of words are compared by words alone.

    Parameters
    ----------
    features : Features
        As `build_features` returns them.
    query : str
        Such as "hydraulic fracturing services".
    k : int
        Companies listed.

    Returns
    -------
    dict
        ``{"query", "words": [{"word", "companies", "nearest"}], "features": [{"id", "label",
        "weight", "companies"}], "companies": [{"ticker", "similarity", "features": [{"id", "label",
        "contribution"}], "words": {word: contribution}, "evidence"}]}``. ``words`` says how many
        texts have each word of the query, with the nearest word that texts do have where none has
        it; a company's words say which of them carry the match, and its evidence is the sentence
        that matches best.

    Raises
    ------
    DataError
        If the query is empty, or nothing of it is known.
    """
    if k < 1:
        raise DataError(f"k is {k}: ask for at least one company")
    row, read = query_row(features, query)
    known = weighed_like(features, features)
    similarity = cosine_to(known.matrix, row, known.companies.index)
    best = similarity[similarity > 0].sort_values(ascending=False, kind="stable").head(k)
    tickers = [str(ticker) for ticker in best.index]
    because = carriers(known, row, tickers, top=MATCHED)
    shares, words = by_word(places(read, 0))
    summands = contributions(known, row, [known.position(ticker) for ticker in tickers])
    parts = (shares @ summands.T.tocsr()).toarray().T
    strongest = row.indices[np.argsort(-row.data, kind="stable")]
    names = known.names.loc[strongest, ["label", "companies"]].reset_index(names="id")
    found = [
        {
            "ticker": ticker,
            "similarity": float(best[ticker]),
            "features": because[ticker],
            "words": {word: float(part) for word, part in zip(words, own, strict=True) if part > 0},
            "evidence": quote_for(known, row, ticker),
        }
        for ticker, own in zip(tickers, parts, strict=True)
    ]
    names = names.assign(weight=np.sort(row.data)[::-1])
    answer = {
        "query": query,
        "words": known_words(features, query),
        "features": plain(names.to_dict("records")),
        "companies": found,
    }
    return Answer(answer, answers.search)


def query_words(query: str) -> list[str]:
    """Cut a query into words of two letters or more."""
    return WORD.findall(query)


def known_words(features: Features, query: str) -> list[dict[str, Any]]:
    """Say of each word of a query how many companies' texts have it, or which word is nearest."""
    texts = [
        set(WORD.findall(text.lower())) for text in features.companies["description"].astype(str)
    ]
    found = []
    for word in dict.fromkeys(query_words(query)):
        count = sum(word.lower() in text for text in texts)
        close = [] if count else get_close_matches(word.lower(), set().union(*texts), NEAREST, 0.75)
        found.append({"word": word, "companies": count, "nearest": close[0] if close else None})
    return found


def _unknown(word: dict[str, Any]) -> str:
    near = f', did you mean "{word["nearest"]}"?' if word["nearest"] else ""
    return f'"{word["word"]}" is in {word["companies"]} texts{near}'
