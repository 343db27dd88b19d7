"""Which pairs are worth trading: candidates by similarity, chosen on the formation window alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from finsae.checks import DataError
from finsae.pairs.cointegration import engle_granger, half_life, log_prices

Seed = int | np.random.Generator | None
Floats = NDArray[np.float64]

_BLOCK = 4096  # pairs whose prices are copied at a time


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


def same_issuer(companies: pd.DataFrame) -> pd.DataFrame:
    """List pairs of tickers that are one company, or as good as one.

    Share classes of one issuer move together for no reason that a description could tell; they
    would head every list of pairs.

    Parameters
    ----------
    companies : DataFrame
        Index ticker; columns ``cik, name, description``, any of them missing or empty.

    Returns
    -------
    DataFrame
        Columns ``a, b`` (in alphabetical order) and ``reason``: "cik", "name" or "description",
        the first of them that both share. Names and descriptions are compared by their words, in
        lower case and without punctuation.
    """
    found: dict[tuple[str, str], str] = {}
    for reason in ("cik", "name", "description"):
        if reason not in companies:
            continue
        words = companies[reason].dropna().astype(str).str.casefold()
        words = words.str.replace(r"[\W_]+", " ", regex=True).str.strip()
        for _, group in words[words != ""].groupby(words):
            tickers = sorted(group.index)
            for place, a in enumerate(tickers):
                for b in tickers[place + 1 :]:
                    found.setdefault((a, b), reason)
    rows = [(a, b, reason) for (a, b), reason in found.items()]
    return pd.DataFrame(rows, columns=["a", "b", "reason"], dtype=object)


def pair_tests(prices: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Test pairs for cointegration in both directions and keep the better one.

    Parameters
    ----------
    prices : DataFrame, dates x tickers
        Closes of the formation window, NaN where missing.
    pairs : DataFrame
        Columns ``a, b``.

    Returns
    -------
    DataFrame
        `pairs` with ``y, x`` (the better direction: y on x), ``pvalue`` (the smaller of the two,
        doubled: the better of two tests at 5 % rejects 8.3 % of independent walks), ``stat, hedge,
        intercept, lags, nobs`` (see `engle_granger`; on log prices) and ``half_life`` in days.

    Raises
    ------
    DataError
        If a ticker has no prices, or a price is not above zero.
    """
    unknown = set(pairs["a"]).union(pairs["b"]).difference(prices.columns)
    if unknown:
        raise DataError(f"no prices for {', '.join(sorted(unknown)[:5])}: leave them out")
    logs = log_prices(prices)
    a = prices.columns.get_indexer(pd.Index(pairs["a"]))
    b = prices.columns.get_indexer(pd.Index(pairs["b"]))
    blocks = [
        _better_direction(logs, a[at : at + _BLOCK], b[at : at + _BLOCK])
        for at in range(0, max(len(pairs), 1), _BLOCK)
    ]
    tests = pd.concat(blocks, ignore_index=True).set_index(pairs.index)
    swapped = tests.pop("swapped")
    legs = {
        "y": pairs["a"].where(~swapped, pairs["b"]),
        "x": pairs["b"].where(~swapped, pairs["a"]),
    }
    return pairs.assign(**legs).join(tests)


class LowestPValue:
    """Select the pairs with the lowest Engle-Granger p-values of the formation window.

    A fixed number, not a level of significance: on daily prices few pairs pass a false-discovery
    bound, and none may. The estimate of false discoveries stands beside each pair instead.

    Parameters
    ----------
    n : int
        Pairs to select.
    coverage : float
        Share of the formation days on which both legs must have a price.
    min_leg : float
        Smallest share of a position's value that either leg may have.
    """

    def __init__(self, n: int = 50, *, coverage: float = 0.95, min_leg: float = 0.1) -> None:
        self.n = n
        self.coverage = coverage
        self.min_leg = min_leg

    def select(self, prices: pd.DataFrame, candidates: pd.DataFrame) -> pd.DataFrame:
        """Test the candidates and keep the best.

        Left out are pairs with too few common days, pairs whose legs are collinear (one security
        under two names), and pairs that are no bet on a difference: with a negative hedge ratio,
        legs of 1 and -hedge are long or short of both companies; with one close to zero, or very
        large, they are a bet on one company alone.

        Parameters
        ----------
        prices : DataFrame, dates x tickers
            Closes of the formation window; nothing later is looked at.
        candidates : DataFrame
            Columns ``a, b``; if it comes from `pair_tests` (on these prices), its tests are used.

        Returns
        -------
        DataFrame
            As `pair_tests`, lowest p-value first, with ``q``: the p-value adjusted by Benjamini and
            Hochberg (1995) over all candidates that could be tested. In the last row it estimates
            the share of false discoveries among all the selected.
        """
        tests = candidates if "pvalue" in candidates else pair_tests(prices, candidates)
        enough = tests["nobs"] >= self.coverage * len(prices)
        tested = tests[enough & np.isfinite(tests["stat"])]
        q = np.zeros(0) if tested.empty else false_discovery_control(tested["pvalue"])
        smaller = np.minimum(tested["hedge"], 1.0) / (1.0 + tested["hedge"].abs())
        hedged = tested.assign(q=q)[smaller >= self.min_leg]
        ranked: pd.DataFrame = hedged.sort_values(["pvalue", "stat", "y", "x"])
        return ranked.head(self.n).reset_index(drop=True)


def _better_direction(logs: Floats, a: NDArray[np.intp], b: NDArray[np.intp]) -> pd.DataFrame:
    """Keep the test of a on b or, `swapped`, of b on a: whichever rejects more strongly."""
    forward = engle_granger(logs[:, a], logs[:, b])
    backward = engle_granger(logs[:, b], logs[:, a])
    swapped = (backward["stat"] < forward["stat"]).to_numpy()
    best = forward.where(pd.Series(~swapped), backward)
    y, x = np.where(swapped, b, a), np.where(swapped, a, b)
    return best.assign(
        pvalue=np.minimum(1.0, 2.0 * best["pvalue"]),
        half_life=half_life(logs[:, y] - best["hedge"].to_numpy() * logs[:, x]),
        swapped=swapped,
    )


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
