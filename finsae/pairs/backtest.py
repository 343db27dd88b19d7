"""Every method through the same backtest: propose, trade, score."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from finsae.checks import DataError
from finsae.pairs import stats
from finsae.pairs.engine import Backtest, simulate
from finsae.pairs.rules import ZScore
from finsae.pairs.select import LowestPValue, candidate_draws, pair_tests
from finsae.plugins import PairSelector, TradingRule
from finsae.result import SCORE_COLUMNS, SUSPICIOUS
from finsae.store import progress

Books = Mapping[str, Sequence[Backtest]]

COVERAGE = 0.95
"""Share of the formation days on which a company must have a price to be in any pair."""

MIN_DAYS = 30
"""Formation days below which nothing is learnt."""


_FIGURES = {
    "gross": {"sharpe_gross": stats.annual_sharpe},
    "net": {
        "sharpe_net": stats.annual_sharpe,
        "return_annual": stats.annual_return,
        "volatility_annual": stats.annual_volatility,
    },
}


def propose(
    similarities: Mapping[str, pd.DataFrame],
    formation: pd.DataFrame,
    *,
    n: int = 500,
    draws: int = 20,
    seed: int = 0,
    exclude: pd.DataFrame | None = None,
) -> dict[str, list[pd.DataFrame]]:
    """Let every method name the same number of candidate pairs among the same companies.

    Parameters
    ----------
    similarities : mapping of str to DataFrame
        Method to its square table. Companies that not all methods know are left out.
    formation : DataFrame, dates x tickers
        Closes of the formation window; companies without a price on 95 % of its days are left out.
    n : int
        Candidate pairs per method; fewer where a method can name only fewer.
    draws : int
        Random draws of a method of which chance must break ties; the others have one.
    seed : int
        Makes the draws reproducible.
    exclude : DataFrame, optional
        Pairs to leave out, as from `same_issuer`.

    Returns
    -------
    dict of str to list of DataFrame
        Candidates (``a, b, similarity``) of each method and draw.

    Raises
    ------
    DataError
        If there are fewer than 30 formation days, or no two companies are left.
    """
    if len(formation) < MIN_DAYS:
        raise DataError(
            f"the formation window has {len(formation)} days of prices; at least {MIN_DAYS} are "
            "needed (two years are usual): choose an earlier start"
        )
    covered = formation.columns[formation.notna().mean() >= COVERAGE]
    known = [set(table.index) for table in similarities.values()]
    tickers = sorted(set(covered).intersection(*known))
    if len(tickers) < 2:
        raise DataError(
            f"only {len(tickers)} companies have prices in the formation window and a similarity: "
            "two are needed for a pair"
        )
    tables = {method: table.loc[tickers, tickers] for method, table in similarities.items()}

    def drawn(number: int) -> dict[str, list[pd.DataFrame]]:
        return {
            method: candidate_draws(table, number, draws=draws, seed=seed, exclude=exclude)
            for method, table in tables.items()
        }

    proposals = drawn(n)
    sizes = {len(frames[0]) for frames in proposals.values()}
    # A method that lacks similarities must not be compared on fewer pairs than the others.
    return proposals if len(sizes) == 1 or min(sizes) == 0 else drawn(min(sizes))


def trade(
    proposals: Mapping[str, Sequence[pd.DataFrame]],
    *,
    formation: pd.DataFrame,
    later: pd.DataFrame,
    selector: PairSelector | None = None,
    rule: TradingRule | None = None,
    cost_bps: float = 10.0,
) -> dict[str, list[Backtest]]:
    """Choose pairs among each method's candidates and trade them.

    Pairs are chosen, and the rule is fitted, on the formation window alone. A candidate pair is
    tested once, however many methods name it.

    Parameters
    ----------
    proposals : mapping of str to list of DataFrame
        As from `propose`.
    formation, later : DataFrame, dates x tickers
        Closes of the formation window and of the trading window, which must not overlap.
    selector : PairSelector, optional
        By default the 50 pairs with the lowest p-values.
    rule : TradingRule, optional
        By default z-score bands: entry 2, exit 0, stop 4. If it has a method ``exits``, its reasons
        are kept.
    cost_bps : float
        Costs per leg and side, in basis points.

    Returns
    -------
    dict of str to list of Backtest
        One book per method and draw; their `pairs` carry the tests and the similarity.

    Raises
    ------
    DataError
        If the windows overlap, or a price is not above zero.
    """
    if not len(later):
        raise DataError("there is no trading day in the trading window: choose a longer one")
    if later.index[0] <= formation.index[-1]:
        raise DataError("the trading window must begin after the formation window's last day")
    selector = LowestPValue() if selector is None else selector
    rule = ZScore() if rule is None else rule
    named = [frame[["a", "b"]] for frames in proposals.values() for frame in frames]
    tests = pair_tests(formation, pd.concat(named).drop_duplicates(ignore_index=True))
    books: dict[str, list[Backtest]] = {}
    with progress("Trading pairs", len(proposals)) as (bar, task):
        for method, frames in proposals.items():
            chosen = [
                selector.select(formation, frame.merge(tests, on=["a", "b"])) for frame in frames
            ]
            pairs = pd.concat(chosen)[["y", "x"]].drop_duplicates(ignore_index=True)
            traded = _simulate(pairs, formation, later, rule=rule, cost_bps=cost_bps)
            books[method] = [traded.take(frame) for frame in chosen]
            bar.advance(task)
    return books


def scores(books: Books, *, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Score every method, and the first one against each of the others.

    Parameters
    ----------
    books : mapping of str to list of Backtest
        As from `trade`; figures are averaged over a method's draws (those in which they exist).
    resamples, seed : int
        Of the stationary bootstrap of days.

    Returns
    -------
    DataFrame
        ``method, metric, value, low, high, n, interval, versus``; n counts trading days. With
        intervals: sharpe_net, sharpe_gross, return_annual, volatility_annual (net), and the
        difference of the first method's sharpe_net to each other's (`versus`), on the same days.
        Without: the figures of `stats.summary`, and fdr, the estimated share of false discoveries
        among the selected pairs. A method without trades has sharpe_net NaN: no Sharpe ratio.
    """
    rows: list[dict[str, object]] = []
    daily = {method: _daily(drawn) for method, drawn in books.items()}
    for method, drawn in books.items():
        n = len(drawn[0].gross)
        for kind, figures in _FIGURES.items():
            returns = daily[method][kind]
            bounds = stats.intervals(
                returns, list(figures.values()), resamples=resamples, seed=seed
            )
            for (metric, figure), pair in zip(figures.items(), bounds, strict=True):
                value = _mean(stats.statistic(returns, figure))
                rows.append(_row(method, metric, value, bounds=pair, n=n))
        summaries = pd.DataFrame([{**stats.summary(book), "fdr": _fdr(book)} for book in drawn])
        means = summaries.mean()
        rows += [_row(method, str(metric), value, n=n) for metric, value in means.items()]
    first, *others = books
    for other in others:
        one, two = daily[first]["net"], daily[other]["net"]
        value = _mean(stats.sharpe(one)) - _mean(stats.sharpe(two))
        bounds = stats.intervals(one, minus=two, resamples=resamples, seed=seed)
        rows.append(_row(first, "sharpe_net", value, bounds=bounds[0], n=len(one), versus=other))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def warnings(scores: pd.DataFrame) -> list[str]:
    """Say which methods earned too much to be true, and which did not trade."""
    plain = scores[(scores["metric"] == "sharpe_net") & (scores["versus"] == "")]
    lines = []
    for method, value in zip(plain["method"], plain["value"], strict=True):
        if np.isnan(value):
            lines.append(f"{method}: no trades, so no Sharpe ratio.")
        elif abs(value) > SUSPICIOUS:
            lines.append(
                f"{method}: a net Sharpe ratio of {value:.1f} is beyond {SUSPICIOUS:.0f}; "
                "look for an error in the prices or the rule before believing it."
            )
    return lines


def tables(books: Books) -> dict[str, pd.DataFrame]:
    """Lay all books end to end: ``returns, trades, pairs``, each with method and draw."""
    parts: dict[str, list[pd.DataFrame]] = {"returns": [], "trades": [], "pairs": []}
    for method, drawn in books.items():
        for draw, book in enumerate(drawn):
            returns = book.returns.rename_axis("date").reset_index()
            for name, frame in (
                ("returns", returns),
                ("trades", book.trades),
                ("pairs", book.pairs),
            ):
                parts[name].append(
                    frame.assign(method=method, draw=draw)[["method", "draw", *frame.columns]]
                )
    return {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}


def _simulate(
    pairs: pd.DataFrame,
    formation: pd.DataFrame,
    later: pd.DataFrame,
    *,
    rule: TradingRule,
    cost_bps: float,
) -> Backtest:
    """Fit the rule before the trading window, follow it in the window, and count the money."""
    later = later.reindex(columns=formation.columns)
    before = [formation[pairs[leg]].to_numpy(dtype=np.float64) for leg in ("y", "x")]
    after = [later[pairs[leg]].to_numpy(dtype=np.float64) for leg in ("y", "x")]
    fitted = copy.deepcopy(rule).fit(before[0], before[1])
    weights = np.asarray(fitted.positions(after[0], after[1]), dtype=np.float64)
    reasons = getattr(fitted, "exits", None)
    exits = reasons(after[0], after[1]) if reasons is not None else None
    return simulate(weights, later, pairs=pairs, cost_bps=cost_bps, exits=exits)


def _daily(drawn: Sequence[Backtest]) -> dict[str, stats.Floats]:
    """Gross and net returns, days x draws."""
    returns = [book.returns for book in drawn]
    return {
        kind: np.column_stack([frame[kind].to_numpy(dtype=np.float64) for frame in returns])
        for kind in ("gross", "net")
    }


def _mean(values: stats.Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _fdr(book: Backtest) -> float:
    """Read the estimate at the last selected pair; NaN if the selector gives none."""
    known = "q" in book.pairs and len(book.pairs) > 0
    return float(book.pairs["q"].iloc[-1]) if known else np.nan


def _row(
    method: str,
    metric: str,
    value: float,
    *,
    n: int,
    bounds: stats.Floats | None = None,
    versus: str = "",
) -> dict[str, object]:
    low, high = (np.nan, np.nan) if bounds is None else bounds
    name = "" if bounds is None else "stationary days"
    return dict(
        zip(SCORE_COLUMNS, (method, metric, value, low, high, n, name, versus), strict=True)
    )
