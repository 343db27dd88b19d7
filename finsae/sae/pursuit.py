"""Codes found by pursuit: latent after latent, each for what those before it leave of the token.

An encoder decides in one product which latents are active; a pursuit looks at what is left after
every choice. It needs a dictionary only, its time is k products, and it shows how much of an SAE's
error is its encoder's (Engels et al. 2024, arXiv 2410.14670, "dark matter").
"""

from __future__ import annotations

import torch
from torch import Tensor

from finsae.checks import DataError, one_of
from finsae.sae import selection
from finsae.sae.coder import Coder
from finsae.sae.codes import Codes, decode, fixed, sampled
from finsae.sae.losses import Weights, normalise_rows
from finsae.sae.settings import Training

METHODS = ("gradient", "matching")
GRAM_ELEMENTS = 2**28  # products of dictionary rows kept, 1 GiB: those of 16,384 rows


def matching_pursuit(centred: Tensor, W_dec: Tensor, k: int, *, signed: bool = False) -> Codes:
    """Take the row nearest to the rest of the token, k times (Mallat and Zhang 1993).

    ``i = argmax r . W_dec_i``, ``z_i += r . W_dec_i``, ``r -= (r . W_dec_i) W_dec_i``. Only rows
    on the token's side are taken, as SAELens' ``matching_pursuit`` does.

    Parameters
    ----------
    centred : Tensor
        Tokens x width, less ``b_dec``.
    W_dec : Tensor
        Latents x width; values are lengths where rows have unit length.
    k : int
        Choices per token; a row chosen twice counts once.
    signed : bool
        Let a row be taken with either sign, by ``argmax |r . W_dec_i|``.
    """
    count, latents = centred.shape[0], len(W_dec)
    few = latents**2 > GRAM_ELEMENTS or count * k < latents
    gram = None if few else W_dec @ W_dec.T
    values = centred.new_zeros(count, k)
    chosen = torch.zeros(count, k, dtype=torch.int64, device=centred.device)
    for rows, near in selection.tiles(centred, W_dec, W_dec.new_zeros(latents)):
        for number in range(k):
            best = (near.abs() if signed else near).argmax(1, keepdim=True)
            value = near.gather(1, best)
            value = value if signed else value.relu_()
            chosen[rows, number] = best[:, 0]
            same = chosen[rows, : number + 1] == best
            first = same & (same.cumsum(1) == 1)  # where the row was chosen before, else here
            values[rows, : number + 1] += first * value
            at = best[:, 0]
            products = W_dec[at] @ W_dec.T if gram is None else gram[at]
            near.addcmul_(products, value, value=-1)
    return fixed(values, chosen)


def gradient_pursuit(centred: Tensor, W_dec: Tensor, k: int) -> Codes:
    """Add the row nearest to the rest, then move all values chosen so far downhill; k times.

    With the rest ``r = x - z W_dec``: the support gains ``argmax r . W_dec_i``; on it,
    ``g = r W_dec^T``, ``alpha = (g W_dec) . r / |g W_dec|^2``, ``z <- max(z + alpha g, 0)``
    (Blumensath and Davies 2008, with the non-negative step of Smith 2024).

    Parameters
    ----------
    centred : Tensor
        Tokens x width, less ``b_dec``.
    W_dec : Tensor
        Latents x width, unit rows.
    k : int
        Latents per token at most.
    """
    values = centred.new_zeros(len(centred), k)
    chosen = torch.zeros(len(centred), k, dtype=torch.int64, device=centred.device)
    fresh = torch.zeros(len(centred), k, dtype=torch.bool, device=centred.device)
    rest = centred.clone()
    for number in range(1, k + 1):
        last = slice(number - 1, number)
        for rows, near in selection.tiles(rest, W_dec, W_dec.new_zeros(len(W_dec))):
            chosen[rows, last] = near.argmax(1, keepdim=True)
        fresh[:, last] = ~(chosen[:, : number - 1] == chosen[:, last]).any(1, keepdim=True)
        part = fixed(values[:, :number].contiguous(), chosen[:, :number].contiguous())
        slope = sampled(part, rest, W_dec) * fresh[:, :number].flatten()
        way = decode(part._replace(values=slope), W_dec)
        far = (way * rest).sum(1) / way.square().sum(1).clamp_min(1e-30)
        values[:, :number] += far[:, None] * slope.view(-1, number)
        values.relu_()
        rest = centred - decode(part._replace(values=values[:, :number].flatten()), W_dec)
    return fixed(values, chosen)


class Pursuit(Coder):
    """A dictionary without an encoder; `pursue` makes one of a fitted SAE.

    Parameters
    ----------
    latents, k, training, random_state, device
        As `Coder`; k is the number of choices.
    method : str
        "gradient" (`gradient_pursuit`) or "matching" (`matching_pursuit`).
    """

    NAME = "pursuit"
    WEIGHTS = ("W_dec", "b_dec")

    def __init__(
        self,
        latents: int = 8192,
        k: int = 16,
        *,
        method: str = "gradient",
        training: Training | None = None,
        random_state: int = 0,
        device: str | None = None,
    ) -> None:
        super().__init__(latents, k, training=training, random_state=random_state, device=device)
        self.method = method

    def start(self, weights: Weights, some: Tensor) -> None:
        """Refuse training by steps."""
        raise DataError(f"a coder by {self.NAME} has no steps of training: call its fit, if any")

    def select(self, weights: Weights, centred: Tensor) -> Codes:
        """Find codes by the chosen pursuit."""
        if self.method == "matching":
            return matching_pursuit(centred, weights["W_dec"], self.k, signed=self.SIGNED)
        return gradient_pursuit(centred, weights["W_dec"], self.k)


class SignedPursuit(Pursuit):
    """A dictionary whose rows stand for both ends of an axis."""

    SIGNED = True


def pursue(coder: Coder, *, method: str = "gradient", k: int | None = None) -> Pursuit:
    """Read a fitted SAE's dictionary by pursuit in place of its encoder.

    Parameters
    ----------
    coder : Coder
        A fitted SAE.
    method : str
        "gradient" or "matching".
    k : int, optional
        Latents per token at most; the SAE's own by default.

    Returns
    -------
    Pursuit
        Encodes, decodes and is judged as an SAE is, with the same latents and labels. It is not
        saved: the SAE it was made of is.

    Raises
    ------
    DataError
        If the method is unknown or not for this SAE, or k is not below the number of latents.
    """
    one_of("method", method, METHODS)
    if coder.SIGNED and method == "gradient":
        raise DataError(
            f"gradient pursuit gives no negative values, and those of a {coder.NAME} SAE are "
            'signed: take method="matching"'
        )
    kind = SignedPursuit if coder.SIGNED else Pursuit
    found = kind(
        coder.latents,
        coder.k if k is None else k,
        method=method,
        device=coder.device,
    )
    found.check()
    W_dec = torch.from_numpy(coder.W_dec_.copy())
    normalise_rows(W_dec)
    found.set_weights({"W_dec": W_dec.numpy(), "b_dec": coder.b_dec_})
    found.labels_, found.layer_, found.model_ = coder.labels_, coder.layer_, coder.model_
    return found
