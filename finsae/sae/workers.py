"""Several processes that train SAEs together, each on its share of every batch.

Every worker holds all weights and takes the same optimiser step. What a step decides over a whole
batch (its variance, the bar of BatchTopK, L0, which latents fired) is agreed on in numbers of a few
bytes; shares are equal, so that a mean of the workers' means is the batch's. What costs are the
gradients. Each worker's are rows of the latents that its own tokens activate, and only those are
sent where that is less than a dense sum: with u of n latents touched, W workers send ``(W - 1) u``
rows each, a ring ``2 (W - 1) / W n``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from finsae.checks import DataError

PATIENCE = timedelta(days=30)  # one worker may read texts for long; torchrun ends the dead
BACKEND = "cpu:gloo,cuda:nccl"

Made = TypeVar("Made")


class Workers:
    """The processes that train together; by default one, for which nothing changes.

    Parameters
    ----------
    rank, count : int
        This process and how many there are.

    Attributes
    ----------
    sent : int
        Bytes of gradients that this worker has sent.
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count
        self.sent = 0

    @property
    def lead(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def share(self, batch: int) -> slice:
        """Give this worker's tokens of a batch.

        Raises
        ------
        DataError
            If the workers cannot have equal shares.
        """
        own, rest = divmod(batch, self.count)
        if rest:
            raise DataError(
                f"{self.count} workers cannot share batches of {batch:,} tokens equally: "
                f"take Training(batch={own * self.count or self.count})"
            )
        return slice(self.rank * own, (self.rank + 1) * own)

    def average(self, own: Tensor) -> Tensor:
        """Average a tensor of the same shape over the workers."""
        if self.count == 1:
            return own
        total = own.clone()
        dist.all_reduce(total)
        return total.div_(self.count)

    def largest(self, own: Tensor) -> Tensor:
        """Take the elementwise maximum over the workers."""
        if self.count == 1:
            return own
        found = own.clone()
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return found

    def gathered(self, own: Tensor) -> Tensor:
        """Give all workers' tensors of the same shape, one after the other: workers x shape."""
        if self.count == 1:
            return own[None]
        found = own.new_empty(self.count, *own.shape)
        dist.all_gather(list(found), own.contiguous())
        return found

    def begin_alike(self, tensors: Mapping[str, Tensor]) -> None:
        """Overwrite the tensors by those of the first worker."""
        if self.count > 1:
            for name in sorted(tensors):
                dist.broadcast(tensors[name], 0)

    def in_turn(self, make: Callable[[], Made]) -> Made:
        """Let the first worker make what is kept on disk, then the others find it."""
        if self.count == 1:
            return make()
        if self.lead:
            made = make()
            dist.barrier()
            return made
        dist.barrier()
        return make()

    @torch.no_grad()
    def average_gradients(self, gradients: Mapping[str, Tensor]) -> None:
        """Average gradients over the workers, in place and with the same bits everywhere.

        Parameters
        ----------
        gradients : mapping
            ``b_dec``, and others with a row or a number per latent.
        """
        if self.count == 1:
            return
        rows = [gradients[name] for name in sorted(gradients) if name != "b_dec"]
        rows = [gradient.view(len(gradient), -1) for gradient in rows]
        # four times as fast as any(1); what underflows in it lies far below Adam's epsilon
        lengths = [torch.linalg.vector_norm(part, dim=1) for part in rows]
        touched = torch.stack(lengths).any(0).nonzero().flatten()
        counts = self.gathered(touched.new_tensor([len(touched)])).flatten().tolist()
        whole, width = len(rows[0]), sum(part.shape[1] for part in rows)
        dense = [gradients["b_dec"]]
        if self.count * max(counts) < 2 * whole:
            self._add_rows(rows, touched, counts)
            self.sent += (self.count - 1) * max(counts) * (4 * width + touched.element_size())
        else:
            dense += rows
        for gradient in dense:
            gradient.div_(self.count)
            dist.all_reduce(gradient)
            self.sent += 2 * (self.count - 1) * gradient.nbytes // self.count

    def _add_rows(self, parts: list[Tensor], touched: Tensor, counts: list[int]) -> None:
        """Average by sending only rows that are not zero, added up in the workers' order."""
        widths = [part.shape[1] for part in parts]
        packed = parts[0].new_zeros(max(counts), sum(widths))
        torch.cat([part[touched] for part in parts], 1, out=packed[: len(touched)])
        numbers = touched.new_zeros(max(counts))
        numbers[: len(touched)] = touched
        theirs, at = self.gathered(packed.div_(self.count)), self.gathered(numbers)
        for part in parts:
            part.zero_()
        for found, latents, count in zip(theirs, at, counts, strict=True):
            for part, own in zip(parts, found[:count].split(widths, 1), strict=True):
                part.index_add_(0, latents[:count], own.to(part.dtype))


_current: ContextVar[Workers | None] = ContextVar("workers", default=None)


def current() -> Workers:
    """Give the workers that train together: one, outside of `data_parallel`."""
    return _current.get() or Workers()


@contextmanager
def data_parallel() -> Iterator[Workers]:
    """Train together with the other processes that ``torchrun`` started, if it did.

    Every SAE fitted within learns from the same batches as without, each worker from its share,
    and ends with the same weights up to rounding; a killed run goes on from its checkpoint with
    the same bits. All workers run the same program; one GPU each where there are GPUs. Only the
    first (``workers.lead``) judges, names and saves SAEs.

    Yields
    ------
    Workers
        One, where torchrun did not start this process.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 and not dist.is_initialized():
        yield Workers()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    own = not dist.is_initialized()
    if own:
        dist.init_process_group(BACKEND if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    workers = Workers(dist.get_rank(), dist.get_world_size())
    token = _current.set(workers)
    try:
        yield workers
        dist.barrier()  # the others wait until the first has saved
    finally:
        _current.reset(token)
        if own:
            dist.destroy_process_group()
