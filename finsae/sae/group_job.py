"""From activations of several layers to one saved, labelled and judged SAE per group of layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from finsae.activations import Activations
from finsae.checks import DataError
from finsae.sae.batches import Rows, Tokens
from finsae.sae.coder import Coder
from finsae.sae.group import GroupSAE, Member, save_groups
from finsae.sae.groups import THETA, Grouping, group_layers, layer_distances, saving, table
from finsae.sae.job import CHECKPOINT, HELD_OUT, how_made, opened, split
from finsae.sae.labels import label_latents
from finsae.sae.metrics import evaluate
from finsae.sae.run import LIVE, fit_together
from finsae.sae.workers import current
from finsae.store import atomic_path, plain

LABEL_TOKENS = 1_000_000  # codes behind the labels, one per token and layer


class Found(NamedTuple):
    """Layers grouped by their distances.

    Attributes
    ----------
    grouping : Grouping
        Positions in `layers`.
    layers : tuple of int
        Counted from 1.
    facts : dict
        Distances, theta, and the table of AMAD at every number of groups.
    """

    grouping: Grouping
    layers: tuple[int, ...]
    facts: dict[str, Any]

    def groups(self) -> list[tuple[int, ...]]:
        """Give the layers of each group."""
        return [tuple(self.layers[place] for place in group) for group in self.grouping.groups]


def find_groups(
    activations: Activations | str | Path,
    layers: Sequence[int],
    *,
    count: int | None = None,
    theta: float = THETA,
    cluster_on: str = "distance",
    seed: int = 0,
) -> Found:
    """Group layers by the angles between their activations; see `finsae.sae.groups`.

    Parameters
    ----------
    activations : Activations or path
        Of all these layers.
    layers : sequence of int
        Layers to group, ascending.
    count, theta, cluster_on
        As `group_layers`.
    seed : int
        Of the tokens that are read.
    """
    source = opened(activations, None)
    places = [_place(source, layer) for layer in layers]
    distance = layer_distances(_Layers(source.tokens, places), seed=seed)
    found = group_layers(distance, theta=theta, count=count, cluster_on=cluster_on)
    listed = table(distance, cluster_on=cluster_on)
    facts = {
        "theta": None if count else theta,
        "cluster_on": cluster_on,
        "amad": found.amad,
        "contiguous": found.contiguous,
        "distance": np.round(distance, 6).tolist(),
        "table": listed.to_dict("records"),
    }
    return Found(found, tuple(layers), plain(facts))


def train_groups(
    activations: Activations | str | Path,
    groups: Sequence[Sequence[int]],
    make_coder: Callable[[], Coder],
    *,
    out: str | Path,
    texts: Sequence[str] | None = None,
    dtype: str = "float32",
    facts: Mapping[str, Any] | None = None,
) -> GroupSAE:
    """Train one SAE per group in one reading of the activations, judge, name and save them.

    Every SAE sees as many tokens as one of a single layer would: each token at one layer of the
    group, drawn at random. They are judged layer by layer on 5 % of the texts, held out; of several
    workers (see `finsae.sae.workers`) the first does so.

    Parameters
    ----------
    activations : Activations or path
        Of all layers of the groups.
    groups : sequence of sequence of int
        Layers, counted from 1; of one layer each for an SAE per layer.
    make_coder : callable
        Makes each SAE, unfitted; their seed, batch and passes must agree.
    out : path
        Folder, see `finsae.sae.group.save_groups`; a killed training goes on from its checkpoint.
    texts : sequence of str, optional
        The texts of the activations; without them latents stay unnamed.
    dtype : str
        Of the saved weights.
    facts : mapping, optional
        How the groups were found, to be kept with them.

    Returns
    -------
    GroupSAE
        Its ``facts_["layers"]`` are the measures per layer, the worst FVU first.

    Raises
    ------
    DataError
        If a layer was not collected, or nothing can be learnt.
    """
    source = opened(activations, texts)
    coders = [make_coder() for _ in groups]
    offsets = np.asarray(source.offsets)
    learn, judge = split(offsets, seed=coders[0].random_state)
    place = Path(out)
    scales = fit_together(
        coders,
        Rows(source.tokens, learn),
        layers=[[_place(source, layer) for layer in group] for group in groups],
        checkpoint=place / CHECKPOINT,
        fold=False,
    )
    plan = zip(coders, groups, scales, strict=True)
    members = [Member(coder, tuple(group), scale) for coder, group, scale in plan]
    if not current().lead:
        return GroupSAE(members)
    judged = layer_measures(members, source, judge)
    for member in members:
        if texts is not None:
            member.coder.labels_ = _labels(member, source, texts)
        _say_how_made(member, source, judged, tokens=len(learn))
    group = GroupSAE(members, {**(facts or {}), "layers": plain(judged.to_dict("records"))})
    save_groups(group, place, dtype=dtype)
    with atomic_path(place / "README.md") as temporary:
        temporary.write_text(card(group))
    for done in (CHECKPOINT, LIVE):
        (place / done).unlink(missing_ok=True)
    return group


def _say_how_made(
    member: Member, source: Activations, judged: pd.DataFrame, *, tokens: int
) -> None:
    own = judged[judged["layer"].isin(member.layers)].to_dict("records")
    member.coder.model_ = source.meta["model"]
    member.coder.provenance_ = how_made(
        member.coder, source, tokens=tokens, evaluation={"layers": own}
    )


def _labels(member: Member, source: Activations, texts: Sequence[str]) -> pd.DataFrame:
    """Name a member's latents by the words on which they fire at any of its layers."""
    places = [_place(source, layer) for layer in member.layers]
    return label_latents(
        _OfGroup(member),
        _Layers(source.tokens, places),
        offsets=np.asarray(source.offsets),
        spans=source.spans,
        texts=texts,
        max_tokens=LABEL_TOKENS // len(places),
    )


def layer_measures(
    members: Sequence[Member], source: Activations, judge: np.ndarray
) -> pd.DataFrame:
    """Judge each layer by its group's SAE: ``layer, group, fvu, l0, dead, cosine, tokens``."""
    rows = []
    for member in members:
        for layer in member.layers:
            found = evaluate(member.at(layer), Rows(source.layer(layer), judge)).summary()
            rows.append({"layer": layer, "group": member.name, **found})
    return pd.DataFrame(rows).sort_values("fvu", ascending=False, ignore_index=True)


def card(group: GroupSAE) -> str:
    """Write the model card: groups, measures per layer with the worst first, training."""
    facts, layers = group.facts_, group.facts_["layers"]
    mean = np.mean([row["fvu"] for row in layers])
    names = ", ".join(member.name for member in group.members)
    lines = [
        f"# SAEs of {len(group.members)} groups of layers, {group.model_}",
        "",
        f"Groups: {names}. Layers are outputs of transformer blocks, counted from 1.",
    ]
    if "amad" in facts:
        bound = f", below theta {facts['theta']:g}" if facts.get("theta") else ""
        near = "" if facts["contiguous"] else "not all "
        lines.append(
            f"AMAD {facts['amad']:.4f}{bound}, clustered on {facts['cluster_on']}; the groups are "
            f"{near}of neighbouring layers. Theta 0.2 was calibrated on Pythia models by the "
            "method's authors."
        )
    lines += [
        "",
        "| layer | group | FVU | L0 | cosine | silent latents |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['layer']} | {row['group']} | {row['fvu']:.4f} | {row['l0']:.2f} | "
        f"{row['cosine']:.4f} | {row['dead']:.2%} |"
        for row in layers
    ]
    lines += [
        "",
        f"Judged on {layers[0]['tokens']:,} tokens of {HELD_OUT:.0%} of the texts, held out. Mean "
        f"FVU {mean:.4f}; worst layer {layers[0]['layer']} with {layers[0]['fvu']:.4f}.",
        "",
    ]
    lines += _every_count(group)
    lines += [_described(member) for member in group.members]
    return "\n".join(lines) + "\n"


def _every_count(group: GroupSAE) -> list[str]:
    """Table of the card: AMAD, groups and cost at every number of groups."""
    if "table" not in group.facts_:
        return []
    layers, lines = group.layers_, []
    for row in group.facts_["table"]:
        groups = [tuple(layers[place] for place in places) for places in row["groups"]]
        saved = saving(len(layers), row["count"], activations=0, sae=1).training
        chosen = " (these)" if row["count"] == len(group.members) else ""
        names = "; ".join(", ".join(map(str, one)) for one in groups)
        lines.append(f"| {row['count']}{chosen} | {row['amad']:.4f} | {names} | {saved:.0%} |")
    return [
        "AMAD is the groups' average maximum angular distance. An SAE per group sees as many "
        "tokens as one per layer would.",
        "",
        "| groups | AMAD | layers of each | SAE training saved |",
        "|---|---|---|---|",
        *lines,
        "",
    ]


def _described(member: Member) -> str:
    """Say in a line of the card how a member was trained."""
    made, last = member.coder.provenance_, member.coder.history_.iloc[-1]
    return (
        f"- {member.name}: {member.coder.NAME}, {member.latents:,} latents, "
        f"k {member.coder.k}; {last['tokens']:,.0f} tokens seen of {made['tokens']:,}; "
        f"dead {last['dead']:.2%}; "
        f"scales {', '.join(f'{scale:.4f}' for scale in member.scales)}; seed {made['seed']}; "
        f"texts {made['texts']:,} (hash {made['texts_hash']}); {made['made']}"
    )


class _Layers:
    """Chosen layers of tokens x layers x width as if they were all, without copying them."""

    def __init__(self, tokens: Tokens, places: Sequence[int]) -> None:
        self.tokens, self.places = tokens, list(places)

    @property
    def shape(self) -> tuple[int, ...]:
        count, _, width = self.tokens.shape
        return (count, len(self.places), width)

    def __getitem__(self, rows: Any, /) -> Any:  # noqa: ANN401 - numpy's own indexing
        return np.asarray(self.tokens[rows])[..., self.places, :]


class _OfGroup:
    """A member as the labeller wants a coder: tokens in, codes out."""

    def __init__(self, member: Member) -> None:
        self.member, self.latents = member, member.latents

    def encode(self, tokens: Any, /) -> sparse.csr_array:  # noqa: ANN401 - tokens x layers x width
        return self.member.encode(tokens)


def _place(source: Activations, layer: int) -> int:
    if layer not in source.layers:
        raise DataError(f"layer {layer} was not collected: the layers are {list(source.layers)}")
    return source.layers.index(layer)
