"""A run and its parts: frozen dataclasses, read from TOML."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from finsae.checks import DataError, nearest

PRESETS = Path(__file__).resolve().parent / "presets"


@dataclass(frozen=True)
class Data:
    """Which companies, and where time is cut; without files, the bundled sample.

    Attributes
    ----------
    companies, prices, events : str or None
        Files of the user's own.
    cut : str or None
        Last day of the past. Default: the sample's own, or the latest description's date.
    formation, trade : str or None
        ``START:END`` of the backtest's two windows. Default: the two years up to the cut, and
        everything after it.
    volume : str or None
        File of shares traded a day: long (``date, ticker, volume``) or wide (a column of dates,
        then one per ticker). Without it liquidity is not judged and capacity not stated.
    factors : str or None
        File of daily factor returns (a column of dates, then one per factor; 1 % is 0.01) that the
        returns of a backtest are regressed on.
    currency, zone : str or None
        Of prices in several currencies, the one to take ("USD"); of prices stamped in UTC, the
        market's time zone ("Asia/Tokyo").
    """

    companies: str | None = None
    prices: str | None = None
    events: str | None = None
    cut: str | None = None
    formation: str | None = None
    trade: str | None = None
    volume: str | None = None
    factors: str | None = None
    currency: str | None = None
    zone: str | None = None


@dataclass(frozen=True)
class Reading:
    """How descriptions become features.

    Attributes
    ----------
    model : str
        "minilm", "tfidf", a local folder or a hub id.
    layer : int
        Transformer block whose output is read, counted from 1.
    sae : str
        "demo" (shipped with finsae), a folder, RELEASE/ID of SAELens' registry, or "none" for the
        activations themselves.
    pool : str
        How a company's tokens are pooled.
    idf : bool
        Whether features are weighted by log(n / companies that have them).
    length_normalised : bool
        Whether sums are divided by the number of tokens.
    strongest : int
        Features kept per company when companies are compared, so that similarity does not follow
        the length of the texts (see `finsae.features.standing_out`); 0 keeps all.
    """

    model: str = "minilm"
    layer: int = 5
    sae: str = "demo"
    pool: str = "log1p-sum"
    idf: bool = True
    length_normalised: bool = False
    strongest: int = 640


@dataclass(frozen=True)
class Autoencoder:
    """How a sparse autoencoder is trained.

    Attributes
    ----------
    latents, k : int
        Size, and active latents per token.
    architecture : str
        "topk", "batch-topk", "matryoshka", "abs-topk", "jumprelu", "gated", "l1", "gba",
        "top-afa", "feature-choice" or "itda".
    layers : str or None
        Train on several layers: "all" (every one but the last), "1-4" or "2,4,5". None: on the
        reading's own layer.
    groups : str
        With several layers: "auto" finds groups of layers that share an SAE, a number makes so
        many, "none" trains one SAE per layer.
    theta : float
        Bound on the groups' average maximum angular distance, for "auto".
    cluster_on : str
        "distance", or "rows" as the published code does.
    init_from : str or None
        An SAE to begin with, of a neighbouring layer or of other text.
    align : bool
        Rotate it into this layer's directions first.
    epochs : float
        Passes over the tokens.
    batch : int
        Tokens per step.
    lr : float or None
        Learning rate; None: by the number of latents and steps, see `finsae.sae.Training`.
    max_texts : int or None
        Train on so many texts, drawn at random; None: on all.
    dtype : str
        Of the saved weights: "float32" or "float16".
    seed : int
    """

    latents: int = 8192
    k: int = 16
    epochs: float = 6.0
    max_texts: int | None = None
    dtype: str = "float32"
    seed: int = 0
    batch: int = 4096
    architecture: str = "topk"
    layers: str | None = None
    groups: str = "auto"
    theta: float = 0.2
    cluster_on: str = "distance"
    init_from: str | None = None
    align: bool = False
    lr: float | None = None


@dataclass(frozen=True)
class Benchmark:
    """How similarity is scored on later returns.

    Attributes
    ----------
    k : int
        Peers per company.
    draws : int
        Random tie-breakings of methods that tie (codes, random).
    resamples : int
        Two-way bootstrap resamples.
    past_months : int
        Months before the cut that the past-correlation method reads.
    methods : str
        "main" (the features and every baseline), "all" (also raw activations, their principal
        components, an untrained SAE and coarser industry codes), or names with commas between.
    """

    methods: str = "main"
    k: int = 5
    draws: int = 20
    resamples: int = 1000
    past_months: int = 60


@dataclass(frozen=True)
class Backtest:
    """How pairs are chosen and traded.

    Attributes
    ----------
    candidates, pairs : int
        Candidate pairs per method, and how many of them are traded.
    draws : int
        Random draws of candidates for methods that tie.
    entry, exit, stop : float
        Bands of the z-score rule, in formation standard deviations of the spread; a stop of 0:
        none.
    max_days : int
        Days after which a position is given up; 0: never.
    cost_bps : float
        Cost per leg per side, in basis points of the traded value.
    borrow_bps : float
        Fee on what is sold short, in basis points of its value a year.
    per_share : float
        Cost per share traded, in the currency of the prices, beside that in basis points; the
        prices must then not be adjusted for splits, or a share is not a share.
    gross_cap, net_cap : float
        Most that longs and shorts together, and longs less shorts, may be worth over committed
        capital when a position is opened; 0: no cap.
    patience : int
        Days in a row without a price of a leg after which it counts as delisted.
    delisting_loss : float
        Share of its last price that a delisted leg loses, on whichever side it is held.
    selector, rule : str
        Names on the menu of `finsae.plugins`.
    min_half_life, max_half_life : float
        Bounds, in days, of the half-life of a selected pair's spread, both excluded; 0: none.
    max_hurst : float
        What the Hurst exponent of the spread must be below; 0: not looked at.
    min_crossings : float
        Least crossings of the spread's mean a year; 0: not looked at.
    min_volume : float
        Least value traded on the median formation day of the less traded leg, in the currency of
        the prices; needs `Data.volume`. 0: not looked at.
    formation_days, trading_days : int
        Windows of the walk, where the run names no formation window.
    step : int
        Days from one book to the next; 0: the trading days, so that books do not overlap.
    placebo : int
        Draws of random pairs that every method is set against; 0: none.
    resamples : int
        Resamples of the Sharpe ratio's interval.
    """

    candidates: int = 500
    pairs: int = 50
    draws: int = 20
    entry: float = 2.0
    exit: float = 0.0
    stop: float = 4.0
    cost_bps: float = 10.0
    borrow_bps: float = 50.0
    selector: str = "lowest-pvalue"
    rule: str = "zscore"
    formation_days: int = 504
    trading_days: int = 126
    step: int = 0
    placebo: int = 100
    resamples: int = 1000
    max_days: int = 0
    per_share: float = 0.0
    gross_cap: float = 0.0
    net_cap: float = 0.0
    patience: int = 10
    delisting_loss: float = 0.0
    min_half_life: float = 0.0
    max_half_life: float = 0.0
    max_hurst: float = 0.0
    min_crossings: float = 0.0
    min_volume: float = 0.0


@dataclass(frozen=True)
class Group:
    """A second reading beside the first: autoencoders of groups of layers.

    Attributes
    ----------
    sae : str or None
        "demo-group" (shipped with finsae) or a folder of `finsae train-sae --layers`; None: none.
    """

    sae: str | None = None


@dataclass(frozen=True)
class Run:
    """Everything a run depends on."""

    data: Data = field(default_factory=Data)
    reading: Reading = field(default_factory=Reading)
    group: Group = field(default_factory=Group)
    benchmark: Benchmark = field(default_factory=Benchmark)
    backtest: Backtest = field(default_factory=Backtest)
    seed: int = 0


T = TypeVar("T")


def read_run(path: str | Path) -> Run:
    """Read a run from a TOML file.

    Parameters
    ----------
    path : str or Path
        A file, or the name of a preset shipped with finsae ("demo").

    Raises
    ------
    DataError
        If the file is missing or is no TOML, or holds an unknown key or a value of another kind.
    """
    source = Path(path)
    if not source.is_file() and (PRESETS / f"{path}.toml").is_file():
        source = PRESETS / f"{path}.toml"
    if not source.is_file():
        names = [preset.stem for preset in PRESETS.glob("*.toml")]
        raise DataError(f'no file "{path}", and no preset of that name{nearest(path, names)}')
    try:
        content = tomllib.loads(source.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f'"{path}" is not TOML: {error}') from None
    return build(Run, content, where=source.name)


def build(kind: type[T], content: Mapping[str, Any], *, where: str) -> T:
    """Make a configuration dataclass from plain values, checked key by key.

    Raises
    ------
    DataError
        All problems at once.
    """
    fields = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    defaults = kind()
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, value in content.items():
        if name not in fields:
            problems.append(f'{where}: unknown key "{name}"{nearest(name, fields)}')
            continue
        default = getattr(defaults, name)
        if dataclasses.is_dataclass(default) and isinstance(value, Mapping):
            try:
                values[name] = build(type(default), value, where=f"{where} [{name}]")
            except DataError as error:
                problems += error.problems
        elif _fits(value, default):
            values[name] = type(default)(value) if isinstance(default, float) else value
        else:
            wanted = "text" if default is None else type(default).__name__
            problems.append(f"{where}: {name} = {value!r} should be {wanted}")
    if problems:
        raise DataError(problems)
    return kind(**values)


def _fits(value: object, default: object) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, (int, float))
    return isinstance(value, str if default is None else type(default))
