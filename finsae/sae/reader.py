"""Reading ahead: the next batch is read and sent to the GPU while the present one is learnt."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from queue import Empty, Full, Queue
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

WAIT = 0.1  # seconds between looks at whether the other side has gone
SLOTS = 2

Item = Tensor | BaseException | None


def moved(source: Iterator[npt.NDArray[Any]], device: torch.device) -> Generator[Tensor]:
    """Give arrays as tensors on a device, in order.

    On a CPU they are read when asked for: a thread would only take the cores' time.
    """
    if device.type == "cpu":
        return (torch.from_numpy(rows) for rows in source)
    return ahead(source, device)


def ahead(source: Iterator[npt.NDArray[Any]], device: torch.device) -> Generator[Tensor]:
    """Give arrays as tensors on a device, in order, read by a thread that is one or two ahead.

    On a GPU, arrays go through two buffers of page-locked memory, which are copied by the device
    on a stream of its own. An exception of the source is raised where its array would have come;
    the thread ends when the iterator is closed.
    """
    lane = _Pinned(device) if device.type == "cuda" else _Lane()
    ready: Queue[Item] = Queue(SLOTS - 1)
    gone = threading.Event()
    thread = threading.Thread(
        target=_read, args=(source, lane), kwargs={"ready": ready, "gone": gone}, daemon=True
    )
    thread.start()
    try:
        while True:
            item = ready.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield lane.send(item)
    finally:
        gone.set()
        thread.join()


class _Lane:
    """The way to a device that reads where arrays are."""

    def take(self, rows: npt.NDArray[Any], gone: threading.Event) -> Tensor:
        """Make a tensor of an array, in the reader's thread."""
        return torch.from_numpy(np.ascontiguousarray(rows))

    def send(self, tensor: Tensor) -> Tensor:
        """Move it to the device, in the learner's thread."""
        return tensor


class _Pinned(_Lane):
    """The way to a GPU."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.stream = device, torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.free: Queue[tuple[Tensor | None, torch.cuda.Event | None]] = Queue()
        for _ in range(SLOTS):
            self.free.put((None, None))

    def take(self, rows: npt.NDArray[Any], gone: threading.Event) -> Tensor:
        slot: Tensor | None
        slot, sent = _get(self.free, gone)
        if sent is not None:
            sent.synchronize()  # this thread waits, not the learner's
        read = torch.from_numpy(np.ascontiguousarray(rows))
        if slot is None or slot.shape != read.shape or slot.dtype != read.dtype:
            slot = torch.empty_like(read, pin_memory=True)
        return slot.copy_(read)

    def send(self, tensor: Tensor) -> Tensor:
        learner, sent = torch.cuda.current_stream(self.device), torch.cuda.Event()  # type: ignore[no-untyped-call]
        with torch.cuda.stream(self.stream):
            there = tensor.to(self.device, non_blocking=True)
            sent.record(self.stream)
        learner.wait_event(sent)
        there.record_stream(learner)
        self.free.put((tensor, sent))
        return there


def _read(
    source: Iterator[npt.NDArray[Any]],
    lane: _Lane,
    *,
    ready: Queue[Item],
    gone: threading.Event,
) -> None:
    last: Item = None
    try:
        for rows in source:
            _put(ready, lane.take(rows, gone), gone)
            if gone.is_set():
                return
    except BaseException as error:
        last = error
    _put(ready, last, gone)


def _put(queue: Queue[Item], item: Item, gone: threading.Event) -> None:
    while not gone.is_set():
        try:
            queue.put(item, timeout=WAIT)
            return
        except Full:
            continue


def _get(queue: Queue[Any], gone: threading.Event) -> Any:  # noqa: ANN401 - what the queue holds
    while not gone.is_set():
        try:
            return queue.get(timeout=WAIT)
        except Empty:
            continue
    return None, None
