"""Triton kernels for the parts of a training step that torch does with needless memory traffic.

They serve tensors on a GPU where Triton is installed (torch's CUDA wheels bring it); everything
also runs without them. Sums are made in a fixed order, without atomic additions, so that the same
training ends with the same bits.
"""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor


def usable(tensor: Tensor) -> bool:
    """Whether the kernels of this package serve `tensor`."""
    return tensor.is_cuda and _works()


def on_gpu_of(tensor: Tensor) -> AbstractContextManager[None]:
    """Make the GPU of `tensor` the current one within, on which what is launched runs."""
    found: AbstractContextManager[None] = torch.cuda.device_of(tensor)  # type: ignore[no-untyped-call]
    return found


@cache
def _works() -> bool:
    """Try one kernel: to launch it, Triton needs a C compiler and Python's headers besides."""
    if find_spec("triton") is None:
        return False
    try:
        from finsae.sae.kernels import products

        one = torch.ones(1, 1, device="cuda")
        none = torch.zeros(1, dtype=torch.int64, device="cuda")
        products.dots(one, one, none, tokens=none).item()
    except Exception as error:  # whatever its compiler and driver raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        warnings.warn(
            f"Triton is installed but does not run ({reason}): training goes on without its "
            "kernels, slower. It needs a C compiler and Python's headers",
            stacklevel=2,
        )
        return False
    return True
