"""Where universes and texts come from."""

from finsae.sources.clusters import read_clusters
from finsae.sources.edgar import read_edgar_corpus
from finsae.sources.files import read_labels, read_prices, read_universe, with_prices
from finsae.sources.sample import sample

__all__ = [
    "read_clusters",
    "read_edgar_corpus",
    "read_labels",
    "read_prices",
    "read_universe",
    "sample",
    "with_prices",
]
