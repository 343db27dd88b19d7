"""The table of features: company x feature, named, with how it was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from finsae.artefact import SEAL, check_seal, reading, replacing, seal, write_array
from finsae.checks import DataError, nearest, one_of
from finsae.features.pooling import Matrix, TokenCodes, companies_with, idf
from finsae.markup import Grid, Shown, View
from finsae.store import alone, parse_object, plain, read_parquet, readable, write_json

SCHEMA = 1  # raised when the files of a folder, or what they hold, change
MATRIX, MADE = "features.npz", "provenance.json"
LABELS = "labels.parquet"
"""File of labels made for a features folder (`finsae label`); they take the place of the names."""
EXAMPLES, NAMED = 5, 4
"""Companies that a notebook shows of a table, and features of each."""
CODE_ARRAYS = ("values", "indices", "starts", "offsets", "spans")


@dataclass(frozen=True)
class Features(Shown):
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

        Features of before are replaced as a whole, their labels with them; whoever is killed, or
        runs out of disk, leaves them as they were. The provenance is written last, with the
        checksums of the others: a folder without it is not finished.
        """
        target = Path(folder)
        arrays = (f"codes/{name}.npy" for name in CODE_ARRAYS)
        with replacing(target, gone=[*arrays, LABELS]) as staging:
            self._write(staging)
        return target

    @classmethod
    def kept(cls, folder: str | Path, make: Callable[[], Features]) -> Features:
        """Load a finished folder, or make the features and save them there.

        Of two processes that want the same, the second waits for the first and finds its work.
        """
        target = Path(folder)
        finished = target / MADE
        if not finished.is_file():
            with alone(target):
                if not finished.is_file():
                    make().save(target)
        return cls.load(target)

    def _write(self, target: Path) -> None:
        sparse.save_npz(target / MATRIX, self.matrix, compressed=False)
        files = [MATRIX]
        for name, table in (("companies", self.companies), ("names", self.names)):
            files.append(f"{name}.parquet")
            table.to_parquet(target / files[-1], compression="zstd")
        if self.codes is not None:
            (target / "codes").mkdir()
            for name in CODE_ARRAYS:
                files.append(f"codes/{name}.npy")
                write_array(target / files[-1], getattr(self.codes, name))
        made = plain(self.provenance)
        sealed = seal(target, files, schema=SCHEMA, content=made)
        write_json(target / MADE, {**made, SEAL: sealed})

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
        with reading(source):
            wanted = (MATRIX, "companies.parquet", "names.parquet", MADE)
            missing = [name for name in wanted if not (source / name).is_file()]
            if missing:
                raise DataError(_not_features(source, missing))
            again = f"delete the folder and make them again: finsae build-features --out {source}"
            with readable(f'the features in "{source}"', again):
                return cls._read(source)

    def _view(self) -> View:
        companies, count = self.matrix.shape
        each = np.median(np.diff(self.matrix.indptr)) if companies else 0
        made = dict(self.provenance.get("reading", {}))
        layers = self.provenance.get("layers", ())
        if len(layers) > 1:  # of an autoencoder of groups; the reading names one all the same
            made["layer"] = "+".join(str(layer) for layer in layers)
        how = ", ".join(f"{name} = {value}" for name, value in made.items())
        lines = [
            f"Features of {companies:,} companies: {count:,}, of which a company has {each:,.0f} "
            "(median)"
        ]
        first = self.companies.head(EXAMPLES)
        names = first.get("name", first.index)
        rows = [
            (ticker, name, _strongest(self, row))
            for row, (ticker, name) in enumerate(zip(first.index, names, strict=True))
        ]
        columns = ["company", "name", "features it has most of, and few others have"]
        grid = Grid(f"The first {len(rows)} of {companies:,}", columns, rows)
        return View([*lines, *([f"Read with {how}."] if how else [])], [grid] if rows else [])

    @classmethod
    def _read(cls, source: Path) -> Features:
        made = parse_object((source / MADE).read_text())
        sealed = made.pop(SEAL, None)
        check_seal(source, sealed, schema=SCHEMA, content=made, holder=MADE)
        matrix = sparse.csr_array(sparse.load_npz(source / MATRIX))
        companies = pd.read_parquet(source / "companies.parquet")
        names = _relabelled(pd.read_parquet(source / "names.parquet"), source / LABELS)
        return cls(matrix, companies, names, _load_codes(source / "codes"), made)


def _strongest(features: Features, row: int) -> str:
    """Name the features that a company has most of and few others have, if any has a name."""
    own = features.matrix[[row]]
    rare = features.names["idf"].to_numpy()[own.indices] * own.data
    best = own.indices[np.argsort(-rare, kind="stable")[:NAMED]]
    return "; ".join(str(label) for label in features.names["label"].iloc[best] if label)


def _relabelled(names: pd.DataFrame, file: Path) -> pd.DataFrame:
    if not file.is_file():
        return names
    labels = read_parquet(file, columns=["id", "label"]).set_index("id")["label"]
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
