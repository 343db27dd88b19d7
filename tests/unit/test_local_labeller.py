import json

import pytest
import tiny_models
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from finsae.checks import DataError
from finsae.explain.labellers.local import Local
from finsae.explain.labellers.prompts import Prompt

PROMPTS = [Prompt("Name it.", "x " * n, 6) for n in (3, 40, 11)]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FINSAE_CACHE", str(tmp_path / "cache"))


def answered(model):
    found = {}
    model.answers(PROMPTS, found.__setitem__)
    return [found[i] for i in range(len(PROMPTS))]


def test_what_it_writes_is_what_transformers_writes_alone(tmp_path):
    folder = tiny_models.writer(tmp_path / "model")
    found = answered(Local(folder, batch=2))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    net = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for prompt, answer in zip(PROMPTS, found, strict=True):
        text = f"<s>system: {prompt.system}<s>user: {prompt.user}<s>assistant:"
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        made = net.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=6,
                            do_sample=False, pad_token_id=1)  # fmt: skip
        expected = tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)
        assert answer.text == expected
        assert answer.read == ids.shape[1] and 0 < answer.written <= 6


def test_a_model_without_a_chat_template_is_asked_in_plain_text(tmp_path):
    found = answered(Local(tiny_models.writer(tmp_path / "model", chat=False), batch=3))
    assert len(found) == 3 and found[1].read > found[0].read


def test_settings_name_the_weights_and_no_path(tmp_path):
    folder = tiny_models.writer(tmp_path / "model")
    settings = Local(folder).settings
    assert settings["model"] == "model" and str(tmp_path) not in json.dumps(settings)
    (tmp_path / "model" / "extra.json").write_text("{}")
    assert Local(folder).settings["sha256"] != settings["sha256"]


def test_mistakes_are_answered(tmp_path):
    with pytest.raises(DataError, match="reads 64 tokens"):
        answered(Local(tiny_models.writer(tmp_path / "small", window=64)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no config\.json"):
        _ = Local(str(tmp_path / "empty")).settings
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{}")
    with pytest.raises(DataError, match="cannot load"):
        answered(Local(str(tmp_path / "broken")))
