"""Choices by walk-forward inside the past: reading, learnt weights, blend with past correlation.

Nothing here looks beyond the cut. Each choice is made by what would have been best on average in
the year after each of several inner cuts, everything being fitted before the inner cut; baselines
are tuned exactly as the SAE's features are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from finsae.benchmark import eligible, find_peers
from finsae.benchmark.draws import Draws
from finsae.benchmark.panel import Panel
from finsae.benchmark.peers import Peers, peer_correlation
from finsae.benchmark.periods import periods
from finsae.checks import DataError
from finsae.config import Run
from finsae.features import Features
from finsae.features.pooling import Matrix
from finsae.pipeline.footing import at_least, windows, with_features
from finsae.pipeline.methods import (
    known_companies,
    reading_of,
    recent_returns,
    rows,
    weighted,
)
from finsae.pipeline.reading import embed
from finsae.plugins import make
from finsae.result import Result
from finsae.similarity import PairRegression, blend, cosine, past_correlation
from finsae.store import hash_frame, progress, provenance
from finsae.universe import Universe, as_day

YEAR = 12
LEAST_PAST = 36
"""Months of returns that an inner cut needs before it."""
RIDGES: tuple[float | None, ...] = (None, 300.0, 100.0, 30.0, 10.0, 3.0)
"""Strengths of the ridge that are tried for learnt weights; None learns nothing."""
WEIGHTS = tuple(tenth / 10 for tenth in range(11))
"""Weights of past correlation that are tried in a blend."""
CRITERION = "peer_correlation"
BASELINE_FAMILIES = ("tfidf", "embedding")


@dataclass(frozen=True)
class Choice:
    """How a family of methods is read, weighted and blended.

    Attributes
    ----------
    family : str
        "sae", "tfidf" or "embedding".
    reading : str
        Which of the features, by name; the family's own name for baselines.
    ridge : float or None
        Of learnt weights; None: all 1.
    weight : float
        Of past correlation in the blend.
    """

    family: str
    reading: str
    ridge: float | None = None
    weight: float = 0.0


@dataclass(frozen=True)
class Window:
    """A cut inside the past and the year after it.

    Attributes
    ----------
    cut : Timestamp
    matrices : dict of str to matrix [n, F]
        Weighted rows by reading.
    past : DataFrame [n, n]
        Correlation of daily returns up to the cut.
    returns : DataFrame
        Monthly log returns of the months after, months x n.
    """

    cut: pd.Timestamp
    matrices: Mapping[str, Matrix]
    past: pd.DataFrame
    returns: pd.DataFrame


class Tuner:
    """Tries configurations on inner windows, in order, and keeps every score.

    Parameters
    ----------
    universe : Universe
        Of the past alone.
    features : mapping of str to Features
        Candidate readings of the SAE family, by name.
    run : Run
    cuts : sequence of Timestamp
        Inner cuts.
    """

    def __init__(
        self,
        universe: Universe,
        features: Mapping[str, Features],
        run: Run,
        cuts: Sequence[pd.Timestamp],
    ) -> None:
        self.run = run
        self.windows = [window(universe, features, run, cut) for cut in cuts]
        self.learnt = Learnt()
        self.lines: list[dict[str, Any]] = []

    def tune(self, family: str, names: Sequence[str]) -> Choice:
        """Choose a reading, then a ridge, then a blend: each the best so far, in this order."""
        best = self._best([Choice(family, name) for name in names], "reading")
        best = self._best([Choice(family, best.reading, ridge) for ridge in RIDGES], "ridge")
        blends = [Choice(family, best.reading, best.ridge, weight) for weight in WEIGHTS]
        return self._best(blends, "blend")

    def _best(self, choices: Sequence[Choice], stage: str) -> Choice:
        scores = np.empty((len(choices), len(self.windows)))
        for column, at in enumerate(self.windows):
            scores[:, column] = [self._score(choice, at) for choice in choices]
        means = scores.mean(axis=1)
        cuts = [f"{at.cut:%Y-%m-%d}" for at in self.windows]
        for choice, mean, line in zip(choices, means, scores, strict=True):
            by_cut = dict(zip(cuts, line, strict=True))
            self.lines.append({"stage": stage, **asdict(choice), "mean": mean, **by_cut})
        return choices[int(np.argmax(means))]  # the first of equals: the simplest

    def _score(self, choice: Choice, window: Window) -> float:
        similarity = similarity_of(choice, window, self.learnt)
        peers = Peers.of({"one": similarity}, self.run.benchmark.k, draws=1, seed=self.run.seed)
        panel = Panel.of(window.returns, min_obs=YEAR // 2)
        itself = Draws.none(*window.returns.shape)
        (found,) = peer_correlation(peers, panel, itself, worst=False)
        return float(found.values[0, 0])


class Learnt:
    """Weights that were learnt before are found again; of the regressions, the last is kept."""

    def __init__(self) -> None:
        self.found: dict[tuple[pd.Timestamp, str, float], np.ndarray] = {}
        self.last: tuple[tuple[pd.Timestamp, str], PairRegression] | None = None

    def weights(self, at: Window, reading: str, ridge: float) -> np.ndarray:
        """Weights of a reading's features by the correlation of returns up to a cut."""
        place = (at.cut, reading)
        if (*place, ridge) not in self.found:
            if self.last is None or self.last[0] != place:
                self.last = None  # one matrix of features x features is enough
                self.last = place, PairRegression(at.matrices[reading], at.past.to_numpy())
            self.found[*place, ridge] = self.last[1].weights(ridge)
        return self.found[*place, ridge]


def similarity_of(choice: Choice, window: Window, learnt: Learnt) -> pd.DataFrame:
    """Compute the similarity of a choice at a cut."""
    matrix = window.matrices[choice.reading]
    if choice.ridge is not None:
        matrix = _scaled(matrix, np.sqrt(learnt.weights(window, choice.reading, choice.ridge)))
    text = cosine(matrix, window.past.index)
    return blend(text, window.past, choice.weight) if choice.weight else text


def _scaled(matrix: Matrix, factors: np.ndarray) -> Matrix:
    if isinstance(matrix, np.ndarray):
        return np.asarray(matrix * factors)
    return sparse.csr_array(matrix @ sparse.diags_array(factors))


def window(
    universe: Universe,
    features: Mapping[str, Features],
    run: Run,
    cut: pd.Timestamp,
    *,
    months: int | None = YEAR,
) -> Window:
    """Fit everything that a cut allows: idf, vocabulary, past correlation.

    Companies have returns in most of the `months` after it; None: in most of all.
    """
    past, later = universe.cut(cut)
    settings = run.benchmark
    returns = pd.concat([past.monthly, later.monthly])
    end = returns.index[returns.index > cut][:months].max()
    tickers, _ = eligible(
        past.companies, returns, cut=cut, past_months=settings.past_months, future_end=end
    )
    tickers = with_features(tickers, dict(features), past)
    first = next(iter(features.values()))
    known = known_companies(past, first)
    texts = past.companies.loc[known, "description"].tolist()
    place = pd.Index(known).get_indexer(pd.Index(tickers))
    model = reading_of(first).model
    matrices: dict[str, Matrix] = {
        name: rows(weighted(table, known), tickers) for name, table in features.items()
    }
    matrices["tfidf"] = make("embedder", "tfidf").fit(texts).transform(texts)[place]
    matrices["embedding"] = embed(texts, "minilm" if model == "tfidf" else model)[place]
    correlation = past_correlation(recent_returns(past, tickers, settings.past_months))
    return Window(cut, matrices, correlation, later.monthly[tickers].iloc[:months])


def inner_cuts(universe: Universe, cut: pd.Timestamp) -> list[pd.Timestamp]:
    """Year-ends before the cut with texts by then, three years of returns before and one after.

    Raises
    ------
    DataError
        If there are none.
    """
    past = universe.cut(cut).past
    months = past.monthly.index
    ends = [
        day
        for number, day in enumerate(months)
        if number + 1 >= LEAST_PAST and (len(months) - number - 1) % YEAR == 0 and day < months[-1]
    ]
    if not ends:
        raise DataError(
            f"{len(months)} months up to the cut {cut:%Y-%m-%d} are too few to tune on: "
            f"{LEAST_PAST + YEAR} are needed"
        )
    dates = past.companies["date"]  # what is undated is known all along
    known = [day for day in ends if (~(dates > day)).any()]
    if not known:
        raise DataError(
            f"nothing to tune on: the texts are dated from {dates.min():%Y-%m-%d}, and no year of "
            f"returns follows them before the cut {cut:%Y-%m-%d}; give --features of texts dated "
            f"by {ends[-1]:%Y-%m-%d}, or of a companies file without dates, or a later --cut"
        )
    return known


def tune(
    universe: Universe,
    features: Mapping[str, Features],
    run: Run | None = None,
    *,
    cuts: Sequence[str | pd.Timestamp] | None = None,
    opened: bool = False,
) -> Result:
    """Choose reading, learnt weights and blend for every family of methods, inside the past.

    Parameters
    ----------
    universe : Universe
        With prices years before the cut.
    features : mapping of str to Features
        Candidate readings of the descriptions (layers, poolings, autoencoders), by any name.
    run : Run, optional
        Cut, number of peers, seed.
    cuts : sequence of dates, optional
        Inner cuts; by default every year before the cut that has three years before it.
    opened : bool
        Score the choices on the months after the cut, which is otherwise not looked at.

    Returns
    -------
    Result
        Tables ``trials`` (every configuration in the order in which it was tried, its score after
        every inner cut and their mean) and ``choices``. Scores are those after the cut if `opened`
        (see `finsae.benchmark.periods`), else there are none.

    Raises
    ------
    DataError
        If the past is too short, an inner cut is not before the cut, or a reading has a baseline's
        name.
    """
    run = run or Run()
    at_least(k=run.benchmark.k)
    _own_names(features)
    cut = windows(universe, run).cut
    past = universe.cut(cut).past
    chosen = [as_day(day) for day in cuts] if cuts else inner_cuts(universe, cut)
    _over_by(cut, chosen)
    tuner = Tuner(past, features, run, chosen)
    families = {"sae": list(features), **{name: [name] for name in BASELINE_FAMILIES}}
    with progress("Tuning", len(families)) as (bar, task):
        choices = []
        for family, names in families.items():
            choices.append(tuner.tune(family, names))
            bar.advance(task)
    tables = {
        "trials": pd.DataFrame(tuner.lines),
        "choices": pd.DataFrame([asdict(choice) for choice in choices]),
    }
    made = provenance(
        universe=dict(universe.provenance), run=asdict(run), cut=cut, inner_cuts=chosen
    )
    if not opened:
        return Result(pd.DataFrame(), tables, made)
    found = window(universe, features, run, cut, months=None)
    scores = open_period(choices, found, run)
    return Result(scores, tables, {**made, "returns_hash": hash_frame(found.returns)})


def _own_names(features: Mapping[str, Features]) -> None:
    taken = [name for name in BASELINE_FAMILIES if name in features]
    if taken:
        raise DataError(
            f'the baseline "{taken[0]}" is tuned beside the features: give yours another name '
            "(rename their folder)"
        )


def _over_by(cut: pd.Timestamp, inner: Sequence[pd.Timestamp]) -> None:
    late = [f"{day:%Y-%m-%d}" for day in inner if day + pd.DateOffset(years=1) > cut]
    if late:
        raise DataError(f"the year after {', '.join(late)} is not over at the cut {cut:%Y-%m-%d}")


def open_period(choices: Sequence[Choice], found: Window, run: Run) -> pd.DataFrame:
    """Score the choices after the cut: as read, as learnt, and blended with past correlation."""
    learnt = Learnt()
    methods = {"past-correlation": found.past}
    for choice in choices:
        for name, variant in variants(choice):
            methods[name] = similarity_of(variant, found, learnt)
    peers = find_peers(methods, found.returns, settings=run.benchmark, seed=run.seed)
    table = periods(peers, {"after": found.returns}, settings=run.benchmark, seed=run.seed)
    return table.drop(columns=["period", "months"])


def variants(choice: Choice) -> Iterator[tuple[str, Choice]]:
    """Name what is scored of a family: plain, learnt if it was chosen, and the blend."""
    yield choice.family, Choice(choice.family, choice.reading)
    if choice.ridge is not None:
        yield f"{choice.family} learnt", Choice(choice.family, choice.reading, choice.ridge)
    yield f"{choice.family} + past", choice
