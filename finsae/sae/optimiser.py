"""Adam for the weights of an SAE, whose decoder rows keep unit length."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from finsae.sae import kernels, losses
from finsae.sae.losses import Weights

BETAS = (0.9, 0.999)
EPSILON = 6.25e-10  # as Gao et al. have it
MATRICES = ("W_enc", "W_dec")


class Optimiser:
    """Adam's step, and what comes before and after it (Gao et al. 2024, appendix A).

    What would only change the length of a decoder row is taken out of its gradient, and rows have
    unit length again after the step. On a GPU with Triton this is one pass over each matrix, which
    writes the encoder's bfloat16 copy too; the moments are kept as torch keeps them, so that a
    checkpoint serves either way.

    Parameters
    ----------
    weights : dict of str to Tensor
        Changed in place.
    unit_rows : bool
        Whether decoder rows have unit length.
    rounds : bool
        Whether to keep a bfloat16 copy of the encoder.

    Attributes
    ----------
    rounded : Tensor or None
        The copy: latents x width.
    """

    def __init__(self, weights: Weights, *, unit_rows: bool, rounds: bool = False) -> None:
        self.weights, self.unit_rows = weights, unit_rows
        decoder = weights["W_dec"]  # some architectures have no encoder of their own
        rounds = rounds and "W_enc" in weights
        self.rounded = weights["W_enc"].detach().to(torch.bfloat16) if rounds else None
        self.adam = torch.optim.Adam(
            [w.requires_grad_() for w in weights.values()],
            lr=0.0,
            betas=BETAS,
            eps=EPSILON,
            fused=True,
            capturable=decoder.is_cuda,
        )
        if decoder.is_cuda:  # a recorded step reads the rate anew each time
            self.adam.param_groups[0]["lr"] = torch.zeros((), device=decoder.device)

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next steps."""
        group = self.adam.param_groups[0]
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate

    @torch.no_grad()
    def step(self, gradients: Weights) -> None:
        """Take a step; the gradients may be overwritten."""
        if kernels.usable(self.weights["W_dec"]) and self._fits():
            self._in_one_pass(gradients)
            self._rest({n: g for n, g in gradients.items() if n not in MATRICES})
            return
        if self.unit_rows:
            losses.project_gradient(self.weights, gradients)
        self._rest(gradients)
        if self.unit_rows:
            losses.normalise_rows(self.weights["W_dec"])
        self.refresh()

    def state_dict(self) -> dict[str, Any]:
        """Give what later steps depend on."""
        return self.adam.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a `state_dict`, with the weights that belong to it."""
        rate = self.adam.param_groups[0]["lr"]
        self.adam.load_state_dict(state)
        self.adam.param_groups[0]["lr"] = rate
        self.refresh()

    @torch.no_grad()
    def refresh(self) -> None:
        """Bring the copy up to date with the weights."""
        if self.rounded is not None:
            self.rounded.copy_(self.weights["W_enc"])

    def _rest(self, gradients: Weights) -> None:
        for name, weight in self.weights.items():
            weight.grad = gradients.get(name)
        self.adam.step()

    def _fits(self) -> bool:
        from finsae.sae.kernels import optimiser

        return all(n in self.weights and optimiser.serves(self.weights[n]) for n in MATRICES)

    def _in_one_pass(self, gradients: Weights) -> None:
        """Take the step of the matrices."""
        from finsae.sae.kernels import optimiser

        moments = {name: self._moments(self.weights[name]) for name in MATRICES}
        for count, _, _ in moments.values():
            count.add_(1)
        steps = moments["W_enc"][0].double()
        unbiased = [1 - torch.pow(beta, steps) for beta in BETAS]
        rate = self.adam.param_groups[0]["lr"]
        rates = torch.stack([rate / unbiased[0], unbiased[1].rsqrt()]).to(torch.float32)
        for name, (_, mean, square) in moments.items():
            optimiser.adam(
                self.weights[name].detach(),
                gradients[name].contiguous(),
                (mean, square),
                rates=rates,
                unit=self.unit_rows and name == "W_dec",
                rounded=self.rounded if name == "W_enc" else None,
            )

    def _moments(self, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        state = self.adam.state[weight]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=weight.device)
            state["exp_avg"] = torch.zeros_like(weight)
            state["exp_avg_sq"] = torch.zeros_like(weight)
        return state["step"], state["exp_avg"], state["exp_avg_sq"]
