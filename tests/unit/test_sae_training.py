"""Data order, checkpoints, settings, metrics, labels, saving, and the whole way of `train`."""

import json
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import finsae.sae.run as run_module
from finsae import sae
from finsae.activations import Activations
from finsae.checks import DataError
from finsae.sae import TopK, Training, checkpoint
from finsae.sae.architectures.batch_topk import BatchTopK
from finsae.sae.architectures.itda import ITDA
from finsae.sae.batches import BLOCK, Batches, Rows, check
from finsae.sae.job import split
from finsae.sae.labels import NEVER, Vocabulary, label_latents
from finsae.sae.metrics import evaluate
from finsae.sae.start import geometric_median
from finsae.store import hash_texts

SHORT = Training(epochs=2, batch=128, lr=2e-3)


def clouds(tokens=2048, width=12, seed=0):
    random = np.random.default_rng(seed)
    centres = 3 * random.normal(size=(20, width))
    x = centres[random.integers(20, size=tokens)] + 0.1 * random.normal(size=(tokens, width))
    return x.astype(np.float16)


def numbered(count):
    return np.arange(count, dtype=np.float64)[:, None] * np.ones(2)


def test_batches_hold_every_token_at_most_once_per_pass():
    batches = Batches(numbered(10_000), 96, seed=0)
    source = batches.since(0)
    seen = np.concatenate([next(source)[:, 0] for _ in range(batches.steps_per_pass)])
    assert len(np.unique(seen)) == len(seen) > 10_000 - 96 - BLOCK
    again = np.concatenate([next(source)[:, 0] for _ in range(batches.steps_per_pass)])
    assert not np.array_equal(seen, again)


def test_batches_mix_distant_tokens_and_start_anywhere():
    batches = Batches(numbered(50_000), 96, seed=0)
    source = batches.since(0)
    first = [next(source) for _ in range(2 * batches.steps_per_pass + 3)]
    assert np.ptp(first[0]) > 25_000
    assert len(np.unique(first[0][:, 0] // BLOCK)) > 20
    for at in (0, 5, 33, batches.steps_per_pass, len(first) - 1):
        np.testing.assert_array_equal(next(batches.since(at)), first[at])
    assert not np.array_equal(next(Batches(numbered(50_000), 96, seed=1).since(0)), first[0])


def test_batches_read_memory_maps_of_one_layer(tmp_path):
    whole = np.memmap(tmp_path / "x", np.float16, "w+", shape=(500, 3, 4))
    whole[:] = np.arange(500)[:, None, None]
    found = next(Batches(whole[:, 1], 64, seed=0).since(0))
    assert found.shape == (64, 4) and found.dtype == np.float16


def test_rows_are_a_view():
    rows = Rows(numbered(100), np.arange(0, 100, 3))
    assert rows.shape == (34, 2) and len(rows) == 34
    np.testing.assert_array_equal(rows[2:4][:, 0], [6, 9])
    check(Rows(numbered(300), np.arange(0, 300, 2)), 64)


def test_resumed_training_ends_with_the_same_bits(tmp_path, monkeypatch):
    whole = TopK(32, 3, training=SHORT, device="cpu").fit(clouds())
    state = tmp_path / "checkpoint.safetensors"
    monkeypatch.setattr(run_module, "CHECKPOINT_SECONDS", 0.0)
    stop_at = 12
    advance = run_module.Trainer.advance

    def killed(self, rows, *, step, steps):
        if step == stop_at:
            raise KeyboardInterrupt
        advance(self, rows, step=step, steps=steps)

    monkeypatch.setattr(run_module.Trainer, "advance", killed)
    with pytest.raises(KeyboardInterrupt):
        TopK(32, 3, training=SHORT, device="cpu").fit(clouds(), checkpoint=state)
    monkeypatch.setattr(run_module.Trainer, "advance", advance)
    assert checkpoint.load(state, "cpu")["step"] == stop_at
    live = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [row["step"] for row in live] == list(range(1, stop_at + 1)) and live[-1]["fvu"] > 0
    again = TopK(32, 3, training=SHORT, device="cpu").fit(clouds(), checkpoint=state)
    np.testing.assert_array_equal(again.W_enc_, whole.W_enc_)
    np.testing.assert_array_equal(again.b_dec_, whole.b_dec_)
    assert again.history_["fvu"].equals(whole.history_["fvu"])
    with pytest.raises(DataError, match="another folder"):
        TopK(32, 2, training=SHORT, device="cpu").fit(clouds(), checkpoint=state)


@pytest.mark.slow
def test_auxk_revives_dead_latents():
    off = replace(SHORT, epochs=10, lr=1e-2, aux_coefficient=0.0, dead_after=512)
    ends = []
    for settings in (off, replace(off, aux_coefficient=1 / 32)):
        coder = TopK(96, 3, training=settings, device="cpu")
        trainer = run_module.Trainer(coder, many_directions())
        with torch.no_grad():  # half the latents start too low to win a selection
            trainer.weights["b_enc"][:48] = -1.5
        run_module.run([trainer], many_directions())
        ends.append(trainer.finish().history_.iloc[-1])
    assert ends[0]["dead"] >= 0.5
    assert ends[1]["dead"] < 0.8 * ends[0]["dead"]
    assert ends[1]["fvu"] < ends[0]["fvu"]


def many_directions(tokens=4096, width=12, features=64):
    random = np.random.default_rng(0)
    directions = random.normal(size=(features, width))
    active = (random.random((tokens, features)) < 3 / features) * random.random((tokens, features))
    return (active @ directions).astype(np.float32)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch": -1},
        {"batch": 1},
        {"lr": float("nan")},
        {"warmup": 0.6, "decay": 0.6},
    ],
)
def test_bad_settings_are_refused(wrong):
    with pytest.raises(DataError, match="Training"):
        Training(**wrong)


def test_rate_rises_stays_and_falls():
    rates = [Training().rate(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(1 / 50) and rates[-1] == pytest.approx(1 / 200)
    assert set(rates[50:800]) == {1.0}
    assert Training(warmup=0, decay=0).rate(0, 10) == 1.0


def test_short_runs_take_a_higher_rate_and_wide_ones_a_lower():
    published = 2e-4 / (8192 / 2**14) ** 0.5
    rates = [Training().full_rate(8192, steps) for steps in (1, 100, 2_500, 10_000, 10**6)]
    assert rates == pytest.approx([3e-3, 10 * published, 2 * published, published, published])
    assert Training().full_rate(32, 10) == pytest.approx(2e-4 / (32 / 2**14) ** 0.5)  # no less
    assert Training(lr=0.1).full_rate(8192, 1) == 0.1


def test_an_sae_knows_the_rate_that_it_was_trained_at():
    training = Training(epochs=2, batch=128)
    one = TopK(512, 3, training=training).fit(clouds())
    assert one.learning_rate_ == training.full_rate(512, 2 * (2048 // 128))
    other = TopK(512, 3, training=training).fit(clouds(), init_from=one)
    assert other.learning_rate_ == pytest.approx(one.learning_rate_ / 3)


def test_diverging_training_says_so():
    with pytest.raises(DataError, match="diverged"):
        TopK(32, 3, training=replace(SHORT, lr=1e30), device="cpu").fit(clouds())


def test_a_training_says_how_it_goes():
    trainer = run_module.Trainer(TopK(32, 3, training=SHORT, device="cpu"), clouds())
    run_module.run([trainer], clouds())
    row = trainer.finish().history_.iloc[-1]
    assert re.fullmatch(
        rf"FVU {row['fvu']:.3f}, L0 {row['l0']:.1f}, dead {row['dead']:.1%}, [\d,]+ tokens/s",
        trainer.note(),
    )


def test_saes_of_other_sizes_trained_in_one_pass_are_those_trained_alone():
    def coders():
        return [
            TopK(32, 3, training=SHORT, device="cpu"),
            TopK(48, 2, training=replace(SHORT, lr=1e-3), device="cpu"),
            BatchTopK(32, 4, training=SHORT, random_state=5, device="cpu"),
        ]

    found, alone = coders(), coders()
    run_module.fit_together(found, clouds())
    for one, other in zip(found, alone, strict=True):
        if one.random_state == 0:  # the first one's seed decides the order of the tokens
            other.fit(clouds())
            np.testing.assert_array_equal(one.W_dec_, other.W_dec_)
        assert one.history_["fvu"].iloc[-1] < one.history_["fvu"].iloc[0]
    with pytest.raises(DataError, match="one batch and epochs"):
        run_module.fit_together(
            [found[0], TopK(32, 3, training=replace(SHORT, batch=64), device="cpu")], clouds()
        )


@pytest.mark.parametrize("batch", [2, 3, 65])
def test_batches_of_any_size_are_learnt_from(batch):
    training = replace(SHORT, batch=batch, epochs=0.2)
    coder = TopK(33, 3, training=training, device="cpu").fit(clouds(512))
    assert np.isfinite(coder.history_["fvu"]).all()


def test_geometric_median_resists_outliers():
    points = torch.cat([torch.zeros(95, 2) + torch.tensor([1.0, 2.0]), torch.full((5, 2), 1e3)])
    torch.testing.assert_close(
        geometric_median(points), torch.tensor([1.0, 2.0]), atol=1e-3, rtol=0
    )


def identity_coder(width=4):
    """Codes of a token are its two largest coordinates."""
    eye = np.eye(width)
    coder = TopK(width, 2, device="cpu")
    zeros = np.zeros(width)
    return coder.set_weights({"W_enc": eye, "W_dec": eye, "b_enc": zeros, "b_dec": zeros})


def test_measures_by_hand():
    x = np.array([[3, 2, 1, 0], [0, 1, 0, 0], [0, 0, 0, 2.0]])
    found = evaluate(identity_coder(), x)
    variation = np.square(x - x.mean(0)).sum()
    assert found.fvu == pytest.approx(1 / variation)
    assert found.l0 == pytest.approx(4 / 3)
    assert found.dead == 0.25
    np.testing.assert_allclose(found.density, [1 / 3, 2 / 3, 0, 1 / 3])
    assert found.cosine == pytest.approx((np.sqrt(13 / 14) + 2) / 3)
    assert "density" not in found.summary()
    with pytest.raises(DataError, match="same"):
        evaluate(identity_coder(), np.ones((5, 4)))
    with pytest.raises(DataError, match="no tokens"):
        evaluate(identity_coder(), np.ones((0, 4)))


def test_fvu_is_exact_far_from_the_origin():
    x = clouds().astype(np.float64) + 1000
    coder = TopK(32, 3, training=SHORT, device="cpu").fit(x)
    rebuilt = coder.decode(coder.encode(x)).astype(np.float64)
    error = np.square(rebuilt - x.astype(np.float32)).sum()
    assert evaluate(coder, x).fvu == pytest.approx(error / np.square(x - x.mean(0)).sum(), rel=1e-4)


def test_word_pieces_belong_to_whole_words():
    vocabulary = Vocabulary()
    text = "Oil-field drilling, AT&T."
    spans = np.array([[0, 3], [3, 4], [4, 9], [10, 15], [15, 18], [18, 19], [20, 22], [24, 25]])
    numbers = vocabulary.words(text, spans)
    words = list(vocabulary.numbers)
    assert [words[i] for i in numbers] == [
        *["oil-field"] * 3, "drilling", "drilling", ",", "at&t", ".",
    ]  # fmt: skip


def test_labels_are_telling_words():
    texts = ["the drilling rigs and the wells", "the bank and the loans", "the the the of"]
    spans, tokens, offsets = [], [], [0]
    axis = {"drilling": 0, "rigs": 0, "wells": 0, "bank": 1, "loans": 1, "the": 2, "of": 2}
    for text in texts:
        at = 0
        for word in text.split():
            spans.append((at, at + len(word)))
            at += len(word) + 1
            token = np.zeros(4)
            token[axis.get(word, 2)] = 2.0 if word == "rigs" else 1.0
            token[2] += 0.01
            tokens.append(token)
        offsets.append(len(tokens))
    arguments = {"offsets": np.array(offsets), "spans": np.array(spans)}
    found = label_latents(identity_coder(), np.array(tokens), texts=texts, **arguments)
    assert list(found["label"]) == [
        "rigs, drilling, wells",
        "bank, loans",
        found["label"][2],
        NEVER,
    ]
    assert found["density"].tolist()[0] == pytest.approx(3 / len(tokens))
    assert found["density"].tolist()[3] == 0
    with pytest.raises(DataError, match="do not belong"):
        label_latents(identity_coder(), np.array(tokens), texts=texts[:2], **arguments)


def test_latents_of_function_words_are_named_after_them():
    spans, tokens = np.array([[0, 3], [4, 6], [7, 8]]), np.eye(4)[[0, 0, 1]]
    found = label_latents(
        identity_coder(), tokens, offsets=np.array([0, 3]), spans=spans, texts=["the of ."]
    )
    assert found["label"][0] == "of, the"
    assert found["label"][1] == "."


def saved(tmp_path):
    return sae.save(TopK(32, 3, training=SHORT, device="cpu").fit(clouds()), tmp_path / "sae")


def test_float16_folders_are_half_as_large_and_nearly_the_same(tmp_path):
    coder = TopK(32, 3, training=SHORT, device="cpu").fit(clouds())
    small, large = sae.save(coder, tmp_path / "a", dtype="float16"), sae.save(coder, tmp_path / "b")
    sizes = [(f / "sae_weights.safetensors").stat().st_size for f in (small, large)]
    assert sizes[0] < 0.6 * sizes[1]
    found = evaluate(sae.load(small), clouds(seed=0)).fvu
    assert found == pytest.approx(evaluate(coder, clouds(seed=0)).fvu, rel=1e-2)
    with pytest.raises(DataError, match="float16"):
        sae.save(coder, tmp_path / "c", dtype="int8")
    coder.b_dec_ = coder.b_dec_ + 1e6
    with pytest.raises(DataError, match="65,504"):
        sae.save(coder, tmp_path / "c", dtype="float16")


def test_folder_is_saelens(tmp_path):
    config = json.loads((saved(tmp_path) / "cfg.json").read_text())
    assert config["architecture"] == "topk" and config["metadata"]["sae_lens_version"]
    assert config["apply_b_dec_to_input"] is True
    assert config["rescale_acts_by_decoder_norm"] is False
    assert config["normalize_activations"] == "none"


def test_foreign_or_damaged_folders_are_refused(tmp_path):
    with pytest.raises(DataError, match='did you mean "demo"'):
        sae.load("demmo")
    folder = saved(tmp_path)
    assert sae.weights_path(folder).is_file()
    config = json.loads((folder / "cfg.json").read_text())
    for wrong, message in (
        ({"architecture": "gated"}, "architecture is 'gated'"),
        ({"k": None}, "k is missing"),
        ({"d_sae": 31}, "shape"),
    ):
        (folder / "cfg.json").write_text(json.dumps(config | wrong))
        with pytest.raises(DataError, match=message):
            sae.load(folder)
    for own in ([1], {"settings": [1]}, {"scale": "x"}, {"sealed": {"schema": 1, "files": "x"}}):
        damaged = config | {"metadata": config["metadata"] | {"finsae": own}}
        (folder / "cfg.json").write_text(json.dumps(damaged))
        with pytest.raises(DataError, match="cannot be read"):
            sae.load(folder)
    (folder / "cfg.json").write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        sae.load(folder)
    (folder / "cfg.json").write_text(json.dumps(config))
    (folder / "sae_weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read"):
        sae.load(folder)


def activations(texts, width=12):
    """One token per word, at the place of its word among all words."""
    words = sorted({word for text in texts for word in text.split()})
    places = 3 * np.random.default_rng(0).normal(size=(len(words), width))
    spans, tokens, offsets = [], [], [0]
    for text in texts:
        at = 0
        for word in text.split():
            spans.append((at, at + len(word)))
            tokens.append(places[words.index(word)])
            at += len(word) + 1
        offsets.append(len(tokens))
    meta = {"model": "toy", "model_hash": "0", "settings": {}, "texts_hash": hash_texts(texts)}
    return Activations(
        np.array(tokens, np.float16)[:, None],
        np.array(offsets, np.int64),
        np.array(spans, np.int32),
        meta | {"layers": [2]},
    )


def test_train_judges_on_other_texts_labels_and_saves(tmp_path):
    random = np.random.default_rng(0)
    words = [f"{a}{b}" for a in ("oil", "bank", "chip", "drug") for b in ("well", "loan", "wafer")]
    texts = [" ".join(random.choice(words, 30)) for _ in range(60)]
    source = activations(texts)
    coder = TopK(32, 2, training=SHORT, device="cpu")
    made = sae.train(source, coder, layer=2, out=tmp_path / "sae", texts=texts)
    again = sae.load(tmp_path / "sae", device="cpu")
    assert again.layer_ == 2 and again.model_ == "toy"
    assert again.labels_.equals(made.labels_)
    assert again.provenance_["evaluation"]["fvu"] == pytest.approx(
        made.provenance_["evaluation"]["fvu"]
    )
    named = {part for label in again.labels_["label"] for part in label.split(", ")}
    assert named <= {*words, NEVER} and len(named) > 5
    card = (tmp_path / "sae" / "README.md").read_text()
    assert "FVU, held out" in card
    measured = made.provenance_["evaluation"]
    assert sum(measured["density"].values()) == 32
    assert "Latents by share of tokens they fire on" in card and "loads there as a `topk`" in card
    assert "dark_matter" not in measured  # 90 tokens fit no linear map
    assert not (tmp_path / "sae" / "checkpoint.safetensors").exists()
    with pytest.raises(DataError, match="not those"):
        sae.train(source, coder, layer=2, out=tmp_path / "no", texts=texts[1:])


def test_a_dictionary_of_tokens_says_which_they_are_and_that_it_took_one_pass(tmp_path):
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(list("abcdefghijkl"), 30)) for _ in range(20)]
    source = activations(texts)
    coder = ITDA(32, 2, training=SHORT, device="cpu")
    made = sae.train(source, coder, layer=2, out=tmp_path / "sae")
    atoms = np.asarray(source.layer(2)[made.atoms_], np.float32) - made.b_dec_
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    np.testing.assert_allclose(atoms, made.W_dec_, atol=1e-5)
    card = (tmp_path / "sae" / "README.md").read_text()
    assert "to learn from, 1 pass," in card and "Learning rate" not in card


def test_split_keeps_texts_whole():
    offsets = np.cumsum([0, *np.random.default_rng(0).integers(0, 9, 200)])
    learn, judge = split(offsets, seed=0)
    assert sorted([*learn, *judge]) == list(range(offsets[-1]))
    of_token = np.repeat(np.arange(200), np.diff(offsets))
    assert not set(of_token[learn]) & set(of_token[judge])
    with pytest.raises(DataError, match="two texts"):
        split(np.array([0, 5]), seed=0)


def test_tensorboard_is_asked_for_by_name_where_it_is_absent(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with (
        pytest.raises(DataError, match=r'pip install "finsae\[tensorboard\]"'),
        sae.tensorboard(tmp_path),
    ):
        pass


def test_tensorboard_shows_a_training(tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with sae.tensorboard(tmp_path):
        coder = TopK(32, 3, training=SHORT, device="cpu").fit(clouds())
    found = EventAccumulator(str(tmp_path / "sae-0")).Reload()
    for name in ("fvu", "l0", "dead", "tokens_per_second"):
        events, history = found.Scalars(name), coder.history_
        assert [event.step for event in events] == history["tokens"].tolist()
        np.testing.assert_allclose([event.value for event in events], history[name], rtol=1e-6)
