"""The engine against vectorbt: the same positions, the same net returns, the time both take.

vectorbt is given its orders ready-made (shares bought and sold of every pair and leg at every
close); the engine starts from leg weights and also makes trades, cash and exposures. vectorbt
cannot express borrow fees by the day, costs per share, delistings with a loss, or caps over groups
of columns: the race has none of them.

    python tests/benchmarks/engine.py --out reports/benchmarks

with vectorbt installed beside finsae (an environment of its own will do).
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd
import vectorbt as vbt

from finsae.pairs import Terms, ZScore, simulate

TERMS = Terms(10.0, borrow_bps=0.0)


def world(days, pairs, seed=0):
    """Cointegrated pairs, a static rule fitted on 504 days, and the days after them."""
    rng = np.random.default_rng(seed)
    total = days + 504
    common = np.cumsum(rng.normal(0, 0.015, (total, pairs)), axis=0)
    spread = np.zeros((total, pairs))
    for day in range(1, total):
        spread[day] = 0.92 * spread[day - 1] + rng.normal(0, 0.01, pairs)
    y, x = 40.0 * np.exp(common + spread), 25.0 * np.exp(common)
    weights = ZScore().fit(y[:504], x[:504]).positions(y[504:], x[504:])
    names = [[f"{leg}{number}" for number in range(pairs)] for leg in "YX"]
    dates = pd.bdate_range("2013-07-01", periods=days)
    prices = pd.DataFrame(
        np.hstack([y[504:], x[504:]]), index=dates, columns=[*names[0], *names[1]]
    )
    return weights, prices, pd.DataFrame({"y": names[0], "x": names[1]})


def orders(book):
    """Shares bought (above zero) and sold of each pair's two legs, days x 2 pairs."""
    shares = np.hstack([book.shares_y.to_numpy(), book.shares_x.to_numpy()])
    return np.diff(shares, axis=0, prepend=0.0)


def by_vectorbt(size, prices, capital):
    portfolio = vbt.Portfolio.from_orders(
        prices,
        size=np.where(size != 0.0, size, np.nan),
        size_type="amount",
        direction="both",
        fees=TERMS.cost_bps / 1e4,
        init_cash=capital,
        group_by=True,
        cash_sharing=True,
        freq="1D",
    )
    value = portfolio.value()
    return value.diff().fillna(0.0) / capital, portfolio


def cpu(call, rounds):
    """Least CPU and wall seconds of several rounds; the first, which compiles, is not counted."""
    call()
    taken = []
    for _ in range(rounds):
        before = time.process_time(), time.perf_counter()
        call()
        taken.append((time.process_time() - before[0], time.perf_counter() - before[1]))
    return np.min(taken, axis=0)


def race(days, pairs, rounds):
    weights, prices, legs = world(days, pairs)

    def own():
        book = simulate(weights, prices, pairs=legs, terms=TERMS)
        return book.returns["net"], book

    size = orders(own()[1])
    capital = float(pairs)
    ours, theirs = own()[0], by_vectorbt(size, prices, capital)[0]
    engine = cpu(own, rounds)
    bare = cpu(lambda: by_vectorbt(size, prices, capital), rounds)
    full = cpu(lambda: by_vectorbt(size, prices, capital)[1].trades.records_readable, rounds)
    return {
        "days": days,
        "pairs": pairs,
        "trades": len(own()[1].trades),
        "largest difference": float(np.abs(ours - theirs).max()),
        "finsae": engine[0] * 1e3,
        "vectorbt, returns": bare[0] * 1e3,
        "vectorbt, returns and trades": full[0] * 1e3,
    }


def written(rows):
    lines = [
        f"{platform.processor() or platform.machine()}, {platform.python_version()}; vectorbt "
        f"{vbt.__version__}, numpy {np.__version__}, pandas {pd.__version__}; CPU milliseconds, "
        "least of the rounds, compilation not counted",
        "",
        "| days | pairs | trades | largest difference of a daily net return | finsae: returns, "
        "trades, cash | vectorbt: returns | vectorbt: returns, trades | times vectorbt |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ratio = row["vectorbt, returns"] / row["finsae"]
        lines.append(
            f"| {row['days']:,} | {row['pairs']:,} | {row['trades']:,} | "
            f"{row['largest difference']:.1e} | {row['finsae']:.1f} | "
            f"{row['vectorbt, returns']:.1f} | {row['vectorbt, returns and trades']:.1f} | "
            f"{ratio:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="reports/benchmarks")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    sizes = [(126, 50), (1134, 50), (126, 5000), (1134, 1000)]
    rows = [race(days, pairs, args.rounds) for days, pairs in sizes]
    text = written(rows)
    print(text)
    Path(args.out).mkdir(parents=True, exist_ok=True)
    (Path(args.out) / "engine_race.md").write_text(text)


if __name__ == "__main__":
    main()
