"""The Gated sparse autoencoder (Rajamanoharan et al. 2024, arXiv 2404.16014)."""

from __future__ import annotations

import torch
from torch import Tensor

from finsae.sae import losses, selection
from finsae.sae.codes import ByLatent, Codes
from finsae.sae.losses import Moment, Step, Weights, starting_bar
from finsae.sae.penalty import Penalised

START = 2.0  # times k latents are active when training begins


class Gated(Penalised):
    """One path decides which latents are active, another how strongly; they share directions.

    With ``a = W_enc (x - b_dec)``: active where ``a + b_gate > 0``, value ``ReLU(exp(r_mag) a +
    b_mag)``. The penalty falls on the gate alone, so that values are not shrunk. The auxiliary loss
    lets the gate's own pre-activations rebuild the token with a decoder that it cannot move.

    Parameters
    ----------
    latents, training, random_state, device
        As `Coder`.
    k : int
        Active latents per token to aim at.
    penalty : float, optional
        Weight of the penalty ``mean_t sum_i ReLU(a + b_gate) / sqrt(width)``; by default it is
        moved during training until k latents are active.
    """

    NAME = "gated"
    WEIGHTS = ("W_enc", "W_dec", "b_dec", "b_gate", "b_mag", "r_mag")

    def start(self, weights: Weights, some: Tensor) -> None:
        """Open the gates of twice k latents."""
        bar = starting_bar(weights, some, START * self.k)
        bias = weights.pop("b_enc")
        weights |= {
            "b_gate": bias - bar,
            "b_mag": bias.clone(),
            "r_mag": torch.zeros_like(bias),
        }

    def select(self, weights: Weights, centred: Tensor) -> Codes:
        """Values of the latents whose gate is open."""
        open_ = selection.above(centred, weights["W_enc"], weights["b_gate"], 0.0)
        return open_._replace(values=_magnitudes(weights, open_)[1].relu())

    def step(self, weights: Weights, x: Tensor, moment: Moment) -> Step:
        """Loss and gradients of one batch."""
        centred = x - weights["b_dec"]
        gate = selection.above(centred, weights["W_enc"], weights["b_gate"], 0.0)
        a, magnitudes = _magnitudes(weights, gate)
        codes = gate._replace(values=magnitudes.relu())
        found = losses.fit(codes, centred, weights["W_dec"])
        rebuilt = losses.fit(gate, centred, weights["W_dec"])  # as a constant decoder
        weight = self.weight(moment, x.device)
        share = weight / (len(x) * x.shape[1] ** 0.5)
        d_gate = rebuilt.d_values + share
        d_magnitude = found.d_values * (magnitudes > 0)
        gain = weights["r_mag"].exp()[gate.latents]
        by_latent = ByLatent(gate, self.latents)
        gradients = losses.through_encoder(
            weights, centred, gate, d_pre=d_gate + d_magnitude * gain, by_latent=by_latent
        )
        del gradients["b_enc"]
        gradients["W_dec"] = by_latent.sum(codes.values, found.pull)
        gradients["b_dec"] += found.pull.sum(0)
        gradients["b_gate"] = by_latent.total(d_gate)
        gradients["b_mag"] = by_latent.total(d_magnitude)
        gradients["r_mag"] = by_latent.total(d_magnitude * a * gain)
        extra = rebuilt.loss + share * gate.values.sum()
        self.adapt(moment, l0=(codes.values > 0).sum() / len(x))
        return Step(gradients, found.loss, extra, codes)


def _magnitudes(weights: Weights, gate: Codes) -> tuple[Tensor, Tensor]:
    """Give ``a`` and ``exp(r_mag) a + b_mag`` of the entries whose gate is open."""
    a = gate.values - weights["b_gate"][gate.latents]
    return a, weights["r_mag"].exp()[gate.latents] * a + weights["b_mag"][gate.latents]
