"""The tear sheet of the pairs: one method at a time, the run's own first."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from finsae import plots
from finsae.methods import in_order, label
from finsae.plots.money import MONTHS, monthly
from finsae.report.parts import Part, Section, Words, figure, table
from finsae.result import Result

TITLE = "Tear sheet of the pairs"
MONEY = {"gross", "net", "fees", "traded"}
HELD = {"gross_exposure", "net_exposure", "employed"}
CLOSED = {"y", "x", "days", "net", "reason"}
WORST = 10  # positions shown at each end


def tear_sheet(result: Result) -> Section:
    """Draw equity at several costs, Sharpe ratio, months, exposure and trades of each method."""
    returns = result.tables.get("returns")
    if returns is None or returns.empty or not set(returns) >= MONEY:
        return Section("sheet", TITLE, [Words(["No pairs were traded in this run."])])
    own = str(result.provenance.get("method", "sae"))
    methods = in_order(returns["method"])
    methods.sort(key=lambda name: name != own)
    choices = [label(name) for name in methods] if len(methods) > 1 else []
    kinds: dict[str, Callable[..., plots.Figure]] = {
        "costs": plots.cost_levels,
        "rolling": plots.rolling_sharpe,
        "months": plots.monthly_returns,
    }
    if set(returns) >= HELD:
        kinds["exposure"] = plots.exposure
    parts: list[Part] = [
        figure(name, *(draw(returns, method=method) for method in methods), choices=choices)
        for name, draw in kinds.items()
    ]
    parts.insert(3, month_table(returns, methods))
    trades = result.tables.get("trades")
    if trades is not None and set(trades) >= CLOSED and len(trades):
        parts += _trades(trades, [m for m in methods if m in set(trades["method"])])
    years = result.tables.get("trading_years")
    if years is not None and len(years):
        parts.append(year_table(years))
    return Section("sheet", TITLE, parts)


def month_table(returns: pd.DataFrame, methods: list[str]) -> Part:
    """Net returns by month of every method, for the file and who cannot see colours."""
    frames = [
        monthly(returns, method).reset_index().assign(method=label(method)) for method in methods
    ]
    found = pd.concat(frames, ignore_index=True)[["method", "year", *MONTHS, "Total"]]
    shown = found.rename(columns={"method": "Method", "year": "Year"})
    shown[[*MONTHS, "Total"]] = shown[[*MONTHS, "Total"]].map(
        lambda v: f"{v:z.2f}" if v == v else ""
    )
    shown["Year"] = shown["Year"].astype(str)
    return table("months", shown, "Net return by month, %", data=found, folded=True)


def year_table(years: pd.DataFrame) -> Part:
    """Figures of each calendar year and method."""
    shown = pd.DataFrame(
        {
            "Method": [label(str(name)) for name in years["method"]],
            "Year": years["year"].astype(int).astype(str),
            "Days": years["days"].astype(int),
            "Gross return, %": (100 * years["return_gross"]).map("{:z.2f}".format),
            "Net return, %": (100 * years["return_net"]).map("{:z.2f}".format),
            "Net Sharpe": years["sharpe_net"].map("{:z.2f}".format).replace("nan", "-"),
            "Deepest drawdown, %": (100 * years["max_drawdown"]).map("{:.2f}".format),
            "Trades": years["trades"].round().astype(int),
        }
    )
    return table("trading-years", shown, "Year by year", data=years, folded=True)


def _trades(trades: pd.DataFrame, methods: list[str]) -> list[Part]:
    choices = [label(name) for name in methods] if len(methods) > 1 else []
    drawn = [plots.trades(trades, method=method) for method in methods]
    mine = trades[trades["method"] == methods[0]]
    ends = pd.concat([mine.nsmallest(WORST, "net"), mine.nlargest(WORST, "net")[::-1]])
    ends = ends[~ends.index.duplicated()]
    shown = pd.DataFrame(
        {
            "Pair": [f"{y} and {x}" for y, x in zip(ends["y"], ends["x"], strict=True)],
            "Opened": pd.to_datetime(ends["entry"]).dt.strftime("%Y-%m-%d"),
            "Closed": pd.to_datetime(ends["exit"]).dt.strftime("%Y-%m-%d"),
            "Days": ends["days"].astype(int),
            "Net profit, %": (100 * ends["net"]).map("{:+.1f}".format),
            "Closed because": ends["reason"],
        }
    )
    caption = f"The worst and the best positions of {label(methods[0])}"
    return [
        figure("positions", *drawn, choices=choices),
        table("positions", shown, caption, data=mine, folded=False),
        table("reasons", reason_table(trades, methods), "Why positions were closed"),
    ]


def reason_table(trades: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    """Count each method's closed positions by reason, with what they earned on the average."""
    groups = trades.groupby(["method", "reason"], sort=False)["net"].agg(["size", "mean", "sum"])
    rows = []
    for method in methods:
        mine = pd.DataFrame(groups.loc[method]).sort_values("size", ascending=False)
        draws = trades.loc[trades["method"] == method, "draw"].nunique() if "draw" in trades else 1
        total = mine["size"].sum()
        rows += [
            {
                "Method": label(method),
                "Closed because": str(reason),
                "Positions": round(row["size"] / draws),
                "Share, %": f"{100 * row['size'] / total:.0f}",
                "Mean net profit, %": f"{100 * row['mean']:+.2f}",
            }
            for reason, row in mine.iterrows()
        ]
    return pd.DataFrame(rows)
