"""Where universes and texts come from."""

from finsae.sources.clusters import read_clusters
from finsae.sources.daily import read_factors, read_volume
from finsae.sources.edgar import read_edgar_corpus
from finsae.sources.files import (
    Priced,
    mend_prices,
    open_prices,
    read_labels,
    read_prices,
    read_universe,
    with_prices,
)
from finsae.sources.jumps import read_limits
from finsae.sources.prices import PriceFile
from finsae.sources.sample import sample
from finsae.sources.sic import codes_as_of, read_codes

__all__ = [
    "PriceFile",
    "Priced",
    "codes_as_of",
    "mend_prices",
    "open_prices",
    "read_clusters",
    "read_codes",
    "read_edgar_corpus",
    "read_factors",
    "read_labels",
    "read_limits",
    "read_prices",
    "read_universe",
    "read_volume",
    "sample",
    "with_prices",
]
