"""Losses of sparse codes, with their gradients written out.

Weights are a dict of tensors: ``W_enc`` and ``W_dec`` latents x width, ``b_enc`` latents, ``b_dec``
width, and what an architecture adds. With x a token and z its code, ``u = W_enc (x - b_dec) +
b_enc`` and ``x_hat = z W_dec + b_dec``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from finsae.sae import kernels, selection, workers
from finsae.sae.codes import ByLatent, Codes, decode, fixed, sampled
from finsae.sae.settings import Training

Weights = dict[str, Tensor]


@dataclass
class Moment:
    """Where a training is when a step is taken.

    Attributes
    ----------
    step, steps : int
        This step, from 0, and their number.
    training : Training
        Settings.
    dead : Tensor
        Latents that have not fired for long, int64.
    memory : dict of str to Tensor
        What the architecture keeps between steps besides its weights; saved with checkpoints.
    padding : Tensor, optional
        Where `dead` is filled up to a length that seldom changes: 1 for a dead latent, 0 for
        padding.
    rows : Tensor, optional
        The batch as it was read, before a layer was chosen and scaled.
    """

    step: int
    steps: int
    training: Training
    dead: Tensor
    memory: dict[str, Tensor] = field(default_factory=dict)
    padding: Tensor | None = None
    rows: Tensor | None = None


class Fit(NamedTuple):
    """How well codes rebuild a target."""

    loss: Tensor  # |z W_dec - target|^2 / variation(target)
    miss: Tensor  # z W_dec - target, tokens x width
    pull: Tensor  # derivative of the loss by z W_dec, tokens x width
    d_values: Tensor  # derivative by each value


class Step(NamedTuple):
    """What one batch gives: gradients, the fraction of variance unexplained, the codes."""

    gradients: Weights
    fvu: Tensor
    extra: Tensor  # the rest of the loss: AuxK, sparsity penalties
    codes: Codes


def fit(codes: Codes, target: Tensor, W_dec: Tensor) -> Fit:
    """Squared error of the codes' reconstruction, as a share of the target's variation."""
    miss, error = compare(codes, target, W_dec)
    whole = variation(target)
    pull = miss * (2 / whole)
    return Fit(error / whole, miss, pull, sampled(codes, pull, W_dec))


def compare(codes: Codes, target: Tensor, W_dec: Tensor) -> tuple[Tensor, Tensor]:
    """Give ``z W_dec - target``, tokens x width, and its sum of squares."""
    if kernels.usable(target):
        from finsae.sae.kernels import products

        return products.fit(*codes, W_dec=W_dec, target=target)
    miss = decode(codes, W_dec) - target
    return miss, squares(miss)


def variation(x: Tensor) -> Tensor:
    """Sum of squared distances to the batch mean; never 0, so that a perfect fit gives loss 0.

    Of a batch that workers share, the mean share: gradients are averaged over them.
    """
    together = workers.current()
    whole = together.average(squares(x - together.average(x.mean(0))))
    return whole.clamp_min(torch.finfo(x.dtype).tiny)


def squares(x: Tensor) -> Tensor:
    """Sum of squares, without a second matrix."""
    flat = x.flatten()
    return flat.dot(flat)


def through(
    weights: Weights, centred: Tensor, codes: Codes, *, d_pre: Tensor, pull: Tensor
) -> Weights:
    """Gradients by all weights, given those by pre-activations (entries) and reconstruction.

    The decoder's share is ``sum values * pull``, the encoder's ``sum d_pre * centred``; ``b_dec``
    is added to the reconstruction and taken from every token, and the second part needs one
    latents x width product for the whole batch, since all tokens share it.
    """
    by_latent = ByLatent(codes, len(weights["W_enc"]))
    gradients = through_encoder(weights, centred, codes, d_pre=d_pre, by_latent=by_latent)
    gradients["W_dec"] = by_latent.sum(codes.values, pull)
    gradients["b_dec"] += pull.sum(0)
    return gradients


def through_encoder(
    weights: Weights,
    centred: Tensor,
    codes: Codes,
    *,
    d_pre: Tensor,
    by_latent: ByLatent | None = None,
) -> Weights:
    """Gradients by ``W_enc``, its bias (as ``b_enc``) and ``b_dec``, given those by entries."""
    by_latent = by_latent or ByLatent(codes, len(weights["W_enc"]))
    b_enc = by_latent.total(d_pre)
    return {
        "W_enc": by_latent.sum(d_pre, centred),
        "b_enc": b_enc,
        "b_dec": -(b_enc @ weights["W_enc"]),
    }


def aux_k(
    weights: Weights,
    gradients: Weights,
    *,
    centred: Tensor,
    miss: Tensor,
    moment: Moment,
    signed: bool = False,
) -> Tensor:
    """Let the dead latents alone rebuild what the live ones miss; add it to `gradients`.

    The target is ``e = x - x_hat`` with its sign and without ``b_dec``, a constant; the codes are
    the dead latents' own top k (Gao et al. 2024, section 2.3 and appendix A.2).

    Returns
    -------
    Tensor
        The loss, times its coefficient; 0 where nothing is dead.
    """
    dead, coefficient = moment.dead, moment.training.aux_coefficient
    k = min(moment.training.dead_codes(centred.shape[1]), len(dead))
    if not k or not coefficient:
        return miss.new_zeros(())
    part = {name: weights[name][dead] for name in ("W_enc", "W_dec", "b_enc")}
    if moment.padding is not None:  # latents of zeros: they never fire and get no gradient
        column = moment.padding[:, None]
        part = {n: (rows.view(len(dead), -1) * column).view_as(rows) for n, rows in part.items()}
    codes = fixed(*selection.top_k(centred, part["W_enc"], part["b_enc"], k, signed=signed))
    found = fit(codes, -miss, part["W_dec"])
    d_pre = found.d_values * (codes.values != 0)
    share = through(part, centred, codes, d_pre=d_pre, pull=found.pull)
    for name in part:
        gradients[name].index_add_(0, dead, share[name], alpha=coefficient)
    # e is a constant: only the encoder's way to b_dec remains
    gradients["b_dec"].sub_(share["b_enc"] @ part["W_enc"], alpha=coefficient)
    return found.loss * coefficient


def starting_bar(weights: Weights, some: Tensor, l0: float) -> Tensor:
    """Find the pre-activation above which `l0` latents of a token are, on average.

    Architectures without a fixed k start there and not with half their latents active: codes stay
    sparse from the first step.
    """
    first = some[:4096] - weights["b_dec"]
    found = selection.largest_of_batch(
        first, weights["W_enc"], weights["b_enc"], max(1, round(l0 * len(first)))
    )
    return found.values.min() if len(found.values) else first.new_zeros(())


@torch.no_grad()
def project_gradient(weights: Weights, gradients: Weights) -> None:
    """Take out of the decoder's gradient what would only change the length of a unit row."""
    gradient, W_dec = gradients["W_dec"], weights["W_dec"]
    gradient.addcmul_(W_dec, torch.linalg.vecdot(gradient, W_dec)[:, None], value=-1)


@torch.no_grad()
def normalise_rows(W_dec: Tensor) -> None:
    """Give every decoder row unit length, in place."""
    W_dec.div_(W_dec.norm(dim=1, keepdim=True).clamp_min_(torch.finfo(W_dec.dtype).tiny))
