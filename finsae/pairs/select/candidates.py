"""Which pairs a similarity proposes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finsae.checks import DataError

Seed = int | np.random.Generator | None


class _Ranking(NamedTuple):
    """The most similar pairs: those that are in, and those that tie for the remaining places."""

    tickers: NDArray[np.object_]
    similarity: NDArray[np.floating]  # [n, n]
    sure: NDArray[np.int64]  # [pairs, 2]
    tied: NDArray[np.int64]
    places: int


def candidates(
    similarity: pd.DataFrame,
    n: int = 500,
    *,
    random_state: Seed = None,
    exclude: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """List the `n` most similar pairs of companies.

    Parameters
    ----------
    similarity : DataFrame, square
        Any method. A pair without a similarity (NaN) is never proposed.
    n : int
        Pairs wanted; all there are where there are fewer.
    random_state : int or Generator, optional
        Draws among pairs that tie at the last place, and orders those that tie before it.
    exclude : DataFrame, optional
        Pairs to leave out, columns ``a, b`` in either order, as from `same_issuer`.

    Returns
    -------
    DataFrame
        Columns ``a, b, similarity``, most similar first, ``a`` before ``b`` in the alphabet. The
        order of the companies in `similarity` plays no part.

    Raises
    ------
    DataError
        If the table is not square, or `n` is below 1.
    """
    return _draw(_rank(similarity, n, exclude), np.random.default_rng(random_state))


def candidate_draws(
    similarity: pd.DataFrame,
    n: int = 500,
    *,
    draws: int = 20,
    seed: int = 0,
    exclude: pd.DataFrame | None = None,
) -> list[pd.DataFrame]:
    """`candidates`, drawn `draws` times where chance decides who is among them, else once."""
    ranking = _rank(similarity, n, exclude)
    chance = len(ranking.tied) > ranking.places
    rngs = [np.random.default_rng([seed, draw]) for draw in range(draws if chance else 1)]
    return [_draw(ranking, rng) for rng in rngs]


def within_clusters(labels: pd.Series, similarity: pd.DataFrame | None = None) -> pd.DataFrame:
    """Similarity that proposes pairs of one cluster only, for `candidates`.

    Parameters
    ----------
    labels : Series
        Cluster of each ticker; a missing label, or -1, belongs to none.
    similarity : DataFrame, square, optional
        Orders the pairs; by default all are alike, and chance draws among them.

    Returns
    -------
    DataFrame, square
        NaN for pairs of different clusters and of none.
    """
    tickers = labels.index
    codes = pd.factorize(labels.where(labels != -1))[0]
    together = (codes[:, None] == codes) & (codes >= 0)
    if similarity is None:
        similarity = pd.DataFrame(0.0, index=tickers, columns=tickers)
    return similarity.reindex(index=tickers, columns=tickers).where(together)


def _rank(similarity: pd.DataFrame, n: int, exclude: pd.DataFrame | None) -> _Ranking:
    """Find the border of the first n pairs; tickers in alphabetical order."""
    if n < 1:
        raise DataError(f"n, the number of candidate pairs, must be at least 1, not {n}")
    if not similarity.index.equals(similarity.columns):
        raise DataError("a similarity table needs the same tickers as rows and as columns")
    ordered = similarity.sort_index(axis=0).sort_index(axis=1)
    values = ordered.to_numpy()
    allowed = np.triu(np.isfinite(values), k=1)
    if exclude is not None and len(exclude):
        a, b = (ordered.index.get_indexer(pd.Index(exclude[side])) for side in ("a", "b"))
        known = (a >= 0) & (b >= 0)
        allowed[np.minimum(a, b)[known], np.maximum(a, b)[known]] = False
    pairs = np.argwhere(allowed)
    ranked = values[allowed]
    places = min(n, len(pairs))
    border = np.partition(ranked, -places)[-places] if places else np.inf
    sure, tied = pairs[ranked > border], pairs[ranked == border]
    return _Ranking(ordered.index.to_numpy(dtype=object), values, sure, tied, places - len(sure))


def _draw(ranking: _Ranking, rng: np.random.Generator) -> pd.DataFrame:
    """Fill the remaining places at random and order all by similarity, ties at random."""
    drawn = rng.choice(len(ranking.tied), ranking.places, replace=False)
    a, b = np.concatenate([ranking.sure, ranking.tied[drawn]]).T
    similarity = ranking.similarity[a, b]
    order = np.lexsort((rng.random(len(a)), -similarity))
    a, b = ranking.tickers[a[order]], ranking.tickers[b[order]]
    return pd.DataFrame({"a": a, "b": b, "similarity": similarity[order]})
