"""The page of one pair, and the section of a run: texts stay texts."""

import pandas as pd
from report_run import EVIL, make_run

from finsae.report.pair import page, pair
from finsae.result import Result

FOUND = {
    "a": "T000",
    "b": "T001",
    "similarity": 0.5,
    "of": 60,
    "shared": {"features": 12, "named": 0.2, "words": 0.4, "sentences": 0.6},
    "features": [
        {
            "id": 3, "label": EVIL, "contribution": 0.1, "companies": 7, "without": 0.45,
            "evidence": {"a": f"{EVIL} [[drills]] wells", "b": f"[[{EVIL}]]"},
        },
        {
            "id": -1, "label": "other features", "contribution": 0.4, "companies": None,
            "without": None, "evidence": {"a": "", "b": ""},
        },
    ],
    "words": [
        {"a": EVIL, "b": "wells", "contribution": 0.2},
        {"a": "", "b": "", "contribution": 0.3},
    ],
    "sentences": {
        "a": [], "b": [],
        "pairs": [
            {"contribution": 0.3, "features": EVIL, "quote_a": f"{EVIL} [[a]]", "quote_b": "[[b]]"}
        ],
    },
    "only": {
        "a": [{"id": 4, "label": EVIL, "companies": 2, "share": 0.1, "evidence": EVIL}],
        "b": [],
    },
    "counterfactual": {
        "features": [{"id": 3, "label": EVIL}],
        "similarity": 0.45,
        "peers": {"before": ["T001", "T002"], "after": ["T002", "T001"]},
    },
}  # fmt: skip


def test_a_page_shows_hostile_texts_as_text():
    shown = page(FOUND, {"T000": EVIL, "T001": "Company 1 Inc."})
    assert "<script" not in shown and "<img" not in shown
    assert shown.count("&lt;script&gt;") >= 8
    assert "<mark>drills</mark>" in shown
    assert "1 pairs of words carry 40% of the similarity" in shown
    assert "1 of 12 shared features 20%" in shown
    assert "Have it, of 60" in shown and "<button" not in shown
    assert "Peers of T000 after: T002, T001." in shown


def test_a_page_of_two_companies_that_share_nothing():
    nothing = {
        **FOUND, "similarity": 0.0, "features": [], "words": [], "counterfactual": None,
        "sentences": {"a": [], "b": [], "pairs": []}, "only": {"a": [], "b": []},
    }  # fmt: skip
    assert "They share no feature." in page(nothing, {})


def test_a_run_shows_words_and_sentences_where_it_has_them(tmp_path):
    result = Result.load(make_run(tmp_path))
    before = [part.id for part in pair(result).parts if part.kind == "table"]
    explained = result.tables["explained"]
    a, b = explained["a"].iloc[0], explained["b"].iloc[0]
    words = pd.DataFrame(
        {"word_a": ["oil", ""], "word_b": ["oils", ""], "contribution": [0.1, 0.2]}
    ).assign(a=a, b=b)
    sentences = pd.DataFrame(FOUND["sentences"]["pairs"]).assign(a=a, b=b)
    result.tables.update(pair_words=words, pair_sentences=sentences)
    tables = {part.id: part for part in pair(result).parts if part.kind == "table"}
    assert set(tables) - set(before) == {"words-0"}
    assert len(tables["words-0"].rows) == 1  # the rest of the words is no row
    assert "oils" in tables["words-0"].csv
