"""A grid of settings through the same walk-forward, and what choosing among them costs in luck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from finsae import pairs
from finsae.checks import DataError
from finsae.config import Backtest, Run
from finsae.features import Features
from finsae.ledger import Trials
from finsae.pipeline.exposure import traded_value
from finsae.pipeline.footing import made_of, need_daily_closes, windows
from finsae.pipeline.methods import Readings
from finsae.pipeline.trader import trader_of
from finsae.pipeline.trading import formed, note, spans, tradable
from finsae.result import SCORE_COLUMNS, Result
from finsae.store import hash_frame
from finsae.universe import Universe

COLUMNS = ("configuration", "method", "sharpe_net", "low", "high", "trades", "dsr")


def configurations(settings: Backtest, grid: Mapping[str, Sequence[object]]) -> dict[str, Backtest]:
    """Combine lists of settings, the last changing fastest; each named by what was given.

    Raises
    ------
    DataError
        If a list is empty or says one value twice.
    """
    for name, values in grid.items():
        if not values or len(set(values)) < len(values):
            raise DataError(f"{name}: name at least one value, and none twice")
    found = {}
    for values in product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        words = ", ".join(f"{name} {value}" for name, value in chosen.items())
        found[words or "as it is"] = replace(settings, **chosen)  # type: ignore[arg-type]
    return found


def run_sweep(
    universe: Universe,
    features: Features | Readings,
    run: Run,
    *,
    grid: Mapping[str, Sequence[object]],
    methods: Sequence[str],
    ledger: str | Path,
    volume: pd.DataFrame | None = None,
) -> Result:
    """Trade every combination of some settings; pairs are tested once for all of them.

    Parameters
    ----------
    universe, features, run, methods, ledger, volume
        As for `run_backtest`; each configuration is noted as soon as it has traded. There is no
        placebo.
    grid : mapping of str to sequence
        Names of settings of `Backtest` to the values they take.

    Returns
    -------
    Result
        Table ``sweep``, in the order run: ``configuration, method, sharpe_net, low, high, trades``,
        and ``dsr`` of the best. The provenance has the number of ``trials`` the ledger knows on
        these prices, how many ``configurations`` were run, and ``overfitting``, the probability
        that the best of them in sample is below their median out of it; NaN below 16.

    Raises
    ------
    DataError
        If a combination is impossible, before any is run.
    """
    need_daily_closes(universe)
    value, base = traded_value(universe, volume), replace(run.backtest, placebo=0)
    chosen = configurations(base, grid)
    traders = {name: trader_of(one, universe.prices, value) for name, one in chosen.items()}
    dates = windows(universe, run)
    run = replace(run, backtest=base)
    traded = tradable(universe, features, run, dates=dates, methods=methods)
    data, rows, net = hash_frame(universe.prices), [], {}
    walk = formed(universe, traded, run)
    for name, books in pairs.sweep(*walk, windows=spans(traded, run, dates), traders=traders):
        mine = replace(run, backtest=chosen[name])
        trials = note(ledger, data, books, run=mine, features=features, value=value)
        for method, drawn in books.items():
            net[name, method] = np.column_stack([book.returns["net"] for book in drawn])
            rows.append((name, method, *_earned(net[name, method], run), _trades(drawn), np.nan))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    if table["sharpe_net"].notna().any():
        best = int(table["sharpe_net"].to_numpy(dtype=np.float64, na_value=-np.inf).argmax())
        daily = list(net.values())[best]
        table.loc[best, "dsr"] = _deflated(daily, trials)
    swept = pd.DataFrame({name: daily.mean(axis=1) for name, daily in net.items()})
    facts = {
        "trials": trials.configurations,
        "configurations": len(table),
        "overfitting": pairs.overfitting_of(swept),
    }
    made = made_of(universe, features, run, dates=dates, tickers=traded.tickers)
    scores = pd.DataFrame(columns=list(SCORE_COLUMNS))
    return Result(scores, {"sweep": table}, {**made, **facts, "prices_hash": data})


def _earned(net: np.ndarray, run: Run) -> tuple[float, float, float]:
    ratios = pairs.stats.sharpe(net)
    known = ratios[np.isfinite(ratios)]
    (low, high), *_ = pairs.stats.intervals(net, resamples=run.backtest.resamples, seed=run.seed)
    return float(known.mean()) if len(known) else np.nan, float(low), float(high)


def _trades(drawn: Sequence[pairs.Backtest]) -> float:
    return float(np.mean([len(book.trades) for book in drawn]))


def _deflated(net: np.ndarray, trials: Trials) -> float:
    found = [
        pairs.stats.deflated_sharpe(draw, trials=trials.configurations, sd=trials.sd)
        for draw in net.T
    ]
    return float(np.nanmean(found))
