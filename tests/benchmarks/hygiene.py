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

import numpy as np
import pandas as pd
from hygiene_curves import curves, found_in
from injected import FAULTS, ROUNDS, SPLITS, measure, simulate, usual_moves
from scipy import stats

import finsae
from finsae.sources.hygiene import repair
from finsae.sources.jumps import MENDED, Closes, Limits, blocks, find_jumps, lasting, lone
from finsae.sources.suspects import LIVELY


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
        for turn in range(ROUNDS[kind]):
            rng = np.random.default_rng([seed, number, turn])
            found, more = measure(clean, kind, rng, usual=usual)
            told.append(found)
            other[kind] = {k: other.get(kind, {}).get(k, 0) + v for k, v in more.items()}
    return pd.concat(told).assign(series=name), other


def false_repairs(worlds):
    """Repairs of simulated closes without a fault, by kind."""
    days, counts = 0, dict.fromkeys(MENDED, 0)
    for clean in worlds:
        days += int(clean.notna().to_numpy().sum())
        log = repair(clean)[1]
        for kind, count in log["kind"].value_counts().items():
            if kind in counts:
                counts[kind] += int(count)
    return {"days": days, "kinds": counts, "per_million": garwood(sum(counts.values()), days)}


class Audit:
    """The sample's raw closes and what two other public copies say of them."""

    def __init__(self, shared):
        options = {"keep_default_na": False, "na_values": [""], "parse_dates": ["date"]}
        self.shared = shared
        self.raw = pd.read_parquet(shared / "sample" / "prices_raw.parquet").astype(float)
        self.rows = pd.read_csv(shared / "sample" / "price_audit.csv", **options)
        self.events = pd.read_csv(shared / "sample" / "events.csv", **options)
        spun = self.rows["kind"].isin(["spin_off", "special_dividend", "special_distribution"])
        self.spun = self.rows[spun].assign(size=np.log(self.rows["factor"]))
        self.days = int(self.raw.notna().to_numpy().sum())

    def touched(self, mended):
        """How many true moves are not what they were."""
        true = self.rows[self.rows["kind"] == "true_move"]
        moves = [np.log(table).diff() for table in (self.raw, mended)]
        off = [
            abs(moves[0].at[r.date, r.ticker] - moves[1].at[r.date, r.ticker])
            for r in true.itertuples()
        ]
        return int((~(np.array(off) <= 1e-9)).sum())

    def unknown(self, log):
        """Repairs of closes that the audit does not call wrong."""
        known = self.rows[~self.rows["kind"].isin(["true_move", "gap"])]
        own = log[log["kind"].isin(MENDED) & (log["kind"] != "stale")]
        own = own.merge(known[["ticker", "date"]], how="left", indicator=True)
        return own[own["_merge"] == "left_only"]

    def at(self, limits):
        """Tell, for the curves, what other limits do to the sample."""
        mended, log = repair(self.raw, limits=limits)
        return {
            "true moves touched": self.touched(mended),
            "not in the audit": len(self.unknown(log)),
        }

    def summary(self):
        (mended, log), (plain, other) = repair(self.raw, self.events), repair(self.raw)
        unknown = self.unknown(log)
        large = self.spun[self.spun["size"] >= -np.log(1 - 0.15)]
        told = other.rename(columns={"kind": "told"})[["ticker", "date", "told"]]
        large = large.merge(told, how="left")
        there = ["split_unadjusted", "split_inverted", "split_twice"]
        return {
            "true moves": int((self.rows["kind"] == "true_move").sum()),
            "true moves touched, with events": self.touched(mended),
            "true moves touched, without": self.touched(plain),
            "splits of the vendor": int(self.rows["kind"].isin(there).sum()),
            "closes": self.days,
            "repairs not in the audit": unknown["kind"].value_counts().to_dict(),
            "per million": garwood(len(unknown), self.days),
            "per million without repeated": garwood(
                int((unknown["kind"] != "repeated").sum()), self.days
            ),
            "distributions": len(self.spun),
            "of 15 % and more": len(large),
            "large, listed": int((large["told"] == "suspect").sum()),
            "large, taken for a split": int((large["told"] == "split").sum()),
        }

    def small_distributions(self):
        """How many falls would be listed with the distributions under 15 %, by usual moves."""
        moves = np.log(self.raw).diff()
        fall = -moves.sub(moves.median(axis=1), axis=0)
        times, largest = fall / usual_moves(self.raw), -np.log(1 - 0.15)
        small = self.spun[self.spun["size"] < largest]
        rows = []
        for least in (15, 10, 8, 6, 4):
            listed = (times >= least) & (fall < largest)
            found = sum(int(listed.at[row.date, row.ticker]) for row in small.itertuples())
            rows.append(
                {
                    "falls of at least": f"{least} usual moves",
                    "distributions": f"{found} of {len(small)}",
                    "other falls": int(listed.to_numpy().sum()) - found,
                }
            )
        return rows

    def repeated(self):
        """Who stood still in the larger universe on the days when the vendor repeated closes."""
        log = repair(self.raw)[1].query("kind == 'repeated'")
        larger = pd.read_parquet(self.shared / "us_equities" / "prices.parquet")
        same = larger.diff() == 0
        same = same.loc[:, same.sum() / larger.notna().sum() < LIVELY]
        rows = []
        for date, struck in log.groupby("date"):
            at = same.index.get_loc(date)
            around = same.iloc[[*range(at - 20, at), *range(at + 1, at + 21)]]
            tickers = struck["ticker"].sort_values()
            within = (same.columns >= tickers.iloc[0]) & (same.columns <= tickers.iloc[-1])
            for where, own in (("in the stretch", within), ("elsewhere", ~within)):
                rows.append(
                    {
                        "day": f"{date:%Y-%m-%d}",
                        "companies": f"{where} ({int(own.sum()):,})",
                        "stood still": int(same.loc[date, own].sum()),
                        "median of 40 days around": float(around.loc[:, own].sum(axis=1).median()),
                        "their most": int(around.loc[:, own].sum(axis=1).max()),
                    }
                )
        return rows


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
                shown(c)
                if isinstance(c, list)
                else f"{c:,}"
                if isinstance(c, int)
                else f"{c:.3g}"
                if isinstance(c, float)
                else str(c)
                for c in cells
            )
            + " |"
        )
    return "\n".join(lines)


def targets(told):
    """Recall on splits and on reversing ticks over 20 %, by series and by usual move."""
    large = told["size"].isin(["20-30 %", "30-50 %", "50-900 %"])
    tick = told[(told["fault"] == "bad tick that reverses") & large].assign(what="ticks over 20 %")
    split = told[told["fault"].isin(SPLITS)]
    three_two = split["size"] == "3:2"
    parts = [
        tick,
        split[~three_two].assign(what="splits of 2:1 and more"),
        split[three_two].assign(what="splits of 3:2"),
        told[told["fault"] == "split at an odd ratio"].assign(what="splits at odd ratios"),
    ]
    every = pd.concat(parts)
    calm = np.where(every["calm"], "usual move up to 2.5 %", "above 2.5 %")
    every = pd.concat([every.assign(company="all"), every.assign(company=calm)])
    return recalls(every, ["series", "what", "company"])


def verdict(result, told):
    """One line per target: the figure, and whether it is met."""
    lines = []
    for row in targets(told):
        if row["company"] == "all" and row["what"] in ("ticks over 20 %", "splits of 2:1 and more"):
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
        met = "yes" if rate[0] <= 2 else "see below"
        figure = f"{shown(rate)}; {shown(rest)} without `repeated`"
        lines.append(f"| the same, sample: repairs not in its audit | {figure} | {met} |")
        touched = audit["true moves touched, with events"] + audit["true moves touched, without"]
        figure = f"{touched} of {audit['true moves']}, with and without the events file"
        lines.append(f"| no true move touched | {figure} | {'no' if touched else 'yes'} |")
        figure = (
            f"{audit['large, listed']} of {audit['of 15 % and more']} of 15 % and more listed, "
            f"{audit['large, taken for a split']} taken for a split"
        )
        lines.append(f"| spin-offs listed, not guessed | {figure} | mostly |")
    return "\n".join(lines)


def table_of(rows):
    return table(rows, list(rows[0])) if rows else "(needs --shared)"


def curve(rows, what):
    rows = [row for row in rows if row["what"] == what]
    return table(rows, [name for name in rows[0] if name != "what"])


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
        "ticks": curve(result["curves"], "bad tick that reverses"),
        "splits": curve(result["curves"], "split not adjusted"),
        "small": table_of(result.get("small")),
        "repeated": table_of(result.get("repeated")),
        "seed": str(result["seed"]),
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
    parser.add_argument("--seed", type=int, default=2018)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    begun, told = time.process_time(), []
    result = {"date": time.strftime("%Y-%m-%d"), "seed": options.seed, "beside": {}, "tails": []}
    tables = series(options.shared, options.seed)
    for name, clean in tables.items():
        found, other = injected(clean, name, options.seed)
        told.append(found)
        result["tails"].append(tails(clean, name))
        result["beside"][name] = beside(clean, other, name)
    generators = [np.random.default_rng([options.seed, n, 99]) for n in range(options.worlds)]
    worlds = [simulate(rng) for rng in generators]
    result["false"] = false_repairs(worlds)
    audit = Audit(options.shared) if options.shared else None
    jumps = None
    if audit:
        result |= {
            "audit": audit.summary(),
            "small": audit.small_distributions(),
            "repeated": audit.repeated(),
        }
        larger = pd.read_parquet(options.shared / "us_equities" / "prices.parquet")
        jumps = found_in(larger)
    result["curves"] = curves(
        tables, worlds[:2], audit and audit.at, seed=options.seed, jumps=jumps
    )
    result["seconds"] = time.process_time() - begun
    write(result, pd.concat(told), options.out)


def beside(clean, other, name):
    """Repairs of anything but the faults put in, less those made without them."""
    days, turns = int(clean.notna().to_numpy().sum()), sum(ROUNDS.values())
    alone = repair(clean)[1] if name == "simulated" else None
    own = 0 if alone is None else int(alone["kind"].isin(MENDED).sum())
    repairs = max(sum(sum(kinds.values()) for kinds in other.values()) - own * turns, 0)
    return {
        "days": days * turns,
        "repairs": repairs,
        "per_million": garwood(repairs, days * turns),
        "kinds": other,
    }


if __name__ == "__main__":
    main()
