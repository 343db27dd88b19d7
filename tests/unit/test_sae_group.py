"""SAEs of groups of layers: training on them, folding scales, reading them, folders."""

import json

import numpy as np
import pytest

from finsae import sae
from finsae.checks import DataError
from finsae.sae import GroupSAE, TopK, Training
from finsae.sae.group import Member
from finsae.sae.run import fit_together
from finsae.sae.trainer import Trainer

SHORT = Training(epochs=4, batch=256, lr=3e-3)
WIDTH = 16


def layered(tokens=4096, layers=3, seed=0):
    """Tokens x layers x width: layers share directions, norms grow, directions turn a little."""
    random = np.random.default_rng(0)
    directions = random.normal(size=(30, WIDTH))
    turns = [directions + 0.1 * layer * random.normal(size=directions.shape) for layer in range(9)]
    random = np.random.default_rng(seed)
    active = (random.random((tokens, 30)) < 0.08) * random.random((tokens, 30))
    x = np.stack([(1 + 2 * layer) * active @ turns[layer] for layer in range(layers)], axis=1)
    return x.astype(np.float16)


@pytest.fixture(scope="module")
def trained():
    """One SAE of layers 1 and 2, one of layer 3, in one reading."""
    x = layered()
    coders = [TopK(64, 4, training=SHORT, device="cpu") for _ in range(2)]
    trainers = [Trainer(coders[0], x, layers=(0, 1)), Trainer(coders[1], x, layers=(2,))]
    fit_together(coders, x, layers=[(0, 1), (2,)])
    scales = [tuple(t.scales.tolist()) for t in trainers]
    return GroupSAE([Member(coders[0], (1, 2), scales[0]), Member(coders[1], (3,), (1.0,))])


def test_layers_are_brought_to_one_length(trained):
    x = layered().astype(np.float32)
    for place, scale in enumerate(trained.members[0].scales):
        length = np.linalg.norm(scale * x[:, place], axis=1).mean()
        assert length == pytest.approx(WIDTH**0.5, rel=1e-3)


def test_every_token_is_read_at_one_random_layer():
    x = np.ones((512, 3, WIDTH), np.float32) * np.array([1, 2, 3], np.float32)[:, None]
    x += 0.01 * np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    trainer = Trainer(TopK(32, 3, training=SHORT, device="cpu"), x, layers=(0, 2))
    rows = trainer_rows(trainer, x, step=0)
    picked = np.where(rows.mean(1) / trainer.scales[0].item() < 2, 0, 1)
    again, other = (trainer_rows(trainer, x, step=step) for step in (0, 1))
    np.testing.assert_array_equal(rows, again)
    assert not np.array_equal(rows, other)
    assert rows.shape == (512, WIDTH) and 0.9 < np.linalg.norm(rows, axis=1).mean() / 4 < 1.1
    assert len(set(picked)) == 1 or 0.3 < picked.mean() < 0.7


def trainer_rows(trainer, x, step):
    import torch

    return trainer.view(torch.from_numpy(x), step=step).numpy()


def test_a_folded_layer_reads_raw_activations(trained):
    x, member = layered(500, seed=1), trained.members[0]
    for place, layer in enumerate(member.layers):
        raw = x[:, place].astype(np.float32)
        scaled = member.coder.encode(raw * np.float32(member.scales[place]))
        plain = trained.at(layer)
        codes = plain.encode(raw)
        np.testing.assert_array_equal(codes.indices, scaled.indices)
        np.testing.assert_allclose(codes.data * member.scales[place], scaled.data, rtol=2e-4)
        assert sae.evaluate(plain, raw).fvu < 0.6
        assert plain.scale_ == pytest.approx(member.scales[place])
        assert plain.layer_ == layer and plain.provenance_["group"] == (1, 2)
    assert member.coder.layer_ is None  # the fold is a copy


def test_codes_are_means_over_the_layers_side_by_side(trained):
    x = layered(300, seed=2)
    codes = trained.encode(x)
    assert codes.shape == (300, 128) == (300, trained.latents) and trained.layers_ == (1, 2, 3)
    first = trained.members[0]
    ones = [
        first.coder.encode(x[:, place].astype(np.float32) * np.float32(scale)).toarray()
        for place, scale in enumerate(first.scales)
    ]
    np.testing.assert_allclose(codes[:, :64].toarray(), np.mean(ones, axis=0), rtol=1e-5)
    last = trained.members[1].coder.encode(x[:, 2]).toarray()
    np.testing.assert_allclose(codes[:, 64:].toarray(), last, rtol=1e-5)
    with pytest.raises(DataError, match="3 layers"):
        trained.encode(x[:, :2])
    with pytest.raises(DataError, match="layer 7"):
        trained.at(7)


def test_a_folder_of_groups_comes_back(trained, tmp_path):
    trained.facts_ = {"theta": 0.2}
    folder = sae.save_groups(trained, tmp_path / "groups")
    again, x = sae.load_groups(folder, device="cpu"), layered(200, seed=3)
    assert (again.encode(x) != trained.encode(x)).nnz == 0
    assert again.facts_ == {"theta": 0.2} and sae.is_group(folder)
    assert [m.name for m in again.members] == ["layers-1-2", "layers-3"]
    assert "(layers 1-2)" in again.labels_["label"][0]
    assert sae.folder_hash(folder) != sae.folder_hash("demo")
    for layer in (1, 2, 3):
        one = sae.load(folder, layer=layer, device="cpu")
        assert one.layer_ == layer
        assert (one.encode(x[:, layer - 1]) != trained.at(layer).encode(x[:, layer - 1])).nnz == 0
    with pytest.raises(DataError, match=r"layer=\), of \[1, 2, 3\]"):
        sae.load(folder)
    with pytest.raises(DataError, match="layer 4"):
        sae.load(folder, layer=4)
    alone = sae.save(trained.at(3), tmp_path / "alone")
    assert sae.load(alone, layer=3).layer_ == 3
    with pytest.raises(DataError, match="reads layer 3, not layer 2"):
        sae.load(alone, layer=2)
    itself = '{"groups": [{"folder": "", "layers": [1], "scales": [1.0]}]}'
    for damaged in ('{"groups": [{}]}', "[]", '{"groups": []}', itself):
        (folder / "groups.json").write_text(damaged)
        with pytest.raises(DataError, match="train them again"):
            sae.load_groups(folder)
    (folder / "groups.json").write_text('{"groups": [{"folder": "gone"}]}')
    with pytest.raises(DataError, match="gone"):
        sae.folder_hash(folder)


def test_one_saelens_folder_per_layer(trained, tmp_path):
    folders = sae.export(trained, tmp_path)
    assert [f.name for f in folders] == ["layer-1", "layer-2", "layer-3"]
    x = layered(200, seed=4)
    for place, folder in enumerate(folders):
        config = json.loads((folder / "cfg.json").read_text())
        assert config["metadata"]["hook_name"] == f"blocks.{place}.hook_resid_post"
        found, wanted = sae.load(folder, device="cpu"), trained.at(place + 1)
        assert (found.encode(x[:, place]) != wanted.encode(x[:, place])).nnz == 0
