"""What pairs earned: all methods' equity, and the tear sheet of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from finsae.methods import in_order, label
from finsae.plots.spec import Axis, Cells, Figure, Line, Panel, Points, Rule
from finsae.plots.style import DASHES, GREY, OKABE_ITO, SYMBOLS, colour

YEAR = 252  # trading days
SUMMED = "Summed daily returns on committed capital, idle days counted"


def equity(
    returns: pd.DataFrame, *, column: str = "net", notes: Mapping[str, str] | None = None
) -> Figure:
    """Draw each method's equity above its drawdown.

    Parameters
    ----------
    returns : DataFrame
        Columns method, draw, date and `column`: daily returns on committed capital.
    column : str
        "net" (after costs) or "gross".
    notes : mapping, optional
        Method to a few words for the legend, as its Sharpe ratio with interval.

    Notes
    -----
    Returns are summed, not compounded: the committed capital is fixed. Draws are averaged day by
    day, which makes such a line smoother than any one of its draws.
    """
    daily = returns.pivot_table(index="date", columns="method", values=column, aggfunc="mean")
    curves = 100 * daily[in_order(daily.columns)].fillna(0.0).cumsum()
    falls = curves - np.maximum(curves.cummax(), 0.0)
    words = {m: f"{label(str(m))} {(notes or {}).get(str(m), '')}".strip() for m in curves.columns}
    lines, below = (
        [_line(frame[m], words[m], str(m), again=again) for m in frame.columns]
        for frame, again in ((curves, False), (falls, True))
    )
    told = (
        f"{label(str(m))} ends at {curves[m].iloc[-1]:+.1f} %, deepest fall "
        f"{falls[m].min():.1f} points"
        for m in curves.columns
    )
    above = int((curves.iloc[-1] > 0).sum())
    when = "After" if column == "net" else "Before"
    title = f"{when} costs the pairs of {above} of {len(curves.columns)} methods end above zero"
    return Figure(
        title=title,
        reading=(
            f"{SUMMED}; below, the fall from "
            "the last peak. Methods that tie are means over draws, smoother than one portfolio. "
            f"n = {len(curves):,} trading days, {len(curves.columns)} methods."
        ),
        alt=f"{title}. {'; '.join(told)}.",
        panels=[
            Panel(Axis("date", "date"), Axis(f"cumulative {column} return, %"), lines, 0.68),
            Panel(Axis("date", "date"), Axis("drawdown, points"), below, 0.32),
        ],
        height=560,
        legend=True,
    )


def cost_levels(
    returns: pd.DataFrame, *, method: str, levels: Sequence[float] = (5, 10, 20)
) -> Figure:
    """Draw one method's equity before costs and at several costs, above its drawdown after costs.

    Parameters
    ----------
    returns : DataFrame
        Columns method, draw, date, gross, net, fees, traded, as in `finsae.pairs.Backtest`.
    method : str
    levels : sequence of float
        Basis points per leg and side; costs in proportion to the value traded are recomputed,
        those that are not (borrowing) stay.
    """
    daily = one(returns, method)
    curves = {"gross": daily["gross"], "net, as traded": daily["net"]}
    for bps in levels:
        net = daily["gross"] - daily["fees"] - daily["traded"] * bps / 1e4
        if not np.allclose(net, daily["net"]):
            curves[f"at {bps:g} bp"] = net
    shown = pd.DataFrame(curves).cumsum() * 100
    looks = zip(shown.columns, [OKABE_ITO[2], OKABE_ITO[0], *OKABE_ITO[3:]], strict=False)
    dashes = ["solid", "solid", "dash", "dashdot", "dot"]
    lines = [
        Line(shown.index, shown[name].to_numpy(), name=name, colour=tone, dash=dash)
        for (name, tone), dash in zip(looks, dashes, strict=False)
    ]
    net = shown["net, as traded"]
    fall = net - np.maximum(net.cummax(), 0.0)
    told = "; ".join(f"{name} ends at {curve.iloc[-1]:+.1f} %" for name, curve in shown.items())
    before, after = shown["gross"].iloc[-1], net.iloc[-1]
    title = f"{label(method)}: {before:+.1f} % before costs, {after:+.1f} % after them"
    return Figure(
        title=title,
        reading=(
            f"{SUMMED}; basis points are per leg and side, borrowing is paid in all but the gross "
            f"line. Below, the fall of the net line from its last peak. n = {len(daily):,} days."
        ),
        alt=f"{title}. {told}; deepest fall {fall.min():.1f} points.",
        panels=[
            Panel(Axis("date", "date"), Axis("cumulative return, %"), lines, 0.7),
            Panel(
                Axis("date", "date"),
                Axis("drawdown, points"),
                [Line(fall.index, fall.to_numpy(), colour=OKABE_ITO[0])],
                0.3,
            ),
        ],
        height=470,
        legend=True,
    )


def rolling_sharpe(returns: pd.DataFrame, *, method: str, days: int = YEAR) -> Figure:
    """Draw the net Sharpe ratio of the last year, day by day, with its 95 % band.

    The band is 1.96 standard errors of Lo (2002, equation 9) for independent returns,
    ``sqrt((1 + s^2 / 2) / days)`` of the daily ratio s: neighbouring points share their days.

    Parameters
    ----------
    returns : DataFrame
        Columns method, draw, date, net.
    method : str
    days : int
        Length of the window.
    """
    daily = one(returns, method)["net"]
    window = daily.rolling(days, min_periods=days)
    ratio = (window.mean() / window.std().where(lambda sd: sd > 0)).dropna()
    half = 1.96 * np.sqrt((1 + ratio**2 / 2) / days)
    year = np.sqrt(YEAR)
    known, low, high = (year * part for part in (ratio, ratio - half, ratio + half))
    line = Line(
        known.index, known.to_numpy(), colour=OKABE_ITO[0], low=low.to_numpy(), high=high.to_numpy()
    )
    covered = float(((low <= 0) & (high >= 0)).mean()) if len(known) else float("nan")
    told = (
        f"on {100 * covered:.0f} % of the days its band covers 0"
        if len(known)
        else "no whole window"
    )
    title = f"{label(method)}, net Sharpe ratio of the last {days} days: {told}"
    return Figure(
        title=title,
        reading=(
            f"The band is plus and minus 1.96 standard errors, for returns that do not depend on "
            f"one another. n = {len(known)} windows of {days} days."
        ),
        alt=f"{title}. {_range(known)}.",
        panels=[
            Panel(
                Axis("date", "date"), Axis("Sharpe ratio (a year)"), [line, Rule(0.0, lying=True)]
            )
        ],
        height=300,
    )


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def monthly_returns(returns: pd.DataFrame, *, method: str) -> Figure:
    """Draw the net return of every month as a table of years and months.

    Parameters
    ----------
    returns : DataFrame
        Columns method, draw, date, net.
    method : str
    """
    table = monthly(returns, method)
    values = table[list(MONTHS)].to_numpy(float)
    years = [str(year) for year in table.index]
    known = values[np.isfinite(values)]
    share = f"{100 * (known > 0).mean():.0f} %" if len(known) else "none"
    title = f"{label(method)}: {share} of the months ended above zero after costs"
    return Figure(
        title=title,
        reading=(
            "Per cent of committed capital, daily returns summed; the first and the last month "
            f"may be short. n = {len(known)} months."
        ),
        alt=f"{title}. Years: {', '.join(f'{y} {v:+.1f} %' for y, v in table['Total'].items())}.",
        panels=[
            Panel(
                Axis("month", "names", names=MONTHS),
                Axis("year", "names", names=years, turned=True),
                [
                    Cells(
                        values,
                        "net return, %",
                        written=[
                            [f"{v:z.1f}" if np.isfinite(v) else "" for v in r] for r in values
                        ],
                        two_sided=True,
                    )
                ],
            )
        ],
        height=120 + 34 * len(years),
    )


def monthly(returns: pd.DataFrame, method: str) -> pd.DataFrame:
    """Sum one method's net returns by month, years x months and the year, in per cent."""
    daily = 100 * one(returns, method)["net"]
    days = pd.DatetimeIndex(daily.index)
    found = pd.crosstab(days.year, days.month, values=daily.to_numpy(), aggfunc="sum")
    found = found.reindex(columns=range(1, 13)).set_axis(list(MONTHS), axis=1)
    return found.assign(Total=found.sum(axis=1)).rename_axis("year")


def exposure(returns: pd.DataFrame, *, method: str) -> Figure:
    """Draw what is held each day: value long and short, their difference, capital in open pairs.

    Parameters
    ----------
    returns : DataFrame
        Columns method, draw, date, gross_exposure, net_exposure, employed.
    method : str
    """
    daily = 100 * one(returns, method)
    shown = {"gross_exposure": "long plus short", "net_exposure": "long less short",
             "employed": "capital in open pairs"}  # fmt: skip
    looks = zip(shown.items(), OKABE_ITO, ("solid", "dash", "dot"), strict=False)
    lines = [
        Line(daily.index, daily[name].to_numpy(), name=words, colour=tone, dash=dash, digits=1)
        for (name, words), tone, dash in looks
    ]
    told = "; ".join(f"{words} {daily[name].mean():.0f} %" for name, words in shown.items())
    busy = daily["employed"].mean()
    title = f"{label(method)}: {busy:.0f} % of the capital is in open pairs on the average day"
    return Figure(
        title=title,
        reading=f"Values at the close, in per cent of committed capital. Means: {told}. "
        f"n = {len(daily):,} trading days.",
        alt=f"{title}. Means over all days: {told}.",
        panels=[Panel(Axis("date", "date"), Axis("share of committed capital, %"), lines)],
        height=320,
        legend=True,
    )


def trades(closed: pd.DataFrame, *, method: str) -> Figure:
    """Draw every closed position: how long it was held and what it earned, by the reason to exit.

    Parameters
    ----------
    closed : DataFrame
        Columns method, y, x, days, net, reason.
    method : str
    """
    mine = closed[closed["method"] == method]
    reasons = mine["reason"].value_counts()
    layers = []
    looks = zip(reasons.items(), (*OKABE_ITO[:6], GREY), SYMBOLS, strict=False)
    for (reason, count), tone, symbol in looks:
        rows = mine[mine["reason"] == reason]
        pairs = zip(rows["y"], rows["x"], rows["days"], rows["net"], strict=True)
        hover = [f"{y} and {x}\n{reason}: {d:.0f} days, {100 * v:+.1f} %" for y, x, d, v in pairs]
        name = f"{reason} ({count})"
        days, net = rows["days"].to_numpy(float), 100 * rows["net"].to_numpy(float)
        layers.append(Points(days, net, name=name, colours=tone, symbols=symbol,
                             size=6, hover=hover))  # fmt: skip
    told = "; ".join(
        f"{reason} {count}, mean {100 * mine.loc[mine['reason'] == reason, 'net'].mean():+.1f} %"
        for reason, count in reasons.items()
    )
    mean = 100 * mine["net"].mean()
    title = f"{label(method)}: a position earned {mean:+.1f} % of its pair's capital on the average"
    return Figure(
        title=title,
        reading=f"Net profit on one pair's capital. {told}. n = {len(mine)} positions.",
        alt=f"{title}. {told}.",
        panels=[
            Panel(
                Axis("calendar days held"),
                Axis("net profit, % of the pair's capital"),
                [*layers, Rule(0.0, lying=True)],
            )
        ],
        height=380,
        legend=True,
    )


def one(returns: pd.DataFrame, method: str) -> pd.DataFrame:
    """Take one method's daily table by date, the mean over its draws."""
    mine = returns[returns["method"] == method].drop(columns=["method", "draw"], errors="ignore")
    return mine.groupby("date").mean()


def _line(curve: pd.Series[float], name: str, method: str, *, again: bool) -> Line:
    return Line(
        curve.index,
        curve.to_numpy(),
        name=name,
        colour=colour(method),
        dash=DASHES.get(method, "solid"),
        width=2.4 if method == "sae" else 1.5,
        again=again,
    )


def _range(values: pd.Series[float]) -> str:
    return f"From {values.min():.2f} to {values.max():.2f}" if len(values) else "No whole window"
