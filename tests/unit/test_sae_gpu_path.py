"""What a training does on a GPU, as far as that shows without one."""

import sys
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from test_sae_gradients import CASES, DEAD, LATENTS, K, dense_abs, dense_topk, moment, start, tokens
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from finsae.plugins import MENU, make
from finsae.sae import TopK, Training, checkpoint, kernels, losses, replay, screening, selection
from finsae.sae.batches import Batches
from finsae.sae.reader import ahead, moved
from finsae.sae.replay import Replay, full_float32
from finsae.sae.screening import Screen
from finsae.sae.stream import Stream
from finsae.sae.trainer import LEAST_LIST, Trainer

STATIC = [("topk", {}), ("topk", {"loss": "multi"}), ("abs-topk", {})]
CPU = torch.device("cpu")
WAITS = (DataDependentOutputException, DynamicOutputShapeException)


# -- nothing waits for the device. A fake tensor has a shape and a device but no data: whatever
# would read a number, or make a shape of one, raises.


class OnGPU(TorchFunctionMode):
    """Every tensor says that it is on a GPU; torch without CUDA makes none, not even fake ones."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func == torch.Tensor.is_cuda.__get__:
            return True
        return func(*args, **(kwargs or {}))


class Silent:
    """Stands for a kernel, which says nothing to the host in any case."""

    def __getitem__(self, grid):
        return lambda *args, **kwargs: None


@contextmanager
def no_data(monkeypatch, *, with_kernels):
    if with_kernels:
        pytest.importorskip("triton", reason="Triton is not installed")
        from finsae.sae.kernels import device

        for name in ("select", "sums", "dots", "adam"):
            monkeypatch.setattr(device, name, Silent())
    monkeypatch.setattr(kernels, "usable", lambda tensor: with_kernels)
    monkeypatch.setattr(selection, "enough", lambda *_: False)  # numpy's part
    with FakeTensorMode(), OnGPU():
        yield


@pytest.mark.parametrize("with_kernels", [False, True])
@pytest.mark.parametrize(("name", "settings"), STATIC)
def test_a_step_never_waits_for_the_device(name, settings, with_kernels, monkeypatch):
    coder = make("coder", name, latents=2048, k=K, **settings)
    x = np.random.default_rng(0).normal(size=(256, 16)).astype(np.float32)
    trainer = Trainer(make("coder", name, latents=2048, k=K, device="cpu", **settings), x)
    monkeypatch.setattr(screening, "fastest_on_gpu", lambda: "bf16")
    with no_data(monkeypatch, with_kernels=with_kernels):
        trainer.coder, trainer.device = coder, torch.device("cuda")
        trainer.weights = {n: torch.empty(w.shape) for n, w in trainer.weights.items()}
        for part in ("scales", "idle", "totals"):
            kept = getattr(trainer, part)
            setattr(trainer, part, torch.empty(kept.shape, dtype=kept.dtype))
        trainer.dead = torch.empty(LEAST_LIST, dtype=torch.int64)
        trainer.padding = torch.empty(LEAST_LIST)
        trainer._equip()
        assert trainer.replay is not None and trainer.optimiser.rounded.dtype == torch.bfloat16
        rows = torch.empty(256, 16, dtype=torch.float16)
        for step in (screening.EVERY, 1, 2):  # the first is checked against exact arithmetic
            if step % screening.EVERY == 0:
                monkeypatch.setattr(trainer, "_look", lambda limit: None)
            trainer.advance(rows, step=step, steps=1000)
        assert trainer.screen.calls and trainer.screen._unread
        with pytest.raises(WAITS):  # a log does wait: the test can fail
            trainer.log(3, steps=1000, since=3, seconds=1.0)


def test_whatever_says_that_it_is_static_is(monkeypatch):
    for name in MENU["coder"]:
        coder = make("coder", name, latents=64, k=4)
        assert coder.static() == ((name, {}) in STATIC), name
    assert not TopK(64, 4, loss="every-k").static()
    known = moment()
    with no_data(monkeypatch, with_kernels=False), pytest.raises(WAITS):
        make("coder", "batch-topk", latents=64, k=4).step(
            {n: torch.empty(w.shape) for n, w in start(TopK(64, 4)).items()},
            torch.empty(90, 12),
            known,
        )


# -- everything runs without the kernels


def test_a_triton_that_cannot_run_is_done_without(monkeypatch):
    class Far:
        is_cuda = True

    monkeypatch.setattr(kernels, "find_spec", lambda name: object())
    monkeypatch.delattr(kernels, "products", raising=False)
    monkeypatch.setitem(sys.modules, "finsae.sae.kernels.products", None)
    kernels._works.cache_clear()
    try:
        with pytest.warns(UserWarning, match="needs a C compiler"):
            assert not kernels.usable(Far())
        assert not kernels.usable(Far())  # said once
        kernels._works.cache_clear()
        monkeypatch.setattr(kernels, "find_spec", lambda name: None)
        assert not kernels.usable(Far())
    finally:
        kernels._works.cache_clear()


# -- the same training ends with the same bits


class Atomic(TorchDispatchMode):
    """Notes additions of floats to one place: a GPU makes them in another order each time."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.__name__.split(".")[0]
        if name in ("index_add", "index_add_", "scatter_add", "scatter_add_"):
            index, source = args[2:4]
            if len(index.unique()) < len(index) and (source != source.round()).any():
                self.seen.add(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("name", "settings", "dense"), CASES)
def test_no_sum_of_a_step_depends_on_the_order_of_threads(name, settings, dense, monkeypatch):
    monkeypatch.setattr(kernels, "usable", lambda tensor: False)
    coder = make("coder", name, latents=LATENTS, k=K, device="cpu", **settings)
    weights, x, known = start(coder), tokens(), moment()
    known.step = 9  # when a gba moves its biases
    with Atomic() as atomic, OnGPU():
        coder.step(weights, x, known)
    assert not atomic.seen


def test_additions_to_one_place_are_noticed():
    with Atomic() as atomic:
        torch.zeros(2).index_add_(0, torch.tensor([1, 1]), torch.tensor([0.5, 0.25]))
    assert atomic.seen == {"index_add_"}


# -- lists of dead latents keep their length and place


@pytest.mark.parametrize(("name", "dense"), [("topk", dense_topk), ("abs-topk", dense_abs)])
def test_padding_changes_no_gradient(name, dense):
    coder = make("coder", name, latents=LATENTS, k=K, device="cpu")
    weights, x = start(coder), tokens()
    wanted = coder.step(weights, x, moment())
    padded = moment(torch.cat([DEAD, DEAD.new_zeros(9)]))
    padded.padding = torch.cat([torch.ones(len(DEAD)), torch.zeros(9)]).double()
    found = coder.step(weights, x, padded)
    torch.testing.assert_close(found.extra, wanted.extra)
    for n, gradient in wanted.gradients.items():
        torch.testing.assert_close(found.gradients[n], gradient, msg=n)


def test_the_list_of_dead_latents_grows_by_doubling():
    x = np.random.default_rng(0).normal(size=(256, 8)).astype(np.float32)
    trainer = Trainer(TopK(512, 2, device="cpu"), x)
    trainer.device = torch.device("cuda")  # of the list only
    places = set()
    for dead in (0, 5, 64, 0, 65, 300):
        trainer.idle.zero_()[7 : 7 + dead] = 100
        trainer._look(99)
        size = {0: 0, 5: 64, 64: 64, 65: 128, 300: 512}[dead]
        assert len(trainer.dead) == len(trainer.padding) == size
        assert trainer.padding.sum() == dead
        assert trainer.dead[:dead].tolist() == list(range(7, 7 + dead))
        assert not trainer.dead[dead:].any()
        places.add(trainer.dead.data_ptr())
    trainer.idle[400:] = 100
    before = trainer.dead.data_ptr()
    trainer._look(99)
    assert trainer.dead.data_ptr() == before and trainer.padding.sum() == 412


# -- recorded steps


class Recording:
    """A CUDA graph that a CPU can play: it does what was recorded, with what is there then."""

    def __init__(self, step, batch):
        self.play = lambda: step(batch)

    def replay(self):
        self.play()


def test_a_step_is_recorded_once_its_shapes_have_settled(monkeypatch):
    recorded = []

    def record(step, batch):
        recorded.append(batch)
        return Recording(step, batch)

    monkeypatch.setattr(replay, "recorded", record)
    seen = []
    steps = Replay(lambda batch: seen.append(batch.clone()))
    batches = list(torch.arange(40.0).view(20, 2))
    for number, batch in enumerate(batches):
        steps(batch, key=number // 10, plainly=number == 17)
    assert torch.equal(torch.stack(seen), torch.stack(batches))
    assert len(recorded) == 2  # one for each key
    steps.forget()
    steps(batches[0], key=1)
    assert len(recorded) == 2 and len(seen) == 21


def test_replayed_training_ends_with_the_same_bits(monkeypatch):
    x = np.random.default_rng(0).normal(size=(2048, 12)).astype(np.float32)
    training = Training(epochs=2, batch=128, lr=2e-3, dead_after=256)
    monkeypatch.setattr(replay, "recorded", Recording)
    ends = []
    for recorded in (False, True):
        trainer = Trainer(TopK(256, 2, training=training, device="cpu"), x)
        trainer.screen = Screen("bf16")
        if recorded:
            trainer.replay = Replay(trainer._learn)
        for step in range(30):
            trainer.advance(torch.from_numpy(x[:128] + step), step=step, steps=30)
        ends.append(trainer.finish().W_enc_)
    np.testing.assert_array_equal(*ends)


def test_float32_is_float32_only_for_the_training():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        with full_float32(torch.device("cuda")):
            assert torch.get_float32_matmul_precision() == "highest"
        with full_float32(CPU):
            assert torch.get_float32_matmul_precision() == "high"
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)


def test_float32_is_float32_for_whoever_set_it_the_new_way():
    place = torch.backends.cuda.matmul
    before = torch.get_float32_matmul_precision()
    if not hasattr(place, "fp32_precision"):
        pytest.skip("torch before 2.9")
    try:
        place.fp32_precision = "tf32"
        with full_float32(torch.device("cuda")):
            assert place.fp32_precision == "ieee"
        assert place.fp32_precision == "tf32"
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def noted(where, *what):
    where.append(what)
    yield
    where.append("end")


def test_recording_is_on_its_gpu_and_lets_the_reader_wait_for_its_copies(monkeypatch):
    events = []

    def graph(made, *, stream=None, capture_error_mode="global"):
        return noted(events, stream, capture_error_mode)

    monkeypatch.setattr(replay, "on_gpu_of", lambda tensor: noted(events, "on", tensor))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: "its own")
    monkeypatch.setattr(torch.cuda, "graph", graph)
    batch = torch.zeros(2)
    replay.recorded(lambda some: events.append("step"), batch)
    assert events == [("on", batch), ("its own", "thread_local"), "step", "end", "end"]


def test_kernels_are_launched_on_the_gpu_of_their_tensors(monkeypatch):
    pytest.importorskip("triton", reason="Triton is not installed")
    from finsae.sae.kernels import candidates, device, optimiser, products

    events = []

    class Launched:
        def __getitem__(self, grid):
            return lambda *args, **kwargs: events.append("launch")

    for name in ("select", "sums", "dots", "adam"):
        monkeypatch.setattr(device, name, Launched())
    for module in (candidates, optimiser, products):
        monkeypatch.setattr(module, "on_gpu_of", lambda tensor: noted(events, "on"))
    rows, one = torch.ones(2, 4), torch.ones(2, dtype=torch.int64)
    candidates.candidates(rows, 1, width=16, tolerance=0.0, signed=False)
    products.sums(one.float(), one, torch.tensor([0, 1, 2]), rows=rows)
    products.dots(rows, rows, one, tokens=one)
    optimiser.adam(rows, rows, (rows, rows), rates=rows[0], unit=True, rounded=None)
    assert events == [("on",), "launch", "end"] * 4


def test_a_state_is_read_to_the_device_that_torch_means(tmp_path):
    # safetensors itself knows no "meta", and takes "cuda" for the first GPU of several
    checkpoint.save(tmp_path / "state", {"w": torch.zeros(3)})
    assert checkpoint.load(tmp_path / "state", "meta")["w"].device.type == "meta"


def test_the_encoders_copy_is_the_one_that_is_kept():
    W_enc = torch.randn(8, 4)
    screen, copy = Screen("bf16"), torch.zeros(8, 4, dtype=torch.bfloat16)
    assert torch.equal(screen.rounded(W_enc), W_enc.to(torch.bfloat16))
    screen.keep(W_enc, copy)
    assert screen.rounded(W_enc) is copy and screen.rounded(W_enc[:3]).shape == (3, 4)
    assert set(screen.state()) == {"precision", "calls", "wanted", "lost", "told"}


# -- reading ahead


def arrays(tmp_path):
    whole = np.memmap(tmp_path / "x", np.float16, "w+", shape=(3000, 4))
    whole[:] = np.arange(12_000).reshape(3000, 4)
    return whole


@pytest.mark.parametrize("step", [0, 5])
def test_batches_read_ahead_are_the_same_in_the_same_order(step, tmp_path):
    source = Batches(arrays(tmp_path), 64, seed=0)
    wanted = [rows for _, rows in zip(range(60), source.since(step), strict=False)]
    some = (rows for _, rows in zip(range(60), source.since(step), strict=False))
    found = [batch.numpy() for batch in ahead(some, CPU)]
    np.testing.assert_array_equal(found, wanted)
    plain = (rows for _, rows in zip(range(60), source.since(step), strict=False))
    np.testing.assert_array_equal([batch.numpy() for batch in moved(plain, CPU)], wanted)


def test_a_stream_is_read_no_further_than_is_wanted():
    stream = Stream(iter([np.arange(800.0).reshape(200, 4)]), tokens=200, buffer=128)
    source = stream.batches(64, seed=0)
    some = (rows for _, rows in zip(range(3), source.since(0), strict=False))
    assert len(list(ahead(some, CPU))) == 3  # a fourth would begin a second pass, and fail


def test_an_error_while_reading_comes_where_its_batch_would_have():
    def broken():
        yield np.zeros((2, 2))
        raise OSError("the disk is gone")

    found = ahead(broken(), CPU)
    assert next(found).shape == (2, 2)
    with pytest.raises(OSError, match="gone"):
        next(found)


def test_the_thread_ends_with_whoever_reads():
    def endless():
        while True:
            yield np.zeros((2, 2))

    before = threading.active_count()
    found = ahead(endless(), CPU)
    next(found)
    assert threading.active_count() == before + 1
    found.close()
    assert threading.active_count() == before


def test_training_reads_ahead_on_a_gpu_only(monkeypatch):
    monkeypatch.setattr("finsae.sae.reader.ahead", lambda source, device: "ahead")
    assert moved(iter([]), torch.device("cuda")) == "ahead" != moved(iter([]), CPU)


# -- the dictionary of what is summed per latent


def test_totals_per_latent_without_atomic_additions():
    x, W_enc = tokens(), start(TopK(LATENTS, K))["W_enc"]
    from finsae.sae.codes import ByLatent, fixed, per_latent

    codes = fixed(*selection.top_k(x, W_enc, W_enc.new_zeros(LATENTS), K))
    by_latent = ByLatent(codes, LATENTS)
    summed = by_latent.sum(codes.values, codes.values.new_ones(len(x), 1))[:, 0]
    torch.testing.assert_close(summed, per_latent(codes, codes.values, LATENTS))
    assert torch.equal(by_latent.total(codes.values), per_latent(codes, codes.values, LATENTS))
    assert losses.compare(codes, x, W_enc)[1] > 0
