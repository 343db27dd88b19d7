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
from finsae.pipeline import embed, load_features, open_universe, windows
from finsae.pipeline.methods import reading_of
from finsae.pipeline.reading import features_folder
from finsae.sources import sample

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
    features = load_features(folder)
    place = Path(folder) if folder else features_folder(sample(), Reading())
    labels = place / LABELS
    texts = features.companies["description"].astype(str).tolist()
    model = reading_of(features).model

    def later() -> Later | None:
        return _later(features, data)

    given = later() if data.prices else None  # a mistake of the user's is said at once
    return Explorer(
        features,
        labels=pd.read_parquet(labels) if labels.is_file() else None,
        embed=lambda: np.asarray(embed(texts, "minilm" if model == "tfidf" else model)),
        later=(lambda: given) if data.prices else later,
    )


def _later(features: Features, data: Data) -> Later | None:
    own = features.provenance.get("universe", {}).get("source") == SAMPLE
    if not data.prices and not own:
        return None
    universe = open_universe(data, features)
    return Later(universe, windows(universe, Run(data=data)).cut)
