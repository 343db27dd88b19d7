"""What an SAE leaves over: how much of its error is a linear function of the token.

Engels et al. 2024 (arXiv 2410.14670) call the error of an SAE dark matter: about half of it can be
predicted linearly from the activation, and the rest hardly shrinks as SAEs grow.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from finsae.checks import DataError
from finsae.sae.batches import Rows, Tokens
from finsae.sae.coder import Coder

ROWS = 16_384
TOKENS_PER_WIDTH = 20  # fewer, and the linear map fits noise

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer[Any]]


class DarkMatter(NamedTuple):
    """The error of an SAE, split by a linear map fitted on other texts.

    Attributes
    ----------
    fvu : float
        ``sum |e|^2 / sum |x - mean x|^2`` on the texts judged, with ``e = x - x_hat``.
    fvu_linear, fvu_nonlinear : float
        The part of it that the map ``e ~ a + x B`` removes, and ``sum |e - a - x B|^2`` over the
        same; they add up to `fvu`. The first is negative where the map does harm.
    r2_error : float
        Share of the variance of the error vector that the map explains.
    r2_norm : float
        Share of the variance of ``|e|^2`` that another such map explains.
    tokens : int
        Tokens judged.
    """

    fvu: float
    fvu_linear: float
    fvu_nonlinear: float
    r2_error: float
    r2_norm: float
    tokens: int


def dark_matter(coder: Coder, tokens: Tokens, *, offsets: IntArray, seed: int = 0) -> DarkMatter:
    """Split the error of `coder` into its linear and its non-linear part.

    Half of the texts, whole texts drawn by `seed`, fit the linear maps (least squares with an
    intercept); the others judge them.

    Parameters
    ----------
    coder : Coder
        A fitted SAE.
    tokens : Tokens
        Tokens x width that the SAE was not trained on.
    offsets : ndarray
        First token of each text, and the end: texts + 1.

    Raises
    ------
    DataError
        If offsets and tokens do not belong together, or the texts to fit on have fewer than 20
        tokens per dimension.
    """
    count, width = tokens.shape
    if len(offsets) < 3 or offsets[-1] != count:
        raise DataError(
            f"offsets of {len(offsets) - 1} texts with {offsets[-1]:,} tokens do not belong to "
            f"{count:,} tokens of at least two texts"
        )
    texts = len(offsets) - 1
    fits = np.random.default_rng([seed, 4]).permutation(texts) < texts // 2
    of_token = np.repeat(fits, np.diff(offsets))
    learn, judge = (np.flatnonzero(which) for which in (of_token, ~of_token))
    if len(learn) < TOKENS_PER_WIDTH * width or not len(judge):
        raise DataError(
            f"{len(learn):,} tokens are too few to fit a linear map of width {width}: "
            f"at least {TOKENS_PER_WIDTH * width:,} are needed"
        )
    maps = _fit(coder, Rows(tokens, learn))
    return _judge(coder, Rows(tokens, judge), maps)


class _Maps(NamedTuple):
    """Linear maps from x to (e, |e|^2) about their means."""

    x: FloatArray  # width
    y: FloatArray  # width + 1
    slopes: FloatArray  # width x (width + 1)


def _pieces(coder: Coder, tokens: Tokens) -> Any:  # noqa: ANN401 - iterator of two arrays
    for start in range(0, tokens.shape[0], ROWS):
        raw = np.asarray(tokens[start : start + ROWS], dtype=np.float32)
        x = (raw - coder.b_dec_).astype(np.float64)
        error = raw.astype(np.float64) - coder.decode(coder.encode(raw))
        yield x, np.column_stack([error, np.square(error).sum(axis=1)])


def _fit(coder: Coder, tokens: Tokens) -> _Maps:
    width, count = tokens.shape[1], tokens.shape[0]
    x_sum, y_sum = np.zeros(width), np.zeros(width + 1)
    xx, xy = np.zeros((width, width)), np.zeros((width, width + 1))
    for x, y in _pieces(coder, tokens):
        x_sum, y_sum = x_sum + x.sum(axis=0), y_sum + y.sum(axis=0)
        xx, xy = xx + x.T @ x, xy + x.T @ y
    x_mean, y_mean = x_sum / count, y_sum / count
    covariance = xx - count * np.outer(x_mean, x_mean)
    slopes, *_ = np.linalg.lstsq(covariance, xy - count * np.outer(x_mean, y_mean), rcond=1e-10)
    return _Maps(x_mean, y_mean, slopes.astype(np.float64))


def _judge(coder: Coder, tokens: Tokens, maps: _Maps) -> DarkMatter:
    width, count = tokens.shape[1], tokens.shape[0]
    x_sum, x_squares = np.zeros(width), 0.0
    y_sum, y_squares = np.zeros(width + 1), np.zeros(width + 1)
    left = np.zeros(width + 1)
    for x, y in _pieces(coder, tokens):
        x_sum, y_sum = x_sum + x.sum(axis=0), y_sum + y.sum(axis=0)
        x_squares += float(np.square(x).sum())
        y_squares += np.square(y).sum(axis=0)
        left += np.square(y - maps.y - (x - maps.x) @ maps.slopes).sum(axis=0)
    variation = x_squares - float(np.square(x_sum).sum()) / count
    spread = y_squares - np.square(y_sum) / count
    if variation <= 1e-12 * x_squares:
        raise DataError("all tokens are the same: the share of variance is not defined")
    fvu, nonlinear = y_squares[:-1].sum() / variation, left[:-1].sum() / variation
    return DarkMatter(
        fvu=float(fvu),
        fvu_linear=float(fvu - nonlinear),
        fvu_nonlinear=float(nonlinear),
        r2_error=_share(left[:-1].sum(), spread[:-1].sum()),
        r2_norm=_share(left[-1], spread[-1]),
        tokens=count,
    )


def _share(left: float, spread: float) -> float:
    return float(1.0 - left / spread) if spread > 0 else float("nan")
