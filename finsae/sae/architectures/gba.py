"""Group Bias Adaptation (Chen et al. 2025, arXiv 2506.14002)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from finsae.checks import DataError
from finsae.sae import losses, selection, workers
from finsae.sae.coder import Coder
from finsae.sae.codes import ByLatent, Codes
from finsae.sae.losses import Moment, Step, Weights, starting_bar
from finsae.sae.settings import Training

START = 2.0  # times k latents are active when training begins
EVERY = 10  # steps between changes of the biases
LOWER, RAISE = 0.02, 0.02  # of the largest pre-activation, per change
SILENT = 1e-6  # frequency below which a latent's bias is raised
NOTHING = 0.1  # of a token's length: what a group that is all silent is raised by


class GroupBias(Coder):
    """Latents whose biases are set so that each fires on no more than its share of the tokens.

    ``x_hat = b_dec + sum_m a_m w_m y_m 1[y_m + b_m > 0]`` with ``y_m = w_m . (x - b_dec)`` and
    ``|w_m| = 1``: encoder and decoder share directions. Only w, a and b_dec have gradients, those
    of the squared error. Every 10 steps, from the frequency p and the largest ``r = max(0, y + b)``
    of each latent since: ``b <- max(b - 0.02 r, -1)`` where p exceeds the target of the latent's
    group, ``b <- min(b + 0.02 T, 0)`` where it never fired, T the mean of r over its group.
    Targets of the groups are a geometric sequence, from often to rarely.

    Two things are not the paper's: b is in units of the mean length of a token and not of each
    token's own, so that weights read raw activations; and biases begin where twice k latents are
    active, so that codes are sparse from the first step. What a target much above the true
    frequency costs is the paper's finding: nothing is recovered.

    Parameters
    ----------
    latents, training, random_state, device
        As `Coder`.
    k : int
        Active latents per token at most, on average: the sum of the target frequencies.
    groups : int
        Of latents, equally large.
    span : float
        The first group's target over the last's.
    """

    NAME = "gba"
    WEIGHTS = ("W_enc", "W_dec", "b_enc", "b_dec", "threshold")

    def __init__(
        self,
        latents: int = 8192,
        k: int = 16,
        *,
        groups: int = 10,
        span: float = 100.0,
        training: Training | None = None,
        random_state: int = 0,
        device: str | None = None,
    ) -> None:
        super().__init__(latents, k, training=training, random_state=random_state, device=device)
        self.groups, self.span = groups, span

    def check(self) -> None:
        """Refuse groups that cannot be, targets beyond 1, or a k that makes no SAE."""
        super().check()
        if not 1 <= self.groups <= self.latents:
            raise DataError(f"groups must be between 1 and {self.latents}, not {self.groups}")
        if not self.span >= 1:
            raise DataError(f"span must be at least 1, not {self.span}")
        highest = float(self.targets().max())
        if highest > 1:
            raise DataError(
                f"the first group's target frequency would be {highest:.2f}: lower k ({self.k}) "
                f"or span ({self.span:g}), or take more latents"
            )

    def members(self) -> Tensor:
        """Group of each latent: int64."""
        return torch.arange(self.latents) * self.groups // self.latents

    def targets(self) -> Tensor:
        """Target frequency of each latent; together k."""
        falling = self.span ** (-self.members().double() / max(1, self.groups - 1))
        return (falling * self.k / falling.sum()).float()

    def start(self, weights: Weights, some: Tensor) -> None:
        """Tie the encoder to the decoder, and find the bias of the beginning."""
        length = weights.pop("W_enc").norm(dim=1)
        bias = weights.pop("b_enc")
        tied = weights | {"W_enc": weights["W_dec"], "b_enc": bias}
        self.start_ = -float(starting_bar(tied, some, START * self.k))
        weights["amplitude"] = length

    def finish(self, weights: Weights, memory: dict[str, Tensor]) -> Weights:
        """Fold the amplitudes into the encoder: a JumpReLU SAE with unit decoder rows."""
        size, W_dec = weights["amplitude"], weights["W_dec"]
        return {
            "W_enc": W_dec * size.abs()[:, None],
            "W_dec": W_dec * size.sign()[:, None],
            "b_enc": torch.zeros_like(size),
            "b_dec": weights["b_dec"],
            "threshold": -self._bias(memory, size) * size.abs(),
        }

    def reopen(self, weights: Weights) -> tuple[Weights, dict[str, Tensor]]:
        """Take the amplitudes out of the encoder again."""
        W_dec, size = weights["W_dec"], weights["W_enc"].norm(dim=1)
        sign = torch.linalg.vecdot(weights["W_enc"], W_dec).sign()
        opened = {"W_dec": W_dec * sign[:, None], "b_dec": weights["b_dec"]}
        bias = -weights["threshold"] / size.clamp_min(1e-12)
        return opened | {"amplitude": size * sign}, {"bias": bias}

    def select(self, weights: Weights, centred: Tensor) -> Codes:
        """Keep the pre-activations above their thresholds."""
        return selection.above(
            centred, weights["W_enc"], weights["b_enc"], weights["threshold"].clamp_min(0)
        )

    def step(self, weights: Weights, x: Tensor, moment: Moment) -> Step:
        """Loss and gradients of one batch; moves the biases when it is time."""
        centred, W_dec, size = x - weights["b_dec"], weights["W_dec"], weights["amplitude"]
        bias = self._bias(moment.memory, size)
        gate = selection.above(centred, W_dec, torch.zeros_like(size), -bias)
        own = size[gate.latents]
        codes = gate._replace(values=gate.values * own)
        found = losses.fit(codes, centred, W_dec)
        by_latent = ByLatent(gate, self.latents)
        tied = weights | {"W_enc": W_dec}
        through = losses.through_encoder(
            tied, centred, gate, d_pre=found.d_values * own, by_latent=by_latent
        )
        gradients = {
            "W_dec": through["W_enc"] + by_latent.sum(codes.values, found.pull),
            "b_dec": through["b_dec"] + found.pull.sum(0),
            "amplitude": by_latent.total(found.d_values * gate.values),
        }
        self._adapt(moment, gate, bias, width=x.shape[1])
        return Step(gradients, found.loss, x.new_zeros(()), codes)

    def _bias(self, memory: dict[str, Tensor], like: Tensor) -> Tensor:
        if "bias" not in memory:
            memory["bias"] = torch.full_like(like.detach(), min(0.0, self.start_))
        return memory["bias"].to(like)

    def _adapt(self, moment: Moment, gate: Codes, bias: Tensor, *, width: int) -> None:
        """Count who fired and how far at most; every so often, move the biases by it."""
        memory, together = moment.memory, workers.current()
        for name in ("fired", "reach"):
            memory.setdefault(name, torch.zeros_like(bias))
        over = gate.values + bias[gate.latents]
        fired = torch.bincount(gate.latents, minlength=self.latents).to(bias)
        reach = torch.zeros_like(bias).scatter_reduce_(0, gate.latents, over.to(bias), "amax")
        memory["fired"] = memory["fired"] + together.average(fired)
        memory["reach"] = torch.maximum(memory["reach"], together.largest(reach))
        if (moment.step + 1) % EVERY:
            return
        tokens = EVERY * (len(gate.starts) - 1)
        p, r = memory.pop("fired") / tokens, memory.pop("reach")
        member, reached = self.members().to(bias.device), (r > 0).to(r)
        within = one_hot(member, self.groups).to(r)  # a product adds up in a fixed order
        count, total = reached @ within, r @ within
        length = width**0.5  # of a token, in the mean
        mean = torch.where(count > 0, total / count.clamp_min(1), NOTHING * length)
        lower = (bias - LOWER * r).clamp_min(-length)
        higher = (bias + RAISE * mean[member]).clamp_max(0)
        moved = torch.where(p > self.targets().to(p), lower, bias)
        memory["bias"] = torch.where(p < SILENT, higher, moved)
