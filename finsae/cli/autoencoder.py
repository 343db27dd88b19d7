"""The command that trains sparse autoencoders."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from finsae.checks import DataError
from finsae.cli.options import DEFAULT, Companies, Layer, Model, Seed, out, writable
from finsae.config import Autoencoder, Reading
from finsae.plugins import MENU

PYTHON_ONLY = "g-sae"  # needs the language model's gradients, see finsae.sae.with_gradients


def train_sae(
    companies: Companies = None,
    texts: Annotated[
        str | None, typer.Option(help="CSV or parquet with a description column, or .txt lines.")
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="File whose companies (by name or text) are left out; repeatable."),
    ] = None,
    model: Model = DEFAULT.model,
    layer: Layer = DEFAULT.layer,
    layers: Annotated[
        str | None,
        typer.Option(help="Several layers: all (but the last), 1-4 or 2,4,5; instead of --layer."),
    ] = None,
    groups: Annotated[
        str, typer.Option(help="Of the layers: auto, a number, or none (one SAE per layer).")
    ] = Autoencoder.groups,
    theta: Annotated[
        float, typer.Option(help="Bound on the groups' average maximum angular distance.")
    ] = Autoencoder.theta,
    cluster_on: Annotated[
        str, typer.Option(help="distance, or rows as the published code does.")
    ] = Autoencoder.cluster_on,
    architecture: Annotated[
        str, typer.Option(help=f"One of {', '.join(n for n in MENU['coder'] if n != PYTHON_ONLY)}.")
    ] = Autoencoder.architecture,
    latents: Annotated[int, typer.Option(help="Number of latents.")] = Autoencoder.latents,
    k: Annotated[int, typer.Option("--k", help="Active latents per token.")] = Autoencoder.k,
    epochs: Annotated[float, typer.Option(help="Passes over the tokens.")] = Autoencoder.epochs,
    batch: Annotated[int, typer.Option(min=2, help="Tokens per step.")] = Autoencoder.batch,
    lr: Annotated[
        float | None,
        typer.Option("--lr", help="Learning rate; default: by the numbers of latents and steps."),
    ] = None,
    max_texts: Annotated[
        int | None,
        typer.Option(min=2, help="Train on so many texts, drawn at random; default: all."),
    ] = None,
    init_from: Annotated[
        str | None, typer.Option(help="SAE to begin with: of a neighbouring layer, or other text.")
    ] = None,
    align: Annotated[
        bool, typer.Option("--align", help="Rotate it into this layer's directions first.")
    ] = False,
    dtype: Annotated[
        str, typer.Option(help="Of the saved weights: float32 or float16.")
    ] = Autoencoder.dtype,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write its event files beside the autoencoder.")
    ] = False,
    seed: Seed = 0,
    to: Annotated[str, typer.Option("--out", help="Folder to write.")] = "reports/runs/sae",
) -> None:
    """Train a sparse autoencoder on one layer's activations, or one per group of layers.

    On several GPUs: torchrun --nproc-per-node 4 --no-python finsae train-sae ...
    """
    from finsae import sae
    from finsae.pipeline import train_sae as train

    if companies and texts:
        raise DataError("give --companies or --texts, not both")
    writable(to)
    watched = sae.tensorboard(Path(to) / "tensorboard") if tensorboard else nullcontext()
    with sae.data_parallel(), watched:
        card = train(
            companies or texts,
            exclude or [],
            reading=Reading(model=model, layer=layer),
            autoencoder=Autoencoder(
                latents=latents,
                k=k,
                epochs=epochs,
                batch=batch,
                lr=lr,
                max_texts=max_texts,
                dtype=dtype,
                seed=seed,
                architecture=architecture,
                layers=layers,
                groups=groups,
                theta=theta,
                cluster_on=cluster_on,
                init_from=init_from,
                align=align,
            ),
            out=to,
        )
    if card:
        out.print(card, highlight=False, markup=False)
        out.print(f"Autoencoder: {to}", highlight=False, soft_wrap=True)
