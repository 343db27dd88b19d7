"""The sparse core: select k latents per token, decode them, and the gradients of both.

Codes are ``(values, indices)``, tokens x k. A tokens x latents matrix exists only tile by tile,
before selection. The gradients are written out: with n latents, dense autograd needs twelve d x n
products per token, these need the encoder's two and 8 d k (Gao et al. 2024, arXiv 2406.04093, app.
on systems).
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

# Pre-activations held at once: on a CPU the tile should stay near its caches.
TILE_ELEMENTS = {"cpu": 2**22, "cuda": 2**28}


class Parameters(NamedTuple):
    """Weights of an SAE, or their gradients, one row per latent.

    With x a token, z its code: ``u = W_enc (x - b_dec) + b_enc``, ``x_hat = z W_dec + b_dec``.
    """

    W_enc: Tensor  # latents x width
    W_dec: Tensor  # latents x width
    b_enc: Tensor  # latents
    b_dec: Tensor  # width


class Step(NamedTuple):
    """What one batch gives: gradients, the fraction of variance unexplained, and the codes."""

    gradients: Parameters
    fvu: Tensor
    aux_loss: Tensor
    values: Tensor
    indices: Tensor


def select(centred: Tensor, W_enc: Tensor, b_enc: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Keep the k largest pre-activations of each token, then drop the negative ones.

    Parameters
    ----------
    centred : Tensor
        Tokens x width, less ``b_dec``.
    W_enc, b_enc : Tensor
        Latents x width, and latents.
    k : int
        Codes per token.

    Returns
    -------
    values, indices : Tensor
        Both tokens x k, values descending and at least 0, indices int64.
    """
    values = centred.new_empty(len(centred), k)
    indices = torch.empty(len(centred), k, dtype=torch.int64, device=centred.device)
    tile = max(1, TILE_ELEMENTS[centred.device.type] // len(W_enc))
    room = centred.new_empty(min(tile, len(centred)), len(W_enc))
    for start in range(0, len(centred), tile):
        rows = slice(start, start + tile)
        part = centred[rows]
        pre = torch.addmm(b_enc, part, W_enc.T, out=room[: len(part)])
        torch.topk(pre, k, dim=1, out=(values[rows], indices[rows]))
    return values.relu_(), indices


def decode(values: Tensor, indices: Tensor, W_dec: Tensor) -> Tensor:
    """Sum the decoder rows of each token's codes, weighted by their values: tokens x width."""
    return embedding_bag(indices, W_dec, per_sample_weights=values, mode="sum")


class Fit(NamedTuple):
    """How well some latents rebuild a target, with the gradients of that loss."""

    loss: Tensor
    miss: Tensor
    values: Tensor
    indices: Tensor
    W_enc: Tensor
    W_dec: Tensor
    b_enc: Tensor


@torch.no_grad()
def gradients(
    p: Parameters, x: Tensor, *, k: int, dead: Tensor, k_aux: int, aux_coefficient: float
) -> Step:
    """Gradients of ``FVU + aux_coefficient * AuxK`` for one batch.

    ``FVU = sum |x_hat - x|^2 / sum |x - mean x|^2``. AuxK lets the dead latents alone rebuild what
    the live ones miss, ``e = x - x_hat`` with its sign and without ``b_dec``, through their own top
    ``k_aux``; e is a constant there (Gao et al. 2024, section 2.3 and appendix A.2).

    Parameters
    ----------
    p : Parameters
        Current weights.
    x : Tensor
        Tokens x width.
    k : int
        Codes per token.
    dead : Tensor
        Numbers of the dead latents.
    k_aux : int
        Dead latents that take part per token; all of them where fewer are dead.
    aux_coefficient : float
        Weight of AuxK.
    """
    centred = x - p.b_dec
    main = _fit(p, centred, centred, k=k)
    b_dec = main.miss.sum(0).mul_(2 / _variation(centred)) - main.b_enc @ p.W_enc
    found = Parameters(main.W_enc, main.W_dec, main.b_enc, b_dec)
    aux_loss = torch.zeros_like(main.loss)
    if len(dead) and k_aux:
        part = Parameters(p.W_enc[dead], p.W_dec[dead], p.b_enc[dead], p.b_dec)
        aux = _fit(part, centred, -main.miss, k=min(k_aux, len(dead)))
        for whole, rows in zip(found[:3], (aux.W_enc, aux.W_dec, aux.b_enc), strict=True):
            whole.index_add_(0, dead, rows, alpha=aux_coefficient)
        b_dec.sub_(aux.b_enc @ part.W_enc, alpha=aux_coefficient)
        aux_loss = aux.loss
    return Step(found, main.loss, aux_loss, main.values, main.indices)


def _fit(p: Parameters, centred: Tensor, target: Tensor, *, k: int) -> Fit:
    """Loss ``|z W_dec - target|^2 / variation(target)``, with z the codes of `centred`.

    The main loss has `centred` itself as its target, AuxK what the main loss missed.
    """
    values, indices = select(centred, p.W_enc, p.b_enc, k)
    with torch.enable_grad():  # a graph of tokens x k only: torch's kernel for sampled products
        weights = values.detach().requires_grad_()
        rebuilt = decode(weights, indices, p.W_dec.detach())
    miss = rebuilt.detach() - target
    variation = _variation(target)
    pull = miss * (2 / variation)
    (d_values,) = torch.autograd.grad(rebuilt, weights, pull)
    d_values = d_values * (values > 0)
    latents = len(p.W_dec)
    W_enc, W_dec = _scatter(indices, (d_values, centred), (values, pull), latents=latents)
    b_enc = torch.bincount(indices.flatten(), d_values.flatten(), minlength=latents)
    loss = miss.square().sum() / variation
    return Fit(loss, miss, values, indices, W_enc, W_dec, b_enc.to(centred.dtype))


def _variation(x: Tensor) -> Tensor:
    """Sum of squared distances to the batch mean; never 0, so that a perfect fit gives loss 0."""
    return (x - x.mean(0)).square().sum().clamp_min(torch.finfo(x.dtype).tiny)


def _scatter(indices: Tensor, *sums: tuple[Tensor, Tensor], latents: int) -> list[Tensor]:
    """For each ``(weights, rows)``, add up ``weights * row`` per latent: latents x width.

    The codes are sorted by latent once, and each sum is a sparse-dense product.
    """
    flat = indices.flatten()
    order = flat.argsort(stable=True)
    token = order // indices.shape[1]
    starts = torch.zeros(latents + 1, dtype=torch.int64, device=flat.device)
    starts[1:] = torch.bincount(flat, minlength=latents).cumsum(0)
    shape = (latents, len(indices))
    with warnings.catch_warnings():  # torch calls its CSR layout "beta" once per process
        warnings.filterwarnings("ignore", "Sparse CSR tensor support")
        return [
            torch.sparse_csr_tensor(
                starts, token, weights.flatten()[order], shape, check_invariants=False
            )
            @ rows
            for weights, rows in sums
        ]


@torch.no_grad()
def project_gradient(p: Parameters, gradient: Tensor) -> None:
    """Take out of the decoder's gradient what would only change the length of a unit row."""
    gradient.sub_((gradient * p.W_dec).sum(1, keepdim=True) * p.W_dec)


@torch.no_grad()
def normalise_rows(W_dec: Tensor) -> None:
    """Give every decoder row unit length, in place."""
    W_dec.div_(W_dec.norm(dim=1, keepdim=True).clamp_min_(torch.finfo(W_dec.dtype).tiny))
