"""Is it worth anything? Methods scored on returns that came after them, each with an interval."""

from finsae.benchmark.clusters import cluster_sizes
from finsae.benchmark.eligible import eligible
from finsae.benchmark.leaderboard import find_peers, score
from finsae.benchmark.length import length_correlation
from finsae.benchmark.periods import by_year, monthly, over_months, periods, stretches

VERSION = 3  # raised when scores of the same similarities and returns change

__all__ = [
    "by_year",
    "cluster_sizes",
    "eligible",
    "find_peers",
    "length_correlation",
    "monthly",
    "over_months",
    "periods",
    "score",
    "stretches",
]
