"""Objects in a notebook: what they say of themselves, as text and as HTML that is only text."""

import json
import pickle
from dataclasses import replace
from html.parser import HTMLParser

import markets
import numpy as np
import pandas as pd
import pytest
import toy_features
from IPython.lib.pretty import pretty

from finsae import explain, pipeline
from finsae.features import Features
from finsae.filings import keyed, known_by
from finsae.markup import LETTERS, MARKED, ROWS, Cell, Grid, View, shortened
from finsae.pairs import Backtest
from finsae.result import SCORE_COLUMNS, Result
from finsae.universe import Universe

EVIL = "<script>alert(1)</script>"
TAGS = {"div", "p", "strong", "table", "caption", "thead", "tbody", "tr", "th", "td", "mark"}


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that what is opened is closed."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.styles, self.open, self.text = set(), [], [], ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert {name for name, _ in attrs} <= {"style", "scope"}
        self.styles += [value for name, value in attrs if name == "style"]
        self.tags.add(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data + "\n"


def shown(thing, most=12_000):
    """Read the HTML of an object: compact, no script, nothing of its own colour."""
    html = thing._repr_html_()
    page = Page(html)
    assert page.tags <= TAGS and len(html) < most
    assert not any("color" in style or "background" in style for style in page.styles)
    words = pretty(thing)
    assert words.split("\n")[0] in page.text and len(words) < 2_000
    assert isinstance(thing, dict) or repr(thing) == words
    return page.text


@pytest.fixture
def features(monkeypatch):
    oil = f"Acme Inc. {EVIL} drills deep wells. It also drills gas wells offshore!"
    monkeypatch.setitem(toy_features.TEXTS, "OIL", oil)
    monkeypatch.setattr(
        toy_features, "WORDS", ["drills", "wells", f"{EVIL}", "bank", "loans", "gas"]
    )
    found = toy_features.toy()
    names = [f"Name {EVIL}", "Gas Co", "Bank", "Void"]
    companies = found.companies.assign(name=names, sic=None, cik=None, date=pd.NaT)
    made = {
        "reading": {**found.provenance["reading"], "model": "minilm", "sae": EVIL, "idf": False}
    }
    return Features(found.matrix, companies, found.names, found.codes, made)


def test_features_say_their_size_reading_and_first_companies(features):
    text = shown(features)
    assert "Features of 4 companies: 6" in text and "sae = <script>alert(1)</script>" in text
    assert f"Name {EVIL}" in text and "wells; drills" in text
    grouped = replace(features, provenance={"reading": {"layer": 5}, "layers": [1, 2]})
    assert "layer = 1+2." in shown(grouped)


def test_dense_features_show_no_dimension_as_a_reason(features):
    dense = Features.build(np.ones((4, 3)), features.companies, ["dimension 0", "1", "2"])
    assert "Features of 4 companies: 3" in shown(dense)


def test_peers_of_a_company_of_an_axis_and_of_a_basket(features):
    found = pipeline.company_peers(features, "OIL", k=2)
    text = shown(found)
    assert (
        "Peers of OIL" in text
        and "GAS" in text
        and f"{found['peers'][0]['similarity']:.3f}" in text
    )
    basket = shown(pipeline.basket_peers(features, ["OIL", "BANK"], [3, 1], k=2))
    assert "75% OIL, 25% BANK" in basket and "by OIL" in basket


def test_a_pair_shows_words_sentences_features_and_the_counterfactual(features):
    found = pipeline.explain_pair(features, "OIL", "GAS", top=1, without=[1], k=2)
    text = shown(found)
    assert f"OIL and GAS: similarity {found['similarity']:.3f}" in text
    assert f"OIL has and GAS lacks: {EVIL} #2." in text
    assert "Without wells #1: similarity" in text and "2 peers the same companies." in text
    for caption in ("Words", "Sentences", "Features"):
        assert f"\n{caption}\n" in text
    assert "<mark>wells</mark>" in found._repr_html_() and EVIL in text
    assert EVIL not in found._repr_html_()


def test_a_pair_that_shares_nothing_says_so(features):
    text = shown(pipeline.explain_pair(features, "OIL", "BANK"))
    assert "They share no feature." in text


def test_a_cluster_and_a_feature(features):
    labels = pd.Series({"OIL": EVIL, "GAS": EVIL, "BANK": "2", "VOID": "3"})
    found = pipeline.why_cluster(features, "OIL", labels=labels, top=2)
    text = shown(found)
    assert f"Cluster {EVIL}: " in text and "2 companies: OIL, GAS" in text
    assert f"{found['features'][0]['label']} #{found['features'][0]['id']}" in text
    text = shown(explain.describe(features, 1))
    assert "Feature 1: wells" in text and "2 companies have it." in text and "OIL" in text


def test_the_meaning_of_a_feature(features):
    corpus = explain.corpus.Corpus.of(features)
    tickers, industries = features.companies.index, ["13", "13", "60", ""]
    (found,) = explain.meaning.meanings(corpus, [1], tickers=tickers, industries=industries)
    text = shown(found)
    assert "Feature 1 fires on: wells" in text and "companies" in text
    assert "13 2 of 2" in text


def test_a_search_and_changes_from_word_features():
    rows = pd.DataFrame(
        {
            "ticker": ["A", "A", "B"],
            "cik": ["1", "1", "2"],
            "date": pd.to_datetime(["2012-03-01", "2013-03-01", "2013-03-01"]),
            "description": [
                "It drills wells in Ohio.",
                f"It drills wells in Ohio. It opened a {EVIL} bank with loans.",
                "A bank makes loans in Ohio.",
            ],
        }
    )
    table = keyed(rows)
    universe = Universe.build(known_by(table), filings=table)
    panel = pipeline.build_features(universe.yearly(), pipeline.reading.Reading(model="tfidf"))
    text = shown(pipeline.changes(panel, "A"))
    assert "A from 2012-03-01 to 2013-03-01" in text and "gained" in text
    features = pipeline.build_features(universe, pipeline.reading.Reading(model="tfidf"))
    text = shown(pipeline.search(features, "banc loans", k=2))
    assert 'Companies that say most of "banc loans"' in text
    assert 'No text has the word "banc"; the nearest they have is "bank".' in text
    told = shown(universe)
    assert "2 companies with descriptions" in told and "3 filings in all" in told


def test_a_universe_shows_its_spans_and_escapes_its_names():
    closes = markets.walks(80, 2, seed=1, prefix="W")
    names = pd.DataFrame(
        {"name": [EVIL, "B"], "description": ["x" * 900, EVIL]}, index=closes.columns
    )
    text = shown(Universe.build(names, closes))
    assert f"Daily closes of 2 companies, {closes.index[0]:%Y-%m-%d}" in text
    assert "x" * LETTERS + "…" in text and "x" * (LETTERS + 1) not in text


def test_a_backtest_counts_its_positions_by_their_end_and_claims_no_ratio():
    days = pd.bdate_range("2014-01-01", periods=10)
    trades = pd.DataFrame(
        {"reason": ["stop", "converged", "stop"], "net": [-0.1, 0.05, 0.02], "days": [3, 5, 4]}
    )
    returns = pd.DataFrame({"gross": 0.01, "net": 0.005}, index=days)
    book = Backtest(pd.DataFrame({"y": ["A"], "x": ["B"]}), trades, returns)
    text = shown(book)
    assert "Backtest of 1 pairs: 3 positions in 1 window" in text
    assert "+10.00% before costs, +5.00% after" in text
    assert text.index("converged\n1\n100\n5.0\n5.00") < text.index("stop\n2\n50\n3.5\n-4.00")
    idle = Backtest(book.pairs, trades.iloc[:0], returns, 2, {days[0]: "none"})
    assert "0 positions in 2 windows" in shown(idle) and "In 1 windows no pair" in shown(idle)


def result(*rows, **tables):
    return Result(pd.DataFrame(rows, columns=list(SCORE_COLUMNS)), tables, {})


def test_a_result_shows_levels_and_paired_differences_with_their_intervals():
    found = result(
        ("sic", "peer_correlation", 0.4, 0.3, 0.5, 9, "two-way", ""),
        ("sae", "peer_correlation", 0.44, 0.39, 0.49, 9, "two-way", ""),
        ("sae", "coverage", 0.5, np.nan, np.nan, 9, "", ""),
        ("sae", "own_metric", 0.5, np.nan, np.nan, 9, "", ""),
        ("sae", "peer_correlation", 0.04, 0.02, 0.06, 9, "two-way", "sic"),
        ("sae", "peer_correlation", 0.04, 0.01, 0.07, 9, "newey-west", "sic"),
        ("sic", "peer_correlation", -0.04, -0.06, -0.02, 9, "two-way", "sae"),
        peers=pd.DataFrame(),
    )
    text = shown(found)
    assert "Scores of 2 methods by 3 metrics\n" in text
    assert "\nScores, with 95 % intervals (two-way)\n" in text
    assert text.index("SAE\n0.440 [0.390, 0.490]\n50") < text.index("SIC\n0.400 [0.300, 0.500]")
    assert "SAE minus" in text and "+0.040 [+0.020, +0.060]" in text
    assert "+0.070" not in text  # the headline interval, which comes first
    assert "-0.040" not in text and "own_metric" not in text and "Tables: peers." in text


def test_a_result_of_metrics_and_regimes_of_its_own_is_shown_by_their_names():
    rows = [("sae", "auc", 0.9, 0.8, 1.0, 9, "companies", "")] * 2
    scores = pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
    scores.insert(0, "regime", ["normal", EVIL])
    text = shown(Result(scores))
    assert "normal\nSAE\n0.900" in text and f"{EVIL}\nSAE" in text and "\nauc\n" in text
    assert "Result without scores" in shown(Result(pd.DataFrame(), {"tried": scores}))


def test_an_answer_is_a_dictionary_of_json_values(features):
    found = pipeline.company_peers(features, "OIL", k=2)
    again = pickle.loads(pickle.dumps(found))
    assert (
        json.loads(json.dumps(found)) == dict(again) and again._repr_html_() == found._repr_html_()
    )


def test_a_table_cuts_long_texts_and_counts_the_rows_it_leaves_out():
    rows = [(number, "word " * 200) for number in range(ROWS + 3)]
    html = Grid("<b>", ["n", "text"], rows).html()
    assert html.count("<tr>") == ROWS + 1 and "<p>and 3 more</p>" in html
    assert "<b>" not in html and len(html) < ROWS * (LETTERS + 250)
    exact = Grid("c", ["n"], [[Cell("1 % <", number=True)]]).html()
    assert "1 % &lt;" in exact and "text-align:right" in exact


@pytest.mark.parametrize("at", [0, 3, 60, 119])
def test_a_long_quote_is_cut_around_its_first_mark(at):
    words = [f"w{number}" for number in range(120)]
    words[at] = f"[[{words[at]}]]"
    text = " ".join(words)
    found = shortened(text, 60)
    assert f"[[w{at}]]" in found and len(MARKED.sub(r"\1", found)) <= 62
    assert set(found.strip("…").split()) <= set(words)  # whole words
    assert found.startswith("…") == (at > 5) and found.endswith("…") == (at < 119)
    assert shortened(text, 10_000) == text


def test_the_view_of_nothing_is_one_line():
    assert View(["a <b>"]).html() == "<div><p><strong>a &lt;b&gt;</strong></p></div>"
