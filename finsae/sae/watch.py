"""Scalars of a training for TensorBoard, written as it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from finsae.checks import DataError

INSTALL = 'pip install "finsae[tensorboard]"'
SHOWN = ("fvu", "l0", "dead", "tokens_per_second", "extra_loss", "recall")  # of the history


class Watch:
    """Event files of TensorBoard in a folder, one curve per SAE.

    Parameters
    ----------
    folder : path
        Made with the first row.

    Raises
    ------
    DataError
        If TensorBoard is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError as error:
            raise DataError(f"TensorBoard is not installed: {INSTALL}") from error
        self._open: Any = SummaryWriter
        self._writers: dict[str, Any] = {}
        self.folder = Path(folder)

    def note(self, name: str, row: Mapping[str, float]) -> None:
        """Write a row of an SAE's history at the number of tokens seen."""
        tokens = int(row["tokens"])
        if name not in self._writers:  # what a killed training wrote after its checkpoint goes
            self._writers[name] = self._open(str(self.folder / name), purge_step=tokens)
        for scalar in SHOWN:
            self._writers[name].add_scalar(scalar, row[scalar], tokens)
        self._writers[name].flush()

    def close(self) -> None:
        """Finish the files."""
        for writer in self._writers.values():
            writer.close()


_current: ContextVar[Watch | None] = ContextVar("watch", default=None)


def current() -> Watch | None:
    """Give the one who looks on, if there is one."""
    return _current.get()


@contextmanager
def tensorboard(folder: str | Path) -> Iterator[None]:
    """Write FVU, L0, dead share, tokens per second and so on of every SAE trained within.

    ``tensorboard --logdir FOLDER`` shows them, against tokens seen, a curve per SAE.

    Parameters
    ----------
    folder : path
        For the event files.

    Raises
    ------
    DataError
        If TensorBoard is not installed.
    """
    watch = Watch(folder)
    token = _current.set(watch)
    try:
        yield
    finally:
        _current.reset(token)
        watch.close()
