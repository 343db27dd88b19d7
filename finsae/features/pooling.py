"""From codes of tokens to one row per company."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from finsae.checks import DataError, one_of

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
Matrix = sparse.csr_array | sparse.csr_matrix | FloatArray

POOLINGS = ("log1p-sum", "sum", "mean", "max", "binary")
PER_TOKENS = 100  # length-normalised sums are per so many tokens, about one short description
CODES_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class TokenCodes:
    """Sparse codes of every token of every company, in CSR.

    Attributes
    ----------
    values : ndarray [entries]
        Activations, positive.
    indices : ndarray [entries]
        Their latents.
    starts : ndarray [T + 1]
        Token t has the entries ``starts[t]:starts[t + 1]``.
    offsets : ndarray [n + 1]
        Company i has the tokens ``offsets[i]:offsets[i + 1]``.
    spans : ndarray [T, 2]
        Each token's first character in its company's text, and the one after its last.
    """

    values: FloatArray
    indices: IntArray
    starts: IntArray
    offsets: IntArray
    spans: IntArray

    @classmethod
    def of(cls, codes: sparse.csr_array, offsets: IntArray, spans: IntArray) -> TokenCodes:
        """Take the codes of all tokens, tokens x latents, as an autoencoder gives them."""
        values, indices = codes.data.astype(np.float16), codes.indices.astype(np.int32)
        return cls(values, indices, codes.indptr.astype(np.int64), offsets, spans)

    def company(self, row: int, n_features: int) -> sparse.csr_array:
        """Codes of a company's text: its tokens x features, float64."""
        first, last = int(self.offsets[row]), int(self.offsets[row + 1])
        starts = np.asarray(self.starts[first : last + 1])
        entries = slice(int(starts[0]), int(starts[-1]))
        values = np.asarray(self.values[entries], dtype=np.float64)
        indices = np.asarray(self.indices[entries])
        shape = (last - first, n_features)
        return sparse.csr_array((values, indices, starts - starts[0]), shape=shape)

    def of_company(self, row: int, feature: int) -> FloatArray:
        """How strongly a feature fires at each token of a company's text: its tokens."""
        first, last = int(self.offsets[row]), int(self.offsets[row + 1])
        starts = np.asarray(self.starts[first : last + 1])
        entries = slice(int(starts[0]), int(starts[-1]))
        found = np.zeros(last - first)
        fires = np.flatnonzero(np.asarray(self.indices[entries]) == feature)
        token = np.searchsorted(starts - starts[0], fires, side="right") - 1
        np.add.at(found, token, np.asarray(self.values[entries], dtype=np.float64)[fires])
        return found


def pool(
    codes: TokenCodes,
    n_features: int,
    *,
    how: str = "log1p-sum",
    length_normalised: bool = False,
) -> sparse.csr_array:
    """Pool token codes over each company's text.

    Parameters
    ----------
    codes : TokenCodes
        May be memory-mapped: they are read piece by piece, and what is kept grows with the entries
        of the result only.
    n_features : int
        Latents of the autoencoder.
    how : str, default "log1p-sum"
        "sum", "mean" (sum / tokens), "max", "log1p-sum" (log(1 + sum): the tenth mention adds less
        than the first) or "binary" (fires anywhere).
    length_normalised : bool
        Divide sums by the number of tokens, per 100 of them, so that a long text is not like every
        other long text. A mean is that already; a maximum and a binary code are no sums.

    Returns
    -------
    csr_array [n, n_features], float32
        Without stored zeros; a company without tokens has an empty row.

    Raises
    ------
    DataError
        If the pooling is unknown or cannot be length-normalised, or a code is negative or of a
        latent that does not exist.
    """
    one_of("pooling", how, POOLINGS)
    if length_normalised and how in ("max", "binary"):
        raise DataError(
            f'"{how}" is no sum over tokens and cannot be length-normalised: '
            'leave that off, or pool by "log1p-sum", "sum" or "mean"'
        )
    reduce = np.maximum if how == "max" else np.add
    pieces = [_reduce(codes, rows, n_features, reduce) for rows in _pieces(codes)]
    entries, latents, data = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    if how == "mean" or length_normalised:
        tokens = np.repeat(np.diff(codes.offsets), entries)
        data *= (1 if how == "mean" else PER_TOKENS) / tokens
    if how == "log1p-sum":
        data = np.log1p(data)
    elif how == "binary":
        data = np.ones_like(data)
    starts = np.concatenate([[0], np.cumsum(entries)])
    starts = starts.astype(sparse.get_index_dtype(maxval=max(starts[-1], n_features)))
    shape = (len(entries), n_features)
    matrix = sparse.csr_array((data.astype(np.float32), latents, starts), shape=shape)
    matrix.eliminate_zeros()  # a sum may be too small for float32
    return matrix


def idf(matrix: Matrix) -> npt.NDArray[np.float64]:
    """Inverse document frequency log(n / df): 0 for a feature that every company has, or none.

    Parameters
    ----------
    matrix : CSR or ndarray [n, F]
        Features of the companies that are known; df counts a feature's nonzero values.
    """
    owners = companies_with(matrix)
    return np.where(owners > 0, np.log(matrix.shape[0] / np.maximum(owners, 1)), 0.0)


def standing_out(matrix: sparse.csr_array, count: int) -> sparse.csr_array:
    """Keep each company's strongest features, measured from the first that is left out.

    A long text has more features than a short one, and so shares more with any other long text;
    after this every company has as many, and its similarities no longer follow the length of its
    description. Soft thresholding (rather than cutting off) leaves no jump between the last feature
    that is kept and the first that is not.

    Parameters
    ----------
    matrix : csr_array [n, F]
        Weighted features, not negative.
    count : int
        Features kept per company; 0 keeps all as they are, and so does a company that has no more.

    Returns
    -------
    csr_array [n, F]
        At most `count` entries per row: each value less the row's (count + 1)-th largest.
    """
    sizes = np.diff(matrix.indptr)
    if not count or not len(sizes) or sizes.max() <= count:
        return matrix
    found = matrix.copy()
    level = np.zeros(matrix.shape[0], dtype=found.dtype)
    for row in np.flatnonzero(sizes > count):  # row by row: sorting all of them at once is slower
        own = found.data[found.indptr[row] : found.indptr[row + 1]]
        level[row] = np.partition(own, len(own) - count - 1)[len(own) - count - 1]
    found.data = np.maximum(found.data - np.repeat(level, sizes), 0)
    found.eliminate_zeros()
    return found


def companies_with(matrix: Matrix) -> npt.NDArray[np.int64]:
    """Count the companies that have each feature."""
    _, columns = matrix.nonzero()
    return np.bincount(columns, minlength=matrix.shape[1])


def _pieces(codes: TokenCodes) -> Iterator[slice]:
    """Cut the companies so that each piece has about `CODES_AT_ONCE` codes."""
    offsets = np.asarray(codes.starts[np.asarray(codes.offsets)])
    n, start = len(offsets) - 1, 0
    while start < n or start == 0:
        stop = int(np.searchsorted(offsets, offsets[start] + CODES_AT_ONCE, side="right")) - 1
        stop = min(max(stop, start + 1), n)
        yield slice(start, stop)
        start = max(stop, 1)


def _reduce(
    codes: TokenCodes, companies: slice, n_features: int, reduce: np.ufunc
) -> tuple[IntArray, IntArray, FloatArray]:
    """Entries per company, and latent and pooled value of each entry, for a piece of companies."""
    bounds = np.asarray(codes.starts[codes.offsets[companies.start : companies.stop + 1]])
    entries = slice(bounds[0], bounds[-1])
    values = np.asarray(codes.values[entries], dtype=np.float64)
    indices = np.asarray(codes.indices[entries], dtype=np.int64)
    if values.size and values.min() < 0:
        raise DataError("codes must not be negative: give each sign a latent of its own")
    if indices.size and not 0 <= indices.min() <= indices.max() < n_features:
        raise DataError(f"codes name latents {indices.min()}..{indices.max()} of {n_features}")
    owner = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    fires = values > 0
    keys, values = (owner * n_features + indices)[fires], values[fires]
    order = np.argsort(keys)
    keys = keys[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    found_owner, latents = np.divmod(keys[starts], n_features)
    counts = np.bincount(found_owner, minlength=len(bounds) - 1)
    return counts, latents.astype(np.int32), reduce.reduceat(values[order], starts)
