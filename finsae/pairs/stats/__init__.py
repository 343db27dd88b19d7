"""What a backtest earned, and how sure one can be of it."""

from finsae.pairs.stats.bootstrap import intervals
from finsae.pairs.stats.factors import FACTOR_DAYS, check_factors, exposures
from finsae.pairs.stats.figures import (
    at_cost,
    break_even_bps,
    by_year,
    calmar,
    capacity,
    drawdown_days,
    max_drawdown,
    sortino,
    summary,
)
from finsae.pairs.stats.selection import (
    best_of_nothing,
    deflated_sharpe,
    min_track_record,
    overfitting,
    probabilistic_sharpe,
)
from finsae.pairs.stats.sharpe import (
    PERIODS,
    Statistic,
    annual_return,
    annual_sharpe,
    annual_volatility,
    sharpe,
    sharpe_error,
    statistic,
)

__all__ = [
    "FACTOR_DAYS",
    "PERIODS",
    "Statistic",
    "annual_return",
    "annual_sharpe",
    "annual_volatility",
    "at_cost",
    "best_of_nothing",
    "break_even_bps",
    "by_year",
    "calmar",
    "capacity",
    "check_factors",
    "deflated_sharpe",
    "drawdown_days",
    "exposures",
    "intervals",
    "max_drawdown",
    "min_track_record",
    "overfitting",
    "probabilistic_sharpe",
    "sharpe",
    "sharpe_error",
    "sortino",
    "statistic",
    "summary",
]
