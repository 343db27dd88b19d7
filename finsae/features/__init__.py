"""Features of companies: token codes pooled to one sparse, named row per company."""

from finsae.features.pooling import POOLINGS, TokenCodes, idf, pool, standing_out
from finsae.features.table import Features

__all__ = ["POOLINGS", "Features", "TokenCodes", "idf", "pool", "standing_out"]
