"""Which features one group of companies has more often than another: log-odds with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse, stats

from finsae.checks import DataError
from finsae.features import Features

IntArray = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.floating[Any]]

NORMAL = 1.959963984540054
HALF = 0.5  # added to every count (Haldane 1956, Anscombe 1956): the ratio exists without a count


def contrast(features: Features, inside: IntArray, outside: IntArray) -> pd.DataFrame:
    """Compare how many companies of two groups have each feature.

    Parameters
    ----------
    features : Features
        A feature counts as had where its value is not 0, however large.
    inside, outside : ndarray
        Positions of the companies of either group.

    Returns
    -------
    DataFrame
        ``id, label, inside, outside`` (companies that have it), ``log_odds, low, high`` (natural
        logarithm of the odds ratio with half a company added to every count, and its 95 % interval
        by Woolf's standard error, each feature by itself), ``q``: Fisher's exact two-sided p-value
        (twice the smaller tail), adjusted for the number of features by Benjamini and Hochberg
        (1995). Features that all of both groups have, or none, are left out. The clearest
        first: by p-value.

    Raises
    ------
    DataError
        If a group is empty.
    """
    if not len(inside) or not len(outside):
        raise DataError("a comparison needs at least one company in each group")
    a, c = _having(features, inside), _having(features, outside)
    n, m = len(inside), len(outside)
    varied = np.flatnonzero((a + c > 0) & (a + c < n + m))
    a, c = a[varied], c[varied]
    counts = np.stack([a, n - a, c, m - c]) + HALF
    log_odds = np.log(counts[0] * counts[3] / (counts[1] * counts[2]))
    error = np.sqrt((1 / counts).sum(axis=0))
    known = stats.hypergeom(n + m, a + c, n)
    p = np.minimum(1.0, 2 * np.minimum(known.sf(a - 1), known.cdf(a)))
    return _ranked(features, varied, {"inside": a, "outside": c}, (log_odds, error, p))


def paired_contrast(before: Features, after: Features, tickers: list[str]) -> pd.DataFrame:
    """Compare which features the same companies have in two tables, such as two years.

    Only companies that changed say anything: the odds ratio is that of gaining to losing the
    feature (McNemar 1947).

    Parameters
    ----------
    before, after : Features
        With the same features.
    tickers : list of str
        Companies of both.

    Returns
    -------
    DataFrame
        ``id, label, gained, lost, log_odds, low, high, q`` as of `contrast`; p-values are of the
        exact binomial test. Features that nobody gained or lost are left out.
    """
    old, new = (_has(f, f.companies.index.get_indexer(pd.Index(tickers))) for f in (before, after))
    gained = np.asarray((new > old).sum(axis=0)).ravel()
    lost = np.asarray((old > new).sum(axis=0)).ravel()
    varied = np.flatnonzero(gained + lost)
    gained, lost = gained[varied], lost[varied]
    log_odds = np.log((gained + HALF) / (lost + HALF))
    error = np.sqrt(1 / (gained + HALF) + 1 / (lost + HALF))
    p = np.minimum(1.0, 2 * stats.binom.cdf(np.minimum(gained, lost), gained + lost, 0.5))
    return _ranked(after, varied, {"gained": gained, "lost": lost}, (log_odds, error, p))


def difference(a: Features, b: Features) -> pd.DataFrame:
    """Say which features set two tables apart: two groups of companies, or two years of the same.

    Where the tables have companies in common, these are compared with themselves
    (`paired_contrast`: from `a` to `b`), and companies of one table only are left out; where they
    have none, `a` is compared with `b` (`contrast`).

    Parameters
    ----------
    a, b : Features
        Read in the same way. Features of words may have different words: each table's are missing
        in the other.

    Returns
    -------
    DataFrame
        As of `paired_contrast` or `contrast`; positive log-odds mean commoner in `b` for pairs
        (gained), commoner in `a` for groups (inside).

    Raises
    ------
    DataError
        If the features are not the same ones.
    """
    one, other = _aligned(a, b)
    common = [ticker for ticker in one.companies.index if ticker in set(other.companies.index)]
    if common:
        return paired_contrast(one, other, common)
    both = sparse.vstack([one.matrix, other.matrix], format="csr")
    companies = pd.concat([one.companies, other.companies])
    joint = Features(sparse.csr_array(both), companies, one.names)
    return contrast(joint, np.arange(len(a.companies)), np.arange(len(a.companies), len(companies)))


def _aligned(a: Features, b: Features) -> tuple[Features, Features]:
    """Bring two tables to the same features."""
    mine, their = a.names["label"], b.names["label"]
    hashes = [f.provenance.get("autoencoder_hash") for f in (a, b)]
    if mine.tolist() == their.tolist() and hashes[0] == hashes[1]:
        return a, b
    if any(hashes) or mine.duplicated().any() or their.duplicated().any():
        raise DataError(
            "the two tables do not have the same features: read both with the same model and "
            "autoencoder (finsae build-features --sae)"
        )
    labels = sorted({*mine, *their})
    return _spread(a, labels), _spread(b, labels)


def _spread(features: Features, labels: list[str]) -> Features:
    """Move named features to their places among more labels."""
    at = pd.Index(labels).get_indexer(pd.Index(features.names["label"]))
    matrix = sparse.coo_array(features.matrix)
    shape = (matrix.shape[0], len(labels))
    moved = sparse.csr_array((matrix.data, (matrix.row, at[matrix.col])), shape=shape)
    return Features.build(moved, features.companies, labels, provenance=features.provenance)


def _has(features: Features, rows: IntArray) -> sparse.csr_array:
    chosen = sparse.csr_array(features.matrix)[rows]
    return sparse.csr_array(chosen.astype(bool).astype(np.int32))


def _having(features: Features, rows: IntArray) -> npt.NDArray[np.int64]:
    return np.asarray(_has(features, rows).sum(axis=0), dtype=np.int64).ravel()


def _ranked(
    features: Features,
    ids: IntArray,
    counts: dict[str, IntArray],
    estimates: tuple[FloatArray, FloatArray, FloatArray],
) -> pd.DataFrame:
    log_odds, error, p = estimates
    table = pd.DataFrame(
        {
            "id": ids.astype(np.int64),
            "label": features.names["label"].to_numpy()[ids],
            **counts,
            "log_odds": log_odds,
            "low": log_odds - NORMAL * error,
            "high": log_odds + NORMAL * error,
            "q": stats.false_discovery_control(p) if len(p) else p,
        }
    )
    order = np.lexsort((ids, -np.abs(log_odds), p))
    return table.iloc[order].reset_index(drop=True)
