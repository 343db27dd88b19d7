import json
import urllib.error

import chat_server
import pytest
from chat_server import KEY, completion, serve

from finsae.checks import DataError
from finsae.explain.labellers import endpoint
from finsae.explain.labellers.endpoint import Endpoint
from finsae.explain.labellers.prompts import (
    Question,
    explaining,
    judging,
    read_label,
    read_verdicts,
)
from finsae.explain.labellers.words import Words
from finsae.explain.meaning import Industry, Meaning, Quote, Word


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FINSAE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def server(monkeypatch):
    with serve(monkeypatch) as running:
        yield running


def meaning(number=0, words=("pumps", "valves")):
    scored = tuple(Word(word, 5, 4.0 - i) for i, word in enumerate(words))
    quotes = (Quote("AAA", f"Makes [[{words[0]}]] number {number}.", 2.0),)
    mix = (Industry("35 Machinery", 3, 4, 8.0),)
    return Meaning(number, quotes, scored, (Word("oil", 2, 2.0),), (), mix, 3, 0.1, 0.001)


def quick(**settings):
    return Endpoint("tiny", **{"pause": 0.01, "timeout": 0.3, "attempts": 4, **settings})


# what is asked, and what answers say


def test_prompts_show_the_evidence_and_nothing_else():
    prompt = explaining(meaning(7))
    assert "1. Makes <<pumps>> number 7." in prompt.user and "[[" not in prompt.user
    assert "pumps, valves" in prompt.user and "35 Machinery (3 of 4)" in prompt.user
    assert "rarer" not in prompt.user  # there are none
    asked = judging(Question("pumps", ("One.", "[[Two]]."), marked=True))
    assert asked.user == "Label: pumps\n\n1. One.\n2. <<Two>>." and "[0, 1]" in asked.system
    assert judging(Question("pumps", ("One.",), marked=False)).system != asked.system


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("Label: pumps and valves", "pumps and valves"),
        ("Sure!\n**Label:** \"Oil pumps\".\n", "Oil pumps"),
        ("<think>Label: no\nhm</think>\nlabel: yes", "yes"),
        ("pumps\nand more", "pumps"),
        ("Label: \x1b[31mred\x07", "31mred"),
        ("Label: [bold]x[/bold]", "bold]x[/bold"),
        ("", ""),
        ("<think>never ends Label: x", ""),
        ("Label: " + "word " * 40, ("word " * 16).strip()),
    ],
)  # fmt: skip
def test_labels_are_read(answer, label):
    found = read_label(answer)
    assert found == label or (found.endswith(label) and found.isprintable())
    assert len(found) <= 80


@pytest.mark.parametrize(
    ("answer", "verdicts"),
    [
        ("[1, 0, 1]", [True, False, True]),
        ("For example [0, 0, 0]; but: [1,1,0].", [True, True, False]),
        ("[1 0 1]", [True, False, True]),
        ("[1, 0]", None),
        ("1, 0, 1", None),
        ("[1, 2, 0]", None),
        ("<think>[1, 1, 1]</think> I cannot say", None),
        ("", None),
    ],
)
def test_verdicts_are_read(answer, verdicts):
    assert read_verdicts(answer, 3) == verdicts


def test_words_name_by_the_most_typical_words():
    found = Words().label([meaning(), meaning(words=("a", "b", "c", "d", "e"))])
    assert found == ["pumps, valves", "a, b, c, d"]
    weak = Meaning(0, (), (Word("pumps", 9, 9.0), Word("mix", 1, 1.0)), (), (), (), 1, 0.1, 0.1)
    assert Words().label([weak]) == ["pumps"]
    assert Words(near_best=0.1).label([weak]) == ["pumps, mix"]
    assert Words().label([Meaning(0, (), (), (), (), (), 0, 0.0, 0.0)]) == [""]


def test_words_judge_by_the_words_of_the_label():
    texts = ("A pump is sold.", "Compumps!", "Sells [[valves]] and pumps.", "")
    asked = [Question("pumps, tea", texts, False), Question("pumps, tea", texts, True)]
    assert Words().judge(asked) == [[True, False, True, False], [False] * 4]


# the endpoint


def test_what_is_sent_and_what_it_took(server):
    model = quick(at_once=1)
    server.say = lambda request: f"Label: {request['messages'][1]['content'][3:18]}"
    assert model.label([meaning(1), meaning(2)]) == ["Makes <<pumps>>", "Makes <<pumps>>"]
    sent = server.requests[0]
    assert sent["model"] == "tiny" and sent["temperature"] == 0 and sent["max_tokens"] == 120
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert (model.usage.asked, model.usage.read, model.usage.written) == (2, 200, 14)
    assert model.usage.cost(2.5, 10.0) == pytest.approx((200 * 2.5 + 14 * 10) / 1e6)


def test_nothing_is_asked_twice(server):
    asked = [meaning(i) for i in range(5)]
    first = quick().label([*asked, asked[0]])
    assert len(server.requests) == 5 and first[0] == first[5]
    again = quick()
    assert again.label(asked) == first[:5] and len(server.requests) == 5
    assert (again.usage.asked, again.usage.kept, again.usage.read) == (0, 5, 0)
    assert Endpoint("other", pause=0.01).label(asked[:1]) and len(server.requests) == 6


FAULTS = [
    (429, '{"error": {"message": "Rate limit reached", "type": "requests"}}', {"Retry-After": "0"}),
    (500, "oops"),
    (503, ""),
    (200, '{"choices": [{"message": {"content": "Label: ha'),
    (200, '{"choices": []}'),
    (200, '["no chat completion"]'),
    (200, '{"error": {"message": "overloaded"}}'),
    "silence",
]


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_that_pass_are_tried_again(server, fault):
    server.faults = [fault, fault]
    model = quick()
    assert model.label([meaning()]) == ["things"]
    assert len(server.requests) == 3 and model.usage.asked == 1


def test_a_closed_connection_is_tried_again(server, monkeypatch):
    opened, real = [], endpoint._OPENER.open

    def flaky(*args, **kwargs):
        opened.append(1)
        if len(opened) == 1:
            raise urllib.error.URLError(ConnectionResetError())
        return real(*args, **kwargs)

    monkeypatch.setattr(endpoint._OPENER, "open", flaky)
    assert quick().label([meaning()]) == ["things"] and len(opened) == 2


def test_an_interrupted_run_goes_on_where_it_stopped(server):
    asked = [meaning(i) for i in range(6)]

    def say(request):
        if "number 4" in request["messages"][1]["content"] and broken:
            server.faults = [(500, "down")] * 99
        return "Label: ok"

    server.say, broken = say, True
    model = quick(at_once=1, attempts=2)
    with pytest.raises(DataError, match=r"no answer in 2 tries.*run the command again"):
        model.label(asked)
    done = model.usage.asked
    assert done == 5
    server.faults, broken, before = [], False, len(server.requests)
    again = quick()
    assert again.label(asked) == ["ok"] * 6
    assert len(server.requests) - before == 1 == again.usage.asked and again.usage.kept == done


def test_answers_under_way_are_kept_when_another_fails(server):
    def say(request):
        return "Label: ok"

    server.say = say
    server.faults = [(418, '{"error": {"message": "I am a teapot"}}')]
    model = quick(at_once=3)
    with pytest.raises(DataError, match=r"status 418.*teapot"):
        model.label([meaning(i) for i in range(3)])
    # One was refused, which may be before the last is begun; whatever else was begun is kept.
    begun = len(server.requests)
    assert model.usage.asked == begun - 1
    assert quick().label([meaning(i) for i in range(3)]) == ["ok"] * 3
    assert len(server.requests) - begun == 3 - model.usage.asked


def test_the_key_is_nowhere(server, tmp_path, capsys):
    quick().label([meaning()])
    server.faults = [(401, f'{{"error": {{"message": "Incorrect API key provided: {KEY}"}}}}')]
    with pytest.raises(DataError, match="refused the key") as refused:
        quick().label([meaning(2)])
    server.faults = [(400, f"bad header Bearer {KEY}")]
    with pytest.raises(DataError, match="bad header") as bad:
        quick().label([meaning(3)])
    said = str(refused.value) + str(bad.value) + "".join(capsys.readouterr())
    model = quick()
    assert KEY not in said + repr(vars(model)) + json.dumps(model.settings)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files and not any(KEY.encode() in file.read_bytes() for file in files)
    assert not any(b"127.0.0.1" in file.read_bytes() for file in files)


def test_without_a_key_none_is_sent(server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    assert quick().label([meaning()]) == ["things"]
    assert "Authorization" not in server.headers[0]


def test_the_key_does_not_follow_a_redirect(server):
    server.faults = [(302, "", {"Location": server.url + "/elsewhere"})]
    with pytest.raises(DataError, match="status 302"):
        quick().label([meaning()])
    assert len(server.requests) == 1


def test_options_that_a_model_refuses_are_left_out(server):
    refused = "Unsupported parameter: 'max_tokens' is not supported with this model."
    server.faults = [(400, json.dumps({"error": {"message": refused, "param": "max_tokens"}}))]
    assert quick(at_once=1).label([meaning()]) == ["things"]
    assert "max_tokens" in server.requests[0] and "max_tokens" not in server.requests[1]


def test_what_cannot_be_read_is_no_label_and_no_verdict(server):
    server.faults = [(200, json.dumps({**completion(""), "usage": None}))]
    model = quick(at_once=1)
    assert model.label([meaning()]) == [""] and model.usage.read == 0
    server.say = lambda request: "[1, 0]" if "One" in request["messages"][1]["content"] else "Yes"
    asked = [Question("pumps", ("One.", "Two."), False), Question("pumps", ("Three.",), False)]
    assert quick().judge(asked) == [[True, False], None]


def test_addresses_that_are_none(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000")
    with pytest.raises(DataError, match="OPENAI_BASE_URL is no web address"):
        quick().label([meaning()])


def test_damaged_answers_are_named(server, tmp_path):
    quick().label([meaning()])
    (file,) = (tmp_path / "cache" / "answers").rglob("*.json")
    file.write_text("{")
    with pytest.raises(DataError, match="damaged: delete it"):
        quick().label([meaning()])


def test_the_recorded_reply_has_the_shape_that_is_read():
    assert endpoint._read(chat_server.completion("hi", 3, 4)) == ("hi", 3, 4)
    with pytest.raises(ValueError, match="no chat completion"):
        endpoint._read({"choices": [{"text": "a legacy completion"}]})
