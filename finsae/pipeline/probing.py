"""Sparse probing of a features folder: industries, against dense readings of the same texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.benchmark.eligible import NOT_OPERATING
from finsae.benchmark.probing import probe_industries
from finsae.benchmark.regimes import industry_tasks
from finsae.checks import DataError
from finsae.cluster import division, major_group
from finsae.config import Reading
from finsae.features import Features
from finsae.pipeline.chain import load_features
from finsae.pipeline.methods import reading_of, readings, rows, weighted
from finsae.pipeline.reading import build_features, embed
from finsae.plugins import make
from finsae.result import Result
from finsae.store import provenance
from finsae.universe import Universe

Rows = npt.NDArray[np.floating[Any]] | sparse.csr_array


def probe_folder(
    folder: str | Path | None = None,
    *,
    least: int = 20,
    stress: bool = True,
    splits: int = 2,
    resamples: int = 300,
    seed: int = 0,
) -> Result:
    """Ask whether industries can be read off features better than off dense readings.

    The features (weighted by idf if they are made so) stand against ``activations`` (mean-pooled,
    of the same model and layer), ``pca`` of these, the model's sentence ``embedding`` and ``tfidf``
    of the same texts. Companies are those with a SIC code that run a business of their own, one per
    description and issuer.

    Parameters
    ----------
    folder : path, optional
        Of build-features; by default the sample's.
    least : int
        Companies that an industry needs to become a task.
    stress : bool
        Whether to try few companies, wrong labels and rare industries, too.
    splits, resamples, seed : int

    Returns
    -------
    Result
        Scores with a column ``regime``; table ``by_task``. See
        `finsae.benchmark.probing.probe_industries`.

    Raises
    ------
    DataError
        If too few companies have a code.
    """
    features = load_features(folder)
    own = next(iter(readings(features)))
    companies = labelled(features.companies)
    sic = companies["sic"]
    if not len(companies):
        raise DataError("no company has a SIC code: industries are what the probes are asked for")
    tasks = industry_tasks(
        {"major-group": major_group(sic), "division": division(sic)}, least=least
    )
    found = representations(features, companies.index.tolist(), own)
    scores, by_task = probe_industries(
        found, tasks, own=own, stress=stress, splits=splits, resamples=resamples, seed=seed
    )
    made = provenance(
        features=dict(features.provenance),
        method=own,
        companies=len(companies),
        tasks={name: int(task.sum()) for name, task in tasks.items()},
        least=least,
        splits=splits,
        resamples=resamples,
        seed=seed,
    )
    return Result(scores, {"by_task": by_task}, made)


def labelled(companies: pd.DataFrame) -> pd.DataFrame:
    """Keep operating companies with a SIC code, the first of each description and issuer.

    A share class with its twin's text, one to train on and one to test, would be no test.
    """
    kept = companies[companies["sic"].notna() & (companies["sic"] != "")]
    kept = kept[~kept["sic"].str.startswith(tuple(NOT_OPERATING))]
    kept = kept[(kept["description"] != "") & ~kept["description"].duplicated()]
    issuer = kept["cik"].astype(object).where(kept["cik"].notna() & (kept["cik"] != ""))
    return kept[issuer.isna() | ~issuer.duplicated()]


def representations(features: Features, tickers: list[str], own: str) -> dict[str, Rows]:
    """Read the same companies in every way that is compared; the features themselves come first."""
    reading = reading_of(features)
    texts = features.companies.loc[tickers, "description"].tolist()
    found: dict[str, Rows] = {own: rows(weighted(features, tickers), tickers)}
    model = reading.model
    if model == "tfidf":
        model = "minilm"
    elif own != "activations":
        dense = Reading(model=model, layer=reading.layer, sae="none")
        universe = Universe.build(features.companies)
        found["activations"] = rows(build_features(universe, dense), tickers).toarray()
    found["embedding"] = embed(texts, model)
    found["tfidf"] = sparse.csr_array(make("embedder", "tfidf").fit(texts).transform(texts))
    return found
