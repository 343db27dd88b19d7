"""Names for the features of a folder, and whether they are true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.checks import DataError, nearest
from finsae.cluster.sic_table import MAJOR_GROUPS
from finsae.config import Reading
from finsae.explain.corpus import Corpus
from finsae.explain.meaning import Meaning, meanings
from finsae.explain.scores import Subject, assess, eligible, label_auc, scorable
from finsae.features import Features, TokenCodes, pool
from finsae.features.table import LABELS as FILE
from finsae.pipeline.methods import reading_of
from finsae.pipeline.reading import activate, autoencoder, build_features, embed, features_folder
from finsae.plugins import Labeller, make
from finsae.result import Result
from finsae.sources import sample
from finsae.store import alone, plain, provenance, read_parquet, write_json, write_table

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.floating[Any]]

VERSION = 1  # raised when labels of the same features by the same labeller change
SPLIT_SEED = 0
HELD_OUT = 1 / 3
"""Share of the companies whose texts judge the labels and do not make them."""
EMBEDDER = "minilm"
"""Whose sentence embeddings score labels, whatever model the features are of."""
FEWEST = 2
"""Companies to learn from that a feature must have to be named."""
TRIES = 20
"""Neurons looked at for one that can be scored at a density."""


@dataclass(frozen=True)
class Labelled:
    """Labels made for a folder.

    Attributes
    ----------
    table : DataFrame
        ``id, label, labeller, score``, densities, and the evidence: ``quotes, words, beside,
        against, industries``. The score is the label's embedding AUC on the companies held out;
        missing where the feature fires in none of their sentences.
    unnamed : int
        Features that keep the name they had: too few companies have them, or no label was found.
    usage : Usage
        What a language model was asked and wrote.
    file : Path
        Where the table is.
    """

    table: pd.DataFrame
    unnamed: int
    usage: Any
    file: Path


class _Embedding:
    """Sentence embeddings, each text once."""

    def __init__(self) -> None:
        self.known: dict[str, FloatArray] = {}

    def __call__(self, texts: list[str]) -> FloatArray:
        missing = [text for text in dict.fromkeys(texts) if text not in self.known]
        if missing:
            self.known.update(zip(missing, embed(missing, EMBEDDER), strict=True))
        return np.stack([self.known[text] for text in texts])


def open_labeller(name: str) -> Labeller:
    """Make a labeller: "words", "openai:MODEL", or a local model's folder or hub id.

    Raises
    ------
    DataError
        If it can be none of these.
    """
    if name == "words":
        chosen: Labeller = make("labeller", "words")
        return chosen
    kind, _, model = name.partition(":")
    if kind == "openai" and model:
        remote: Labeller = make("labeller", "openai", model=model)
        return remote
    known = ("words", "openai:MODEL")
    if "/" not in name and not Path(name).is_dir() and (nearest(name, known) or kind == "openai"):
        raise DataError(
            f'unknown labeller "{name}"{nearest(name, known)}: give words, openai:MODEL, the '
            "folder of a Hugging Face model or a hub id"
        )
    local: Labeller = make("labeller", "local", model=name)
    return local


def label_features(
    folder: str | Path | None, *, labeller: str = "words", most: int | None = None
) -> Labelled:
    """Name the features of a folder by two thirds of its companies; score the names on the rest.

    The labels are written to ``labels.parquet`` in the folder, where `Features.load` finds them;
    those of an earlier run for other features stay.

    Parameters
    ----------
    folder : path or None
        Of build-features; None: the bundled sample's, in the cache.
    labeller : str
        See `open_labeller`.
    most : int, optional
        Name so many features only: those that carry most of all similarity (sum of values times
        idf).

    Raises
    ------
    DataError
        If the features do not know where they fire, or the labeller gives up; what a language
        model has answered is kept, and a second call goes on.
    """
    if most is not None and most < 1:
        raise DataError(f"most is {most}: name at least one feature")
    writer = open_labeller(labeller)
    place, features = _open(folder)
    learnt, held_out = _split(features)
    has = np.array([len(learnt.owners(i)) for i in range(len(features.names))], dtype=np.int64)
    carried = np.asarray(features.matrix.sum(axis=0)).ravel() * features.names["idf"].to_numpy()
    ids = np.flatnonzero(has >= FEWEST)
    ids = np.sort(ids[np.argsort(-carried[ids], kind="stable")][:most])
    known = _meanings(learnt, ids, features)
    labels = writer.label(known)
    rows = pd.DataFrame([meaning.row() for meaning in known])
    rows.insert(1, "label", labels)
    rows.insert(2, "labeller", writer.settings["model"])
    rows.insert(3, "score", label_auc(held_out, ids.tolist(), labels, _Embedding()))
    rows = rows[rows["label"] != ""]
    _keep(place, rows, provenance(labeller=writer.settings, version=VERSION, **_split_record()))
    return Labelled(rows, len(features.names) - len(rows), writer.usage, place / FILE)


def score_labels(
    folder: str | Path | None,
    *,
    labeller: str = "words",
    judge: str = "words",
    count: int = 300,
    seed: int = 0,
) -> Result:
    """Score labels on companies that they were not made from, beside every baseline.

    Labels are made as `label_features` makes them, for features drawn at random, and beside them
    for as many neurons of the same layer, each cut off where it fires on as many tokens as its
    feature.

    Parameters
    ----------
    folder : path or None
        Of build-features; None: the bundled sample's.
    labeller, judge : str
        See `open_labeller`: who names, and who is asked whether names fit.
    count : int
        Features scored.
    seed : int
        Of the features, the neurons, the examples and the resampling.

    Returns
    -------
    Result
        Scores (`finsae.explain.scores.assess`); the table ``labels`` has them per feature.

    Raises
    ------
    DataError
        If the features do not know where they fire, or too few can be scored.
    """
    writer = open_labeller(labeller)
    asked = writer if judge == labeller else open_labeller(judge)
    _, features = _open(folder)
    reading = reading_of(features)
    learnt, held_out = _split(features)
    rng = np.random.default_rng(seed)
    ids = np.flatnonzero(eligible(learnt, held_out))
    ids = np.sort(rng.permutation(ids)[:count])
    own = _subject(features, ids, writer, (learnt, held_out))
    density = np.array([meaning.density_tokens for meaning in own.meanings])
    dense, chosen = dense_neurons(features, reading, density, rng=rng)
    neurons = _subject(dense, chosen, writer, _split(dense))
    before = features.names["label"].iloc[ids].tolist()
    scores, table = assess(
        own, neurons, before=before, judge=asked, embed=_Embedding(), seed=seed
    )  # fmt: skip
    made = provenance(
        labeller=writer.settings,
        judge=asked.settings,
        features=len(ids),
        seed=seed,
        version=VERSION,
        usage=[vars(one.usage) for one in dict.fromkeys((writer, asked))],
        **_split_record(),
    )
    return Result(scores, {"labels": table.assign(before=before)}, made)


def dense_neurons(
    features: Features, reading: Reading, density: FloatArray, *, rng: np.random.Generator
) -> tuple[Features, IntArray]:
    """Make features of single neurons of the layer that the autoencoder reads.

    Each neuron, with either sign, is cut off where it fires on a given share of the tokens to learn
    from, and used once. One that cannot be learnt and scored like a feature (it fires in too few
    companies, or in all: `scorable`) is passed over for the next.

    Parameters
    ----------
    features : Features
        Whose companies and texts are read.
    reading : Reading
        Model, layer and autoencoder; of an autoencoder of several layers, the last one it reads.
    density : ndarray [n]
        Share of tokens wanted, per neuron.
    rng : Generator
        Of the order in which neurons are taken.

    Returns
    -------
    features : Features
        n columns, one per density.
    ids : ndarray [n]
        Their numbers, 0 to n - 1.

    Raises
    ------
    DataError
        If there are more densities than neurons of either sign.
    """
    _, layers = autoencoder(reading)
    source = activate(features.companies["description"].tolist(), reading.model, *layers)
    tokens = source.layer(layers[-1])
    cutter = _Cutter(tokens, np.asarray(source.offsets))
    signed = rng.permutation(2 * tokens.shape[1]).tolist()
    if len(density) > len(signed):
        raise DataError(
            f"layer {layers[-1]} has {tokens.shape[1]} neurons, two signs each: score at most "
            f"{len(signed)} features"
        )
    columns, names = [], []
    for share in density:
        number, above = cutter.first(signed, share)
        signed.remove(number)
        columns.append(sparse.csc_array(above[:, None]))
        names.append(f"neuron {number // 2} {'+-'[number % 2]}")
    stacked = sparse.csr_array(sparse.hstack(columns, "csr"))
    codes = TokenCodes.of(stacked, source.offsets, source.spans)
    matrix = pool(codes, len(names), how="binary")
    dense = Features.build(matrix, features.companies, names, codes=codes)
    return dense, np.arange(len(names))


class _Cutter:
    """Cuts neurons off at a density."""

    def __init__(self, tokens: npt.NDArray[np.float16], offsets: IntArray) -> None:
        self.tokens = tokens
        self.text = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        self.learnt, self.held_out = split_companies(len(offsets) - 1)
        self.learning = np.isin(self.text, self.learnt)

    def first(self, signed: Sequence[int], share: float) -> tuple[int, FloatArray]:
        """Give the first neuron that can be learnt and scored, and what is above its cut.

        Of those tried, the last where none can: its scores will be missing, not its feature's.
        """
        for number in signed[:TRIES]:
            values = np.asarray(self.tokens[:, number // 2], dtype=np.float32)
            values = -values if number % 2 else values
            above = np.maximum(values - np.quantile(values[self.learning], 1 - share), 0)
            count = len(self.learnt) + len(self.held_out)
            has = np.bincount(self.text[above > 0], minlength=count) > 0
            if scorable(has[self.learnt], has[self.held_out]):
                break
        return number, above


def split_companies(n: int) -> tuple[IntArray, IntArray]:
    """Part companies into those that labels are made from and those that judge them."""
    order = np.random.default_rng(SPLIT_SEED).permutation(n)
    learnt = n - round(n * HELD_OUT)
    return np.sort(order[:learnt]), np.sort(order[learnt:])


def _split_record() -> dict[str, Any]:
    return {"held_out": round(HELD_OUT, 4), "split_seed": SPLIT_SEED}


def _split(features: Features) -> tuple[Corpus, Corpus]:
    learnt, held_out = split_companies(len(features.companies))
    return Corpus.of(features, learnt), Corpus.of(features, held_out)


def _open(folder: str | Path | None) -> tuple[Path, Features]:
    if folder:
        return Path(folder), Features.load(folder)
    universe, reading = sample(), Reading()
    features = build_features(universe, reading)
    return features_folder(universe, reading), features


def _subject(
    features: Features, ids: IntArray, writer: Labeller, corpora: tuple[Corpus, Corpus]
) -> Subject:
    learnt, held_out = corpora
    known = _meanings(learnt, ids, features)
    return Subject(held_out, known, writer.label(known))


def _meanings(learnt: Corpus, ids: IntArray, features: Features) -> list[Meaning]:
    sic = features.companies.get("sic", pd.Series("", index=features.companies.index))
    groups = [str(code)[:2] for code in sic.fillna("")]
    named = [f"{code} {MAJOR_GROUPS[code]}" if code in MAJOR_GROUPS else code for code in groups]
    tickers = [str(ticker) for ticker in features.companies.index]
    return meanings(learnt, ids, tickers=tickers, industries=named)


def _keep(place: Path, rows: pd.DataFrame, made: dict[str, Any]) -> None:
    """Write labels; those of other features, made before, stay."""
    with alone(place):
        if (place / FILE).is_file():
            before = read_parquet(place / FILE)
            rows = pd.concat([before[~before["id"].isin(rows["id"])], rows]).sort_values("id")
        write_table(place / FILE, rows)
        write_json(place / "labels.json", plain(made))
