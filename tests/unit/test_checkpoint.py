"""The state of a training on disk: what is read is what was written, and nothing is unpickled."""

import math

import pytest
import torch

from finsae.checks import DataError
from finsae.sae import checkpoint


def test_a_state_comes_back_bit_for_bit(tmp_path):
    weights = torch.randn(5, 3)
    weights[0, 0] = float("nan")
    state = {
        "step": 12,
        "rate": 0.1 + 0.2,
        "none": None,
        "history": [(1, 0.1, math.inf), (2, 0.2, 0.3)],
        "optimiser": {
            "state": {0: {"step": torch.tensor(3.0), "exp_avg": weights.T}, 1: {}},
            "param_groups": [{"betas": (0.9, 0.999), "fused": True, "params": [0, 1]}],
        },
        "idle": torch.arange(4),
        "dead": torch.zeros(0, dtype=torch.int64),
        "half": weights.to(torch.bfloat16),
    }
    path = tmp_path / "state.safetensors"
    checkpoint.save(path, state)
    found = checkpoint.load(path, "cpu")
    assert found["history"] == [[1, 0.1, math.inf], [2, 0.2, 0.3]]
    assert found["optimiser"]["param_groups"] == [
        {"betas": [0.9, 0.999], "fused": True, "params": [0, 1]}
    ]
    assert (found["step"], found["rate"], found["none"]) == (12, 0.1 + 0.2, None)
    assert list(found["optimiser"]["state"]) == [0, 1]
    moments = found["optimiser"]["state"][0]
    assert moments["step"].shape == () and moments["step"] == 3
    for mine, theirs in (
        (moments["exp_avg"], weights.T),
        (found["idle"], state["idle"]),
        (found["dead"], state["dead"]),
        (found["half"], state["half"]),
    ):
        assert mine.dtype == theirs.dtype
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0, equal_nan=True)


def test_an_optimiser_goes_on_from_it(tmp_path):
    def made():
        torch.manual_seed(0)
        weight = torch.randn(4, 3, requires_grad=True)
        return weight, torch.optim.Adam([weight], lr=0.1)

    def step(weight, optimiser):
        optimiser.zero_grad()
        (weight**2).sum().backward()
        optimiser.step()

    weight, optimiser = made()
    for _ in range(3):
        step(weight, optimiser)
    checkpoint.save(tmp_path / "a", {"w": weight, "o": optimiser.state_dict()})
    other, second = made()
    kept = checkpoint.load(tmp_path / "a", "cpu")
    with torch.no_grad():
        other.copy_(kept["w"])
    second.load_state_dict(kept["o"])
    step(weight, optimiser)
    step(other, second)
    assert torch.equal(weight, other)


@pytest.mark.parametrize("raw", [b"", b"junk", None])
def test_a_damaged_one_is_named_with_the_way_out(tmp_path, raw):
    path = tmp_path / "state.safetensors"
    checkpoint.save(path, {"w": torch.zeros(9)})
    path.write_bytes(path.read_bytes()[:-4] if raw is None else raw)
    with pytest.raises(DataError, match="delete it, and the training begins anew"):
        checkpoint.load(path, "cpu")


def test_a_pickle_is_not_read(tmp_path):
    torch.save({"step": 1}, tmp_path / "old.pt")
    with pytest.raises(DataError, match="cannot be read"):
        checkpoint.load(tmp_path / "old.pt", "cpu")
