"""Figures of one backtest: drawdown, downside, turnover, trades, costs, years, capacity."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from finsae.pairs.book import Backtest
from finsae.pairs.stats.selection import probabilistic_sharpe
from finsae.pairs.stats.sharpe import PERIODS, Floats, sharpe, sharpe_error

SWEPT_BPS = (0.0, 5.0, 10.0, 20.0)
"""Costs per leg and side at which every backtest is shown."""


def max_drawdown(daily: ArrayLike) -> Floats:
    """Deepest fall of the summed returns from their last peak, in units of committed capital."""
    equity, peak = _equity_and_peak(daily)
    return np.asarray((peak - equity).max(axis=0, initial=0.0))


def drawdown_days(daily: ArrayLike) -> int:
    """Longest time that the summed returns stayed below their last peak, in days."""
    equity, peak = _equity_and_peak(daily)
    days = np.arange(1, len(equity) + 1)
    last = np.maximum.accumulate(np.where(equity >= peak, days, 0))
    return int((days - last).max(initial=0))


def sortino(daily: ArrayLike) -> float:
    """Annual mean over annual downside deviation (root mean square of the losses, all days)."""
    values = np.asarray(daily, dtype=np.float64)
    downside = np.sqrt((np.minimum(values, 0.0) ** 2).mean())
    return float(values.mean() / downside * np.sqrt(PERIODS)) if downside > 0.0 else np.nan


def calmar(daily: ArrayLike) -> float:
    """Annual return over the deepest drawdown, neither of them compounded."""
    deepest = float(max_drawdown(daily))
    annual = float(np.mean(np.asarray(daily))) * PERIODS
    return annual / deepest if deepest > 0.0 else np.nan


def at_cost(backtest: Backtest, cost_bps: float) -> pd.Series:
    """Daily net returns at other costs per leg and side; what is not in proportion stays.

    Exact without caps: costs change no decision and no number of shares.
    """
    daily = backtest.returns
    return daily["gross"] - daily["fees"] - daily["traded"] * cost_bps / 1e4


def break_even_bps(backtest: Backtest) -> float:
    """Costs per leg and side, in basis points, that eat the whole profit; NaN without trades.

    Borrowing and costs per share are paid first: below zero where they alone are too much.
    """
    traded = float(backtest.returns["traded"].sum())
    profit = float((backtest.returns["gross"] - backtest.returns["fees"]).sum())
    return profit / traded * 1e4 if traded > 0.0 else np.nan


def summary(backtest: Backtest) -> dict[str, float]:
    """Figures of one book that have no interval of their own.

    Returns
    -------
    dict
        Of the net returns on committed capital: total_return (their sum), sharpe_error
        (`sharpe_error`), psr (`probabilistic_sharpe` against 0), sortino, calmar, max_drawdown,
        drawdown_days, autocorrelation (of the first order), and sharpe_0bp, _5bp, _10bp, _20bp at
        those costs. On employed capital: return_employed, sharpe_employed. Of the book: turnover
        (value bought and sold a year over committed capital), exposure (mean value held, likewise;
        max_exposure its largest), net_exposure (mean size of longs less shorts), employed (mean
        share of capital in open pairs), idle (share of days without a position). Of the trades:
        trades, hit_rate (share with a net profit), profit_per_trade (net, on a pair's capital),
        holding_days, both means; pairs; break_even_bps.
    """
    returns, trades = backtest.returns, backtest.trades
    net, years = returns["net"].to_numpy(), max(len(returns), 1) / PERIODS
    swept = {f"sharpe_{bps:g}bp": float(sharpe(at_cost(backtest, bps))) for bps in SWEPT_BPS}
    return {
        "total_return": float(net.sum()),
        "sharpe_error": sharpe_error(net),
        "psr": probabilistic_sharpe(net),
        "sortino": sortino(net),
        "calmar": calmar(net),
        "max_drawdown": float(max_drawdown(net)),
        "drawdown_days": float(drawdown_days(net)),
        "autocorrelation": _autocorrelation(net),
        **swept,
        "return_employed": float(returns["net_employed"].mean()) * PERIODS,
        "sharpe_employed": float(sharpe(returns["net_employed"])),
        "turnover": float(returns["traded"].sum()) / years,
        "exposure": float(returns["gross_exposure"].mean()),
        "max_exposure": float(returns["gross_exposure"].max()),
        "net_exposure": float(returns["net_exposure"].abs().mean()),
        "employed": float(returns["employed"].mean()),
        "idle": float((returns["n_open"] == 0).mean()),
        "hit_rate": float((trades["net"] > 0.0).mean()),
        "profit_per_trade": float(trades["net"].mean()),
        "holding_days": float(trades["days"].mean()),
        "trades": float(len(trades)),
        "pairs": float(len(backtest.pairs)),
        "break_even_bps": break_even_bps(backtest),
    }


def by_year(backtest: Backtest) -> pd.DataFrame:
    """Figures of each calendar year: its days, returns, Sharpe ratios, drawdown, closed trades."""
    rows = []
    years = pd.DatetimeIndex(backtest.returns.index).year
    closed = pd.DatetimeIndex(backtest.trades["exit"]).year
    for year, daily in backtest.returns.groupby(years):
        rows.append(
            {
                "year": int(str(year)),
                "days": len(daily),
                "return_gross": float(daily["gross"].sum()),
                "return_net": float(daily["net"].sum()),
                "sharpe_gross": float(sharpe(daily["gross"])),
                "sharpe_net": float(sharpe(daily["net"])),
                "max_drawdown": float(max_drawdown(daily["net"])),
                "trades": int((closed == year).sum()),
            }
        )
    return pd.DataFrame(rows)


def capacity(
    backtest: Backtest, value: pd.DataFrame, *, share: float = 0.01, days: int = 63
) -> float:
    """Capital at which nineteen of twenty opening legs are a small share of what is traded a day.

    Parameters
    ----------
    backtest : Backtest
    value : DataFrame, dates x tickers
        Traded value a day (price times volume) in the currency of the answer, from at least `days`
        days before the first trade.
    share : float
        Of the median daily value, that a leg may be.
    days : int
        Over which the median is taken, up to the day before the opening.

    Returns
    -------
    float
        Committed capital; NaN without trades or where no leg's volume is known.
    """
    trades = backtest.trades
    usual = value.rolling(days, min_periods=days // 2).median().shift(1)
    sizes = backtest.pairs.groupby("window").size() if "window" in trades else None
    pairs = len(backtest.pairs) if sizes is None else trades["window"].map(sizes).to_numpy()
    limits = []
    for leg in ("y", "x"):
        rows = usual.index.get_indexer(pd.Index(trades["entry"]))
        columns = usual.columns.get_indexer(pd.Index(trades[leg]))
        known = (rows >= 0) & (columns >= 0)
        traded = np.where(known, usual.to_numpy()[rows, columns], np.nan)
        weight = (trades[f"shares_{leg}"] * trades[f"entry_{leg}"]).abs().to_numpy()
        with np.errstate(divide="ignore"):
            limits.append(share * traded / weight * pairs)
    found = np.concatenate(limits)
    found = found[np.isfinite(found)]
    return float(np.quantile(found, 0.05)) if len(found) else np.nan


def _equity_and_peak(daily: ArrayLike) -> tuple[Floats, Floats]:
    equity = np.cumsum(np.asarray(daily, dtype=np.float64), axis=0)
    return equity, np.maximum(np.maximum.accumulate(equity, axis=0), 0.0)


def _autocorrelation(values: Floats) -> float:
    if len(values) < 3 or not (np.ptp(values[1:]) > 0.0 and np.ptp(values[:-1]) > 0.0):
        return np.nan
    return float(np.corrcoef(values[1:], values[:-1])[0, 1])
