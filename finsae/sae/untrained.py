"""The autoencoder that has learnt nothing: what sparse random directions alone can do."""

from __future__ import annotations

import numpy as np

from finsae.sae.architectures.topk import TopK
from finsae.sae.coder import Coder

SEED = 0


def untrained(like: Coder) -> TopK:
    """Make an SAE of random directions, of another's size and number of active latents.

    The decoder rows are drawn evenly over all directions and the encoder is their transpose, as
    they are before the first step of a training; only the centre, the mean activation, is the
    other's. A benchmark in which it does as well as a trained one does not measure training
    (random SAEs are the control of Heap et al. 2025, "Sparse autoencoders can interpret randomly
    initialized transformers", turned round: here the model is trained and the SAE is not).

    Parameters
    ----------
    like : Coder
        The trained SAE.

    Returns
    -------
    TopK
        Its labels only number the directions.
    """
    drawn = np.random.default_rng(SEED).normal(size=like.W_dec_.shape)
    rows = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    coder = TopK(like.latents, like.k, device=like.device)
    none = np.zeros(like.latents, dtype=np.float32)
    coder.set_weights({"W_enc": rows.T.copy(), "W_dec": rows, "b_enc": none, "b_dec": like.b_dec_})
    coder.layer_, coder.model_ = like.layer_, like.model_
    names = [f"random direction {number}" for number in range(like.latents)]
    coder.labels_ = like.labels_.assign(label=names)
    coder.provenance_ = {"untrained": True, "seed": SEED, "like": like.provenance_}
    return coder
