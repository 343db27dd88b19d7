"""The engines of other libraries, as the races on CPU and GPU train them.

Each makes a function ``step(batch)`` and one that gives its weights as finsae writes them. `start`
holds the first weights: unit decoder rows ``W`` [latents, width], of which the encoder is the
transpose, and ``b_dec`` [width].
"""

from __future__ import annotations

import contextlib
import os

LR = 2.83e-4  # the published rate of 8,192 latents


def saelens(start, x, *, k, batch, bf16=False):
    os.environ.setdefault("WANDB_MODE", "disabled")
    import torch
    from sae_lens import LoggingConfig, TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    latents, width = start["W"].shape
    device = start["W"].device.type
    sae = TopKTrainingSAE(
        TopKTrainingSAEConfig(d_in=width, d_sae=latents, k=k, device=device, dtype="float32")
    )
    with torch.no_grad():
        sae.W_enc.copy_(start["W"].T)
        sae.W_dec.copy_(start["W"])
        sae.b_enc.zero_()
        sae.b_dec.copy_(start["b_dec"])
    config = SAETrainerConfig(
        n_checkpoints=0, checkpoint_path=None, save_final_checkpoint=False,
        total_training_samples=batch * 10**6, device=device, autocast=bf16, lr=LR, lr_end=LR,
        lr_scheduler_name="constant", lr_warm_up_steps=0, lr_decay_steps=0, n_restart_cycles=1,
        adam_beta1=0.9, adam_beta2=0.999, train_batch_size_samples=batch,
        dead_feature_window=10**6, feature_sampling_window=10**6,
        logger=LoggingConfig(log_to_wandb=False),
    )  # fmt: skip
    trainer = SAETrainer(config, sae, iter([x[:batch].float()]))

    def step(batch):
        trainer.step(batch.float())
        trainer.n_training_steps += 1

    def weights():
        norm = sae.W_dec.detach().norm(dim=1)  # it selects by value times norm: fold it
        return {
            "W_enc": sae.W_enc.detach().T * norm[:, None],
            "b_enc": sae.b_enc.detach() * norm,
            "W_dec": sae.W_dec.detach() / norm[:, None],
            "b_dec": sae.b_dec.detach(),
        }

    return step, weights


def sparsify(start, *, k, adam=False, bf16=False):
    """Its default optimiser is signum without a schedule, at a rate of its own; or Adam at `LR`."""
    import torch
    from sparsify import Sae, SaeConfig

    torch.set_float32_matmul_precision("high")  # as its trainer does
    latents, width = start["W"].shape
    device = start["W"].device.type
    sae = Sae(width, SaeConfig(num_latents=latents, k=k), device=device, dtype=torch.float32)
    with torch.no_grad():
        sae.encoder.weight.copy_(start["W"])
        sae.encoder.bias.zero_()
        sae.W_dec.copy_(start["W"])
        sae.b_dec.copy_(start["b_dec"])
    if adam:
        optimiser = torch.optim.Adam(sae.parameters(), lr=LR, fused=device == "cuda")
    else:
        from schedulefree import ScheduleFreeWrapper
        from sparsify.sign_sgd import SignSGD

        sign = SignSGD(sae.parameters(), lr=5e-3 / (latents / 2**14) ** 0.5)
        optimiser = ScheduleFreeWrapper(sign, momentum=0.95)
        optimiser.train()

    def step(batch):
        sae.set_decoder_norm_to_unit_norm()
        precision = torch.autocast(device, torch.bfloat16) if bf16 else contextlib.nullcontext()
        with precision:
            out = sae(batch.float())
        out.fvu.backward()
        sae.remove_gradient_parallel_to_decoder_directions()
        optimiser.step()
        optimiser.zero_grad()

    def weights():
        if not adam:
            optimiser.eval()  # the averaged weights that it would save
        found = {
            "W_enc": sae.encoder.weight.detach().clone(),
            "b_enc": sae.encoder.bias.detach().clone(),
            "W_dec": sae.W_dec.detach().clone(),
            "b_dec": sae.b_dec.detach().clone(),
        }
        if not adam:
            optimiser.train()
        return found

    return step, weights
