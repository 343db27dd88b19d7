"""A toy universe that leaves room to fail: industries share words, a factor and much noise."""

import numpy as np
import pandas as pd

from finsae.universe import Universe

INDUSTRIES = {
    "1311": "drills offshore wells and sells crude oil and natural gas to refiners",
    "2834": "develops patented medicines in clinical trials and sells tablets to hospitals",
    "3674": "designs semiconductor chips and wafers for phones and data centers",
    "6021": "takes deposits and makes mortgage and commercial loans through bank branches",
    "5411": "operates grocery stores and supermarkets that sell food to households",
}
COMMON = "the company serves customers in north america and competes on price quality and service"
PLACES = ["texas", "ohio", "florida", "nevada", "maine", "utah", "iowa", "oregon", "kansas"]
CUT = "2014-12-31"


def companies(per_industry=8, seed=0):
    """Descriptions of ~40 words; every company borrows words of another industry."""
    rng = np.random.default_rng(seed)
    texts = list(INDUSTRIES.values())
    table = {}
    for number, (sic, text) in enumerate(INDUSTRIES.items()):
        for member in range(per_industry):
            other = texts[rng.integers(len(texts))].split()
            borrowed = " ".join(rng.choice(other, size=4, replace=False))
            place = PLACES[rng.integers(len(PLACES))]
            table[f"T{number}{chr(65 + member)}"] = {
                "name": f"Toy {number} {chr(65 + member)} Inc.",
                "sic": sic,
                "cik": str(1000 + 100 * number + member),
                "date": "2014-06-30",
                "description": f"The firm {text}. In {place} it {borrowed}. {COMMON}.",
            }
    return pd.DataFrame(table).T.rename_axis("ticker")


def prices(table, start="2009-12-31", end="2017-12-29", seed=0):
    """Daily closes with a market, an industry factor and noise; pairs of members cointegrate."""
    rng = np.random.default_rng(seed)
    days = pd.bdate_range(start, end, name="date")
    market = rng.normal(0, 0.008, len(days))
    closes = {}
    for sic in table["sic"].unique():
        factor = market + rng.normal(0, 0.008, len(days))
        members = table.index[table["sic"] == sic]
        for one, two in zip(members[::2], members[1::2], strict=False):
            trend = np.cumsum(factor + rng.normal(0, 0.006, len(days)))
            for ticker in (one, two):
                spread = np.zeros(len(days))
                shocks = rng.normal(0, 0.006, len(days))
                for t in range(1, len(days)):
                    spread[t] = 0.95 * spread[t - 1] + shocks[t]
                closes[ticker] = 50 * np.exp(trend + spread)
    return pd.DataFrame(closes, index=days)[list(table.index)]


def universe(per_industry=8, seed=0):
    """Assemble the toy universe."""
    table = companies(per_industry, seed)
    return Universe.build(table, prices(table, seed=seed), provenance={"cut": CUT, "source": "toy"})
