"""When to hold a pair: rules from prices to leg weights, learnt before the first trade."""

from finsae.pairs.rules.bands import EXITS, Bands
from finsae.pairs.rules.kalman import Kalman
from finsae.pairs.rules.rolling import RollingOLS
from finsae.pairs.rules.static import ZScore

__all__ = ["EXITS", "Bands", "Kalman", "RollingOLS", "ZScore"]
