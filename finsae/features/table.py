"""The table of features: company x feature, named, with how it was made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.checks import DataError, nearest, one_of
from finsae.features.pooling import Matrix, TokenCodes, companies_with, idf
from finsae.store import alone, atomic_path, write_json

LABELS = "labels.parquet"
"""File of labels made for a features folder (`finsae label`); they take the place of the names."""
CODE_ARRAYS = ("values", "indices", "starts", "offsets", "spans")


@dataclass(frozen=True)
class Features:
    """What every company's description says, as one sparse row.

    Attributes
    ----------
    matrix : csr_array [n, F], float32
        How strongly each company has each feature.
    companies : DataFrame
        Index ``ticker``, one row per row of `matrix`; columns as in `Universe.companies`.
    names : DataFrame
        Index feature id, one row per column of `matrix`: ``label``, ``companies`` (how many have
        it) and ``idf`` (log of the share's inverse: how rare it is).
    codes : TokenCodes or None
        Where in the text each feature fires; None for features that are no token codes.
    provenance : mapping
        How they were made.
    """

    matrix: sparse.csr_array
    companies: pd.DataFrame
    names: pd.DataFrame
    codes: TokenCodes | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows, columns = self.matrix.shape
        if rows != len(self.companies) or columns != len(self.names):
            raise DataError(
                f"features of {rows} companies x {columns} need as many companies and names; "
                f"there are {len(self.companies)} and {len(self.names)}"
            )
        if self.codes is not None and len(self.codes.offsets) != rows + 1:
            raise DataError(f"codes of {len(self.codes.offsets) - 1} texts for {rows} companies")

    @classmethod
    def build(
        cls,
        matrix: Matrix,
        companies: pd.DataFrame,
        labels: Sequence[str],
        *,
        codes: TokenCodes | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> Features:
        """Assemble features, sparse or dense (mean-pooled activations, word weights, an embedding).

        Parameters
        ----------
        matrix : CSR or ndarray [n, F]
            One row per company.
        companies : DataFrame
            Index ``ticker``.
        labels : sequence of str
            One short name per feature.
        codes, provenance : optional
            As the attributes.
        """
        rows = sparse.csr_array(matrix).astype(np.float32)
        names = pd.DataFrame({"label": list(labels)}, index=pd.RangeIndex(len(labels), name="id"))
        if len(names) == rows.shape[1]:
            names = names.assign(companies=companies_with(rows), idf=idf(rows))
        return cls(rows, companies, names, codes, dict(provenance or {}))

    def weighted(self, weights: npt.NDArray[np.floating[Any]]) -> Features:
        """Multiply every feature by its weight, such as its idf.

        Parameters
        ----------
        weights : ndarray [F]
            To be learnt from the companies known at a date (`idf` of their rows).
        """
        scaled = self.matrix @ sparse.diags_array(np.asarray(weights, dtype=np.float32))
        return replace(self, matrix=sparse.csr_array(scaled))

    def position(self, ticker: str) -> int:
        """Row of a company.

        Raises
        ------
        DataError
            If there is none of that ticker, with the nearest that there is.
        """
        if ticker not in self.companies.index:
            one_of("ticker", ticker, self.companies.index)
        return int(self.companies.index.get_indexer(pd.Index([ticker]))[0])

    def save(self, folder: str | Path) -> Path:
        """Write the features to a folder: CSR as npz, tables as parquet, codes as plain arrays.

        The provenance is removed first and written last: a folder without it is not finished.
        """
        target = Path(folder)
        with alone(target):
            self._write(target)
        return target

    @classmethod
    def kept(cls, folder: str | Path, make: Callable[[], Features]) -> Features:
        """Load a finished folder, or make the features and save them there.

        Of two processes that want the same, the second waits for the first and finds its work.
        """
        target = Path(folder)
        finished = target / "provenance.json"
        if not finished.is_file():
            with alone(target):
                if not finished.is_file():
                    make()._write(target)
        return cls.load(target)

    def _write(self, target: Path) -> None:
        (target / "provenance.json").unlink(missing_ok=True)
        (target / LABELS).unlink(missing_ok=True)  # they were of other features
        with atomic_path(target / "features.npz") as temporary:
            sparse.save_npz(temporary, self.matrix, compressed=False)
        for name, table in (("companies", self.companies), ("names", self.names)):
            with atomic_path(target / f"{name}.parquet") as temporary:
                table.to_parquet(temporary, compression="zstd")
        for name in CODE_ARRAYS:
            path = target / "codes" / f"{name}.npy"
            if self.codes is None:
                path.unlink(missing_ok=True)
                continue
            with atomic_path(path) as temporary, temporary.open("wb") as handle:
                np.save(handle, getattr(self.codes, name))
        write_json(target / "provenance.json", self.provenance)

    @classmethod
    def load(cls, folder: str | Path) -> Features:
        """Read a folder that `save` has written; codes stay on disk, memory-mapped.

        Labels that `finsae label` has put there replace the names.

        Raises
        ------
        DataError
            If there is no such folder, or what is in it is no finished set of features.
        """
        source = Path(folder)
        wanted = [source / name for name in ("features.npz", "companies.parquet", "names.parquet")]
        missing = [
            path.name for path in [*wanted, source / "provenance.json"] if not path.is_file()
        ]
        if missing:
            raise DataError(_not_features(source, missing))
        try:
            matrix = sparse.load_npz(wanted[0])
            companies, names = pd.read_parquet(wanted[1]), pd.read_parquet(wanted[2])
            names = _relabelled(names, source / LABELS)
            made = dict(json.loads((source / "provenance.json").read_text()))
            codes = _load_codes(source / "codes")
            return cls(sparse.csr_array(matrix), companies, names, codes, made)
        except (OSError, ValueError, TypeError, KeyError, EOFError, BadZipFile) as error:
            raise DataError(
                f'the features in "{source}" cannot be read ({error}); '
                f"make them again: finsae build-features --out {source}"
            ) from None


def _relabelled(names: pd.DataFrame, file: Path) -> pd.DataFrame:
    if not file.is_file():
        return names
    labels = pd.read_parquet(file, columns=["id", "label"]).set_index("id")["label"]
    return names.assign(label=labels.reindex(names.index).fillna(names["label"]))


def _load_codes(folder: Path) -> TokenCodes | None:
    paths = [folder / f"{name}.npy" for name in CODE_ARRAYS]
    if not any(path.is_file() for path in paths):
        return None
    return TokenCodes(*(np.load(path, mmap_mode="r") for path in paths))


def _not_features(folder: Path, missing: Sequence[str]) -> str:
    way_out = f"make them: finsae build-features --out {folder}"
    if not folder.is_dir():
        around = folder.parent.iterdir() if folder.parent.is_dir() else ()
        return f'no folder "{folder}"{nearest(folder.name, (p.name for p in around))}; {way_out}'
    return f'no finished features in "{folder}" (without {", ".join(missing)}); {way_out}'
