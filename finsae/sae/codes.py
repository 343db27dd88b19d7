"""Sparse codes of a batch of tokens, and the only products that touch them.

A code is a list of (value, latent) per token, kept as three flat arrays (CSR). A tokens x latents
matrix never exists. With n latents and k active ones, dense autograd pays twelve d x n products per
token for one training step; these pay the encoder's two and 8 d k (Gao et al. 2024,
arXiv 2406.04093, appendix on systems).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from finsae.sae import kernels


class Codes(NamedTuple):
    """Active latents of some tokens: token t owns the entries ``starts[t]:starts[t + 1]``."""

    values: Tensor  # entries; 0 marks an entry that does not fire
    latents: Tensor  # entries, int64
    starts: Tensor  # tokens + 1, int64

    def tokens(self) -> Tensor:
        """Give the token of every entry."""
        lengths = self.starts.diff()
        numbers = torch.arange(len(lengths), device=lengths.device)
        return numbers.repeat_interleave(lengths, output_size=len(self.values))


def fixed(values: Tensor, latents: Tensor) -> Codes:
    """Make codes of two tokens x k matrices."""
    count, k = values.shape
    starts = torch.arange(count + 1, device=values.device) * k
    return Codes(values.reshape(-1), latents.reshape(-1), starts)


def decode(codes: Codes, W_dec: Tensor) -> Tensor:
    """Sum the decoder rows of each token's codes, weighted by their values: tokens x width."""
    if kernels.usable(W_dec):
        from finsae.sae.kernels import products

        return products.sums(codes.values, codes.latents, codes.starts, rows=W_dec)
    return embedding_bag(
        codes.latents,
        W_dec,
        codes.starts,
        per_sample_weights=codes.values,
        mode="sum",
        include_last_offset=True,
    )


def sampled(codes: Codes, left: Tensor, rows: Tensor) -> Tensor:
    """Give the scalar product ``left[token] . rows[latent]`` of every entry: entries."""
    if kernels.usable(left):
        from finsae.sae.kernels import products as made

        return made.dots(left, rows, codes.latents, tokens=codes.tokens())
    # What autograd calls for the weights of an embedding_bag; through autograd, the sum itself,
    # which nobody needs here, would be computed first and double the time.
    products: Tensor = torch.ops.aten._embedding_bag_per_sample_weights_backward(
        left, rows, codes.latents, codes.starts[:-1], codes.tokens(), 0, -1
    )
    return products


class ByLatent:
    """The entries of codes sorted by latent, for sums over the tokens on which each fires."""

    def __init__(self, codes: Codes, latents: int) -> None:
        short = torch.int16 if latents <= 2**15 else torch.int32  # a radix sort: four times as fast
        keys = codes.latents.to(short)
        if keys.is_cuda:  # counting would wait for the device
            keys, self.order = keys.sort(stable=True)
            ends = torch.arange(latents + 1, device=keys.device, dtype=torch.int32)
            self.starts = torch.searchsorted(keys.to(torch.int32), ends)
        else:
            self.order = keys.argsort(stable=True)
            self.starts = torch.zeros(latents + 1, dtype=torch.int64, device=keys.device)
            self.starts[1:] = torch.bincount(codes.latents, minlength=latents).cumsum(0)
        self.token = codes.tokens()[self.order]
        self.codes = codes

    def sum(self, weights: Tensor, rows: Tensor) -> Tensor:
        """Add up ``weights[entry] * rows[token]`` per latent: latents x width."""
        if kernels.usable(rows):
            from finsae.sae.kernels import products

            return products.sums(weights, self.token, self.starts, rows=rows, order=self.order)
        return decode(Codes(weights[self.order], self.token, self.starts), rows)

    def total(self, weights: Tensor) -> Tensor:
        """Add up `weights` (entries) per latent."""
        if not weights.is_cuda:
            return per_latent(self.codes, weights, len(self.starts) - 1)
        # atomic additions would end with other bits each time
        return self.sum(weights, weights.new_ones(len(self.codes.starts) - 1, 1))[:, 0]


def per_latent(codes: Codes, weights: Tensor, latents: int) -> Tensor:
    """Add up `weights` (entries) per latent."""
    return weights.new_zeros(latents).index_add_(0, codes.latents, weights)
