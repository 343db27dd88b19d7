"""The published trading rules, re-enacted with their look-ahead and their accounting.

Not for use: they know the trading window's mean and deviation, drop the firms that will vanish,
fill at the close that decides, pay nothing, and (the first of them) report a net asset value that
each pair overwrites. They are here so that what each of that was worth can be measured (`steps`).
The rules are those of the code of Molinari et al., "Interpretable Company Similarity with Sparse
Autoencoders" (2025), and of the authors' later revision of it.
"""

from finsae.pairs.published.paper import level_pairs, trade_paper
from finsae.pairs.published.revised import trade_revised
from finsae.pairs.published.steps import steps

LABEL = "re-enacts the published rules, look-ahead and accounting included: no result"

__all__ = ["LABEL", "level_pairs", "steps", "trade_paper", "trade_revised"]
