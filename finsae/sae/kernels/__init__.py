"""Triton kernels for the parts of a training step that torch does with needless memory traffic.

They serve tensors on a GPU where Triton is installed (torch's CUDA wheels bring it); everything
also runs without them. Sums are made in a fixed order, without atomic additions, so that the same
training ends with the same bits.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

from torch import Tensor


def usable(tensor: Tensor) -> bool:
    """Whether the kernels of this package serve `tensor`."""
    return tensor.is_cuda and _installed()


@cache
def _installed() -> bool:
    return find_spec("triton") is not None
