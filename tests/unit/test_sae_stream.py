"""Training on an iterator of arrays."""

import numpy as np
import pytest

import finsae.sae.run as run_module
from finsae.checks import DataError
from finsae.sae import Stream, TopK, Training
from finsae.sae.batches import batches

SHORT = Training(epochs=2, batch=128, lr=3e-3)


def pieces(count=24, width=12, seed=0):
    random = np.random.default_rng(seed)
    centres = 3 * random.normal(size=(20, width))
    for _ in range(count):
        size = int(random.integers(50, 300))
        x = centres[random.integers(20, size=size)] + 0.1 * random.normal(size=(size, width))
        yield x.astype(np.float16)


TOKENS = sum(map(len, pieces()))


def coder(**settings):
    return TopK(32, 3, training=Training(**{**vars(SHORT), **settings}), device="cpu")


def test_a_stream_is_learnt_as_an_array_is():
    streamed = coder(epochs=4).fit(Stream(pieces, tokens=TOKENS, buffer=1000))
    whole = coder(epochs=4).fit(np.concatenate(list(pieces())))
    assert streamed.history_["fvu"].iloc[-1] < 1.3 * whole.history_["fvu"].iloc[-1]
    assert streamed.history_["fvu"].iloc[-1] < 0.5 * streamed.history_["fvu"].iloc[0]


def test_batches_are_mixed_complete_and_repeatable():
    def numbers():
        for start in range(0, 10_000, 500):
            yield np.arange(start, start + 500, dtype=np.float64)[:, None] * np.ones(3)

    stream = Stream(numbers, tokens=10_000, buffer=4000)
    source = batches(stream, 100, seed=0)
    flow = source.since(0)
    first = [next(flow)[:, 0] for _ in range(source.steps_per_pass)]
    assert len(np.unique(np.concatenate(first))) == 10_000
    assert np.ptp(first[0]) > 2500  # of a whole buffer, not of neighbours
    second = [next(flow)[:, 0] for _ in range(3)]
    assert not np.array_equal(first[0], second[0])
    for step in (0, 7, 101):
        wanted = (first + second)[step]
        np.testing.assert_array_equal(next(batches(stream, 100, seed=0).since(step))[:, 0], wanted)


def test_a_plain_iterator_serves_one_pass():
    once = coder(epochs=1).fit(Stream(pieces(), tokens=TOKENS))
    again = coder(epochs=1).fit(Stream(pieces, tokens=TOKENS))
    np.testing.assert_array_equal(once.W_enc_, again.W_enc_)
    with pytest.raises(DataError, match="give a function"):
        coder(epochs=2).fit(Stream(pieces(), tokens=TOKENS))


def test_a_killed_training_on_a_stream_ends_with_the_same_bits(tmp_path, monkeypatch):
    whole = coder().fit(Stream(pieces, tokens=TOKENS, buffer=1000))
    monkeypatch.setattr(run_module, "CHECKPOINT_SECONDS", 0.0)
    advance = run_module.Trainer.advance

    def killed(self, rows, *, step, steps):
        if step == 20:
            raise KeyboardInterrupt
        advance(self, rows, step=step, steps=steps)

    monkeypatch.setattr(run_module.Trainer, "advance", killed)
    with pytest.raises(KeyboardInterrupt):
        coder().fit(Stream(pieces, tokens=TOKENS, buffer=1000), checkpoint=tmp_path / "c.pt")
    monkeypatch.setattr(run_module.Trainer, "advance", advance)
    again = coder().fit(Stream(pieces, tokens=TOKENS, buffer=1000), checkpoint=tmp_path / "c.pt")
    np.testing.assert_array_equal(again.W_dec_, whole.W_dec_)


def test_bad_streams_are_refused():
    with pytest.raises(DataError, match="must give arrays"):
        Stream(list, tokens=10)
    with pytest.raises(DataError, match="fewer than one batch"):
        coder().fit(Stream(pieces, tokens=100))
    with pytest.raises(DataError, match="the stream ended"):
        coder().fit(Stream(pieces, tokens=2 * TOKENS))

    def broken():
        yield np.ones((400, 12), np.float16)
        yield np.full((400, 12), np.nan, np.float16)

    with pytest.raises(DataError, match="NaN"):
        coder(epochs=1).fit(Stream(broken, tokens=800))
