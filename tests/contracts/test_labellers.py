"""What every labeller of the menu must do."""

import json

import pytest
import tiny_models
from chat_server import serve

from finsae.explain.labellers.prompts import Question
from finsae.explain.meaning import Meaning, Quote, Word
from finsae.plugins import MENU, make


def meaning(number, word):
    quote = Quote("AAA", f"Sells [[{word}]] and more.", 2.0)
    return Meaning(number, (quote,), (Word(word, 4, 3.0),), (), (), (), 2, 0.1, 0.01)


MEANINGS = [meaning(0, "pumps"), meaning(1, "loans"), meaning(2, "tablets")]
QUESTIONS = [
    Question("pumps", ("Sells pumps.", "Lends money."), marked=False),
    Question("pumps", ("Sells [[pumps]].", "[[Sells]] pumps."), marked=True),
]


@pytest.fixture(params=list(MENU["labeller"]))
def labeller(request, monkeypatch, tmp_path):
    monkeypatch.setenv("FINSAE_CACHE", str(tmp_path / "cache"))
    if request.param == "openai":
        with serve(monkeypatch) as server:
            server.say = lambda sent: (
                "[1, 0]" if "Label:" in sent["messages"][1]["content"] else "Label: things"
            )
            yield lambda: make("labeller", "openai", model="tiny")
    elif request.param == "local":
        folder = tiny_models.writer(tmp_path / "model")
        yield lambda: make("labeller", "local", model=folder)
    else:
        yield lambda: make("labeller", request.param)


def test_one_name_per_feature_the_same_each_time_and_in_any_order(labeller):
    names = labeller().label(MEANINGS)
    assert len(names) == 3 and all(isinstance(name, str) and len(name) <= 80 for name in names)
    assert all(name == " ".join(name.split()) for name in names)
    assert labeller().label(MEANINGS[::-1]) == names[::-1]
    assert labeller().label([]) == []


def test_one_verdict_per_text_or_none(labeller):
    verdicts = labeller().judge(QUESTIONS)
    assert len(verdicts) == 2
    assert all(said is None or [type(one) for one in said] == [bool] * 2 for said in verdicts)
    assert labeller().judge([]) == []


def test_settings_are_json_and_usage_counts(labeller):
    model = labeller()
    assert isinstance(json.loads(json.dumps(model.settings))["model"], str)
    model.label(MEANINGS)
    asked = model.usage.asked
    again = labeller()
    again.label(MEANINGS)
    assert asked in (0, 3) and (again.usage.asked, again.usage.kept) == (0, asked)
