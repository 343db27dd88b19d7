"""Tables of `reports/leaderboard.md` from what benchmark, tune and backtest wrote by --json.

python tests/benchmarks/leaderboard.py FILE
"""

import argparse
import json
from pathlib import Path

import pandas as pd

from finsae.methods import BASELINES, CENTRED, CONTROLS, SCHEMES, in_order, label

PEERS = {
    "peer_r2": "peer R²",
    "peer_correlation": "peer correlation",
    "peer_correlation_worst_decile": "worst decile",
    "hedged_variance": "hedged variance",
    "industry_lift": "lift inside industry",
    "length_correlation": "length",
}
CLUSTERS = {
    "mc": "MC",
    "pair_weighted": "pair-weighted",
    "coverage_adjusted": "coverage-adjusted",
    "coverage": "coverage",
    "ari": "ARI",
    "ami": "AMI",
}
MONEY = {  # name, scale, digits, whether with its interval
    "sharpe_net": ("net Sharpe ratio", 1, 2, True),
    "sharpe_gross": ("gross", 1, 2, True),
    "return_annual": ("net return a year, %", 100, 2, True),
    "placebo_percentile": ("above random pairs, %", 100, 0, False),
    "psr": ("probabilistic", 1, 2, False),
    "dsr": ("deflated", 1, 2, False),
    "break_even_bps": ("break-even, bp", 1, 1, False),
    "max_drawdown": ("deepest drawdown, %", 100, 1, False),
    "fdr": ("false discoveries, %", 100, 0, False),
    "trades": ("trades", 1, 0, False),
}


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def written(row, digits=3, *, signed=False, scale=1, ends=True):
    """Write a score with its interval; what rounds to nothing has no sign."""
    form = f"{'+' if signed else ''}z.{digits}f"
    if row is None or pd.isna(row["value"]):
        return ""
    said = f"{row['value'] * scale:{form}}"
    if not ends or pd.isna(row["low"]):
        return said
    return f"{said} [{row['low'] * scale:{form}}, {row['high'] * scale:{form}}]"


def found(scores, metric, method, versus=""):
    """Find a score: of several intervals the first, which the resampling gave."""
    same = scores["metric"].eq(metric) & scores["method"].eq(method) & scores["versus"].eq(versus)
    return scores[same].iloc[0] if same.any() else None


def levels(scores, metrics, digits):
    known = [metric for metric in metrics if metric in set(scores["metric"])]
    rows = []
    for method in in_order(scores["method"]):
        cells = [written(found(scores, metric, method), digits) for metric in known]
        if any(cells):
            rows.append([label(method), *cells])
    return table(["method", *(metrics[metric] for metric in known)], rows)


def differences(scores, metrics):
    """Write what every method of the user's own has over the others, with the adjusted p."""
    aside = (*BASELINES, *CENTRED, *CONTROLS, *SCHEMES)
    paired = scores[(scores["versus"] != "") & ~scores["method"].isin(aside)]
    rows = []
    for method in in_order(paired["method"]):
        for versus in in_order(paired.loc[paired["method"] == method, "versus"]):
            cells = []
            for metric in metrics:
                p = found(paired, f"{metric}_adjusted_p", method, versus)
                said = written(found(paired, metric, method, versus), 4, signed=True)
                cells.append(said + ("" if p is None else f", p {p['value']:.3f}"))
            rows.append([label(method), label(versus), *cells])
    return table(["method", "minus", *metrics.values()], rows)


def money(scores):
    rows = []
    for method in in_order(scores["method"]):
        cells = [
            written(found(scores, metric, method), digits, scale=scale, ends=ends)
            for metric, (_, scale, digits, ends) in MONEY.items()
        ]
        rows.append([label(method), *cells])
    return table(["method", *(name for name, *_ in MONEY.values())], rows)


def walk(scores):
    rows = []
    for method in in_order(scores["method"]):
        level = written(found(scores, "peer_r2", method))
        less = written(found(scores, "peer_r2", "sae", method), 4, signed=True)
        rows.append([label(method), level, less])
    return table(["method", "peer R²", "SAE minus it"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    content = json.loads(parser.parse_args().file.read_text())
    scores = pd.DataFrame(content["scores"]).fillna({"versus": "", "interval": ""})
    said = set(scores["metric"])
    if "sharpe_net" in said:
        print(money(scores))
        print()
        print(differences(scores, {"sharpe_net": "net Sharpe ratio"}))
        return
    if set(scores["interval"]) <= {"newey-west", ""}:
        print(walk(scores))
        return
    print(levels(scores, PEERS, 3))
    print()
    print(differences(scores, {name: PEERS[name] for name in ("peer_r2", "peer_correlation")}))
    if "mc" in said:
        print()
        print(levels(scores, CLUSTERS, 2))


if __name__ == "__main__":
    main()
