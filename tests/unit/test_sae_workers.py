"""Two processes with half batches each end where one with whole batches does."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import together
import torch
import toy

from finsae import sae
from finsae.checks import DataError
from finsae.sae import selection, workers
from finsae.sae.batches import Batches

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available(), reason="torch without torch.distributed"
)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    together.launch(folder, 2)
    return [np.load(folder / f"worker{rank}.npz") for rank in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(together.CASES)))
def test_gradients_of_half_batches_are_those_of_the_whole(two, number):
    for name, wanted in together.gradients(number).items():
        for worker in two:
            found = worker[f"gradient/{number}/{name}"]
            tolerance = 1e-5 if name == "log_threshold" else 1e-10  # the first is kept in float32
            np.testing.assert_allclose(found, wanted.numpy(), rtol=tolerance, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("kind", together.KINDS)
def test_training_by_halves_ends_as_one_process_does(two, kind):
    wanted = together.facts(together.trained(kind))
    for name, value in wanted.items():
        assert np.array_equal(two[0][f"{kind}/{name}"], two[1][f"{kind}/{name}"]), name
        found = two[0][f"{kind}/{name}"]
        if name in ("idle", "dead"):
            np.testing.assert_array_equal(found, value)
        else:
            np.testing.assert_allclose(found, value, rtol=2e-3, atol=2e-4 * np.abs(value).max())
    if kind == "revived":
        dead = wanted["history"][:, 5]
        assert dead.max() > 0.3, "AuxK had nothing to revive"


@pytest.mark.slow
def test_a_killed_training_of_two_goes_on_with_the_same_bits(two):
    for worker in two:
        for name in together.facts(together.trained("topk")):
            np.testing.assert_array_equal(worker[f"resumed/{name}"], worker[f"topk/{name}"])


@pytest.mark.slow
def test_only_touched_rows_are_sent_where_that_is_less(two):
    dense = 4 * (2 * 12 + 1)  # a row of both matrices and a bias
    assert two[0]["wide/sent"] < 0.1 * 4096 * dense
    assert two[0]["topk/sent"] == pytest.approx(32 * dense + 4 * 12, rel=0.1)


def test_workers_read_their_own_part_of_every_batch():
    x = np.arange(10_000, dtype=np.float32)[:, None] * np.ones(2, np.float32)
    whole = Batches(x, 96, seed=0).since(40)
    halves = [
        Batches(x, 96, seed=0, part=workers.Workers(r, 2).share(96)).since(40) for r in (0, 1)
    ]
    for _ in range(90):
        np.testing.assert_array_equal(next(whole), np.concatenate([next(half) for half in halves]))
    with pytest.raises(DataError, match=r"batch=9\)"):
        workers.Workers(0, 3).share(10)


class Threads(workers.Workers):
    """Workers of one process, for what they gather."""

    def __init__(self, rank, count, board, barrier):
        super().__init__(rank, count)
        self.board, self.barrier = board, barrier

    def gathered(self, own):
        self.board[self.rank] = own
        self.barrier.wait()
        found = torch.stack(self.board)
        self.barrier.wait()
        return found


@pytest.mark.parametrize("gain", [1.0, 30.0])
def test_a_worker_whose_tokens_say_most_keeps_more_than_its_share(gain):
    random = torch.Generator().manual_seed(0)
    x, W = torch.randn(80, 8, generator=random), torch.randn(64, 8, generator=random)
    x[:20] *= gain  # all of the largest are the first worker's
    wanted = selection.largest_of_batch(x, W, torch.zeros(64), 240)
    board, barrier, found = [None] * 4, threading.Barrier(4), [None] * 4

    def work(rank):
        one = Threads(rank, 4, board, barrier)
        workers._current.set(one)
        part = x[one.share(80)]
        found[rank] = selection.largest_of_all(part, W, torch.zeros(64), 240)

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    values = torch.cat([codes.values for codes in found])
    torch.testing.assert_close(values.sort().values, wanted.values.sort().values)
    assert (len(found[0].values) > 2 * 60) == (gain > 1)


def test_alone_nothing_changes():
    with sae.data_parallel() as one:
        assert one.lead and one.count == 1
        tensor = torch.ones(3)
        assert one.average(tensor) is tensor and one.gathered(tensor).shape == (1, 3)
        assert one.in_turn(lambda: 7) == 7


@pytest.mark.slow
def test_torchrun_trains_from_the_command_line(tmp_path):
    toy.companies(per_industry=20).to_csv(tmp_path / "texts.csv")
    argv = ["train-sae", "--texts", str(tmp_path / "texts.csv"), "--latents", "64", "--k", "4"]
    argv += ["--epochs", "2", "--batch", "256", "--layers", "4,5", "--groups", "1"]
    finsae = [sys.executable, "-c", "from finsae.cli import main; main()", *argv]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node", "2", "--no-python", *finsae]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for command, out in ((finsae, "one"), (torchrun, "two")):
        done = subprocess.run(
            [*command, "--out", str(tmp_path / out)],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Autoencoder:") == 1
    one, two = (sae.load_groups(tmp_path / out, device="cpu") for out in ("one", "two"))
    np.testing.assert_allclose(
        two.members[0].coder.W_dec_, one.members[0].coder.W_dec_, rtol=0, atol=5e-3
    )
    assert two.members[0].coder.provenance_["workers"] == 2
