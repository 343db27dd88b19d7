"""What other thresholds of price hygiene would find, and what they would change wrongly."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pandas as pd
from injected import measure, usual_moves

from finsae.sources import mending
from finsae.sources.hygiene import repair
from finsae.sources.jumps import Closes, Limits, blocks, find_jumps, lone

TICKS = ({}, {"exact": 6.0}, {"exact": 7.0}, {"exact": 9.0}, {"exact": 10.0}, {"tick": 15.0})
SPLITS = ({}, {"calm": 0.015}, {"calm": 0.035}, {"off": 0.03}, {"off": 0.08}, {"quiet": 1.5},
          {"quiet": 3.0}, {"rise": 5.0, "fall": 1e9}, {"rise": 1.75, "fall": 1.75})  # fmt: skip
LARGE = ("20-30 %", "30-50 %", "50-900 %")
PLACEBO = {1.72: 0.5, 2.45: 1.0, 3.46: 1.0, 4.45: 0.5}
"""Ratios between those of splits, and the weights with which they surround 2:1, 3:1 and 4:1."""


def found_in(closes):
    """Every jump of a table of closes, by company."""
    table = Closes(closes.to_numpy(dtype=float, copy=True), closes.index, closes.columns)
    every = [find_jumps(table, b, Limits()) for b in blocks(np.arange(closes.shape[1]))]
    return [jumps for found in every for jumps in found.values()]


def returning(jumps, limits, sign):
    """Count neighbouring jumps that hygiene takes for a wrong close (sign 1), or mirrored (-1).

    A jump that goes on the next day as exactly as others return is no fault of a vendor: so many
    of those that return are chance.
    """
    return sum(
        mending._taken_back(one, other._replace(move=sign * other.move), limits, days=1)
        for own in jumps
        for one, other in pairwise(own)
        if other.row == one.row + 1
    )


def at_ratios(jumps, limits, ratios):
    """Count jumps of up to 4.5 times that hygiene takes for splits at the given ratios."""
    of = {ratio: 0 for ratio in ratios}
    with patch.multiple(mending, RATIOS=np.array(list(ratios)), THREE_FOR_TWO=np.inf):
        for own in jumps:
            for jump in own:
                if lone(jump, own, limits) and (ratio := mending._split_ratio(jump, limits)):
                    of[min(of, key=lambda r: abs(np.log(r) - abs(np.log(ratio))))] += 1
    return of


def mended_share(clean, kinds, seed, *, limits, usual):
    """Share of splits of 2:1 and more, or of ticks over 20 %, that is mended."""
    rng = np.random.default_rng([seed, 77])
    told = pd.concat([measure(clean, k, rng, usual=usual, limits=limits)[0] for k in kinds])
    told = told[told["size"].isin(LARGE) if kinds == TICK else told["size"] != "3:2"]
    return float(told["mended"].mean())


TICK = ("bad tick that reverses",)
SPLIT = ("split not adjusted", "split adjusted twice")


def curves(tables, worlds, audit, *, seed, jumps):
    """One row per setting of the limits.

    Parameters
    ----------
    tables : dict
        Name to clean closes that faults are put into.
    worlds : list of DataFrame
        Simulated closes without faults.
    audit : callable or None
        From limits to what is said of the sample against its audit.
    seed : int
    jumps : list or None
        From `found_in`, of the larger universe as it came.
    """
    rows, usual = [], {name: usual_moves(clean) for name, clean in tables.items()}
    for kinds, settings in ((TICK, TICKS), (SPLIT, SPLITS)):
        for setting in settings:
            limits = Limits(**setting)
            row = {"what": kinds[0], "limits": named(setting)}
            for name, clean in tables.items():
                row[name] = mended_share(clean, kinds, seed, limits=limits, usual=usual[name])
            of_kind = ["wrong_close"] if kinds == TICK else ["split"]
            logs = [repair(world, limits=limits)[1]["kind"] for world in worlds]
            row["false, simulated"] = int(sum(log.isin(of_kind).sum() for log in logs))
            if audit:
                row |= audit(limits)
            if jumps:
                row |= by_chance(jumps, limits, kinds)
            rows.append(row)
    return rows


def by_chance(jumps, limits, kinds):
    """What the setting takes for faults in the larger universe, and how many of them are chance."""
    if kinds == TICK:
        of, chance = returning(jumps, limits, 1), returning(jumps, limits, -1)
    else:
        of = sum(at_ratios(jumps, limits, (2.0, 3.0, 4.0)).values())
        near = at_ratios(jumps, limits, PLACEBO)
        chance = sum(PLACEBO[ratio] * count for ratio, count in near.items())
    return {"us_equities, mended": of, "us_equities, of these by chance": float(chance)}


def named(setting):
    """Say which limits differ from the defaults."""
    usual = asdict(Limits())
    said = [f"{name} {value:g} (for {usual[name]:g})" for name, value in setting.items()]
    return ", ".join(said) or "as they are"
