"""Companies whose features are known: each fires on the words of one group and on nothing else."""

import re

import numpy as np
import pandas as pd
from scipy import sparse

from finsae.features import Features, TokenCodes, pool

GROUPS = [
    ["pumps", "valves", "compressors"],
    ["loans", "deposits", "mortgages"],
    ["vaccines", "tablets", "syringes"],
    ["airlines", "aircraft", "airports"],
    ["coffee", "tea", "juice"],
    ["timber", "pulp", "lumber"],
    ["wafers", "chips", "lasers"],
    ["trucks", "railcars", "barges"],
]
FILLER = (
    "the firm serves many customers across several regions while rivals press its prices and a "
    "weak economy held back growth during recent years although managers expect better times"
)
SIC = ["3561", "6021", "2834", "4512", "2095", "2421", "3674", "4213"]


def companies(n=48, seed=0):
    """Each company is at home in one group and mentions two others."""
    rng = np.random.default_rng(seed)
    table = {}
    for number in range(n):
        home = number % len(GROUPS)
        others = rng.choice([g for g in range(len(GROUPS)) if g != home], 2, replace=False)
        lines = []
        for group in (home, home, *others, None, None):
            words = list(rng.choice(FILLER.split(), 9, replace=False))
            if group is not None:
                words[4] = rng.choice(GROUPS[group])
            lines.append(" ".join(words).capitalize() + ".")
        table[f"P{number}"] = {"sic": SIC[home], "description": " ".join(rng.permutation(lines))}
    return pd.DataFrame(table).T.rename_axis("ticker")


def features(table=None, seed=0):
    """One feature per group, and a last one that fires on words drawn at random."""
    table = companies() if table is None else table
    rng = np.random.default_rng(seed)
    values, columns, tokens, spans, offsets = [], [], [], [], [0]
    for text in table["description"]:
        for match in re.finditer(r"\w+|\.", text):
            for group, words in enumerate(GROUPS):
                if match.group().lower() in words:
                    values.append(2.0 + rng.random())
                    columns.append(group)
                    tokens.append(len(spans))
            if rng.random() < 0.01:
                values.append(1.0)
                columns.append(len(GROUPS))
                tokens.append(len(spans))
            spans.append(match.span())
        offsets.append(len(spans))
    shape = (len(spans), len(GROUPS) + 1)
    codes = sparse.csr_array((values, (tokens, columns)), shape=shape)
    found = TokenCodes.of(codes, np.array(offsets), np.array(spans))
    names = [f"latent {i}" for i in range(shape[1])]
    return Features.build(pool(found, shape[1]), table, names, codes=found)
