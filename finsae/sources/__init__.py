"""Where universes and texts come from."""

from finsae.sources.files import read_labels, read_prices, read_universe
from finsae.sources.sample import sample

__all__ = ["read_labels", "read_prices", "read_universe", "sample"]
