"""Race of the pairs engine's cointegration tests against statsmodels, one thread each.

    python tests/benchmarks/pairs.py --out reports/benchmarks

Both sides test the same pairs in one run, and CPU seconds are counted, so that other work on the
machine weighs on both alike. Each row's largest differences are those of this run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from statsmodels.tsa.stattools import adfuller, coint
from threadpoolctl import threadpool_limits

import finsae
from finsae.pairs import all_pairs, engle_granger, pair_tests

DAYS = 504
START, END = "<!-- cointegration -->", "<!-- end of cointegration -->"


def universe(companies, days=DAYS, seed=0):
    """Log prices [days, companies]: a market, ten sectors, half of the companies reverting."""
    rng = np.random.default_rng(seed)
    market = np.cumsum(rng.normal(0.0003, 0.01, days))
    sectors = np.cumsum(rng.normal(0, 0.006, (days, 10)), axis=0)
    own = rng.normal(0, 0.012, (days, companies))
    phi = np.where(np.arange(companies) % 2, rng.uniform(0.90, 0.985, companies), 1.0)
    for day in range(1, days):
        own[day] += phi * own[day - 1]
    exposure = rng.uniform(0.7, 1.3, companies)
    return 3.0 + market[:, None] * exposure + sectors[:, np.arange(companies) % 10] + own


def timed(function, *args, **options):
    begun = time.process_time()
    result = function(*args, **options)
    return result, time.process_time() - begun


def by_statsmodels(y, x, **options):
    return np.array([coint(y[:, p], x[:, p], **options)[:2] for p in range(y.shape[1])])


def chosen_lags(y, x, found, options):
    """Lags that statsmodels chooses for the residuals of these pairs."""
    residuals = y - found["hedge"].to_numpy() * x - found["intercept"].to_numpy()
    plain = {"regression": "n", "result_object": False, **options}
    return [adfuller(residuals[:, p], **plain)[2] for p in range(y.shape[1])]


def against_statsmodels(label, options, *, pairs, rounds):
    rng = np.random.default_rng(1)
    logs = universe(200)
    first = rng.integers(0, 200, pairs)
    second = (first + rng.integers(1, 200, pairs)) % 200
    y, x = logs[:, first], logs[:, second]
    engle_granger(y[:, :64], x[:, :64], **options)
    one, other = [], []
    for _ in range(rounds):
        expected, seconds = timed(by_statsmodels, y, x, **options)
        one.append(1e6 * seconds / pairs)
        found, seconds = timed(engle_granger, y, x, **options)
        other.append(1e6 * seconds / pairs)
    lags = np.array(chosen_lags(y[:, :200], x[:, :200], found[:200], options))
    return {
        "race": label,
        "pairs": pairs,
        "statsmodels_us": one,
        "finsae_us": other,
        "times": [a / b for a, b in zip(one, other, strict=True)],
        "max_difference_stat": float(np.abs(found["stat"] - expected[:, 0]).max()),
        "max_difference_pvalue": float(np.abs(found["pvalue"] - expected[:, 1]).max()),
        "other_lags_of_200": int((lags != found["lags"][:200]).sum()),
    }


def whole_universe(label, logs, options, *, rounds):
    seconds = [timed(all_pairs, logs, **options)[1] for _ in range(rounds)]
    ordered = logs.shape[1] * (logs.shape[1] - 1)
    return {
        "race": label,
        "pairs": ordered,
        "seconds": seconds,
        "us": [1e6 * s / ordered for s in seconds],
        "peak_mb": peak_mb(),
    }


def with_gaps(rounds):
    """Pairs with days missing at random, each on its own common days, against whole ones."""
    rng = np.random.default_rng(2)
    logs = universe(200)
    holes = logs.copy()
    holes[rng.random(logs.shape) < 0.02] = np.nan
    first = rng.integers(0, 200, 10_000)
    second = (first + rng.integers(1, 200, 10_000)) % 200
    found = {}
    for label, table in (("whole", logs), ("gaps", holes)):
        y, x = table[:, first], table[:, second]
        found[label] = [1e2 * timed(engle_granger, y, x)[1] for _ in range(rounds)]
    return {"race": "10,000 pairs with 2 % of all closes missing, AIC", **found}


def the_sample(rounds):
    prices = finsae.sample().prices.loc["2011-07-01":"2013-06-30"]
    seconds = [timed(pair_tests, prices)[1] for _ in range(rounds)]
    tests = pair_tests(prices)
    return {
        "race": f"all pairs of the sample's {prices.shape[1]} companies, {len(prices)} days, AIC",
        "pairs": len(tests),
        "seconds": seconds,
        "share_below_5pct": float((tests["pvalue"] < 0.05).mean()),
        "peak_mb": peak_mb(),
    }


def peak_mb():
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def race(args):
    aic, one_lag = {"autolag": "aic"}, {"maxlag": 1, "autolag": None}
    return {
        "versus": [
            against_statsmodels(
                "lags by AIC (up to 18)", aic, pairs=args.pairs, rounds=args.rounds
            ),
            against_statsmodels("1 lag", one_lag, pairs=8 * args.pairs, rounds=args.rounds),
        ],
        "gaps": with_gaps(args.rounds),
        "sample": the_sample(args.rounds),
        "universes": [
            whole_universe("350 companies, AIC", universe(350), aic, rounds=args.rounds),
            whole_universe("1,000 companies, 1 lag", universe(1000), one_lag, rounds=args.rounds),
            whole_universe("1,000 companies, AIC", universe(1000), aic, rounds=1),
            whole_universe("3,000 companies, 1 lag", universe(3000), one_lag, rounds=1),
        ],
    }


def several(values, digits=1):
    return " / ".join(f"{value:,.{digits}f}" for value in values)


def table(found):
    lines = [
        "| 504 days, the same pairs | pairs | statsmodels `coint`, us a pair | finsae, us a pair | "
        "times as fast (rounds) | largest difference: statistic, p-value | other lags, of 200 |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found["versus"]:
        lines.append(
            f"| {row['race']} | {row['pairs']:,} | {several(row['statsmodels_us'], 0)} | "
            f"{several(row['finsae_us'])} | **{statistics.median(row['times']):.0f}** "
            f"({several(row['times'], 0)}) | {row['max_difference_stat']:.0e}, "
            f"{row['max_difference_pvalue']:.0e} | {row['other_lags_of_200']} |"
        )
    lines += [
        "",
        "| every ordered pair of a universe, 504 days | tests | CPU seconds | us a test | "
        "peak memory of the process so far, MB |",
        "|---|---|---|---|---|",
    ]
    for row in found["universes"]:
        lines.append(
            f"| {row['race']} | {row['pairs']:,} | {several(row['seconds'], 2)} | "
            f"{several(row['us'], 2)} | {row['peak_mb']:,.0f} |"
        )
    sample, gaps = found["sample"], found["gaps"]
    lines += [
        "",
        f"{sample['race'][0].upper()}{sample['race'][1:]}, both directions, corrected, with "
        f"half-lives: {sample['pairs']:,} pairs in {several(sample['seconds'], 2)} CPU seconds "
        f"(peak {sample['peak_mb']:,.0f} MB); {sample['share_below_5pct']:.1%} have a corrected "
        "p-value below 5 %.",
        "",
        f"{gaps['race']}: {several(gaps['gaps'])} us a pair, {several(gaps['whole'])} without "
        "gaps.",
    ]
    return "\n".join(lines) + "\n"


def processor():
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def write(folder, found, text):
    """Put this race's section and figures where they belong; others' stay."""
    folder.mkdir(parents=True, exist_ok=True)
    figures, report = folder / "pairs.json", folder / "pairs.md"
    known = json.loads(figures.read_text()) if figures.exists() else {}
    known["cointegration"] = {"cpu": processor(), "threads": 1, "results": found}
    figures.write_text(json.dumps(known, indent=1) + "\n")
    before = report.read_text() if report.exists() else "# Pairs: races\n\n"
    head, start, rest = before.partition(START)
    tail = rest.partition(END)[2] if start else "\n"
    report.write_text(f"{head}{START}\n{text}{END}{tail}")


def main():
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with threadpool_limits(1):
        found = race(args)
    day = f"{pd.Timestamp.now():%Y-%m-%d}"
    machine = f"{processor()}, one thread, {day}, load {os.getloadavg()[0]:.0f}"
    text = f"## Cointegration tests\n\n{machine}.\n\n{table(found)}"
    print(text)
    if args.out:
        write(args.out, found, text)


if __name__ == "__main__":
    main()
