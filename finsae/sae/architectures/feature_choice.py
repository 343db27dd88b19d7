"""The Feature Choice sparse autoencoder (Ayonrinde 2024, arXiv 2411.02124)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from finsae.checks import one_of
from finsae.sae import selection, workers
from finsae.sae.architectures.batch_topk import MEMORY, BatchTopK
from finsae.sae.codes import Codes
from finsae.sae.losses import Moment, Weights
from finsae.sae.settings import Training

BUDGETS = ("uniform", "zipf")
SHIFT = 2.7  # of the ranks in the Zipf-Mandelbrot law: the paper fits it to its own features


class FeatureChoice(BatchTopK):
    """Each latent chooses its tokens: the m_i of a batch on which it is largest, where positive.

    The m_i sum to k times the tokens of the batch. No latent can die. (Where tokens and latents
    choose together, the largest k B of all pairs, it is the paper's Mutual Choice: `BatchTopK`.)
    Once fitted, a latent is active above its own threshold, the running mean of the smallest
    pre-activation that it kept.

    Parameters
    ----------
    latents, k, training, random_state, device
        As `BatchTopK`.
    budget : str
        "uniform": all latents fire equally often. "zipf": latent i (from 1) in proportion to
        ``1 / (i + 2.7)``, at most on every token.
    """

    NAME = "feature-choice"

    def __init__(
        self,
        latents: int = 8192,
        k: int = 16,
        *,
        budget: str = "uniform",
        training: Training | None = None,
        random_state: int = 0,
        device: str | None = None,
    ) -> None:
        super().__init__(latents, k, training=training, random_state=random_state, device=device)
        self.budget = budget

    def check(self) -> None:
        """Refuse an unknown budget, or a k that makes no SAE."""
        super().check()
        one_of("budget", self.budget, BUDGETS)

    def budgets(self, tokens: int, step: int) -> npt.NDArray[np.int64]:
        """Tokens that each latent takes of a batch, m_i; fractions are rounded at random.

        One random number shifts all cumulative sums: each m_i is right in the mean, and their sum
        at every step.
        """
        rank = np.arange(1, self.latents + 1)
        weight = np.ones(self.latents) if self.budget == "uniform" else 1 / (rank + SHIFT)
        sums = np.concatenate([[0.0], np.cumsum(weight)]) * (self.k * tokens / weight.sum())
        sums[-1] = self.k * tokens
        shift = np.random.default_rng([self.random_state, 5, step]).random()
        found: npt.NDArray[np.int64] = np.diff(np.floor(sums + shift)).astype(np.int64)
        return found.clip(max=tokens)

    def largest(self, weights: Weights, centred: Tensor, moment: Moment) -> Codes:
        """Let every latent choose, and move the running thresholds."""
        budgets = self.budgets(len(centred) * workers.current().count, moment.step)
        codes = chosen(centred, weights["W_enc"], weights["b_enc"], budgets)
        least = codes.values.new_full((self.latents,), torch.inf)
        least.scatter_reduce_(0, codes.latents, codes.values, "amin")
        least = -workers.current().largest(-least)
        running = moment.memory.get("threshold", least)
        moved = torch.where(running.isinf(), least, torch.lerp(least, running, MEMORY))
        moment.memory["threshold"] = torch.where(least.isinf(), running, moved)
        return codes

    def reopen(self, weights: Weights) -> tuple[Weights, dict[str, Tensor]]:
        """Put the thresholds back into the memory."""
        kept = {name: weight for name, weight in weights.items() if name != "threshold"}
        return kept, {"threshold": weights["threshold"]}

    def finish(self, weights: Weights, memory: dict[str, Tensor]) -> Weights:
        """Add the thresholds; a latent that was never positive gets the highest."""
        threshold = memory.get("threshold", torch.zeros_like(weights["b_enc"]))
        known = threshold[threshold.isfinite()]
        highest = known.max() if len(known) else threshold.new_zeros(())
        return {**weights, "threshold": torch.where(threshold.isfinite(), threshold, highest)}


def chosen(centred: Tensor, W_enc: Tensor, b_enc: Tensor, budgets: npt.NDArray[np.int64]) -> Codes:
    """Keep each latent's largest positive pre-activations, so many as its budget.

    The selection of `finsae.sae.selection` with the parts of tokens and latents exchanged; the
    bias is one more column. Latents of like budgets are searched together. Workers that share a
    batch tell one another what each would keep.

    Parameters
    ----------
    centred, W_enc, b_enc : Tensor
        As for `selection.top_k`.
    budgets : ndarray
        Latents: tokens of each, at most all.
    """
    together = workers.current()
    rows = torch.cat([W_enc, b_enc[:, None]], 1)
    tokens = torch.cat([centred, centred.new_ones(len(centred), 1)], 1)
    none = centred.new_zeros(len(centred))
    parts = []
    size = np.frexp(np.maximum(budgets - 1, 0))[1]  # 1; 2; 3, 4; 5 to 8; ...
    for group in np.unique(size[budgets > 0]):
        own = np.flatnonzero((size == group) & (budgets > 0))
        latent = torch.from_numpy(own).to(centred.device)
        budget = torch.from_numpy(budgets[own]).to(centred.device)
        most = min(int(budgets[own].max()), len(centred))
        values, token = selection.top_k(rows[latent], tokens, none, most)
        everyone = torch.cat([*together.gathered(values)], 1).sort(1, descending=True).values
        bar = everyone.gather(1, budget[:, None] - 1)
        rank = torch.arange(most, device=centred.device)
        kept = (rank < budget[:, None]) & (values >= bar) & (values > 0)
        parts.append((token[kept], latent[:, None].expand_as(token)[kept], values[kept]))
    token, latent, value = (torch.cat(part) for part in zip(*parts, strict=True))
    order = token.argsort(stable=True)
    starts = torch.zeros(len(centred) + 1, dtype=torch.int64, device=centred.device)
    starts[1:] = torch.bincount(token, minlength=len(centred)).cumsum(0)
    return Codes(value[order], latent[order], starts)
