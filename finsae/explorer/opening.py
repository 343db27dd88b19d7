"""From a features folder, and prices where there are any, to an explorer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from finsae.config import Data, Reading, Run
from finsae.explorer.later import Later
from finsae.explorer.questions import Explorer
from finsae.features import Features
from finsae.features.table import LABELS
from finsae.pipeline import build_features, embed, open_universe, windows
from finsae.pipeline.methods import reading_of
from finsae.pipeline.reading import features_folder
from finsae.sources import sample
from finsae.universe import Universe

SAMPLE = "sample"


def open_explorer(folder: str | None, data: Data) -> Explorer:
    """Open an explorer; embeddings, clusters and the sample's returns are made by `prepare`.

    Parameters
    ----------
    folder : str, optional
        Of `finsae build-features`; by default the bundled sample's.
    data : Data
        Its prices, events and cut; the sample brings its own.

    Raises
    ------
    DataError
        If the folder holds no features, or the prices cannot be used.
    """
    features, universe = _opened(folder)
    texts = features.companies["description"].astype(str).tolist()
    model = reading_of(features).model

    def labels() -> pd.DataFrame | None:
        place = features_folder(universe, Reading()) if universe else Path(str(folder))
        return pd.read_parquet(place / LABELS) if (place / LABELS).is_file() else None

    def later() -> Later | None:
        return _later(features, data, universe)

    given = later() if data.prices else None  # a mistake of the user's is said at once
    return Explorer(
        features,
        labels=labels,
        embed=lambda: np.asarray(embed(texts, "minilm" if model == "tfidf" else model)),
        later=(lambda: given) if data.prices else later,
    )


def _opened(folder: str | None) -> tuple[Features, Universe | None]:
    if folder:
        return Features.load(folder), None
    universe = sample()
    return build_features(universe, Reading()), universe


def _later(features: Features, data: Data, universe: Universe | None) -> Later | None:
    own = features.provenance.get("universe", {}).get("source") == SAMPLE
    if not data.prices and not own:
        return None
    if universe is None or data.prices:
        universe = open_universe(data, features)
    return Later(universe, windows(universe, Run(data=data)).cut)
