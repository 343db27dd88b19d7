import numpy as np
import pandas as pd
import planted
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from finsae.checks import DataError
from finsae.explain.corpus import Corpus
from finsae.explain.labellers.words import Words
from finsae.explain.meaning import meanings, stem
from finsae.explain.scores import METRICS, Subject, assess, eligible, label_auc
from finsae.explain.scores.assess import summary
from finsae.explain.scores.judge_free import crossed_auc, intruder, truth_of, words_said
from finsae.explain.scores.judged import (
    Examples,
    balanced_accuracy,
    detection,
    fuzzing,
    questions,
)
from finsae.result import SCORE_COLUMNS

LEARNT, HELD_OUT = np.arange(0, 24), np.arange(24, 48)


@pytest.fixture(scope="module")
def features():
    return planted.features()


@pytest.fixture(scope="module")
def held_out(features):
    return Corpus.of(features, HELD_OUT)


def subject(features, ids=range(8)):
    corpus = Corpus.of(features, LEARNT)
    table = features.companies
    known = meanings(corpus, ids, tickers=table.index, industries=table["sic"])
    return Subject(Corpus.of(features, HELD_OUT), known, Words().label(known))


def embed(texts):
    """A bag of the planted words, by group: what a good sentence embedding would see."""
    rows = np.full((len(texts), len(planted.GROUPS) + 1), 0.01)
    for row, text in zip(rows, texts, strict=True):
        for group, words in enumerate(planted.GROUPS):
            row[group] += sum(word in text.lower() for word in words)
        row[-1] += 0.3
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Oracle(Words):
    """Knows the planted groups, and so what every label means."""

    def judge(self, asked):
        groups = [{stem(word) for word in words} for words in planted.GROUPS]
        found = []
        for question in asked:
            (group,) = [g for g in groups if stem(question.label.split(", ")[0]) in g]
            whole = Words().judge([question._replace(label=" ".join(group))])
            found += whole
        return found


class Always(Words):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def judge(self, asked):
        return [
            None if self.answer is None else [self.answer] * len(question.texts)
            for question in asked
        ]


def test_auc_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    scores = np.round(rng.normal(size=(4, 60)), 1)  # with ties
    truth = rng.random((3, 60)) < 0.3
    truth = np.vstack([truth, np.zeros(60, bool), np.ones(60, bool)])
    found = crossed_auc(scores, truth)
    for i in range(3):
        for j in range(4):
            assert found[i, j] == pytest.approx(roc_auc_score(truth[i], scores[j]))
    assert np.isnan(found[3:]).all()


def test_balanced_accuracy_is_that_of_scikit_learn_and_counts_failures():
    rng = np.random.default_rng(0)
    truth, said = rng.random(10) < 0.4, rng.random(10) < 0.5
    example = Examples(tuple("abcdefghij"), tuple(truth.tolist()))
    assert [len(q.texts) for q in questions("x", example, marked=False)] == [5, 5]
    verdicts = [said[:5].tolist(), said[5:].tolist()]
    expected = balanced_accuracy_score(truth, said)
    assert balanced_accuracy(verdicts, example) == (pytest.approx(expected), 0)
    wrong = np.concatenate([said[:5], ~truth[5:]])
    expected = balanced_accuracy_score(truth, wrong)
    assert balanced_accuracy([verdicts[0], None], example) == (pytest.approx(expected), 0.5)
    assert np.isnan(balanced_accuracy([[True]], Examples(("a",), (True,)))[0])


def test_examples_are_held_out_and_true(features, held_out):
    rng = np.random.default_rng(0)
    texts = set(features.companies["description"].iloc[HELD_OUT])
    truth = truth_of(held_out, range(9))
    for group in range(8):
        words = planted.GROUPS[group]
        found = detection(held_out, truth[group], rng)
        assert sum(found.truth) == 5 and len(found.texts) == 10
        assert all(any(text in whole for whole in texts) for text in found.texts)
        for text, true in zip(found.texts, found.truth, strict=True):
            assert true == any(word in text.lower() for word in words)
        marked = fuzzing(held_out, group, truth[group], rng)
        assert sum(marked.truth) == 5 and len(marked.texts) == 10
        for text, true in zip(marked.texts, marked.truth, strict=True):
            assert true == any(f"[[{word}]]" in text.lower() for word in words)
            assert text.count("[[") == 1 and any(word in text.lower() for word in words)


def test_planted_labels_are_true_and_others_are_not(features):
    own = subject(features)
    scores, table = assess(own, own, before=["firm"] * 8, judge=Words(), embed=embed)
    assert list(scores.columns) == list(SCORE_COLUMNS)
    plain = scores[scores["versus"] == ""].set_index(["method", "metric"])
    assert set(plain.loc["labels"].index) == set(METRICS)
    for metric in ("detection", "fuzzing", "embedding_auc", "quote_auc", "word_auc"):
        assert plain.loc[("labels", metric), "value"] > 0.95
        assert plain.loc[("random labels", metric), "value"] < 0.6
    assert plain.loc[("labels", "intruder"), "value"] > 0.7
    assert 0.05 < plain.loc[("random labels", "intruder"), "value"] < 0.4
    paired = scores[scores["versus"] == "random labels"].set_index("metric")
    assert (paired["low"] > 0).all() and (paired["method"] == "labels").all()
    same = scores[scores["versus"] == "dense neurons"]  # the same features: no difference
    assert (same[["value", "low", "high"]] == 0).all(axis=None)
    assert table["label"].tolist() == list(own.labels) and (table["detection"] > 0.7).all()
    assert set(scores["interval"]) == {"features"} and (scores["n"] == 8).all()


@pytest.mark.parametrize(
    ("judge", "value", "unreadable"),
    [(Oracle(), 1.0, 0), (Always(True), 0.5, 0), (Always(False), 0.5, 0), (Always(None), 0.0, 1)],
)
def test_judges_get_what_they_deserve(features, judge, value, unreadable):
    own = subject(features)
    scores, _ = assess(own, own, before=own.labels, judge=judge, embed=embed)
    mine = scores[(scores["method"] == "labels") & (scores["versus"] == "")].set_index("metric")
    assert mine.loc["detection", "value"] == value == mine.loc["fuzzing", "value"]
    assert mine.loc["unreadable", "value"] == unreadable


def test_the_same_seed_gives_the_same_scores(features):
    own = subject(features)
    first, again, other = (
        assess(own, own, before=own.labels, judge=Words(), embed=embed, seed=seed)[0]
        for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_label_auc_is_the_diagonal(features, held_out):
    own = subject(features)
    found = label_auc(held_out, range(8), own.labels, embed)
    _, table = assess(own, own, before=own.labels, judge=Words(), embed=embed)
    np.testing.assert_allclose(found, table["embedding_auc"])
    assert len(label_auc(held_out, [], [], embed)) == 0


def test_words_of_a_label(held_out):
    said = words_said(held_out, ["pumps", "the pump", "the", "unheard"])
    has = np.array(["pumps" in text.lower() for text in held_out.texts])
    np.testing.assert_array_equal(said[0], has)
    np.testing.assert_array_equal(said[1], has)  # "the" says nothing beside a noun
    assert said[2].any() and not said[3].any()


def test_intruders_need_four_companies(held_out):
    truth = np.zeros((1, len(held_out.starts)), dtype=bool)
    truth[0, :3] = True
    vectors = np.random.default_rng(0).normal(size=(len(held_out.starts), 4))
    rng = np.random.default_rng(0)
    assert np.isnan(intruder(held_out, truth, vectors, draws=5, rng=rng)).all()


def test_random_intruders_are_found_by_chance(held_out):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(len(held_out.starts), 30))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    truth = rng.random((60, len(vectors))) < 0.2
    found = intruder(held_out, truth, vectors, draws=20, rng=rng)
    assert np.mean(found) == pytest.approx(0.2, abs=0.05)


def test_what_can_be_scored(features):
    learnt, held_out = Corpus.of(features, LEARNT), Corpus.of(features, HELD_OUT)
    found = eligible(learnt, held_out)
    for group in range(9):
        has = np.array(["" for _ in range(48)], dtype=object) == "x"
        has[np.concatenate([learnt.owners(group), 24 + held_out.owners(group)])] = True
        here, there = has[:24].sum(), has[24:].sum()
        assert found[group] == (here >= 5 and 5 <= there <= 19)
    with pytest.raises(DataError, match="fewer than two"):
        one = subject(features, [0])
        assess(one, one, before=["x"], judge=Words(), embed=embed)


def test_intervals_are_of_features_and_paired():
    rng = np.random.default_rng(0)
    common = rng.normal(0.7, 0.2, 400)
    own = pd.DataFrame({"detection": common + 0.02})
    other = pd.DataFrame({"detection": common + rng.normal(0, 0.01, 400)})
    other.iloc[0] = np.nan
    scores = summary({"labels": own, "other": other})
    level, paired = scores.iloc[0], scores[scores["versus"] == "other"].iloc[0]
    error = 1.96 * own["detection"].std() / 20
    assert level["high"] - level["low"] == pytest.approx(2 * error, rel=0.1)
    assert paired["high"] - paired["low"] < error / 8 and paired["low"] > 0.015
    assert (level["n"], paired["n"]) == (400, 399)
