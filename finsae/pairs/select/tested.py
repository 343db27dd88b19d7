"""The tests that selectors choose by: of each pair the better direction, paid for."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from finsae.checks import DataError
from finsae.pairs.cointegration import all_pairs, engle_granger, half_life, log_prices

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_BLOCK = 4096  # pairs whose prices are copied at a time


def pair_tests(prices: pd.DataFrame, pairs: pd.DataFrame | None = None) -> pd.DataFrame:
    """Test pairs for cointegration in both directions and keep the better one.

    Parameters
    ----------
    prices : DataFrame, dates x tickers
        Closes of the formation window, NaN where missing.
    pairs : DataFrame, optional
        Columns ``a, b``. By default every pair of the tickers, ``a`` before ``b`` in the alphabet,
        tested by shared matrix products.

    Returns
    -------
    DataFrame
        `pairs` with ``y, x`` (the better direction: y on x), ``pvalue`` (the smaller of the two,
        doubled), ``stat, hedge, intercept, lags, nobs`` (see `engle_granger`; on log prices) and
        ``half_life`` in days.

    Raises
    ------
    DataError
        If a ticker has no prices, or a price is not above zero.

    Notes
    -----
    The smaller of two p-values is below 5 % for 8.3 % of independent walks. Doubled (Bonferroni) it
    is below 5 % for at most 5 %, however the legs depend on one another: for 4.4 % at one lag, for
    4.8 % with the lags chosen by AIC, on 504 days.
    """
    if pairs is None:
        prices = prices.sort_index(axis=1)
        first, second = np.triu_indices(prices.shape[1], 1)
        pairs = pd.DataFrame({"a": prices.columns[first], "b": prices.columns[second]})
        logs = log_prices(prices)
        tests = _better(*_halves(all_pairs(logs)), logs=logs, a=first, b=second)
    else:
        unknown = set(pairs["a"]).union(pairs["b"]).difference(prices.columns)
        if unknown:
            raise DataError(f"no prices for {', '.join(sorted(unknown)[:5])}: leave them out")
        logs = log_prices(prices)
        a = prices.columns.get_indexer(pd.Index(pairs["a"]))
        b = prices.columns.get_indexer(pd.Index(pairs["b"]))
        blocks = [slice(at, at + _BLOCK) for at in range(0, max(len(pairs), 1), _BLOCK)]
        tests = pd.concat([_tested(logs, a[block], b[block]) for block in blocks])
    tests = tests.set_index(pairs.index)
    swapped = tests.pop("swapped")
    legs = {
        "y": pairs["a"].where(~swapped, pairs["b"]),
        "x": pairs["b"].where(~swapped, pairs["a"]),
    }
    return pairs.assign(**legs).join(tests)


def false_discoveries(tests: pd.DataFrame) -> pd.DataFrame:
    """Add the estimates of false discoveries to tests: ``q`` and ``q_by``.

    Parameters
    ----------
    tests : DataFrame
        All pairs that were tested, with their ``pvalue``, none missing.

    Returns
    -------
    DataFrame
        With ``q``, the p-value adjusted by Benjamini and Hochberg (1995): of the pairs up to this
        one, about so large a share is expected to be no discovery, if the tests depend on one
        another only mildly. ``q_by`` holds under any dependence (Benjamini and Yekutieli, 2001;
        pairs share legs) and is larger by the factor 1 + 1/2 + .. + 1/tests.
    """
    if tests.empty:
        return tests.assign(q=np.zeros(0), q_by=np.zeros(0))
    pvalues = tests["pvalue"].to_numpy(dtype=np.float64)
    adjusted = {"q": "bh", "q_by": "by"}
    return tests.assign(
        **{name: false_discovery_control(pvalues, method=how) for name, how in adjusted.items()}  # type: ignore[arg-type]
    )


def _tested(logs: Floats, a: Places, b: Places) -> pd.DataFrame:
    forward, backward = engle_granger(logs[:, a], logs[:, b]), engle_granger(logs[:, b], logs[:, a])
    return _better(forward, backward, logs=logs, a=a, b=b)


def _halves(tests: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both directions of all pairs."""
    count = len(tests) // 2
    plain = tests.drop(columns=["y", "x"])
    return plain.iloc[:count], plain.iloc[count:].reset_index(drop=True)


def _better(
    forward: pd.DataFrame, backward: pd.DataFrame, *, logs: Floats, a: Places, b: Places
) -> pd.DataFrame:
    """Keep the test of a on b or, `swapped`, of b on a: whichever rejects more strongly."""
    swapped = (backward["stat"] < forward["stat"]).to_numpy()
    best = forward.where(pd.Series(~swapped), backward)
    y, x = np.where(swapped, b, a), np.where(swapped, a, b)
    hedge = best["hedge"].to_numpy()
    days = np.full(len(y), np.nan)
    for at in range(0, len(y), _BLOCK):
        block = slice(at, at + _BLOCK)
        days[block] = half_life(logs[:, y[block]] - hedge[block] * logs[:, x[block]])
    return best.assign(
        pvalue=np.minimum(1.0, 2.0 * best["pvalue"]),
        half_life=days,
        swapped=swapped,
    )
