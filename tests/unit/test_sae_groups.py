"""Groups of layers: distances, AMAD, partitions, savings."""

import numpy as np
import pytest

from finsae.checks import DataError
from finsae.sae import groups
from finsae.sae.groups import amad, group_layers, layer_distances, saving, table


def stream(tokens=3000, width=48, seed=0):
    """Twelve layers in three blocks: small steps inside a block, large jumps between."""
    random = np.random.default_rng(seed)
    state, layers = random.normal(size=(tokens, width)), []
    for layer in range(12):
        step = 1.6 if layer in (4, 8) else 0.15
        state = (
            state
            + step
            * np.linalg.norm(state)
            / tokens**0.5
            * random.normal(size=(tokens, width))
            / width**0.5
        )
        layers.append(state * (1 + layer))  # norms grow with depth
    return np.stack(layers, axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def distance():
    return layer_distances(stream())


def test_distances_are_angles(distance):
    assert distance.shape == (12, 12)
    np.testing.assert_array_equal(distance, distance.T)
    assert not distance.diagonal().any() and distance.max() < 1
    x = stream(200)[:, :2]
    x = x - x.mean(0)
    cosine = (x[:, 0] * x[:, 1]).sum(1) / np.linalg.norm(x, axis=2).prod(1)
    assert layer_distances(stream(200)[:, :2])[0, 1] == pytest.approx(
        np.arccos(cosine).mean() / np.pi, rel=1e-5
    )


def test_a_scale_per_layer_changes_nothing(distance):
    scaled = stream() * np.linspace(0.1, 30, 12, dtype=np.float32)[:, None]
    np.testing.assert_allclose(layer_distances(scaled), distance, atol=1e-6)


def test_a_common_direction_hides_the_differences_unless_centred():
    far = stream() + 100 * np.ones(48, np.float32) * np.arange(1, 13, dtype=np.float32)[:, None]
    assert layer_distances(far, centred=False).max() < 0.05
    assert layer_distances(far).max() > 0.2


def test_three_blocks_are_found(distance):
    blocks = tuple(tuple(range(start, start + 4)) for start in (0, 4, 8))
    found = group_layers(distance, theta=0.2)
    assert found.groups == blocks and found.contiguous
    assert found.amad == pytest.approx(amad(distance, blocks)) and found.amad < 0.2
    assert group_layers(distance, count=2).amad >= 0.2
    assert group_layers(np.tril(distance)).groups == blocks
    assert group_layers(distance, cluster_on="rows", count=3).groups == blocks


def test_amad_falls_to_zero_with_the_number_of_groups(distance):
    found = table(distance)
    assert (found["amad"].diff().iloc[1:] <= 1e-12).all()
    assert found["amad"].iloc[-1] == 0 and found["count"].tolist() == list(range(1, 13))
    for parts in found["groups"]:
        assert sorted(layer for group in parts for layer in group) == list(range(12))


def test_amad_by_hand():
    square = np.array([[0, 0.1, 0.4], [0.1, 0, 0.3], [0.4, 0.3, 0]])
    assert amad(square, [(0, 1), (2,)]) == pytest.approx(0.05)
    assert amad(square, [(0, 1, 2)]) == pytest.approx(0.4)
    assert group_layers(square, theta=0.06).groups == ((0, 1), (2,))


def test_distances_and_rows_can_differ_and_layers_need_not_be_neighbours():
    square = np.array(
        [[0, 0.30, 0.10, 0.9], [0.30, 0, 0.35, 0.3], [0.10, 0.35, 0, 0.9], [0.9, 0.3, 0.9, 0]]
    )
    found = group_layers(square, count=2)
    assert found.groups == ((0, 2), (1, 3)) and not found.contiguous
    assert group_layers(square, count=2, cluster_on="rows").groups == ((0, 1, 2), (3,))


def test_equal_distances_give_the_same_groups_every_time():
    square = np.full((6, 6), 0.3) - 0.3 * np.eye(6)
    first = [group_layers(square, count=n).groups for n in range(1, 7)]
    assert all(first == [group_layers(square, count=n).groups for n in range(1, 7)] for _ in "abc")


def test_one_layer_is_one_group():
    assert group_layers(np.zeros((1, 1))).groups == ((0,),)


def test_savings():
    assert saving(11, 6, activations=0, sae=5) == pytest.approx((5 / 11, 5 / 11))
    found = saving(11, 6, activations=207.62, sae=94.37)  # Pythia-160M of the paper: 38 % in all
    assert found.training == pytest.approx(5 / 11) and found.total == pytest.approx(0.38, abs=0.005)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((2, 3)),), "layers x layers"),
        ((np.full((2, 2), np.nan),), "NaN"),
    ],
)
def test_bad_distances_are_refused(arguments, message):
    with pytest.raises(DataError, match=message):
        group_layers(*arguments)


def test_bad_settings_are_refused(distance):
    with pytest.raises(DataError, match="13 groups"):
        group_layers(distance, count=13)
    with pytest.raises(DataError, match="theta"):
        group_layers(distance, theta=0)
    with pytest.raises(DataError, match='did you mean "rows"'):
        group_layers(distance, cluster_on="row")
    with pytest.raises(DataError, match="tokens x layers x width"):
        layer_distances(np.zeros((5, 4)))
    assert groups.THETA == 0.2
