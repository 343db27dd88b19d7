"""The dates and companies that all methods share, and how a result was made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

import pandas as pd

from finsae.checks import DataError
from finsae.config import Run
from finsae.features import Features
from finsae.pipeline.methods import Readings, readings
from finsae.store import provenance
from finsae.universe import Universe, as_day

FORMATION_YEARS = 2


class Windows(NamedTuple):
    """The dates of a run: formation ends at the cut, trading begins the day after."""

    cut: pd.Timestamp
    formation: tuple[pd.Timestamp, pd.Timestamp]
    trade: tuple[pd.Timestamp, pd.Timestamp]


def windows(universe: Universe, run: Run) -> Windows:
    """Read a run's dates, or derive them: two years of formation up to the cut, then trading.

    The cut is the run's own, or the end of the formation window, or the universe's (the sample has
    one), or the day of the last description where all are dated.

    Raises
    ------
    DataError
        If there is no way to know the cut, or trading would begin before it, or no prices follow.
    """
    formation = _span("formation", run.data.formation)
    trade = _span("trade", run.data.trade)
    cut = as_day(run.data.cut) if run.data.cut else _default_cut(universe, formation)
    start = cut - pd.DateOffset(years=FORMATION_YEARS) + pd.Timedelta(days=1)
    formation = formation or (start, cut)
    days = universe.prices.index if len(universe.prices) else universe.monthly.index
    last = days.max()
    trade = trade or (cut + pd.Timedelta(days=1), last)
    problems = []
    if formation[1] > cut or trade[0] <= cut:
        problems.append(
            f"formation must end by the cut {cut:%Y-%m-%d} and trading begin after it; "
            f"they are {written(formation)} and {written(trade)}"
        )
    if pd.isna(last):
        problems.append("there are no prices: give --prices FILE")
    elif last <= cut:
        problems.append(f"there are no prices after the cut {cut:%Y-%m-%d}: choose an earlier one")
    elif trade[0] > last:
        problems.append(f"trading begins {trade[0]:%Y-%m-%d}, but prices end {last:%Y-%m-%d}")
    if problems:
        raise DataError(problems)
    return Windows(cut, formation, trade)


def need_daily_closes(universe: Universe) -> None:
    """Refuse a universe that has returns of months only.

    Raises
    ------
    DataError
        If it has no daily closes, and monthly returns.
    """
    if not len(universe.prices) and len(universe.monthly):
        raise DataError(
            "these prices are monthly returns: enough for finsae benchmark, not for a backtest, "
            "which trades daily closes; give --prices a file of these"
        )


def _default_cut(
    universe: Universe, formation: tuple[pd.Timestamp, pd.Timestamp] | None
) -> pd.Timestamp:
    if formation:
        return formation[1]
    if "cut" in universe.provenance:
        return as_day(universe.provenance["cut"])
    dates = universe.companies["date"]
    if dates.notna().all() and len(dates):
        return as_day(dates.max())
    raise DataError(
        "where is the cut? Give --cut DATE (backtest: --formation START:END), the day by which the "
        "descriptions were known, or date every description in a column date"
    )


def _span(name: str, text: str | None) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    if text is None:
        return None
    start, colon, end = text.partition(":")
    if not colon:
        raise DataError(f'{name} is "{text}": write it as START:END, 2011-07-01:2013-06-30')
    if as_day(start) >= as_day(end):
        raise DataError(f"{name} ends before it begins: {text}")
    return as_day(start), as_day(end)


def written(span: tuple[pd.Timestamp, pd.Timestamp]) -> str:
    """Write a span as it is given on the command line, START:END."""
    return f"{span[0]:%Y-%m-%d}:{span[1]:%Y-%m-%d}"


def at_least(least: int = 1, **numbers: int) -> None:
    """Refuse numbers that are too small to mean anything.

    Raises
    ------
    DataError
        Naming each of them.
    """
    small = [f"{name} is {number}" for name, number in numbers.items() if number < least]
    if small:
        raise DataError([f"{problem}: it must be at least {least}" for problem in small])


def with_features(
    tickers: Sequence[str], features: Features | Readings, past: Universe
) -> list[str]:
    """Keep the companies that have features; refuse features that were read from other texts."""
    tables = [table.companies for table in readings(features).values()]
    found = [t for t in tickers if all(t in table.index for table in tables)]
    texts = past.companies["description"]
    for table in tables:
        other = [t for t in found if table.at[t, "description"] != texts[t]]
        if other:
            raise DataError(
                f"the features were read from other descriptions than the universe's, those of "
                f"{len(other)} companies ({', '.join(other[:3])}): build them from these companies"
            )
    if len(found) < 3:
        raise DataError(
            f"only {len(found)} companies have prices, a SIC code and features: three are needed"
        )
    return found


def made_of(
    universe: Universe,
    features: Features | Readings,
    run: Run,
    *,
    dates: Windows,
    tickers: Sequence[str],
) -> dict[str, object]:
    """Say how a result was made: data, features, settings, dates, versions."""
    (own, table), *others = readings(features).items()
    return provenance(
        method=own,
        universe=dict(universe.provenance),
        features=dict(table.provenance),
        others={name: dict(other.provenance) for name, other in others},
        run=asdict(run),
        k=run.benchmark.k,
        seed=run.seed,
        cut=dates.cut,
        formation=written(dates.formation),
        trade=written(dates.trade),
        companies=len(tickers),
        months_after_cut=len(universe.cut(dates.cut).future.monthly),
    )
