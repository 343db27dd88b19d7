"""Is it worth anything? Methods scored on returns that came after them, each with an interval."""

from finsae.benchmark.eligible import eligible
from finsae.benchmark.leaderboard import by_year, score
from finsae.benchmark.metrics import cluster_sizes

VERSION = 2  # raised when scores of the same similarities and returns change

__all__ = ["by_year", "cluster_sizes", "eligible", "score"]
