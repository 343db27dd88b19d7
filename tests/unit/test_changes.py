"""What changed between two filings, on filings of which the changes are known."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import toy
from typer.testing import CliRunner

import finsae
from finsae.checks import DataError
from finsae.cli import app
from finsae.config import Reading
from finsae.filings import keyed, known_by
from finsae.pipeline import build_features
from finsae.pipeline.changes import changed_sentences, changes
from finsae.universe import Universe

PLANTED = "It develops patented medicines in clinical trials and sells tablets to hospitals."
PHARMA = {"patented", "medicines", "clinical", "trials", "tablets", "hospitals", "develops"}
OIL = {"drills", "offshore", "wells", "crude", "oil", "natural", "gas", "refiners"}
CHANGED, GONE = "T0A", "T0B"


def retold(text, rng):
    """The same business a year later: other figures, another order, a word or two."""
    sentences = [part.strip() for part in text.rstrip(".").split(".")]
    rng.shuffle(sentences)
    return ". ".join(sentences).replace("serves", "still serves") + ". It has 5400 employees."


def filings(years=(2012, 2013)):
    rng = np.random.default_rng(0)
    rows = []
    for ticker, row in toy.companies(per_industry=5).iterrows():
        own = row["description"].replace(". the company", ". The company")
        for year in years:
            text = own + " It has 5100 employees."
            if year > years[0]:
                text = retold(own, rng)
                text += f" {PLANTED}" if ticker == CHANGED else ""
                text = own.split(". ", 1)[1] if ticker == GONE else text
            rows.append(
                {
                    "ticker": ticker,
                    "cik": row["cik"],
                    "sic": row["sic"],
                    "date": pd.Timestamp(f"{year}-03-01"),
                    "description": text,
                }
            )
    return pd.DataFrame(rows)


def universe(table):
    rows = keyed(table)
    return Universe.build(known_by(rows), filings=rows)


@pytest.fixture(scope="module", params=["tfidf", pytest.param("minilm", marks=pytest.mark.slow)])
def panel(request):
    return build_features(universe(filings()).yearly(), Reading(model=request.param))


def words(rows):
    return {word for row in rows for word in row["label"].replace(",", " ").split()}


def fires_on(row, leg, vocabulary):
    """Whether a feature's evidence has a word of the planted text marked."""
    marked = {part.split("]]")[0].lower() for part in row["evidence"][leg].split("[[")[1:]}
    return bool(marked & vocabulary)


def test_planted_features_are_on_top(panel):
    found = changes(panel, CHANGED, top=5)
    assert len(found["gained"]) == 5
    assert all(fires_on(row, "after", PHARMA) for row in found["gained"])
    assert len(words(found["gained"]) & PHARMA) >= 2
    assert all(row["evidence"]["before"] == "" for row in found["gained"] if not row["before"])
    assert found["lost"] == [] and found["weakened"] == []
    assert found["sentences"]["added"] == 1 and found["sentences"]["removed"] == 0
    assert found["similarity"] < found["usual"]


def test_what_is_dropped_is_lost(panel):
    found = changes(panel, GONE, top=5)
    gone = found["lost"] + found["weakened"]
    assert all("offshore" in row["evidence"]["before"] for row in gone)
    assert fires_on(found["lost"][0], "before", OIL)
    assert len(words(found["lost"]) & OIL) >= 2
    assert found["gained"] == [] and found["sentences"]["removed"] >= 1


def test_a_business_that_did_not_change_shows_no_change(panel):
    for company in sorted(set(panel.companies["company"]) - {CHANGED, GONE}):
        found = changes(panel, company)
        kinds = ("gained", "lost", "strengthened", "weakened")
        assert [found[kind] for kind in kinds] == [[], [], [], []], company
        assert found["sentences"]["added"] == 0


def test_shares_are_what_the_new_sentences_have(panel):
    """Of a feature that stands in new sentences only, the change is its part of the row."""
    found = changes(panel, CHANGED, top=50, least=0.0)
    assert [row["change"] for row in found["gained"]] == sorted(
        (row["change"] for row in found["gained"]), reverse=True
    )
    for row in found["gained"]:
        assert row["before"] <= 0.1 * row["after"] and row["change"] > 0
    top = found["gained"][0]
    squares = sum(row["change"] ** 2 for row in found["gained"])
    assert 0 < top["change"] ** 2 < squares < 1


@pytest.mark.slow
def test_later_filings_change_nothing(panel):
    """A change up to a year is the same whatever is filed after it."""
    table = filings()
    later = filings((2012, 2014)).query("date > '2013-12-31'")
    later = later.assign(description=later["description"] + " It mines bitcoin and lends money.")
    both = universe(pd.concat([table, later], ignore_index=True)).yearly()
    reading = (
        Reading(**panel.provenance["reading"])
        if "layer" in panel.provenance["reading"]
        else (Reading(model="tfidf"))
    )
    again = changes(build_features(both, reading), CHANGED, until=2013)
    before = changes(panel, CHANGED)
    assert again["from"] == before["from"] and again["to"] == before["to"]
    assert again["similarity"] == pytest.approx(before["similarity"], abs=1e-5)
    for one, other in zip(before["gained"], again["gained"], strict=True):
        assert one["label"] == other["label"]
        assert one["change"] == pytest.approx(other["change"], rel=1e-5)


def test_sentences_are_alike_but_for_numbers_order_and_a_fifth_of_their_words():
    before = ["We drill deep wells in Texas for oil.", "We had 12 rigs in 2012.", "We lend."]
    after = ["We had 14 rigs in 2013.", "We drill very deep wells in Texas for oil.", "We farm."]
    old, new = changed_sentences(before, after)
    assert old.tolist() == [False, False, True] and new.tolist() == [False, False, True]
    strict = changed_sentences(before, after, alike=1.0)
    assert strict[0].tolist() == [True, False, True]


def test_questions_that_have_no_answer(panel):
    with pytest.raises(DataError, match=r'unknown company "T0".*did you mean'):
        changes(panel, "T0")
    with pytest.raises(DataError, match="no filing of 2011: there are 2012, 2013"):
        changes(panel, CHANGED, since=2011)
    with pytest.raises(DataError, match="no filing before that of 2012"):
        changes(panel, CHANGED, until=2012)
    with pytest.raises(DataError, match="2013 is not before that of 2013"):
        changes(panel, CHANGED, since=2013)
    plain = replace(panel, companies=panel.companies.drop(columns=["company", "year"]))
    with pytest.raises(DataError, match="--yearly"):
        changes(plain, CHANGED)


def test_the_command_shows_what_changed(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    path, folder = tmp_path / "filings.csv", str(tmp_path / "panel")
    filings().to_csv(path, index=False)
    run = CliRunner().invoke
    made = run(app, ["build-features", "--companies", str(path), "--model", "tfidf", "--yearly",
                     "--out", folder])  # fmt: skip
    assert made.exit_code == 0, made.output
    shown = run(app, ["changes", CHANGED, "--features", folder])
    assert shown.exit_code == 0
    for part in ("2012-03-01", "2013-03-01", "1 added, 0", "New", "medicines"):
        assert part in shown.output, part
    same = run(app, ["changes", "T1C", "--features", folder])
    assert "Nothing changed but wording, order or figures." in same.output
    told = json.loads(run(app, ["changes", CHANGED, "--features", folder, "--json"]).output)
    panel = build_features(universe(filings()).yearly(), Reading(model="tfidf"))
    assert told == finsae.changes(panel, CHANGED, top=5)
    then = run(app, ["build-features", "--companies", str(path), "--model", "tfidf", "--as-of",
                     "2012-12-31", "--out", str(tmp_path / "then")])  # fmt: skip
    assert then.exit_code == 0
    texts = finsae.Features.load(tmp_path / "then").companies["description"]
    assert "medicines" in filings()["description"].iloc[1] and "medicines" not in texts[CHANGED]
    for wrong in (
        ["changes", CHANGED],
        ["changes", CHANGED, "--features", folder, "--companies", "x"],
    ):
        failed = run(app, wrong)
        assert isinstance(failed.exception, DataError)
