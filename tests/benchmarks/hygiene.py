"""How well price hygiene finds faults that were put into closes, and how often it errs.

    python tests/benchmarks/hygiene.py --out reports/benchmarks [--shared ../shared/data]

Known faults are put into clean closes: simulated ones, and real ones (the bundled sample, and with
--shared a draw of a larger universe, both after hygiene). Real closes after hygiene may still hold
faults nobody knows of, but none that hygiene finds: what it does beyond those put in is its own.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

import finsae
from finsae.sources.hygiene import repair
from finsae.sources.jumps import (
    LISTED,
    MENDED,
    Closes,
    Limits,
    blocks,
    find_jumps,
    lasting,
    lone,
)

EDGE, APART, SHARE = 45, 150, 0.3  # rows kept free at the ends, between faults; companies struck
RATIOS = ("3:2", "2:1", "3:1", "4:1", "5:1", "10:1")


class Fault(NamedTuple):
    """One fault: where, how large, and the last row that it may be logged at."""

    column: int
    row: int
    size: str
    last: int


def simulate(rng, days=2500, companies=400):
    """Closes with a market, GARCH(1,1) moves with t(4) shocks, and true jumps; and the dates.

    Four earnings a year move a company by t(5) times two usual moves; news comes every other year,
    of 3.5 usual moves on average (two-sided exponential), and leaves the next moves larger; a
    company in a hundred a year is bid for (20 to 60 % up, then still) and gone after 80 days. One
    whose close falls below 2 is gone too.
    """
    usual = np.exp(rng.normal(np.log(0.014), 0.45, companies))
    market = _garch(rng, days, np.array([0.009]))
    shocks = _garch(rng, days, usual, news=rng.random((days, companies)) < 1 / 500)
    earnings = (np.arange(days)[:, None] + rng.integers(0, 63, companies)) % 63 == 0
    shocks += earnings * rng.standard_t(5, shocks.shape) * 2 * usual
    logs = np.cumsum(shocks + market * rng.uniform(0.6, 1.4, companies), axis=0)
    closes = np.exp(logs + rng.uniform(np.log(8), np.log(150), companies))
    for column in np.flatnonzero(rng.random(companies) < 0.01 * days / 250):
        row = int(rng.integers(100, days - 100))
        bid = closes[row - 1, column] * rng.uniform(1.2, 1.6)
        closes[row:, column] = bid * np.exp(np.cumsum(rng.normal(0, 0.0015, days - row)))
        closes[row + 80 :, column] = np.nan
    closes[np.maximum.accumulate(closes < 2, axis=0)] = np.nan  # delisted
    names = [f"C{column:03d}" for column in range(companies)]
    return pd.DataFrame(closes.round(2), _days(days), names)


def _garch(rng, days, usual, news=None):
    alpha, beta = 0.07, 0.91
    shock = rng.standard_t(4, (days, len(usual))) / np.sqrt(2)
    jump = np.zeros((days, len(usual)))
    if news is not None:
        jump[news] = rng.laplace(0, 3.5, int(news.sum()))
        jump *= usual
    variance, moves = usual**2, np.empty((days, len(usual)))
    for day in range(days):
        own = np.sqrt(variance) * shock[day]
        moves[day] = own + jump[day]
        felt = own**2 + np.minimum(jump[day] ** 2, (8 * usual) ** 2)
        variance = (1 - alpha - beta) * usual**2 + alpha * felt + beta * variance
        variance = np.minimum(variance, (8 * usual) ** 2)
    return moves


def _days(count):
    return pd.bdate_range("2005-01-03", periods=count, name="date")


def places(values, rng, width):
    """Rows and columns for faults: companies drawn, rows far apart, closes all around."""
    there = np.isfinite(values)
    for column in rng.choice(values.shape[1], int(SHARE * values.shape[1]), replace=False):
        row = int(rng.integers(EDGE, APART))
        while row < len(values) - EDGE - width:
            if there[row - 25 : row + width + 25, column].all():
                yield int(column), row
            row += int(rng.integers(APART, 4 * APART))


def by_close(values, rng, sizes, change, width=1):
    faults = []
    for column, row in places(values, rng, width):
        size = str(rng.choice(sizes))
        last = change(values[:, column], row, size, rng)
        faults.append(Fault(column, row, size, last))
    return faults


def ticks(values, rng):
    """One close off by a percentage, up or down; the next is right again."""

    def change(line, row, size, rng):
        low, high = (float(part) / 100 for part in size.removesuffix(" %").split("-"))
        off = rng.uniform(low, high)
        line[row] *= 1 + off if rng.random() < 0.5 else 1 / (1 + off)
        return row

    return by_close(values, rng, ["5-10 %", "10-20 %", "20-30 %", "30-50 %", "50-900 %"], change)


def runs(values, rng):
    """Closes of 2 to 12 days at half, a third, twice or three times their value."""

    def change(line, row, size, rng):
        first, last = (int(part) for part in size.split()[0].split("-"))
        length = int(rng.integers(first, last + 1))
        line[row : row + length] *= rng.choice([1 / 3, 0.5, 2, 3])
        return row + length - 1

    return by_close(values, rng, ["2-5 closes", "6-12 closes"], change, width=12)


def splits(values, rng):
    """Earlier closes left as they were before a split (the price falls)."""
    return _splits(values, rng, lambda ratio: ratio)


def reverse_splits(values, rng):
    return _splits(values, rng, lambda ratio: 1 / ratio)


def twice(values, rng):
    """Earlier closes divided by the ratio once more (the price rises)."""
    return _splits(values, rng, lambda ratio: 1 / ratio)


def inverted(values, rng):
    """Earlier closes multiplied by the ratio instead of divided (it falls by its square)."""
    return _splits(values, rng, lambda ratio: ratio**2)


def _splits(values, rng, factor):
    struck = rng.choice(values.shape[1], int(SHARE * values.shape[1]), replace=False)
    faults = []
    for column in struck:
        own = np.flatnonzero(np.isfinite(values[:, column]))
        if len(own) < 3 * EDGE:
            continue
        row = int(rng.choice(own[EDGE:-EDGE]))
        size = str(rng.choice(RATIOS))
        new, old = (float(part) for part in size.split(":"))
        values[:row, column] *= factor(new / old)
        faults.append(Fault(int(column), row, size, row))
    return faults


def stale(values, rng):
    """A close repeated on the next days."""

    def change(line, row, size, rng):
        line[row : row + int(size.split()[0])] = line[row - 1]
        return row + int(size.split()[0]) - 1

    sizes = ["1 repeat", "3 repeats", "5 repeats", "9 repeats", "20 repeats"]
    return by_close(values, rng, sizes, change, width=20)


def gaps(values, rng):
    def change(line, row, size, rng):
        line[row : row + int(size.split()[0])] = np.nan
        return row + int(size.split()[0])

    return by_close(values, rng, ["1 close", "5 closes", "20 closes"], change, width=20)


def swaps(values, rng):
    """Two companies' closes exchanged from a day on, by how far apart they are."""
    faults = []
    for one, other in rng.permutation(values.shape[1])[
        : int(SHARE * values.shape[1]) // 2 * 2
    ].reshape(-1, 2):
        both = np.flatnonzero(np.isfinite(values[:, [one, other]]).all(axis=1))
        if len(both) < 3 * EDGE:
            continue
        row = int(rng.choice(both[EDGE:-EDGE]))
        apart = float(np.exp(abs(np.log(values[row - 1, one] / values[row - 1, other]))))
        size = (
            "under 1.25 times" if apart < 1.25 else "1.25-2 times" if apart < 2 else "over 2 times"
        )
        values[row:, [one, other]] = values[row:, [other, one]]
        faults += [Fault(int(column), row, size, row) for column in (one, other)]
    return faults


def short_swaps(values, rng):
    """Two companies' closes exchanged for one day."""
    faults, rows = [], rng.choice(np.arange(EDGE, len(values) - EDGE, 5), 60, replace=False)
    for row in rows:
        there = np.flatnonzero(np.isfinite(values[row - 25 : row + 25]).all(axis=0))
        one, other = rng.choice(there, 2, replace=False)
        apart = float(np.exp(abs(np.log(values[row, one] / values[row, other]))))
        size = (
            "under 1.25 times" if apart < 1.25 else "1.25-2 times" if apart < 2 else "over 2 times"
        )
        values[row, [one, other]] = values[row, [other, one]]
        faults += [Fault(int(column), int(row), size, int(row)) for column in (one, other)]
    return faults


def doubled_days(values, rng):
    """A day's closes written on another day: of all companies or some, 1 or 5 days later."""
    faults = []
    rows = rng.choice(np.arange(EDGE, len(values) - EDGE, 25), 12, replace=False)
    for number, row in enumerate(rows):
        share, back = ((1, 1), (0.1, 1), (1, 5), (0.1, 5))[number % 4]
        struck = np.flatnonzero(rng.random(values.shape[1]) < share)
        struck = struck[np.isfinite(values[[row, row - back]][:, struck]).all(axis=0)]
        struck = struck[values[row, struck] != values[row - back, struck]]
        values[row, struck] = values[row - back, struck]
        size = f"{'all' if share == 1 else 'a tenth'}, {back} day{'s' if back > 1 else ''} later"
        faults += [Fault(int(column), int(row), size, int(row)) for column in struck]
    return faults


def spin_offs(values, rng):
    """A lasting fall by what the shareholders were given: true, but no return."""

    def change(line, row, size, rng):
        low, high = (float(part) / 100 for part in size.removesuffix(" %").split("-"))
        line[row:] *= 1 - rng.uniform(low, high)
        return row

    faults = []
    for column in rng.choice(values.shape[1], int(SHARE * values.shape[1]), replace=False):
        own = np.flatnonzero(np.isfinite(values[:, column]))
        if len(own) < 3 * EDGE:
            continue
        row = int(rng.choice(own[EDGE:-EDGE]))
        size = str(rng.choice(["5-15 %", "15-25 %", "25-70 %"]))
        faults.append(Fault(int(column), row, size, change(values[:, column], row, size, rng)))
    return faults


FAULTS = {
    "bad tick that reverses": ticks,
    "wrong run at a split ratio": runs,
    "split not adjusted": splits,
    "reverse split not adjusted": reverse_splits,
    "split adjusted twice": twice,
    "split adjusted the wrong way": inverted,
    "stale closes": stale,
    "gap": gaps,
    "tickers swapped for good": swaps,
    "tickers swapped for a day": short_swaps,
    "day written twice": doubled_days,
    "spin-off (true)": spin_offs,
}
RESCALED = ("split not adjusted", "reverse split not adjusted", "split adjusted twice",
            "split adjusted the wrong way")  # fmt: skip
COLUMNS = ["fault", "size", "calm", "mended", "listed", "changed"]


def usual_moves(clean):
    """Robust standard deviation of each company's moves around each day, the market taken out."""
    moves = np.log(clean).diff()
    own = moves.sub(moves.median(axis=1), axis=0).abs()
    return 1.4826 * own.rolling(41, center=True, min_periods=20).median().to_numpy()


def measure(clean, kind, rng, *, usual, limits=None):
    """Put faults of a kind into clean closes: what became of each, and repairs of anything else.

    Mended: the returns from the day before the fault to the day after it are right, or missing.
    """
    broken = clean.to_numpy(dtype=float, copy=True)
    faults = FAULTS[kind](broken, rng)
    mended, log = repair(pd.DataFrame(broken, clean.index, clean.columns), limits=limits)
    off = np.abs(
        np.diff(np.log(mended.to_numpy()), axis=0) - np.diff(np.log(clean.to_numpy()), axis=0)
    )
    rows = log.assign(
        column=clean.columns.get_indexer(log["ticker"]), row=clean.index.get_indexer(log["date"])
    )
    by_column = dict(tuple(rows.groupby("column")))
    told, own, most = [], set(), 1e-3 if kind in RESCALED else 0.06
    for fault in faults:
        near = by_column.get(fault.column, rows[:0])
        near = near[(near["row"] >= fault.row - 1) & (near["row"] <= fault.last + 1)]
        own |= set(near.index)
        changed = near["kind"].isin(MENDED).any()
        wrong = (off[fault.row - 1 : fault.last + 1, fault.column] > most).any()
        listed = near["kind"].isin(LISTED).any()
        calm = usual[fault.row, fault.column] <= Limits().calm
        told.append((kind, fault.size, calm, changed and not wrong, listed, changed))
    other = rows[rows["kind"].isin(MENDED) & ~rows.index.isin(own)]
    return pd.DataFrame(told, columns=COLUMNS), other["kind"].value_counts().to_dict()


def wilson(hits, of):
    low, high = stats.binomtest(int(hits), int(of)).proportion_ci(method="wilson")
    return [float(hits) / int(of), float(low), float(high)]


def garwood(count, days):
    """Events per million days with the exact interval of a Poisson count."""
    low = stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    high = stats.chi2.ppf(0.975, 2 * count + 2) / 2
    return [1e6 * float(n) / days for n in (count, low, high)]


def recalls(told, by):
    """Shares mended, and mended or listed, with Wilson intervals."""
    found = []
    for keys, part in told.groupby(by, sort=False):
        either = part["mended"] | part["listed"]
        found.append(
            {
                **dict(zip(by, keys, strict=True)),
                "faults": len(part),
                "mended": wilson(part["mended"].sum(), len(part)),
                "found": wilson(either.sum(), len(part)),
                "made worse": int((part["changed"] & ~part["mended"]).sum()),
            }
        )
    return found


def series(shared, seed):
    rng = np.random.default_rng(seed)
    found = {"simulated": simulate(rng), "sample": finsae.sample().prices.astype(float)}
    if shared and (shared / "us_equities" / "prices.parquet").is_file():
        larger = pd.read_parquet(shared / "us_equities" / "prices.parquet").astype(float)
        drawn = sorted(rng.choice(larger.shape[1], 400, replace=False))
        found["us_equities"] = repair(larger.iloc[:, drawn])[0]
    return found


def tails(clean, name):
    """How often large moves happen, per million closes."""
    moves = np.abs(np.log(clean).diff().to_numpy())
    there = np.isfinite(moves)
    closes = Closes(clean.to_numpy(dtype=float), clean.index, clean.columns)
    found, limits = [], Limits()
    for block in blocks(np.arange(clean.shape[1])):
        for jumps in find_jumps(closes, block, limits).values():
            found += [abs(j.move) for j in jumps if lasting(j, limits) and lone(j, jumps, limits)]
    row = {"series": name, "companies": clean.shape[1], "closes": int(there.sum())}
    per = 1e6 / there.sum()
    for size in (0.15, 0.3, 0.5):
        row[f"moves over {size:g}"] = int(per * (moves[there] >= size).sum())
    for size in (0.15, 0.38):
        row[f"split-like over {size:g}"] = int(per * (np.array(found) >= size).sum())
    return row


def injected(clean, name, seed):
    usual, told, other = usual_moves(clean), [], {}
    for number, kind in enumerate(FAULTS):
        rounds = 3 if kind in RESCALED or kind == "spin-off (true)" else 1
        for turn in range(rounds):
            rng = np.random.default_rng([seed, number, turn])
            found, more = measure(clean, kind, rng, usual=usual)
            told.append(found)
            other[kind] = {k: other.get(kind, {}).get(k, 0) + v for k, v in more.items()}
    return pd.concat(told).assign(series=name), other


def false_repairs(seed, worlds):
    """Repairs of simulated closes without a fault, by kind."""
    days, counts = 0, dict.fromkeys(MENDED, 0)
    for world in range(worlds):
        clean = simulate(np.random.default_rng([seed, world, 99]))
        days += int(clean.notna().to_numpy().sum())
        log = repair(clean)[1]
        for kind, count in log["kind"].value_counts().items():
            if kind in counts:
                counts[kind] += int(count)
    return {"days": days, "kinds": counts, "per_million": garwood(sum(counts.values()), days)}


def audited(shared):
    """The sample's raw closes against two other public copies."""
    folder = shared / "sample"
    raw = pd.read_parquet(folder / "prices_raw.parquet").astype(float)
    options = {"keep_default_na": False, "na_values": [""], "parse_dates": ["date"]}
    audit = pd.read_csv(folder / "price_audit.csv", **options)
    events = pd.read_csv(folder / "events.csv", **options)
    with_events, without = repair(raw, events), repair(raw)
    found = {}
    true = audit[audit["kind"] == "true_move"]
    for name, (mended, _) in (("with events", with_events), ("without", without)):
        moves = [np.log(table).diff() for table in (raw, mended)]
        off = [
            abs(moves[0].at[r.date, r.ticker] - moves[1].at[r.date, r.ticker])
            for r in true.itertuples()
        ]
        found[f"true moves touched, {name}"] = int((np.array(off) > 1e-9).sum())
    log = with_events[1][with_events[1]["kind"].isin(MENDED)]
    known = audit[~audit["kind"].isin(["true_move", "gap"])]
    unknown = log.merge(known[["ticker", "date"]], how="left", indicator=True)
    unknown = unknown[(unknown["_merge"] == "left_only") & (unknown["kind"] != "stale")]
    spun = audit[audit["kind"].isin(["spin_off", "special_dividend", "special_distribution"])]
    spun = spun.assign(size=np.log(spun["factor"])).merge(
        without[1][["ticker", "date", "kind"]].rename(columns={"kind": "told"}), how="left"
    )
    large = spun[spun["size"] >= -np.log(1 - 0.15)]
    days = int(raw.notna().to_numpy().sum())
    return found | {
        "true moves": len(true),
        "clean days": days,
        "not in the audit": unknown["kind"].value_counts().to_dict(),
        "per million": garwood(len(unknown), days),
        "per million without repeated": garwood(int((unknown["kind"] != "repeated").sum()), days),
        "distributions": len(spun),
        "of 15 % and more": len(large),
        "large, listed": int((large["told"] == "suspect").sum()),
        "large, taken for a split": int((large["told"] == "split").sum()),
        "small, listed": int((spun.drop(large.index)["told"] == "suspect").sum()),
    }


def shown(value):
    point, low, high = value
    return f"{point:.3f} [{low:.3f}, {high:.3f}]"


def table(rows, columns):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [row[name] for name in columns]
        lines.append(
            "| "
            + " | ".join(
                shown(c) if isinstance(c, list) else f"{c:,}" if isinstance(c, int) else str(c)
                for c in cells
            )
            + " |"
        )
    return "\n".join(lines)


def targets(told):
    """Recall on splits and on reversing ticks over 20 %, by series and by usual move."""
    large = told["size"].isin(["20-30 %", "30-50 %", "50-900 %"])
    tick = told[(told["fault"] == "bad tick that reverses") & large].assign(what="ticks over 20 %")
    split = told[told["fault"].isin(RESCALED)]
    three_two = split["size"] == "3:2"
    parts = [
        tick,
        split[~three_two].assign(what="splits of 2:1 and more"),
        split[three_two].assign(what="splits of 3:2"),
    ]
    every = pd.concat(parts)
    calm = np.where(every["calm"], "usual move up to 2.5 %", "above 2.5 %")
    every = pd.concat([every.assign(company="all"), every.assign(company=calm)])
    return recalls(every, ["series", "what", "company"])


def verdict(result, told):
    """One line per target: the figure, and whether it is met."""
    lines = []
    for row in targets(told):
        if row["company"] == "all" and row["what"] != "splits of 3:2":
            share, found = row["mended"][0], row["found"][0]
            met = "yes" if share >= 0.95 else "found only" if found >= 0.95 else "no"
            figure = f"{share:.3f} mended, {found:.3f} found"
            lines.append(f"| recall 0.95: {row['what']}, {row['series']} | {figure} | {met} |")
    rate = result["false"]["per_million"]
    met = "yes" if rate[0] <= 2 else "no"
    lines.append(f"| 2 false repairs per million days, simulated | {shown(rate)} | {met} |")
    if "audit" in result:
        audit = result["audit"]
        rate, rest = audit["per million"], audit["per million without repeated"]
        met = "yes" if rate[0] <= 2 else "no"
        figure = f"{shown(rate)}; {shown(rest)} without `repeated`"
        lines.append(f"| the same, sample against its audit | {figure} | {met} |")
        touched = audit["true moves touched, with events"] + audit["true moves touched, without"]
        figure = f"{touched} of {audit['true moves']}, with and without the events file"
        lines.append(f"| no true move touched | {figure} | {'no' if touched else 'yes'} |")
        figure = (
            f"{audit['large, listed']} of {audit['of 15 % and more']} of 15 % and more listed, "
            f"{audit['large, taken for a split']} taken for a split"
        )
        lines.append(f"| spin-offs listed, not guessed | {figure} | mostly |")
    return "\n".join(lines)


def write(result, told, folder):
    template = Path(__file__).with_name("hygiene_template.md").read_text()
    by_size = recalls(told, ["series", "fault", "size"])
    parts = {
        "targets": table(targets(told), ["series", "what", "company", "faults", "mended", "found"]),
        "verdict": verdict(result, told),
        "recall": table(
            by_size, ["series", "fault", "size", "faults", "mended", "found", "made worse"]
        ),
        "false": table(
            [
                {
                    "series": "simulated, without faults",
                    "days": result["false"]["days"],
                    "repairs": sum(result["false"]["kinds"].values()),
                    "per million": result["false"]["per_million"],
                },
                *(
                    {
                        "series": f"{name}, beside the faults put in",
                        "days": found["days"],
                        "repairs": found["repairs"],
                        "per million": found["per_million"],
                    }
                    for name, found in result["beside"].items()
                ),
            ],
            ["series", "days", "repairs", "per million"],
        ),
        "kinds": "; ".join(f"{kind} {count}" for kind, count in result["false"]["kinds"].items()),
        "audit": table(
            [
                {"what": k, "figure": shown(v) if isinstance(v, list) else str(v)}
                for k, v in result.get("audit", {}).items()
            ],
            ["what", "figure"],
        ),
        "made": f"{result['date']} ({finsae.__version__}, {result['seconds']:.0f} CPU seconds)",
        "tails": table(result["tails"], list(result["tails"][0])),
    }
    for name, text in parts.items():
        template = template.replace("{{" + name + "}}", text)
    (folder / "hygiene.md").write_text(template)
    (folder / "hygiene.json").write_text(
        json.dumps(result | {"recall": by_size, "targets": targets(told)}, indent=1) + "\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--worlds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begun, result, told = time.process_time(), {"date": time.strftime("%Y-%m-%d")}, []
    result["beside"], result["tails"] = {}, []
    for name, clean in series(options.shared, options.seed).items():
        found, other = injected(clean, name, options.seed)
        told.append(found)
        result["tails"].append(tails(clean, name))
        days = int(clean.notna().to_numpy().sum())
        alone = repair(clean)[1] if name == "simulated" else None
        own = 0 if alone is None else int(alone["kind"].isin(MENDED).sum())
        turns = sum(3 if kind in RESCALED or kind == "spin-off (true)" else 1 for kind in FAULTS)
        repairs = max(sum(sum(kinds.values()) for kinds in other.values()) - own * turns, 0)
        result["beside"][name] = {
            "days": days * turns,
            "repairs": repairs,
            "per_million": garwood(repairs, days * turns),
            "kinds": other,
        }
    result["false"] = false_repairs(options.seed, options.worlds)
    if options.shared:
        result["audit"] = audited(options.shared)
    result["seconds"] = time.process_time() - begun
    write(result, pd.concat(told), options.out)


if __name__ == "__main__":
    main()
