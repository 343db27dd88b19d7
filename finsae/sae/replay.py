"""Training steps on a GPU as a CUDA graph: recorded once, then launched as a whole.

A step is some fifty kernels of which many take less time than their launch. A recorded step is
launched at once. It reads and writes the same memory each time, so only steps whose shapes do not
depend on the data can be recorded (`Coder.static`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor

from finsae.sae.kernels import on_gpu_of

WARM_UP = 3  # steps before recording: kernels are compiled, libraries take their memory


class Replay:
    """A step that is recorded once its shapes have settled.

    Parameters
    ----------
    step : callable
        Works on a batch, and on nothing else that moves in memory.
    """

    def __init__(self, step: Callable[[Tensor], None]) -> None:
        self.step = step
        self.key: Hashable = None
        self.forget()

    def forget(self) -> None:
        """Record anew: what the step works on has moved."""
        self.graph: torch.cuda.CUDAGraph | None = None
        self.batch: Tensor | None = None
        self.seen = 0

    def __call__(self, batch: Tensor, *, key: Hashable, plainly: bool = False) -> None:
        """Take a step.

        Parameters
        ----------
        batch : Tensor
            Of one shape.
        key : hashable
            Whatever decides the step's shapes and kernels besides; another one is recorded anew.
        plainly : bool
            Whether to run the step itself, recorded or not: what it does in Python counts.
        """
        if key != self.key:
            self.forget()
            self.key = key
        if plainly or self.seen < WARM_UP:
            self.seen += 1
            self.step(batch)
            return
        if self.graph is None or self.batch is None:
            self.batch = torch.empty_like(batch)
            self.graph = recorded(self.step, self.batch)
        self.batch.copy_(batch)
        with on_gpu_of(batch):
            self.graph.replay()


def recorded(step: Callable[[Tensor], None], batch: Tensor) -> torch.cuda.CUDAGraph:
    """Record a step on `batch`, without taking it."""
    with on_gpu_of(batch):
        graph, lane = torch.cuda.CUDAGraph(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        # by default CUDA also forbids the reader's thread to wait for its copies meanwhile
        with torch.cuda.graph(graph, stream=lane, capture_error_mode="thread_local"):
            step(batch)
    return graph


@contextmanager
def full_float32(device: torch.device) -> Iterator[None]:
    """Multiply float32 as float32 on a GPU within, whatever else the process has set.

    TF32 keeps 10 of 23 bits. What is to be fast is in bfloat16 here, and what is in float32 is
    there to be exact.
    """
    if device.type != "cuda":
        yield
        return
    read, write, exact = _precision()
    before = read()
    write(exact)
    try:
        yield
    finally:
        write(before)


def _precision() -> tuple[Callable[[], str], Callable[[str], None], str]:
    """Give how the precision is read and set, and the exact one.

    torch 2.9 has a second way, and whoever used that one may not use the first any more.
    """
    try:
        torch.get_float32_matmul_precision()
    except RuntimeError:
        place = torch.backends.cuda.matmul
        return (lambda: place.fp32_precision), partial(setattr, place, "fp32_precision"), "ieee"
    return torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest"
