"""The scores of a backtest: every figure of every method, with what is needed to judge it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from finsae.ledger import Trials
from finsae.pairs import stats
from finsae.pairs.backtest import PLACEBO, Books
from finsae.pairs.book import Backtest
from finsae.pairs.stats.sharpe import Floats
from finsae.result import SCORE_COLUMNS, SUSPICIOUS

_FIGURES = {
    "gross": {"sharpe_gross": stats.annual_sharpe},
    "net": {
        "sharpe_net": stats.annual_sharpe,
        "return_annual": stats.annual_return,
        "volatility_annual": stats.annual_volatility,
    },
}


def scores(
    books: Books, *, resamples: int = 1000, seed: int = 0, trials: Trials | None = None
) -> pd.DataFrame:
    """Score every method, and the first one against each of the others.

    Parameters
    ----------
    books : mapping of str to list of Backtest
        As from `trade` or `walk_forward`; figures are averaged over a method's draws (those in
        which they exist). If one is named "placebo", the others are set against it.
    resamples, seed : int
        Of the stationary bootstrap of days.
    trials : Trials, optional
        Configurations ever run on these data, as from `finsae.ledger.record_trials`.

    Returns
    -------
    DataFrame
        ``method, metric, value, low, high, n, interval, versus``; n counts trading days. With
        intervals: sharpe_net, sharpe_gross, return_annual, volatility_annual (net), and the
        difference of the first method's sharpe_net to each other's (`versus`), on the same days;
        the placebo's intervals are the central 95 % of its draws. Without: the figures of
        `stats.summary`; fdr and fdr_by, the estimated shares of false discoveries among the
        selected pairs (Benjamini-Hochberg's and Benjamini-Yekutieli's, mean over the windows that
        have any); placebo_percentile, the share of the placebo's draws with a lower sharpe_net,
        averaged over the method's draws; dsr, the deflated Sharpe ratio, and trials_run, its number
        of configurations. A method without trades has sharpe_net NaN: no Sharpe ratio.
    """
    rows: list[dict[str, object]] = []
    daily = {method: _daily(drawn) for method, drawn in books.items()}
    for method, drawn in books.items():
        for kind, figures in _FIGURES.items():
            for metric, value, bounds in _estimates(
                daily[method][kind], figures, placebo=method == PLACEBO, draw=(resamples, seed)
            ):
                rows.append(_row(method, metric, value, bounds=bounds, n=len(daily[method][kind])))
        summaries = pd.DataFrame([_summary(book, trials) for book in drawn])
        if method != PLACEBO and PLACEBO in books:
            one, chance = (stats.sharpe(daily[name]["net"]) for name in (method, PLACEBO))
            # A mean of draws varies less than one draw of chance: each draw has its own place.
            summaries["placebo_percentile"] = [_percentile(value, chance) for value in one]
        means, n = summaries.mean(), len(drawn[0].returns)
        rows += [_row(method, str(metric), value, n=n) for metric, value in means.items()]
    first, *others = books
    for other in others:
        one, two = daily[first]["net"], daily[other]["net"]
        value = _mean(stats.sharpe(one)) - _mean(stats.sharpe(two))
        bounds = stats.intervals(one, minus=two, resamples=resamples, seed=seed)
        rows.append(_row(first, "sharpe_net", value, bounds=bounds[0], n=len(one), versus=other))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def by_year(books: Books) -> pd.DataFrame:
    """Figures of each method and calendar year (`stats.by_year`), averaged over draws."""
    frames = [
        stats.by_year(book).assign(method=method)
        for method, drawn in books.items()
        for book in drawn
    ]
    found = pd.concat(frames).groupby(["method", "year"], sort=False).mean()
    return found.reset_index()


def exposures(books: Books, factors: pd.DataFrame) -> pd.DataFrame:
    """Exposure of each method's net returns, averaged over draws, to daily factor returns.

    Columns ``method`` and those of `stats.exposures`; a method that never traded has none.
    """
    frames = []
    for method, drawn in books.items():
        mean = _daily(drawn)["net"].mean(axis=1)
        if np.ptp(mean) > 0.0:
            daily = pd.Series(mean, index=drawn[0].returns.index)
            frames.append(stats.exposures(daily, factors).assign(method=method))
    columns = ["method", "factor", "beta", "error", "t", "r2", "n"]
    return pd.concat(frames)[columns] if frames else pd.DataFrame(columns=columns)


def empty_windows(books: Books) -> list[str]:
    """Say which methods' windows were traded without any pair, and why.

    Returns
    -------
    list of str
        One line for each method that has such windows: their first days, of several draws with the
        number of them, and what the selector said of the first.
    """
    lines = []
    for method, drawn in books.items():
        left = [book.empty for book in drawn if book.empty]
        if not left:
            continue
        times = Counter(day for empty in left for day in sorted(empty))
        first = min(times)
        words = next(empty[first] for empty in left if first in empty)
        many = len(drawn) > 1
        days = [f"{day:%Y-%m-%d}" + f" ({times[day]})" * many for day in sorted(times)]
        lines.append(
            f"{method}: the selector left no pair to trade in {times.total()} of "
            f"{sum(book.windows for book in drawn)} windows"
            + f" ({len(drawn)} draws)" * many
            + f": from {', '.join(days)}"
            + (f"; in the first: {words}." if words else ".")
        )
    return lines


def warnings(scores: pd.DataFrame) -> list[str]:
    """Say which methods earned too much to be true, and which did not trade.

    Returns
    -------
    list of str
        One sentence each.
    """
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


def _daily(drawn: Sequence[Backtest]) -> dict[str, Floats]:
    """Gross and net returns, days x draws."""
    returns = [book.returns for book in drawn]
    return {
        kind: np.column_stack([frame[kind].to_numpy(dtype=np.float64) for frame in returns])
        for kind in ("gross", "net")
    }


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _false_discoveries(book: Backtest) -> dict[str, float]:
    """Largest estimates among the selected pairs, mean over windows; NaN if there is none."""
    columns = {"fdr": "q", "fdr_by": "q_by"}
    if not len(book.pairs) or not set(columns.values()) <= set(book.pairs):
        return dict.fromkeys(columns, np.nan)
    windows = book.pairs["window"] if "window" in book.pairs else np.zeros(len(book.pairs))
    largest = book.pairs.groupby(windows)[list(columns.values())].max().mean()
    return {metric: float(largest[column]) for metric, column in columns.items()}


def _summary(book: Backtest, trials: Trials | None) -> dict[str, float]:
    found = {**stats.summary(book), **_false_discoveries(book)}
    if trials is None:
        return found
    net = book.returns["net"]
    deflated = stats.deflated_sharpe(net, trials=trials.configurations, sd=trials.sd)
    return {**found, "dsr": deflated, "trials_run": float(trials.configurations)}


def _estimates(
    returns: Floats,
    figures: Mapping[str, stats.Statistic],
    *,
    placebo: bool,
    draw: tuple[int, int],
) -> list[tuple[str, float, Floats]]:
    """Each figure with its interval: of resampled days, or over the placebo's draws."""
    values = [stats.statistic(returns, figure) for figure in figures.values()]
    if placebo:
        bounds = np.array([_central(of_draws) for of_draws in values])
    else:
        resamples, seed = draw
        bounds = stats.intervals(returns, list(figures.values()), resamples=resamples, seed=seed)
    means = [_mean(of_draws) for of_draws in values]
    return list(zip(figures, means, bounds, strict=True))


def _central(values: Floats) -> Floats:
    known = values[np.isfinite(values)]
    return np.quantile(known, [0.025, 0.975]) if len(known) else np.full(2, np.nan)


def _percentile(value: float, chance: Floats) -> float:
    """Share of the draws of chance below a value; a tie counts one half."""
    known = chance[np.isfinite(chance)]
    if not len(known) or not np.isfinite(value):
        return np.nan
    return float((known < value).mean() + (known == value).mean() / 2.0)


def _row(
    method: str,
    metric: str,
    value: float,
    *,
    n: int,
    bounds: Floats | None = None,
    versus: str = "",
) -> dict[str, object]:
    low, high = (np.nan, np.nan) if bounds is None else bounds
    name = "" if bounds is None else "draws" if method == PLACEBO else "stationary days"
    return dict(
        zip(SCORE_COLUMNS, (method, metric, value, low, high, n, name, versus), strict=True)
    )
