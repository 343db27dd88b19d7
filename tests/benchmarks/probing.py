"""Tables of `reports/benchmarks/probing.md` from what `finsae probe --json FILE` wrote.

python tests/benchmarks/probing.py FILE
"""

import argparse
import json
from pathlib import Path

import pandas as pd

SHOWN = ["sae", "activations", "pca", "embedding", "tfidf", "sae k=20", "activations k=20"]
SHOWN += ["chosen", "chosen with sae"]
COMPARED = [("sae", other) for other in ("activations", "pca", "embedding", "tfidf")]
COMPARED += [("chosen with sae", "chosen")]


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def between(row: pd.Series, *, signed: bool = False) -> str:
    form = "{:+.3f}" if signed else "{:.3f}"
    return form.format(row["value"]) + f" [{form.format(row['low'])}, {form.format(row['high'])}]"


def levels(scores: pd.DataFrame) -> str:
    """Every probe with all labels right and as many companies as there are."""
    mine = scores[(scores["regime"] == "normal") & (scores["versus"] == "")]
    return table(["probe", "AUC"], [[row["method"], between(row)] for _, row in mine.iterrows()])


def sparse(auc: pd.DataFrame) -> str:
    """The k best latents against the k best dimensions of the activations."""
    mine = auc[(auc["regime"] == "normal") & auc["method"].str.startswith("sae k=")]
    said = [f"{r['method']} {between(r, signed=True)}" for _, r in mine.iterrows() if r["versus"]]
    return "Autoencoder's minus activations' own dimensions: " + "; ".join(said) + ".\n"


def regimes(auc: pd.DataFrame) -> str:
    plain = auc[auc["versus"] == ""]
    cells = plain.pivot_table(index="regime", columns="method", values="value", sort=False)
    tasks = plain.groupby("regime")["n"].max()
    rows = [
        [str(name), str(tasks[name]), *(f"{value:.3f}" for value in row[SHOWN])]
        for name, row in cells.iterrows()
    ]
    return table(["regime", "tasks", *SHOWN], rows)


def differences(auc: pd.DataFrame, by_task: pd.DataFrame) -> str:
    rows = []
    for regime in auc["regime"].unique():
        cells = [regime]
        mine = by_task[by_task["regime"] == regime]
        wide = mine.pivot_table(index="task", columns="method", values="auc")
        for left, right in COMPARED:
            chosen = auc["regime"].eq(regime) & auc["method"].eq(left) & auc["versus"].eq(right)
            row = auc[chosen].iloc[0]
            won, lost = (wide[left] > wide[right]).sum(), (wide[left] < wide[right]).sum()
            said = between(row, signed=True)
            bold = "**" if row["low"] > 0 or row["high"] < 0 else ""
            cells.append(f"{bold}{said}{bold} ({won}-{lost})")
        rows.append(cells)
    return table(["regime", *(f"{left} minus {right}" for left, right in COMPARED)], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    found = json.loads(parser.parse_args().file.read_text())
    scores = pd.DataFrame(found["scores"])
    auc = scores[scores["metric"] == "auc"]
    print(levels(auc))
    print(sparse(auc))
    print("AUC by regime:\n")
    print(regimes(auc))
    print("Paired differences of AUC (tasks won-lost; bold: the interval leaves out zero):\n")
    print(differences(auc, pd.DataFrame(found["by_task"])))


if __name__ == "__main__":
    main()
